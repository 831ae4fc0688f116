"""Files and folders: the paths of store, data and cache, and atomic output files."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from lenetcli.errors import UsageError

STORE_VARIABLE = "LENETCLI_STORE"
DATA_VARIABLE = "LENETCLI_DATA"
CACHE_VARIABLE = "LENETCLI_CACHE"
DEFAULT_STORE = "lenetcli.db"


def cache_folder() -> Path:
    """The cache folder: ``LENETCLI_CACHE``, else that of the platform; it need not exist."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return expand(chosen) if chosen else user_cache_path("lenetcli", appauthor=False)


def keras_container() -> Path:
    """The path at which Keras caches MNIST, relative to ``KERAS_HOME`` if set; it need not exist.

    Raises:
        RuntimeError: if there is no home folder.
    """
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "datasets" / "mnist.npz"


def expand(text: str) -> Path:
    """A path as typed, with a leading ``~`` expanded if that home folder exists."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def check_output(path: Path, endings: Sequence[str]) -> None:
    """Check that a file can be written, before any work is done.

    Args:
        path: the file; it is left as it is.
        endings: the endings allowed, with their dots, in lower case; any if empty.

    Raises:
        UsageError: if the ending is another one, or no file can be written there.
    """
    if endings and path.suffix.lower() not in endings:
        raise UsageError(
            f"{path} has no ending that says which kind of file to write.",
            f"Let it end in {' or '.join(endings)}.",
        )
    try:
        target = path.resolve()
        existed = target.exists()
        with target.open("ab"):
            pass
        if not existed:
            target.unlink()
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of symbolic links
        raise _unwritable(path, error) from error


def write_output(path: Path, content: bytes) -> None:
    """Write a file atomically: an existing file is replaced when the new one is complete, with its mode.

    Symbolic links are followed. Pipes and devices are written directly.

    Raises:
        UsageError: if the file cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        target = path.resolve()
        with tempfile.TemporaryDirectory(prefix=".lenetcli-", dir=target.parent) as folder:
            temporary = Path(folder, target.name)
            temporary.write_bytes(content)
            if target.exists():
                temporary.chmod(target.stat().st_mode)
            temporary.replace(target)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: Exception) -> UsageError:
    reason = getattr(error, "strerror", None) or str(error)
    return UsageError(f"{path} cannot be written: {reason}.", "Choose another file.")


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
    write_cache_blocks(name, [json.dumps(values).encode()])


def write_cache_blocks(name: str, blocks: Iterable[bytes | memoryview]) -> None:
    """Write a file of the cache atomically, block by block; errors are ignored."""
    file = cache_folder() / name
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=file.parent) as folder:
            temporary = Path(folder) / file.name
            with temporary.open("wb") as stream:
                stream.writelines(blocks)
            temporary.replace(file)
