"""Figures in the terminal: drawn with characters, by plotext."""

import itertools
import math
import textwrap
from collections.abc import Mapping, Sequence
from types import ModuleType

from lenetcli.analysis.crowds import CROWD
from lenetcli.analysis.curves import CurveSeries
from lenetcli.analysis.effects import EffectSeries
from lenetcli.analysis.grids import GridSeries
from lenetcli.analysis.outcomes import DIVERGED
from lenetcli.analysis.panels import PanelSeries
from lenetcli.analysis.runtimes import RuntimeSeries
from lenetcli.errors import UsageError
from lenetcli.experiment.parameters import name_parameter
from lenetcli.output.figures.axes import (
    MAPS,
    METRICS,
    choose_axis,
    choose_scale,
    choose_ticks,
    name_axis,
    name_best_axis,
    thin_labels,
    write_tick,
)
from lenetcli.output.figures.figure import Series
from lenetcli.output.figures.terminal_grid import write_grid
from lenetcli.output.figures.terminal_marks import (
    THIN,
    Legend,
    choose_mark,
    mark_all,
    mark_best,
    mark_curves,
    mark_labelled,
    mark_labels,
)
from lenetcli.words import name_value, plural

CROSS = "X"
"""The mark of the end of a curve that diverged."""
DOUBT = "?"
"""What follows the label of a point in doubt, in place of the hollow marker of a picture."""
ASCII_FRAME = str.maketrans("─│┌┐└┘├┤┬┴┼░▒▓█·", "-|+++++++++.:+#,")
"""The lines of the frame, the shades of a grid and thin curves in ASCII."""
LEAST_HEIGHT = 8
"""The least height of a drawing, in lines."""
LEAST_WIDTH = 38
"""The least width of a panel beside others, in characters."""
FRAME = 12
"""About how many columns of a drawing are beside its axes."""
LABEL = 9
"""The least distance of the labels of many points, in columns."""
BLANK = "\N{NO-BREAK SPACE}"
"""Between mark and name in the legend, so that no line breaks there."""


def draw_terminal(
    series: Series,
    width: int = 80,
    height: int = 24,
    *,
    log: bool | None = None,
    ascii_only: bool = False,
) -> str:
    """A figure as ``height`` lines of at most ``width`` characters, with notes, without control codes.

    Notes that leave too little room for the drawing take more lines, and so do rows of panels and grids. The
    axes are those of ``figure.draw``.
    With ``ascii_only``, other characters appear as question marks.

    Raises:
        UsageError: if plotext is not installed.
    """
    if isinstance(series, GridSeries):
        text = write_grid(series, width, log)
    else:
        text = _plot(_import_plotext(), series, width, height, log)
    if ascii_only:
        text = text.translate(ASCII_FRAME).encode("ascii", "replace").decode()
    return "\n".join(line.rstrip() for line in text.splitlines())


def _import_plotext() -> ModuleType:
    """The module, with a blank figure and no colours."""
    try:
        import plotext
    except ImportError as error:
        raise UsageError(
            "Drawing in the terminal needs plotext, which is not installed.",
            "Install it with: pip install 'lenetcli[terminal]'",
        ) from error
    plotext.clear_figure()
    plotext.theme("clear")
    found: ModuleType = plotext
    return found


def _plot(
    plotext: ModuleType,
    series: CurveSeries | RuntimeSeries | PanelSeries,
    width: int,
    height: int,
    log: bool | None,
) -> str:
    """Heading, drawing and footing of a figure."""
    if isinstance(series, PanelSeries):
        return _plot_panels(plotext, series, width, height, log)
    scale = choose_scale(series, log)
    notes = list(series.notes)
    if isinstance(series, CurveSeries):
        metric = name_axis(series.metric.value.replace("_", " "), scale)
        title = f"{metric} by {series.subject}: {series.dataset}"
        marks, legend = mark_curves(series)
        notes = notes[series.is_crowd :]  # the first note of a crowd is on what the legend says here
        _draw_curves(plotext, series, scale, marks)
        _set_limits(plotext, series.limits, scale)
        if any(curve.seeds > 1 for curve in series.curves):
            notes.append("in the terminal there are no bands")
    else:
        time = name_axis(f"seconds of training for {plural(series.epochs, 'epoch')}", scale)
        title = f"{time} by parameters, with filters: {series.dataset}"
        legend = mark_all([device.label for device in series.devices])
        _draw_runtimes(plotext, series, scale, width)
        if any(point.doubt for point in series.points):
            notes.append(f"in the terminal {DOUBT} marks the hollow points, and there are no bars")
    title = ", ".join(filter(None, (title, series.setting, series.recipe)))
    heading, footing = _frame(title, legend, notes, width, height)
    room = max(height - len(heading) - len(footing), LEAST_HEIGHT)
    return "\n".join([*heading, *_build(plotext, width, room), *footing]).replace(BLANK, " ")


