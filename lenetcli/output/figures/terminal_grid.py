"""A grid in the terminal: a table of its cells, each with a shade and its lines of text."""

import math
import textwrap
from collections.abc import Callable, Sequence

from lenetcli.analysis.grids import GridSeries
from lenetcli.analysis.outcomes import DIVERGED, Outcome
from lenetcli.experiment.parameters import name_parameter
from lenetcli.output.figures.axes import MAPS, choose_scale
from lenetcli.output.figures.grids import describe_cell, note_cells, title_grid
from lenetcli.words import name_value, plural

Shade = Callable[[float], str]

SHADES = "░▒▓█"
"""The shades of cells, the lowest number first."""
GAP = 2
"""The columns between two cells."""
NO_RUN, CROSS = "·", "X"
"""The marks of cells without a number in a table of shades: not finished, and diverged."""
MOST_LINES, MOST_SIZE = 40, 3
"""The largest number of rows of a table of shades, and of characters of a shade."""


def write_grid(series: GridSeries, width: int, log: bool | None) -> str:
    """A grid as lines of at most ``width`` characters: several tables if its columns need more.

    Of many cells it is one table of shades alone.
    """
    heading = ", ".join(filter(None, (title_grid(series), series.setting, series.recipe)))
    names = [name_parameter(axis.name) for axis in (series.rows_axis, series.columns_axis)]
    notes = [f"rows: {names[0]}; columns: {names[1]}", f"{SHADES}: from the lowest to the highest number"]
    shade = _make_shades(series, log)
    if series.is_crowd:
        table, more = _write_shades(series, width, shade)
    else:
        table, more = _write_tables(series, width, shade), []
    wrapped = [line for note in (*notes, *more, *note_cells(series)) for line in textwrap.wrap(note, width)]
    return "\n".join([*textwrap.wrap(heading, width), "", table, "", *wrapped])


def _write_tables(series: GridSeries, width: int, shade: Shade) -> str:
    """The cells with their texts, in as many tables as the columns need."""
    rows = [name_value(value) for value in series.rows_axis.values]
    cells = [[_write_cell(series, cell, shade) for cell in row] for row in series.cells]
    headers = [name_value(value) for value in series.columns_axis.values]
    left = max(map(len, rows))
    size = max(len(line) for row in cells for cell in (*row, headers) for line in cell) + GAP
    count = max(1, (width - left - len(" │")) // size)
    tables = []
    for first in range(0, len(headers), count):
        part = slice(first, first + count)
        lines = [_write_line("", headers[part], left, size)]
        lines.append(f"{'─' * (left + 1)}┼{'─' * size * len(headers[part])}")
        for name, row in zip(rows, cells, strict=True):
            height = max(len(cell) for cell in row)
            for number in range(height):
                texts = [cell[number] if number < len(cell) else "" for cell in row[part]]
                lines.append(_write_line("" if number else name, texts, left, size))
        tables.append("\n".join(lines))
    return "\n\n".join(tables)


def _write_shades(series: GridSeries, width: int, shade: Shade) -> tuple[str, list[str]]:
    """The shades of many cells as a table, and notes on what a character of it is."""
    rows = [name_value(value) for value in series.rows_axis.values]
    headers = [name_value(value) for value in series.columns_axis.values]
    left = max(map(len, rows))
    room = max(1, width - left - len(" │"))
    down, across = math.ceil(len(rows) / MOST_LINES), math.ceil(len(headers) / room)
    size = max(1, min(MOST_SIZE, room // math.ceil(len(headers) / across)))
    starts = range(0, len(headers), across)
    labels = _write_labels([headers[start] for start in starts], size, room)
    lines = [f"{'':>{left}} │{labels}", f"{'─' * (left + 1)}┼{'─' * size * len(starts)}"]
    for top in range(0, len(rows), down):
        band = series.cells[top : top + down]
        blocks = [[cell for row in band for cell in row[start : start + across]] for start in starts]
        marks = [_shade_best(series, block, shade) for block in blocks]
        lines.append(f"{rows[top]:>{left}} │" + "".join(mark * size for mark in marks))
    notes = [f"{NO_RUN}: no finished run; {CROSS}: diverged"]
    if down * across > 1:
        block = f"{plural(down, 'row')} and {plural(across, 'column')}"
        notes.append(f"each shade is that of the best of {block}, beginning at the values that are named")
    return "\n".join(lines), notes


def _write_labels(labels: Sequence[str], size: int, room: int) -> str:
    """The labels of columns of so many characters, those that have room in as many as there are."""
    line = ""
    for place, label in enumerate(labels):
        start = place * size
        if start >= len(line) + bool(line) and start + len(label) <= room:
            line = line.ljust(start) + label
    return line


def _shade_best(series: GridSeries, cells: Sequence[Outcome], shade: Shade) -> str:
    """The shade of the best of some cells, or what tells why there is none."""
    means = [cell.mean for cell in cells if cell.mean is not None]
    if not means:
        return CROSS if all(cell.mark == DIVERGED for cell in cells) else NO_RUN
    return shade(series.metric.choose(means))


def _write_cell(series: GridSeries, cell: Outcome, shade: Shade) -> list[str]:
    """The lines of a cell, the first with its shade."""
    first, *others = describe_cell(series, cell)
    return [first] if cell.mean is None else [f"{shade(cell.mean)} {first}", *others]


def _make_shades(series: GridSeries, log: bool | None) -> Shade:
    """The shade of each number."""
    transform = MAPS.get(choose_scale(series, log), (float, float))[0]
    low, high = map(transform, series.limits)

    def shade(mean: float) -> str:
        share = (transform(mean) - low) / (high - low) if high > low else 1.0
        return SHADES[min(int(share * len(SHADES)), len(SHADES) - 1)]

    return shade


def _write_line(name: str, texts: list[str], left: int, size: int) -> str:
    return f"{name:>{left}} │" + "".join(f"{text:>{size}}" for text in texts)
