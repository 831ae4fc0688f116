"""Figures: learning curves and runtimes, drawn in one style of their own whatever matplotlib is set to."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lenetcli.analysis.curves import Curve, CurveSeries, Metric
from lenetcli.output.figures.axes import choose_kind, spread_labels
from lenetcli.output.figures.sheet import (
    fixed_style,
    lay_out,
    name_above,
    name_beside,
    set_axis,
    write_above,
    write_around,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


Size = tuple[float, float]
Colour = Sequence[float]
MARKERS = "os^Dv<P>hX"
DASHES: tuple[Any, ...] = ("-", (0, (6, 1.5)), (0, (3, 1.2)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)))
LABEL_SIZE = 8.5
LABEL_WIDTH = 30
"""The most letters of a label at a curve's end."""

LEGEND_FROM = 13
"""So many curves are named in a legend."""

METRICS = {
    Metric.VAL_ACCURACY: "Validation accuracy",
    Metric.VAL_LOSS: "Validation loss",
    Metric.TRAIN_LOSS: "Training loss",
    Metric.ERROR: "Validation error",
}


def draw_curves(
    series: CurveSeries, *, linear: bool = False, titled: bool = True, size: Size = (6.4, 4.2)
) -> "Figure":
    """Draw learning curves, one for each value, labelled at their ends or, from 13 curves on, in a legend.

    Accuracies stand on a logit axis, which shows 0.1 against 0.3 as well as 0.98 against 0.99;
    errors and losses on a logarithmic one. Where a number does not fit on such an axis (an accuracy
    of 1, a loss of 0), and with ``linear``, the axis is linear.

    Args:
        series: what to draw.
        linear: a linear axis in any case.
        titled: whether the figure says what it shows (a report has captions for that).
        size: width and height in inches.
    """
    with fixed_style():
        from matplotlib import colormaps
        from matplotlib.figure import Figure

        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        order = sorted(range(len(series.curves)), key=lambda place: _rank(series.curves[place], place))
        colours = dict(zip(order, colormaps["viridis"](_spaced(len(order))), strict=True))
        for place, curve in enumerate(series.curves):
            _draw_curve(axes, curve, colours[place], place, dense=series.epochs > 25)
        for curve in series.curves:
            if curve.ends_diverged:
                _mark_divergence(axes, curve)
        _scale_metric(axes, series, linear)
        margin = min(0.02 * (series.epochs - 1) or 0.5, 0.9)  # epoch 0 has no place
        axes.set_xlim(1 - margin, series.epochs + margin)
        axes.locator_params(axis="x", integer=True, min_n_ticks=1)
        axes.set_xlabel("epoch")
        axes.set_ylabel(METRICS[series.metric].lower())
        names = [_name(curve) for curve in series.curves]
        few = len(names) < LEGEND_FROM
        long = few and max(map(len, names)) > LABEL_WIDTH
        title = f"{METRICS[series.metric]} by {series.subject}: {series.dataset}" if titled else None
        write_around(figure, axes, title, series.setting, series.notes, len(names) if long else 0)
        handles = axes.lines[: len(names)]
        if long:
            name_above(axes, handles, names)
        elif few:
            _label_ends(figure, axes, series, colours)
        else:
            name_beside(figure, handles, names)
        return figure


def _spaced(count: int) -> list[float]:
    """Places in the palette from dark to light, short of the yellow that paper does not show."""
    return [0.8 * place / max(count - 1, 1) for place in range(count)]


def _rank(curve: Curve, place: int) -> tuple[bool, Any]:
    """Sort key of colours: by the value where it is a number (largest first), else as it came."""
    number = isinstance(curve.value, int | float)
    return (not number, -curve.value if number else place)


def _draw_curve(axes: "Axes", curve: Curve, colour: Colour, place: int, dense: bool) -> None:
    epochs = range(1, len(curve.mean) + 1)
    every = max(1, len(epochs) // 12) if dense else 1
    axes.plot(
        epochs,
        curve.mean,
        color=colour,
        marker=MARKERS[place % len(MARKERS)],
        linestyle=DASHES[place % len(DASHES)],
        markevery=every,
        clip_on=False,
        zorder=3,
    )
    if curve.seeds > 1:
        axes.fill_between(epochs, curve.low, curve.high, color=colour, alpha=0.22, linewidth=0)


def _scale_metric(axes: "Axes", series: CurveSeries, linear: bool) -> None:
    low, high = series.limits
    kind = choose_kind(low, high, series.metric is Metric.VAL_ACCURACY)
    if kind != "linear" and not linear:
        set_axis(axes, "y", low, high, kind)


def _mark_divergence(axes: "Axes", curve: Curve) -> None:
    end = ([len(curve.mean)], [curve.mean[-1]])
    axes.plot(*end, "x", color="#b00020", markersize=8, markeredgewidth=2, clip_on=False, zorder=4)


def _name(curve: Curve) -> str:
    if not curve.diverged:
        return curve.label
    if curve.ends_diverged:
        where = f"in epoch {len(curve.mean) + 1}" if curve.diverged == 1 else f"with {curve.diverged} seeds"
        return f"{curve.label}: diverged {where}"
    return f"{curve.label} ({curve.diverged} diverged)"


def _label_ends(figure: "Figure", axes: "Axes", series: CurveSeries, colours: dict[int, Colour]) -> None:
    """Write each curve's name beside its end, moved apart where they would overlap."""
    ends = [(len(curve.mean), curve.mean[-1]) for curve in series.curves]
    texts = []
    for place, (curve, end) in enumerate(zip(series.curves, ends, strict=True)):
        texts.append(
            axes.annotate(
                _name(curve),
                xy=end,
                xytext=(1.03, 0.5),
                textcoords="axes fraction",
                color=[0.7 * part for part in colours[place][:3]],  # light letters are hard to read
                fontsize=LABEL_SIZE,
                va="center",
                annotation_clip=False,
                arrowprops={
                    "arrowstyle": "-",
                    "relpos": (0, 0.5),
                    "linewidth": 0.5,
                    "color": colours[place],
                    "linestyle": ":" if end[0] < series.epochs else "-",
                    "shrinkA": 1,
                    "shrinkB": 4,
                },
            )
        )
    write_above(axes, 1.03, series.subject, 8)
    lay_out(figure)
    wanted = [height for _, height in (axes.transData - axes.transAxes).transform(ends)]
    gap = 1.3 * LABEL_SIZE / 72 * figure.dpi / axes.bbox.height
    for text, height in zip(texts, spread_labels(wanted, gap), strict=True):
        text.set_y(height)
