"""The figure of runtimes: training time by number of parameters, a series for each device."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

from lenetcli.analysis.crowds import CROWD
from lenetcli.analysis.runtimes import DeviceSeries, RuntimePoint, RuntimeSeries
from lenetcli.experiment.architecture import count_parameters, multiply_adds
from lenetcli.experiment.config import DeviceKind
from lenetcli.output.figures.axes import choose_scale, name_axis, write_tick
from lenetcli.output.figures.sheet import LEGEND_LINE, annotate_figure, freeze_layout, set_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox


Box = tuple[float, ...]
"""The left, the lower, the right and the upper end of a rectangle, in pixels."""
MOST_DEVICES = 20
"""The number of names in a legend up to which the figure grows with it."""
LABEL_GAP = 26
"""The least distance of the labels of a series of many points, in pixels."""
COLOURS = {
    DeviceKind.CPU: ("#0072b2", "#56b4e9", "#004468", "#7a5fc0"),
    DeviceKind.GPU: ("#d55e00", "#e69f00", "#8a3d00", "#cc3377"),
}
MARKERS = {DeviceKind.CPU: "o^v<>", DeviceKind.GPU: "sDPXh"}
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1)))
"""Those of the devices of each kind, in the order in which they are drawn: 60 have no two in common."""

SIDES = (
    ("right", "bottom", (-4, 3)),
    ("left", "top", (4, -3)),
    ("right", "top", (-4, -3)),
    ("left", "bottom", (4, 3)),
    ("center", "bottom", (0, 7)),
    ("center", "top", (0, -7)),
)
"""The positions of a label around its point, the best first: alignment of the text and offset in points."""


def draw_runtimes(figure: "Figure", series: RuntimeSeries, log: bool | None, titled: bool) -> None:
    """Draw runtime by number of parameters: a series for each device, its points labelled with the filters.

    Bars are from the ``low`` to the ``high`` of a point, thin lines the fitted laws, hollow points those in
    doubt. Both axes are logarithmic with ``log``, by default if that is the scale of the series. ``titled``
    adds title, setting and notes.
    """
    from matplotlib.lines import Line2D

    axes = figure.add_subplot()
    xs = [point.parameters for point in series.points]
    low, high = min(point.low for point in series.points), max(point.high for point in series.points)
    counts = {kind: count() for kind in DeviceKind}
    is_crowd = _is_crowd(series)
    handles = [_draw_device(axes, device, next(counts[device.kind]), is_crowd) for device in series.devices]
    scale = choose_scale(series, log)
    if scale == "log":
        set_axis(axes, "x", min(xs) / 1.15, max(xs) * 1.15, "log")
        set_axis(axes, "y", low / 1.15, high * 1.15, "log")
    else:
        axes.set_xlim(0, 1.06 * axes.dataLim.x1)
        axes.set_ylim(0, 1.06 * axes.dataLim.y1)
        axes.xaxis.set_major_formatter(lambda value, _: write_tick(value))
    axes.set_xlabel(name_axis("parameters", scale))
    epochs = "an epoch" if series.epochs == 1 else f"{series.epochs} epochs"
    axes.set_ylabel(name_axis(f"training time of {epochs} / s", scale, "\n"))
    title = f"Runtime by number of parameters: {series.dataset}" if titled else None
    noted = replace(series, notes=(f"bars: {series.spread}", *series.notes))
    names = [device.label for device in series.devices]
    most = max(1, int(figure.get_figheight() / 2 * 72 / LEGEND_LINE))
    if len(names) > most:
        names = [*names[: most - 1], f"and {len(names) - most + 1:,} more"]
        handles = [*handles[: most - 1], Line2D([], [], linestyle="")]
    annotate_figure(figure, axes, noted, title, handles, names)
    _label_points(figure, axes, series)


def choose_runtime_size(series: RuntimeSeries) -> tuple[float, float]:
    """The width and height of the figure, in inches: a legend has at most half of it."""
    return 6.4, max(4.2, min(len(series.devices), MOST_DEVICES) * LEGEND_LINE / 72 * 2)


def _is_crowd(series: RuntimeSeries) -> bool:
    """Whether there are too many sizes, or too many devices, for a label at each point."""
    return max(len({point.filters for point in series.points}), len(series.devices)) >= CROWD


def _draw_device(axes: "Axes", device: DeviceSeries, number: int, is_crowd: bool) -> "Line2D":
    """Draw the points of a device and its fitted law; returns the handle for the legend.

    ``number`` counts the devices of its kind, from 0. The points of a crowd are small.
    """
    colours, markers = COLOURS[device.kind], MARKERS[device.kind]
    colour, marker = colours[number % len(colours)], markers[number % len(markers)]
    dashes = DASHES[number % len(DASHES)]
    size: dict[str, Any] = {"markersize": 5.5, "capsize": 2.5, "elinewidth": 0.8}
    groups = [[point] for point in device.points]
    if is_crowd:  # a call takes a hundredth of a second
        size = {"markersize": 3, "capsize": 0, "elinewidth": 0.5, "markeredgewidth": 0.7}
        groups = [[p for p in device.points if bool(p.doubt) is doubt] for doubt in (False, True)]
    for points in filter(None, groups):
        bars = [[p.seconds - p.low for p in points], [p.high - p.seconds for p in points]]
        axes.errorbar(
            [p.parameters for p in points], [p.seconds for p in points], yerr=bars, fmt=marker, color=colour,
            markerfacecolor="white" if points[0].doubt else colour, zorder=3, **size,
        )  # fmt: skip
    if device.law:
        first, last = device.points[0].filters, device.points[-1].filters
        # Evenly spaced on a logarithmic axis; a network has a whole number of filters.
        filters = [round(first * (last / first) ** (step / 60)) for step in range(61)]
        configs = [replace(device.config, filters=count) for count in filters]
        seconds = [device.law.seconds(multiply_adds(config)) for config in configs]
        axes.plot(
            [*map(count_parameters, configs)],
            seconds,
            color=colour,
            linestyle=dashes,
            linewidth=0.8,
            zorder=2,
        )
    style = {"linestyle": dashes, "linewidth": 0.8, "markersize": 5.5}
    return axes.plot([], [], marker=marker, color=colour, **style)[0]


def _label_points(figure: "Figure", axes: "Axes", series: RuntimeSeries) -> None:
    """Label points with their filters, each on the side with the fewest obstacles; of a crowd only some."""
    # Labels have a fixed size on the page, so overlaps can only be found in pixels and with a frozen layout.
    # Obstacles are small boxes around the points, the ends of their bars and samples of the fitted laws, and
    # the labels placed before. No label is moved again: a dozen points nearly always leave a free side.
    freeze_layout(figure)
    frame = axes.get_window_extent()
    pixels = [pixel for line in axes.lines for pixel in axes.transData.transform(line.get_xydata())]
    obstacles = [(x - 3, y - 3, x + 3, y + 3) for x, y in pixels]
    labels: list[Box] = []
    for point, is_needed in _choose_labelled(axes, series):
        text = axes.annotate(
            str(point.filters), xy=(point.parameters, point.seconds), xytext=(0, 0),
            textcoords="offset points", fontsize=8, annotation_clip=False,
        )  # fmt: skip
        _choose_side(text, [*obstacles, *labels], frame)
        box = text.get_window_extent().extents
        if not is_needed and _count_overlaps(box, labels):
            text.remove()
        else:
            labels.append(tuple(box))


def _choose_labelled(axes: "Axes", series: RuntimeSeries) -> Iterable[tuple[RuntimePoint, bool]]:
    """The points to label, and whether each must be: all of them, or some of a crowd, but its ends first."""
    if not _is_crowd(series):
        return [(point, True) for point in series.points]
    ends = [end for device in series.devices for end in dict.fromkeys((device.points[0], device.points[-1]))]
    others = []
    for device in series.devices:
        last = -math.inf
        for point in device.points:
            x, _ = axes.transData.transform((point.parameters, point.seconds))
            if x - last >= LABEL_GAP and point not in ends:
                others.append(point)
                last = x
    are_needed = len(series.devices) < CROWD
    return [*((point, are_needed) for point in ends), *((point, False) for point in others)]


def _choose_side(text: "Text", obstacles: Sequence[Box], frame: "Bbox") -> None:
    """Move a label to the best of ``SIDES``: within the frame, and over the fewest obstacles."""
    # Only matplotlib knows the extent of a text, and only once it is placed, so that each side is tried. A
    # label outside the frame could cover the text around the axes: a cost of 100 outweighs the few overlaps
    # that a side can have. Of sides with the same cost, the first is taken.
    costs = []
    for side in SIDES:
        text.set(ha=side[0], va=side[1], position=side[2])
        box = text.get_window_extent()
        outside = box.x0 < frame.x0 or box.x1 > frame.x1 or box.y0 < frame.y0 or box.y1 > frame.y1
        costs.append(_count_overlaps(box.extents, obstacles) + 100 * outside)
    best = SIDES[costs.index(min(costs))]
    text.set(ha=best[0], va=best[1], position=best[2])


def _count_overlaps(box: Sequence[float], others: Sequence[Box]) -> int:
    """How many of the other boxes a box touches."""
    import numpy as np

    left, bottom, right, top = np.reshape(others, (-1, 4)).T
    touches = (left <= box[2]) & (box[0] <= right) & (bottom <= box[3]) & (box[1] <= top)
    return int(touches.sum())
