"""The process between a driver and a Ray cluster: ``python -P -m lenetcli.training.workers.relay``.

It is the driver of Ray's job: when it ends, Ray ends the actors of its workers, and it ends with its standard
input. It forwards the orders of the driver to them, and what they report to the driver without reading it.
"""

import os
import pickle
import shutil
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

import ray
import ray.cloudpickle
from ray.exceptions import AuthenticationError, RayError

from lenetcli.errors import ClusterError, LenetError
from lenetcli.machine.system import printable
from lenetcli.training.workers import actor
from lenetcli.training.workers.cluster import (
    Connected,
    Forward,
    Kill,
    NeedsToken,
    Start,
    no_token,
)
from lenetcli.training.workers.messages import (
    WAITING,
    Failed,
    Gone,
    LoadEngine,
    Order,
    Refused,
    Report,
    Setup,
)
from lenetcli.training.workers.nodes import connect, count_needs, explain, find_nodes, is_lost
from lenetcli.training.workers.pipes import read_messages, take_streams

ray.cloudpickle.register_pickle_by_value(actor)

ENVIRONMENT = ("TF_ENABLE_ONEDNN_OPTS", "TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE")
"""The variables of the environment that decide the bits, or the speed, and are those of the driver."""

END_SECONDS = 15.0
"""How long the end may take when the driver is gone: a cluster of this process is ended with it."""


class Remote:
    """The worker of a number: its actor once it has a setup, and the orders that wait until that loads.

    ``node`` is the id of the node of the actor, ``machine`` its host name; both are empty until it is placed.
    """

    def __init__(self, number: int, load_engine: LoadEngine) -> None:
        self.number, self.load_engine = number, load_engine
        self.waiting = deque[Order]()
        self.actor: Any = None
        self.has_begun = False
        self.node = self.machine = ""

    @property
    def setup(self) -> Setup:
        """Its setup, the first of the orders that wait."""
        setup = self.waiting[0]
        assert isinstance(setup, Setup)
        return setup


