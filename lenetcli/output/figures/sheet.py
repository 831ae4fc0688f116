"""Files that people ask for: checked before any work, written whole or not at all."""

import io
import logging
import math
import os
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lenetcli.files import check_output, write_output
from lenetcli.output.figures.axes import choose_axis, write_tick

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.text import Annotation


ENDINGS = (".png", ".svg", ".pdf")
STYLE = {
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 9.5,
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
    "text.parse_math": False,  # names from users are text
    "svg.hashsalt": "lenetcli",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}
TITLE_WIDTH, NAME_WIDTH = 72, 90
"""The most letters of a line of the title, and of a name in a legend."""

LEGEND_LINE = 12.5
"""The height of a line of a legend above the axes, in points."""

NO_DATES: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@contextmanager
def fixed_style() -> Iterator[None]:
    """Matplotlib's own defaults and our style, whatever a matplotlibrc says; the backend is left alone."""
    _import_matplotlib()
    import matplotlib

    style: dict[Any, Any] = {**matplotlib.rcParamsDefault, **STYLE}
    style = {name: value for name, value in style.items() if not name.startswith("backend")}
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a letter that the font lacks is drawn as a box
        matplotlib.rcParams.update(style)
        yield


def _import_matplotlib() -> None:
    """Import matplotlib although MPLBACKEND may name a backend that it refuses or a matplotlibrc be wrong."""
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


def write_around(
    figure: "Figure", axes: "Axes", title: str | None, setting: str, notes: Sequence[str], names_above: int
) -> None:
    """Write title, setting and notes, and leave room for a legend of so many names above the axes.

    A figure without a title has a caption elsewhere: neither setting nor notes are written.
    """
    room = LEGEND_LINE * names_above
    if title is None:
        if room:
            axes.set_title(" ", pad=room - 8)
        return
    axes.set_title(textwrap.fill(title, TITLE_WIDTH), pad=21 + room)
    write_above(axes, 0, setting, 8 + room).set_in_layout(False)
    lines = [line for note in notes for line in textwrap.wrap(note, int(figure.get_figwidth() * 17))]
    if lines:
        figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=7, color="#444444")


def write_above(axes: "Axes", place: float, text: str, height: float) -> "Annotation":
    """Write small letters ``height`` points above the axes, from ``place`` (0 left, 1 right) on."""
    return axes.annotate(
        text, xy=(place, 1), xycoords="axes fraction", xytext=(0, height), textcoords="offset points",
        fontsize=8, color="#444444", annotation_clip=False,
    )  # fmt: skip


def name_above(axes: "Axes", handles: Sequence["Line2D"], names: Sequence[str]) -> None:
    """A legend above the axes, in the room that ``write_around`` left."""
    legend = axes.legend(
        handles, _shorten(names), loc="lower left", bbox_to_anchor=(0, 1), borderpad=0, fontsize=8
    )
    legend.set_in_layout(False)


def name_beside(figure: "Figure", handles: Sequence["Line2D"], names: Sequence[str]) -> None:
    """A legend of many names to the right of the axes."""
    columns = math.ceil(len(names) / 24)
    figure.legend(handles, _shorten(names), loc="outside right upper", ncols=columns, fontsize=7.5)


def _shorten(names: Sequence[str]) -> list[str]:
    return [textwrap.shorten(name, NAME_WIDTH, placeholder="…") for name in names]


def set_axis(axes: "Axes", which: str, low: float, high: float, kind: str) -> None:
    """Make ``x`` or ``y`` a ``logit`` or ``log`` axis that shows ``low`` to ``high``, with round ticks."""
    bottom, top, ticks = choose_axis(low, high, kind)
    axes.set(**{f"{which}scale": kind})
    axes.minorticks_off()
    axes.set(**{f"{which}lim": (bottom, top)})
    (axes.xaxis if which == "x" else axes.yaxis).set_ticks(ticks, labels=[write_tick(t) for t in ticks])


def lay_out(figure: "Figure") -> None:
    """Give everything its place, once: what is added later moves nothing, nor does saving."""
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)
    figure.set_layout_engine("none")


def save(figure: "Figure", path: Path) -> None:
    """Write the figure as PNG, SVG or PDF, by the ending; the same figure gives the same bytes.

    Raises:
        UsageError: for another ending, or where the file cannot be written.
    """
    check_output(path, ENDINGS)
    write_output(path, render(figure, path.suffix.lower().removeprefix(".")))


def render(figure: "Figure", kind: str) -> bytes:
    """The figure as the bytes of a ``png``, ``svg`` or ``pdf``, without dates or random ids."""
    buffer = io.BytesIO()
    with fixed_style():
        figure.savefig(buffer, format=kind, metadata=NO_DATES[kind])
    return buffer.getvalue()
