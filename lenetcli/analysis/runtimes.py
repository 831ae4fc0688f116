"""Runtimes as plain numbers: seconds against parameters, a series for each device that was measured."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import quantiles
from typing import Any

from lenetcli.analysis.estimates import Cost, fit_cost
from lenetcli.errors import NotFoundError
from lenetcli.experiment.architecture import count_parameters, multiply_adds
from lenetcli.experiment.config import Config, DeviceKind
from lenetcli.experiment.datasets import name_datasets
from lenetcli.experiment.exercise import FILTERS_COMMANDS
from lenetcli.experiment.parameters import describe_config
from lenetcli.experiment.recipes import name_recipe
from lenetcli.experiment.run import Run, RunState
from lenetcli.experiment.sweep import Sweep
from lenetcli.words import name_values, plural

Doubted = tuple[Run, str]
"""A run, and the reason why its runtime may be wrong, empty without one."""

GOOD_FIT = 0.2
"""The largest relative deviation of a point at which the law of overhead and arithmetic is accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimePoint:
    """The runtime of one number of filters on one device.

    ``seconds`` is the median training time of an epoch, over the ``timings`` timed epochs of the runs with
    the ``ids``, times the ``epochs`` of the series; ``low`` and ``high`` are the quartiles, times the same.
    ``work`` is the number of multiply-adds of the forward pass of an image. ``doubt`` is that of a run.
    """

    filters: int
    parameters: int
    work: int
    seconds: float
    low: float
    high: float
    doubt: str
    ids: tuple[str, ...]
    timings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSeries:
    """All points of a device, in ascending order of the filters.

    ``label`` names the device in figures and sentences. ``config`` is the configuration of one of the runs:
    all others have the same setting.
    """

    kind: DeviceKind
    name: str
    label: str
    dataset: str
    config: Config
    points: tuple[RuntimePoint, ...]

    @property
    def clean(self) -> tuple[RuntimePoint, ...]:
        """The points without doubt."""
        return tuple(point for point in self.points if not point.doubt)

    @property
    def law(self) -> Cost | None:
        """The law of overhead and arithmetic, fitted to the points without doubt.

        None with fewer than three of them, or if one deviates by more than ``GOOD_FIT``.
        """
        if len(self.clean) < 3:
            return None
        law = fit_cost([point.work for point in self.clean], [point.seconds for point in self.clean])
        return law if law and law.misfit <= GOOD_FIT else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSeries:
    """The runtimes on all devices of a figure, with the texts of its title and notes.

    All seconds are those of ``epochs`` epochs: the number of the sweeps, or 1 if they differ in it.
    ``setting`` describes the common configuration; it is empty if the devices differ in theirs. ``recipe``
    names that of all devices if the store has another one, too.
    """

    dataset: str
    setting: str
    recipe: str = ""
    epochs: int
    devices: tuple[DeviceSeries, ...]
    notes: tuple[str, ...]

    HEADER = (
        *("device", "device_name", "filters", "parameters", "epochs"),
        *("seconds", "low", "high", "doubt", "runs", "recipe"),
    )

    @property
    def points(self) -> tuple[RuntimePoint, ...]:
        """The points of all devices."""
        return tuple(point for device in self.devices for point in device.points)

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
            )
            for d in self.devices
            for p in d.points
        ]


def newest_filters(sweeps: Iterable[Sweep]) -> tuple[Sweep, ...]:
    """For each kind of device the newest sweep over filters with a timed run, of sweeps newest first."""
    newest: dict[DeviceKind, Sweep] = {}
    for sweep in sweeps:
        if sweep.parameter == "filters" and any(run.timings for run in sweep.runs):
            newest.setdefault(sweep.device, sweep)
    return tuple(newest[kind] for kind in DeviceKind if kind in newest)


def runtime_series(
    sweeps: Sequence[Sweep], *, names: Mapping[str, str] | None = None, recipes: Collection[int] = ()
) -> RuntimeSeries:
    """The runtimes of sweeps over filters, a series for each device, and for each number of threads of a CPU.

    ``names`` are those of all data sets that are shown beside them, by hash; ``recipes`` those of the store.

    Raises:
        NotFoundError: if no run has been timed.
    """
    groups = [[(run, _write_doubt(run, sweep.epochs)) for run in sweep.runs] for sweep in sweeps]
    lengths = {sweep.epochs for sweep in sweeps}
    names = names or name_datasets(sweep.dataset for sweep in sweeps)
    return _make_series(groups, lengths, names, recipes)


def run_runtimes(runs: Sequence[Run], *, recipes: Collection[int] = ()) -> RuntimeSeries:
    """The runtimes of any runs, a series for each device and each setting apart from filters and seed.

    ``recipes`` are those of the store.

    Raises:
        NotFoundError: if no run has been timed.
    """
    groups: dict[Config, list[Doubted]] = {}
    for run in {run.key: run for run in runs}.values():
        setting = replace(run.config, filters=1, seed=0, shards=1)
        groups.setdefault(setting, []).append((run, _write_doubt(run, run.epochs)))
    lengths = {run.epochs for run in runs if run.timings}
    return _make_series(groups.values(), lengths, name_datasets(run.dataset for run in runs), recipes)


