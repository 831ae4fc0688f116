"""Where the files of a data set are: in a folder or below it, in a zip, or in an npz."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lenetcli import files
from lenetcli.data import conversions, file_sets, listings, readers
from lenetcli.data.file_sets import FileSet
from lenetcli.data.readers import KEYS, NAMES, Part
from lenetcli.errors import DataError, describe_error
from lenetcli.words import join_words

_UNSPECIFIC: Final = ("raw", "gzip", "processed")
"""Names of folders that say nothing about the data in them."""

_MOST_OPTIONS: Final = 8  # in a sentence

_WANTED_FILES: Final = (
    "Wanted are train-images-idx3-ubyte and train-labels-idx1-ubyte, and t10k-images-idx3-ubyte and "
    "t10k-labels-idx1-ubyte if there is a test set; a dot before idx and a final .gz are understood."
)
_WANTED_ARRAYS: Final = (
    "Wanted are x_train and y_train, and x_test and y_test if there is a test set: "
    f"{conversions.SAVE} writes them."
)


class SeveralSetsError(DataError):
    """A folder holds several data sets, which are at ``places``."""

    places: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The files of a data set: those of the training set, then those of the test set if there is one.

    ``place`` is the folder or archive that holds them, ``name`` what the data set is called. ``copies`` are
    other files of the same parts, which are not used. ``notes`` are sentences that the user should read.
    """

    place: Path
    name: str
    parts: tuple[Part, ...]
    copies: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()


def locate(path: str) -> Path:
    """The absolute path of data named by the user.

    Raises:
        DataError: if there is nothing; it says what there is instead.
    """
    advice = f"Check --data or {files.DATA_VARIABLE}: a folder or zip with MNIST's files, or an npz."
    if not path:
        raise DataError("There is nothing at ''.", advice)
    if "://" in path:
        raise DataError(
            f"'{path}' is an address of the network.", "Download it, and give the file with --data."
        )
    place = files.locate(path)
    try:
        place.stat()
    except PermissionError as error:
        raise DataError(f"'{path}' cannot be read: {describe_error(error)}.", advice) from error
    except ValueError as error:  # a null byte
        raise DataError(f"There is nothing at '{path}'.", advice) from error
    except OSError as error:
        problem, question = listings.explain_missing(path, place.absolute())
        raise DataError(problem, question + advice) from error
    return place.absolute()


def find(place: Path) -> Found:
    """The files of the data set at a path: a folder, one of the files in it, a zip, or an npz.

    Raises:
        DataError: if there is none, or several; it says what there is.
    """
    if place.is_dir():
        return _find_in_folder(place)
    if file_sets.belongs(place.name):
        return _find_beside(place)
    members = readers.list_members(place)
    keys = [name.removesuffix(".npy") for name in members if name.endswith(".npy")]
    return _find_arrays(place, keys) if len(keys) == len(members) else _find_in_zip(place, members)


def _find_in_folder(place: Path) -> Found:
    """The data set in a folder, else the only one below it."""
    listing = listings.scan(place)
    sets = file_sets.group(listing.paths)
    chosen = _choose(sets)
    if chosen and chosen.is_own and chosen.missing and file_sets.belongs(place.name):
        return _find_beside(place / next(iter(chosen.paths.values()))[0])
    if chosen:
        found = _take(place, chosen, str(listing) if chosen.is_own else "")
        note = f"The data set in '{found.place}' is used, the only one in '{place}'."
        return found if not chosen.folder else replace(found, notes=(note, *found.notes))
    if several := [one for one in sets if one.is_whole]:
        folders = [one.folder for one in several]
        # The name of a folder is enough where it holds one set; a file names its set where there are more.
        inner = [one.folder if folders.count(one.folder) == 1 else one.paths[NAMES[0]][0] for one in several]
        options = [_option(place / path) for path in inner[:_MOST_OPTIONS]]
        problem = f"'{place}' holds {len(several)} data sets."
        error = SeveralSetsError(problem, f"Choose one, as with {join_words(options, 'or')}.")
        error.places = tuple(place / path for path in inner)
        raise error
    archives = [name for name in listing.names if name.lower().endswith((".npz", ".zip"))]
    problem = f"'{place}' has no {' and no '.join(NAMES[:2])}; it {listing}."
    if len(archives) == 1:
        raise DataError(problem, f"If {archives[0]} is meant, type {_option(place / archives[0])}.")
    raise DataError(problem, _WANTED_FILES)


