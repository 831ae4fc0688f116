"""The workers of a command: they are started, kept from run to run, and ended with it."""

from functools import partial
from queue import Empty, Queue
from types import TracebackType
from typing import Self

from lenetcli.training.workers.messages import Handle, Report, StartWorker
from lenetcli.training.workers.process import WorkerProcess
from lenetcli.training.workers.service import load_tensorflow

start_process: StartWorker = partial(WorkerProcess, load_tensorflow)
"""Starts a worker of the product: TensorFlow in a process of its own."""


class Pool:
    """The workers of a command, and the reports that they send; at its end as a context it ends them all."""

    def __init__(self, start: StartWorker | None = None) -> None:
        self._start = start or start_process
        # Not a ``SimpleQueue``, whose ``get`` waits for ever if a handler of a signal outlasts its timeout.
        self._reports: Queue[tuple[Handle, Report]] = Queue()
        self._handles: list[Handle] = []
        self._spare: list[Handle] = []  # that load already, and have no setup yet

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        while self._handles:
            self.end(self._handles[0])

    def warm_up(self) -> None:
        """Start a worker that will be needed, while it is still looked for what it is to train."""
        if not self._handles:
            self._spare.append(self._add())

    def start(self) -> Handle:
        """A worker without a setup."""
        return self._spare.pop() if self._spare else self._add()

    def end(self, handle: Handle) -> None:
        """End a worker at once, unless it is ended already."""
        if handle in self._handles:
            self._handles.remove(handle)
            handle.kill()

    def receive(self, seconds: float = 0.0) -> tuple[Handle, Report] | None:
        """The next report with its worker, if one comes in time."""
        try:
            return self._reports.get(timeout=seconds) if seconds > 0 else self._reports.get_nowait()
        except Empty:
            return None

    def _add(self) -> Handle:
        handle = self._start(lambda worker, report: self._reports.put((worker, report)))
        self._handles.append(handle)
        return handle
