"""The progress of training on stderr: a live display on a terminal, else plain lines."""

import os
import time
from dataclasses import dataclass
from typing import Self

from rich.progress import TaskID
from rich.text import Text

from lenetcli.analysis.estimates import Outlook
from lenetcli.cli.screen.bars import Bars, RunLine
from lenetcli.cli.screen.console import SPARE, Console, print_wrapped
from lenetcli.cli.screen.streams import open_messages
from lenetcli.cli.screen.texts import (
    name_cells,
    write_best,
    write_epoch,
    write_held,
    write_position,
    write_remaining,
)
from lenetcli.experiment.run import RunState
from lenetcli.experiment.sweep import Cell, Sweep
from lenetcli.training.events import (
    Began,
    Ended,
    Event,
    Fate,
    Held,
    Lasting,
    Loading,
    Noted,
    Progressed,
    Stored,
)
from lenetcli.words import write_accuracy, write_loss

MANY = 16
UPDATE_SECONDS = 0.1
"""From so many runs on, the shortest time from one change of their lines to the next: each takes a while."""


@dataclass(slots=True, kw_only=True)
class _Row:
    """What is shown of a run in training; ``epochs`` counts those that are done, with a fraction."""

    cell: Cell
    epoch: int
    last: int
    accuracies: list[float]
    epochs: float
    bar: TaskID | None = None
    details: str = ""
    work: str = "getting ready"
    start: tuple[float, float] | None = None  # a time, and the epochs done by then
    remaining: float | None = None

    def advance(self, event: Progressed) -> float | None:
        """Note how far the run is; returns the seconds that an epoch takes, if that can be told already."""
        self.epoch, self.epochs = event.epoch, event.epoch - 1 + event.images / event.total
        now = time.monotonic()
        # The rate is measured from the first event of the run on, since tracing and warm-up come before it
        # and happen only once. Validation and storing count, because every epoch includes them.
        if self.start is None:
            self.start = (now, self.epochs)
        elapsed, gained = now - self.start[0], self.epochs - self.start[1]
        if elapsed <= 0.2 or gained <= 0:  # over a shorter time the rate would be noise
            self.work, self.remaining = "", None
            return None
        self.work = f"{gained * event.total / elapsed:,.0f} images/s"
        pace = elapsed / gained
        self.remaining = (self.last - self.epochs) * pace
        return pace

    def write(self, name: str) -> RunLine:
        """The line of the run beside others."""
        return RunLine(
            name=name,
            epoch=self.epoch,
            last=self.last,
            done=self.epochs,
            accuracy=self.accuracies[-1] if self.accuracies else None,
            work=self.work,
            remaining=write_remaining(self.remaining),
        )


