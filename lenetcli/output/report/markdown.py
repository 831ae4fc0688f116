"""The report as Markdown: its sections, with tables of Markdown and figures as PNG files beside it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath
from urllib.parse import quote

from lenetcli.analysis.statements import Paragraph
from lenetcli.output.report.facts import Facts, Section, Table

HEADER = ("run", "rate", "F", "seed", "on", "ep.", "accuracy", "runtime")
"""The columns of the table of all runs."""
RUNS = (
    "Runs: learning rate, filters (F), seed, device, epochs (ep.), accuracy on the validation images after "
    "the last epoch, runtime (the sum of the training times of the epochs) in seconds."
)


def write_markdown(facts: Facts, folder: str) -> str:
    """The Markdown of a report whose figures are in ``folder``; texts of facts are never markup."""
    return "\n\n".join(_blocks(facts, folder)) + "\n"


def _blocks(facts: Facts, folder: str) -> Iterator[str]:
    """The blocks of a report: headings, paragraphs, figures, tables."""
    options = facts.options
    yield f"# {escape(options.title)}"
    if options.author:
        yield escape(options.author)
    yield "\n".join(f"- **{escape(name)}**: {escape(text)}" for name, text in facts.setup)
    for section in filter(None, (facts.learning_rates, facts.filters, facts.grid)):
        yield from _section(section, folder, options.conclusions)
    if options.interpretation:
        yield "## Interpretation"
        own = f"the author’s own ({escape(options.author)})" if options.author else "the author’s own"
        yield f"*This section is {own}, which lenetcli has neither computed nor checked.*"
        yield options.interpretation
    yield "## Reproducibility"
    made = ", ".join(f"{name} {version}" for name, version in facts.versions.items() if name != "typst")
    yield f"All numbers come from the store {escape(options.store)}. Made by {escape(made)}."
    yield from _table(facts.sweeps)
    yield RUNS
    yield _rows(HEADER, (run.row for run in facts.runs))


def _section(section: Section, folder: str, concludes: bool) -> Iterator[str]:
    yield f"## {escape(section.title)}"
    if section.introduction and concludes:
        yield _paragraph(section.introduction)
    if section.figure:
        file = quote(f"{folder}/{PurePath(section.figure.file).with_suffix('.png')}")
        yield f"![{escape(section.title)}]({file})"
        yield escape(section.figure.caption)
    if section.table:
        yield from _table(section.table)
    for paragraph in (*(section.paragraphs if concludes else ()), section.missing):
        if paragraph:
            yield _paragraph(paragraph)


def _paragraph(paragraph: Paragraph) -> str:
    return " ".join(
        escape(one.text) + (f" {escape(one.purpose)} {_code(one.command)}." if one.command else "")
        for one in paragraph
    )


def _table(table: Table) -> Iterator[str]:
    yield escape(table.caption.removesuffix(":"))
    yield _rows(table.header, ([cell.text for cell in row] for row in table.rows))


def _rows(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    head, rule, *body = (line if line[0] == "---" else [escape(cell) for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *body))


def escape(text: str) -> str:
    """A text on one line in which nothing is markup."""
    plain = re.sub("[\x00-\x1f\x7f-\x9f\ud800-\udfff\\s]+", " ", text).strip()
    # Most marks are none inside of a word or before a blank; all are escaped that can be anywhere.
    marked = re.sub(r"([\\`*_\[\]<>#|~&$!])", r"\\\1", plain)
    return re.sub(r"^(\d{1,9})([.)])|^([-+=])", lambda m: f"{m[1] or ''}\\{m[2] or m[3]}", marked)


def _code(text: str) -> str:
    """A span of code; its fence is longer than any run of backticks in it."""
    plain = re.sub(r"\s+", " ", text)
    fence = "`" * (max(map(len, re.findall("`+", plain)), default=0) + 1)
    blank = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{blank}{plain}{blank}{fence}"
