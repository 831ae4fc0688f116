"""A grid in the terminal: a table of its cells, each with a shade and its lines of text."""

import textwrap

from lenetcli.analysis.grids import GridSeries
from lenetcli.analysis.outcomes import Outcome
from lenetcli.experiment.parameters import name_parameter
from lenetcli.output.figures.axes import MAPS, choose_scale
from lenetcli.output.figures.grids import describe_cell, note_cells, title_grid
from lenetcli.words import name_value

SHADES = "░▒▓█"
"""The shades of cells, the lowest number first."""
GAP = 2
"""The columns between two cells."""


def write_grid(series: GridSeries, width: int, log: bool | None) -> str:
    """A grid as lines of at most ``width`` characters: several tables if its columns need more."""
    heading = ", ".join(filter(None, (title_grid(series), series.setting, series.recipe)))
    names = [name_parameter(axis.name) for axis in (series.rows_axis, series.columns_axis)]
    notes = [
        f"rows: {names[0]}; columns: {names[1]}",
        f"{SHADES}: from the lowest to the highest number",
        *note_cells(series),
    ]
    rows = [name_value(value) for value in series.rows_axis.values]
    cells = [[_write_cell(series, cell, log) for cell in row] for row in series.cells]
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
    wrapped = [line for note in notes for line in textwrap.wrap(note, width)]
    return "\n".join([*textwrap.wrap(heading, width), "", "\n\n".join(tables), "", *wrapped])


def _write_cell(series: GridSeries, cell: Outcome, log: bool | None) -> list[str]:
    """The lines of a cell, the first with its shade."""
    first, *others = describe_cell(series, cell)
    if cell.mean is None:
        return [first]
    transform = MAPS.get(choose_scale(series, log), (float, float))[0]
    low, high = map(transform, series.limits)
    share = (transform(cell.mean) - low) / (high - low) if high > low else 1.0
    return [f"{SHADES[min(int(share * len(SHADES)), len(SHADES) - 1)]} {first}", *others]


def _write_line(name: str, texts: list[str], left: int, size: int) -> str:
    return f"{name:>{left}} │" + "".join(f"{text:>{size}}" for text in texts)
