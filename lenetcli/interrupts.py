"""Work in a thread, signals in the main one: one call into TensorFlow can last for seconds."""

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

GRACE_SECONDS = 1.0
"""How long the work may take to stop by itself; then it is left behind."""

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stop:
    """Whether somebody asked to stop, and with which signal."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.signal: int | None = None

    def request(self, number: int) -> None:
        """Ask the work to stop."""
        self.signal = number
        self._event.set()

    def __call__(self) -> bool:
        """Whether to stop."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep, but wake when asked to stop; whether so."""
        return self._event.wait(seconds)


def exit_on_signals() -> None:
    """Leave with 128 + n and a tidy end on the signals that would else kill the process at once."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    for number in SIGNALS:
        if number != signal.SIGINT and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, leave)


def run_stoppably(
    work: Callable[[Stop], T], abandon: Callable[[], None], restore: Callable[[], None] = lambda: None
) -> tuple[T, Stop]:
    """Run ``work`` in a thread; the first signal asks it to stop, the second ends the process at once.

    Args:
        work: asks its ``Stop`` often, and returns soon once it says so.
        abandon: records the interruption where the work does not come back in time; the process
            then ends with 128 + the signal's number.
        restore: gives the terminal back, at once, where a second signal leaves no time for more.

    Returns:
        What ``work`` returned, and the ``Stop`` that says whether it was asked to stop.
    """
    stop = Stop()
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work(stop))
        except BaseException as error:
            failures.append(error)

    def hear(number: int, _frame: FrameType | None) -> None:
        if stop():
            try:
                restore()
            finally:
                os._exit(128 + number)
        stop.request(number)

    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        if before[number] not in (signal.SIG_IGN, None):  # nohup, or a shell's background job
            signal.signal(number, hear)
    try:
        thread = threading.Thread(target=run, daemon=True, name="work")
        thread.start()
        deadline = None
        while thread.is_alive():
            thread.join(0.1)
            if stop() and deadline is None:
                deadline = time.monotonic() + GRACE_SECONDS
            if deadline is not None and time.monotonic() > deadline and thread.is_alive():
                assert stop.signal is not None
                try:
                    abandon()
                finally:
                    os._exit(128 + stop.signal)
    finally:
        for number, handler in before.items():
            if handler is not None:  # None: one that was not set from Python
                signal.signal(number, handler)
    if failures:
        raise failures[0]
    return results[0], stop
