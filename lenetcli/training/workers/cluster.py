"""A Ray cluster as its driver sees it: its machines, and workers on them.

Ray runs in a process of its own, the relay (``relay.py``). So a cluster that does not answer can be left at
any time, Ray's messages and signal handlers stay away from the driver, and what ends Ray's own process ends
no command without a word.
"""

import pickle
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from queue import Empty, Queue
from types import TracebackType
from typing import Self

from lenetcli.errors import ClusterError, LenetError, RunFailedError
from lenetcli.machine import limits
from lenetcli.training.workers.messages import Deliver, Gone, LoadEngine, Order
from lenetcli.training.workers.pipes import Child
from lenetcli.training.workers.service import load_tensorflow

AUTO = "auto"
LOCAL = "local"
"""The addresses of the cluster that this machine is part of, and of one that is started on it."""

CONNECT_SECONDS = 12.0
"""How long a cluster may take to answer; with all that comes before, no more than 15 s."""

START_SECONDS = 120.0
"""How long it may take to start Ray on this machine."""


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
    """The first message to the relay: the cluster to connect to; one that is started has so many cores."""

    address: str
    cores: int


@dataclass(frozen=True, slots=True)
class Connected:
    """The answer of the relay: the machines of the cluster."""

    machines: tuple[Machine, ...]


@dataclass(frozen=True, slots=True)
class NeedsToken:
    """The answer of a relay that has to be started anew, since the cluster asks for a token."""


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
        self._load_engine = load_engine or load_tensorflow
        self._child: Child | None = None
        self._answers: Queue[Connected | LenetError] = Queue()
        self._machines: tuple[Machine, ...] | None = None
        self._workers: dict[int, RemoteWorker] = {}
        self._started = 0
        self._last_words: str | None = None  # of the relay if it is gone

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._child is not None:
            self._child.leave()

    @property
    def machines(self) -> Sequence[Machine]:
        """The machines of the cluster when it was connected to.

        Raises:
            ClusterError: if it cannot be reached or started.
        """
        if self._machines is None:
            self._connect()
            is_local = self.address == LOCAL
            try:
                answer = self._answers.get(timeout=START_SECONDS if is_local else CONNECT_SECONDS)
            except Empty:
                answer = no_answer(self.address)
            if isinstance(answer, LenetError):
                raise answer
            self._machines = answer.machines
        return self._machines

    def start_worker(self, deliver: Deliver) -> "RemoteWorker":
        """Start a worker, which finds a place on the cluster when it gets its setup.

        Raises:
            RunFailedError: if the cluster was lost.
        """
        self._connect()
        self._started += 1
        worker = RemoteWorker(self, self._started, deliver)
        self._workers[worker.number] = worker
        self.send(Start(worker.number, self._load_engine))
        return worker

    def send(self, message: Start | Forward | Kill) -> None:
        """Send a message to the relay; an order waits until that has connected."""
        if isinstance(message, Kill):
            self._workers.pop(message.number, None)
        if isinstance(message, Forward):
            assert self.machines
        assert self._child is not None
        self._child.send(message)

    def _connect(self) -> None:
        """Start the relay, which connects, unless it is there already."""
        if self._last_words is not None:
            raise RunFailedError(
                f"The connection to the Ray cluster was lost.{self._last_words}",
                "What was finished is kept; type the same command again once the cluster answers.",
            )
        if self._child is None:
            self._child = self._start_relay(_make_environment(self.address))
            threading.Thread(target=self._listen, args=(self._child,), daemon=True, name="cluster").start()

    def _start_relay(self, variables: dict[str, str]) -> Child:
        child = Child(self.relay, **variables)
        child.send(Connect(self.address, limits.usable_cores()))
        return child

    def _listen(self, child: Child) -> None:
        """Deliver what the relay reports until it ends, and then the end of all workers."""
        for message in child.receive():
            if isinstance(message, NeedsToken):
                # Ray reads the environment once, and in this mode it cannot use a cluster that asks for none.
                self._child = self._start_relay({"RAY_AUTH_MODE": "token"})
                for number in self._workers:
                    self._child.send(Start(number, self._load_engine))
                child.leave()
                self._listen(self._child)
                return
            if isinstance(message, Connected | LenetError):
                self._answers.put(message)
                continue
            number, report = message
            worker = self._workers.get(number)
            if worker is not None:  # else it was killed
                worker.deliver(worker, pickle.loads(report))  # noqa: S301 -- our own worker wrote it
        _, words = child.wait()
        self._last_words = f" Ray's last words: {words}" if words else ""
        self._answers.put(ClusterError(f"Ray has ended.{self._last_words}", "Type the command again."))
        for worker in list(self._workers.values()):
            worker.deliver(worker, Gone(None, "", "the cluster", is_lost=True))
        child.close()


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