class Display:
    """Shows the progress of the runs of a sweep on stderr, from the events of their training.

    A terminal gets moving bars, and a line for each run that has ended. If several ``jobs`` may be in
    training at once, each of these has one line below the bar of the sweep. Anything else gets a plain line
    for each epoch as soon as that is stored, without control codes. ``jobs`` may be set until the first run
    begins; ``show`` is called by one thread at a time.
    """

    def __init__(self, sweep: Sweep, jobs: int = 1) -> None:
        # A descriptor of its own, since descriptor 2 is redirected while TensorFlow loads (silence_stderr).
        self._stream = open_messages(os.dup(2))
        self.console = Console(file=self._stream, highlight=False, soft_wrap=False)
        self._live = self.console.is_terminal and not self.console.is_dumb_terminal
        self._sweep = sweep
        self.jobs = jobs
        self._cells = {cell.config.key: cell for cell in sweep.cells}
        self._names = name_cells(sweep, aligned=self._live)
        self._rows: dict[str, _Row] = {}  # the runs in training, by key, in the order in which they began
        # The accuracies of the epochs that are stored, by key: a run that begins again goes on with these.
        self._accuracies = {
            key: cell.run.val_accuracies if cell.run else [] for key, cell in self._cells.items()
        }
        self._loading = ""
        self._held: dict[str, str] = {}  # the lines of runs that other processes train, by key
        self._told: dict[str, tuple[str, bool]] = {}  # what was said of each: where, and whether it is alive
        self._said: set[str] = set()  # the slow steps that were told of
        self._ended_keys: set[str] = set()
        self._update_at = 0.0
        self._outlook = Outlook(sweep)
        self._bars = Bars(self.console, disable=not self._live)
        # Bars stand in the order in which they are added, and that of the sweep is to be on top.
        epochs = len(self._cells) * sweep.epochs
        self._total_bar = self._bars.add_task("", total=epochs, remaining="", visible=False)
        self._waiting_bar = self._bars.add_task("", total=None, remaining="", visible=False)

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
                self._load(f"{what} ...")
            case Held():
                self._hold(event)
            case Began():
                self._begin(event)
            case Lasting():
                self._tell_lasting(event)
            case Progressed():
                self._progress(event)
            case Stored():
                self._rows[event.key].accuracies.append(event.point.val_accuracy)
                if self._live:
                    self._update()
                else:
                    text = write_epoch(event.point, self._rows[event.key].last, event.seconds)
                    self._print_line(f"{self._names[event.key]}  {text}")
            case Ended():
                self._end(event)

    def _load(self, text: str) -> None:
        """Show that a slow step is under way, on a terminal in a bar of unknown length.

        Each step is told of once, though several workers take it, and none beside the lines of several runs.
        """
        if self._live:
            self._loading = "" if self.jobs > 1 and self._rows else text
            self._show_waiting()
        else:
            self._say_once(text, text)

    def _say_once(self, what: str, text: str) -> None:
        """Print a line on what happens, unless that was told of."""
        if what not in self._said:
            self._said.add(what)
            self._print_line(text)

    def _show_waiting(self) -> None:
        """Show what is waited for: runs of other processes, or a slow step."""
        held, text = "\n".join(self._held.values()), self._loading
        if self.jobs == 1:
            text = held or text
        else:  # in a bar, so long a text would leave no room for the bar of the sweep
            self._bars.details = held
        self._bars.update(self._waiting_bar, description=text, visible=bool(text))

    def _hold(self, event: Held) -> None:
        """Say where a run is trained, once and when it changes; a terminal counts the seconds down."""
        text = f"{self._names[event.key]}  {write_held(event)}"
        told = (event.host, event.left is None)
        if self._told.get(event.key) != told:
            self._told[event.key] = told
            self._print_line(text, "yellow")
        if self._live:
            self._held[event.key] = text
            self._show_waiting()

    def _begin(self, event: Began) -> None:
        cell, name = self._cells[event.key], self._names[event.key]
        self._remove_row(event.key)  # its worker may have died, and another one goes on
        accuracies = self._accuracies[event.key][: event.first - 1]
        self._accuracies[event.key] = accuracies
        row = _Row(
            cell=cell, epoch=event.first, last=event.last, accuracies=accuracies, epochs=event.first - 1
        )
        self._rows[event.key] = row
        self._outlook.remove(cell.config)
        self._held.pop(event.key, None)
        if self.jobs == 1:
            self._held.clear()  # nobody counts while this process trains
        self._told.pop(event.key, None)
        if event.first > 1:
            self._print_line(f"{name}  goes on after epoch {event.first - 1}")
        if self._live:
            self._loading = ""
            self._show_waiting()
            self._bars.update(self._total_bar, visible=len(self._cells) > 1)
            if self.jobs == 1:
                row.bar = self._bars.add_task(f"{name}  {row.work} ...", total=None, remaining="")
            self._update()

    def _tell_lasting(self, event: Lasting) -> None:
        """Say what a run does that makes no progress; without a terminal, of the first one alone."""
        row, text = self._rows[event.key], f"{self._names[event.key]}  {event.what} ..."
        if self._live:
            row.work = event.what
            if row.bar is not None:
                self._bars.update(row.bar, description=text)
            self._update()
        else:
            self._say_once(event.what, text)

    def _progress(self, event: Progressed) -> None:
        """Show the progress within an epoch, with the rate and the remaining time."""
        row = self._rows.get(event.key)
        if row is None or not self._live:
            return
        pace = row.advance(event)
        if pace is not None:
            self._outlook.record(row.cell.config, pace)
        if row.bar is not None:
            self._show_alone(event, row, row.bar)
        self._update()

    def _show_alone(self, event: Progressed, row: _Row, bar: TaskID) -> None:
        """Show the only run in training, in a bar with details below."""
        parts = [f"loss {write_loss(event.loss)}"]
        parts += [f"val accuracy {write_accuracy(row.accuracies[-1])}"] if row.accuracies else []
        parts += [row.work] if row.work else []
        while len(parts) > 1 and len(" · ".join(parts)) > self.console.width - SPARE:
            parts.pop()
        row.details = " · ".join(parts)
        self._bars.update(
            bar,
            description=f"{self._names[event.key]}  epoch {event.epoch:>{len(str(row.last))}}/{row.last}",
            total=row.last,
            completed=row.epochs,
            remaining=write_remaining(row.remaining),
        )

    def _end(self, event: Ended) -> None:
        """Remove the row of a run and, unless it is left, count it as ended and print its line."""
        row = self._remove_row(event.key)
        self._held.pop(event.key, None)
        self._outlook.remove(self._cells[event.key].config)
        if event.fate is not Fate.LEFT:
            self._ended_keys.add(event.key)
            if event.fate is not Fate.KEPT:
                self._print_end(event, row)
        if self.jobs == 1 or not self._rows:
            self._loading = ""
        self._show_waiting()
        self._update()

    def _remove_row(self, key: str) -> _Row | None:
        row = self._rows.pop(key, None)
        if row is not None and row.bar is not None:
            self._bars.remove_task(row.bar)
        return row

    def _print_end(self, event: Ended, row: _Row | None) -> None:
        name, state, fate = self._names[event.key], event.state, event.fate
        trained = fate in (Fate.TRAINED, Fate.CONTINUED)
        if self._live:
            run = self._cells[event.key].run
            accuracies = run.val_accuracies if run else []
            if row and (trained or not run):
                accuracies = row.accuracies  # ``run`` is the run as it was before training
            best = write_best(accuracies, self.console)
            with_state = self.console.width >= 70 or state is not RunState.COMPLETED
            line = Text(f"{name}{f'  {state}, {fate}' * with_state}{best}")
            self.console.print(line, overflow="ellipsis", no_wrap=True)
        elif not trained or state is not RunState.COMPLETED:
            self._print_line(f"{name}  {state}, {fate}")

    def _update(self) -> None:
        """Update the bar of the sweep, and the details or the lines of its runs; of many not too often."""
        if len(self._rows) > MANY:
            if time.monotonic() < self._update_at:
                return
            self._update_at = time.monotonic() + UPDATE_SECONDS
        rows = self._rows.values()
        if self.jobs == 1:
            self._bars.details = "\n".join(filter(None, (row.details for row in rows)))
        else:
            self._bars.lines = [row.write(self._names[key]) for key, row in self._rows.items()]
        done = len(self._ended_runs) * self._sweep.epochs + sum(row.epochs for row in rows)
        # The remaining time is shown only if that of every run is known, of those in training and those that
        # wait: a sum without some of them would be too small. The runs in training share the rest.
        seconds = [self._outlook.remaining_seconds(), *(row.remaining for row in rows)]
        known = [one for one in seconds if one is not None]
        left = None
        if rows and len(known) == len(seconds):
            # One that ends is followed by another at once: as many share the rest as there can be.
            sharing = max(len(rows), min(self.jobs, len(self._cells) - len(self._ended_runs)))
            left = max(sum(known) / sharing, *known[1:])
        position = write_position(len(self._ended_runs), len(self._cells), self.jobs)
        self._bars.update(
            self._total_bar, description=position, completed=done, remaining=write_remaining(left)
        )

    @property
    def _ended_runs(self) -> set[str]:
        """The keys of the runs that have ended, without those that are measured again just now."""
        return self._ended_keys - self._rows.keys()

    def _print_line(self, text: str, style: str = "") -> None:
        print_wrapped(self.console, Text(text, style=style))
        self._stream.flush()
