"""The events of training and the contract of a trainer, without TensorFlow.

Events name their run by its key, since several runs may be in training at once, and can be pickled, since
these may be in other processes. ``engine.loop.Trainer`` is the trainer of the product; tests use a fake that
satisfies the same contract.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from lenetcli.experiment.checkpoint import Checkpoint
from lenetcli.experiment.config import Config
from lenetcli.experiment.run import CurvePoint, RunState, Trained


class Stopped(Exception):  # noqa: N818 -- a request, not an error
    """Training was asked to stop; every finished epoch has been yielded."""


class Diverged(Exception):  # noqa: N818 -- a result, not an error
    """The loss or a weight is not finite."""


class Fate(StrEnum):
    """What a command did with a cell.

    ``KEPT``: nothing, it was done. ``TRAINED`` and ``CONTINUED``: trained here from the first epoch, or from
    a checkpoint. ``MEASURED``: trained again for its timings. ``ELSEWHERE``: finished by another process
    meanwhile. ``LEFT``: not done, because of a stop or in the hands of another process. ``FAILED``: ended by
    an error. ``LOST``: finished, and not in the store at the end, which somebody has changed meanwhile.
    """

    KEPT = "kept"
    TRAINED = "trained"
    CONTINUED = "continued"
    MEASURED = "measured again"
    ELSEWHERE = "trained elsewhere"
    LEFT = "left"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Noted:
    """A message for the user."""

    text: str


@dataclass(frozen=True, slots=True)
class Loading:
    """A slow step without progress of its own begins."""

    what: str


@dataclass(frozen=True, slots=True)
class Held:
    """A run is in the hands of another process on ``host``; this is repeated while it is waited for.

    ``seen_at`` is its last sign of life, by the clock of that host; None if the process table says that it is
    alive. ``left`` is the number of seconds after which the run is taken over unless there is another sign of
    life; None if that process is known to be alive, or the run is not waited for.
    """

    key: str
    host: str
    seen_at: datetime | None
    left: float | None


@dataclass(frozen=True, slots=True)
class Began:
    """The training of a run begins: its epochs ``first`` to ``last``."""

    key: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Lasting:
    """A step of a run that has no progress of its own lasts for seconds: ``what`` it is."""

    key: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """The progress within an epoch: the images trained so far, and the mean of their losses."""

    key: str
    epoch: int
    images: int
    total: int
    loss: float


@dataclass(frozen=True, slots=True)
class Stored:
    """An epoch is stored; ``seconds`` is its training time."""

    key: str
    point: CurvePoint
    seconds: float


@dataclass(frozen=True, slots=True)
class Ended:
    """The work on a run is over; if it is ``Fate.LEFT``, it may begin again."""

    key: str
    state: RunState
    fate: Fate


Event = Noted | Loading | Held | Began | Lasting | Progressed | Stored | Ended


class Trainer(Protocol):
    """Trains runs on one data set and one device."""

    def prepare(self, config: Config) -> tuple[float, float]:
        """Trace and warm up the network of a configuration; returns the seconds that each took."""

    def train(
        self,
        config: Config,
        checkpoint: Checkpoint | None,
        epochs: range,
        on_progress: Callable[[Progressed], None],
        should_stop: Callable[[], bool],
    ) -> Iterator[Trained]:
        """Train the epochs of a prepared configuration and yield each when it is finished.

        Args:
            config: the configuration given to ``prepare``.
            checkpoint: the state after epoch ``epochs[0] - 1``; None for the initial weights.
            epochs: from the first epoch to train to the end of the request, after which the test accuracy is
                measured. Epochs count from 1.
            on_progress: called at least once per epoch.
            should_stop: called at least once per epoch, and often enough for a stop to be prompt.

        Raises:
            Stopped: after ``should_stop`` has returned True; the current epoch is lost.
            Diverged: when the loss or a weight is not finite.
            StoreError: if the checkpoint is damaged or does not fit the configuration.
        """

    def test(self, config: Config, checkpoint: Checkpoint) -> float | None:
        """The test accuracy of a checkpoint of a prepared configuration; None without a test set."""
