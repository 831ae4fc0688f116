"""What a person sees while runs are trained: a live display on a terminal, plain lines elsewhere."""

import os
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn
from rich.text import Text

from lenetcli.render import describe_value, format_seconds, sparkline
from lenetcli.runner import Fate
from lenetcli.runs import Cell, Epoch, RunState, Sweep
from lenetcli.trainers import Progress as News


class Display:
    """Tells a sweep's progress on stderr; keeps the contract of ``runner.Observer``.

    A terminal gets bars that move, and a line for each finished run; anything else gets a plain
    line an epoch, when it happens, without control codes.
    """

    def __init__(self, sweep: Sweep) -> None:
        # A descriptor of its own: stderr is closed to TensorFlow's log lines while that loads.
        self._stream = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")
        self.console = Console(file=self._stream, highlight=False, soft_wrap=False)
        self._live = self.console.is_terminal and not self.console.is_dumb_terminal
        self._sweep = sweep
        self._done = 0
        self._curve: list[float] = []
        self._cell: Cell | None = None
        self._last = 0
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[news]}", markup=False),
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
        self.console.print(Text(text, style="yellow"), soft_wrap=True)

    def loading(self, what: str) -> None:
        """Something slow begins: on a terminal it shows until the next thing happens."""
        if not self._live:
            self._line(f"{what} …")
        elif self._run is None:
            self._run = self._bars.add_task(f"{what} …", total=None, news="")
        else:
            self._bars.update(self._run, description=f"{what} …", total=None, news="")

    def began(self, cell: Cell, first: int, last: int) -> None:
        """A run is in hand."""
        self._cell, self._last = cell, last
        self._curve = [point.val_accuracy for point in cell.run.curve[: first - 1]] if cell.run else []
        self._begun = time.monotonic()
        self._first = first
        if first > 1:
            self._line(f"{self._name(cell)}: goes on after epoch {first - 1}")
        if not self._live:
            return
        if self._run is not None:
            self._bars.remove_task(self._run)
        if self._total is None and len(self._sweep.cells) > 1:
            self._total = self._bars.add_task("", total=len(self._sweep.cells) * self._sweep.epochs, news="")
        self._run = self._bars.add_task(f"{self._name(cell)}", total=None, news="preparing")
        self._update_total(0.0)

    def progressed(self, progress: News) -> None:
        """News from inside an epoch."""
        if not self._live or self._run is None or self._cell is None:
            return
        within = progress.images / progress.total
        spent = time.monotonic() - self._begun
        done = progress.epoch - self._first + within
        speed = done * progress.total / spent
        left = (self._last - progress.epoch + 1 - within) * spent / done
        accuracy = f" · val acc {self._curve[-1]:.4f}" if self._curve else ""
        news = f"loss {progress.loss:.4f}{accuracy} · {speed:,.0f} img/s · {format_seconds(left)} left"
        if self.console.width < 90:
            news = f"loss {progress.loss:.3f} · {speed:,.0f}/s · {format_seconds(left)}"
        self._bars.update(
            self._run,
            description=f"{self._name(self._cell)}  epoch {progress.epoch}/{self._last}",
            total=self._last,
            completed=progress.epoch - 1 + within,
            news=news,
        )
        self._update_total(progress.epoch - 1 + within)

    def finished_epoch(self, epoch: Epoch, seconds: float) -> None:
        """An epoch is in the store."""
        self._curve.append(epoch.val_accuracy)
        assert self._cell is not None
        if not self._live:
            test = "" if epoch.test_accuracy is None else f"  test accuracy {epoch.test_accuracy:.4f}"
            self._line(
                f"{self._name(self._cell)}  epoch {epoch.epoch}/{self._last}"
                f"  train loss {epoch.train_loss:.4f}  val loss {epoch.val_loss:.4f}"
                f"  val accuracy {epoch.val_accuracy:.4f}{test}  {format_seconds(seconds)}"
            )

    def ended(self, cell: Cell, state: RunState, fate: Fate) -> None:
        """A cell is finished; on a terminal a line stays of it."""
        self._done += 1
        if fate in (Fate.TRAINED, Fate.CONTINUED):
            curve = self._curve
        else:
            curve = [point.val_accuracy for point in cell.run.curve] if cell.run else []
        best = f"best {max(curve):.4f}  {sparkline(curve, self.console)}" if curve else ""
        if self._live:
            told = f"{self._name(cell)}  {state}, {fate}  {best}"
            self.console.print(Text(told.rstrip()), overflow="ellipsis", no_wrap=True)
        elif fate not in (Fate.TRAINED, Fate.CONTINUED) or state is not RunState.COMPLETED:
            self._line(f"{self._name(cell)}  {state}, {fate}")
        if self._run is not None:
            self._bars.remove_task(self._run)
            self._run = None
        self._update_total(0.0)

    def _update_total(self, epochs: float) -> None:
        if self._total is not None:
            self._bars.update(
                self._total,
                description=f"run {min(self._done + 1, len(self._sweep.cells))} of {len(self._sweep.cells)}",
                completed=self._done * self._sweep.epochs + epochs,
                news="",
            )

    def _name(self, cell: Cell) -> str:
        name = describe_value(self._sweep.parameter, cell.value)
        return f"{name} seed {cell.seed}" if len(self._sweep.seeds) > 1 else name

    def _line(self, text: str) -> None:
        self.console.print(Text(text), soft_wrap=True)
        self._stream.flush()


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
