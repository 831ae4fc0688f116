"""Conclusions from a grid: which combination leads, and whether the best value depends on the others."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from lenetcli.analysis.comparison import Comparison, Verdict, compare
from lenetcli.analysis.conclusions import conclude_best
from lenetcli.analysis.ranking import Entry, Ranking
from lenetcli.analysis.statements import Paragraph, Statement, cite
from lenetcli.analysis.unfinished import conclude_unfinished
from lenetcli.experiment.parameters import PARAMETERS, name_member, name_parameter
from lenetcli.experiment.sweep import Sweep
from lenetcli.words import join_some, join_words, write_difference, write_interval

MOST_ROWS = 3
"""The largest number of rows that a statement which is true of all of them names."""


@dataclass(frozen=True, slots=True)
class Row:
    """The values of one parameter where the others are as in ``point``.

    ``leads`` are the comparisons of the first entry with each other one, ``diverged`` the values of which a
    seed diverged, which are in no entry.
    """

    subject: str
    point: Mapping[str, Any]
    entries: tuple[Entry, ...]
    leads: tuple[Comparison, ...]
    diverged: tuple[Any, ...]

    @property
    def name(self) -> str:
        """The values of the other parameters as text."""
        return " at ".join(PARAMETERS[name].describe(value) for name, value in self.point.items())

    @property
    def best(self) -> Any:
        """The value with the highest accuracy."""
        return self.entries[0].point[self.subject]

    @property
    def is_told(self) -> bool:
        """Whether the best is ahead of every other value that is ranked."""
        return all(lead.is_ahead for lead in self.leads)

    def leads_over(self, other: "Row") -> bool:
        """Whether the best is ahead of that of another row, or that one diverged here and is told there."""
        lead = self.find_lead(other.best)
        return lead.is_ahead if lead else other.best in self.diverged and other.is_told

    def find_lead(self, value: Any) -> Comparison | None:
        """The comparison of the best with another value; None if that is not ranked."""
        values = [entry.point[self.subject] for entry in self.entries[1:]]
        return self.leads[values.index(value)] if value in values else None


def conclude_grid(sweep: Sweep, ranking: Ranking) -> tuple[Paragraph, ...]:
    """All that a sweep over several parameters shows, the most important first."""
    paragraphs = [conclude_best(sweep, ranking), conclude_dependence(sweep, ranking)]
    return tuple(filter(None, map(tuple, [*paragraphs, conclude_unfinished(sweep)])))


def conclude_dependence(sweep: Sweep, ranking: Ranking) -> Iterator[Statement]:
    """The statement on whether the best learning rate depends on the other parameters, if anything is known.

    Without learning rates it is about the first parameter.
    """
    subject = "lr" if "lr" in sweep.parameters else sweep.parameter
    rows = _find_rows(sweep, ranking, subject)
    others = [name for name in sweep.parameters if name != subject]
    noun = name_parameter(subject)
    best = f"best {noun if subject == 'lr' else f'value of {noun}'}"
    on = f"depends on {f'the {name_parameter(others[0])}' if len(others) == 1 else 'the other parameters'}"
    pairs = combinations(rows, 2)
    pair = next((two for two in pairs if _differ(*two)), None)
    if pair:
        yield _conclude_difference(pair, f"The {best} {on}")
        return
    ended = sum(len(row.entries) + len(row.diverged) for row in rows)
    if ended < len(sweep.groups()) or len(rows) < 2 or len(sweep.groups(subject)) < 2:
        return  # what is not finished, or does not learn, may be otherwise
    leaders = [row.entries[0] for row in rows]
    numbers = {f"lead {row.name}": lead.estimate for row in rows for lead in row.leads[:1]}
    names = [name_member(subject, row.best) for row in rows]
    unclear = [f"with {row.name}" for row in rows if not row.is_told]
    if len(set(names)) > 1:
        parts = [f"of {name} with {row.name}" for name, row in zip(names, rows, strict=True)]
        reason = f"the highest accuracy is that {join_some(parts)}, and these leads are not all clear"
    elif unclear:
        where = "" if len(unclear) == len(rows) else f" {join_some(unclear)}"
        clearly = "is not clearly ahead" if where else "is nowhere clearly ahead"
        reason = f"{names[0]} has the highest accuracy everywhere, but {clearly}{where}"
    else:
        yield _conclude_sameness(rows, f"The {best} {on.replace('depends', 'does not depend')} here", numbers)
        return
    text = f"Whether the {best} {on} cannot be told: {reason}."
    yield Statement("dependence unknown", text, cite(*leaders), numbers)


def _find_rows(sweep: Sweep, ranking: Ranking, subject: str) -> list[Row]:
    """The rows in which a value has learned, in the order of the sweep; their comparisons are one family."""
    final = ranking.epochs
    groups = sweep.groups(*(name for name in sweep.parameters if name != subject))
    members = [[e for e in ranking.entries if group.point.items() <= e.point.items()] for group in groups]
    rows = [
        (group.point, entries)
        for group, entries in zip(groups, members, strict=True)
        if entries and ranking.has_learned(entries[0])
    ]
    pairs = [(one.after(final), other.after(final)) for _, (one, *rest) in rows for other in rest]
    leads = iter(compare(pairs, ranking.images))
    return [
        Row(
            subject=subject,
            point=point,
            entries=tuple(entries),
            leads=tuple(next(leads) for _ in entries[1:]),
            diverged=tuple(
                group.point[subject]
                for group in sweep.groups()
                if group.diverged and point.items() <= group.point.items()
            ),
        )
        for point, entries in rows
    ]


def _differ(one: Row, two: Row) -> bool:
    """Whether each of two rows has a best value of its own, ahead of the other one's."""
    return one.best != two.best and one.leads_over(two) and two.leads_over(one)


def _conclude_difference(rows: Sequence[Row], text: str) -> Statement:
    """The statement that two rows have different best values."""
    parts: list[str] = []
    numbers: dict[str, float] = {}
    for row, other in zip(rows, reversed(rows), strict=True):
        names = [name_member(row.subject, one.best) for one in (row, other)]
        lead = row.find_lead(other.best)
        if lead is None:
            parts.append(f"with {row.name} {names[1]} diverged")
            continue
        by = f"by {write_difference(lead.estimate)}"
        if lead.verdict is Verdict.AHEAD and lead.interval:
            kind = "" if numbers else "95% interval "
            by += f" ({kind}{write_interval(*lead.interval)})"
        else:
            by += ", in every seed"
        parts.append(f"with {row.name} {names[0]} is ahead of {names[1]} {by}")
        numbers[f"lead {row.name}"] = lead.estimate
    best = {row.best for row in rows}
    cited = [entry for row in rows for entry in row.entries if entry.point[row.subject] in best]
    return Statement("dependence", f"{text}: {'; '.join(parts)}.", cite(*cited), numbers)


def _conclude_sameness(rows: Sequence[Row], text: str, numbers: Mapping[str, float]) -> Statement:
    """The statement that the best value is the same in every row."""
    where = join_words([f"with {row.name}" for row in rows])
    if len(rows) > MOST_ROWS:
        values = "values" if len(rows[0].point) == 1 else "combinations"
        where = f"with each of the {len(rows)} {values} tried"
    every = "every other that has not diverged" if any(row.diverged for row in rows) else "every other"
    text += f": {name_member(rows[0].subject, rows[0].best)} is ahead of {every} {where}."
    return Statement("no dependence", text, cite(*(row.entries[0] for row in rows)), numbers)
