"""The standard streams: closed ones, characters that an encoding lacks, and output of C++ code on stderr."""

import codecs
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

# One character for one, so that the columns of a table or a display keep the widths already measured.
_SUBSTITUTES = str.maketrans({"–": "-", "−": "-", "…": "~", "·": "|", "×": "x", "’": "'", "“": '"', "”": '"'})


def prepare_streams() -> None:
    """Prepare stdout and stderr: any character can be printed, and a stream that was closed is discarded."""
    if sys.stdout is None or sys.stderr is None:
        _fill_closed_descriptors()
    codecs.register_error("lenetcli", _substitute)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # In the C locale Python encodes in UTF-8 (PEP 540), but the terminal may support ASCII only.
            ascii_only = stream.isatty() and os.environ.get("LC_ALL") in ("C", "POSIX")
            stream.reconfigure(encoding="ascii" if ascii_only else stream.encoding, errors="lenetcli")
    with suppress(io.UnsupportedOperation):  # a stream of Python's, without a descriptor
        sys.stderr = open_messages(sys.stderr.fileno())


class _Lossy(io.FileIO):
    """A descriptor for messages, of which those are discarded that cannot be written."""

    def write(self, content: Any) -> int:
        try:
            return super().write(content)
        except BrokenPipeError:  # the reader has left, and may have meant to stop the program
            raise
        except OSError:  # the disk of a log is full: no reason to end a training
            return len(content)


def open_messages(descriptor: int) -> io.TextIOWrapper:
    """A stream for messages with the encoding of stderr; what cannot be written to it is discarded.

    The stream closes its descriptor unless that is a standard one.

    Raises:
        BrokenPipeError: when it is written to, if the reader of a pipe has left.
    """
    buffer = io.BufferedWriter(_Lossy(descriptor, "w", closefd=descriptor > 2))
    encoding, errors = sys.stderr.encoding, sys.stderr.errors
    return io.TextIOWrapper(buffer, encoding, errors, line_buffering=True)


def release_streams() -> None:
    """Flush stdout and stderr; output that cannot be written is discarded.

    Otherwise Python would try again at exit, print an error and end with an exit code of its own.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _fill_closed_descriptors() -> None:
    """Open the null device as each closed standard stream, whose descriptor the store would get otherwise."""
    # The system assigns the lowest free descriptor, so that 0 to 2 are all open at the first one above 2.
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        descriptor = os.dup(descriptor)
    os.close(descriptor)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def _substitute(error: UnicodeError) -> tuple[str | bytes, int]:
    """The error handler for codecs: characters from ``_SUBSTITUTES``, else escapes with a backslash."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_SUBSTITUTES)
    return text.encode("ascii", "backslashreplace").decode("ascii"), error.end


@contextmanager
def silence_stderr() -> Iterator[None]:
    """The context in which stderr goes to a temporary file, which is printed if an exception ends it.

    The descriptor itself is redirected, since C++ code does not write to ``sys.stderr``.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as log:
        original = os.dup(2)
        os.dup2(log.fileno(), 2)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            os.dup2(original, 2)
            log.seek(0)
            with suppress(OSError):
                os.write(2, log.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)
