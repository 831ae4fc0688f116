"""Figures made of characters, by plotext."""

import math
import textwrap
from types import ModuleType

from lenetcli.analysis.curves import CurveSeries, Metric
from lenetcli.analysis.runtimes import RuntimeSeries
from lenetcli.errors import UsageError
from lenetcli.output.figures.axes import MAPS, choose_axis, choose_kind, write_tick
from lenetcli.words import plural

MARKS = "*+ox#@%&=$svzuw"
BLANK = "\N{NO-BREAK SPACE}"


def draw_terminal(
    series: CurveSeries | RuntimeSeries, width: int = 80, height: int = 24, ascii_only: bool = False
) -> str:
    """The figure as ``height`` lines of at most ``width`` characters, without control codes.

    Raises:
        UsageError: where plotext is not installed.
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
    # plotext would leave out a title that is too long, and lay the legend over the curves.
    legend = "   ".join(f"{MARKS[number % len(MARKS)]}{BLANK}{name}" for number, name in enumerate(names))
    heading = [*textwrap.wrap(title, width), *textwrap.wrap(legend, width)]
    plotext.plot_size(width, height - len(heading))
    text = "\n".join([*heading, plotext.uncolorize(plotext.build())]).replace(BLANK, " ")
    plotext.clear_figure()
    return "\n".join(line.rstrip() for line in (_to_ascii(text) if ascii_only else text).splitlines())


def _draw_curves(plotext: ModuleType, series: CurveSeries) -> None:
    kind = choose_kind(*series.limits, series.metric is Metric.VAL_ACCURACY)
    place = MAPS[kind][0] if kind in MAPS else float
    for number, curve in enumerate(series.curves):
        epochs, heights = list(range(1, len(curve.mean) + 1)), [place(mean) for mean in curve.mean]
        plotext.plot(epochs, heights, marker=MARKS[number % len(MARKS)])
    if kind in MAPS:
        _set_ticks(plotext, "y", series.limits, kind)
    plotext.xlabel("epoch")
    plotext.xticks(list(range(1, series.epochs + 1, max(1, series.epochs // 10))))


def _draw_runtimes(plotext: ModuleType, series: RuntimeSeries) -> None:
    points = [point for device in series.devices for point in device.points]
    for number, device in enumerate(series.devices):
        mark = MARKS[number % len(MARKS)]
        xs = [math.log10(point.parameters) for point in device.points]
        ys = [math.log10(point.seconds) for point in device.points]
        plotext.scatter(xs, ys, marker=mark)
        for x, y, point in zip(xs, ys, device.points, strict=True):
            plotext.text(f"{mark}{point.filters}", x, y, alignment="left")
    xs, ys = [point.parameters for point in points], [point.seconds for point in points]
    _set_ticks(plotext, "x", (min(xs), max(xs) * 1.3), "log")
    _set_ticks(plotext, "y", (min(ys), max(ys)), "log")
    plotext.xlabel("parameters")


def _set_ticks(plotext: ModuleType, axis: str, limits: tuple[float, float], kind: str) -> None:
    bottom, top, ticks = choose_axis(*limits, kind)
    place = MAPS[kind][0]
    set_limits, set_ticks = getattr(plotext, f"{axis}lim"), getattr(plotext, f"{axis}ticks")
    set_limits(place(bottom), place(top))
    set_ticks([place(tick) for tick in ticks], [write_tick(tick) for tick in ticks])


def _to_ascii(text: str) -> str:
    frame = str.maketrans("─│┌┐└┘├┤┬┴┼", "-|+++++++++")
    return text.translate(frame).encode("ascii", "replace").decode()
