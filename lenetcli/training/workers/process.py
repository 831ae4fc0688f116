"""A worker in a process of its own on this machine, as its driver sees it.

Standard input and output of the process carry the messages; what it and the libraries of it print goes to a
file, of which the last lines are told if it dies.
"""

import pickle
import subprocess
import tempfile
import threading
from contextlib import suppress
from typing import IO

from lenetcli.errors import RunFailedError, describe_error
from lenetcli.machine.interpreter import python_command, python_environment
from lenetcli.machine.system import printable
from lenetcli.training.workers.messages import Deliver, Gone, LoadEngine, Order

LAST_LINES = 3
LAST_BYTES = 20_000
"""How many of the last lines of a dead process are told, and in how many bytes they are looked for."""

LAST_SECONDS = 5.0
"""How long it may take to deliver what a process reported before it was killed."""


class WorkerProcess:
    """A worker in a child process; see ``messages.Handle``.

    Raises:
        RunFailedError: if none can be started.
    """

    def __init__(self, load_engine: LoadEngine, deliver: Deliver) -> None:
        self._log = _make_log()
        self._process = _start(self._log)
        self._was_killed = False
        self._send(load_engine)
        self._listener = threading.Thread(target=self._listen, args=(deliver,), daemon=True, name="worker")
        self._listener.start()

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def send(self, order: Order) -> None:
        """Send an order; the process reads it even while it trains."""
        self._send(order)

    def kill(self) -> None:
        """End the process at once; what it has reported by then is delivered, and nothing later."""
        self._was_killed = True
        assert self._process.stdin is not None
        self._process.kill()
        self._process.wait()
        with suppress(OSError):  # an order that it has not read is lost
            self._process.stdin.close()
        self._listener.join(LAST_SECONDS)

    def _send(self, message: Order | LoadEngine) -> None:
        assert self._process.stdin is not None
        if self._process.stdin.closed:
            return
        with suppress(OSError):  # it is gone: the thread that listens tells so
            pickle.dump(message, self._process.stdin)
            self._process.stdin.flush()

    def _listen(self, deliver: Deliver) -> None:
        """Deliver the reports of the process until it ends."""
        assert self._process.stdout is not None
        try:
            while True:
                deliver(self, pickle.load(self._process.stdout))  # noqa: S301 -- our own child wrote it
        except EOFError:
            pass
        except Exception:  # half a message, as a rule, of a process that died while it wrote
            self._process.kill()
        code = self._process.wait()
        if not self._was_killed:
            deliver(self, Gone(code, _read_last_lines(self._log)))
        self._process.stdout.close()
        self._log.close()


def _make_log() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise RunFailedError(
            f"No temporary file can be made: {describe_error(error)}.",
            "Set TMPDIR to a folder that can be written to and has space left.",
        ) from error


def _start(log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the process, which writes to a log."""
    try:
        # A session of its own: Ctrl-C in the terminal is for the driver alone, which decides what it means.
        return subprocess.Popen(
            python_command("-m", "lenetcli.training.workers.child"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=python_environment(),
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
