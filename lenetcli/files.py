"""Files and folders: the paths of store, data and cache, and atomic output files."""

import contextlib
import errno
import json
import os
import shlex
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from lenetcli.errors import UsageError, describe_error
from lenetcli.workspaces import workspace

STORE_VARIABLE = "LENETCLI_STORE"
DATA_VARIABLE = "LENETCLI_DATA"
CACHE_VARIABLE = "LENETCLI_CACHE"
DEFAULT_STORE = "lenetcli.db"

_IRREPLACEABLE = (errno.EACCES, errno.EBUSY, errno.EPERM, errno.EROFS)
"""The errors for a file that may be written, but not be replaced: mounted, or in a folder that forbids it."""


def cache_folder() -> Path:
    """The cache folder: ``LENETCLI_CACHE``, else that of the platform; it need not exist.

    Raises:
        UsageError: as ``locate`` does.
    """
    return locate(os.environ.get(CACHE_VARIABLE) or str(user_cache_path("lenetcli", appauthor=False)))


def store_option(address: str, known: str = DEFAULT_STORE) -> str:
    """What names a store at the end of a command, with a blank before it; empty for the one ``known``."""
    return "" if address == known else f" --store {shlex.quote(address)}"


def expand(text: str) -> Path:
    """A path as typed; a leading ``~`` that no shell has expanded is expanded, unless there is such a name.

    Raises:
        UsageError: if it is empty, or there is no such home folder.
    """
    if not text:
        raise UsageError("An empty path was given.", "Leave its option out, or name a file.")
    path = text
    if text.startswith("~") and not os.path.lexists(Path(text).parts[0]):
        path = os.path.expanduser(text)  # noqa: PTH111 -- the method raises if there is no such home
        if path == text:
            raise UsageError(f"'{text}' is in a home folder that does not exist.", "Give its whole path.")
    return Path(path)


def locate(text: str) -> Path:
    """The path that ``expand`` gives, which can be followed.

    Raises:
        UsageError: as ``expand`` does, or if the path needs a current folder and that was deleted.
    """
    path = expand(text)
    try:
        path.absolute()
    except FileNotFoundError as error:
        problem = f"'{text}' leads nowhere, since the current folder was deleted."
        raise UsageError(problem, "Change to a folder that exists, or give an absolute path.") from error
    return path


def check_output(path: Path, endings: Sequence[str]) -> None:
    """Check that a file can be written, before any work is done; it is left as it is.

    A pipe is not opened, which would wait for its reader.

    Raises:
        UsageError: if it has none of these endings (".png"; any if empty), or cannot be written.
    """
    if endings and path.suffix.lower() not in endings:
        ending = f"ends in {path.suffix}" if path.suffix else "has no ending"
        problem = f"{path} {ending}, which does not say which kind of file to write."
        raise UsageError(problem, f"Let it end in {' or '.join(endings)}.")
    try:
        if _is_special(path):
            if not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        elif path.exists():
            path.open("r+b").close()
        else:
            target = Path(os.path.realpath(path))
            with workspace(target) as folder:
                (folder / target.name).touch()
    except (OSError, ValueError) as error:  # ValueError: a null byte
        raise unwritable(path, error) from error


def write_output(path: Path, content: bytes) -> str:
    """Write a file of output: as ``write_whole`` does, but in place what can be written and not replaced.

    What is returned says so: ``Wrote lr.png``, or that it is in place of a file that was there.

    Raises:
        UsageError: if the file cannot be written.
    """
    try:
        if _is_special(path):
            path.write_bytes(content)
            return f"Wrote {path}"
        replaces = path.exists()
        try:
            write_whole(path, lambda temporary: temporary.write_bytes(content))
        except OSError as error:
            if error.errno not in _IRREPLACEABLE or not path.exists():
                raise
            with path.open("r+b") as stream:
                stream.write(content)
                stream.truncate()
    except OSError as error:
        raise unwritable(path, error) from error
    return f"Wrote {path}" + ", in place of the file that was there" * replaces


