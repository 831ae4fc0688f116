"""The facts of a report: all that it states, as numbers and as the text made of them."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from lenetcli.analysis.curves import CurveSeries
from lenetcli.analysis.runtimes import RuntimeSeries
from lenetcli.analysis.statements import Paragraph

FORMAT = 5
"""The version of the structure of the facts."""

Shown = tuple[str, str | None]
"""A sweep of a report: its id, and the parameter of which its row is meant, if it is over several."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was chosen for a report: its texts, the name of the store, and the ids of its sweeps.

    ``recipes`` are those of the store: a report names its own if there are others. ``requests`` are what was
    typed for the sweeps, on which the commands in the report depend. ``shown`` says in their order which of
    them are meant, and which rows. ``interpretation`` is the Markdown that the author has written; without
    ``conclusions`` the pages leave out the sentences on the sections, which the facts have all the same.
    """

    title: str
    author: str | None
    store: str
    sweeps: tuple[str, ...]
    recipes: tuple[int, ...]
    requests: tuple[Mapping[str, Any], ...] = ()
    shown: tuple[Shown, ...] = ()
    interpretation: str | None = None
    conclusions: bool = True


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: its text, and the numbers that it is made of, by name."""

    text: str
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its caption; each row has a cell for each name in the header.

    Of a long one, its section shows the rows at the places of ``excerpt`` (from 0), the appendix all of them.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str
    excerpt: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure: the name of its file, its caption, and the numbers that it shows."""

    file: str
    caption: str
    series: CurveSeries | RuntimeSeries


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section on the sweeps over a parameter, or on one over several.

    ``introduction`` stands above the figure, ``paragraphs`` below the table. ``missing`` are statements on
    the experiments of the exercise that the store lacks; without any sweep, a section has nothing else.
    """

    title: str
    introduction: Paragraph = ()
    figure: Figure | None = None
    table: Table | None = None
    paragraphs: tuple[Paragraph, ...] = ()
    missing: Paragraph = ()


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run, cut to the epochs of its sweep: its row in the appendix, and the numbers behind it, by name."""

    row: tuple[str, ...]
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a report states.

    ``setup`` are pairs of a heading and its text, ``grid`` is the section on a sweep over several parameters,
    if there is one, and ``sweeps`` the table of all sweeps in the report.
    """

    format: int = FORMAT
    options: Options
    versions: Mapping[str, str]
    setup: tuple[tuple[str, str], ...]
    learning_rates: Section
    filters: Section
    grid: Section | None = None
    sweeps: Table
    runs: tuple[RunFacts, ...]

    def to_json(self) -> bytes:
        """The facts as JSON, keys sorted."""
        text = json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        return re.sub("[\ud800-\udfff]", " ", text).encode()  # a lone surrogate has no place in UTF-8
