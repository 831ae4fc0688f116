"""The report as Markdown: its blocks, with figures as PNG files beside it."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from lenetcli.output.report.facts import Facts
from lenetcli.output.report.outline import Block, Drawing, Grid, Heading, Prose, Span, Terms, clean, outline

RULES = {"l": "---", "r": "---:"}
"""The line below a cell of the header, by the side to which the column is moved."""


def write_markdown(facts: Facts, folder: str) -> str:
    """The Markdown of a report whose figures are in ``folder``; texts of facts are never markup."""
    options = facts.options
    numbers: Counter[str] = Counter()
    head = [f"# {escape(options.title)}", *([escape(options.author)] if options.author else [])]
    body = [part for block in outline(facts, folder) for part in _write(block, folder, numbers)]
    return "\n\n".join([*head, *body]) + "\n"


def _write(block: Block, folder: str, numbers: Counter[str]) -> Iterator[str]:
    """The parts of a block, between which there is an empty line; ``numbers`` counts figures and tables."""
    match block:
        case Heading():
            yield f"## {escape(block.text)}"
        case Prose():
            text = "".join(map(_write_span, block.spans))
            yield f"*{text}*" if block.is_emphasized else text
        case Terms():
            yield "\n".join(f"- **{escape(name)}**: {escape(text)}" for name, text in block.pairs)
        case Drawing():
            yield f"![{escape(block.title)}]({quote(f'{folder}/{block.stem}.png')})"
            yield _caption("Figure", block.caption, numbers)
        case Grid():
            if block.caption:
                yield _caption("Table", block.caption, numbers)
            rule = [RULES[side] for side in block.aligned]
            yield "\n".join([_row(map(escape, block.header)), _row(rule), *_rows(block)])
        case _:
            yield _close(block.text)


def _caption(noun: str, text: str, numbers: Counter[str]) -> str:
    numbers[noun] += 1
    return f"**{noun} {numbers[noun]}:** {escape(text)}"


def _rows(grid: Grid) -> Iterator[str]:
    for first, *others in grid.rows:
        yield _row([_code(first) if grid.has_ids else escape(first), *map(escape, others)])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _close(text: str) -> str:
    """A text in Markdown whose last block is closed, so that it ends with the text."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark")
    fences = [f"\n{token.markup}" for token in parser.parse(text)[-1:] if token.type == "fence"]
    ends = ("", *fences, "\n-->", "\n?>", "\n]]>", "\n</pre></script></style></textarea>")
    # A heading behind it shows whether it is closed.
    closed = (text + end for end in ends if parser.parse(f"{text}{end}\n\n# x")[-1].type == "heading_close")
    return next(closed, text)


def _write_span(span: Span) -> str:
    return _code(span.text) if span.is_code else escape(span.text)


def escape(text: str) -> str:
    """A text on one line in which nothing is markup."""
    # Most marks are none inside of a word or before a blank; all are escaped that can be anywhere.
    marked = re.sub(r"([\\`*_\[\]<>#|~&$!])", r"\\\1", clean(text))
    # The first character, or what ends a number, can begin a list or underline a heading.
    first = r"^( ?)(?:(\d{1,9})([.)])(?= |$)|([-+=]))"
    return re.sub(first, lambda found: f"{found[1]}{found[2] or ''}\\{found[3] or found[4]}", marked)


def _code(text: str) -> str:
    """A span of code; its fence is longer than any run of backticks in it."""
    plain = re.sub(r"\s+", " ", text)
    fence = "`" * (max(map(len, re.findall("`+", plain)), default=0) + 1)
    blank = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{blank}{plain}{blank}{fence}"
