"""A claimed run in the hands of a worker: what the worker reports is recorded and told."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from lenetcli.errors import StoreError
from lenetcli.experiment.config import Config
from lenetcli.experiment.run import RunState, Trained
from lenetcli.store.claims import Claim, record_epochs
from lenetcli.training import events
from lenetcli.training.events import Event, Fate, Stopped
from lenetcli.training.heartbeats import Heart
from lenetcli.training.workers.messages import Prepared, Task, Tested

BUILDING = "building the network, warming up"
"""What a worker does with a run before its first epoch."""

LASTING_SECONDS = 3.0
"""After how long a step without progress is told of."""


class Work:
    """The work on a claimed run up to a number of epochs.

    Attributes:
        config: the configuration of the run.
        task: what its worker is to do.
        epoch: the epoch in hand; beyond the last one if only the test accuracy is missing.
        is_complete: whether all that was to be done is recorded.
    """

    def __init__(self, number: int, config: Config, claim: Claim, emit: Callable[[Event], None]) -> None:
        epochs = range(claim.epochs + 1, claim.target + 1)
        self.config = config
        self.task = Task(number=number, config=config, checkpoint=claim.checkpoint, epochs=epochs)
        self.epoch = epochs.start
        self.is_complete = False
        self._claim, self._emit, self._key = claim, emit, config.key
        self._claim.checkpoint = None  # the worker has it
        self._heart = Heart(claim.beat)
        self._epoch_began = time.monotonic()
        self._step, self._step_began = BUILDING, self._epoch_began

    @property
    def is_measurement(self) -> bool:
        """Whether the run is finished, and trained again for its timings alone."""
        return self._claim.remeasure

    @property
    def has_epochs_left(self) -> bool:
        """Whether an epoch is to be trained yet."""
        return self.epoch <= self._claim.target

    def tell(self) -> None:
        """Tell that the work begins."""
        claim = self._claim
        if claim.note and not claim.remeasure:
            self._emit(events.Noted(f"{claim.note[0].upper()}{claim.note[1:]}."))
        self._emit(events.Began(self.config.key, min(self.epoch, claim.target), claim.target))

    def beat(self) -> None:
        """Give a sign of life if one is due; raises as ``Heart.beat_if_due`` does.

        What the worker does without any progress is told of once it lasts.
        """
        self._heart.beat_if_due()
        if self._step and time.monotonic() - self._step_began >= LASTING_SECONDS:
            self._emit(events.Lasting(self._key, self._step))
            self._step = ""

    def progress(self) -> None:
        """Note that the worker makes progress, which shows what it does."""
        self._step = ""

    def record(self, report: Prepared | Trained | Tested) -> None:
        """Record what the worker has done."""
        match report:
            case Prepared():
                self._claim.record_setup(report.trace_seconds, report.warmup_seconds)
                self._epoch_began = self._step_began = time.monotonic()
                self._step = f"first batches of epoch {self.epoch}" if self.task.epochs else ""
            case Trained():
                self._claim.record(report)
                self._proceed(report)
            case Tested():
                self._claim.test(report.accuracy)
                self.is_complete = True

    def _proceed(self, trained: Trained) -> None:
        """Go on to the next epoch, and tell that one is recorded, which is a sign of life, too."""
        self._heart.postpone()
        self.progress()
        self.epoch = trained.point.epoch + 1
        self.is_complete = not self.has_epochs_left
        self._emit(events.Stored(self._key, trained.point, trained.timing.train_seconds))

    def measure_epoch(self) -> float:
        """The seconds since the epoch in hand began; the next one begins now."""
        begun, self._epoch_began = self._epoch_began, time.monotonic()
        return self._epoch_began - begun

    def finish(self, outcome: RunState) -> Fate:
        """The fate of a run whose work came to its end, which is recorded if the run diverged."""
        if outcome is RunState.DIVERGED:
            self._claim.end(outcome)
        if self._claim.remeasure:
            return Fate.MEASURED
        return Fate.CONTINUED if self._claim.epochs else Fate.TRAINED

    def find_difference(self) -> tuple[str, bool] | None:
        """How the bits of a run that was measured again differ from those stored, and whether they may.

        None if they are the same.
        """
        if self._claim.difference is None:
            return None
        reason = f" ({self._claim.note})" if self._claim.note else ""
        return f"{self._claim.difference}{reason}", bool(self._claim.note)

    def give_up(self, outcome: RunState, note: str | None = None, *, patience: float | None = None) -> None:
        """Record that the work ends here, if that can be recorded."""
        # If it cannot be, the run is seen as interrupted later, since this process is gone.
        with suppress(StoreError, Stopped):
            self._claim.end(outcome, note, patience=patience)


def record_together(epochs: Sequence[tuple[Work, Trained]]) -> bool:
    """Record the epochs that several workers have reported in one transaction; returns whether they are.

    If the store refuses one of them, none is recorded: each by itself then tells which it is, and why.

    Raises:
        Stopped: if a stop is requested while another program holds the lock; none is recorded.
    """
    try:
        record_epochs([(work._claim, trained) for work, trained in epochs])
    except StoreError:
        return False
    for work, trained in epochs:
        work._proceed(trained)
    return True
