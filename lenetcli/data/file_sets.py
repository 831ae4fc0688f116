"""Which files belong together, by their names and folders alone."""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from lenetcli.data.readers import NAMES

# MNIST's names; those of EMNIST and QMNIST, before which stands the name of the set; QMNIST's labels. Before
# what macOS writes beside files stands "._".
_PATTERN: Final = re.compile(
    r"(?!\._)(?:(?P<prefix>.+)-)?(?P<split>train|t10k|test)-(?P<kind>images|labels)"
    r"[-.](?P<form>idx3-ubyte|idx1-ubyte|idx2-int)(?:\.gz)?",
    re.IGNORECASE,
)

OTHER_FORM: Final = "idx2-int"
"""The end of the names of QMNIST's labels, which are not in MNIST's form."""


class FileSet(NamedTuple):
    """Files that belong together: those with one prefix in one folder, by part, the preferred one first."""

    folder: str
    prefix: str
    paths: dict[str, list[str]]

    @property
    def is_whole(self) -> bool:
        """Whether it has images and labels to train on."""
        return all(name in self.paths for name in NAMES[:2])

    @property
    def is_own(self) -> bool:
        """Whether it has MNIST's names and lies at the top."""
        return not self.folder and not self.prefix

    @property
    def missing(self) -> list[str]:
        """The names of the files that it lacks; a test set need not be there."""
        needed = NAMES if self.paths.keys() & set(NAMES[2:]) else NAMES[:2]
        return [f"{self.prefix}-{name}" if self.prefix else name for name in needed if name not in self.paths]


def belongs(name: str) -> bool:
    """Whether a file of this name belongs to a data set."""
    return "idx" in name.lower() and _PATTERN.fullmatch(name) is not None  # a quick question first


def group(paths: Iterable[str]) -> list[FileSet]:
    """The sets that files at these paths form, with ``/`` between folders, those nearest to the top first.

    Kaggle has each file in a folder of the same name; such folders do not count.
    """
    sets: dict[tuple[str, str], FileSet] = {}
    for path in sorted(paths, key=_rank):
        folder, _, name = path.rpartition("/")
        match = _PATTERN.fullmatch(name)
        if not match:
            continue
        outer, _, last = folder.rpartition("/")
        folder, prefix = (outer if belongs(last) else folder), match["prefix"] or ""
        split = "train" if match["split"].lower() == "train" else "t10k"
        form = "idx3-ubyte" if match["kind"].lower() == "images" else "idx1-ubyte"
        part = f"{split}-{match['kind'].lower()}-{form}"
        found = sets.setdefault((folder, prefix), FileSet(folder, prefix, {}))
        found.paths.setdefault(part, []).append(path)
    return sorted(sets.values(), key=lambda one: (one.folder.count("/") if one.folder else -1, one[:2]))


def _rank(path: str) -> tuple[int, bool, bool, bool, str]:
    """The place of a path among those of one part: first what is not packed and has the usual name."""
    name = path.rpartition("/")[2].lower()
    return path.count("/"), OTHER_FORM in name, ".idx" in name, name.endswith(".gz"), path
