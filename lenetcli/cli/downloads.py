"""The search for the data, with the progress of a download, ended by signals."""

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import typer

from lenetcli.training.interrupts import stopping_on_signals

if TYPE_CHECKING:
    from lenetcli.training.plan_notes import Finder

T = TypeVar("T")

STOPPED = "Stopped before anything was trained."

GRACE_SECONDS = 1.0
"""How long the search may last after a signal: an answer of the network can take minutes."""


def find_stoppably(work: "Callable[[Finder], T]") -> T:
    """The result of ``work``, which is given a function that finds data and shows a download.

    Raises:
        typer.Exit: with 128 + n if signal n ended the work.
    """
    from lenetcli.cli.screen import console
    from lenetcli.cli.screen.bars import DownloadBar
    from lenetcli.data import sources

    bar = DownloadBar()

    def leave() -> None:
        os.write(2, f"{STOPPED}\n".encode())

    with stopping_on_signals(leave, GRACE_SECONDS) as stop:

        def report(name: str, done: int, total: int) -> None:
            if stop.signal is not None:
                raise typer.Exit(128 + stop.signal)
            bar.update(name, done, total)

        try:
            result = work(partial(sources.find, report=report))
        finally:
            bar.close()
            if stop.signal is not None:
                console.print_message(STOPPED)
    if stop.signal is not None:
        raise typer.Exit(128 + stop.signal)
    return result
