"""What the runs of a cell of a grid reached: the mean over its seeds, or why there is none."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lenetcli.analysis.curves import Metric
from lenetcli.errors import NotFoundError
from lenetcli.experiment.sweep import Group, Sweep, advise_training, write_command
from lenetcli.words import join_words

MOST_NAMED = 8
"""The largest number of cells that a note names; of more it has the number."""

NOT_BEGUN, UNFINISHED, DIVERGED, NOT_TIMED = "not begun", "unfinished", "diverged", "not timed"
"""Why a cell has no number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The mean, the lowest and the highest of the best epochs of the runs that have all epochs.

    They are None where no run counts, and ``mark`` says why. ``runs`` are the ids of those that count, of so
    many ``cells``, of which some have ``diverged``. ``doubt`` marks runtimes that were all disturbed, and
    ``recipe`` is that of all runs.
    """

    mean: float | None
    low: float | None
    high: float | None
    runs: tuple[str, ...]
    cells: int
    diverged: int
    mark: str
    doubt: bool
    recipe: int

    def row(self) -> tuple[float | str | None, ...]:
        """The fields in a CSV file, in the order of ``HEADER``."""
        numbers = self.mean, self.low, self.high, len(self.runs), self.diverged
        return (*numbers, self.mark, " ".join(self.runs), self.recipe)


HEADER = ("mean", "low", "high", "seeds", "diverged", "missing", "runs", "recipe")
"""The columns of an outcome in a CSV file."""


def summarise(group: Group, metric: Metric) -> Outcome:
    """What the runs of a group reached; disturbed runtimes count only where there are no others."""
    numbers = [(run, best) for run in group.whole if (best := metric.best(run)) is not None]
    calm = [pair for pair in numbers if metric is not Metric.RUNTIME or not pair[0].contended]
    counted = calm or numbers
    if counted:
        mark = ""
    elif group.whole:
        mark = NOT_TIMED
    elif len(group.diverged) == len(group.cells):
        mark = DIVERGED
    else:
        mark = UNFINISHED if group.runs else NOT_BEGUN
    found = [best for _, best in counted]
    return Outcome(
        mean=statistics.fmean(found) if found else None,
        low=min(found, default=None),
        high=max(found, default=None),
        runs=tuple(run.id for run, _ in counted),
        cells=len(group.cells),
        diverged=len(group.diverged),
        mark=mark,
        doubt=bool(numbers) and not calm,
        recipe=group.cells[0].config.recipe,
    )


def has_numbers(sweep: Sweep, metric: Metric) -> bool:
    """Whether a finished run of a sweep has a number to draw."""
    return any(metric.best(run) is not None for group in sweep.groups() for run in group.whole)


def check_outcomes(sweep: Sweep, outcomes: Sequence[Outcome]) -> None:
    """Check that there is a number to draw.

    Raises:
        NotFoundError: if there is none.
    """
    if any(outcome.mean is not None for outcome in outcomes):
        return
    if any(outcome.mark == NOT_TIMED for outcome in outcomes):
        raise NotFoundError("The finished runs have no times.", "Measure them with {}.",
                            f"{write_command(sweep)} --remeasure")  # fmt: skip
    raise NotFoundError("There is no finished run to draw yet.", *advise_training(sweep))


def note_missing(outcomes: Mapping[str, Outcome], cross: str) -> list[str]:
    """Notes on the outcomes, by name, that have no number, and on those without some of their seeds.

    ``cross`` is what marks those that diverged.
    """
    total = len(outcomes)
    marked = {
        mark: [name for name, outcome in outcomes.items() if outcome.mark == mark]
        for mark in (DIVERGED, UNFINISHED, NOT_BEGUN, NOT_TIMED)
    }
    notes = [f"{mark}: {_list(names, total)}" for mark, names in marked.items() if names]
    notes = [f"{cross}, {note}" if note.startswith(DIVERGED) else note for note in notes]
    shown = {name: outcome for name, outcome in outcomes.items() if not outcome.mark}
    if names := [f"{name} ({one.diverged} of {one.cells})" for name, one in shown.items() if one.diverged]:
        notes.append(f"without the seeds that diverged: {_list(names, total)}")
    return notes


def note_doubt(outcomes: Iterable[Outcome], mark: str) -> list[str]:
    """A note on the mark of runtimes that were disturbed, if there are any."""
    is_any = any(outcome.doubt for outcome in outcomes)
    return [f"{mark}: in doubt, since other work used the machine, or the clock was set"] if is_any else []


def _list(names: Sequence[str], total: int) -> str:
    return join_words(names) if len(names) <= MOST_NAMED else f"{len(names)} of {total}"
