"""Makes lenetcli/data/atlas.npz again: python docs/tools/make_atlas.py.

Draws the ten digits with the fonts that matplotlib ships and keeps, for each, the signed distance to
its outline, in fortieths of a cell, plus 128 on the outline (larger is inside). Licences of the fonts:
DejaVu: Bitstream Vera and Arev licences (free to use, change and pass on); STIX: SIL Open Font License 1.1.
"""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

FAMILIES = {
    "DejaVuSans": ["", "-Bold", "-Oblique", "-BoldOblique"],
    "DejaVuSansMono": ["", "-Bold", "-Oblique", "-BoldOblique"],
    "DejaVuSerif": ["", "-Bold", "-Italic", "-BoldItalic"],
    "STIXGeneral": ["", "Bol", "Italic", "BolIta"],
}
SIDE = 40  # cells of a glyph
HEIGHT = 28  # cells that a digit is tall, at most
FINE = 12  # drawn pixels in a cell


def draw(digit: str, font: Path) -> np.ndarray:
    path = TextPath((0, 0), digit, size=100, prop=FontProperties(fname=str(font)))
    box = path.get_extents()
    scale = HEIGHT / max(box.height, box.width)
    place = (
        Affine2D()
        .translate(-(box.x0 + box.x1) / 2, -(box.y0 + box.y1) / 2)
        .scale(scale)
        .translate(SIDE / 2, SIDE / 2)
    )
    figure = Figure(figsize=(SIDE * FINE / 100,) * 2, dpi=100)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, SIDE), ylim=(0, SIDE))
    axes.axis("off")
    axes.add_patch(PathPatch(place.transform_path(path), color="black", linewidth=0))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., 0] < 128


def measure(ink: np.ndarray) -> np.ndarray:
    edge = np.zeros_like(ink)
    for axis in (0, 1):
        edge |= ink & ~(np.roll(ink, 1, axis) & np.roll(ink, -1, axis))
    points = np.argwhere(edge)
    middles = np.arange(SIDE) * FINE + FINE // 2
    rows, columns = (grid.reshape(-1, 1) for grid in np.meshgrid(middles, middles, indexing="ij"))
    squares = (rows - points[:, 0]) ** 2 + (columns - points[:, 1]) ** 2
    distance = np.sqrt(squares.min(axis=1)) / FINE
    inside = ink[rows[:, 0], columns[:, 0]]
    return (
        np.clip(128 + 40 * np.where(inside, distance, -distance), 0, 255)
        .round()
        .astype(np.uint8)
        .reshape(SIDE, SIDE)
    )


fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
files = [fonts / f"{family}{style}.ttf" for family, styles in FAMILIES.items() for style in styles]
glyphs = np.array([[measure(draw(str(digit), font)) for font in files] for digit in range(10)])
np.savez_compressed(Path(__file__).parents[2] / "lenetcli" / "data" / "atlas.npz", glyphs=glyphs)
