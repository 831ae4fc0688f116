"""A process that has imported TensorFlow and the command line, and forks to run each command. Linux only.

Importing TensorFlow takes seconds, forking a process that has imported it takes milliseconds. The server
itself never runs an operation of TensorFlow: its threads do not survive a fork, and a child would wait for
them for ever (``has_run_operations`` is under a test).

``python -m helpers.fork_server SOCKET`` answers requests: a line of JSON with the descriptors for standard
input, output and error. The answer is the process id of the child, a line, and at its end its exit code, a
line.
"""

import contextlib
import functools
import io
import json
import os
import selectors
import socket
import sys


def preload():
    from lenetcli.training import pool
    from lenetcli.training.workers.thread import WorkerThread

    # A process of its own would load TensorFlow anew; other tests train in one.
    pool.start_process = functools.partial(WorkerThread, load_quietly)
    pool.Pool.warm_up = lambda _pool: None


def load_quietly():
    """The engine; what TensorFlow writes when it is set up goes elsewhere, as that of a process does."""
    from lenetcli.cli.screen.streams import silence_stderr
    from lenetcli.training.workers.service import load_tensorflow

    make_trainer = load_tensorflow()

    def make(*arguments):
        with silence_stderr():
            return make_trainer(*arguments)

    return make


def has_run_operations():
    """Whether TensorFlow has created its context, which the first operation does."""
    from tensorflow.python.eager import context

    return context.context()._context_handle is not None


def open_stream(descriptor, mode):
    """A standard stream as the interpreter opens it, with ``PYTHONIOENCODING`` and ``PYTHONUNBUFFERED``."""
    encoding, _, errors = os.environ.get("PYTHONIOENCODING", "").partition(":")
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED")) and mode == "w"
    raw = open(descriptor, mode + "b", 0 if unbuffered else -1, closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(
        raw,
        encoding or "utf-8",
        errors or ("backslashreplace" if descriptor == 2 else "surrogateescape"),
        line_buffering=os.isatty(descriptor) or descriptor == 2,
        write_through=unbuffered,
    )


def become_command(request, descriptors):
    """Make this process the one that was asked for; what is left to do is to run it."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.stdin, sys.stdout, sys.stderr = (open_stream(n, mode) for n, mode in enumerate("rww"))
    sys.argv = ["lenetcli", *request["arguments"]]


def receive(connection):
    message, descriptors, _, _ = socket.recv_fds(connection, 1 << 20, 3)
    while not message.endswith(b"\n"):
        more = connection.recv(1 << 20)
        if not more:
            raise ConnectionError("The client went away in the middle of a request.")
        message += more
    return json.loads(message), descriptors


def serve(path):
    """Answer requests until standard input is closed; returns in each child."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    print("ready", flush=True)
    selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj == sys.stdin.fileno():  # the tests are over
                os._exit(0)
            if key.fileobj is listener:
                connection, _ = listener.accept()
                try:
                    request, descriptors = receive(connection)
                except ConnectionError:
                    connection.close()
                    continue
                if not descriptors:
                    connection.sendall(f"{int(has_run_operations())}\n".encode())
                    connection.close()
                    continue
                child = os.fork()
                if child == 0:
                    selector.close()
                    listener.close()
                    connection.close()
                    become_command(request, descriptors)
                    return
                for descriptor in descriptors:
                    os.close(descriptor)
                connection.sendall(f"{child}\n".encode())
                selector.register(os.pidfd_open(child), selectors.EVENT_READ, (child, connection))
            else:
                child, connection = key.data
                selector.unregister(key.fileobj)
                os.close(key.fileobj)
                code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                with contextlib.suppress(OSError):  # nobody waits for it
                    connection.sendall(f"{code}\n".encode())
                connection.close()


if __name__ == "__main__":
    preload()
    serve(sys.argv[1])
    from lenetcli.cli.app import main

    try:
        main()
    except SystemExit as ended:
        os._exit(ended.code)  # the interpreter would spend a second on taking TensorFlow down
