"""The standard streams made safe to print to: closed ones, and those that know ASCII only."""

import codecs
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# One letter for one: what a table or a display has measured keeps its width.
_PLAIN = str.maketrans({"–": "-", "−": "-", "…": "~", "·": "|", "×": "x", "’": "'", "“": '"', "”": '"'})


def prepare_streams() -> None:
    """Let every ``print`` succeed, whatever the terminal can show."""
    if sys.stdout is None or sys.stderr is None:
        _fill_closed_descriptors()
    codecs.register_error("lenetcli", _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Python speaks UTF-8 in the C locale too; a terminal set to it may show nothing but ASCII.
            plain = stream.isatty() and os.environ.get("LC_ALL") in ("C", "POSIX")
            stream.reconfigure(encoding="ascii" if plain else stream.encoding, errors="lenetcli")


def release_streams() -> None:
    """Give up what a stream cannot take: Python would complain at exit, with a code of its own."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _fill_closed_descriptors() -> None:
    """Point closed standard streams nowhere, or the next file opened, the store, would get their number."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        descriptor = os.dup(descriptor)
    os.close(descriptor)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    """Characters that an encoding lacks: their plain likeness where there is one, else their escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    wrong = error.object[error.start : error.end].translate(_PLAIN)
    return wrong.encode("ascii", "backslashreplace").decode("ascii"), error.end


@contextmanager
def silence_stderr() -> Iterator[None]:
    """Send the process' stderr, C++ included, to a file; show it if the block raises."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as caught:
        kept = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            os.dup2(kept, 2)
            caught.seek(0)
            os.write(2, caught.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
