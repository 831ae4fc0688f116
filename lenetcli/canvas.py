"""The sheet that figures are drawn on: one style whatever matplotlib is set to, and files without dates."""

import csv
import io
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lenetcli.outputs import check_output, write_output
from lenetcli.runtimes import RuntimeSeries
from lenetcli.series import CurveSeries

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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


def save(figure: "Figure", path: Path) -> None:
    """Write the figure as PNG, SVG or PDF, by the ending; the same figure gives the same bytes.

    Raises:
        UsageError: for another ending, or where the file cannot be written.
    """
    check_output(path)
    write_output(path, render(figure, path.suffix.lower().removeprefix(".")))


def render(figure: "Figure", kind: str) -> bytes:
    """The figure as the bytes of a ``png``, ``svg`` or ``pdf``, without dates or random ids."""
    buffer = io.BytesIO()
    with fixed_style():
        figure.savefig(buffer, format=kind, metadata=NO_DATES[kind])
    return buffer.getvalue()


def write_csv(series: CurveSeries | RuntimeSeries, path: Path) -> None:
    """Write the plotted numbers as a CSV file, floats as Python's shortest round trip.

    Raises:
        UsageError: where the file cannot be written.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([series.HEADER, *series.rows()])
    write_output(path, text.getvalue().encode())
