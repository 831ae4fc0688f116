"""Figures: learning curves and runtimes, drawn in one style of their own whatever matplotlib is set to."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lenetcli.analysis.runtimes import DeviceSeries, RuntimeSeries
from lenetcli.experiment.architecture import multiply_adds, parameter_law
from lenetcli.experiment.config import DeviceKind
from lenetcli.output.figures.axes import write_tick
from lenetcli.output.figures.curves import Size
from lenetcli.output.figures.sheet import (
    fixed_style,
    lay_out,
    name_above,
    set_axis,
    write_around,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox


DEVICE_COLOURS = {
    DeviceKind.CPU: ("#0072b2", "#56b4e9", "#004468"),
    DeviceKind.GPU: ("#d55e00", "#e69f00", "#8a3d00"),
}
DEVICE_MARKERS = {DeviceKind.CPU: "o^v", DeviceKind.GPU: "sDP"}
SIDES = (
    ("right", "bottom", (-4, 3)),
    ("left", "top", (4, -3)),
    ("right", "top", (-4, -3)),
    ("left", "bottom", (4, 3)),
    ("center", "bottom", (0, 7)),
    ("center", "top", (0, -7)),
)


def draw_runtime(
    series: RuntimeSeries, *, log: bool | None = None, titled: bool = True, size: Size = (6.4, 4.2)
) -> "Figure":
    """Draw parameters against runtime: a point labelled with its filters, a series a device.

    Bars are the quartiles of the epochs, thin lines the fitted laws, hollow points those in doubt.

    Args:
        series: what to draw.
        log: logarithmic axes; None: where the runtimes or parameters span more than a factor of 20.
        titled: whether the figure says what it shows.
        size: width and height in inches.
    """
    with fixed_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        points = [point for device in series.devices for point in device.points]
        xs, ys = [p.parameters for p in points], [p.seconds for p in points]
        wide = max(xs) > 20 * min(xs) or max(ys) > 20 * min(ys)
        seen = dict.fromkeys(DeviceKind, 0)
        handles = []
        for device in series.devices:
            handles.append(_draw_device(axes, device, series.epochs, seen[device.kind]))
            seen[device.kind] += 1
        if (wide if log is None else log) and min(p.low for p in points) > 0:
            set_axis(axes, "x", min(xs) / 1.15, max(xs) * 1.15, "log")
            set_axis(axes, "y", min(p.low for p in points) / 1.15, max(p.high for p in points) * 1.15, "log")
        else:
            axes.set_xlim(0, 1.06 * axes.dataLim.x1)
            axes.set_ylim(0, 1.06 * axes.dataLim.y1)
            axes.xaxis.set_major_formatter(lambda value, _: write_tick(value))
        axes.set_xlabel("parameters")
        axes.set_ylabel("training time of an epoch / s" if series.epochs == 1
                        else f"training time of {series.epochs} epochs / s")  # fmt: skip
        title = f"Runtime by number of filters: {series.dataset}" if titled else None
        write_around(figure, axes, title, series.setting, series.notes, len(handles))
        name_above(axes, handles, [device.label for device in series.devices])
        _label_points(figure, axes, series)
        return figure


def _draw_device(axes: "Axes", device: DeviceSeries, epochs: int, place: int) -> "Line2D":
    colours, markers = DEVICE_COLOURS[device.kind], DEVICE_MARKERS[device.kind]
    colour, marker = colours[place % len(colours)], markers[place % len(markers)]
    for point in device.points:
        bars = [[point.seconds - point.low], [point.high - point.seconds]]
        axes.errorbar(
            [point.parameters], [point.seconds], yerr=bars, fmt=marker, color=colour, markersize=5.5,
            markerfacecolor="white" if point.doubt else colour, capsize=2.5, elinewidth=0.8, zorder=3,
        )  # fmt: skip
    if device.law:
        law = parameter_law(device.config)
        first, last = device.points[0].filters, device.points[-1].filters
        sizes = [round(first * (last / first) ** (step / 60)) for step in range(61)]
        seconds = [device.law.seconds(multiply_adds(replace(device.config, filters=size))) for size in sizes]
        axes.plot([law(size) for size in sizes], seconds, color=colour, linewidth=0.8, zorder=2)
    return axes.plot([], [], marker=marker, color=colour, linewidth=0.8, markersize=5.5)[0]


def _label_points(figure: "Figure", axes: "Axes", series: RuntimeSeries) -> None:
    """Write the filters beside each point, on the side where least is in the way."""
    from matplotlib.transforms import Bbox

    lay_out(figure)
    frame = axes.get_window_extent()
    drawn = [spot for line in axes.lines for spot in axes.transData.transform(line.get_xydata())]
    taken = [Bbox.from_extents(x - 3, y - 3, x + 3, y + 3) for x, y in drawn]
    for point in (point for device in series.devices for point in device.points):
        text = axes.annotate(
            str(point.filters),
            xy=(point.parameters, point.seconds),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=8,
            annotation_clip=False,
        )
        _choose_side(text, taken, frame)
        taken.append(text.get_window_extent())


def _choose_side(text: "Text", taken: Sequence["Bbox"], frame: "Bbox") -> None:
    """Move the label to the first of its sides that meets least of what is taken and stays in the frame."""
    costs = []
    for side in SIDES:
        text.set(ha=side[0], va=side[1], position=side[2])
        box = text.get_window_extent()
        outside = box.x0 < frame.x0 or box.x1 > frame.x1 or box.y0 < frame.y0 or box.y1 > frame.y1
        costs.append(sum(box.overlaps(other) for other in taken) + 100 * outside)
    best = SIDES[costs.index(min(costs))]
    text.set(ha=best[0], va=best[1], position=best[2])