class Relay:
    """Forwards orders and reports; one thread, which both wake. It has an empty ``folder``."""

    def __init__(self, target: IO[bytes], folder: Path) -> None:
        self.folder = folder
        self._target = target
        self._events = SimpleQueue[Any]()
        self._workers: dict[int, Remote] = {}
        self._refused: dict[str, str] = {}  # why, by the id of the node
        self._data: dict[str, Any] = {}  # references to arrays, by the hash of the data
        self._versions = actor.name_versions()

    def listen(self, source: IO[bytes]) -> None:
        """Take the messages of the driver until it is gone; this process then has a while to end."""
        for message in read_messages(source):
            self._events.put(message)
        self._events.put(None)
        time.sleep(END_SECONDS)
        self.end()  # Ray does not answer

    def work(self) -> None:
        """Treat messages of the driver and answers of actors until the driver is gone."""
        while (event := self._events.get()) is not None:
            match event:
                case Start(number, load_engine):
                    self._workers[number] = Remote(number, load_engine)
                    self._report(self._workers[number], WAITING)
                case Forward(number, order) if number in self._workers:
                    self._order(self._workers[number], order)
                case Kill(number) if number in self._workers:
                    self._kill(self._workers.pop(number))
                case (Remote() as remote, ray_actor, treat, future):
                    # Of a worker that was killed, or that lives on another node by now, nothing counts.
                    if self._workers.get(remote.number) is remote and remote.actor is ray_actor:
                        self._answer(remote, treat, future)

    def end(self) -> None:
        """End this process, and leave no folder behind."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os._exit(0)

    def send(self, message: object) -> None:
        """Send a message to the driver."""
        pickle.dump(message, self._target, pickle.HIGHEST_PROTOCOL)
        self._target.flush()

    def _report(self, remote: Remote, report: Report) -> None:
        self.send((remote.number, pickle.dumps(report)))

    # Orders

    def _order(self, remote: Remote, order: Order) -> None:
        if isinstance(order, Setup):
            remote.waiting.append(order)
            self._place(remote)
        elif not remote.has_begun:
            remote.waiting.append(order)
        else:
            remote.actor.order.remote(pickle.dumps(order, pickle.HIGHEST_PROTOCOL))

    def _place(self, remote: Remote) -> None:
        """Start the actor of a worker, which Ray places as soon as a node has room for it."""
        setup = remote.setup
        nodes = find_nodes(setup) if self._refused else []
        if nodes and all(node["NodeID"] in self._refused for node in nodes):
            problem = f"No machine of the cluster can be used: {'; '.join(self._refused.values())}."
            error = ClusterError(problem, f"Install lenetcli {self._versions['lenetcli']} on them.")
            self._report(remote, Failed(str(error), error))
            return
        needs = count_needs(setup)
        options: dict[str, Any] = {
            "num_cpus": needs["CPU"],
            "num_gpus": needs["GPU"],
            "memory": needs["memory"],
            "max_restarts": 0,  # the driver decides where a run goes on
        }
        if self._refused:
            options["label_selector"] = {"ray.io/node-id": f"!in({','.join(self._refused)})"}
        remote.actor = self.start_actor(options)
        self._call(remote, self._begin, "describe")

    def start_actor(self, options: dict[str, Any]) -> Any:
        """Start an actor with options of Ray."""
        groups = {actor.ORDERS: 1, actor.REPORTS: 1}
        return ray.remote(concurrency_groups=groups)(actor.Actor).options(**options).remote()

    def _begin(self, remote: Remote, answer: tuple[str, str, dict[str, str]]) -> None:
        """Have a worker that was placed begin, or place it elsewhere if its node has other software."""
        remote.node, machine, versions = answer
        remote.machine = printable(machine)
        if reason := _find_fault(versions, self._versions):
            self._refuse(remote, reason)
            return
        try:
            arrays = self._share(remote.setup)
        except Exception as error:
            known = error if isinstance(error, LenetError) else None
            self._report(remote, Failed(f"{type(error).__name__}: {error}", known))
            return
        environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        setup = pickle.dumps(remote.setup, pickle.HIGHEST_PROTOCOL)
        self._call(
            remote, self._follow, "begin", pickle.dumps(remote.load_engine), environment, setup, arrays
        )

    def _follow(self, remote: Remote, _answer: None) -> None:
        """Send the orders that have come for a worker meanwhile, and fetch what it reports."""
        remote.has_begun = True
        _setup, *orders = remote.waiting
        for order in orders:
            self._order(remote, order)
        self._call(remote, self._forward, "fetch")

    def _share(self, setup: Setup) -> Any:
        """The reference to the data of a setup, which Ray brings to each node once."""
        key = setup.source.sha256
        if key not in self._data:
            self._data[key] = ray.put(setup.source.load())
        return self._data[key]

    def _refuse(self, remote: Remote, reason: str) -> None:
        """Leave the node of a worker for good, and place it on another one, if there is any."""
        if remote.node not in self._refused:
            self._refused[remote.node] = f"{remote.machine} {reason}"
            self._report(remote, Refused(remote.machine, reason))
        ray.kill(remote.actor)
        self._place(remote)

    def _kill(self, remote: Remote) -> None:
        if remote.actor is not None:
            ray.kill(remote.actor)

    # Answers

    def _call(self, remote: Remote, treat: Any, method: str, *arguments: Any) -> None:
        """Call a method of an actor, whose answer is to be treated."""
        ray_actor = remote.actor
        future: Future[Any] = getattr(ray_actor, method).remote(*arguments).future()
        # Called in a thread of Ray, which must not be kept waiting.
        future.add_done_callback(lambda done: self._events.put((remote, ray_actor, treat, done)))

    def _answer(self, remote: Remote, treat: Any, future: "Future[Any]") -> None:
        try:
            answer = future.result()
        except Exception as error:  # RayError, as a rule
            was_lost = is_lost(error, remote.node)
            self._report(remote, Gone(None, "" if was_lost else explain(error), remote.machine, was_lost))
            with suppress(RayError):  # it may live, out of reach
                ray.kill(remote.actor)
            return
        treat(remote, answer)

    def _forward(self, remote: Remote, reports: list[bytes]) -> None:
        self._call(remote, self._forward, "fetch")
        for report in reports:
            self.send((remote.number, report))


def _find_fault(versions: dict[str, str], wanted: dict[str, str]) -> str | None:
    """Why the software of a machine does not do for the driver; None if it does."""
    for name, version in wanted.items():
        if not versions[name]:
            return f"has no {name}"
        if versions[name] != version:
            return f"has {name} {versions[name]}, and this machine {version}"
    return None


def main(make_relay: Callable[[IO[bytes], Path], Relay] = Relay) -> None:
    """Serve the driver at the other ends of standard input and output."""
    source, target = take_streams()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    message = pickle.load(source)  # noqa: S301 -- the driver started this process
    relay = make_relay(target, Path(message.folder))
    threading.Thread(target=relay.listen, args=(source,), daemon=True, name="driver").start()
    # Ray's workers import from the current folder of its driver first, where a user may have a ``signal.py``.
    os.chdir(relay.folder)
    with suppress(BrokenPipeError):  # the driver is gone
        try:
            relay.send(Connected(connect(message, relay.folder)))
        except ClusterError as error:
            relay.send(error)
        except AuthenticationError:
            relay.send(NeedsToken() if "RAY_AUTH_MODE" not in os.environ else no_token(message.address))
        relay.work()
    ray.shutdown()
    relay.end()


if __name__ == "__main__":
    main()
