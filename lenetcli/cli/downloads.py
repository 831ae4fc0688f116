"""The search for the data, with the progress of a download, ended by signals."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import typer

from lenetcli.training.interrupts import Stop, run_stoppably

if TYPE_CHECKING:
    from lenetcli.training.plan import Finder

T = TypeVar("T")


def find_stoppably(work: "Callable[[Finder], T]") -> T:
    """The result of ``work``, which is given a function that finds data and shows a download.

    Raises:
        typer.Exit: with 128 + n if signal n ended the work.
    """
    from lenetcli.cli.screen import console
    from lenetcli.cli.screen.display import DownloadBar
    from lenetcli.data import sources

    bar = DownloadBar()

    def say_stopped() -> None:
        console.print_message("Stopped before anything was trained.")

    def run(stop: Stop) -> T:
        def report(name: str, done: int, total: int) -> None:
            if stop.signal is not None:
                raise typer.Exit(128 + stop.signal)
            bar.update(name, done, total)

        return work(partial(sources.find, report=report))

    try:
        result, stop = run_stoppably(run, say_stopped)
    finally:
        bar.close()
    if stop.signal is not None:
        say_stopped()
        raise typer.Exit(128 + stop.signal)
    return result
