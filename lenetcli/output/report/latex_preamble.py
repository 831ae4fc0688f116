"""The preamble of a report in LaTeX: packages, fonts, title, and the letters that pdflatex cannot set."""

import textwrap
from collections.abc import Sequence
from string import Template

from lenetcli.output.letters import name_scripts
from lenetcli.output.report.facts import Options
from lenetcli.output.report.latex_texts import escape, find_unset

FONTS = {
    "Chinese": ("Noto Serif CJK SC", "Source Han Serif SC", "FandolSong", "Songti SC", "SimSun"),
    "Japanese": ("Noto Serif CJK JP", "Source Han Serif", "HaranoAjiMincho", "Hiragino Mincho ProN"),
    "Korean": ("Noto Serif CJK KR", "Source Han Serif K", "UnBatang", "AppleMyungjo", "Batang"),
}
"""Fonts that have the letters of a script and Latin ones, on several systems."""
COMMON = ("Libertinus Serif", "FreeSerif", "DejaVu Serif", "Times New Roman", "Arial Unicode MS")
"""Fonts that have the letters of several scripts."""
LINE = 60
"""The longest author on one line, in letters of the source."""
PREAMBLE = Template(r"""% A report of lenetcli, with figures in the folder beside it.
% Compile it twice with $engines.
\documentclass[10pt,a4paper]{article}
\usepackage{iftex}
\ifPDFTeX
  \usepackage[T1]{fontenc}
  \usepackage[utf8]{inputenc}
  \usepackage{textcomp}
  \IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
$placeholders\else
  \usepackage{fontspec}
  \tracinglostchars=2
$fonts\fi
\usepackage[margin=20mm]{geometry}
\usepackage{array,booktabs,graphicx,longtable}
\usepackage[hidelinks,pdfusetitle]{hyperref}
\setlength{\LTcapwidth}{\textwidth}
\setlength{\emergencystretch}{3em}
\title{$title}
\author{$author}
\date{}""")
PLACEHOLDERS = Template(r"""  % The fonts of pdflatex lack these letters: their numbers stand in their place.
  \newcommand{\lacks}[1]{\DeclareUnicodeCharacter{#1}{{[}U+#1{]}\allowbreak{}}}
$letters
  \AtEndDocument{\PackageWarningNoLine{report}{Letters are missing: compile it with xelatex}}
""")
FOUND = Template(r"""  % Latin Modern lacks some letters ($scripts): the first of these fonts is taken.
$fonts
  \ifXeTeX\XeTeXlinebreaklocale "zh"\XeTeXlinebreakskip=0pt plus 1pt\fi
""")
PARAGRAPH = Template(r"\texorpdfstring{\parbox{0.9\linewidth}{\centering $text}}{$text}")
"""A long author, whose name needs several lines."""
NO_FONT = r"\PackageWarningNoLine{report}{No font here has all letters: choose one with \string\setmainfont}"


def write_preamble(options: Options, body: str) -> str:
    """The preamble of a report with this title and author, for a ``body`` in LaTeX."""
    title, author = escape(options.title), escape(options.author or "")
    letters = find_unset(title + author + body)
    return PREAMBLE.substitute(
        engines="xelatex or lualatex" if letters else "pdflatex, xelatex or lualatex",
        placeholders=_declare(letters) if letters else "",
        fonts=_choose_font(letters) if letters else "",
        title=title,
        author=author if len(author) < LINE else PARAGRAPH.substitute(text=author),
    )


def _declare(letters: Sequence[str]) -> str:
    """What has pdflatex set numbers in place of letters."""
    names = "".join(rf"\lacks{{{ord(letter):04X}}} " for letter in letters)
    return PLACEHOLDERS.substitute(letters=textwrap.indent(textwrap.fill(names, 100), "  "))


def _choose_font(letters: Sequence[str]) -> str:
    """What has the other engines take the first font that is there of those that have letters."""
    scripts = name_scripts(letters)
    fonts = next((fonts for script, fonts in FONTS.items() if script in scripts), COMMON)
    choice = "".join(f"  \\IfFontExistsTF{{{font}}}{{\\setmainfont{{{font}}}}}{{\n" for font in fonts)
    return FOUND.substitute(scripts=scripts, fonts=f"{choice}    {NO_FONT}{'}' * len(fonts)}")
