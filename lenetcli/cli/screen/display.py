"""What a person sees while runs are trained: a live display on a terminal, plain lines elsewhere."""

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
from lenetcli.experiment.sweep import Cell, Sweep
from lenetcli.training.events import Fate, Progressed
from lenetcli.words import name_value, write_duration

BARS_FROM = 60
"""In a narrower terminal numbers take the place of bars."""


class _Bars(Progress):
    """Bars with a line of news below."""

    news = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        """What the live display shows."""
        yield from super().get_renderables()
        yield Text(self.news, style="dim", no_wrap=True, overflow="ellipsis")


class Display:
    """Tells a sweep's progress on stderr; keeps the contract of ``events.Observer``.

    A terminal gets bars that move, and a line for each finished run; anything else gets a plain
    line an epoch, when it happens, without control codes.
    """

    def __init__(self, sweep: Sweep) -> None:
        # A descriptor of its own: stderr is closed to TensorFlow's log lines while that loads.
        self._stream = os.fdopen(os.dup(2), "w", encoding=sys.stderr.encoding, errors=sys.stderr.errors)
        self.console = Console(file=self._stream, highlight=False, soft_wrap=False)
        self._live = self.console.is_terminal and not self.console.is_dumb_terminal
        self._sweep = sweep
        self._ended: set[str] = set()
        self._curve: list[float] = []
        self._cell: Cell | None = None
        self._last = 0
        self._outlook = Outlook(sweep)
        self._start: tuple[float, float] | None = None
        bar: list[ProgressColumn] = [BarColumn(None)] if self.console.width >= BARS_FROM else []
        self._bars = _Bars(
            TextColumn("{task.description}", markup=False),
            *bar,
            TextColumn("{task.fields[left]}", markup=False, justify="right"),
            console=self.console,
            transient=True,
            refresh_per_second=4,
            disable=not self._live,
            expand=True,
        )
        self._total: TaskID | None = None
        self._run: TaskID | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the terminal back, its cursor too."""
        self._bars.stop()
        self._stream.flush()

    def restore(self) -> None:
        """Bring the cursor back, from inside a signal handler: no lock is waited for."""
        if self._live:
            os.write(self._stream.fileno(), b"\x1b[?25h\n")

    def note(self, text: str) -> None:
        """Something the user should know."""
        self._line(text, "yellow")

    def loading(self, what: str) -> None:
        """Something slow begins: on a terminal it shows until the next thing happens."""
        if not self._live:
            self._line(f"{what} ...")
        else:
            self._replace_run(f"{what} ...")

    def began(self, cell: Cell, first: int, last: int) -> None:
        """A run is in hand."""
        self._cell, self._last = cell, last
        self._curve = [point.val_accuracy for point in cell.run.curve[: first - 1]] if cell.run else []
        self._start = None
        self._outlook.strike(cell.config)
        if first > 1:
            self._line(f"{self._name(cell)}  goes on after epoch {first - 1}")
        if self._live:
            if self._total is None and len(self._sweep.cells) > 1:
                everything = len(self._sweep.cells) * self._sweep.epochs
                self._replace_run(None)  # the bar of the sweep stands above that of the run
                self._total = self._bars.add_task(self._position(), total=everything, left="")
            self._replace_run(f"{self._name(cell)}  getting ready ...")
            self._update_total(first - 1)

    def progressed(self, progress: Progressed) -> None:
        """News from inside an epoch."""
        if not self._live or self._run is None or self._cell is None:
            return
        done = progress.epoch - 1 + progress.images / progress.total
        now = time.monotonic()
        if self._start is None:  # what came before was getting ready
            self._start = (now, done)
        spent, gained = now - self._start[0], done - self._start[1]
        parts = [f"loss {progress.loss:.4f}"]
        parts += [f"val accuracy {self._curve[-1]:.4f}"] if self._curve else []
        left = None
        if spent > 0.2 and gained > 0:
            parts.append(f"{gained * progress.total / spent:,.0f} images/s")
            pace = spent / gained
            self._outlook.learn(self._cell.config, pace)
            left = (self._last - done) * pace
        # Where the line is not full, the ^C that a terminal shows does not move the display.
        while len(parts) > 1 and len(" · ".join(parts)) > self.console.width - len("^C"):
            parts.pop()
        self._bars.news = " · ".join(parts)
        epoch = f"{progress.epoch:>{len(str(self._last))}}/{self._last}"
        self._bars.update(
            self._run,
            description=f"{self._name(self._cell)}  epoch {epoch}",
            total=self._last,
            completed=done,
            left=_write_left(left),
        )
        self._update_total(done, left)

    def finished_epoch(self, epoch: CurvePoint, seconds: float) -> None:
        """An epoch is in the store."""
        self._curve.append(epoch.val_accuracy)
        assert self._cell is not None
        if not self._live:
            test = "" if epoch.test_accuracy is None else f"  test accuracy {epoch.test_accuracy:.4f}"
            self._line(
                f"{self._name(self._cell)}  epoch {epoch.epoch}/{self._last}"
                f"  train loss {epoch.train_loss:.4f}  val loss {epoch.val_loss:.4f}"
                f"  val accuracy {epoch.val_accuracy:.4f}{test}  {write_duration(seconds)}"
            )

    def ended(self, cell: Cell, state: RunState, fate: Fate) -> None:
        """A cell is finished; a line stays of it, unless it was before."""
        self._ended.add(cell.config.key)
        self._outlook.strike(cell.config)
        if fate in (Fate.TRAINED, Fate.CONTINUED):
            curve = self._curve
        else:
            curve = [point.val_accuracy for point in cell.run.curve] if cell.run else []
        if fate is Fate.KEPT:
            return
        if self._live:
            best = f"  best {max(curve):.4f}  {sparkline(curve, self.console)}" if curve else ""
            fully = self.console.width >= 70 or state is not RunState.COMPLETED
            told = Text(f"{self._name(cell)}{f'  {state}, {fate}' * fully}{best}")
            self.console.print(told, overflow="ellipsis", no_wrap=True)
        elif fate not in (Fate.TRAINED, Fate.CONTINUED) or state is not RunState.COMPLETED:
            self._line(f"{self._name(cell)}  {state}, {fate}")
        self._replace_run(None)
        self._update_total(0.0)

    def _replace_run(self, description: str | None) -> None:
        """Show another thing in hand, or none."""
        self._bars.news = ""
        if self._run is not None:
            self._bars.remove_task(self._run)
        self._run = None if description is None else self._bars.add_task(description, total=None, left="")

    def _update_total(self, epochs: float, left: float | None = None) -> None:
        if self._total is not None:
            done = len(self._ended) * self._sweep.epochs + epochs
            rest = self._outlook.seconds()
            told = _write_left(None if left is None or rest is None else left + rest)
            self._bars.update(self._total, description=self._position(), completed=done, left=told)

    def _position(self) -> str:
        cells = len(self._sweep.cells)
        return f"run {min(len(self._ended) + 1, cells)} of {cells}"

    def _name(self, cell: Cell) -> str:
        """The run by its value, and by its seed where there are several; as wide as the widest value."""
        parameter, values = self._sweep.parameter, self._sweep.values
        width = max(len(name_value(value)) for value in values) if self._live else 0
        name = f"{parameter.replace('_', ' ')} {name_value(cell.value):<{width}}"
        several = len(self._sweep.seeds) > 1 and parameter != "seed"
        return f"{name} seed {cell.seed}" if several else name

    def _line(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style=style), soft_wrap=not self._live)
        self._stream.flush()


def _write_left(seconds: float | None) -> str:
    return "" if seconds is None else f"{write_duration(seconds)} left"


class DownloadBar:
    """A download's progress on stderr: a bar on a terminal, one line at its end elsewhere."""

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
        """News of a file, in bytes."""
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=total)
        self._bars.update(self._tasks[name], completed=done, total=total)
        if done == total > 0 and not self._bars.console.is_terminal:
            self._bars.console.print(Text(f"Downloaded {name} ({total / 1e6:.1f} MB)"))

    def close(self) -> None:
        """Give the terminal back."""
        self._bars.stop()
