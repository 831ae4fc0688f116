"""Learning curves as plain numbers: the mean over the seeds and its range, for each value of a sweep."""

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, NamedTuple

from lenetcli.errors import NotFoundError
from lenetcli.experiment.config import Config
from lenetcli.experiment.datasets import add_images, name_datasets
from lenetcli.experiment.parameters import PARAMETERS, describe_config, name_parameter
from lenetcli.experiment.recipes import name_recipe
from lenetcli.experiment.run import CurvePoint, Run, RunState
from lenetcli.experiment.sweep import Sweep, describe_setting, write_command
from lenetcli.words import join_words, name_all, name_value

MOST_DISTINCT = 55
"""The largest number of curves of a figure whose marks all differ."""


WIDE = 20
"""The ratio of the largest to the smallest runtime from which on an axis is logarithmic."""


class Metric(StrEnum):
    """A quantity that figures show: by epoch, but for the runtime, or its best epoch in a run."""

    VAL_ACCURACY = "val_accuracy"
    VAL_LOSS = "val_loss"
    TRAIN_LOSS = "train_loss"
    ERROR = "error"
    RUNTIME = "runtime"

    def of(self, epoch: CurvePoint) -> float:
        """The metric of one epoch; the error is 1 - validation accuracy."""
        if self is Metric.ERROR:
            return 1 - epoch.val_accuracy
        return float(getattr(epoch, self.value))

    def best(self, run: Run) -> float | None:
        """The best epoch of a run: its highest accuracy, its lowest loss or error; the runtime of the run.

        None without an epoch, or one that was timed.
        """
        if self is Metric.RUNTIME:
            return run.typical_runtime
        choose = max if self is Metric.VAL_ACCURACY else min
        return choose(map(self.of, run.curve), default=None)

    def find_scale(self, low: float, high: float) -> str:
        """The scale of an axis from ``low`` to ``high``: ``logit`` for accuracies, ``log`` for losses.

        A logit axis shows 0.1 against 0.3 as well as 0.98 against 0.99. The scale is ``linear`` if the other
        one cannot show a number (0, or an accuracy of 1), and for runtimes that are not far apart.
        """
        accuracy = self is Metric.VAL_ACCURACY
        if low <= 0 or (accuracy and high >= 1) or (self is Metric.RUNTIME and high <= WIDE * low):
            return "linear"
        return "logit" if accuracy else "log"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveSeries:
    """All curves of a figure, with the texts of its title and notes.

    ``subject`` is what the labels name, ``setting`` describes the common configuration, and ``epochs`` is the
    length of the horizontal axis. ``recipe`` names that of all curves if the store has another one, too.
    """

    metric: Metric
    subject: str
    dataset: str
    setting: str
    recipe: str = ""
    epochs: int
    curves: tuple[Curve, ...]
    notes: tuple[str, ...]

    HEADER = ("label", "epoch", "mean", "low", "high", "seeds", "diverged", "runs", "recipe")

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and the highest number of all curves and bands."""
        return min(min(c.low) for c in self.curves), max(max(c.high) for c in self.curves)

    @property
    def scale(self) -> str:
        """The scale of the vertical axis: ``logit``, ``log`` or ``linear``."""
        return self.metric.find_scale(*self.limits)

    def rows(self) -> list[tuple[Any, ...]]:
        """The plotted numbers: one row per curve and epoch, with the columns of ``HEADER``."""
        return [
            (curve.label, epoch, *numbers, curve.seeds, curve.diverged, " ".join(curve.runs), curve.recipe)
            for curve in self.curves
            for epoch, numbers in enumerate(zip(curve.mean, curve.low, curve.high, strict=True), 1)
        ]


def sweep_curves(
    sweep: Sweep,
    metric: Metric = Metric.VAL_ACCURACY,
    *,
    by: str | None = None,
    names: Mapping[str, str] | None = None,
    recipes: Collection[int] = (),
) -> CurveSeries:
    """The curves of a sweep, one per value, in the order of the values.

    ``by`` is the parameter that labels them (default: the first); a sweep over several has more than one
    curve of a value. ``names`` are those of all data sets that are shown beside it, by hash; ``recipes``
    those of its store.

    Raises:
        NotFoundError: if no run of the sweep has finished an epoch.
    """
    groups = sweep.groups()
    advice: tuple[str, ...]
    if all(len(group.diverged) == len(group.cells) for group in groups):
        advice = ("All its runs diverged: train with smaller learning rates.",)
    else:
        advice = ("Train it with {}.", write_command(sweep))
    by = by or sweep.parameter
    families = [
        Family(
            name_value(group.point[by]), group.point[by], group.runs, join_words(name_place(group.point, by))
        )
        for group in groups
    ]
    curves, notes = average_families(families, metric, advice)
    notes += note_untrained(families)
    return CurveSeries(
        metric=metric,
        subject=name_parameter(by),
        dataset=(names or name_datasets([sweep.dataset]))[sweep.base.data],
        setting=describe_setting(sweep),
        recipe=name_recipe(sweep.base.recipe, recipes),
        epochs=sweep.epochs,
        curves=tuple(curves),
        notes=tuple(notes),
    )


def run_curves(
    runs: Sequence[Run], metric: Metric = Metric.VAL_ACCURACY, *, recipes: Collection[int] = ()
) -> CurveSeries:
    """The curves of any runs, labelled by their differences; runs that differ only in the seed share a curve.

    ``recipes`` are those of the store.

    Raises:
        NotFoundError: if no run has finished an epoch.
    """
    groups: dict[Config, dict[str, Run]] = {}
    for run in runs:
        groups.setdefault(replace(run.config, seed=0), {})[run.key] = run
    differing = [f.name for f in fields(Config) if len({getattr(config, f.name) for config in groups}) > 1]
    # The default number of shards follows from other fields: it is a label only if these are not enough.
    others = [name for name in differing if name != "shards"]
    points = {tuple(getattr(config, name) for name in others) for config in groups}
    label_fields = others if len(points) == len(groups) else differing
    names = name_datasets(run.dataset for run in runs)
    seeds = [tuple(sorted(run.config.seed for run in group.values())) for group in groups.values()]
    are_named = len(set(seeds)) > 1 or (len(groups) == 1 and len(seeds[0]) > 1)
    families = [
        Family(
            _write_label(next(iter(group.values())), label_fields, names, seeds[place] if are_named else ()),
            place,
            tuple(group.values()),
        )
        for place, group in enumerate(groups.values())
    ]
    advice = ("Choose runs that have finished an epoch; see them with {}.", "lenetcli runs list --all")
    curves, notes = average_families(families, metric, advice)
    return CurveSeries(
        metric=metric,
        subject="run",
        dataset=" and ".join(names.values()),
        setting=add_images(describe_config(runs[0].config, *differing), (run.images for run in runs)),
        recipe="" if "recipe" in differing else name_recipe(runs[0].config.recipe, recipes),
        epochs=max(run.epochs for run in runs),
        curves=tuple(curves),
        notes=tuple(notes),
    )


def _write_label(run: Run, parameters: Sequence[str], names: Mapping[str, str], seeds: Sequence[int]) -> str:
    """The values of these fields of a run and seeds, with their names; without any, its short id."""
    words = [
        names[run.config.data]
        if name == "data"
        else f"{name_parameter(name)} {name_value(getattr(run.config, name))}"
        for name in parameters
    ]
    words += [name_all("seed", seeds)] if seeds else []
    return ", ".join(words) or run.short_id


def name_place(point: Mapping[str, Any], *without: str) -> list[str]:
    """The values of a point but for some parameters, in words: ``8 filters``, ``batch 32``."""
    return [PARAMETERS[name].describe(value) for name, value in point.items() if name not in without]


def note_untrained(families: Sequence[Family]) -> list[str]:
    """A note on the families that have neither an epoch nor a finished run, if there are any."""
    names = [f.name() for f in families if not any(r.curve or r.state.is_finished() for r in f.runs)]
    return [f"not yet trained: {join_words(names)}"] if names else []


def average_families(
    families: Iterable[Family], metric: Metric, advice: Sequence[str]
) -> tuple[list[Curve], list[str]]:
    """The curve of each family that has one, and notes on what is not shown.

    ``advice`` is that of the error if no run has finished an epoch.
    """
    curves: list[Curve] = []
    notes: list[str] = []
    crosses: list[str] = []
    for family in families:
        runs = family.runs
        members = _longest_runs(runs)
        diverged = [run for run in runs if run.state is RunState.DIVERGED]
        if members:
            curves.append(_average(family, members, metric, len(diverged)))
        elif diverged:
            notes.append(f"diverged in epoch 1: {family.name()}")
        others = [r for r in runs if r.state is not RunState.DIVERGED and r not in members and r.epochs]
        if others:
            notes.append(f"left out, with fewer than {members[0].epochs} epochs: {family.name(others)}")
        if members and curves[-1].ends_diverged:
            crosses.append(family.name())
        elif members and diverged:
            notes.append(f"left out, since it diverged: {family.name(diverged)}")
    if not curves:
        raise NotFoundError("There is no finished epoch to draw yet.", *advice)
    notes += [f"cross: the loss was not finite in the next epoch ({join_words(crosses)})"] if crosses else []
    if len({curve.label for curve in curves}) > MOST_DISTINCT:
        notes.append(f"more than {MOST_DISTINCT} curves: markers and dashes repeat, and colours are close")
    return curves, describe_bands([curve.seeds for curve in curves]) + notes


def describe_bands(seeds: Collection[int]) -> list[str]:
    """A note on lines and bands, of the numbers of seeds in the means; none if there are no bands."""
    least, most = min(seeds), max(seeds)
    counts = f"{most}" if least == most else f"{least} to {most}"
    return [f"line: mean over {counts} seeds; band: lowest to highest seed"] if most > 1 else []


def _average(family: Family, members: Sequence[Run], metric: Metric, diverged: int) -> Curve:
    """The mean over runs of the same length, of a family in which so many runs diverged."""
    epochs = zip(*(run.curve for run in members), strict=True)
    columns = [list(map(metric.of, points)) for points in epochs]
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
