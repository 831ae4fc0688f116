"""The figure of a grid: a heat map of the outcomes of two parameters."""

import math
from typing import TYPE_CHECKING, Any

from lenetcli.analysis.curves import Metric
from lenetcli.analysis.grids import MARK, MOST_COLUMNS, GridSeries
from lenetcli.analysis.outcomes import DIVERGED, Outcome
from lenetcli.experiment.parameters import PARAMETERS, name_parameter
from lenetcli.output.figures.axes import (
    MAPS,
    choose_axis,
    choose_scale,
    name_best,
    name_best_axis,
    write_tick,
)
from lenetcli.output.figures.sheet import annotate_panels
from lenetcli.words import name_value, write_accuracy, write_loss, write_runtime

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LETTER, LINE = 0.075, 0.16
"""The width of a character and the height of a line of a label, in inches."""
GREY, RED = "#eeeeee", "#f3d0d3"
"""The colours of cells without a number: not finished, and diverged."""


def describe_cell(series: GridSeries, cell: Outcome) -> list[str]:
    """The lines of text of a cell: the number, and of how many seeds it is the mean if some have several."""
    if cell.mean is None:
        return [cell.mark]
    if series.metric is Metric.RUNTIME:
        number = write_runtime(cell.mean)
    else:
        is_loss = series.metric in (Metric.VAL_LOSS, Metric.TRAIN_LOSS)
        number = write_loss(cell.mean) if is_loss else write_accuracy(cell.mean)
    lines = [number + MARK * cell.doubt]
    if any(one.cells > 1 for row in series.cells for one in row):
        lines.append(f"n = {len(cell.runs)}" + (f" of {cell.cells}" if len(cell.runs) < cell.cells else ""))
    return lines + ([f"{cell.diverged} diverged"] if cell.diverged else [])


def title_grid(series: GridSeries) -> str:
    """The title of a grid."""
    names = [name_parameter(axis.name) for axis in (series.rows_axis, series.columns_axis)]
    return f"{name_best(series.metric)} by {' and '.join(names)}: {series.dataset}"


def note_cells(series: GridSeries) -> list[str]:
    """Notes on what stands in the cells, or on the best of many without a text."""
    if series.is_crowd:
        row, column = series.best
        best = series.cells[row][column]
        values = (series.rows_axis.values[row], series.columns_axis.values[column])
        axes = (series.rows_axis, series.columns_axis)
        place = [PARAMETERS[axis.name].describe(value) for axis, value in zip(axes, values, strict=True)]
        return [f"best: {describe_cell(series, best)[0]}, with {' and '.join(place)}", *series.notes]
    several = any(one.cells > 1 for row in series.cells for one in row)
    return ["n: the number of seeds of which a cell is the mean"] * several + list(series.notes)


def choose_grid_size(series: GridSeries) -> tuple[float, float]:
    """The width and height of the figure, in inches."""
    rows, columns = len(series.cells), len(series.cells[0])
    if series.is_crowd:
        return 10.4 if columns > MOST_COLUMNS else 6.4, min(1.8 + 0.25 * rows, 9.0)
    lines = max(len(describe_cell(series, cell)) for row in series.cells for cell in row)
    return max(6.4, 2.0 + 0.8 * columns), max(2.9, 1.8 + rows * max(0.5, 0.17 * (lines + 1)))


def draw_grid(figure: "Figure", series: GridSeries, log: bool | None, titled: bool) -> None:
    """Draw a cell for each combination, coloured by its number; those without one are grey, or red.

    The colours have the scale of the series; it is linear with ``log`` False. ``titled`` adds title, setting
    and notes.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize, to_rgba

    axes = figure.add_subplot()
    scale = choose_scale(series, log)
    transform = MAPS[scale][0] if scale in MAPS else float
    low, high = series.limits
    bottom, top, ticks = choose_axis(low, high, scale) if scale in MAPS else (*_widen(low, high), None)
    share: Any = Normalize(transform(bottom), transform(top))
    palette = colormaps["viridis"]
    colours = ScalarMappable(share, palette)
    fills: list[list[Any]] = [
        [
            palette(share(transform(cell.mean)))
            if cell.mean is not None
            else to_rgba(RED if cell.mark == DIVERGED else GREY)
            for cell in cells
        ]
        for cells in series.cells
    ]
    if series.is_crowd:
        _draw_image(axes, series, fills)
    else:
        for row, cells in enumerate(series.cells):
            for column, cell in enumerate(cells):
                _draw_cell(axes, row, column, fills[row][column], series, cell)
    _set_values(axes, series, *figure.get_size_inches())
    bar = figure.colorbar(colours, ax=axes, fraction=0.03, pad=0.02, aspect=30)
    bar.outline.set_visible(False)
    if ticks:
        bar.set_ticks([transform(tick) for tick in ticks], labels=[write_tick(tick) for tick in ticks])
    bar.set_label(name_best_axis(series, scale, "\n"), fontsize=8)
    if titled:
        notes = note_cells(series)
        if series.is_crowd:
            notes = [f"framed: the {notes[0]}", "grey: no finished run; red: diverged", *notes[1:]]
        setting = ", ".join(filter(None, (series.setting, series.recipe)))
        annotate_panels(figure, title_grid(series), setting, notes)


def _widen(low: float, high: float) -> tuple[float, float]:
    """The ends of linear colours, which differ also where the numbers are equal but for rounding."""
    margin = 0.05 * abs(high) or 0.5
    return (low, high) if high - low > 1e-6 * abs(high) else (low - margin, high + margin)


def _draw_image(axes: "Axes", series: GridSeries, fills: list[list[Any]]) -> None:
    """Draw many cells as an image without texts, with a frame around the best."""
    from matplotlib.patches import Rectangle

    axes.imshow(fills, interpolation="nearest", aspect="auto")
    row, column = series.best
    for colour, width in (("white", 3.0), ("black", 1.2)):
        frame = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=colour, linewidth=width)
        axes.add_patch(frame).set_clip_on(False)


def _draw_cell(axes: "Axes", row: int, column: int, fill: Any, series: GridSeries, cell: Outcome) -> None:
    """Draw a cell: a rectangle with its lines of text."""
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=fill, edgecolor="white", linewidth=1.5)
    )
    red, green, blue = to_rgb(fill)
    is_dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.42
    colour = "white" if is_dark else "#222222" if cell.mean is not None else "#666666"
    text = "\n".join(describe_cell(series, cell))
    axes.text(column, row, text, ha="center", va="center", fontsize=7.5, color=colour, linespacing=1.3)


def _set_values(axes: "Axes", series: GridSeries, width: float, height: float) -> None:
    """Name rows and columns by their values; of many those whose labels have room on so many inches."""
    for axis, values, set_limits, room in (
        (axes.xaxis, series.columns_axis, axes.set_xlim, 0.75 * width),
        (axes.yaxis, series.rows_axis, axes.set_ylim, 0.6 * height),
    ):
        count = len(values.values)
        labels = [name_value(value) for value in values.values]
        step = 1
        if series.is_crowd:
            size = LINE if axis is axes.yaxis else (max(map(len, labels)) + 1) * LETTER
            step = math.ceil(count * size / room)
        axis.set_ticks(list(range(0, count, step)), labels=labels[::step])
        axis.set_label_text(name_parameter(values.name))
        set_limits(-0.5, count - 0.5)
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
