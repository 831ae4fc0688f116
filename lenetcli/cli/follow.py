"""``sweeps show --follow``: a sweep on the screen while other processes train it."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Self, TypeVar

from rich.console import Group
from rich.live import Live

from lenetcli.cli.screen.console import Console, print_message
from lenetcli.cli.screen.sweep_tables import is_running, lay_out_sweep, write_progress
from lenetcli.cli.screen.texts import name_cells, write_epoch
from lenetcli.errors import StoreBusyError
from lenetcli.experiment.run import Run, RunState
from lenetcli.experiment.sweep import Cell, Sweep
from lenetcli.store.store import Store
from lenetcli.words import write_accuracy

LOOK_SECONDS = 1.0
"""The interval between two looks at the store."""

QUIET_SECONDS = 30.0
"""How long no run may be in training before the sweep counts as left: TensorFlow may be loading meanwhile."""

SILENT_SECONDS = 120.0
"""How long a process that cannot be seen from here may give no sign of life before its run counts as left."""

T = TypeVar("T")


class Follower:
    """Looks at a sweep until all of its runs are done, or none has been in training for a while.

    Each look is one short transaction that reads the runs that are not done.
    """

    def __init__(self, store: Store, sweep: Sweep) -> None:
        self._store = store
        self._sweep = sweep
        # The last sign of life by the key of a run, and when it was new.
        self._signs: dict[str, tuple[datetime, float]] = {}
        self._lock_is_noted = False

    def follow(self) -> Sweep:
        """Show the sweep until it is over; returns it as it is stored then."""
        console = Console(stderr=True, highlight=False)
        live = console.is_terminal and not console.is_dumb_terminal
        # A sweep that was requested a moment ago may have no run in training yet, an older one is left.
        age = abs((datetime.now(UTC) - self._sweep.last_requested).total_seconds())
        active = time.monotonic() - (0.0 if age < QUIET_SECONDS else QUIET_SECONDS)
        with _Table(console) if live else _Lines(self._sweep) as screen:
            while True:
                screen.show(self._sweep)
                now = time.monotonic()
                if any(self._is_alive(cell, now) for cell in self._sweep.cells):
                    active = now
                if self._sweep.is_done or now - active >= QUIET_SECONDS:
                    return self._read(lambda: self._store.sweep(self._sweep.id))
                time.sleep(LOOK_SECONDS)
                self._sweep = self._look()

    def _look(self) -> Sweep:
        """The sweep as it is stored now."""
        epochs = self._sweep.epochs
        keys = [cell.config.key for cell in self._sweep.cells if not cell.is_done]
        runs = self._read(lambda: self._store.find(keys))

        def renew(cell: Cell) -> Cell:
            run = runs.get(cell.config.key)
            return cell if cell.is_done else replace(cell, run=run.at(epochs) if run else None)

        return replace(self._sweep, cells=tuple(map(renew, self._sweep.cells)))

    def _is_alive(self, cell: Cell, now: float) -> bool:
        """Whether a run is in training, as far as its process can be seen or gives signs of life."""
        sign = cell.run.last_sign_of_life if cell.run else None
        if sign is None or not is_running(cell):
            return is_running(cell)
        if self._signs.get(cell.config.key, (None, now))[0] != sign:
            self._signs[cell.config.key] = (sign, now)
        return now - self._signs[cell.config.key][1] < SILENT_SECONDS

    def _read(self, read: Callable[[], T]) -> T:
        """What is read from the store, as soon as no other program locks it."""
        while True:
            try:
                return read()
            except StoreBusyError:
                if not self._lock_is_noted:
                    print_message("The store is locked by another program; waiting for it.", "yellow")
                    self._lock_is_noted = True


class _Table:
    """The table of a sweep on a terminal, renewed in place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._live.stop()

    def show(self, sweep: Sweep) -> None:
        """Show the sweep in place of what is shown."""
        self._live.update(Group(*lay_out_sweep(sweep, self._console)), refresh=True)


class _Lines:
    """A line for each epoch of a sweep that is new, and for each run that has ended."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        self._names = name_cells(sweep, aligned=False)
        self._runs = {cell.config.key: cell.run for cell in sweep.cells}

    def __enter__(self) -> Self:
        print_message(write_progress(self._sweep))
        return self

    def __exit__(self, *_error: object) -> None:
        """Nothing is left to do."""

    def show(self, sweep: Sweep) -> None:
        """Print what is new since the last time."""
        for cell in sweep.cells:
            before, self._runs[cell.config.key] = self._runs[cell.config.key], cell.run
            if cell.run is not None:
                self._show_run(self._names[cell.config.key], before, cell.run, sweep.epochs)

    def _show_run(self, name: str, before: Run | None, run: Run, last: int) -> None:
        seconds = {timing.epoch: timing.train_seconds for timing in run.timings if timing.is_measured}
        for point in run.curve[before.epochs if before else 0 :]:
            print_message(f"{name}  {write_epoch(point, last, seconds.get(point.epoch))}")
        if run.state is not RunState.RUNNING and (before is None or run.state is not before.state):
            best = f"  best {write_accuracy(run.best_val_accuracy)}" * bool(run.curve)
            print_message(f"{name}  {run.state}{best}")
