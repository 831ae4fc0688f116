"""Where the files of a data set are, in a folder or an npz."""

from pathlib import Path

from lenetcli import files
from lenetcli.data import readers
from lenetcli.data.readers import Part
from lenetcli.errors import DataError, describe_error


def locate(path: str) -> Path:
    """The absolute path of data named by the user."""
    advice = f"Check --data or {files.DATA_VARIABLE}: a folder with MNIST's files, or an npz."
    if not path:
        raise DataError("There is nothing at ''.", advice)
    place = files.locate(path)
    try:
        place.stat()
    except PermissionError as error:
        raise DataError(f"'{path}' cannot be read: {describe_error(error)}.", advice) from error
    except (OSError, ValueError) as error:  # ValueError: a null byte
        raise DataError(f"There is nothing at '{path}'.", advice) from error
    return place.absolute()


def list_parts(place: Path) -> tuple[Part, ...]:
    """The images and labels of the training set, then those of the test set if there is one."""
    if place.is_dir():
        found = ((name, _list_files(place, name)) for name in readers.NAMES)
        parts = {name: Part(name=name, file=paths[0]) for name, paths in found if paths}
    else:
        keys = {name.removesuffix(".npy") for name in readers.list_members(place)}
        parts = {
            name: Part(name=name, file=place, key=key) for name, key in readers.KEYS.items() if key in keys
        }
    needed = readers.NAMES if parts.keys() & set(readers.NAMES[2:]) else readers.NAMES[:2]
    missing = [name for name in needed if name not in parts]
    if missing:
        names = [name if place.is_dir() else readers.KEYS[name] for name in missing]
        raise DataError(
            f"'{place}' has no {' and no '.join(names)}.",
            "Wanted are train-images-idx3-ubyte and train-labels-idx1-ubyte, and t10k-images-idx3-ubyte and "
            "t10k-labels-idx1-ubyte if there is a test set; a dot before idx and a final .gz are understood."
            if place.is_dir()
            else "Wanted are x_train and y_train, and x_test and y_test if there is a test set.",
        )
    return tuple(parts[name] for name in needed)


def _list_files(folder: Path, name: str) -> list[Path]:
    """The files of a part in a folder, in any spelling: "-idx" or ".idx", with or without ".gz"."""
    stems = (name, name.replace("-idx", ".idx"))
    try:
        entries = {entry.name for entry in folder.iterdir() if not entry.is_dir()}
    except OSError as error:
        problem = f"'{folder}' cannot be read: {describe_error(error)}."
        raise DataError(problem, "Check its permissions.") from error
    return [folder / (stem + end) for stem in stems for end in ("", ".gz") if stem + end in entries]