def _frame(
    title: str, legend: Legend, notes: Sequence[str], width: int, height: int
) -> tuple[list[str], list[str]]:
    """The lines above a drawing, with a legend in at most half of so many lines, and those below it."""
    # plotext itself omits a title that is too long, and draws its legend over the curves.
    names = [f"{mark}{BLANK}{name}" for mark, name in legend]
    shown = names
    while len(shown) > 1 and len(textwrap.wrap("   ".join(shown), width)) > height // 2:
        names = names[:-1]
        shown = [*names, f"and {len(legend) - len(names):,} more"]
    heading = [*textwrap.wrap(title, width), *textwrap.wrap("   ".join(shown), width)]
    return heading, [line for note in notes for line in textwrap.wrap(note, width)]


def _build(plotext: ModuleType, width: int, height: int) -> list[str]:
    """The lines of what was drawn, which is then forgotten."""
    plotext.limit_size(False, False)  # which ends with each drawing
    plotext.plot_size(width, height)
    lines: list[str] = plotext.uncolorize(plotext.build()).rstrip("\n").split("\n")
    plotext.clear_figure()
    return lines


def _plot_panels(plotext: ModuleType, series: PanelSeries, width: int, height: int, log: bool | None) -> str:
    """Heading, panels side by side where there is room, and footing."""
    whole, scale = series.whole, choose_scale(series.whole, log)
    notes = list(whole.notes[series.is_crowd :])  # see above
    if isinstance(whole, CurveSeries):
        metric, subject = name_axis(METRICS[whole.metric].lower(), scale), whole.subject
        several = any(curve.seeds > 1 for curve in whole.curves)
    else:
        metric, subject = name_best_axis(whole, scale), name_parameter(whole.parameter)
        several = any(len(one.runs) > 1 for line in whole.lines for _, one in line.points)
        if any(one.doubt for line in whole.lines for _, one in line.points):
            notes.append(f"in the terminal {DOUBT} marks the hollow points")
    notes += ["in the terminal there are no bands"] if several else []
    title = ", ".join(filter(None, (f"{metric} by {subject}: {whole.dataset}", whole.setting, whole.recipe)))
    styles, legend = mark_labels(series)
    legend = [(mark, name.replace(" ", BLANK)) for mark, name in legend]
    heading, footing = _frame(title, legend, notes, width, height)
    columns = min(series.columns, max(1, width // LEAST_WIDTH), len(series.panels))
    rows = math.ceil(len(series.panels) / columns)
    room = max(height - len(heading) - len(footing), (LEAST_HEIGHT + 4) * rows) // rows
    size = width // columns
    low = choose_axis(*whole.limits, scale)[0] if scale in MAPS else whole.limits[0]
    foot = MAPS.get(scale, (float, float))[0](low)
    blocks = []
    for panel in series.panels:
        if isinstance(panel.series, CurveSeries):
            marks = mark_best(panel.series) if series.is_crowd else mark_labelled(panel.series, styles)
            _draw_curves(plotext, panel.series, scale, marks)
            plotext.xlim(1, max(whole.epochs, 2))
        else:
            _draw_effects(plotext, panel.series, scale, log, styles, foot, size)
        _set_limits(plotext, whole.limits, scale)
        title = (panel.name_best() if series.is_crowd else panel.title)[:size]
        titles = [title.center(size)] if title else []
        blocks.append([line.ljust(size) for line in (*titles, *_build(plotext, size, room - len(titles)))])
    lines = [
        "".join(parts)
        for first in range(0, len(blocks), columns)
        for parts in zip(*blocks[first : first + columns], strict=True)
    ]
    return "\n".join([*heading, *lines, *footing]).replace(BLANK, " ")


def _draw_effects(
    plotext: ModuleType,
    series: EffectSeries,
    scale: str,
    log: bool | None,
    styles: Mapping[str, str],
    foot: float,
    width: int,
) -> None:
    """Draw lines, broken where there is no mean, and a cross at the foot where all runs diverged."""
    spread = "linear" if log is False else series.spread
    across, up = (MAPS.get(kind, (float, float))[0] for kind in (spread, scale))
    for line in sorted(series.lines, key=lambda line: styles[line.label] != THIN):
        mark = styles[line.label]
        parts = itertools.groupby(line.points, lambda point: point[1].mean is not None)
        for points in (list(members) for is_shown, members in parts if is_shown):
            xs, ys = [across(x) for x, _ in points], [up(one.mean or 0.0) for _, one in points]
            plotext.plot(xs, ys, marker=mark)
            for x, y, (_, one) in zip(xs, ys, points, strict=True):
                if one.doubt:
                    plotext.text(f"{mark}{DOUBT}", x, y, alignment="left")
    crosses = [across(x) for line in series.lines for x, one in line.points if one.mark == DIVERGED]
    if crosses:
        plotext.scatter(crosses, [foot] * len(crosses), marker=CROSS)
    places = [across(value) for value in series.values]
    length = places[-1] - places[0] or 1.0

    def reach(value: float) -> float:
        return (across(value) - places[0]) / length * (width - FRAME)

    plotext.xlim(places[0] - 0.05 * length, places[-1] + 0.05 * length)
    ticks = choose_ticks(series.values, spread)
    labels = thin_labels([*map(name_value, ticks)], [reach(tick) for tick in ticks], 1)
    plotext.xticks([across(tick) for tick in ticks], labels)
    plotext.xlabel(name_axis(name_parameter(series.parameter), spread))


def _draw_curves(plotext: ModuleType, series: CurveSeries, scale: str, marks: Sequence[str]) -> None:
    """Draw curves with their marks, those that have a name above the others."""
    transform = MAPS[scale][0] if scale in MAPS else float
    pairs = list(zip(series.curves, marks, strict=True))
    for curve, mark in sorted(pairs, key=lambda pair: pair[1] != THIN):
        epochs, heights = list(range(1, len(curve.mean) + 1)), [transform(mean) for mean in curve.mean]
        plotext.plot(epochs, heights, marker=mark)
    # Above all curves, which would hide them.
    for curve in series.curves:
        if curve.ends_diverged:
            plotext.scatter([len(curve.mean)], [transform(curve.mean[-1])], marker=CROSS)
    plotext.xlabel("epoch")
    plotext.xticks(list(range(1, series.epochs + 1, max(1, series.epochs // 10))))


def _set_limits(plotext: ModuleType, limits: tuple[float, float], scale: str) -> None:
    """Let the vertical axis show these numbers."""
    if scale in MAPS:
        _set_ticks(plotext, "y", limits, scale)


def _draw_runtimes(plotext: ModuleType, series: RuntimeSeries, scale: str, width: int) -> None:
    """Draw points with the marks of their devices, labelled with their filters; of many only some."""
    transform = MAPS[scale][0] if scale in MAPS else float
    places = [transform(point.parameters) for point in series.points]
    is_crowd = len(set(places)) >= CROWD
    apart = LABEL * (max(places) - min(places)) / width if is_crowd else 0.0
    for index, device in enumerate(series.devices):
        mark = choose_mark(index)
        xs = [transform(point.parameters) for point in device.points]
        ys = [transform(point.seconds) for point in device.points]
        plotext.scatter(xs, ys, marker=mark)
        hollow = [(x, y) for x, y, point in zip(xs, ys, device.points, strict=True) if point.doubt]
        if is_crowd and hollow:
            plotext.scatter(*zip(*hollow, strict=True), marker=DOUBT)
        shown = -math.inf
        for x, y, point in zip(xs, ys, device.points, strict=True):
            if x == xs[-1] or min(x - shown, xs[-1] - x) >= apart:
                plotext.text(f"{mark}{point.filters}{DOUBT if point.doubt else ''}", x, y, alignment="left")
                shown = x
    xs, ys = [point.parameters for point in series.points], [point.seconds for point in series.points]
    if scale in MAPS:
        _set_ticks(plotext, "x", (min(xs), max(xs) * 1.3), scale)
        _set_ticks(plotext, "y", (min(ys), max(ys)), scale)
    else:
        plotext.xlim(0, 1.15 * max(xs))
        plotext.ylim(0, 1.06 * max(ys))
    plotext.xlabel(name_axis("parameters", scale))


def _set_ticks(plotext: ModuleType, axis: str, limits: tuple[float, float], kind: str) -> None:
    """Set the limits and round ticks of the axis ``x`` or ``y`` at their transformed positions."""
    bottom, top, ticks = choose_axis(*limits, kind)
    transform = MAPS[kind][0]
    set_limits, set_ticks = getattr(plotext, f"{axis}lim"), getattr(plotext, f"{axis}ticks")
    set_limits(transform(bottom), transform(top))
    set_ticks([transform(tick) for tick in ticks], [write_tick(tick) for tick in ticks])
