"""The outline of a report in text: its blocks in order, which a markup language has only to write."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from lenetcli.analysis.statements import Paragraph, Statement
from lenetcli.output.report.facts import Cell, Facts, RunFacts, Section, Table
from lenetcli.words import join_words

COLUMNS = ("run", "rate", "F", "seed", "on", "ep.", "accuracy", "runtime")
"""The columns of the table of all runs."""
OTHERS = {
    "batch_size": ("batch", "batch size"),
    "momentum": ("mom.", "momentum (mom.)"),
    "kernel_size": ("kernel", "kernel size"),
    "hidden_units": ("hidden", "hidden units"),
    "precision": ("precision", "precision"),
    "recipe": ("R", "recipe (R)"),
}
"""The columns that it has besides where the runs differ in them: the title of each, and its meaning."""


@dataclass(frozen=True, slots=True)
class Heading:
    """The heading of a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the text of a paragraph: words, or what is typed."""

    text: str
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class Prose:
    """A paragraph; an emphasized one is set apart from the others."""

    spans: tuple[Span, ...]
    is_emphasized: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """Names, each with its description."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure: the name of its file without the ending, what it shows in a word, and its caption."""

    stem: str
    title: str
    caption: str


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of texts, with a caption if it is one of the results.

    ``aligned`` has l or r for each column. The cells of the first column are ids if it says so.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    aligned: str
    caption: str = ""
    has_ids: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """What the author has written, in Markdown."""

    text: str


Block = Heading | Prose | Terms | Drawing | Grid | Written


def clean(text: str) -> str:
    """A text on one line, in which control characters and runs of blanks are one blank each."""
    blanks = "".join(" " if unicodedata.category(one)[0] in "CZ" else one for one in text)
    return re.sub(" +", " ", blanks)


def outline(facts: Facts, folder: str) -> Iterator[Block]:
    """The blocks of a report below its title and author; its facts and figures are in ``folder``."""
    options = facts.options
    yield Terms(facts.setup)
    sections = [one for one in (facts.learning_rates, facts.filters, facts.grid) if one]
    for section in sections:
        yield from _outline_section(section, options.conclusions)
    if options.interpretation:
        yield Heading("Interpretation")
        own = f"the author’s own ({options.author})" if options.author else "the author’s own"
        text = f"This section is {own}, which lenetcli has neither computed nor checked."
        yield Prose((Span(text),), is_emphasized=True)
        yield Written(options.interpretation)
    yield Heading("Reproducibility")
    yield _say(_describe_origin(facts, folder))
    yield _say(facts.sweeps.caption)
    yield _tabulate(facts.sweeps, aligned=(len(facts.sweeps.header) - 4) * "l" + "rrll", has_ids=True)
    yield from _list_runs(facts.runs)
    for table in (section.table for section in sections):
        if table and table.excerpt is not None:
            yield _say(f"{re.split('[.;]', table.caption)[0]}, all rows:")
            yield _tabulate(table)


def _describe_origin(facts: Facts, folder: str) -> str:
    """Where the numbers of a report come from, and what has made it."""
    ids = [id[:12] for id in facts.options.sweeps]
    made = [f"{name} {version}" for name, version in facts.versions.items() if name != "typst"]
    return (
        f"All numbers come from the store {facts.options.store}, "
        f"{'sweep' if len(ids) == 1 else 'sweeps'} {join_words(ids)}, and from the runs below; a run’s id is "
        f"the hash of its configuration, whatever its epochs. Made by {join_words(made)}. "
        f"The facts are in {folder}/facts.json."
    )


def _outline_section(section: Section, concludes: bool) -> Iterator[Block]:
    yield Heading(section.title)
    if section.introduction and concludes:
        yield _join(section.introduction)
    if section.figure:
        yield Drawing(PurePath(section.figure.file).stem, section.title, section.figure.caption)
    if table := section.table:
        yield _tabulate(table, table.excerpt, caption=table.caption)
    yield from map(_join, filter(None, (*(section.paragraphs if concludes else ()), section.missing)))


def _say(text: str) -> Prose:
    return Prose((Span(text),))


def _join(paragraph: Paragraph) -> Prose:
    """Statements as a paragraph, each with its command."""
    spans = [span for statement in paragraph for span in _state(statement)]
    return Prose(tuple(spans[1:]))


def _state(statement: Statement) -> Iterator[Span]:
    """The spans of a statement, behind a blank."""
    yield Span(" ")
    if not statement.command:
        yield Span(statement.text)
        return
    yield Span(f"{statement.text} {statement.purpose} ")
    yield Span(statement.command, is_code=True)
    yield Span(".")


def _tabulate(
    table: Table,
    places: Sequence[int] | None = None,
    *,
    caption: str = "",
    aligned: str = "",
    has_ids: bool = False,
) -> Grid:
    """A table, or its rows at ``places``."""
    rows = table.rows if places is None else [table.rows[place] for place in places]
    return Grid(
        table.header,
        tuple(tuple(cell.text for cell in row) for row in rows),
        aligned or "".join(map(_align, zip(*table.rows, strict=True))),
        caption,
        has_ids,
    )


def _align(column: Sequence[Cell]) -> str:
    """The side to which the cells of a column are moved: words to the left, numbers to the right."""
    return "l" if any(cell.text[:1].isalpha() and not cell.numbers for cell in column) else "r"


def _list_runs(runs: Sequence[RunFacts]) -> Iterator[Block]:
    """The table of all runs below what its columns are; it has one for each setting that differs."""
    others = {
        name: words for name, words in OTHERS.items() if len({str(run.record[name]) for run in runs}) > 1
    }
    meanings = "".join(f", {meaning}" for _, meaning in others.values())
    yield _say(
        "Runs: learning rate, filters (F), seed, device, epochs (ep.), accuracy on the validation images "
        f"after the last epoch, runtime (the sum of the training times of the epochs) in seconds{meanings}."
    )
    yield Grid(
        (*COLUMNS, *(title for title, _ in others.values())),
        tuple((*run.row, *(str(run.record[name]) for name in others)) for run in runs),
        "lrrrlrrr" + "r" * len(others),
        has_ids=True,
    )
