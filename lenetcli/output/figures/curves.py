"""The figure of learning curves: a metric by epoch, a curve for each value of a parameter."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from lenetcli.analysis.curves import CurveSeries
from lenetcli.analysis.families import Curve
from lenetcli.output.figures.axes import METRICS, choose_scale, name_axis, spread_labels
from lenetcli.output.figures.crowds import choose_shades, draw_thick, draw_thin
from lenetcli.output.figures.sheet import (
    add_text_above,
    annotate_figure,
    fill,
    freeze_layout,
    keep_ticks_possible,
    set_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

MARKERS = "os^Dv<P>hX*"
DASHES: tuple[Any, ...] = ("-", (0, (6, 1.5)), (0, (3, 1.2)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)))
"""Eleven markers and five dashes: of 55 curves, no two have both in common."""
LABEL_SIZE = 8.5
"""The font size of labels, in points."""
LABEL_WIDTH = 30, 170
"""The longest label at a curve's end, in characters and in points."""


class End(NamedTuple):
    """A label at the end of a curve, in its colour."""

    name: str
    curve: Curve
    colour: Sequence[float]


def draw_curves(figure: "Figure", series: CurveSeries, log: bool | None, titled: bool) -> None:
    """Draw learning curves, one for each value, with labels at their ends; of a crowd a few have some.

    The axis has the scale of the series; it is linear with ``log`` False. ``titled`` adds title, setting and
    notes.
    """
    axes = figure.add_subplot()
    if series.is_crowd:
        handles, ends = [], _draw_crowd(figure, axes, series)
    else:
        colours = choose_colours([curve.value for curve in series.curves])
        handles = [
            draw_curve(axes, curve, colours[index], index, dense=series.epochs > 25)
            for index, curve in enumerate(series.curves)
        ]
        ends = [End(curve.name, curve, colour) for curve, colour in zip(series.curves, colours, strict=True)]
    scale = choose_scale(series, log)
    if scale != "linear":
        set_axis(axes, "y", *series.limits, scale)
    else:
        keep_ticks_possible(axes, series.metric)
    set_epochs(axes, series.epochs)
    axes.set_ylabel(name_axis(METRICS[series.metric].lower(), scale, "\n"))
    names = [end.name for end in ends]
    is_long = not series.is_crowd and any(_shorten(name) != name for name in names)
    title = f"{METRICS[series.metric]} by {series.subject}: {series.dataset}" if titled else None
    annotate_figure(figure, axes, series, title, handles, names if is_long else [])
    if not is_long:
        _label_ends(figure, axes, series, ends)


def _shorten(name: str) -> str:
    """The name of a curve; of a long one the beginning, as far as a label has room."""
    line, *more = fill(name, *LABEL_WIDTH, LABEL_SIZE).split("\n")
    return f"{line} …" if more else name


def _draw_crowd(figure: "Figure", axes: "Axes", series: CurveSeries) -> list[End]:
    """Draw many curves: thin but for the best, the median and the worst; returns the ends of these."""
    shades = choose_shades(series.parameter, [curve.value for curve in series.curves])
    roles = series.extremes
    draw_thin(axes, [curve for place, curve in enumerate(series.curves) if place not in roles], shades)
    ends = []
    for place, role in roles.items():
        curve = series.curves[place]
        ends.append(End(f"{_shorten(curve.name)} ({role})", curve, draw_thick(axes, curve, shades)))
    if shades:
        shades.add_bar(figure, axes)
    return ends


def set_epochs(axes: "Axes", epochs: int) -> None:
    """Let the horizontal axis show so many epochs."""
    margin = min(0.02 * (epochs - 1) or 0.5, 0.9)  # below 1: there is no epoch 0
    axes.set_xlim(1 - margin, epochs + margin)
    axes.locator_params(axis="x", integer=True, min_n_ticks=1)
    axes.set_xlabel("epoch")


def choose_colours(values: Sequence[Any]) -> list[Sequence[float]]:
    """The colours of values: the largest number is the darkest, and what is no number comes last."""
    from matplotlib import colormaps

    def key(index: int) -> tuple[bool, Any]:
        numeric = isinstance(values[index], int | float)
        return (not numeric, -values[index] if numeric else index)

    order = sorted(range(len(values)), key=key)
    # From dark to light, without the yellow end of the palette, which is faint on paper.
    palette = colormaps["viridis"]([0.8 * index / max(len(order) - 1, 1) for index in range(len(order))])
    return [palette[order.index(index)] for index in range(len(order))]


def draw_curve(axes: "Axes", curve: Curve, colour: Sequence[float], index: int, dense: bool) -> "Line2D":
    """Draw the mean over the seeds as a line, the range of the seeds as a band, and a cross at a divergence.

    With ``dense``, only about twelve epochs have markers. Returns the line.
    """
    epochs = range(1, len(curve.mean) + 1)
    (line,) = axes.plot(
        epochs, curve.mean, color=colour, clip_on=False, zorder=3,
        marker=MARKERS[index % len(MARKERS)], markevery=max(1, len(epochs) // 12) if dense else 1,
        linestyle=DASHES[index % len(DASHES)],
    )  # fmt: skip
    if curve.seeds > 1:
        axes.fill_between(epochs, curve.low, curve.high, color=colour, alpha=0.22, linewidth=0)
    if curve.ends_diverged:
        end, red = (epochs[-1], curve.mean[-1]), "#b00020"
        axes.plot(*end, "x", color=red, markersize=8, markeredgewidth=2, clip_on=False, zorder=4)
    return line


def _label_ends(
    figure: "Figure",
    axes: "Axes",
    series: CurveSeries,
    labels: Sequence[End],
) -> None:
    """Label curves to the right of the axes, at the heights of their ends unless labels would overlap."""
    # How far labels must be moved apart depends on the height of the axes, hence on the layout, and the
    # layout depends on the widths of the labels. So the labels are added at a provisional height, the layout
    # reserves their widths and is frozen, and only then are they moved. A line joins each label with its end,
    # dotted if the curve ends before the last epoch, so that it does not look like a part of the curve.
    ends = [(len(label.curve.mean), label.curve.mean[-1]) for label in labels]
    texts = []
    for (name, _, colour), end in zip(labels, ends, strict=True):
        dark = [0.7 * channel for channel in colour[:3]]  # light text is hard to read
        style = {"arrowstyle": "-", "relpos": (0, 0.5), "linewidth": 0.5, "shrinkA": 1, "shrinkB": 4}
        line = style | {"color": colour, "linestyle": ":" if end[0] < series.epochs else "-"}
        texts.append(axes.annotate(
            name, xy=end, xytext=(1.03, 0.5), textcoords="axes fraction", arrowprops=line,
            color=dark, fontsize=LABEL_SIZE, va="center", annotation_clip=False,
        ))  # fmt: skip
    add_text_above(axes, 1.03, series.subject, 8)
    freeze_layout(figure)
    end_heights = [height for _, height in (axes.transData - axes.transAxes).transform(ends)]
    gap = 1.3 * LABEL_SIZE / 72 * figure.dpi / axes.bbox.height  # 1.3 lines as a fraction of the axes' height
    for text, height in zip(texts, spread_labels(end_heights, gap), strict=True):
        text.set_y(height)
