"""What the values of a part of a data set look like, collected while it is read block by block.

Without NumPy: ``bytes.translate`` and ``bytes.count`` are as fast, and a command that only asks for the
identity of the data need not import it.
"""

from collections.abc import Mapping, Sequence
from operator import eq
from typing import Any, Final

from lenetcli.data.readers import NAMES, Part
from lenetcli.experiment.architecture import IMAGE_SIDE
from lenetcli.experiment.datasets import Pixels, Summary, count_classes

VALIDATION_SHARE: Final = 6
"""The last sixth of the training images validates."""

_IMAGE_BYTES: Final = IMAGE_SIDE**2

Values = list[Any]
"""What is known of the values of a part, as JSON can have it.

Of images it is a ``Pixels``; of labels the counts of each class before and behind the split, and how many
labels repeat the one before them.
"""


class PixelValues:
    """The values of images."""

    def __init__(self) -> None:
        self._values = b""
        self._first = b""
        self._length = 0
        self._is_uniform = True

    def add(self, block: bytes) -> None:
        """Take the next block of values."""
        while new := block.translate(None, self._values):
            self._values += new[:1]
        self._first += block[: max(0, _IMAGE_BYTES - len(self._first))]
        if self._is_uniform and len(self._first) == _IMAGE_BYTES:
            phase = self._length % _IMAGE_BYTES
            copies = self._first * ((phase + len(block)) // _IMAGE_BYTES + 1)
            self._is_uniform = copies[phase : phase + len(block)] == block
        self._length += len(block)

    def summarize(self) -> Values:
        """What is known of the values by now."""
        return [min(self._values, default=0), max(self._values, default=0), self._is_uniform]


class LabelValues:
    """The values of labels."""

    def __init__(self) -> None:
        self._labels: list[bytes] = []

    def add(self, block: bytes) -> None:
        """Take the next block of values."""
        self._labels.append(block)

    def summarize(self) -> Values:
        """What is known of the values by now."""
        labels = b"".join(self._labels)
        split = len(labels) - len(labels) // VALIDATION_SHARE
        counts = [list(count_classes(piece)) for piece in (labels[:split], labels[split:])]
        return [*counts, sum(map(eq, labels, labels[1:]))]


def observe(part: Part) -> PixelValues | LabelValues:
    """The collector for the values of a part."""
    return PixelValues() if part.has_images else LabelValues()


def summarize(values: Mapping[str, Values]) -> Summary:
    """The summary of a data set, of what is known of its parts by their names."""
    train, validation, repeats = values[NAMES[1]]
    test: Sequence[int] = ()
    if NAMES[3] in values:
        test = [sum(pair) for pair in zip(*values[NAMES[3]][:2], strict=True)]
    return Summary(
        train=tuple(train),
        validation=tuple(validation),
        test=tuple(test),
        repeats=repeats,
        pixels=tuple(Pixels(*values[name]) for name in NAMES[::2] if name in values),
    )
