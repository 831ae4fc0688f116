"""The search for the data, with the progress of a download, ended by signals."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from lenetcli.cli.screen.display import DownloadBar
    from lenetcli.data.sources import DataSource
    from lenetcli.training.plan import Finder

T = TypeVar("T")


def find_stoppably(work: "Callable[[Finder], T]") -> T:
    """The result of ``work``, which is given a function that finds data and shows a download.

    Raises:
        typer.Exit: with 128 + n if signal n ended the work.
    """
    from lenetcli.cli.screen import console
    from lenetcli.data import sources
    from lenetcli.training.events import Stopped
    from lenetcli.training.interrupts import Stop, run_stoppably

    bars: list[DownloadBar] = []

    def say_stopped() -> None:
        console.print_message("Stopped before anything was trained.")

    def run(stop: Stop) -> T:
        def report(name: str, done: int, total: int) -> None:
            from lenetcli.cli.screen.display import DownloadBar

            if stop():
                raise Stopped
            if not bars:
                bars.append(DownloadBar())
            bars[0].update(name, done, total)

        def find(dataset: str, path: str | None, *, offline: bool = False) -> "DataSource":
            return sources.find(dataset, path, report=report, offline=offline)

        try:
            return work(find)
        except Stopped:
            assert stop.signal is not None
            raise typer.Exit(128 + stop.signal) from None

    try:
        result, stop = run_stoppably(run, say_stopped)
    finally:
        for bar in bars:
            bar.close()
    if stop.signal is not None:
        say_stopped()
        raise typer.Exit(128 + stop.signal)
    return result