def _make_series(
    groups: Iterable[Sequence[Doubted]],
    lengths: set[int],
    names: Mapping[str, str],
    recipes: Collection[int],
) -> RuntimeSeries:
    """The series of groups of runs, each of one setting, in a store with these recipes.

    The seconds are those of the only number of epochs in ``lengths``, or of one epoch if there are several.
    """
    epochs = next(iter(lengths)) if len(lengths) == 1 else 1
    devices = [device for group in groups for device in _device_series(group, epochs, names)]
    if not devices:
        raise NotFoundError(
            "There is no measured run of a sweep over filters.",
            f"Train one with: {FILTERS_COMMANDS[DeviceKind.CPU]}",
        )
    datasets = [device.dataset for device in devices]
    settings = [describe_config(device.config, "filters") for device in devices]
    shown = [device.config.recipe for device in devices]
    computed = [name_recipe(recipe, {*recipes, *shown}) for recipe in shown]
    for texts in (datasets, settings, computed):
        if len(set(texts)) > 1:
            devices = [replace(d, label=f"{d.label}, {text}") for d, text in zip(devices, texts, strict=True)]
    return RuntimeSeries(
        dataset=" and ".join(dict.fromkeys(datasets)),
        setting=settings[0] if len(set(settings)) == 1 else "",
        recipe=computed[0] if len(set(computed)) == 1 else "",
        epochs=epochs,
        devices=tuple(devices),
        notes=tuple(note for device in devices for note in _write_notes(device)),
    )


def _write_notes(device: DeviceSeries) -> list[str]:
    """A note for each reason for doubt, with the numbers of filters that it concerns."""
    sizes: dict[str, list[int]] = {}
    for point in device.points:
        if point.doubt:
            sizes.setdefault(point.doubt, []).append(point.filters)
    return [
        f"hollow, in no fit or comparison: {doubt} ({name_values(filters)} filters, {device.label})"
        for doubt, filters in sizes.items()
    ]


def _device_series(
    group: Sequence[Doubted], epochs: int, datasets: Mapping[str, str]
) -> Iterator[DeviceSeries]:
    """The series of the runs of one setting, one for each device, in seconds of ``epochs`` epochs."""
    # Times of different devices, or of different numbers of threads, lie on different curves: one line
    # through both would show the change of the machine as an effect of the filters. A run that continued on
    # another device counts for the later one, in doubt.
    members: dict[tuple[str, int], dict[int, list[Doubted]]] = {}
    for run, doubt in group:
        if (run.typical_runtime or 0) > 0:  # a clock that is set back can make a time zero or negative
            sizes = members.setdefault(_timed_devices(run)[-1], {})
            sizes.setdefault(run.config.filters, []).append((run, doubt))
    names = [name for name, _ in members]
    for (name, threads), sizes in members.items():
        first, _ = next(iter(sizes.values()))[0]
        kind = first.config.device
        ambiguous = names.count(name) > 1 and kind is DeviceKind.CPU
        suffix = f", {plural(threads, 'thread')}" if ambiguous else ""
        yield DeviceSeries(
            kind=kind,
            name=name,
            label=f"{kind.value.upper()} ({name}{suffix})",
            dataset=datasets[first.config.data],
            config=first.config,
            points=tuple(_runtime_point(sizes[size], epochs) for size in sorted(sizes)),
        )


def _timed_devices(run: Run) -> list[tuple[str, int]]:
    """The devices of the timings that count, as (name, threads), in the order of their first epochs.

    The threads of a GPU are 0: they do not matter there.
    """
    gpu = run.config.device is DeviceKind.GPU
    devices = ((attempt.device_name, 0 if gpu else attempt.threads) for attempt, _ in run.measurement)
    return list(dict.fromkeys(devices))


def _runtime_point(group: Sequence[Doubted], epochs: int) -> RuntimePoint:
    """The point of the runs of one size on one device; doubtful runs count only if there are no others."""
    # One undisturbed seed is better evidence than a mixture; without one, the point is shown and marked.
    # Median and quartiles ignore a single slow epoch; the inclusive method keeps them within the times
    # measured, where the exclusive one would extrapolate from few epochs.
    clean_runs = [run for run, doubt in group if not doubt]
    runs = clean_runs or [run for run, _ in group]
    seconds = [timing.train_seconds * epochs for run in runs for timing in run.timings]
    low, middle, high = quantiles(seconds, n=4, method="inclusive") if len(seconds) > 1 else seconds * 3
    config = runs[0].config
    return RuntimePoint(
        filters=config.filters,
        parameters=count_parameters(config),
        work=multiply_adds(config),
        seconds=middle,
        low=low,
        high=high,
        doubt="" if clean_runs else group[0][1],
        ids=tuple(run.id for run in runs),
        timings=len(seconds),
    )


def _write_doubt(run: Run, planned_epochs: int) -> str:
    """The reason why the runtime of a run may be wrong, in words; empty without one."""
    # The first reason that holds is given, those of the whole run before those of single epochs. A diverged
    # run ended early, as an incomplete one did: its time is extrapolated from fewer epochs than the others'.
    if run.state is RunState.DIVERGED:
        return "diverged"
    if run.epochs < planned_epochs:
        return f"only {run.epochs} of {plural(planned_epochs, 'epoch')} finished"
    if len(_timed_devices(run)) > 1:
        return "measured on several devices"
    if any(timing.contended for timing in run.timings):
        return "others used the machine"
    return "the clock was set" if run.contended else ""  # `run.contended` covers both disturbances
