"""Faults of data sets that accuracies suffer from: classes in order or missing, pixels without contrast."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lenetcli.experiment.datasets import Pixels, Summary, name_classes
from lenetcli.words import join_words

MOSTLY = 0.8
"""The share from which on images are nearly all of one class."""

IN_ORDER = 0.5
"""How far the share of images that repeat the class of the one before lies between chance (0) and 1."""

MENDS = "This puts them in random order:"
"""The words before the command that mends the order."""

CONTRAST = 32
"""The least difference between the darkest and the brightest of 256 grey levels that gives some contrast."""

MANY = 50
"""So many images of a class are never all in one part by chance."""

PARTS = {"train": "training", "validation": "validation", "test": "test"}
"""The words for the parts of a data set."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a data set in a sentence or two, and whether random order mends it.

    ``numbers`` are those behind it, by name.
    """

    text: str
    numbers: Mapping[str, float]
    is_of_order: bool = False


def find_faults(summary: Summary, label: str) -> list[Fault]:
    """The faults of a data set, whose label says what its classes are called."""
    return [*_find_class_faults(summary, name_classes(label)), *_find_pixel_faults(summary)]


def write_faults(summary: Summary, label: str, path: str | None) -> list[str]:
    """Sentences on the faults of a data set at a path, and what mends them."""
    faults = find_faults(summary, label)
    return [f"{one.text} {MENDS} {write_shuffle(path)}" if one.is_of_order else one.text for one in faults]


def write_shuffle(path: str | None) -> str:
    """The command that puts the images of the data at a path in random order."""
    return shlex.join(["lenetcli", "data", *(["--data", path] if path else []), "--shuffle", "shuffled.npz"])


def _find_class_faults(summary: Summary, classes: Sequence[str]) -> Iterator[Fault]:
    parts = {name: getattr(summary, name) for name in PARTS if sum(getattr(summary, name))}
    totals = [sum(counts) for counts in zip(*parts.values(), strict=True)]
    numbers = {f"{part} {one}": count for part, counts in parts.items() for one, count in enumerate(counts)}
    nowhere = [one for one, count in enumerate(totals) if not count and "train" in parts]
    uneven = [
        words for name, counts in parts.items() for words in _name_uneven(name, counts, nowhere, classes)
    ]
    if _is_in_order(summary):
        numbers["repeats"] = summary.repeats
        order = "The training images are sorted by class, and the last sixth of them validates."
        yield Fault(" ".join([order, *uneven]), numbers, is_of_order=True)
    elif uneven:
        yield Fault(" ".join(uneven), numbers, is_of_order=_would_be_mended(summary))
    if nowhere:
        yield Fault(f"There is no image of {_name(nowhere, classes)}.", numbers)


def _is_in_order(summary: Summary) -> bool:
    """Whether the images before the split lie in stretches of one class."""
    counts = [sum(pair) for pair in zip(summary.train, summary.validation, strict=False)]
    images = sum(counts)
    if images < 2:
        return False
    chance = sum((count / images) ** 2 for count in counts)
    return summary.repeats / (images - 1) - chance > IN_ORDER * (1 - chance)


def _would_be_mended(summary: Summary) -> bool:
    """Whether training and validation images differ more in their classes than random order would leave."""
    pairs = [pair for pair in zip(summary.train, summary.validation, strict=False) if sum(pair) >= MANY]
    train, validation = sum(summary.train), sum(summary.validation)
    return any(
        abs(mine / train - others / validation) > (mine + others) / (train + validation) / 2
        for mine, others in pairs
    )


def _name_uneven(
    part: str, counts: Sequence[int], nowhere: Sequence[int], classes: Sequence[str]
) -> Iterator[str]:
    """Yield sentences on the classes that a part lacks, or nearly all of whose images are of one class."""
    images = f"{PARTS[part]} images"
    present = [one for one, count in enumerate(counts) if count]
    missing = [one for one, count in enumerate(counts) if not count and one not in nowhere]
    most = max(present, key=counts.__getitem__)
    share = counts[most] / sum(counts)
    if len(present) == 1:
        yield f"All {images} are of {_name(present, classes)}."
    elif missing and len(present) <= len(missing):
        yield f"The {images} are of {_name(present, classes)} alone."
    elif missing:
        yield f"None of the {images} is of {_name(missing, classes)}."
    if len(present) > 1 and share >= MOSTLY:
        yield f"{100 * share:.3g}% of the {images} are of {_name([most], classes)}."


def _name(these: Sequence[int], classes: Sequence[str]) -> str:
    names = [classes[one] for one in these]
    return f"class {names[0]}" if len(names) == 1 else f"the classes {join_words(names)}"


def _find_pixel_faults(summary: Summary) -> Iterator[Fault]:
    are_alike = len({_describe_pixels(pixels, "") for pixels in summary.pixels}) == 1
    nouns = ["images"] if are_alike else ["training images", "test images"]
    for images, pixels in zip(nouns, summary.pixels, strict=False):
        if text := _describe_pixels(pixels, images):
            yield Fault(text, {"darkest": pixels.darkest, "brightest": pixels.brightest})


def _describe_pixels(pixels: Pixels, images: str) -> str:
    """Sentences on images, under this name, that have no contrast; empty if they have."""
    low, high = pixels.darkest, pixels.brightest
    if pixels.is_uniform:
        return f"All {images} are the same."
    if high <= 1:
        return (
            f"The pixels of the {images} are 0 and 1, and training divides them by 255: the images are "
            "almost black. Multiply them by 255; or, if they were scaled and became whole numbers again, "
            "give the original ones."
        )
    if high - low < CONTRAST:
        return (
            f"The pixels of the {images} lie between {low} and {high} of 255: the images have hardly any "
            "contrast. Give images that use all grey levels."
        )
    return ""
