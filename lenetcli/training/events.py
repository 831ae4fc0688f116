"""The contracts between the trainer, the runner and the display, without TensorFlow.

``engine.loop.Trainer`` is the trainer of the product; tests use a fake that satisfies the same contract.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from lenetcli.experiment.checkpoint import Checkpoint
from lenetcli.experiment.config import Config
from lenetcli.experiment.run import CurvePoint, RunState, Trained
from lenetcli.experiment.sweep import Cell


class Stopped(Exception):  # noqa: N818 -- a request, not an error
    """Training was asked to stop; every finished epoch has been yielded."""


class Diverged(Exception):  # noqa: N818 -- a result, not an error
    """The loss or a weight is not finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """The progress within an epoch: the images trained so far, and the mean of their losses."""

    epoch: int
    images: int
    total: int
    loss: float


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


class Fate(StrEnum):
    """What a command did with a cell.

    ``KEPT``: nothing, it was done. ``TRAINED`` and ``CONTINUED``: trained here from the first epoch, or from
    a checkpoint. ``MEASURED``: trained again for its timings. ``ELSEWHERE``: finished by another process
    meanwhile. ``LEFT``: not done, because of a stop or in the hands of another process. ``FAILED``: ended by
    an error.
    """

    KEPT = "kept"
    TRAINED = "trained"
    CONTINUED = "continued"
    MEASURED = "measured again"
    ELSEWHERE = "trained elsewhere"
    LEFT = "left"
    FAILED = "failed"


class Observer(Protocol):
    """Receives the events of a runner."""

    def note(self, text: str) -> None:
        """A message for the user."""

    def loading(self, what: str) -> None:
        """A slow step without progress of its own begins."""

    def began(self, cell: Cell, first: int, last: int) -> None:
        """The training of a cell begins: its epochs ``first`` to ``last``."""

    def progressed(self, progress: Progressed) -> None:
        """Progress within an epoch of that cell."""

    def finished_epoch(self, point: CurvePoint, seconds: float) -> None:
        """An epoch of that cell is stored; ``seconds`` is its training time."""

    def ended(self, cell: Cell, state: RunState, fate: Fate) -> None:
        """The work on a cell is over."""
