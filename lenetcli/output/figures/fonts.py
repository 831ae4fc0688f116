"""Fonts of this machine for letters that those of figures and reports lack."""

import hashlib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.ft2font import FT2Font

OWN = "DejaVu Sans"
"""The name of the font of figures, which comes with matplotlib."""
NAME = re.compile(r"\w[\w .&'+-]{0,59}", re.ASCII)
"""The name of a font that can be chosen, since it is printed."""
REGULAR = ("Regular", "Normal", "Book", "Roman")
"""The styles of fonts for plain text."""
UNIT = 100
"""The size at which letters are measured, in points."""
UNASSIGNED = 0x50000
"""A code point without a character: only fonts that draw everything, as blanks or boxes, have it."""


@dataclass(frozen=True, slots=True)
class Font:
    """A font of this machine: its file, of whose faces the first is meant, the name of its family, its hash.

    ``is_drawn`` tells outlines, which figures need, from images.
    """

    path: Path
    name: str
    sha256: str
    is_drawn: bool = True


class _Face(NamedTuple):
    """The first face of a font file, and which of the letters that are asked for it has."""

    path: Path
    name: str
    letters: frozenset[str]
    is_drawn: bool
    is_plain: bool
    is_proportional: bool

    def rank(self, left: set[str]) -> tuple[object, ...]:
        """What decides which font is taken for the letters that are left: the least."""
        count = len(self.letters & left)
        return (not self.is_drawn, -count, not self.is_plain, not self.is_proportional, self.name)


def find_fonts(letters: Iterable[str]) -> tuple[Font, ...]:
    """A few fonts of this machine that have letters, as far as some font has them.

    The font of figures, which every machine has, goes first. Then that with most of the letters that are left
    is taken, drawn rather than of images, regular, with letters of different widths; else names and hashes
    decide, so that machines with the same fonts choose the same.
    """
    left = set(letters)
    chosen: list[Font] = []
    for files in ([own_file()], list_files()):
        faces = [face for file in files if left and (face := _look(file, left))]
        while usable := [face for face in faces if face.letters & left]:
            best = min(face.rank(left) for face in usable)
            fonts = [_read(face) for face in usable if face.rank(left) == best]
            chosen.append(min(fonts, key=lambda font: font.sha256))
            left -= next(face.letters for face in usable if face.path == chosen[-1].path)
            faces = [face for face in faces if face.name != chosen[-1].name]
    return tuple(chosen)


def find_font(name: str, sha256: str) -> Font | None:
    """The font of this machine with a name and a hash, or the first digits of it; None if there is none."""
    for file in (own_file(), *list_files()):
        face = _look(file, ())
        if face and face.name == name and (font := _read(face)).sha256.startswith(sha256):
            return font
    return None


def own_file() -> Path:
    """The file of the font of figures."""
    from matplotlib import get_data_path

    return Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")


def list_files() -> list[Path]:
    """The font files of this machine."""
    from matplotlib.font_manager import findSystemFonts

    return sorted(map(Path, findSystemFonts()))


def find_lacking(letters: Iterable[str], names: Collection[str] = ()) -> list[str]:
    """The letters that neither the font of figures nor one registered under one of these names has."""
    from matplotlib.font_manager import fontManager

    files = [own_file(), *{Path(entry.fname) for entry in fontManager.ttflist if entry.name in names}]
    return [one for one in letters if not any(_open(file).get_char_index(ord(one)) for file in files)]


def register(font: Font) -> str:
    """The name under which matplotlib knows a font from now on; no other font has it."""
    from matplotlib.font_manager import FontEntry, fontManager

    name = f"lenetcli {font.sha256}"
    if not any(entry.name == name for entry in fontManager.ttflist):
        for weight in (400, 700):  # there is a warning where a weight is drawn in another one
            entry = FontEntry(fname=str(font.path), name=name, weight=weight, size="scalable")
            fontManager.ttflist.append(entry)
    return name


def measure(text: str, size: float, *, bold: bool = False) -> float:
    """The width of a line in the font of figures, in points; letters that it lacks are taken for squares."""
    file = own_file().with_stem("DejaVuSans-Bold") if bold else own_file()
    return size * sum(_advance(file, letter) for letter in text)


@cache
def _advance(file: Path, letter: str) -> float:
    """The width of a letter as a share of the size of a font."""
    from matplotlib.ft2font import FT2Font, LoadFlags

    font = FT2Font(str(file))
    if not font.get_char_index(ord(letter)):
        return 1.0
    font.set_size(UNIT, 72)
    return float(font.load_char(ord(letter), flags=LoadFlags.NO_HINTING).linearHoriAdvance) / 65536 / UNIT


@cache
def _open(file: Path) -> "FT2Font":
    from matplotlib.ft2font import FT2Font

    return FT2Font(str(file))


def _look(file: Path, letters: Iterable[str]) -> _Face | None:
    """The first face of a file; None if it is no font, or one that draws letters that it does not have."""
    from matplotlib.ft2font import FaceFlags, FT2Font

    try:
        font = FT2Font(str(file))
        if not NAME.fullmatch(font.family_name) or font.get_char_index(UNASSIGNED):
            return None
        found = frozenset(one for one in letters if font.get_char_index(ord(one)))
        is_drawn = font.scalable and (not found or _has_outline(font, min(found)))
    except (OSError, RuntimeError, ValueError, TypeError):  # what FreeType cannot read
        return None
    is_plain = not font.style_flags and font.style_name in REGULAR
    is_proportional = not font.face_flags & FaceFlags.FIXED_WIDTH
    return _Face(file, font.family_name, found, is_drawn, is_plain, is_proportional)


def _has_outline(font: "FT2Font", letter: str) -> bool:
    """Whether a font has a drawing of a letter; those of coloured images can have empty ones."""
    from matplotlib.ft2font import LoadFlags

    font.set_size(10, 72)
    font.load_char(ord(letter), flags=LoadFlags.NO_HINTING)
    return len(font.get_path()[0]) > 0


def _read(face: _Face) -> Font:
    return Font(face.path, face.name, _hash(face.path), face.is_drawn)


@cache
def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
