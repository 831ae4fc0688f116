"""What a folder holds, seen in bounded time, and how errors tell it."""

import difflib
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lenetcli.data import file_sets
from lenetcli.errors import DataError, describe_error
from lenetcli.words import join_words

DEPTH: Final = 2
"""How many levels below a folder files are searched for: torchvision has ``MNIST/raw`` in its folder."""

MOST_ENTRIES: Final = 50_000
"""The number of files and folders after which a search below a folder ends."""

_MOST_FOLDERS: Final = 500
_SHOWN: Final = 5  # names in a sentence
_KEPT: Final = 1000  # names from which those are chosen


@dataclass(slots=True)
class Listing:
    """A folder: names at its top, how many there are, and the paths in it of files that may be data."""

    names: list[str] = field(default_factory=list)
    count: int = 0
    paths: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return tell(self.names, self.count)


def scan(folder: Path, depth: int = DEPTH) -> Listing:
    """What is in a folder, and ``depth`` levels below it; hidden folders are left out.

    Raises:
        DataError: if the folder cannot be read; those below it are skipped then.
    """
    listing = Listing()
    queue, seen = deque([("", 0)]), 0
    while queue and seen <= MOST_ENTRIES:
        path, level = queue.popleft()
        folders: list[str] = []
        try:
            with os.scandir(folder / path) as entries:
                for entry in entries:
                    seen += 1
                    if level and seen > MOST_ENTRIES:
                        break
                    is_folder = _is_folder(entry)
                    if not level:
                        listing.count += 1
                        if listing.count <= _KEPT:
                            listing.names.append(f"{entry.name}/" if is_folder else entry.name)
                    if not is_folder:
                        listing.paths += [path + entry.name] if file_sets.belongs(entry.name) else []
                    elif level < depth and not entry.name.startswith(".") and len(folders) < _MOST_FOLDERS:
                        folders.append(f"{path}{entry.name}/")
        except OSError as error:
            if not level:
                problem = f"'{folder}' cannot be read: {describe_error(error)}."
                raise DataError(problem, "Check its permissions.") from error
        queue.extend((name, level + 1) for name in sorted(folders)[: max(0, _MOST_FOLDERS - len(queue))])
    return listing


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def tell(names: Sequence[str], count: int | None = None) -> str:
    """That something "holds" the first of these names, hidden files last, and others of ``count`` in all."""
    count = len(names) if count is None else count
    ordered = sorted(names, key=lambda name: (name.startswith("."), name.casefold(), name))
    shown = ordered[: _SHOWN + 1] if count <= _SHOWN + 1 else ordered[:_SHOWN]
    more = [f"{count - len(shown):,} others"] if count > len(shown) else []
    return f"holds {join_words([*shown, *more])}" if shown else "is empty"


def name_path(path: Path) -> str:
    """A path as it may be typed: relative to the current folder if it is in that."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def explain_missing(path: str, place: Path) -> tuple[str, str]:
    """What is said of a path at which there is nothing, and a question that names one spelled alike."""
    # Unlike the methods of ``Path``, the functions of ``os.path`` raise for no path.
    if os.path.islink(place):  # noqa: PTH114
        return f"'{path}' is a link to '{place.readlink()}', which does not exist.", ""
    parent, missing = place.parent, place
    while not os.path.exists(parent) and parent != parent.parent:  # noqa: PTH110
        parent, missing = parent.parent, parent
    problem = f"There is nothing at '{path}'"
    if not parent.is_dir():
        return f"{problem}: '{parent}' is a file.", ""
    try:
        listing = scan(parent, 0)
    except DataError:
        return f"{problem}.", ""
    spellings = {name.rstrip("/").casefold(): parent / name for name in listing.names}
    near = difflib.get_close_matches(missing.name.casefold(), spellings, n=1, cutoff=0.75)
    rest = place.relative_to(missing)
    question = ""
    if near:
        outer = spellings[near[0]]
        exists = os.path.exists(outer / rest)  # noqa: PTH110
        question = f"Did you mean {name_path(outer / rest if exists else outer)}? "
    return f"{problem}; '{parent}' {listing}.", question