def _option(path: Path) -> str:
    """The option that names a path, as it may be typed."""
    return f"--data {shlex.quote(listings.name_path(path))}"


def _find_beside(file: Path) -> Found:
    """The data set to which a file belongs."""
    inside = file_sets.belongs(file.parent.name)  # a folder of the file's own name
    folder = file.parent.parent if inside else file.parent
    path = f"{file.parent.name}/{file.name}" if inside else file.name
    sets = file_sets.group({*listings.scan(folder, 1).paths, path})
    chosen = next(one for one in sets if any(path in paths for paths in one.paths.values()))
    for paths in chosen.paths.values():
        paths.sort(key=lambda other: other != path)  # the file that was named comes first
    found = _take(folder, chosen)
    note = f"'{file.name}' is one file of a data set; those beside it are used, too."
    return replace(found, notes=(note, *found.notes))


def _find_in_zip(place: Path, members: list[str]) -> Found:
    """The only data set in a zip."""
    sets = file_sets.group(members)
    if chosen := _choose(sets):
        return _take(place, chosen, archive=True)
    holds = f"it {listings.tell(members)}"
    if any(one.is_whole for one in sets):
        names = join_words([one.prefix or one.folder for one in sets[:_MOST_OPTIONS]])
        problem = f"'{place}' holds {len(sets)} data sets, as {names}."
        raise DataError(problem, "Unpack it, and give a file of one of them with --data.")
    problem = f"'{place}' has no {' and no '.join(NAMES[:2])}; {holds}."
    if any(name.endswith("data.pkl") for name in members):
        problem = f"'{place}' is a file of PyTorch, a pickle, which is never opened."
        raise DataError(problem, f"Save its arrays with {conversions.SAVE}, and give that file.")
    if any(name.lower().endswith((".npz", ".zip")) for name in members):
        raise DataError(problem, "Unpack it, and give what is in it with --data.")
    raise DataError(problem, _WANTED_FILES)


def _find_arrays(place: Path, keys: list[str]) -> Found:
    """The data set in an npz with these arrays."""
    parts = {name: Part(name=name, file=place, key=key) for name, key in KEYS.items() if key in keys}
    needed = NAMES if parts.keys() & set(NAMES[2:]) else NAMES[:2]
    missing = [KEYS[name] for name in needed if name not in parts]
    if missing:
        holds = listings.tell(keys)
        raise DataError(f"'{place}' has no {' and no '.join(missing)}; it {holds}.", _WANTED_ARRAYS)
    return Found(place=place, name=_choose_name(place), parts=tuple(parts[name] for name in needed))


def _choose(sets: list[FileSet]) -> FileSet | None:
    """The set that is meant: that of MNIST's names at the top, else the only whole one, else the only one."""
    for choice in ([one for one in sets if one.is_own], [one for one in sets if one.is_whole], sets):
        if choice:
            return choice[0] if len(choice) == 1 else None
    return None


def _take(place: Path, chosen: FileSet, holds: str = "", *, archive: bool = False) -> Found:
    """The files of a set in a folder or zip, which ``holds`` this.

    Raises:
        DataError: if some are missing.
    """
    inner = place if archive else place / chosen.folder
    if chosen.missing:
        holds = holds or listings.tell(
            [path.rpartition("/")[2] for paths in chosen.paths.values() for path in paths]
        )
        problem = f"'{inner}' has no {' and no '.join(chosen.missing)}; it {holds}."
        raise DataError(problem, _WANTED_FILES)
    parts, copies = [], []
    for name in NAMES:
        for index, path in enumerate(chosen.paths.get(name, [])):
            member = path if archive else None
            part = Part(name=name, file=place if archive else place / path, member=member)
            if not index:
                parts.append(part)
            elif file_sets.OTHER_FORM not in path.lower():
                copies.append(part)
    notes = []
    if chosen.prefix.lower().startswith("emnist"):
        notes.append("EMNIST's images are transposed, unlike MNIST's; they are used as they are.")
    return Found(
        place=inner,
        name=chosen.prefix or _choose_name(inner),
        parts=tuple(parts),
        copies=tuple(copies),
        notes=tuple(notes),
    )


def _choose_name(place: Path) -> str:
    """The name of the data set in a folder or archive without another one."""
    path = place.resolve() if place.name == ".." else place
    if not path.is_dir():
        return path.stem
    return path.parent.name if path.name in _UNSPECIFIC and path.parent.name else path.name
