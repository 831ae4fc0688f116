"""A figure: drawn from a series, and written as a reproducible file."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lenetcli.analysis.curves import CurveSeries
from lenetcli.analysis.grids import GridSeries
from lenetcli.analysis.panels import PanelSeries
from lenetcli.analysis.runtimes import RuntimeSeries
from lenetcli.files import write_output
from lenetcli.output.figures.curves import draw_curves
from lenetcli.output.figures.fonts import Font, find_fonts, find_lacking
from lenetcli.output.figures.grids import choose_grid_size, draw_grid
from lenetcli.output.figures.panels import choose_panel_size, draw_panels
from lenetcli.output.figures.runtimes import choose_runtime_size, draw_runtimes
from lenetcli.output.figures.sheet import fixed_style
from lenetcli.output.letters import find_rare

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
    fonts: Sequence[Font] | None = None,
) -> "Figure":
    """The figure of a series, ``size`` inches wide and tall; what it needs unless that is given.

    Its axes have the scale of the series unless ``log`` says otherwise: False for linear axes, True for
    logarithmic ones of runtimes. Without a title it has no setting and notes either, for a caption elsewhere.
    ``fonts`` are for letters that the font of figures lacks; those of this machine unless they are given.
    """
    if fonts is None:
        figure = draw(series, log=log, titled=titled, size=size, fonts=())
        fonts = find_fonts(find_undrawn(figure))
        return draw(series, log=log, titled=titled, size=size, fonts=fonts) if fonts else figure
    with fixed_style(fonts):
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


def find_undrawn(figure: "Figure") -> list[str]:
    """The letters of a figure that none of its fonts has."""
    from matplotlib.text import Text

    texts = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    names = {name for text in texts for name in text.get_fontfamily()}
    return find_lacking(find_rare("".join(text.get_text() for text in texts)), names)


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
