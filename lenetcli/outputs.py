"""Files that people ask for: checked before any work, written whole or not at all."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from lenetcli.errors import UsageError

FIGURES = (".png", ".svg", ".pdf")
REPORTS = (".pdf", ".typ")


def check_output(path: Path, endings: Sequence[str] = FIGURES) -> None:
    """Find out, before any work, whether ``path`` can be written.

    Raises:
        UsageError: for another ending than ``endings``, a folder, or a place that takes no file.
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
    except (OSError, RuntimeError) as error:  # the latter for links that go in circles
        raise _unwritable(path, error) from error


def write_output(path: Path, content: bytes) -> None:
    """Put ``content`` into ``path``; what was there stays until the whole has been written.

    Raises:
        UsageError: where the file cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        target = path.resolve()
        with tempfile.TemporaryDirectory(prefix=".lenetcli-", dir=target.parent) as folder:
            fresh = Path(folder, target.name)
            fresh.write_bytes(content)
            if target.exists():
                fresh.chmod(target.stat().st_mode)
            fresh.replace(target)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: Exception) -> UsageError:
    reason = getattr(error, "strerror", None) or str(error)
    return UsageError(f"{path} cannot be written: {reason}.", "Choose another file.")