def write_outputs(contents: Mapping[Path, bytes]) -> str:
    """Write several files of output, and the folders that they are in; on an error there is none of them.

    What is returned is the sentence of ``write_output`` on the last one.

    Raises:
        UsageError: if a file or its folder cannot be written.
    """
    with contextlib.ExitStack() as undo:
        sentence = ""
        for path, content in contents.items():
            if not path.parent.exists():
                _make_folder(path.parent)
                undo.callback(_restore, path.parent, None)
            try:
                before = path.read_bytes() if path.is_file() else None
            except OSError as error:
                raise unwritable(path, error) from error
            sentence = write_output(path, content)
            undo.callback(_restore, path, before)
        undo.pop_all()
        return sentence


def _make_folder(path: Path) -> None:
    try:
        path.mkdir()
    except OSError as error:
        problem = f"The folder {path} cannot be made: {describe_error(error)}."
        raise UsageError(problem, "Choose another file.") from error


def _restore(path: Path, content: bytes | None) -> None:
    """Give a file the content that it had before, or remove what was not there; errors are ignored."""
    with contextlib.suppress(OSError, UsageError):
        if content is not None:
            write_output(path, content)
        elif path.is_dir():
            path.rmdir()
        elif path.is_file():
            path.unlink()


def _is_special(path: Path) -> bool:
    """Whether a path leads to a pipe or a device: nothing takes its place."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


def write_whole(path: Path, write: Callable[[Path], object], *, replace: bool = True) -> None:
    """Write a file under another name, and give it its own when it is complete.

    ``write`` gets the temporary path. Symbolic links are followed. A file that is replaced leaves its mode to
    the new one.

    Raises:
        FileExistsError: if there is a file, without ``replace``; it may also have appeared meanwhile.
        OSError: if the file cannot be written.
    """
    with contextlib.suppress(FileNotFoundError):
        path.stat()  # raises the error of a loop of links
    target = Path(os.path.realpath(path))
    with workspace(target) as folder:
        temporary = folder / target.name
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


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A context with a new folder for temporary files.

    Raises:
        UsageError: if there is none, or an ``OSError`` ends the body of the ``with`` statement.
    """
    try:
        with workspace(Path(tempfile.gettempdir(), "lenetcli")) as folder:
            yield folder
    except OSError as error:
        problem = f"A temporary file cannot be written: {describe_error(error)}."
        raise UsageError(problem, "Name a folder for it with TMPDIR.") from error


def unwritable(path: Path, error: Exception) -> UsageError:
    """The error for a file of output that cannot be written; it names the folder if that is the reason."""
    reason = describe_error(error)
    if isinstance(error, OSError) and not os.path.exists(path):  # noqa: PTH110 -- the method may raise
        folder = Path(os.path.realpath(path)).parent
        if error.errno == errno.ENOENT:
            reason = f"there is no folder '{folder}'"
        elif error.errno in _IRREPLACEABLE:
            reason = f"no file can be made in the folder '{folder}' ({reason})"
    return UsageError(f"{path} cannot be written: {reason}.", "Choose another file.")


def read_cache(name: str) -> dict[str, Any]:
    """The JSON object in a file of the cache; empty if the file is missing or damaged.

    The content is not validated: any program may have written it.
    """
    try:
        content = json.loads((cache_folder() / name).read_bytes())
    except (OSError, ValueError, RecursionError, UsageError):
        return {}
    return content if isinstance(content, dict) else {}


def write_cache(name: str, values: Mapping[str, Any]) -> None:
    """Write a JSON object to a file of the cache; errors are ignored."""
    write_cache_file(name, json.dumps(values).encode())


def write_cache_file(name: str, content: bytes) -> None:
    """Write a file of the cache; errors are ignored."""
    with contextlib.suppress(OSError, UsageError):
        file = cache_folder() / name
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, lambda temporary: temporary.write_bytes(content))
