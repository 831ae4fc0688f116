"""The sheet of a figure: the style, the scale of its axes, and the text and legends around them."""

import logging
import math
import os
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lenetcli.analysis.curves import CurveSeries, Metric
from lenetcli.analysis.runtimes import RuntimeSeries
from lenetcli.output.figures.axes import choose_axis, write_tick
from lenetcli.output.figures.fonts import OWN, Font, measure, register

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.text import Annotation


TITLE_SIZE = 9.5
"""The size of titles, which are bold, in points."""
STYLE = {
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "font.size": 8.5,
    "axes.titlesize": TITLE_SIZE,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.edgecolor": "#444444",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "legend.frameon": False,
    "text.parse_math": False,  # names given by users may contain dollar signs
    "svg.hashsalt": "lenetcli",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}
TITLE_WIDTH, NAME_WIDTH = 72, 90
"""The longest line of a title, and the longest line of a name in a legend, in characters."""
NOTE = 0.13
"""The height of a line of notes, in inches."""
NARROW = 8
"""The number of characters of which a line is never too long."""
LEFT, LEGEND_LEFT, RIGHT = 66, 86, 96
"""What is beside a title above axes, a name in their legend, and a title above panels, in points."""
LEGEND_LINE = 12.5
"""The height of a name in a legend above the axes, in points."""


@contextmanager
def fixed_style(fonts: Sequence[Font] = ()) -> Iterator[None]:
    """The context in which matplotlib has its own defaults and ``STYLE``, whatever a matplotlibrc says.

    Letters that its font lacks are drawn in these ``fonts``.
    """
    # Parameters are read while a figure is drawn and again while it is saved, so both need this context, and
    # every parameter is set, since any of them may change the bytes of a file. The backend is excepted:
    # ``rc_context`` does not restore it, and figures without pyplot do not use it.
    _import_matplotlib()
    import matplotlib

    style: dict[Any, Any] = {**matplotlib.rcParamsDefault, **STYLE}
    style["font.family"] = [OWN, *(register(font) for font in fonts if font.is_drawn)]
    style = {name: value for name, value in style.items() if not name.startswith("backend")}
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on characters that no font has: who draws the figure says so
        matplotlib.rcParams.update(style)
        yield


def _import_matplotlib() -> None:
    """Import matplotlib, whatever MPLBACKEND and a matplotlibrc contain."""
    # The import itself reads both. It raises ValueError if MPLBACKEND names an unknown backend, as one of
    # another environment may be here, and it logs a warning for each wrong line of a matplotlibrc. Neither
    # matters to figures whose style is fixed. The variable is restored for the rest of the process.
    backend = os.environ.pop("MPLBACKEND", None)
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        import matplotlib.figure  # noqa: F401
    finally:
        logger.setLevel(level)
        if backend is not None:
            os.environ["MPLBACKEND"] = backend


def annotate_figure(
    figure: "Figure",
    axes: "Axes",
    series: CurveSeries | RuntimeSeries,
    title: str | None,
    handles: Sequence["Line2D"],
    names: Sequence[str],
) -> None:
    """Add title, setting and recipe (a line below it), a legend (above the axes) and notes (below the axes).

    A figure with a caption elsewhere has the title None, and gets neither that line nor notes. Without names
    there is no legend.
    """
    # Only the padding of the title reserves the space: setting and legend are excluded from the layout, since
    # their width would make the axes narrower. A blank title serves a figure without one.
    width = 72 * figure.get_figwidth()
    names = [fill(name, NAME_WIDTH, width - LEGEND_LEFT, 8) for name in names]
    legend_height = LEGEND_LINE * sum(name.count("\n") + 1 for name in names)
    if title is not None:
        axes.set_title(fill(title, TITLE_WIDTH, width - LEFT, TITLE_SIZE), pad=21 + legend_height)
        setting = ", ".join(filter(None, (series.setting, series.recipe)))
        add_text_above(axes, 0, setting, 8 + legend_height).set_in_layout(False)
        if lines := wrap_notes(series.notes, figure.get_figwidth()):
            figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=7, color="#444444")
    elif names:
        axes.set_title(" ", pad=legend_height - 8)
    if names:
        legend = axes.legend(handles, names, loc="lower left", bbox_to_anchor=(0, 1), borderpad=0, fontsize=8)
        legend.set_in_layout(False)


