"""What is known of data sets: their names, the names of their classes, how many images they have of which."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

from lenetcli.experiment.architecture import CLASSES
from lenetcli.words import count_digits, plural

MNIST = "a76fded12c0fba3cb98bdc4489ca6db72d95aa3ccfc5a25e51fc54334a367293"
SYNTHETIC = "976ae409d295e91f92810c8ca619511a4aa3789412d296cb9897e91889083898"
FASHION = "f002eaac791477a0ed6cd2adbadf55c3ebe546c4b3ab159201dbc9e0e5b69e1a"
NAMES = {MNIST: "MNIST", SYNTHETIC: "synthetic digits", FASHION: "Fashion-MNIST"}
"""The names of the data sets that are known by their hash."""

DIGITS = tuple(map(str, range(CLASSES)))
"""The names of the classes of digits."""

CLASS_NAMES = {
    "fashion-mnist": (
        *("T-shirt/top", "trouser", "pullover", "dress", "coat"),
        *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
    ),
    "kmnist": ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
}
"""The names of the classes of published data sets that are no digits, by label."""


class Counts(NamedTuple):
    """How many images of a data set train, validate and test."""

    train: int
    validation: int
    test: int

    def describe(self, batch_sizes: Iterable[int]) -> str:
        """The numbers of images, and of the steps of an epoch in batches of these sizes."""
        return f"{self}; {self.describe_steps(batch_sizes)}"

    def describe_steps(self, batch_sizes: Iterable[int]) -> str:
        """The numbers of the steps of an epoch, of which the last may have fewer images."""
        steps = sorted({-(-self.train // size) for size in batch_sizes})
        words = plural(steps[0], "step") if len(steps) == 1 else f"{steps[0]:,} to {steps[-1]:,} steps"
        return f"{words} an epoch"

    def __str__(self) -> str:
        if not self.test:
            return f"{self.train:,} training and {self.validation:,} validation images, none to test"
        return (
            f"{self.train:,} training, {self.validation:,} validation and {plural(self.test, 'test image')}"
        )


def add_images(setting: str, images: Iterable[Counts | None]) -> str:
    """What runs have in common, for a title, with the number that train if all have the same."""
    counts = set(images)
    common = counts.pop() if len(counts) == 1 else None
    return setting if common is None else f"{setting}, {plural(common.train, 'image')}"


class Pixels(NamedTuple):
    """The darkest and the brightest value of the pixels of all images, and whether these are all the same."""

    darkest: int
    brightest: int
    is_uniform: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is known of the images of a data set besides their number.

    ``train``, ``validation`` and ``test`` have the number of images of each class; the last is empty without
    test images. ``repeats`` counts the images before the split with the label of the one before them.
    ``pixels`` are those of the images before the split, and of the test images if there are any. What a store
    of an earlier version does not have is empty.
    """

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]
    repeats: int
    pixels: tuple[Pixels, ...]

    @property
    def counts(self) -> Counts:
        """The numbers of images."""
        return Counts(sum(self.train), sum(self.validation), sum(self.test))

    def to_mapping(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """The summary with these fields; see ``to_mapping``.

        Raises:
            KeyError, TypeError, ValueError: if it is none.
        """
        classes = {name: _read_classes(values[name]) for name in ("train", "validation", "test")}
        pixels = tuple(Pixels(int(low), int(high), bool(same)) for low, high, same in values["pixels"])
        return cls(**classes, repeats=int(values["repeats"]), pixels=pixels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A data set as a store knows it."""

    counts: Counts
    summary: Summary


def count_classes(labels: bytes) -> tuple[int, ...]:
    """The number of labels, one byte each, of each class."""
    return tuple(labels.count(label) for label in range(CLASSES))


def _read_classes(counts: Sequence[int]) -> tuple[int, ...]:
    if len(counts) not in (0, CLASSES):
        raise ValueError(f"{len(counts)} classes")
    return tuple(map(int, counts))


def name_datasets(labels: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The names of data sets that are shown together, by their hashes, of pairs of a hash and a label.

    A label says nothing about the data: it is the name of a folder or a file. If another data set has it as
    well, or it could be taken for the name of a known one, the first digits of the hash follow it.
    """
    names: dict[str, str] = {}
    for data, label in labels:
        names.setdefault(data, NAMES.get(data, label))
    counts = Counter(name.casefold() for name in [*names.values(), *NAMES.values(), "synthetic"])
    digits = count_digits(names)
    return {
        data: name if data in NAMES or counts[name.casefold()] == 1 else f"{name} ({data[:digits]})"
        for data, name in names.items()
    }


def name_classes(label: str) -> tuple[str, ...]:
    """The names of the classes of a data set with a label: ``8``, ``8 (bag)``."""
    names = CLASS_NAMES.get(label)
    return DIGITS if names is None else tuple(f"{digit} ({name})" for digit, name in enumerate(names))
