"""The validation images: which of them a run classifies correctly, and what guessing reaches on them."""

from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from lenetcli.analysis.inference import proportion_interval
from lenetcli.experiment.run import Run

if TYPE_CHECKING:
    import numpy


class Predictions(Protocol):
    """The source of predictions and labels for comparisons image by image; a store is one."""

    def predictions(self, key: str, epoch: int) -> bytes | None:
        """The predicted class of each validation image after an epoch, a byte per image; None if unknown."""

    def validation_labels(self, data: str) -> bytes | None:
        """The class of each validation image of a data set, a byte per image; None if unknown."""


class ValidationImages:
    """The validation images of a data set, of which nothing is known if the labels are missing."""

    def __init__(self, evidence: Predictions, data: str) -> None:
        self._evidence = evidence
        self._labels = evidence.validation_labels(data) or b""
        # A ranking of many values compares each run several times: a bit per image.
        self._correct: dict[tuple[str, int], numpy.ndarray | None] = {}

    @property
    def count(self) -> int:
        """The number of images; 0 if unknown."""
        return len(self._labels)

    @cached_property
    def guessing(self) -> float | None:
        """The accuracy of naming the most frequent class for every image; None if unknown."""
        counts = [self._labels.count(label) for label in set(self._labels)]
        return max(counts) / self.count if counts else None

    def exceeds_guessing(self, accuracy: float, level: float) -> bool:
        """Whether the interval of an accuracy lies above what guessing reaches; True if that is unknown."""
        if self.guessing is None:
            return True
        low, _ = proportion_interval(round(accuracy * self.count), self.count, level)
        return low > self.guessing

    def find_correct(self, run: Run, epoch: int) -> "numpy.ndarray | None":
        """Whether each image is classified correctly after an epoch: booleans, one per image.

        None if the predictions or the labels are missing, or contradict the accuracy of the curve.
        """
        import numpy as np

        key = run.key, epoch
        if key not in self._correct:
            correct = self._compare(run, epoch)
            self._correct[key] = None if correct is None else np.packbits(correct)
        packed = self._correct[key]
        return None if packed is None else np.unpackbits(packed, count=self.count).view(bool)

    def _compare(self, run: Run, epoch: int) -> "numpy.ndarray | None":
        """What ``find_correct`` returns, from the predictions and the labels."""
        import numpy as np

        predictions = self._evidence.predictions(run.key, epoch)
        if not self._labels or predictions is None or len(predictions) != self.count:
            return None
        correct = np.frombuffer(predictions, np.uint8) == np.frombuffer(self._labels, np.uint8)
        # One image more or less changes the accuracy by 1 / count; less than that is rounding.
        deviation = abs(float(correct.mean()) - run.curve[epoch - 1].val_accuracy)
        return correct if deviation < 0.6 / self.count else None
