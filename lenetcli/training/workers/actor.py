"""A worker in a Ray actor on a node of a cluster, as the node sees it.

Ray sends this module to the nodes by value, and it imports nothing of this program before ``begin``: a node
without it, or with another version of it, can say so. Orders and reports are pickled, so that Ray and what
is between the two ends need not know them.
"""

import os
import pickle
import platform
import threading
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import ray

ORDERS, REPORTS = "orders", "reports"
"""The concurrency groups of the actor, of one thread each: what is called in one keeps its order."""

PROGRESS_SECONDS = 1.0
"""The shortest time from one report on the progress to the next."""


def name_versions() -> dict[str, str]:
    """What of the software of this machine decides whether it can be used, by name; empty if it lacks it."""
    try:
        from lenetcli.experiment.config import RECIPE
        from lenetcli.version import __version__
    except Exception:  # whatever another version, or a damaged one, raises
        own, recipe = "", ""
    else:
        own, recipe = __version__, str(RECIPE)
    try:
        tensorflow = version("tensorflow")
    except PackageNotFoundError:
        tensorflow = ""
    return {"lenetcli": own, "TensorFlow": tensorflow, "recipe": recipe}


class Outbox:
    """The reports of a worker that wait to be fetched, of which those on the progress replace each other."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._reports: list[bytes] = []
        self._progress: bytes | None = None

    def put(self, report: object, *, is_progress: bool) -> None:
        """Add a report."""
        data = pickle.dumps(report, pickle.HIGHEST_PROTOCOL)
        with self._condition:
            if is_progress:
                self._progress = data
                return
            # What is reported later comes later; of an epoch that has ended the progress does not matter.
            self._progress = None
            self._reports.append(data)
            self._condition.notify()

    def take(self) -> list[bytes]:
        """The reports since the last time, at least one; that on the progress is not hurried for."""
        with self._condition:
            while not self._reports:
                self._condition.wait(PROGRESS_SECONDS)
                if not self._reports and self._progress is not None:
                    self._reports.append(self._progress)
                    self._progress = None
            taken, self._reports = self._reports, []
        return taken


class Actor:
    """A worker on a node of a cluster."""

    def __init__(self) -> None:
        self._outbox = Outbox()
        self._orders: Any = None

    def describe(self) -> tuple[str, str, dict[str, str]]:
        """The id of the node, its host name, and ``name_versions`` there."""
        return ray.get_runtime_context().get_node_id(), platform.node(), name_versions()

    def begin(self, load_engine: bytes, environment: dict[str, str], setup: bytes, arrays: Any) -> None:
        """Begin to load what the setup says, of which the data is in ``arrays``.

        ``environment`` has the variables of the environment of the driver that decide the bits.
        """
        from lenetcli.training.workers.service import Orders

        os.environ.update(environment)
        self._orders = Orders()
        self._orders.put(replace(pickle.loads(setup), arrays=arrays))  # noqa: S301 -- of our own driver
        threading.Thread(target=self._serve, args=(pickle.loads(load_engine),), daemon=True).start()  # noqa: S301

    @ray.method(concurrency_group=ORDERS)  # type: ignore[untyped-decorator]
    def order(self, data: bytes) -> None:
        """Take an order."""
        self._orders.put(pickle.loads(data))  # noqa: S301

    @ray.method(concurrency_group=REPORTS)  # type: ignore[untyped-decorator]
    def fetch(self) -> list[bytes]:
        """The reports since the last time, which are waited for."""
        return self._outbox.take()

    def _serve(self, load_engine: Any) -> None:
        from lenetcli.machine.devices import choose_device
        from lenetcli.training.events import Progressed, Stopped
        from lenetcli.training.workers.messages import Report, Setup
        from lenetcli.training.workers.service import serve

        def send(report: Report) -> None:
            self._outbox.put(report, is_progress=isinstance(report, Progressed))

        def adapt(setup: Setup) -> Setup:
            # Of GPUs Ray shows an actor those alone that it has given to it.
            return replace(setup, device=choose_device(setup.device.kind.value))

        with suppress(Stopped):
            serve(load_engine, self._orders, send, adapt)
