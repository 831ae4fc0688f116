"""A figure: drawn from a series, and written as a reproducible file."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from lenetcli.analysis.curves import CurveSeries
from lenetcli.analysis.runtimes import RuntimeSeries
from lenetcli.files import write_output
from lenetcli.output.figures.curves import draw_curves
from lenetcli.output.figures.runtimes import draw_runtimes
from lenetcli.output.figures.sheet import fixed_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDINGS = (".png", ".svg", ".pdf")
NO_DATES: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""The metadata that matplotlib leaves out of each format: dates, and its own name and version."""


def draw(
    series: CurveSeries | RuntimeSeries,
    *,
    log: bool | None = None,
    titled: bool = True,
    size: tuple[float, float] = (6.4, 4.2),
) -> "Figure":
    """The figure of learning curves, or of runtimes, ``size`` inches wide and tall.

    Its axes have the scale of the series unless ``log`` says otherwise: False for linear axes, True for
    logarithmic ones of runtimes. Without a title it has no setting and notes either, for a caption elsewhere.
    """
    with fixed_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=size, layout="constrained")
        if isinstance(series, CurveSeries):
            draw_curves(figure, series, log, titled)
        else:
            draw_runtimes(figure, series, log, titled)
        return figure


def save(figure: "Figure", path: Path) -> None:
    """Write a figure as PNG, SVG or PDF, by the ending, one of ``ENDINGS``; the same figure, the same bytes.

    Raises:
        UsageError: if the file cannot be written.
    """
    write_output(path, render(figure, path.suffix.lower().removeprefix(".")))


def render(figure: "Figure", kind: str) -> bytes:
    """The bytes of a figure as ``png``, ``svg`` or ``pdf``, without dates or random ids."""
    buffer = io.BytesIO()
    with fixed_style():
        figure.savefig(buffer, format=kind, metadata=NO_DATES[kind])
    return buffer.getvalue()
