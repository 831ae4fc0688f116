"""What the training loop and those who record its epochs say to each other; no TensorFlow.

``training.Trainer`` is the real one; anything that keeps this contract can stand in for it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from lenetcli.runs import Config, Epoch
from lenetcli.weights import Packed


class Stopped(Exception):  # noqa: N818 -- not an error: somebody asked
    """Training was asked to stop; what was finished has been handed over."""


class Diverged(Exception):  # noqa: N818 -- a result
    """The loss or a weight is not finite any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """News from inside an epoch: images trained of it, and their mean loss so far."""

    epoch: int
    images: int
    total: int
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """One finished epoch: its point of the curve, what the next one starts from, and what it cost.

    ``predictions`` are the predicted class of every validation image, one byte each.
    ``train_seconds`` is the difference of ``time.time()`` around the training part, ended by a
    synchronisation with the device.
    """

    epoch: Epoch
    weights: Packed
    predictions: bytes
    train_seconds: float
    eval_seconds: float
    contended: bool = False
    clock_set: bool = False


class Trainer(Protocol):
    """Trains runs on one data set and one device."""

    def prepare(self, config: Config) -> tuple[float, float]:
        """Get ready for a configuration: seconds of tracing and of warming up."""

    def train(
        self,
        config: Config,
        packed: Packed | None,
        epochs: range,
        on_progress: Callable[[Progress], None],
        should_stop: Callable[[], bool],
    ) -> Iterator[Trained]:
        """Train ``epochs``, from the stored weights or the seed's; raises ``Stopped`` and ``Diverged``."""

    def test(self, config: Config, packed: Packed) -> float | None:
        """The test accuracy of stored weights."""
