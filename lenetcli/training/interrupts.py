"""Signals: the first one requests a stop, the second ends the process."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

GRACE_SECONDS = 1.0
"""The time that the work has to stop after the first signal; then it is abandoned."""

Handler = Callable[[int, FrameType | None], None]
Handlers = dict[int, Handler | int | None]

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
def stopping_on_signals(restore: Callable[[], None]) -> Iterator[Stop]:
    """The context in which the first signal requests the stop, and the second ends the process at once.

    ``restore`` is called before that.
    """
    stop = Stop()

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop():
            try:
                restore()
            finally:
                os._exit(128 + number)
        stop.request(number)

    before = _set_handlers(handle)
    try:
        yield stop
    finally:
        _restore_handlers(before)


def _set_handlers(handle: Handler) -> Handlers:
    """Handle those of ``SIGNALS`` that are not ignored; returns the handlers that did before."""
    # nohup and background jobs ignore some; None is the handler of another library.
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: old for number, old in handlers.items() if old not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, handle)
    return before


def _restore_handlers(before: Handlers) -> None:
    for number, handler in before.items():
        signal.signal(number, handler)


def run_stoppably(work: Callable[[Stop], T], abandon: Callable[[], None]) -> tuple[T, Stop]:
    """Run ``work`` in a thread; returns its result and its ``Stop``, which the first signal requests.

    It may wait for the network, which no signal interrupts. If it does not return in time, ``abandon`` is
    called, and the process ends with 128 + the number of the signal. The second signal ends it at once.
    """
    from concurrent.futures import Future  # loads logging, which start-up need not wait for

    future = Future[T]()

    def run() -> None:
        try:
            future.set_result(work(stop))
        except BaseException as error:
            future.set_exception(error)

    with stopping_on_signals(lambda: None) as stop:
        thread = threading.Thread(target=run, daemon=True, name="work")
        thread.start()
        while thread.is_alive() and not stop():
            thread.join(0.1)  # in slices, to see whether a stop was requested
        thread.join(GRACE_SECONDS)
        if thread.is_alive():
            assert stop.signal is not None
            try:
                abandon()
            finally:
                os._exit(128 + stop.signal)
    return future.result(), stop
