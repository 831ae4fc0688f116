"""Families of runs that share a curve: the mean over the seeds, its range, and what is not shown."""

import statistics
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from lenetcli.errors import NotFoundError
from lenetcli.experiment.parameters import PARAMETERS
from lenetcli.experiment.run import CurvePoint, Run, RunState
from lenetcli.words import MOST_NAMED, join_some, name_all


class Family(NamedTuple):
    """The runs of a curve, with its label and its value; ``place`` says which figure of several has it."""

    label: str
    value: Any
    runs: Sequence[Run]
    place: str = ""

    def name(self, runs: Sequence[Run] = ()) -> str:
        """The label, with the place and the seeds of some of the runs, for notes."""
        place = f" with {self.place}" if self.place else ""
        seeds = f" ({name_all('seed', [run.config.seed for run in runs])})" if runs else ""
        return f"{self.label}{place}{seeds}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A learning curve: the mean over the seeds, with the lowest and the highest seed.

    ``value`` decides the colour: the value of the parameter, or the place of the curve among those of any
    runs. ``mean``, ``low`` and ``high`` have one number per epoch, from epoch 1. ``seeds`` is the number of
    runs in the mean, ``runs`` their ids, ``diverged`` the number of seeds that diverged. ``ends_diverged``
    marks a curve of diverged runs alone; it shows those with the most epochs.
    """

    label: str
    value: Any
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    seeds: int
    diverged: int
    ends_diverged: bool
    runs: tuple[str, ...]
    recipe: int

    @property
    def name(self) -> str:
        """The label, with the seeds that diverged."""
        if not self.diverged:
            return self.label
        if self.ends_diverged:
            detail = f"in epoch {len(self.mean) + 1}" if self.diverged == 1 else f"with {self.diverged} seeds"
            return f"{self.label}: diverged {detail}"
        return f"{self.label} ({self.diverged} diverged)"


def name_place(point: Mapping[str, Any], *without: str) -> list[str]:
    """The values of a point but for some parameters, in words: ``8 filters``, ``batch 32``."""
    return [PARAMETERS[name].describe(value) for name, value in point.items() if name not in without]


def note_untrained(families: Sequence[Family]) -> list[str]:
    """A note on the families that have neither an epoch nor a finished run, if there are any."""
    names = [f.name() for f in families if not any(r.curve or r.state.is_finished() for r in f.runs)]
    return [f"not yet trained: {join_some(names)}"] if names else []


def average_families(
    families: Iterable[Family], measure: Callable[[CurvePoint], float], advice: Sequence[str]
) -> tuple[list[Curve], list[str]]:
    """The curve of each family that has one, of what is measured of an epoch, and notes on what is not shown.

    ``advice`` is that of the error if no run has finished an epoch.
    """
    curves: list[Curve] = []
    missing: list[tuple[str, str]] = []
    crosses: list[str] = []
    for family in families:
        runs = family.runs
        members = _longest_runs(runs)
        diverged = [run for run in runs if run.state is RunState.DIVERGED]
        if members:
            curves.append(_average(family, members, measure, len(diverged)))
        elif diverged:
            missing.append(("diverged in epoch 1", family.name()))
        others = [r for r in runs if r.state is not RunState.DIVERGED and r not in members and r.epochs]
        if others:
            reason = f"left out, with fewer than {members[0].epochs} epochs"
            missing.append((reason, family.name(others)))
        if members and curves[-1].ends_diverged:
            crosses.append(family.name())
        elif members and diverged:
            missing.append(("left out, since it diverged", family.name(diverged)))
    if not curves:
        raise NotFoundError("There is no finished epoch to draw yet.", *advice)
    notes = describe_bands([curve.seeds for curve in curves]) + _merge(missing)
    notes += [f"cross: the loss was not finite in the next epoch ({join_some(crosses)})"] if crosses else []
    return curves, notes


def _merge(missing: Sequence[tuple[str, str]]) -> list[str]:
    """A note for each pair of a reason and a name; one for all names of a reason that has many."""
    members: dict[str, list[str]] = {}
    for reason, name in missing:
        members.setdefault(reason, []).append(name)
    notes = (
        f"{reason}: {name if len(members[reason]) <= MOST_NAMED else join_some(members[reason])}"
        for reason, name in missing
    )
    return list(dict.fromkeys(notes))


def describe_bands(seeds: Collection[int], *, shown: bool = True) -> list[str]:
    """A note on lines and on bands, if these are shown, of the numbers of seeds in the means.

    None if each is 1.
    """
    least, most = min(seeds), max(seeds)
    counts = f"{most}" if least == most else f"{least} to {most}"
    band = "; band: lowest to highest seed" if shown else ""
    return [f"line: mean over {counts} seeds{band}"] if most > 1 else []


def _average(
    family: Family, members: Sequence[Run], measure: Callable[[CurvePoint], float], diverged: int
) -> Curve:
    """The mean over runs of the same length, of a family in which so many runs diverged."""
    epochs = zip(*(run.curve for run in members), strict=True)
    columns = [list(map(measure, points)) for points in epochs]
    return Curve(
        label=family.label,
        value=family.value,
        mean=tuple(map(statistics.fmean, columns)),
        low=tuple(map(min, columns)),
        high=tuple(map(max, columns)),
        seeds=len(members),
        diverged=diverged,
        ends_diverged=members[0].state is RunState.DIVERGED,
        runs=tuple(run.id for run in members),
        recipe=members[0].config.recipe,
    )


def _longest_runs(runs: Sequence[Run]) -> list[Run]:
    """The runs of a curve: those with the most epochs, diverged ones only if there are no others."""
    # All epochs of a mean are of the same seeds: if a seed ended earlier, the mean would make a step there
    # that no run made. A seed that diverged would cut off the others' curves, and is counted instead.
    undiverged_runs = [run for run in runs if run.curve and run.state is not RunState.DIVERGED]
    candidates = undiverged_runs or [run for run in runs if run.curve]
    length = max((run.epochs for run in candidates), default=0)
    return [run for run in candidates if run.epochs == length]
