"""Figures in the terminal: drawn with characters, by plotext."""

import textwrap
from types import ModuleType

from lenetcli.analysis.curves import CurveSeries
from lenetcli.analysis.runtimes import RuntimeSeries
from lenetcli.errors import UsageError
from lenetcli.output.figures.axes import MAPS, choose_axis, choose_scale, name_axis, write_tick
from lenetcli.words import plural

CROSS = "X"
"""The mark of the end of a curve that diverged."""
DOUBT = "?"
"""What follows the label of a point in doubt, in place of the hollow marker of a picture."""
MARKS = "*+ox#@%&=$svzuwabcdefghijklmnpqrtyABCDEFGHIJKLMNOPQRSTUVWYZ"
"""The marks of series, in their order: more than ``MOST_DISTINCT``, and without ``CROSS``."""
ASCII_FRAME = str.maketrans("─│┌┐└┘├┤┬┴┼", "-|+++++++++")
"""The lines of the frame in ASCII."""
LEAST_HEIGHT = 8
"""The least height of a drawing, in lines."""
BLANK = "\N{NO-BREAK SPACE}"
"""Between mark and name in the legend, so that no line breaks there."""


def draw_terminal(
    series: CurveSeries | RuntimeSeries,
    width: int = 80,
    height: int = 24,
    *,
    log: bool | None = None,
    ascii_only: bool = False,
) -> str:
    """A figure as ``height`` lines of at most ``width`` characters, with notes, without control codes.

    Notes that leave too little room for the drawing take more lines. The axes are those of ``figure.draw``.
    With ``ascii_only``, other characters appear as question marks.

    Raises:
        UsageError: if plotext is not installed.
    """
    try:
        import plotext
    except ImportError as error:
        raise UsageError(
            "Drawing in the terminal needs plotext, which is not installed.",
            "Install it with: pip install 'lenetcli[terminal]'",
        ) from error
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.limit_size(False, False)
    scale = choose_scale(series, log)
    notes = list(series.notes)
    if isinstance(series, CurveSeries):
        metric = name_axis(series.metric.value.replace("_", " "), scale)
        title = f"{metric} by {series.subject}: {series.dataset}"
        names = [curve.name for curve in series.curves]
        _draw_curves(plotext, series, scale)
        if any(curve.seeds > 1 for curve in series.curves):
            notes.append("in the terminal there are no bands")
    else:
        time = name_axis(f"seconds of training for {plural(series.epochs, 'epoch')}", scale)
        title = f"{time} by parameters, marked by filters: {series.dataset}"
        names = [device.label for device in series.devices]
        _draw_runtimes(plotext, series, scale)
        if any(point.doubt for point in series.points):
            notes.append(f"in the terminal {DOUBT} marks the hollow points, and there are no bars")
    title = ", ".join(filter(None, (title, series.setting, series.recipe)))
    # plotext itself omits a title that is too long, and draws its legend over the curves.
    legend = "   ".join(f"{MARKS[index % len(MARKS)]}{BLANK}{name}" for index, name in enumerate(names))
    heading = [*textwrap.wrap(title, width), *textwrap.wrap(legend, width)]
    footing = [line for note in notes for line in textwrap.wrap(note, width)]
    plotext.plot_size(width, max(height - len(heading) - len(footing), LEAST_HEIGHT))
    drawing = plotext.uncolorize(plotext.build()).rstrip("\n")
    text = "\n".join([*heading, drawing, *footing]).replace(BLANK, " ")
    plotext.clear_figure()
    if ascii_only:
        text = text.translate(ASCII_FRAME).encode("ascii", "replace").decode()
    return "\n".join(line.rstrip() for line in text.splitlines())


def _draw_curves(plotext: ModuleType, series: CurveSeries, scale: str) -> None:
    transform = MAPS[scale][0] if scale in MAPS else float
    for index, curve in enumerate(series.curves):
        epochs, heights = list(range(1, len(curve.mean) + 1)), [transform(mean) for mean in curve.mean]
        plotext.plot(epochs, heights, marker=MARKS[index % len(MARKS)])
        if curve.ends_diverged:
            plotext.scatter(epochs[-1:], heights[-1:], marker=CROSS)
    if scale in MAPS:
        _set_ticks(plotext, "y", series.limits, scale)
    plotext.xlabel("epoch")
    plotext.xticks(list(range(1, series.epochs + 1, max(1, series.epochs // 10))))


def _draw_runtimes(plotext: ModuleType, series: RuntimeSeries, scale: str) -> None:
    transform = MAPS[scale][0] if scale in MAPS else float
    for index, device in enumerate(series.devices):
        mark = MARKS[index % len(MARKS)]
        xs = [transform(point.parameters) for point in device.points]
        ys = [transform(point.seconds) for point in device.points]
        plotext.scatter(xs, ys, marker=mark)
        for x, y, point in zip(xs, ys, device.points, strict=True):
            plotext.text(f"{mark}{point.filters}{DOUBT if point.doubt else ''}", x, y, alignment="left")
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
