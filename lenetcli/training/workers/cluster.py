"""A Ray cluster as its driver sees it: its machines, and workers on them.

Ray runs in a process of its own, the relay (``relay.py``). So a cluster that does not answer can be left at
any time, Ray's messages and signal handlers stay away from the driver, and what ends Ray's own process ends
no command without a word.
"""

import os
import pickle
import secrets
import shutil
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from queue import Empty, Queue
from types import TracebackType
from typing import Self

from lenetcli.errors import ClusterError, LenetError, RunFailedError, describe_error
from lenetcli.experiment.config import AUTO
from lenetcli.machine import limits
from lenetcli.training.workers.messages import Deliver, Gone, LoadEngine, Order
from lenetcli.training.workers.pipes import Child
from lenetcli.training.workers.service import load_tensorflow

LOCAL = "local"
"""The address of a cluster that is started on this machine; ``AUTO`` is that which it is part of."""

CONNECT_SECONDS = 12.0
"""How long a cluster may take to answer; with all that comes before, no more than 15 s."""

START_SECONDS = 120.0
"""How long it may take to start Ray on this machine."""

LONGEST_PLACE = 27
"""The longest path of a folder for temporary files that is used, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A node of a cluster with what Ray may use of it; ``gpu_model`` is empty without a GPU."""

    name: str
    cpus: int
    gpus: int
    gpu_model: str
    memory_bytes: int

    def __str__(self) -> str:
        gpus = f", {self.gpus} GPUs" if self.gpus else ""
        return f"{self.name} with {self.cpus} CPUs{gpus} and {self.memory_bytes / 1e9:,.2f} GB"


@dataclass(frozen=True, slots=True)
class Connect:
    """The first message to the relay: the cluster to connect to, and an empty folder.

    A cluster that is started has so many ``cores``.
    """

    address: str
    cores: int
    folder: str


@dataclass(frozen=True, slots=True)
class Connected:
    """The answer of the relay: the machines of the cluster."""

    machines: tuple[Machine, ...]


@dataclass(frozen=True, slots=True)
class NeedsToken:
    """The answer of a relay that has to be started anew, since the cluster asks for a token."""


Answer = Connected | NeedsToken | LenetError


@dataclass(frozen=True, slots=True)
class Start:
    """A worker of a number is to be started; it begins to load when it gets its setup."""

    number: int
    load_engine: LoadEngine


@dataclass(frozen=True, slots=True)
class Forward:
    """An order to a worker."""

    number: int
    order: Order


@dataclass(frozen=True, slots=True)
class Kill:
    """A worker is to be ended at once."""

    number: int


