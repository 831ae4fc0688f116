"""Signals: the first one requests a stop, and the second ends the process."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# Windows has no SIGHUP.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stop:
    """A request to stop, and the number of the signal that made it."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.signal: int | None = None

    def request(self, number: int) -> None:
        """Request a stop because of a signal."""
        self.signal = number
        self._event.set()

    def __call__(self) -> bool:
        """Whether a stop has been requested."""
        return self._event.is_set()


def exit_on_signals() -> None:
    """Make signals that would kill the process raise ``SystemExit(128 + n)`` instead."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    for number in SIGNALS:
        if number != signal.SIGINT and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, leave)


@contextmanager
def stopping_on_signals(leave: Callable[[], None], grace: float) -> Iterator[Stop]:
    """The context in which the first signal requests the stop that it gives.

    The second signal ends the process at once with 128 + its number, and so does the first if the context
    lasts for ``grace`` seconds longer: it may wait for a network or a disk, which no signal interrupts.
    ``leave`` is called before that, in any thread; it must not wait for a lock.
    """
    stop, timers = Stop(), list[threading.Timer]()

    def end(number: int) -> None:
        try:
            leave()
        finally:
            os._exit(128 + number)

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop():
            end(number)
        stop.request(number)
        timers.append(threading.Timer(grace, end, [number]))
        timers[0].daemon = True
        timers[0].start()

    # nohup and background jobs ignore some; None is the handler of another library.
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: old for number, old in handlers.items() if old not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, handle)
    try:
        yield stop
    finally:
        for timer in timers:
            timer.cancel()
        for number, old in before.items():
            signal.signal(number, old)
