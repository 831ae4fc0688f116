"""The report as LaTeX: its blocks, with figures as PDF files beside it."""

import re
import textwrap
from collections.abc import Iterator, Sequence

from lenetcli.output.letters import name_scripts
from lenetcli.output.report.facts import Facts
from lenetcli.output.report.interpretation import Json, parse_markdown
from lenetcli.output.report.latex_preamble import write_preamble
from lenetcli.output.report.latex_texts import escape, find_unset, write_code, write_lines
from lenetcli.output.report.outline import Block, Drawing, Grid, Heading, Prose, Span, Terms, outline
from lenetcli.words import plural

WIDTH = 110
"""The longest line of the source, but for words and rows of tables that are longer."""
LETTERS, GAP, EM = 110, 1.5, 0.53
"""The letters for which a line of a table has room, those that a gap takes, and the width of one in em."""
WHOLE = 12
"""The most rows of a table that stays on one page."""
MOST_SHOWN = 12
"""The most letters that a sentence shows."""
DEEPEST = 4
"""The depth from which lists in lists are set without further indentation: LaTeX has no more levels."""
MARKS = {"emph": "emph", "strong": "textbf"}


def write_latex(facts: Facts, folder: str) -> str:
    """The LaTeX source of a report whose figures are in ``folder``; texts of facts are never markup."""
    body = "\n\n".join(part for block in outline(facts, folder) for part in _write(block, folder))
    preamble = write_preamble(facts.options, body)
    return f"{preamble}\n\n\\begin{{document}}\n\\maketitle\n\n{body}\n\n\\end{{document}}\n"


def describe_unset(facts: Facts) -> list[str]:
    """A sentence on letters of a report that pdflatex cannot set, if there are any."""
    letters = find_unset(write_latex(facts, ""))
    if not letters:
        return []
    shown = "".join(letters[:MOST_SHOWN]) + "…" * (len(letters) > MOST_SHOWN)
    return [
        f"pdflatex cannot set {plural(len(letters), 'letter')} {shown} ({name_scripts(letters)}), and puts "
        "numbers in their place. Compile it with xelatex, which needs a font that has them."
    ]


def _write(block: Block, folder: str) -> Iterator[str]:
    """The parts of a block, between which there is an empty line."""
    match block:
        case Heading():
            yield rf"\section{{{escape(block.text)}}}"
        case Prose():
            text = "".join(map(_write_span, block.spans))
            yield _fill(rf"\emph{{{text}}}" if block.is_emphasized else text)
        case Terms():
            items = [_fill(rf"\item[{escape(name)}] {escape(text)}") for name, text in block.pairs]
            yield _surround("description", "\n".join(items))
        case Drawing():
            picture = rf"\includegraphics[width=\linewidth]{{{folder}/{block.stem}.pdf}}"
            caption = _fill(rf"\caption{{{escape(block.caption)}}}")
            yield f"\\begin{{figure}}[!htbp]\n\\centering\n{picture}\n{caption}\n\\end{{figure}}"
        case Grid():
            rows = [tuple(map(escape, row)) for row in (block.header, *block.rows)]
            if block.has_ids:
                rows[1:] = [(rf"\texttt{{{row[0]}}}", *row[1:]) for row in rows[1:]]
            yield _write_table(rows, block.aligned, escape(block.caption))
        case _:
            yield _join_own(parse_markdown(block.text))


def _fill(text: str) -> str:
    """A text in lines of the usual length."""
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _write_span(span: Span) -> str:
    return write_code(span.text) if span.is_code else escape(span.text)