def wrap_notes(notes: Sequence[str], width: float) -> list[str]:
    """The lines of notes below a figure so many inches wide."""
    return [line for note in notes for line in fill(note, int(width * 17), 72 * width - 8, 7).split("\n")]


def fill(text: str, columns: int, width: float, size: float) -> str:
    """A text in lines of at most so many characters and points; a word that is too long is divided.

    That of the size of titles is bold.
    """
    while True:
        lines = textwrap.wrap(text, columns)
        widths = [measure(line, size, bold=size == TITLE_SIZE) for line in lines]
        if columns <= NARROW or max(widths, default=0) <= width:
            return "\n".join(lines)
        columns = columns * 9 // 10


def add_text_above(axes: "Axes", x: float, text: str, height: float) -> "Annotation":
    """Add small text ``height`` points above the axes, which starts at ``x``, a fraction of their width."""
    return axes.annotate(
        text, xy=(x, 1), xycoords="axes fraction", xytext=(0, height), textcoords="offset points",
        fontsize=8, color="#444444", annotation_clip=False,
    )  # fmt: skip


def add_legend_beside(
    figure: "Figure", handles: Sequence["Line2D"], names: Sequence[str], title: str | None = None
) -> None:
    """Add a legend of many names to the right of the axes."""
    columns = math.ceil(len(names) / 24)
    wrapped = [textwrap.fill(name, NAME_WIDTH) for name in names]
    legend = figure.legend(handles, wrapped, loc="outside right upper", ncols=columns, fontsize=7.5)
    if title:
        legend.set_title(title)
        legend.get_title().set_fontsize(7.5)


def annotate_panels(figure: "Figure", title: str, setting: str, notes: Sequence[str]) -> None:
    """Add title and setting (a line below it) above all axes of a figure, and notes below them."""
    from matplotlib.text import Annotation

    width, style = figure.get_figwidth(), {"x": 0.01, "ha": "left"}
    lines = fill(title, int(TITLE_WIDTH * width / 6.4), 72 * width - RIGHT, TITLE_SIZE)
    # A last line of the title, which is empty, reserves the space of the setting.
    heading = figure.suptitle(lines + "\n " * bool(setting), fontsize=TITLE_SIZE, fontweight="bold", **style)
    figure.add_artist(Annotation(
        setting, xy=(0, 0), xycoords=heading, xytext=(0, 2), textcoords="offset points",
        fontsize=8, color="#444444", annotation_clip=False,
    )).set_in_layout(False)  # fmt: skip
    if footing := wrap_notes(notes, width):
        figure.supxlabel("\n".join(footing), fontsize=7, color="#444444", **style)


def set_axis(axes: "Axes", which: str, low: float, high: float, kind: str) -> None:
    """Scale the axis ``x`` or ``y`` to show ``low`` to ``high`` with round ticks; ``logit`` or ``log``."""
    bottom, top, ticks = choose_axis(low, high, kind)
    axes.set(**{f"{which}scale": kind})
    axes.minorticks_off()
    axes.set(**{f"{which}lim": (bottom, top)})
    (axes.xaxis if which == "x" else axes.yaxis).set_ticks(ticks, labels=[write_tick(t) for t in ticks])


def keep_ticks_possible(axes: "Axes", metric: Metric) -> None:
    """Leave out the ticks of a linear axis that no accuracy or error can reach: below 0, above 1."""
    if metric in (Metric.VAL_ACCURACY, Metric.ERROR):
        limits, ticks = axes.get_ylim(), axes.get_yticks()
        axes.set_yticks([tick for tick in ticks if -1e-9 < tick < 1 + 1e-9])
        axes.set_ylim(limits)


def freeze_layout(figure: "Figure") -> None:
    """Lay out the figure now and never again: neither later additions nor saving change the layout."""
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)
    figure.set_layout_engine("none")
