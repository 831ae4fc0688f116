"""A figure: drawn from a series, and written as a reproducible file."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from lenetcli.analysis.curves import CurveSeries
from lenetcli.analysis.grids import GridSeries
from lenetcli.analysis.panels import PanelSeries
from lenetcli.analysis.runtimes import RuntimeSeries
from lenetcli.files import write_output
from lenetcli.output.figures.curves import draw_curves
from lenetcli.output.figures.grids import choose_grid_size, draw_grid
from lenetcli.output.figures.panels import choose_panel_size, draw_panels
from lenetcli.output.figures.runtimes import choose_runtime_size, draw_runtimes
from lenetcli.output.figures.sheet import fixed_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Series = CurveSeries | RuntimeSeries | PanelSeries | GridSeries
"""What can be drawn."""
ENDINGS = (".png", ".svg", ".pdf")
NO_DATES: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""The metadata that matplotlib leaves out of each format: dates, and its own name and version."""


def draw(
    series: Series,
    *,
    log: bool | None = None,
    titled: bool = True,
    size: tuple[float, float] | None = None,
) -> "Figure":
    """The figure of a series, ``size`` inches wide and tall; what it needs unless that is given.

    Its axes have the scale of the series unless ``log`` says otherwise: False for linear axes, True for
    logarithmic ones of runtimes. Without a title it has no setting and notes either, for a caption elsewhere.
    """
    with fixed_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=size or _choose_size(series), layout="constrained")
        if isinstance(series, CurveSeries):
            draw_curves(figure, series, log, titled)
        elif isinstance(series, RuntimeSeries):
            draw_runtimes(figure, series, log, titled)
        elif isinstance(series, PanelSeries):
            draw_panels(figure, series, log, titled)
        else:
            draw_grid(figure, series, log, titled)
        return figure


def _choose_size(series: Series) -> tuple[float, float]:
    """The width and height of a figure in inches."""
    if isinstance(series, PanelSeries):
        return choose_panel_size(series)
    if isinstance(series, RuntimeSeries):
        return choose_runtime_size(series)
    return choose_grid_size(series) if isinstance(series, GridSeries) else (6.4, 4.2)


def save(figure: "Figure", path: Path) -> str:
    """Write a figure as PNG, SVG or PDF, by the ending, one of ``ENDINGS``; the same figure, the same bytes.

    What is returned is the sentence of ``write_output``.

    Raises:
        UsageError: if the file cannot be written.
    """
    return write_output(path, render(figure, path.suffix.lower().removeprefix(".")))


def render(figure: "Figure", kind: str) -> bytes:
    """The bytes of a figure as ``png``, ``svg`` or ``pdf``, without dates or random ids."""
    buffer = io.BytesIO()
    with fixed_style():
        figure.savefig(buffer, format=kind, metadata=NO_DATES[kind])
    return buffer.getvalue()
