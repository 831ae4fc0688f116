"""The progress of training on stderr: a live display on a terminal, else plain lines; a bar for downloads."""

import os
import sys
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from rich.console import RenderableType
from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, TaskID, TextColumn
from rich.text import Text

from lenetcli.analysis.estimates import Outlook
from lenetcli.cli.screen.console import Console, sparkline
from lenetcli.experiment.run import CurvePoint, RunState
from lenetcli.experiment.sweep import Cell, Sweep, name_axes
from lenetcli.training.events import Fate, Progressed
from lenetcli.words import name_value, write_duration

BARS_FROM = 60
"""The smallest width of a terminal, in columns, in which bars are drawn beside the numbers."""


class _Bars(Progress):
    """Bars with a line of details below."""

    details = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        """The renderables of the live display: the bars and the details."""
        yield from super().get_renderables()
        yield Text(self.details, style="dim", no_wrap=True, overflow="ellipsis")


class Display:
    """Shows the progress of a sweep on stderr; implements ``events.Observer``.

    A terminal gets moving bars, and a line for each run that has ended. Anything else gets a plain line for
    each epoch as soon as that is stored, without control codes.
    """

    def __init__(self, sweep: Sweep) -> None:
        # A descriptor of its own, since descriptor 2 is redirected while TensorFlow loads (silence_stderr).
        self._stream = os.fdopen(os.dup(2), "w", encoding=sys.stderr.encoding, errors=sys.stderr.errors)
        self.console = Console(file=self._stream, highlight=False, soft_wrap=False)
        self._live = self.console.is_terminal and not self.console.is_dumb_terminal
        self._sweep = sweep
        self._ended_keys: set[str] = set()
        self._accuracies: list[float] = []  # the validation accuracies of the run in training
        self._cell: Cell | None = None  # the cell in training
        self._last_epoch = 0
        self._outlook = Outlook(sweep)
        self._rate_start: tuple[float, float] | None = None  # a time, and the epochs done by then
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
        self._run_bar: TaskID | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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

    def note(self, text: str) -> None:
        """Print a message for the user."""
        self._print_line(text, "yellow")

    def loading(self, what: str) -> None:
        """Show that a slow step begins; on a terminal until the next event."""
        if not self._live:
            self._print_line(f"{what} ...")
        else:
            self._replace_run(f"{what} ...")

    def began(self, cell: Cell, first: int, last: int) -> None:
        """Show that the training of a cell begins, with its epochs ``first`` to ``last``."""
        self._cell, self._last_epoch = cell, last
        self._accuracies = [point.val_accuracy for point in cell.run.curve[: first - 1]] if cell.run else []
        self._rate_start = None
        self._outlook.remove(cell.config)
        if first > 1:
            self._print_line(f"{self._name(cell)}  goes on after epoch {first - 1}")
        if self._live:
            if self._total_bar is None and len(self._sweep.cells) > 1:
                epochs = len(self._sweep.cells) * self._sweep.epochs
                # Bars appear in the order in which they are added, and that of the sweep is to be on top.
                self._replace_run(None)
                self._total_bar = self._bars.add_task(self._position(), total=epochs, remaining="")
            self._replace_run(f"{self._name(cell)}  getting ready ...")
            self._update_total(first - 1)

    def progressed(self, progress: Progressed) -> None:
        """Show the progress within an epoch, with the rate and the remaining time."""
        if not self._live or self._run_bar is None or self._cell is None:
            return
        done = progress.epoch - 1 + progress.images / progress.total
        now = time.monotonic()
        # The rate is measured from the first event of the run on, since tracing and warm-up come before it
        # and happen only once. Validation and storing count, because every epoch includes them.
        if self._rate_start is None:
            self._rate_start = (now, done)
        elapsed, gained = now - self._rate_start[0], done - self._rate_start[1]
        parts = [f"loss {progress.loss:.4f}"]
        parts += [f"val accuracy {self._accuracies[-1]:.4f}"] if self._accuracies else []
        remaining = None
        if elapsed > 0.2 and gained > 0:  # over a shorter time the rate would be noise
            parts.append(f"{gained * progress.total / elapsed:,.0f} images/s")
            pace = elapsed / gained
            self._outlook.record(self._cell.config, pace)
            remaining = (self._last_epoch - done) * pace
        # At Ctrl-C the terminal prints ^C after this line. In a full line that would wrap, and the next
        # refresh would miss the display by a line.
        while len(parts) > 1 and len(" · ".join(parts)) > self.console.width - len("^C"):
            parts.pop()
        self._bars.details = " · ".join(parts)
        epoch = f"{progress.epoch:>{len(str(self._last_epoch))}}/{self._last_epoch}"
        self._bars.update(
            self._run_bar,
            description=f"{self._name(self._cell)}  epoch {epoch}",
            total=self._last_epoch,
            completed=done,
            remaining=_write_remaining(remaining),
        )
        self._update_total(done, remaining)

    def finished_epoch(self, point: CurvePoint, seconds: float) -> None:
        """Note an epoch that is stored; without a live display, print its line.

        Args:
            point: its point of the curve.
            seconds: its training time.
        """
        self._accuracies.append(point.val_accuracy)
        assert self._cell is not None
        if not self._live:
            test = "" if point.test_accuracy is None else f"  test accuracy {point.test_accuracy:.4f}"
            self._print_line(
                f"{self._name(self._cell)}  epoch {point.epoch}/{self._last_epoch}"
                f"  train loss {point.train_loss:.4f}  val loss {point.val_loss:.4f}"
                f"  val accuracy {point.val_accuracy:.4f}{test}  {write_duration(seconds)}"
            )

    def ended(self, cell: Cell, state: RunState, fate: Fate) -> None:
        """Count a cell as ended and print its line; cells that were finished before get none."""
        self._ended_keys.add(cell.config.key)
        self._outlook.remove(cell.config)
        if fate is Fate.KEPT:
            return
        if fate in (Fate.TRAINED, Fate.CONTINUED):
            accuracies = self._accuracies  # ``cell.run`` is the run as it was before training
        else:
            accuracies = [point.val_accuracy for point in cell.run.curve] if cell.run else []
        if self._live:
            best = (
                f"  best {max(accuracies):.4f}  {sparkline(accuracies, self.console)}" if accuracies else ""
            )
            with_state = self.console.width >= 70 or state is not RunState.COMPLETED
            line = Text(f"{self._name(cell)}{f'  {state}, {fate}' * with_state}{best}")
            self.console.print(line, overflow="ellipsis", no_wrap=True)
        elif fate not in (Fate.TRAINED, Fate.CONTINUED) or state is not RunState.COMPLETED:
            self._print_line(f"{self._name(cell)}  {state}, {fate}")
        self._replace_run(None)
        self._update_total(0.0)

    def _replace_run(self, description: str | None) -> None:
        """Replace the bar of the run in training by one of unknown length; None removes it."""
        self._bars.details = ""
        if self._run_bar is not None:
            self._bars.remove_task(self._run_bar)
        self._run_bar = (
            None if description is None else self._bars.add_task(description, total=None, remaining="")
        )

    def _update_total(self, epochs: float, run_seconds: float | None = None) -> None:
        """Update the bar of the sweep.

        Args:
            epochs: the epochs done of the run in training.
            run_seconds: the remaining time of that run; None if unknown.
        """
        if self._total_bar is not None:
            done = len(self._ended_keys) * self._sweep.epochs + epochs
            # The remaining time is shown only if that of every run is known, the one in training and those
            # that wait: a sum without some of them would be too small.
            waiting_seconds = self._outlook.remaining_seconds()
            remaining = _write_remaining(
                None if run_seconds is None or waiting_seconds is None else run_seconds + waiting_seconds
            )
            self._bars.update(
                self._total_bar, description=self._position(), completed=done, remaining=remaining
            )

    def _position(self) -> str:
        """The number of the run in training among those of the sweep, in words."""
        cells = len(self._sweep.cells)
        return f"run {min(len(self._ended_keys) + 1, cells)} of {cells}"

    def _name(self, cell: Cell) -> str:
        """The name of a run: its values on the axes of the sweep.

        On a terminal the values are padded to the width of the widest one, so that lines are aligned.
        """
        words = []
        for name in name_axes(self._sweep):
            values = {name_value(getattr(other.config, name)) for other in self._sweep.cells}
            width = max(map(len, values)) if self._live else 0
            words.append(f"{name.replace('_', ' ')} {name_value(getattr(cell.config, name)):<{width}}")
        return " ".join(words)

    def _print_line(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style=style), soft_wrap=not self._live)
        self._stream.flush()


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
        self._bars.start()
        self._tasks: dict[str, TaskID] = {}

    def update(self, name: str, done: int, total: int) -> None:
        """Show the progress of a file, in bytes; ``total`` is 0 if its size is unknown."""
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=total)
        self._bars.update(self._tasks[name], completed=done, total=total)
        if done == total > 0 and not self._bars.console.is_terminal:
            self._bars.console.print(Text(f"Downloaded {name} ({total / 1e6:.1f} MB)"))

    def close(self) -> None:
        """Remove the bars from the terminal."""
        self._bars.stop()
