"""The moving part of the screen: bars with details, a line for each of several runs, a bar for downloads."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderableType, RenderResult
from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, TaskID, TextColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lenetcli.cli.screen.console import GAP, SPARE, Console
from lenetcli.words import write_accuracy, write_bytes

BARS_FROM = 60
"""The smallest width of a terminal, in columns, in which bars are drawn beside the numbers."""

LEAST_BAR = 10
"""The smallest width of the bar of one of several runs, in columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """What is said of one of several runs in hand.

    ``done`` counts its epochs, with a fraction. ``work`` is its images per second, or what it does instead.
    """

    name: str
    epoch: int
    last: int
    done: float
    accuracy: float | None
    work: str
    remaining: str


class _Layout(NamedTuple):
    """What a line has, and the words before its numbers."""

    epoch: str = "epoch "
    accuracy: str = "val "
    work: bool = True
    remaining: bool = True
    bar: bool = False

    def cells(self, line: RunLine) -> list[str]:
        """The texts of a line, without the bar."""
        known = line.accuracy is not None
        return [
            line.name,
            f"{self.epoch}{line.epoch:>{len(str(line.last))}}/{line.last}",
            f"{self.accuracy}{write_accuracy(line.accuracy)}" if known else "",
            *[line.work] * self.work,
            *[line.remaining] * self.remaining,
        ]


_LAYOUTS = (
    _Layout(accuracy="val accuracy ", bar=True),
    _Layout(bar=True),
    _Layout(accuracy="val accuracy "),
    _Layout(),
    _Layout(accuracy="val accuracy ", work=False),
    _Layout(work=False),
    _Layout(work=False, remaining=False),
    _Layout(epoch="", accuracy="", work=False, remaining=False),
)
"""The layouts, from the widest terminal to the narrowest."""

_LONGEST = ("", "", "0.9999", "99,999 images/s", "99 min left")
"""Texts as wide as most cells get, for which there is room from the start, so that columns stay in place."""


OTHER_LINES = 6
"""How many lines of a terminal are left to what is not the line of a run."""


class _RunLines:
    """The lines of several runs, in columns, in the widest layout for which there is room."""

    def __init__(self, lines: Sequence[RunLine]) -> None:
        self._lines = lines

    def __rich_console__(self, _console: RichConsole, options: ConsoleOptions) -> RenderResult:
        """The lines as rich draws them."""
        if not self._lines:
            return
        room = options.max_width - SPARE
        lines, left = self._lines, 0
        if len(lines) > (most := max(1, options.size.height - OTHER_LINES)):
            lines, left = lines[:most], len(lines) - most
        for layout in _LAYOUTS:
            rows = [layout.cells(line) for line in lines]
            longest = ["", "", layout.accuracy + _LONGEST[2], *_LONGEST[3:]]
            columns = zip(*rows, longest[: len(rows[0])], strict=True)
            widths = [max(map(cell_len, column)) for column in columns]
            bar = room - sum(widths) - len(GAP) * (len(widths) - 1 + layout.bar)
            if bar >= (LEAST_BAR if layout.bar else 0):
                break
        for line, row in zip(lines, rows, strict=True):
            cells: list[RenderableType] = [
                _pad(text, width, right=at > 0)
                for at, (text, width) in enumerate(zip(row, widths, strict=True))
            ]
            if layout.bar:
                cells.insert(2, ProgressBar(line.last, line.done, bar))
            grid = Table.grid(padding=(0, len(GAP), 0, 0))
            grid.add_row(*cells)
            yield grid
        if left:
            yield Text(f"and {left} more in training", style="dim")


def _pad(text: str, width: int, *, right: bool) -> Text:
    padding = " " * (width - cell_len(text))
    return Text(padding + text if right else text + padding, no_wrap=True, overflow="ellipsis")


class _Details:
    """Lines of text, each cut where there is no room."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, _console: RichConsole, options: ConsoleOptions) -> RenderResult:
        """The lines as rich draws them; an empty one, if there is nothing to say."""
        for line in self._text.split("\n"):
            text = Text(line, style="dim")
            text.truncate(options.max_width - SPARE, overflow="ellipsis")
            yield text


class Bars(Progress):
    """Bars, and below them details or the lines of several runs."""

    details = ""
    lines: Sequence[RunLine] = ()

    def __init__(self, console: Console, *, disable: bool) -> None:
        bars: list[ProgressColumn] = [BarColumn(None)] if console.width >= BARS_FROM else []
        super().__init__(
            TextColumn("{task.description}", markup=False),
            *bars,
            TextColumn("{task.fields[remaining]}", markup=False, justify="right"),
            console=console,
            transient=True,
            refresh_per_second=4,
            disable=disable,
            expand=True,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """The renderables of the live display: the bars, the lines of several runs, and the details."""
        yield from super().get_renderables()
        yield _RunLines(self.lines)
        yield _Details(self.details)


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
