"""Fonts made for a test: a square for each letter."""

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen


def make_font(path, letters, *, family="Test Sans", style="Regular", side=700):
    """Write a font in which each of these letters is a square of this side; a side of 0 draws nothing."""
    names = [".notdef", *(f"u{ord(letter):05X}" for letter in letters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(letter): name for letter, name in zip(letters, names[1:], strict=True)})
    builder.setupGlyf(dict.fromkeys(names, _draw_square(side)))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": style, "psName": family.replace(" ", "")})
    builder.setupOS2(sTypoAscender=800, sTypoDescender=-200)
    builder.setupPost()
    builder.font["head"].created = builder.font["head"].modified = 0
    builder.save(path)
    return path


def _draw_square(side):
    pen = TTGlyphPen(None)
    if side:
        pen.moveTo((100, 0))
        for corner in ((100, side), (100 + side, side), (100 + side, 0)):
            pen.lineTo(corner)
        pen.closePath()
    return pen.glyph()
