"""Runtimes as plain numbers: seconds against parameters, a series for all epochs of the same conditions."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any, NamedTuple

from lenetcli.analysis.conditions import (
    Conditions,
    describe_changes,
    describe_settings,
    find_conditions,
    write_labels,
)
from lenetcli.analysis.estimates import Cost, fit_cost
from lenetcli.errors import NotFoundError
from lenetcli.experiment.architecture import count_parameters, multiply_adds
from lenetcli.experiment.config import Config, DeviceKind
from lenetcli.experiment.datasets import add_images, name_datasets
from lenetcli.experiment.exercise import FILTERS
from lenetcli.experiment.recipes import name_recipe
from lenetcli.experiment.run import Run, RunState
from lenetcli.experiment.sweep import Sweep, advise_training, suggest_command
from lenetcli.words import cut, name_counts, plural

GOOD_FIT = 0.2
"""The largest relative deviation of a point at which the law of overhead and arithmetic is accepted."""
LEAST_POINTS = 4
"""The smallest number of points for a law of two coefficients, which fits fewer too easily."""
LEAST_TIMINGS = 3
"""The smallest number of timed epochs of a size from which its spread, and so anything of it, is known."""


class Doubt(NamedTuple):
    """The reason why a runtime may be wrong; ``passing`` if the same command with ``--remeasure`` ends it."""

    text: str
    passing: bool = False


class Timed(NamedTuple):
    """A run with the conditions of its times, and the reason for doubt, if any."""

    run: Run
    conditions: Conditions
    doubt: Doubt | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimePoint:
    """The runtime of one number of filters in one series.

    ``seconds`` is the median training time of an epoch times the ``epochs`` of the series: of the only run,
    or the median over the runs with the ``ids``. With several runs ``low`` and ``high`` are those of the
    fastest and the slowest one, with one the quartiles of its epochs, times the same. ``timings`` is the
    number of timed epochs, ``work`` the number of multiply-adds of the forward pass of an image. ``doubt`` is
    the text of that of a run, ``passing`` whether measuring again ends it.
    """

    filters: int
    parameters: int
    work: int
    seconds: float
    low: float
    high: float
    doubt: str
    passing: bool
    ids: tuple[str, ...]
    timings: int

    @property
    def has_spread(self) -> bool:
        """Whether enough epochs were timed for the spread to be known."""
        return self.timings >= LEAST_TIMINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSeries:
    """All points of the same conditions, in ascending order of the filters.

    ``label`` names the device and all in which the series of a figure differ. ``config`` is the configuration
    of one of the runs: all others have the same setting. ``threads`` are 0 for a GPU.
    """

    kind: DeviceKind
    name: str
    host: str
    threads: int
    label: str
    dataset: str
    config: Config
    points: tuple[RuntimePoint, ...]

    @property
    def clean(self) -> tuple[RuntimePoint, ...]:
        """The points without doubt."""
        return tuple(point for point in self.points if not point.doubt)

    @property
    def solid(self) -> tuple[RuntimePoint, ...]:
        """The points without doubt whose spread is known: what fits and comparisons rest on."""
        return tuple(point for point in self.clean if point.has_spread)

    @property
    def law(self) -> Cost | None:
        """The law of overhead and arithmetic, fitted to the solid points.

        None with fewer than ``LEAST_POINTS``, or if one deviates by more than ``GOOD_FIT``.
        """
        if len(self.solid) < LEAST_POINTS:
            return None
        law = fit_cost([point.work for point in self.solid], [point.seconds for point in self.solid])
        return law if law and law.misfit <= GOOD_FIT else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSeries:
    """All series of a figure, with the texts of its title and notes.

    All seconds are those of ``epochs`` epochs: the number of the sweeps, or 1 if they differ in it.
    ``setting`` describes what the configurations have in common. ``recipe`` names that of all series if the
    store has another one, too.
    """

    dataset: str
    setting: str
    recipe: str = ""
    epochs: int
    devices: tuple[DeviceSeries, ...]
    notes: tuple[str, ...]

    HEADER = (
        *("device", "device_name", "filters", "parameters", "epochs"),
        *("seconds", "low", "high", "doubt", "runs", "recipe", "host", "threads", "label"),
    )

    @property
    def points(self) -> tuple[RuntimePoint, ...]:
        """The points of all series."""
        return tuple(point for device in self.devices for point in device.points)

    @property
    def spread(self) -> str:
        """What the bars are, and what they do not tell."""
        counts = {len(point.ids) for point in self.points}
        quartiles = "quartiles of the epochs, which do not tell how runs differ"
        if counts == {1}:
            return f"{quartiles}, as there is one run of each size"
        runs = "fastest and slowest run"
        return f"{runs}; where a size has one run, {quartiles}" if 1 in counts else runs

    @property
    def scale(self) -> str:
        """The scale of both axes: ``log`` if runtimes or parameters span more than a factor of 20."""
        xs, ys = [point.parameters for point in self.points], [point.seconds for point in self.points]
        return "log" if max(xs) > 20 * min(xs) or max(ys) > 20 * min(ys) else "linear"

    def rows(self) -> list[tuple[Any, ...]]:
        """The plotted numbers: one row per point, with the columns of ``HEADER``."""
        return [
            (
                *(d.kind.value, d.name, p.filters, p.parameters, self.epochs),
                *(p.seconds, p.low, p.high, p.doubt, " ".join(p.ids), d.config.recipe),
                *(d.host, d.threads or None, d.label),
            )
            for d in self.devices
            for p in d.points
        ]


def runtime_series(
    sweeps: Sequence[Sweep], *, names: Mapping[str, str] | None = None, recipes: Collection[int] = ()
) -> RuntimeSeries:
    """The runtimes of sweeps, a series for all epochs of the same conditions.

    ``names`` are those of all data sets that are shown beside them, by hash; ``recipes`` those of the store.

    Raises:
        NotFoundError: if no run has been timed.
    """
    timed = [one for sweep in sweeps for run in sweep.runs for one in _find_times(run, sweep.epochs)]
    over = [sweep for sweep in sweeps if "filters" in sweep.parameters]
    if over and not timed:
        raise NotFoundError("There is no measured run of this sweep.", *advise_training(over[0]))
    lengths = {sweep.epochs for sweep in sweeps}
    names = names or name_datasets(sweep.dataset for sweep in sweeps)
    return _make_series(timed, lengths, names, recipes)


def run_runtimes(runs: Sequence[Run], *, recipes: Collection[int] = ()) -> RuntimeSeries:
    """The runtimes of any runs, a series for all epochs of the same conditions.

    ``recipes`` are those of the store.

    Raises:
        NotFoundError: if no run has been timed.
    """
    timed = [one for run in runs for one in _find_times(run, run.epochs)]
    lengths = {run.epochs for run in runs if run.timings}
    return _make_series(timed, lengths, name_datasets(run.dataset for run in runs), recipes)


def _find_times(run: Run, planned_epochs: int) -> Iterable[Timed]:
    """The run as one that was timed; nothing if none of its epochs was measured."""
    if run.typical_runtime is None:
        return
    # A run that continued under other conditions counts for the later ones, in doubt.
    conditions = find_conditions(run)
    yield Timed(run, conditions[-1], _find_doubt(run, planned_epochs, describe_changes(conditions)))


def _find_doubt(run: Run, planned_epochs: int, changes: str) -> Doubt | None:
    """The reason why the runtime of a run may be wrong; ``changes`` are those of its conditions."""
    # The first reason that holds is given, those of the whole run before those of single epochs. A diverged
    # run ended early, as an incomplete one did: its time is extrapolated from fewer epochs than the others'.
    if run.state is RunState.DIVERGED:
        return Doubt("diverged")
    if run.epochs < planned_epochs:
        return Doubt(f"only {run.epochs} of {plural(planned_epochs, 'epoch')} finished")
    if changes:
        return Doubt(f"measured {changes}", passing=True)
    if any(timing.contended for timing in run.timings):
        return Doubt("others used the machine", passing=True)
    # `run.contended` covers both disturbances
    return Doubt("the clock was set", passing=True) if run.contended else None


def _make_series(
    timed: Iterable[Timed], lengths: set[int], names: Mapping[str, str], recipes: Collection[int]
) -> RuntimeSeries:
    """The series of timed runs in a store with these recipes; of a run that occurs twice, the first counts.

    The seconds are those of the only number of epochs in ``lengths``, or of one epoch if there are several.
    """
    # Times of different conditions lie on different curves: one line through both would show the change of
    # the machine, or of another parameter, as an effect of the filters.
    members: dict[Conditions, dict[str, Timed]] = {}
    for one in timed:
        members.setdefault(one.conditions, {}).setdefault(one.run.key, one)
    if not members:
        raise NotFoundError(
            "There is no measured run of a sweep over filters.",
            "Train one with {}.",
            suggest_command("filters", FILTERS[DeviceKind.CPU], ()),
        )
    epochs = next(iter(lengths)) if len(lengths) == 1 else 1
    conditions = list(members)
    labels = write_labels(conditions, names, recipes)
    devices = tuple(
        DeviceSeries(
            kind=one.kind,
            name=one.device_name,
            host=one.host,
            threads=one.threads,
            label=label,
            dataset=names[one.setting.data],
            config=next(iter(members[one].values())).run.config,
            points=_make_points(members[one].values(), epochs),
        )
        for one, label in zip(conditions, labels, strict=True)
    )
    images = [one.run.images for some in members.values() for one in some.values()]
    shown = {one.setting.recipe for one in conditions}
    return RuntimeSeries(
        dataset=" and ".join(dict.fromkeys(device.dataset for device in devices)),
        setting=add_images(describe_settings(conditions), images),
        recipe=name_recipe(next(iter(shown)), recipes) if len(shown) == 1 else "",
        epochs=epochs,
        devices=devices,
        notes=_write_notes(devices),
    )


def _write_notes(devices: Sequence[DeviceSeries]) -> tuple[str, ...]:
    """A note for each reason for doubt, with the numbers of filters that it concerns in each series.

    Of many series and many reasons there are the first ones, and how many more there are.
    """
    sizes: dict[str, dict[str, list[int]]] = {}
    for device in devices:
        for point in device.points:
            if point.doubt:
                sizes.setdefault(point.doubt, {}).setdefault(device.label, []).append(point.filters)
    notes = []
    for doubt, members in sizes.items():
        places = [f"{name_counts(filters, 'filter')}, {label}" for label, filters in members.items()]
        notes.append(f"{doubt} ({'; '.join(cut(places, '{:,} more series'))})")
    return tuple(f"hollow, in no fit or comparison: {note}" for note in cut(notes, "{:,} more reasons"))


def _make_points(timed: Iterable[Timed], epochs: int) -> tuple[RuntimePoint, ...]:
    """The points of runs of the same conditions, in ascending order of the filters."""
    sizes: dict[int, list[Timed]] = {}
    for one in timed:
        sizes.setdefault(one.run.config.filters, []).append(one)
    return tuple(_make_point(sizes[size], epochs) for size in sorted(sizes))


def _make_point(group: Sequence[Timed], epochs: int) -> RuntimePoint:
    """The point of the runs of one size; doubtful runs count only if there are no others."""
    # One undisturbed run is better evidence than a mixture; without one, the point is shown and marked.
    clean_runs = [one.run for one in group if one.doubt is None]
    runs = clean_runs or [one.run for one in group]
    doubts = [one.doubt for one in group if one.doubt is not None]
    doubt = Doubt("") if clean_runs else doubts[0]
    # Median and quartiles ignore a single slow epoch; the inclusive method keeps them within the times
    # measured, where the exclusive one would extrapolate from few epochs.
    if len(runs) > 1:
        seconds = [median(run.train_seconds) * epochs for run in runs]
        low, middle, high = min(seconds), median(seconds), max(seconds)
    else:
        seconds = [second * epochs for second in runs[0].train_seconds]
        low, middle, high = quantiles(seconds, n=4, method="inclusive") if len(seconds) > 1 else seconds * 3
    config = runs[0].config
    return RuntimePoint(
        filters=config.filters,
        parameters=count_parameters(config),
        work=multiply_adds(config),
        seconds=middle,
        low=low,
        high=high,
        doubt=doubt.text,
        passing=doubt.passing,
        ids=tuple(run.id for run in runs),
        timings=sum(len(run.train_seconds) for run in runs),
    )
