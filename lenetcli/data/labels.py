"""Labels: their values as integers of any width, and what is said of those that cannot be used."""

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from lenetcli.data import conversions
from lenetcli.data.refusals import RefusedError
from lenetcli.experiment.architecture import CLASSES
from lenetcli.words import join_words

if TYPE_CHECKING:
    import numpy as np

USABLE: Final = frozenset(range(CLASSES))

MOST: Final = 1000
"""The number of different labels from which on they are not all looked for."""

_NAMED: Final = 12  # labels and ranges of them in a sentence

_KNOWN: Final = {
    frozenset(range(1, 27)): "EMNIST letters",
    frozenset(range(47)): "EMNIST balanced and bymerge",
    frozenset(range(62)): "EMNIST byclass",
}
"""Published sets of other labels."""


def decode(block: bytes, dtype: "np.dtype[Any] | None") -> tuple[set[int], bytes]:
    """The different labels in a block of integers, bytes if ``dtype`` is None, and a byte for each label."""
    if dtype is None:
        return set(block), block
    import numpy as np

    labels = np.frombuffer(block, dtype)
    return set(np.unique(labels).tolist()), labels.astype(np.uint8).tobytes()


def refuse(found: set[int]) -> RefusedError:
    """The error for labels some of which cannot be used; it names all of them."""
    words = f"has labels outside 0 to {CLASSES - 1}: they are {_name(found)}"
    if known := _KNOWN.get(frozenset(found)):
        words += f", as in {known}"
    if len(found) <= CLASSES:
        return RefusedError(words, conversions.renumber_labels(found))
    return RefusedError(
        words, f"Only {CLASSES} classes are supported: keep the images of {CLASSES}, numbered from 0 on."
    )


def _name(labels: set[int]) -> str:
    """Labels in words: ``1 to 26``, ``0, 3 and 7 to 12``."""
    if len(labels) > MOST:
        return f"more than {MOST:,} different ones"
    words: list[str] = []
    for _, pairs in groupby(enumerate(sorted(labels)), lambda pair: pair[1] - pair[0]):
        run = [str(label) for _, label in pairs]
        words += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else run
    return join_words([*words[:_NAMED], "others"] if len(words) > _NAMED + 1 else words)
