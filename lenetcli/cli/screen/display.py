"""The progress of training on stderr: a live display on a terminal, else plain lines; a bar for downloads."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from rich.console import RenderableType
from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, TaskID, TextColumn
from rich.text import Text

from lenetcli.analysis.estimates import Outlook
from lenetcli.cli.screen.console import Console, sparkline
from lenetcli.cli.screen.streams import open_messages
from lenetcli.experiment.run import RunState
from lenetcli.experiment.sweep import Cell, Sweep, name_axes
from lenetcli.training.events import Began, Ended, Event, Fate, Held, Loading, Noted, Progressed, Stored
from lenetcli.words import (
    name_value,
    write_accuracy,
    write_bytes,
    write_duration,
    write_loss,
    write_runtime,
    write_time,
)

BARS_FROM = 60
"""The smallest width of a terminal, in columns, in which bars are drawn beside the numbers."""


class _Bars(Progress):
    """Bars with a line of details below."""

    details = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        """The renderables of the live display: the bars and the details."""
        yield from super().get_renderables()
        yield Text(self.details, style="dim", no_wrap=True, overflow="ellipsis")


@dataclass(slots=True, kw_only=True)
class _Row:
    """What is shown of a run in training; ``epochs`` counts those that are done, with a fraction."""

    cell: Cell
    last: int
    accuracies: list[float]
    epochs: float
    bar: TaskID | None = None
    details: str = ""
    start: tuple[float, float] | None = None  # a time, and the epochs done by then
    remaining: float | None = None


class Display:
    """Shows the progress of the runs of a sweep on stderr, from the events of their training.

    A terminal gets moving bars, and a line for each run that has ended. Anything else gets a plain line for
    each epoch as soon as that is stored, without control codes.
    """

    def __init__(self, sweep: Sweep) -> None:
        # A descriptor of its own, since descriptor 2 is redirected while TensorFlow loads (silence_stderr).
        self._stream = open_messages(os.dup(2))
        self.console = Console(file=self._stream, highlight=False, soft_wrap=False)
        self._live = self.console.is_terminal and not self.console.is_dumb_terminal
        self._sweep = sweep
        self._cells = {cell.config.key: cell for cell in sweep.cells}
        self._names = _name_cells(sweep, aligned=self._live)
        self._rows: dict[str, _Row] = {}  # the runs in training, by key
        self._held: dict[str, str] = {}  # the lines of runs that other processes train, by key
        self._told: dict[str, tuple[str, bool]] = {}  # what was said of each: where, and whether it is alive
        self._ended_keys: set[str] = set()
        self._outlook = Outlook(sweep)
        bars: list[ProgressColumn] = [BarColumn(None)] if self.console.width >= BARS_FROM else []
        self._bars = _Bars(
            TextColumn("{task.description}", markup=False),
            *bars,
            TextColumn("{task.fields[remaining]}", markup=False, justify="right"),
            console=self.console,
            transient=True,
            refresh_per_second=4,
            disable=not self._live,
            expand=True,
        )
        self._total_bar: TaskID | None = None
        self._loading_bar: TaskID | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the bars from the terminal and show its cursor again."""
        self._bars.stop()
        self._stream.flush()

    def restore(self) -> None:
        """Show the cursor again; may be called from a signal handler."""
        if self._live:
            # The interrupted code or another thread may hold the locks of rich and of the stream. Writing to
            # the descriptor takes no lock, so that it neither waits nor fails for that reason.
            os.write(self._stream.fileno(), b"\x1b[?25h\n")

    def show(self, event: Event) -> None:
        """Show an event of training."""
        match event:
            case Noted(text):
                self._print_line(text, "yellow")
            case Loading(what):
                self._show_loading(f"{what} ...")
            case Held():
                self._hold(event)
            case Began():
                self._begin(event)
            case Progressed():
                self._progress(event)
            case Stored():
                self._rows[event.key].accuracies.append(event.point.val_accuracy)
                if not self._live:
                    self._print_epoch(event)
            case Ended():
                self._end(event)

    def _show_loading(self, text: str | None) -> None:
        """Show that a slow step is under way, on a terminal in a bar of unknown length; None removes that."""
        if text is not None and not self._live:
            self._print_line(text)
            return
        if self._loading_bar is not None:
            self._bars.remove_task(self._loading_bar)
        self._loading_bar = None if text is None else self._bars.add_task(text, total=None, remaining="")

    def _hold(self, event: Held) -> None:
        """Say where a run is trained, once and when it changes; a terminal counts the seconds down."""
        text = f"{self._names[event.key]}  {_write_held(event)}"
        told = (event.host, event.left is None)
        if self._told.get(event.key) != told:
            self._told[event.key] = told
            self._print_line(text, "yellow")
        if self._live:
            self._held[event.key] = text
            self._show_loading("\n".join(self._held.values()))

    def _begin(self, event: Began) -> None:
        cell, name = self._cells[event.key], self._names[event.key]
        accuracies = cell.run.val_accuracies[: event.first - 1] if cell.run else []
        row = _Row(cell=cell, last=event.last, accuracies=accuracies, epochs=event.first - 1)
        self._rows[event.key] = row
        self._outlook.remove(cell.config)
        self._held.clear()  # nobody counts while this process trains
        self._told.pop(event.key, None)
        if event.first > 1:
            self._print_line(f"{name}  goes on after epoch {event.first - 1}")
        if self._live:
            self._show_loading(None)
            if self._total_bar is None and len(self._cells) > 1:
                # Bars appear in the order in which they are added, and that of the sweep is to be on top.
                epochs = len(self._cells) * self._sweep.epochs
                self._total_bar = self._bars.add_task(self._position(), total=epochs, remaining="")
            row.bar = self._bars.add_task(f"{name}  getting ready ...", total=None, remaining="")
            self._update_total()

    def _progress(self, event: Progressed) -> None:
        """Show the progress within an epoch, with the rate and the remaining time."""
        row = self._rows.get(event.key)
        if row is None or row.bar is None:
            return
        row.epochs = event.epoch - 1 + event.images / event.total
        now = time.monotonic()
        # The rate is measured from the first event of the run on, since tracing and warm-up come before it
        # and happen only once. Validation and storing count, because every epoch includes them.
        if row.start is None:
            row.start = (now, row.epochs)
        elapsed, gained = now - row.start[0], row.epochs - row.start[1]
        name = self._names[event.key]
        parts = [f"loss {write_loss(event.loss)}"]
        parts += [f"val accuracy {write_accuracy(row.accuracies[-1])}"] if row.accuracies else []
        row.remaining = None
        if elapsed > 0.2 and gained > 0:  # over a shorter time the rate would be noise
            parts.append(f"{gained * event.total / elapsed:,.0f} images/s")
            pace = elapsed / gained
            self._outlook.record(row.cell.config, pace)
            row.remaining = (row.last - row.epochs) * pace
        # At Ctrl-C the terminal prints ^C after this line. In a full line that would wrap, and the next
        # refresh would miss the display by a line.
        prefix = f"{name}  " if len(self._rows) > 1 else ""
        while len(parts) > 1 and len(prefix + " · ".join(parts)) > self.console.width - len("^C"):
            parts.pop()
        row.details = prefix + " · ".join(parts)
        self._bars.update(
            row.bar,
            description=f"{name}  epoch {event.epoch:>{len(str(row.last))}}/{row.last}",
            total=row.last,
            completed=row.epochs,
            remaining=_write_remaining(row.remaining),
        )
        self._update_total()

    def _print_epoch(self, event: Stored) -> None:
        point = event.point
        test = "" if point.test_accuracy is None else f"  test accuracy {write_accuracy(point.test_accuracy)}"
        self._print_line(
            f"{self._names[event.key]}  epoch {point.epoch}/{self._rows[event.key].last}"
            f"  train loss {write_loss(point.train_loss)}  val loss {write_loss(point.val_loss)}"
            f"  val accuracy {write_accuracy(point.val_accuracy)}{test}  {write_runtime(event.seconds)}"
        )

    def _end(self, event: Ended) -> None:
        """Remove the row of a run and, unless it is left, count it as ended and print its line."""
        row = self._rows.pop(event.key, None)
        self._held.pop(event.key, None)
        self._outlook.remove(self._cells[event.key].config)
        if event.fate is not Fate.LEFT:
            self._ended_keys.add(event.key)
            if event.fate is not Fate.KEPT:
                self._print_end(event, row)
        if row is not None and row.bar is not None:
            self._bars.remove_task(row.bar)
        self._show_loading(None)
        self._update_total()

    def _print_end(self, event: Ended, row: _Row | None) -> None:
        run, name, state, fate = self._cells[event.key].run, self._names[event.key], event.state, event.fate
        trained = fate in (Fate.TRAINED, Fate.CONTINUED)
        if self._live:
            accuracies = run.val_accuracies if run else []
            if row and trained:
                accuracies = row.accuracies  # ``run`` is the run as it was before training
            best = ""
            if accuracies:
                low, high = min(accuracies), max(accuracies)
                spark = sparkline(accuracies, self.console, low, high)
                # The runs still to come are not known: each line has a scale of its own, and says it.
                best = f"  best {write_accuracy(high)}" + (
                    f"  {spark} from {write_accuracy(low)}" * bool(spark)
                )
            with_state = self.console.width >= 70 or state is not RunState.COMPLETED
            line = Text(f"{name}{f'  {state}, {fate}' * with_state}{best}")
            self.console.print(line, overflow="ellipsis", no_wrap=True)
        elif not trained or state is not RunState.COMPLETED:
            self._print_line(f"{name}  {state}, {fate}")

    def _update_total(self) -> None:
        """Update the bar of the sweep and the details of its runs."""
        rows = self._rows.values()
        self._bars.details = "\n".join(filter(None, (row.details for row in rows)))
        if self._total_bar is not None:
            done = len(self._ended_keys) * self._sweep.epochs + sum(row.epochs for row in rows)
            # The remaining time is shown only if that of every run is known, of those in training and those
            # that wait: a sum without some of them would be too small. Runs in training share the rest.
            seconds = [self._outlook.remaining_seconds(), *(row.remaining for row in rows)]
            known = [one for one in seconds if one is not None]
            left = _write_remaining(sum(known) / len(rows) if rows and len(known) == len(seconds) else None)
            self._bars.update(self._total_bar, description=self._position(), completed=done, remaining=left)

    def _position(self) -> str:
        """The number of the run in training among those of the sweep, in words."""
        return f"run {min(len(self._ended_keys) + 1, len(self._cells))} of {len(self._cells)}"

    def _print_line(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style=style), soft_wrap=not self._live)
        self._stream.flush()


