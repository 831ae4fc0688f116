"""Texts in LaTeX: which characters stand for themselves, and which are written as commands."""

import re
import unicodedata

from lenetcli.output.report.outline import clean

SET = re.compile(
    "[ -~\u00a1-\u00ac\u00ae-\u0125\u0128-\u0137\u0139-\u013e\u0141-\u0148\u014a-\u0165\u0168-\u017e\u0218-"
    "\u021b\u2013\u2014\u2018-\u201a\u201c-\u201e\u2020-\u2022\u2026\u2030\u2039\u203a\u20ac\u2122\u2190-\u2193]"
)
"""The characters that pdflatex has with T1 and TS1, and Latin Modern in the other engines."""
COMMANDS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "[": "{[}",  # where an optional argument may stand, as at the start of a row; so with an asterisk
    "]": "{]}",
    "−": r"\textminus{}",
    "*": "{*}",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}
"""What is written for characters that mean something else in LaTeX, or that its fonts have under a name."""


def _name_greek(letter: str) -> str:
    """The command of mathematics for a Greek letter."""
    _, size, _, name = unicodedata.name(letter).replace("LAMDA", "LAMBDA").split()
    return name.lower() if size == "SMALL" else name.capitalize()


SYMBOLS = {
    **{letter: _name_greek(letter) for letter in "αβγδεζηθικλμνξπρστυχψωΓΔΘΛΞΠΣΦΨΩ"},
    **{"ε": "varepsilon", "φ": "varphi", "≤": "leq", "≥": "geq", "≠": "neq", "≈": "approx", "∼": "sim"},
    **{"∝": "propto", "∞": "infty", "√": "surd", "∑": "sum", "∏": "prod", "∂": "partial", "∇": "nabla"},
    **{"∈": "in", "⇒": "Rightarrow", "⋅": "cdot"},
}
"""The commands of characters that are symbols of mathematics; a Greek letter beside another is none."""
SYMBOL = re.compile(f"(?<![\u0370-\u03ff\u1f00-\u1fff])[{''.join(SYMBOLS)}](?![\u0370-\u03ff\u1f00-\u1fff])")
PROPORTIONAL = re.compile(
    rf"(?:[\u00b8\u0132\u0133\u2026\u2122]|(?!{SET.pattern})[^\0-\x7f]|\\textminus\{{\}})+"
)
"""The characters that Latin Modern has in its proportional font alone, and those that another font has."""
LIGATURES = re.compile("(?<=-)-|(?<=,),|(?<=<)<|(?<=>)>")
"""Characters that fonts draw as another one together with the same one before."""
ENDLESS = re.compile(r"\S{40,}")
"""A word that has to be divided anywhere."""


def escape(text: str) -> str:
    """A text on one line in which nothing is markup."""
    plain = unicodedata.normalize("NFC", clean(text))
    pieces = re.split(f"({SYMBOL.pattern})", ENDLESS.sub(_divide, plain))
    return "".join(
        rf"\ensuremath{{\{SYMBOLS[piece]}}}" if place % 2 else _escape_plain(piece)
        for place, piece in enumerate(pieces)
    )


def _divide(word: re.Match[str]) -> str:
    """A word with a zero-width space after every four letters."""
    return re.sub(r"(\S{4})(?=\S)", "\\1\u200b", word[0])


def _escape_plain(text: str) -> str:
    """A text without symbols; a zero-width space in it is a place to break the line."""
    broken = LIGATURES.sub(lambda found: f"\u2060{found[0]}", text)
    special = re.compile("[" + re.escape("".join(COMMANDS)) + "\u2060\u200b]")
    names = COMMANDS | {"\u2060": r"\/", "\u200b": r"\allowbreak{}"}
    return special.sub(lambda found: names[found[0]], broken)


def write_code(text: str) -> str:
    """What is typed, on one line; a line is broken at its blanks only."""
    words = (
        rf"\mbox{{{_write_word(word)}}}" if "-" in word and not ENDLESS.match(word) else _write_word(word)
        for word in text.split()
    )
    return rf"\texttt{{{' '.join(words)}}}"


def write_lines(text: str) -> str:
    """Lines of code as they are, with all their blanks."""
    return "\\\\\n".join(map(_write_line, text.expandtabs(4).split("\n")))


def _write_line(line: str) -> str:
    pieces = (
        r"\ " * len(piece) if piece.isspace() else _write_word(piece) for piece in re.split("( +)", line)
    )
    return r"\mbox{}" + "".join(pieces)  # the box keeps the blanks at the start of the line


def _write_word(word: str) -> str:
    """A word in the font of code, but for letters that it lacks."""
    return PROPORTIONAL.sub(lambda found: rf"\textrm{{{found[0]}}}", escape(word))


def find_unset(source: str) -> list[str]:
    """The characters in a source that pdflatex cannot set, each once, in order."""
    return [one for one in dict.fromkeys(source) if one != "\n" and not SET.fullmatch(one)]
