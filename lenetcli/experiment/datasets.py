"""What data sets are called: published ones are known by their hash, all others have a label and a hash."""

from collections import Counter
from collections.abc import Iterable

from lenetcli.words import count_digits

MNIST = "a76fded12c0fba3cb98bdc4489ca6db72d95aa3ccfc5a25e51fc54334a367293"
SYNTHETIC = "976ae409d295e91f92810c8ca619511a4aa3789412d296cb9897e91889083898"
NAMES = {MNIST: "MNIST", SYNTHETIC: "synthetic digits"}
"""The names of the data sets that are known by their hash."""


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