def _name_cells(sweep: Sweep, *, aligned: bool) -> dict[str, str]:
    """The name of each run by key: its values on the axes, padded to one width if ``aligned``."""
    names: dict[str, str] = {cell.config.key: "" for cell in sweep.cells}
    for axis in name_axes(sweep):
        values = {cell.config.key: name_value(getattr(cell.config, axis)) for cell in sweep.cells}
        width = max(map(len, values.values())) if aligned else 0
        for key, value in values.items():
            names[key] += f" {axis.replace('_', ' ')} {value:<{width}}"
    return {key: name.removeprefix(" ") for key, name in names.items()}


def _write_held(event: Held) -> str:
    """Where a run is trained and, if it is waited for, when it is taken over."""
    last = f" (the last one at {write_time(event.seen_at)} by its clock)" if event.seen_at else ""
    process = f"another process on {event.host}"
    if event.left is None:
        return f"is in the hands of {process}"
    return f"is taken over in {write_duration(event.left)} unless {process} gives a sign of life{last}"


def _write_remaining(seconds: float | None) -> str:
    return "" if seconds is None else f"{write_duration(seconds)} left"


class DownloadBar:
    """Shows the progress of downloads on stderr: a bar per file on a terminal, else a line at its end."""

    def __init__(self) -> None:
        console = Console(stderr=True, highlight=False)
        self._bars = Progress(
            TextColumn("Downloading {task.description}", markup=False),
            BarColumn(bar_width=None),
            DownloadColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def update(self, name: str, done: int, total: int) -> None:
        """Show the progress of a file, in bytes; ``total`` is 0 if its size is unknown."""
        if name not in self._tasks:
            self._bars.start()
            self._tasks[name] = self._bars.add_task(name, total=total)
        self._bars.update(self._tasks[name], completed=done, total=total)
        if done == total > 0 and not self._bars.console.is_terminal:
            self._bars.console.print(Text(f"Downloaded {name} ({write_bytes(total)})"))

    def close(self) -> None:
        """Remove the bars from the terminal."""
        if self._tasks:
            self._bars.stop()
