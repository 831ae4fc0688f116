"""The figure of panels: learning curves or effects, side by side on common axes."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from lenetcli.analysis.crowds import CROWD
from lenetcli.analysis.curves import CurveSeries
from lenetcli.analysis.effects import EffectSeries, Line
from lenetcli.analysis.outcomes import DIVERGED
from lenetcli.analysis.panels import PanelSeries
from lenetcli.experiment.parameters import name_parameter
from lenetcli.output.figures.axes import (
    MAPS,
    METRICS,
    choose_scale,
    choose_ticks,
    name_axis,
    name_best,
    name_best_axis,
    thin_labels,
)
from lenetcli.output.figures.crowds import Shades, choose_shades, draw_thick, draw_thin, shade
from lenetcli.output.figures.curves import DASHES, MARKERS, choose_colours, draw_curve, set_epochs
from lenetcli.output.figures.sheet import (
    NOTE,
    add_legend_beside,
    annotate_panels,
    freeze_layout,
    keep_ticks_possible,
    set_axis,
    wrap_notes,
)
from lenetcli.words import name_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTHS = {1: 6.4, 2: 6.4, 3: 8.4, 4: 10.4}
"""The width of a figure with so many panels side by side, in inches."""
CROSS = 0.06
"""The height of the cross of a diverged value, as a share of that of the axes."""
LETTER = 0.075
"""The width of a character of a tick's label, in inches."""
SMALL = 2.0
"""The size of the markers of a line of many points."""


class Style(NamedTuple):
    """The look of a label in all panels: its colour, and the place of its marker and dashes.

    The place is None in a crowd, whose lines are thin and have neither.
    """

    colour: Sequence[float]
    place: int | None


def choose_panel_size(series: PanelSeries) -> tuple[float, float]:
    """The width and height of the figure, in inches."""
    rows = math.ceil(len(series.panels) / series.columns)
    width, whole = WIDTHS[series.columns], series.whole
    notes = len(wrap_notes(whole.notes, width)) * NOTE
    return width, (3.9 if rows == 1 == series.columns else 1.4 + 1.9 * rows) + notes


def draw_panels(figure: "Figure", series: PanelSeries, log: bool | None, titled: bool) -> None:
    """Draw each panel, with its title, on the axes that all have in common, and one legend beside them.

    The axes have the scale of the series; they are linear with ``log`` False. ``titled`` adds title, setting
    and notes.
    """
    from matplotlib.lines import Line2D

    whole, scale = series.whole, choose_scale(series.whole, log)
    rows = math.ceil(len(series.panels) / series.columns)
    apart = {"wspace": 0.06}  # the labels of the ticks of two panels
    grid = figure.subplots(rows, series.columns, sharex=True, sharey=True, squeeze=False, gridspec_kw=apart)
    places: list[Axes] = list(grid.flat)
    shades = choose_shades(series.by, list(series.labels.values())) if series.is_crowd else None
    styles = _choose_styles(series, shades)
    if scale != "linear":
        set_axis(places[0], "y", *whole.limits, scale)
    for panel, axes in zip(series.panels, places, strict=False):
        axes.set_title(panel.title, fontsize=8.5, fontweight="normal")
        if series.is_crowd and isinstance(panel.series, CurveSeries) and panel.series.curves:
            axes.set_title(panel.name_best(), fontsize=8.5, fontweight="normal")
            _draw_crowd(axes, panel.series, shades)
        else:
            _draw(axes, panel.series, styles)
    if scale == "linear":
        keep_ticks_possible(places[0], whole.metric)
    if isinstance(whole, CurveSeries):
        set_epochs(places[0], whole.epochs)
        name, title = name_axis(METRICS[whole.metric].lower(), scale, "\n"), METRICS[whole.metric]
        subject = whole.subject
    else:
        _set_values(places[0], whole, log, 0.75 * figure.get_figwidth() / series.columns)
        _make_room(places[0], whole, scale, in_a_row=series.is_crowd)
        name, title = name_best_axis(whole, scale, "\n"), name_best(whole.metric)
        subject = name_parameter(whole.parameter)
    _label_outside(places, series)
    if shades:
        shades.add_bar(figure, places[: len(series.panels)])
    elif whole.subject and not series.is_crowd:
        # A line without points that belongs to axes and is not clipped would stretch these to the corner.
        handles = [Line2D([], [], **_choose_look(style)) for style in styles.values()]
        add_legend_beside(figure, handles, list(styles), whole.subject)
    if titled:
        setting = ", ".join(filter(None, (whole.setting, whole.recipe)))
        annotate_panels(figure, f"{title} by {subject}: {whole.dataset}", setting, whole.notes)
    # A label of its own axes can be taller than these, which the layout would make smaller and smaller. One
    # of all axes has its place in the layout, and moves to their middle afterwards.
    label = figure.supylabel(name, fontsize=8.5)
    freeze_layout(figure)
    label.set_y((places[0].get_position().y1 + places[len(series.panels) - 1].get_position().y0) / 2)


def _choose_styles(series: PanelSeries, shades: Shades | None) -> dict[str, Style]:
    """The look of each label."""
    values = list(series.labels.values())
    if series.is_crowd:
        colours = shade(values, shades)
        return {label: Style(colour, None) for label, colour in zip(series.labels, colours, strict=True)}
    colours = choose_colours(values)
    return {label: Style(colours[place], place) for place, label in enumerate(series.labels)}


