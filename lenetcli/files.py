"""Files and folders: the paths of store, data and cache, and atomic output files."""

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from lenetcli.errors import UsageError, describe_error

STORE_VARIABLE = "LENETCLI_STORE"
DATA_VARIABLE = "LENETCLI_DATA"
CACHE_VARIABLE = "LENETCLI_CACHE"
DEFAULT_STORE = "lenetcli.db"


def cache_folder() -> Path:
    """The cache folder: ``LENETCLI_CACHE``, else that of the platform; it need not exist."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return expand(chosen) if chosen else user_cache_path("lenetcli", appauthor=False)


def expand(text: str) -> Path:
    """A path as typed, with a leading ``~`` expanded if that home folder exists."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 -- the method raises if there is no such home


def check_output(path: Path, endings: Sequence[str]) -> None:
    """Check that a file can be written, before any work is done; it is left as it is.

    Raises:
        UsageError: if it has none of these endings (".png"; any if empty), or cannot be written.
    """
    if endings and path.suffix.lower() not in endings:
        raise UsageError(
            f"{path} has no ending that says which kind of file to write.",
            f"Let it end in {' or '.join(endings)}.",
        )
    try:
        target = path.resolve()
        existed = target.exists()
        target.open("ab").close()
        if not existed:
            target.unlink()
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of symbolic links
        raise unwritable(path, error) from error


def write_output(path: Path, content: bytes) -> None:
    """Write a file of output: a file as ``write_whole`` does, a pipe or a device directly.

    Raises:
        UsageError: if the file cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
        else:
            write_whole(path, lambda temporary: temporary.write_bytes(content))
    except OSError as error:
        raise unwritable(path, error) from error


def write_whole(path: Path, write: Callable[[Path], object], *, replace: bool = True) -> None:
    """Write a file under another name, and give it its own when it is complete.

    ``write`` gets the temporary path. Symbolic links are followed. A file that is replaced leaves its mode to
    the new one.

    Raises:
        FileExistsError: if there is a file, without ``replace``; it may also have appeared meanwhile.
        OSError: if the file cannot be written.
    """
    target = Path(os.path.realpath(path))  # unlike ``resolve``, it accepts a loop of links
    with tempfile.TemporaryDirectory(prefix=".lenetcli-", dir=target.parent) as folder:
        temporary = Path(folder, target.name)
        write(temporary)
        if not replace:
            try:
                os.link(temporary, target)  # unlike a rename, this never replaces a file
                return
            except FileExistsError:
                raise
            except OSError:  # the file system has no hard links: an empty file reserves the name
                target.touch(exist_ok=False)
        elif target.exists():
            temporary.chmod(target.stat().st_mode)
        temporary.replace(target)


def unwritable(path: Path, error: Exception) -> UsageError:
    """The error for a file of output that cannot be written."""
    return UsageError(f"{path} cannot be written: {describe_error(error)}.", "Choose another file.")


def read_cache(name: str) -> dict[str, Any]:
    """The JSON object in a file of the cache; empty if the file is missing or damaged.

    The content is not validated: any program may have written it.
    """
    try:
        content = json.loads((cache_folder() / name).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def write_cache(name: str, values: Mapping[str, Any]) -> None:
    """Write a JSON object to a file of the cache; errors are ignored."""
    write_cache_file(name, json.dumps(values).encode())


def write_cache_file(name: str, content: bytes) -> None:
    """Write a file of the cache; errors are ignored."""
    file = cache_folder() / name
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, lambda temporary: temporary.write_bytes(content))
