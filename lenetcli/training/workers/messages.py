"""The messages between a driver, the process that records, and a worker, which trains for it.

A worker gets a ``Setup``, then any number of ``Task``, one after the other, and answers with reports. Before
its first epoch and after each one it waits for ``GoOn``, so that nothing is trained beyond what could be
recorded. All messages can be pickled, since the two may be in different processes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lenetcli.data.sources import Arrays, DataSource
from lenetcli.errors import LenetError
from lenetcli.experiment.checkpoint import Checkpoint
from lenetcli.experiment.config import Config
from lenetcli.experiment.datasets import Summary
from lenetcli.experiment.run import RunState, Trained, Worker
from lenetcli.machine.devices import Device
from lenetcli.training.events import Loading, Progressed, Trainer

MakeTrainer = Callable[[Arrays, Device, int], Trainer]
"""Creates a trainer from data, device and number of threads."""

LoadEngine = Callable[[], MakeTrainer]
"""Loads what training needs, which takes seconds; in another process it is imported by its name."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker is to train with.

    ``memory_bytes`` is an estimate of what its largest run needs. ``arrays`` has the data if it is loaded
    already.
    """

    source: DataSource
    device: Device
    threads: int
    memory_bytes: int = 0
    arrays: Arrays | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A run to train: its missing ``epochs``, from a checkpoint on; without any, its test accuracy is wanted.

    ``number`` distinguishes the tasks of a driver.
    """

    number: int
    config: Config
    checkpoint: Checkpoint | None
    epochs: range


@dataclass(frozen=True, slots=True)
class GoOn:
    """What was reported last, the preparation or an epoch, is recorded."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """The task with a number is to be stopped; the epoch in hand is lost."""

    number: int


Order = Setup | Task | GoOn | Cancel


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a store keeps of a data set: its hash, its validation labels, one byte each, and its summary."""

    sha256: str
    validation_labels: bytes
    summary: Summary


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has loaded everything and waits for tasks."""

    worker: Worker
    dataset: Dataset


@dataclass(frozen=True, slots=True)
class Prepared:
    """The network of a task is traced and warmed up, which took so many seconds."""

    trace_seconds: float
    warmup_seconds: float


@dataclass(frozen=True, slots=True)
class Tested:
    """The test accuracy of the checkpoint of a task; None without a test set."""

    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a task: completed, diverged, or interrupted because it was cancelled."""

    outcome: RunState


@dataclass(frozen=True, slots=True)
class Failed:
    """The end of a task, or of the loading, by an exception: ``note`` says which.

    ``error`` is the exception if it is one of this program.
    """

    note: str
    error: LenetError | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """The end of a worker that was not asked to end: its exit code, and the last lines that it wrote.

    The code is negative if a signal of that number ended it, and None if it is not known. Of a worker on a
    cluster the last words are those of Ray; ``machine`` is the name of its machine, empty without one, which
    ``is_lost`` with it or not.
    """

    code: int | None
    last_words: str
    machine: str = ""
    is_lost: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A machine that cannot be used, and why; the worker lives on another one."""

    machine: str
    reason: str


Report = Loading | Ready | Prepared | Progressed | Trained | Tested | Finished | Failed | Gone | Refused


WAITING = Loading("Waiting for room on the cluster")
"""The report of a worker that has no machine yet."""


class Handle(Protocol):
    """A worker as its driver sees it."""

    def send(self, order: Order) -> None:
        """Send an order; to a worker that is gone, it is lost."""

    def kill(self) -> None:
        """End the worker at once; the epoch in hand is lost."""


Deliver = Callable[[Handle, Report], None]
"""Receives the reports of a worker; it may be called in any thread."""

StartWorker = Callable[[Deliver], Handle]
"""Starts a worker, which begins to load at once."""
