"""The facts of a report as JSON: those of older formats, and the differences between two of them."""

import re
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import Any

from lenetcli.output.report.document import Json
from lenetcli.output.report.facts import FORMAT

OLDER_FORMATS = (2, 3, 4)
"""The formats of earlier reports, whose facts are compared as far as they mean the same."""
FORMATS = (*OLDER_FORMATS, FORMAT)
LONGEST = 300
"""The most characters of a value in a sentence on a difference."""
ADDED = {"attempts"}
"""What the records of runs have since the newest format."""
SIZES = ("filters", "parameters")
"""The columns of the table of runtimes that mean the same in all formats."""
EXERCISE = ("learning_rates", "filters")
"""The sections on the experiments of the exercise."""
SECTIONS = (*EXERCISE, "grid")


def compare_facts(stated: Json, computed: Json) -> list[str]:
    """A sentence for each difference between the facts of a report and those that the store gives."""
    return list(_compare("", stated, computed))


def compare_common(stated: Json, computed: Json) -> list[str]:
    """The differences in what the facts of any format and version have in common: set-up, tables and runs."""
    stated, computed = _to_common(stated), _to_common(computed)
    for name in SECTIONS:
        mine, others = stated[name], computed[name]
        if mine and others:
            # What the spread of the times of several runs is has changed; the runs have their times below.
            known = SIZES if name == "filters" else others["header"]
            titles = [title for title in known if title in mine["header"]]
            stated[name], computed[name] = _select(mine, titles), _select(others, titles)
    return list(_compare("", _restrict(stated, computed), computed))


def find_records(facts: Json) -> list[Json]:
    """The records of the runs, in facts of any format."""
    return [run.get("record", run) for run in facts["runs"]]


def find_statements(facts: Json, sections: Sequence[str] = SECTIONS) -> Iterator[Json]:
    """The statements of sections, in facts of any format."""
    for section in (facts.get(name) or {} for name in sections):
        lists = [section.get(name, []) for name in ("introduction", "statements", "missing")]
        yield from (statement for group in (*lists, *section.get("paragraphs", [])) for statement in group)


def _to_common(facts: Json) -> Json:
    """The part of facts that those of all formats have, in one form."""
    runs = [_restrict(record, dict.fromkeys(record.keys() - ADDED)) for record in find_records(facts)]
    common: Json = {"setup": _drop_labels(facts["setup"]), "runs": runs}
    for name in SECTIONS:
        section = facts.get(name) or {}
        table = section if "rows" in section else section.get("table")
        common[name] = table and {
            "header": table["header"],
            "rows": [[read_cell(cell) for cell in row] for row in table["rows"]],
        }
    return common


def read_cell(cell: Any) -> str:
    """The text of a cell of a table, in facts of any format."""
    return str(cell["text"] if isinstance(cell, dict) else cell)


def _select(table: Json, titles: list[str]) -> Json:
    """The columns of a table with these titles."""
    shown = [title in titles for title in table["header"]]
    return {
        "header": list(compress(table["header"], shown)),
        "rows": [list(compress(row, shown)) for row in table["rows"]],
    }


def _restrict(stated: Any, computed: Any) -> Any:
    """The part of a JSON value that has the names of another one."""
    if isinstance(stated, dict) and isinstance(computed, dict):
        return {name: _restrict(stated[name], value) for name, value in computed.items() if name in stated}
    if isinstance(stated, list) and isinstance(computed, list) and len(stated) == len(computed):
        return [_restrict(left, right) for left, right in zip(stated, computed, strict=True)]
    return stated


def _drop_labels(value: Any) -> Any:
    """A JSON value without the names of data sets in its texts; older reports took their labels for names."""
    if isinstance(value, list):
        return [_drop_labels(item) for item in value]
    return re.sub(r"[^;]+(?=\(SHA-256 )", "", value) if isinstance(value, str) else value


def _compare(location: str, stated: Any, computed: Any) -> Iterator[str]:
    """A sentence for each difference between two JSON values, with its location within the facts."""
    # Objects and lists of the same length are compared part by part, so that a difference names one number
    # instead of showing a whole table. Items of lists of different lengths cannot be matched; those are shown
    # whole. The types count as well: True == 1 == 1.0 in Python, but JSON writes them differently.
    if isinstance(stated, dict) and isinstance(computed, dict):
        prefix = f"{location}." if location else ""
        for name in sorted(stated.keys() | computed.keys()):
            yield from _compare(prefix + name, stated.get(name), computed.get(name))
    elif isinstance(stated, list) and isinstance(computed, list) and len(stated) == len(computed):
        for number, (left, right) in enumerate(zip(stated, computed, strict=True), 1):
            yield from _compare(f"{location}[{number}]", left, right)
    elif stated != computed or type(stated) is not type(computed):
        yield f"{location}: the report says {_show(stated)}, the store {_show(computed)}"


def _show(value: Any) -> str:
    """A JSON value as text; of a long one the beginning."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