class Cluster:
    """A cluster at an address: ``auto``, ``local``, or the host and port of its head.

    It is connected to when it is first needed, and left at the end as a context; with ``local`` it ends then.

    Raises:
        ClusterError: if Ray is not installed.
    """

    relay = "lenetcli.training.workers.relay"

    def __init__(self, address: str, load_engine: LoadEngine | None = None) -> None:
        if find_spec("ray") is None:
            raise ClusterError(
                "--ray needs Ray, which is not installed.", "Install it with: pip install 'lenetcli[ray]'"
            )
        self.address = address
        if address == AUTO and (named := os.environ.get("RAY_ADDRESS", AUTO)) != AUTO:
            self.address = named
            if "://" in named:
                problem = f"RAY_ADDRESS is {named!r}, which is not the address of the head of a cluster."
                raise ClusterError(problem, "Name that: --ray HOST:PORT.")
        self._load_engine = load_engine or load_tensorflow
        self._child: Child | None = None  # the relay
        self._ended: dict[Child, str] = {}  # relays that have ended, with what they wrote last
        self._machines: tuple[Machine, ...] = ()
        self._workers: dict[int, RemoteWorker] = {}
        self._started = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._child is not None:
            self._child.leave()

    def connect(self) -> Sequence[Machine]:
        """Connect to the cluster, or start it, unless that is done; returns the machines that it had then.

        Raises:
            ClusterError: if it cannot be reached or started.
            RunFailedError: if the connection was lost.
        """
        if self._child is None:
            answer = self._start_relay(_make_environment(self.address))
            if isinstance(answer, NeedsToken):
                # Ray reads the environment once, and in this mode it cannot use a cluster that asks for none.
                answer = self._start_relay({"RAY_AUTH_MODE": "token"})
            if not isinstance(answer, Connected):
                raise answer if isinstance(answer, LenetError) else no_token(self.address)
            self._machines = answer.machines
        elif self._child in self._ended:
            raise RunFailedError(
                f"The connection to Ray was lost.{_quote(self._ended[self._child])}",
                "What was finished is kept; type the same command again to go on.",
            )
        return self._machines

    def start_worker(self, deliver: Deliver) -> "RemoteWorker":
        """Start a worker, which finds a place on the cluster when it gets its setup; see ``connect``."""
        self.connect()
        self._started += 1
        worker = RemoteWorker(self, self._started, deliver)
        self._workers[worker.number] = worker
        self.send(Start(worker.number, self._load_engine))
        return worker

    def send(self, message: Start | Forward | Kill) -> None:
        """Send a message to the relay."""
        assert self._child is not None
        if isinstance(message, Kill):
            self._workers.pop(message.number, None)
        self._child.send(message)

    def _start_relay(self, variables: dict[str, str]) -> Answer:
        """Start a relay, which connects; returns its answer."""
        folder, answers = _make_folder(), Queue[Answer]()
        child = Child(self.relay, **variables)
        child.send(Connect(self.address, limits.usable_cores(), folder))
        listen = threading.Thread(target=self._listen, args=(child, folder, answers), daemon=True)
        listen.start()
        try:
            answer = answers.get(timeout=START_SECONDS if self.address == LOCAL else CONNECT_SECONDS)
        except Empty:
            answer = no_answer(self.address)
        if isinstance(answer, Connected):
            self._child = child
        else:
            child.leave()
        return answer

    def _listen(self, child: Child, folder: str, answers: "Queue[Answer]") -> None:
        """Deliver what a relay reports until it ends, and then the end of its workers."""
        for message in child.receive():
            if isinstance(message, Connected | NeedsToken | LenetError):
                answers.put(message)
                continue
            number, report = message
            worker = self._workers.get(number)
            if worker is not None:  # else it was killed
                worker.deliver(worker, pickle.loads(report))  # noqa: S301 -- our own worker wrote it
        _, words = child.wait()
        self._ended[child] = words
        answers.put(ClusterError(f"Ray has ended.{_quote(words)}", "Type the same command again."))
        if child is self._child:
            for worker in list(self._workers.values()):
                worker.deliver(worker, Gone(None, "", "the cluster", is_lost=True))
        child.close()
        shutil.rmtree(folder, ignore_errors=True)  # it does so itself unless it was killed


class RemoteWorker:
    """A worker on a cluster; see ``messages.Handle``."""

    def __init__(self, cluster: Cluster, number: int, deliver: Deliver) -> None:
        self.number, self.deliver = number, deliver
        self._cluster = cluster

    def send(self, order: Order) -> None:
        """Send an order."""
        self._cluster.send(Forward(self.number, order))

    def kill(self) -> None:
        """End the worker at once; what is on its way from it is lost."""
        self._cluster.send(Kill(self.number))


def _make_environment(address: str) -> dict[str, str]:
    """The variables of the environment with which Ray connects to a cluster, or starts one."""
    if address != LOCAL:
        return {}
    # The makers of Ray are not told what it is used for. A token of its own: only this command may use the
    # cluster, and none is left in the user's home.
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    return {"RAY_USAGE_STATS_ENABLED": "0"} | token


def _make_folder() -> str:
    """A new folder, whose path leaves Ray room for the names of its sockets, of 107 characters at most."""
    try:
        place = tempfile.gettempdir()
        return tempfile.mkdtemp(prefix="lenetcli-", dir=place if len(place) <= LONGEST_PLACE else "/tmp")
    except OSError as error:
        problem = f"No temporary folder can be made: {describe_error(error)}."
        raise ClusterError(problem, "Set TMPDIR to a folder that can be written to.") from error


def _quote(last_words: str) -> str:
    """What Ray wrote last, to follow a sentence; empty if it wrote nothing."""
    return f" Its last words: {last_words}" if last_words else ""


def name_place(address: str) -> str:
    """Where a cluster is: the end of a sentence."""
    return "on this machine" if address in (AUTO, LOCAL) else f"at {address}"


def no_answer(address: str) -> ClusterError:
    """The error for a cluster that does not answer."""
    if address == LOCAL:
        return ClusterError("Ray does not start on this machine.", "Leave out --ray local, or try again.")
    if address == AUTO:
        advice = "Start one with `ray start --head`, or name its address: --ray HOST:PORT."
        return ClusterError("No Ray cluster runs on this machine.", advice)
    return ClusterError(
        f"No Ray cluster answers at {address}.",
        f"See `ray status`; this machine has to be part of it: `ray start --address={address}`.",
    )


def no_token(address: str) -> ClusterError:
    """The error for a cluster that asks for a token which this machine does not have."""
    return ClusterError(
        f"The Ray cluster {name_place(address)} asks for a token, and this machine has none or another one.",
        "Copy ~/.ray/auth_token of its head here, or name its file with RAY_AUTH_TOKEN_PATH.",
    )
