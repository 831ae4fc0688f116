"""What figures of many values have in place of labels: colours along a scale, thin lines, a few names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lenetcli.analysis.crowds import has_scale
from lenetcli.experiment.parameters import PARAMETERS, name_parameter
from lenetcli.output.figures.axes import MAPS, choose_axis, name_axis, write_tick

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

    from lenetcli.analysis.families import Curve

GREY, BLACK = "#9a9a9a", (0.13, 0.13, 0.13)
"""The colours of the curves of values that are on no scale: thin ones, and those with a name."""
RED = "#b00020"
"""The colour of the end of a curve that diverged."""
WIDE = 10.0
"""The ratio of the largest to the smallest value from which on the scale of their colours is logarithmic."""
LIGHTEST = 0.8
"""Where the palette ends: beyond, it is yellow, which is faint on paper."""


@dataclass(frozen=True, slots=True)
class Shades:
    """Colours along the scale of a parameter, from ``low`` to ``high``: the largest value is the darkest."""

    parameter: str
    low: float
    high: float

    @property
    def kind(self) -> str:
        """The kind of the scale: ``log`` for wide ones whose ratios count, else ``linear``."""
        ratios = PARAMETERS[self.parameter].ratios and self.low > 0
        return "log" if ratios and self.high >= WIDE * self.low else "linear"

    def map(self) -> "ScalarMappable":
        """The colours by the places of the values on the scale."""
        from matplotlib import colormaps
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import ListedColormap, Normalize

        palette = ListedColormap(colormaps["viridis"]([LIGHTEST * (1 - step / 255) for step in range(256)]))
        share: Any = Normalize(self._place(self.low), self._place(self.high))
        return ScalarMappable(share, palette)

    def choose(self, values: Sequence[float]) -> list[Any]:
        """The colours of values."""
        places: Any = [self._place(value) for value in values]
        return list(self.map().to_rgba(places))

    def add_bar(self, figure: "Figure", axes: Any) -> None:
        """Add the bar that says which value each colour stands for, beside these axes."""
        bar = figure.colorbar(self.map(), ax=axes, fraction=0.03, pad=0.02, aspect=30)
        bar.outline.set_visible(False)
        if self.kind == "log":
            ticks = [t for t in choose_axis(self.low, self.high, "log")[2] if self.low <= t <= self.high]
            bar.set_ticks([self._place(tick) for tick in ticks], labels=[write_tick(tick) for tick in ticks])
        bar.set_label(name_axis(name_parameter(self.parameter), self.kind), fontsize=8)

    def _place(self, value: float) -> float:
        return MAPS[self.kind][0](value) if self.kind in MAPS else float(value)


def choose_shades(parameter: str, values: Sequence[Any]) -> Shades | None:
    """The colours of the values of a parameter; None if they are on no scale."""
    return Shades(parameter, min(values), max(values)) if has_scale(parameter) else None


def shade(values: Sequence[Any], shades: Shades | None) -> list[Any]:
    """The colours of the thin lines of values, with these shades if they are on a scale."""
    return shades.choose(values) if shades else [GREY] * len(values)


def draw_thin(axes: "Axes", curves: Sequence["Curve"], shades: Shades | None) -> None:
    """Draw the means of curves as thin lines without bands, with a small cross where one diverged."""
    from matplotlib.collections import LineCollection

    colours = shade([curve.value for curve in curves], shades)
    lines = [list(enumerate(curve.mean, 1)) for curve in curves]
    width = 0.9 if len(curves) < 50 else 0.6 if len(curves) < 300 else 0.4
    axes.add_collection(LineCollection(lines, colors=colours, linewidths=width, zorder=2))
    points = [(*line[0], colour) for line, colour in zip(lines, colours, strict=True) if len(line) == 1]
    if points:  # of a single epoch there is no line
        xs, ys, fills = zip(*points, strict=True)
        axes.scatter(xs, ys, c=list(fills), s=5, linewidths=0, zorder=2)
    crosses = [line[-1] for line, curve in zip(lines, curves, strict=True) if curve.ends_diverged]
    if crosses:
        style: dict[str, Any] = {"markersize": 4, "markeredgewidth": 1, "clip_on": False, "zorder": 4}
        axes.plot(*zip(*crosses, strict=True), "x", color=RED, **style)
    axes.autoscale_view()


def draw_thick(axes: "Axes", curve: "Curve", shades: Shades | None) -> Any:
    """Draw the mean of a curve as a thick line with a white halo, and the range of its seeds as a band.

    Returns the colour.
    """
    from matplotlib.patheffects import withStroke

    colour: Any = shades.choose([curve.value])[0] if shades else BLACK
    epochs = range(1, len(curve.mean) + 1)
    axes.plot(
        epochs, curve.mean, color=colour, linewidth=1.8, clip_on=False, zorder=3.5,
        marker="o" if len(epochs) == 1 else "", path_effects=[withStroke(linewidth=3.6, foreground="white")],
    )  # fmt: skip
    if curve.seeds > 1:
        axes.fill_between(epochs, curve.low, curve.high, color=colour, alpha=0.3, linewidth=0, zorder=3)
    return colour