def _write_table(rows: Sequence[Sequence[str]], aligned: str, caption: str = "") -> str:
    """A table of cells in LaTeX that flows over pages; its first row is the header of each part."""
    head, *body = (f"{' & '.join(row)} \\\\" for row in rows)
    if len(body) <= WHOLE:
        body[:-1] = [f"{row}*" for row in body[:-1]]  # no page ends here
    # A bracket behind a rule would be an option of it.
    top = ["\\toprule", f"{{}}{head}" if head.startswith("(") else head, "\\midrule"]
    lines = [
        r"\begingroup\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\begin{{longtable}}{{{''.join(_choose_columns(rows, aligned))}}}",
        *([_fill(rf"\caption{{{caption}}} \\"), *top, r"\endfirsthead"] if caption else []),
        *(*top, r"\endhead", r"\bottomrule", r"\endfoot"),
        *(*body, r"\end{longtable}", r"\endgroup"),
    ]
    return "\n".join(lines)


def _choose_columns(rows: Sequence[Sequence[str]], aligned: str) -> Iterator[str]:
    """The kinds of the columns of a table: where all have no room, the longest break their lines."""
    widths = [max(map(_measure, column)) for column in zip(*rows, strict=True)]
    room = LETTERS - GAP * len(widths)
    longest = next((n for n in range(max(widths), 1, -1) if sum(min(n, w) for w in widths) <= room), 1)
    for side, width in zip(aligned, widths, strict=True):
        ragged = {"l": "raggedright", "r": "raggedleft"}[side]
        broken = rf">{{\{ragged}\arraybackslash}}p{{{longest * EM:.1f}em}}"
        yield side if width <= longest else broken


def _measure(cell: str) -> int:
    """The number of letters of a cell, without commands."""
    return len(re.sub(r"\\[a-zA-Z]+|[\\{}]", "", cell))


def _join_own(blocks: Sequence[Json], depth: int = 0) -> str:
    """Blocks that the author has written, inside of ``depth`` lists and quotations."""
    return "\n\n".join(filter(None, (_write_own(block, depth) for block in blocks)))


def _write_own(block: Json, depth: int) -> str:
    """A block that the author has written."""
    match block["kind"]:
        case "paragraph":
            return _fill(_write_parts(block["parts"]))
        case "heading":
            command = "subsection*" if block["level"] < 3 else "subsubsection*"
            return rf"\{command if depth == 0 else 'textbf'}{{{_write_parts(block['parts'])}}}"
        case "list":
            return _write_list(block, depth)
        case "quote":
            inner = _join_own(block["blocks"], depth + 1)
            return _surround("quote", inner) if inner and depth < DEEPEST else inner
        case "code":
            return _surround("quote", rf"\ttfamily\small\raggedright{chr(10)}{write_lines(block['text'])}")
        case "table":
            rows = [[_write_parts(cell) for cell in row] for row in block["rows"]]
            return _write_table(rows, "l" * len(rows[0]))
        case _:
            return r"\begin{center}\rule{0.3\linewidth}{0.4pt}\end{center}"


def _write_list(block: Json, depth: int) -> str:
    """A list; one in many others is set as paragraphs."""
    start = block["start"]
    items = [_join_own(item, depth + 1) for item in block["items"]]
    if depth >= DEEPEST:
        marks = ["--"] * len(items) if start is None else [f"{start + place}." for place in range(len(items))]
        return "\n\n".join(f"{mark} {item}" for mark, item in zip(marks, items, strict=True))
    if start is None:
        return _surround("itemize", "\n".join(rf"\item {item}" for item in items))
    return _surround("enumerate", "\n".join(rf"\item[{start + n}.] {item}" for n, item in enumerate(items)))


def _write_parts(parts: Sequence[Json]) -> str:
    """The parts of a text that the author has written."""
    return "".join(map(_write_part, parts))


def _write_part(part: Json) -> str:
    match part["kind"]:
        case "text":
            return escape(part["text"])
        case "code":
            return write_code(part["text"])
        case "break":
            return r"\leavevmode\newline "
        case kind:
            return rf"\{MARKS[kind]}{{{_write_parts(part['parts'])}}}"


def _surround(name: str, content: str) -> str:
    """Content in an environment."""
    return f"\\begin{{{name}}}\n{content}\n\\end{{{name}}}"
