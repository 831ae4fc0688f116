"""The command in a folder, in a process forked from one that has loaded TensorFlow, or in one of its own."""

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

EXECUTABLE = Path(sys.executable).with_name("lenetcli")
TESTS = Path(__file__).parents[1]
PATIENCE = 600
"""Seconds for what takes a few: machines differ by eight times and more."""

CAN_FORK = sys.platform == "linux" and hasattr(os, "pidfd_open")


def clean_environment(folder):
    """The environment of a user without settings, whose cache is in ``folder`` and who has no network."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LENETCLI_")}
    return environment | {"LENETCLI_CACHE": str(folder / "cache"), "LENETCLI_OFFLINE": "1", "COLUMNS": "120"}


@cache
def fork_server():
    """The path of the server's socket; it is started once, and ends with this process."""
    folder = tempfile.mkdtemp(prefix="fork-server-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = f"{folder}/socket"
    log = Path(f"{path}.log").open("w")  # noqa: SIM115 -- lives as long as the server
    server = subprocess.Popen(
        [sys.executable, "-m", "helpers.fork_server", path],
        cwd=TESTS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])},
    )
    if server.stdout.readline() != b"ready\n":
        raise RuntimeError(Path(f"{path}.log").read_text())
    atexit.register(server.stdin.close)
    return path


def server_has_run_operations():
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(fork_server())
    connection.sendall(b"{}\n")
    return connection.makefile().readline() != "0\n"


class Forked:
    """A command in a forked process, with the methods of ``Popen`` that tests need."""

    def __init__(self, arguments, *, folder, environment, stdin=None, stdout=None, stderr=None):
        ours, theirs, opened = {}, [], []
        for name, stream in (("stdin", stdin), ("stdout", stdout), ("stderr", stderr)):
            if stream is None:
                stream = os.open(os.devnull, os.O_RDWR)
                opened.append(stream)
            elif stream == subprocess.PIPE:
                ours[name], stream = os.pipe()
                opened.append(stream)
            theirs.append(stream)
        request = {"arguments": list(map(str, arguments)), "folder": str(folder), "environment": environment}
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(fork_server())
        message = json.dumps(request).encode() + b"\n"
        sent = socket.send_fds(self._connection, [message], theirs)
        self._connection.sendall(message[sent:])
        for descriptor in opened:
            os.close(descriptor)
        self._answers = self._connection.makefile()
        self.pid = int(self._answers.readline())
        self.stdout, self.stderr = (
            os.fdopen(ours[name], encoding="utf-8") if name in ours else None for name in ("stdout", "stderr")
        )
        self.returncode = None

    def send_signal(self, number):
        os.kill(self.pid, number)

    def wait(self, timeout=PATIENCE):
        if self.returncode is None:
            self._connection.settimeout(timeout)
            try:
                self.returncode = int(self._answers.readline())
            except TimeoutError:
                self.send_signal(signal.SIGKILL)
                raise
            finally:
                self._connection.close()
        return self.returncode


def start(arguments, *, folder, environment, **streams):
    """The command in a process that is not waited for."""
    if CAN_FORK:
        return Forked(arguments, folder=folder, environment=environment, **streams)
    return subprocess.Popen(
        [EXECUTABLE, *arguments], cwd=folder, env=environment, encoding="utf-8", **streams
    )


def run(arguments, *, folder, environment):
    """The command, run to its end, with what it wrote."""
    if not CAN_FORK:
        return subprocess.run(
            [EXECUTABLE, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
        )
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as out,
        tempfile.TemporaryFile("w+", encoding="utf-8") as err,
    ):
        code = Forked(
            arguments, folder=folder, environment=environment, stdout=out.fileno(), stderr=err.fileno()
        ).wait()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(arguments, code, out.read(), err.read())


class Desk:
    """A folder, and the command run in it."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = clean_environment(folder)

    def run(self, *arguments, code=0, command=None, **environment):
        """What a command wrote; with ``command`` (its first words) in a process of its own."""
        environment = self.environment | environment
        if command is None:
            done = run(arguments, folder=self.folder, environment=environment)
        else:
            done = subprocess.run(
                [*command, *arguments],
                cwd=self.folder,
                env=environment,
                capture_output=True,
                encoding="utf-8",
                timeout=PATIENCE,
            )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        assert "\x1b" not in done.stdout + done.stderr
        return done

    def attempt(self, *arguments, **environment):
        """What a command that may end with any code wrote."""
        return run(arguments, folder=self.folder, environment=self.environment | environment)

    def start(self, *arguments, **streams):
        """A command that is not waited for, in a forked process."""
        return start(arguments, folder=self.folder, environment=self.environment, **streams)

    def json(self, *arguments):
        return json.loads(self.run(*arguments, "--json").stdout)
