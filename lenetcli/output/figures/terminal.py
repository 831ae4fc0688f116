"""Figures in the terminal: drawn with characters, by plotext."""

import math
import textwrap
from types import ModuleType

from lenetcli.analysis.curves import CurveSeries
from lenetcli.analysis.runtimes import RuntimeSeries
from lenetcli.errors import UsageError
from lenetcli.output.figures.axes import MAPS, choose_axis, write_tick
from lenetcli.words import plural

MARKS = "*+ox#@%&=$svzuw"
ASCII_FRAME = str.maketrans("─│┌┐└┘├┤┬┴┼", "-|+++++++++")
"""The lines of the frame in ASCII."""
BLANK = "\N{NO-BREAK SPACE}"
"""Between mark and name in the legend, so that no line breaks there."""


def draw_terminal(
    series: CurveSeries | RuntimeSeries, width: int = 80, height: int = 24, ascii_only: bool = False
) -> str:
    """A figure as ``height`` lines of at most ``width`` characters, without control codes.

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
    if isinstance(series, CurveSeries):
        title = f"{series.metric.value.replace('_', ' ')} by {series.subject}: {series.dataset}"
        names = [curve.label for curve in series.curves]
        _draw_curves(plotext, series)
    else:
        time = plural(series.epochs, "epoch")
        title = f"seconds of training ({time}) by parameters, marked by filters: {series.dataset}"
        names = [device.label for device in series.devices]
        _draw_runtimes(plotext, series)
    title = ", ".join(filter(None, (title, series.recipe)))
    # plotext itself omits a title that is too long, and draws its legend over the curves.
    legend = "   ".join(f"{MARKS[index % len(MARKS)]}{BLANK}{name}" for index, name in enumerate(names))
    heading = [*textwrap.wrap(title, width), *textwrap.wrap(legend, width)]
    plotext.plot_size(width, height - len(heading))
    text = "\n".join([*heading, plotext.uncolorize(plotext.build())]).replace(BLANK, " ")
    plotext.clear_figure()
    if ascii_only:
        text = text.translate(ASCII_FRAME).encode("ascii", "replace").decode()
    return "\n".join(line.rstrip() for line in text.splitlines())


def _draw_curves(plotext: ModuleType, series: CurveSeries) -> None:
    transform = MAPS[series.scale][0] if series.scale in MAPS else float
    for index, curve in enumerate(series.curves):
        epochs, heights = list(range(1, len(curve.mean) + 1)), [transform(mean) for mean in curve.mean]
        plotext.plot(epochs, heights, marker=MARKS[index % len(MARKS)])
    if series.scale in MAPS:
        _set_ticks(plotext, "y", series.limits, series.scale)
    plotext.xlabel("epoch")
    plotext.xticks(list(range(1, series.epochs + 1, max(1, series.epochs // 10))))


def _draw_runtimes(plotext: ModuleType, series: RuntimeSeries) -> None:
    for index, device in enumerate(series.devices):
        mark = MARKS[index % len(MARKS)]
        xs = [math.log10(point.parameters) for point in device.points]
        ys = [math.log10(point.seconds) for point in device.points]
        plotext.scatter(xs, ys, marker=mark)
        for x, y, point in zip(xs, ys, device.points, strict=True):
            plotext.text(f"{mark}{point.filters}", x, y, alignment="left")
    xs, ys = [point.parameters for point in series.points], [point.seconds for point in series.points]
    _set_ticks(plotext, "x", (min(xs), max(xs) * 1.3), "log")
    _set_ticks(plotext, "y", (min(ys), max(ys)), "log")
    plotext.xlabel("parameters")


def _set_ticks(plotext: ModuleType, axis: str, limits: tuple[float, float], kind: str) -> None:
    """Set the limits and round ticks of the axis ``x`` or ``y`` at their transformed positions."""
    bottom, top, ticks = choose_axis(*limits, kind)
    transform = MAPS[kind][0]
    set_limits, set_ticks = getattr(plotext, f"{axis}lim"), getattr(plotext, f"{axis}ticks")
    set_limits(transform(bottom), transform(top))
    set_ticks([transform(tick) for tick in ticks], [write_tick(tick) for tick in ticks])
