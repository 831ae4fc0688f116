"""Child processes of Python and the pipes to them: pickled messages through standard input and output."""

import os
import pickle
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any

from lenetcli.errors import RunFailedError, describe_error
from lenetcli.machine.interpreter import python_command, python_environment
from lenetcli.machine.system import printable

LAST_LINES = 3
LAST_BYTES = 20_000
"""How many of the last lines of a dead process are told, and in how many bytes they are looked for."""


class Child:
    """A child process that runs a module, as its parent sees it.

    What it and its libraries print goes to a file. Its environment is that of this process and ``variables``.

    Raises:
        RunFailedError: if it cannot be started.
    """

    def __init__(self, module: str, **variables: str) -> None:
        self._log = _make_log()
        self._process = _start(module, variables, self._log)

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def send(self, message: object) -> None:
        """Send a message; to a process that is gone, it is lost."""
        assert self._process.stdin is not None
        if self._process.stdin.closed:
            return
        with suppress(OSError):  # it is gone: the thread that receives learns of it
            pickle.dump(message, self._process.stdin)
            self._process.stdin.flush()

    def receive(self) -> Iterator[Any]:
        """Yield the messages of the process until it ends."""
        assert self._process.stdout is not None
        try:
            while True:
                yield pickle.load(self._process.stdout)  # noqa: S301 -- our own child wrote it
        except EOFError:
            pass
        except Exception:  # half a message, as a rule, of a process that died while it wrote
            self._process.kill()

    def wait(self) -> tuple[int, str]:
        """The exit code of the process, which is waited for, and the last lines that it wrote."""
        return self._process.wait(), _read_last_lines(self._log)

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.wait()
        self.leave()  # a message that it has not read is lost

    def leave(self) -> None:
        """Close the pipe to the process, which then ends by itself."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def close(self) -> None:
        """Close what was open to receive from a process that has ended."""
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()


def take_streams() -> tuple[IO[bytes], IO[bytes]]:
    """The pipes to the parent of this process; what it prints from now on goes where stderr goes."""
    source, target = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return source, target


def read_messages(source: IO[bytes]) -> Iterator[Any]:
    """Yield the messages of the parent of this process until it is gone."""
    with suppress(Exception):  # a parent that dies while it writes leaves half a message
        while True:
            yield pickle.load(source)  # noqa: S301 -- it started this process


def _make_log() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise RunFailedError(
            f"No temporary file can be made: {describe_error(error)}.",
            "Set TMPDIR to a folder that can be written to and has space left.",
        ) from error


def _start(module: str, variables: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the process, which writes to a log."""
    try:
        # A session of its own: Ctrl-C in the terminal is for the driver alone, which decides what it means.
        return subprocess.Popen(
            python_command("-m", module),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=python_environment() | variables,
            start_new_session=True,
        )
    except OSError as error:
        log.close()
        raise RunFailedError(
            f"A worker cannot be started: {describe_error(error)}.",
            "End other programs, then type the same command again.",
        ) from error


def _read_last_lines(log: IO[bytes]) -> str:
    """The last lines of a file that are not empty."""
    size = log.seek(0, 2)
    log.seek(max(0, size - LAST_BYTES))
    lines = log.read().decode("utf-8", "replace").splitlines()
    return "\n".join([printable(line) for line in lines if line.strip()][-LAST_LINES:])
