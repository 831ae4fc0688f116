"""Learning curves as plain numbers: the mean over the seeds and its range, for each value of a sweep."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from lenetcli.analysis.crowds import CROWD, note_crowd, pick_extremes
from lenetcli.analysis.families import Curve, Family, average_families, name_place, note_untrained
from lenetcli.experiment.config import Config
from lenetcli.experiment.datasets import add_images, name_datasets
from lenetcli.experiment.parameters import describe_config, name_parameter
from lenetcli.experiment.recipes import name_recipe
from lenetcli.experiment.run import CurvePoint, Run
from lenetcli.experiment.sweep import Sweep, advise_training, describe_setting
from lenetcli.words import join_some, join_words, name_all, name_value

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

    @property
    def choose(self) -> Callable[..., Any]:
        """What chooses the best of several numbers: the highest accuracy, but the lowest of all others."""
        return max if self is Metric.VAL_ACCURACY else min

    def best(self, run: Run) -> float | None:
        """The best epoch of a run: its highest accuracy, its lowest loss or error; the runtime of the run.

        None without an epoch, or one that was timed.
        """
        if self is Metric.RUNTIME:
            return run.typical_runtime
        best: float | None = self.choose(map(self.of, run.curve), default=None)
        return best

    def find_scale(self, low: float, high: float) -> str:
        """The scale of an axis from ``low`` to ``high``: ``logit`` for accuracies, ``log`` for losses.

        A logit axis shows 0.1 against 0.3 as well as 0.98 against 0.99. The scale is ``linear`` if the other
        one cannot show a number (0, or an accuracy of 1), and for runtimes that are not far apart.
        """
        accuracy = self is Metric.VAL_ACCURACY
        if low <= 0 or (accuracy and high >= 1) or (self is Metric.RUNTIME and high <= WIDE * low):
            return "linear"
        return "logit" if accuracy else "log"


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveSeries:
    """All curves of a figure, with the texts of its title and notes.

    ``subject`` is what the labels name, ``setting`` describes the common configuration, and ``epochs`` is the
    length of the horizontal axis. ``recipe`` names that of all curves if the store has another one, too.
    ``parameter`` is that of the values of the curves, empty for any runs.
    """

    metric: Metric
    parameter: str = ""
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

    @property
    def is_crowd(self) -> bool:
        """Whether there are too many curves for a label each."""
        return len(self.curves) >= CROWD

    @property
    def extremes(self) -> dict[int, str]:
        """The places of the best, the median and the worst curve after the last epoch, each with that word.

        Curves that diverged or are shorter than others are none of these.
        """
        ends = {place: curve for place, curve in enumerate(self.curves) if not curve.ends_diverged}
        length = max((len(curve.mean) for curve in ends.values()), default=0)
        finals = {place: curve.mean[-1] for place, curve in ends.items() if len(curve.mean) == length}
        return pick_extremes(finals, highest=self.metric is Metric.VAL_ACCURACY)

    def note_crowd(self) -> "CurveSeries":
        """The series; if it is a crowd, with a note on which of its curves are named."""
        if not self.is_crowd:
            return self
        places = self.extremes
        names = [f"{self.curves[place].label} ({role})" for place, role in places.items()]
        epoch = max((len(self.curves[place].mean) for place in places), default=0)
        bands = any(curve.seeds > 1 for curve in self.curves)
        note = note_crowd(names, len(self.curves), epoch, self.parameter, bands=bands)
        return replace(self, notes=(note, *self.notes))

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
    by = by or sweep.parameter
    families = [
        Family(
            name_value(group.point[by]), group.point[by], group.runs, join_words(name_place(group.point, by))
        )
        for group in groups
    ]
    curves, notes = average_families(families, metric.of, advise_training(sweep))
    notes += note_untrained(families)
    series = CurveSeries(
        metric=metric,
        parameter=by,
        subject=name_parameter(by),
        dataset=(names or name_datasets([sweep.dataset]))[sweep.base.data],
        setting=describe_setting(sweep),
        recipe=name_recipe(sweep.base.recipe, recipes),
        epochs=sweep.epochs,
        curves=tuple(curves),
        notes=tuple(notes),
    )
    return series if any(family.place for family in families) else series.note_crowd()


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
    curves, notes = average_families(families, metric.of, advice)
    series = CurveSeries(
        metric=metric,
        subject="run",
        dataset=join_some(list(names.values())),
        setting=add_images(describe_config(runs[0].config, *differing), (run.images for run in runs)),
        recipe="" if "recipe" in differing else name_recipe(runs[0].config.recipe, recipes),
        epochs=max(run.epochs for run in runs),
        curves=tuple(curves),
        notes=tuple(notes),
    )
    return series.note_crowd()


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