def _draw_crowd(axes: "Axes", series: CurveSeries, shades: Shades | None) -> None:
    """Draw many curves, all thin but for the best, which the title of the panel names."""
    best = next(iter(series.extremes), None)
    draw_thin(axes, [curve for place, curve in enumerate(series.curves) if place != best], shades)
    if best is not None:
        draw_thick(axes, series.curves[best], shades)


def _draw(axes: "Axes", series: CurveSeries | EffectSeries, styles: Mapping[str, Style]) -> None:
    """Draw the series of a panel, or say that it has nothing to show."""
    if isinstance(series, CurveSeries):
        empty = not series.curves
        for curve in series.curves:
            colour, place = styles[curve.label]
            draw_curve(axes, curve, colour, place or 0, series.epochs > 12)
    else:
        empty = all(outcome.mean is None for line in series.lines for _, outcome in line.points)
        crosses: dict[float, int] = {}
        for line in series.lines:
            _draw_line(axes, line, styles[line.label])
            _draw_crosses(axes, line, styles[line.label], crosses)
    if empty:
        text = "no finished epoch" if isinstance(series, CurveSeries) else "no finished run"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", color="#777777")


def _choose_look(style: Style) -> dict[str, Any]:
    """Colour, marker and dashes of a line, as matplotlib takes them."""
    if style.place is None:
        return {"color": style.colour, "linewidth": 0.7}
    marker, dashes = MARKERS[style.place % len(MARKERS)], DASHES[style.place % len(DASHES)]
    return {"color": style.colour, "marker": marker, "linestyle": dashes}


def _draw_line(axes: "Axes", line: Line, style: Style) -> None:
    """Draw the means as a line, broken where there is none, and the ranges of the seeds as a band."""
    look, numbered = _choose_look(style), [one for _, one in line.points if one.mean is not None]
    if not numbered:
        return
    xs = [value for value, _ in line.points]
    if len(xs) >= CROWD:
        look |= {"markersize": SMALL}
    axes.plot(xs, [_number(one.mean) for _, one in line.points], clip_on=False, zorder=3, **look)
    if any(len(one.runs) > 1 for one in numbered) and style.place is not None:
        lows, highs = ([_number(getattr(one, end)) for _, one in line.points] for end in ("low", "high"))
        axes.fill_between(xs, lows, highs, color=style.colour, alpha=0.18, linewidth=0)
        if len(xs) < CROWD:
            axes.vlines(xs, lows, highs, color=style.colour, linewidth=0.8)  # without neighbours
    hollow = [(value, one.mean) for value, one in line.points if one.doubt]
    if hollow:
        marks: dict[str, Any] = {"marker": "o", "markersize": SMALL, **look, "linestyle": "", "mfc": "white"}
        axes.plot(*zip(*hollow, strict=True), **marks, zorder=4)


def _number(number: float | None) -> float:
    return math.nan if number is None else number


def _draw_crosses(axes: "Axes", line: Line, style: Style, crosses: dict[float, int]) -> None:
    """Draw a cross at the foot of the axes for each value whose runs all diverged, above those of others.

    Those of a crowd are in one row.
    """
    for value, outcome in line.points:
        if outcome.mark == DIVERGED:
            height = CROSS * (0.5 + crosses.get(value, 0))
            crosses[value] = 0 if style.place is None else crosses.get(value, 0) + 1
            look: dict[str, Any] = {"color": style.colour, "markersize": 6, "markeredgewidth": 1.6}
            axes.plot([value], [height], "x", transform=axes.get_xaxis_transform(), zorder=4, **look)


def _make_room(axes: "Axes", series: EffectSeries, scale: str, *, in_a_row: bool) -> None:
    """Lower the foot of the axes for the crosses."""
    points = [value for line in series.lines for value, outcome in line.points if outcome.mark == DIVERGED]
    most = min(len(points), 1) if in_a_row else max(Counter(points).values(), default=0)
    transform, invert = MAPS.get(scale, (float, float))
    bottom, top = map(transform, axes.get_ylim())
    share = min(CROSS * most, 0.5)
    axes.set_ylim(invert(bottom - share / (1 - share) * (top - bottom)))


def _set_values(axes: "Axes", series: EffectSeries, log: bool | None, room: float) -> None:
    """Let the horizontal axis, ``room`` inches wide, show the values of the parameter."""
    spread = "linear" if log is False else series.spread
    transform, invert = MAPS.get(spread, (float, float))
    places = [transform(value) for value in series.values]
    length = places[-1] - places[0] or 1.0
    axes.set_xscale(spread)
    axes.minorticks_off()
    ticks = choose_ticks(series.values, spread)
    labels = thin_labels(
        [name_value(tick) for tick in ticks],
        [(transform(tick) - places[0]) / length * room for tick in ticks],
        LETTER,
    )
    axes.set_xticks(ticks, labels=labels)
    axes.set_xlim(invert(places[0] - 0.05 * length), invert(places[-1] + 0.05 * length))
    axes.set_xlabel(name_axis(name_parameter(series.parameter), spread))


def _label_outside(places: Sequence["Axes"], series: PanelSeries) -> None:
    """Label the ticks of the outer axes, and remove the places without a panel."""
    below = places[0].get_xlabel()
    for number, axes in enumerate(places):
        is_lowest, is_first = number + series.columns >= len(series.panels), number % series.columns == 0
        axes.tick_params(labelbottom=is_lowest, labelleft=is_first)
        axes.set_xlabel(below if is_lowest else "")
        if number >= len(series.panels):
            axes.remove()
