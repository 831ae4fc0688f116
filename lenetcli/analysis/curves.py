"""Learning curves as plain numbers: one for each value of a sweep, with its spread over seeds."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from lenetcli.errors import NotFoundError
from lenetcli.experiment.config import Config
from lenetcli.experiment.parameters import describe_config, name_parameter
from lenetcli.experiment.run import CurvePoint, Run, RunState
from lenetcli.experiment.sweep import Sweep, write_command
from lenetcli.words import join_words, name_dataset, name_value, plural

Row = tuple[Any, ...]
Group = tuple[str, Any, list[Run]]
"""A label, a value and the runs that make its curve."""


class Metric(StrEnum):
    """What a learning curve can show."""

    VAL_ACCURACY = "val_accuracy"
    VAL_LOSS = "val_loss"
    TRAIN_LOSS = "train_loss"
    ERROR = "error"

    def of(self, epoch: CurvePoint) -> float:
        """This metric's number of one epoch."""
        if self is Metric.ERROR:
            return 1 - epoch.val_accuracy
        return float(getattr(epoch, self.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One value's learning curve: the mean over its seeds, with the lowest and highest seed.

    ``mean``, ``low`` and ``high`` have one number an epoch, from epoch 1. ``diverged`` counts the
    seeds whose loss became infinite; a curve of diverged runs alone ends where the last of them did.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveSeries:
    """All curves of one figure, with what its title and notes have to say."""

    metric: Metric
    subject: str
    dataset: str
    setting: str
    epochs: int
    curves: tuple[Curve, ...]
    notes: tuple[str, ...]

    HEADER = ("label", "epoch", "mean", "low", "high", "seeds", "diverged", "runs")

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and the highest number of any curve or band."""
        return min(min(c.low) for c in self.curves), max(max(c.high) for c in self.curves)

    def rows(self) -> list[Row]:
        """The plotted numbers, a row for each curve and epoch, in the order of ``HEADER``."""
        return [
            (curve.label, epoch, *numbers, curve.seeds, curve.diverged, " ".join(curve.runs))
            for curve in self.curves
            for epoch, numbers in enumerate(zip(curve.mean, curve.low, curve.high, strict=True), 1)
        ]


def sweep_curves(sweep: Sweep, metric: Metric = Metric.VAL_ACCURACY) -> CurveSeries:
    """The curves of a sweep, one for each value, in the order of the values.

    Raises:
        NotFoundError: where no run of the sweep has finished an epoch.
    """
    groups = [
        (name_value(value), value, [cell.run for cell in sweep.cells if cell.value == value and cell.run])
        for value in sweep.values
    ]
    diverged = all(cell.run and cell.run.state is RunState.DIVERGED for cell in sweep.cells)
    advice = f"Train it with: {write_command(sweep)}"
    curves, notes = _make_curves(
        groups, metric, "All its runs diverged: train with smaller learning rates." if diverged else advice
    )
    bare = [label for label, _, runs in groups if not any(r.curve or r.state.is_finished() for r in runs)]
    return CurveSeries(
        metric=metric,
        subject=name_parameter(sweep.parameter),
        dataset=name_dataset(sweep.dataset_name),
        setting=describe_config(sweep.cells[0].config, without={sweep.parameter, "seed"}),
        epochs=sweep.epochs,
        curves=curves,
        notes=(*notes, f"not yet trained: {join_words(bare)}") if bare else notes,
    )


def run_curves(runs: Sequence[Run], metric: Metric = Metric.VAL_ACCURACY) -> CurveSeries:
    """The curves of any runs, labelled by what tells them apart; runs that differ in the seed alone are one.

    Raises:
        NotFoundError: where none has finished an epoch.
    """
    alike: dict[Config, dict[str, Run]] = {}
    for run in runs:
        alike.setdefault(replace(run.config, seed=0), {})[run.key] = run
    differing = [f.name for f in fields(Config) if len({getattr(config, f.name) for config in alike}) > 1]
    told = [name for name in differing if name != "shards"] or differing
    groups = []
    for place, (config, found) in enumerate(alike.items()):
        members = list(found.values())
        words = [
            name_dataset(members[0].dataset_name)
            if name == "data"
            else f"{name_parameter(name)} {name_value(getattr(config, name))}"
            for name in told
        ]
        groups.append((", ".join(words) or members[0].id[:8], place, members))
    advice = "Choose runs that have finished an epoch; `lenetcli runs list` shows them."
    curves, notes = _make_curves(groups, metric, advice)
    return CurveSeries(
        metric=metric,
        subject="run",
        dataset=" and ".join(dict.fromkeys(name_dataset(run.dataset_name) for run in runs)),
        setting=describe_config(runs[0].config, without={*differing, "seed"}),
        epochs=max(run.epochs for run in runs),
        curves=curves,
        notes=notes,
    )


def _make_curves(
    groups: Sequence[Group], metric: Metric, advice: str
) -> tuple[tuple[Curve, ...], tuple[str, ...]]:
    """The curves of those groups that have one, and the notes on what is not in them."""
    curves, notes = [], []
    for label, value, runs in groups:
        members = _with_curve(runs)
        diverged = sum(run.state is RunState.DIVERGED for run in runs)
        if members:
            curves.append(_curve((label, value, members), diverged, metric))
        elif diverged:
            notes.append(f"diverged in epoch 1: {label}")
        shown = members[0].epochs if members else 0
        others = [r for r in runs if r.state is not RunState.DIVERGED and r not in members and r.epochs]
        if others:
            notes.append(f"left out, with fewer than {shown} epochs: {label} ({plural(len(others), 'seed')})")
    if not curves:
        raise NotFoundError("There is no finished epoch to draw yet.", advice)
    least, most = min(curve.seeds for curve in curves), max(curve.seeds for curve in curves)
    if most > 1:
        seeds = f"{most}" if least == most else f"{least} to {most}"
        notes.insert(0, f"line: mean over {seeds} seeds; band: lowest to highest seed")
    return tuple(curves), tuple(notes)


def _with_curve(runs: Sequence[Run]) -> list[Run]:
    """The runs of one curve: those that went furthest, diverged ones only where there are no others."""
    alive = [run for run in runs if run.curve and run.state is not RunState.DIVERGED]
    usable = alive or [run for run in runs if run.curve]
    furthest = max((run.epochs for run in usable), default=0)
    return [run for run in usable if run.epochs == furthest]


def _curve(group: Group, diverged: int, metric: Metric) -> Curve:
    label, value, runs = group
    columns = [
        [metric.of(point) for point in points] for points in zip(*(r.curve for r in runs), strict=True)
    ]
    return Curve(
        label=label,
        value=value,
        mean=tuple(statistics.fmean(column) for column in columns),
        low=tuple(map(min, columns)),
        high=tuple(map(max, columns)),
        seeds=len(runs),
        diverged=diverged,
        ends_diverged=runs[0].state is RunState.DIVERGED,
        runs=tuple(run.id for run in runs),
    )
