"""Conclusions from a grid: which combination leads, and whether the best value depends on the others."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from lenetcli.analysis.comparison import Comparison, Verdict, compare
from lenetcli.analysis.conclusions import conclude_best
from lenetcli.analysis.ranking import Entry, Ranking
from lenetcli.analysis.statements import Paragraph, Statement, cite, shorten
from lenetcli.analysis.unfinished import conclude_unfinished
from lenetcli.experiment.parameters import PARAMETERS, name_member, name_parameter
from lenetcli.experiment.sweep import Sweep
from lenetcli.words import join_words, write_difference, write_interval


@dataclass(frozen=True, slots=True)
class Row:
    """The entries that differ in one parameter alone, with the comparisons of the first with each other one.

    ``point`` has the values of the other parameters.
    """

    point: Mapping[str, Any]
    entries: tuple[Entry, ...]
    leads: tuple[Comparison, ...]

    @property
    def name(self) -> str:
        """The values of the other parameters as text."""
        return " at ".join(PARAMETERS[name].describe(value) for name, value in self.point.items())

    @property
    def is_told(self) -> bool:
        """Whether the first is ahead of every other entry."""
        return all(lead.is_ahead for lead in self.leads)

    def find_lead(self, name: str, value: Any) -> tuple[Entry, Comparison] | None:
        """The entry with a value, and the comparison of the first with it, which is ahead; None otherwise."""
        pairs = zip(self.entries[1:], self.leads, strict=True)
        return next((p for p in pairs if p[0].point[name] == value and p[1].is_ahead), None)


def conclude_grid(sweep: Sweep, ranking: Ranking) -> tuple[Paragraph, ...]:
    """All that a sweep over several parameters shows, the most important first."""
    paragraphs = [conclude_best(sweep, ranking), conclude_dependence(sweep, ranking)]
    return tuple(filter(None, map(tuple, [*paragraphs, conclude_unfinished(sweep)])))


def conclude_dependence(sweep: Sweep, ranking: Ranking) -> Iterator[Statement]:
    """The statement on whether the best learning rate depends on the other parameters, if anything is known.

    Without learning rates it is about the first parameter.
    """
    subject = "lr" if "lr" in sweep.parameters else sweep.parameter
    if len(sweep.groups(subject)) < 2 or not ranking.entries or not ranking.learned:
        return
    rows = _find_rows(sweep, ranking, subject)
    others = [name for name in sweep.parameters if name != subject]
    noun = name_parameter(subject)
    best = f"best {noun if subject == 'lr' else f'value of {noun}'}"
    what = f"the {name_parameter(others[0])}" if len(others) == 1 else "the other parameters"
    pair = next((two for two in combinations(rows, 2) if _differ(*two, subject)), None)
    if pair:
        yield _conclude_difference(pair, subject, f"The {best} depends on {what}")
        return
    ranked = [entry.point for row in rows for entry in row.entries]
    is_whole = all(group.diverged or group.point in ranked for group in sweep.groups())
    if not is_whole or len(rows) < 2:
        return
    leaders = [row.entries[0] for row in rows]
    names = [name_member(subject, entry.point[subject]) for entry in leaders]
    numbers = {f"lead {row.name}": min(lead.estimate for lead in row.leads) for row in rows}
    if len(set(names)) == 1:
        unclear = [f"with {row.name}" for row in rows if not row.is_told]
        if unclear:
            text = (
                f"Whether the {best} depends on {what} cannot be told: {names[0]} has the highest accuracy "
                f"everywhere, but is not clearly ahead {join_words(shorten(unclear))}."
            )
            yield Statement("dependence unknown", text, cite(*leaders), numbers)
        else:
            where = join_words(shorten([f"with {row.name}" for row in rows]))
            text = f"The {best} does not depend on {what} here: {names[0]} is ahead of every other {where}."
            yield Statement("no dependence", text, cite(*leaders), numbers)
        return
    parts = [f"of {name} with {row.name}" for name, row in zip(names, rows, strict=True)]
    text = (
        f"Whether the {best} depends on {what} cannot be told: the highest accuracy is that "
        f"{join_words(shorten(parts))}, and these leads are not all clear."
    )
    yield Statement("dependence unknown", text, cite(*leaders), numbers)


def _find_rows(sweep: Sweep, ranking: Ranking, subject: str) -> list[Row]:
    """The rows of a sweep with two ranked entries or more; all their comparisons are one family."""
    others = [name for name in sweep.parameters if name != subject]
    points = [group.point for group in sweep.groups(*others)]
    members = [[e for e in ranking.entries if point.items() <= e.point.items()] for point in points]
    final = ranking.epochs
    pairs = [(one.after(final), e.after(final)) for one, *rest in filter(None, members) for e in rest]
    leads = iter(compare(pairs, ranking.images))
    return [
        Row(point, tuple(entries), tuple(next(leads) for _ in entries[1:]))
        for point, entries in zip(points, members, strict=True)
        if len(entries) > 1
    ]


def _differ(one: Row, two: Row, subject: str) -> bool:
    """Whether each of two rows has a leader of its own, ahead of the other one's."""
    values = [row.entries[0].point[subject] for row in (one, two)]
    return bool(one.find_lead(subject, values[1]) and two.find_lead(subject, values[0]))


def _conclude_difference(rows: Sequence[Row], subject: str, text: str) -> Statement:
    """The statement that two rows have different leaders."""
    values = [row.entries[0].point[subject] for row in rows]
    parts: list[str] = []
    cited: list[Entry] = []
    numbers: dict[str, float] = {}
    for row, value, rival in zip(rows, values, reversed(values), strict=True):
        found = row.find_lead(subject, rival)
        assert found is not None
        entry, lead = found
        by = f"by {write_difference(lead.estimate)}"
        if lead.verdict is Verdict.AHEAD and lead.interval:
            kind = "" if parts else "95% interval "
            by += f" ({kind}{write_interval(*lead.interval)})"
        else:
            by += ", in every seed"
        names = [name_member(subject, one) for one in (value, rival)]
        parts.append(f"with {row.name} {names[0]} is ahead of {names[1]} {by}")
        cited += [row.entries[0], entry]
        numbers[f"lead {row.name}"] = lead.estimate
    return Statement("dependence", f"{text}: {join_words(parts)}.", cite(*cited), numbers)
