"""Runtimes as plain numbers: parameters against seconds, a series for each device that measured them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import quantiles

from lenetcli.analysis.curves import Row
from lenetcli.analysis.estimates import Cost, fit_cost
from lenetcli.errors import NotFoundError
from lenetcli.experiment.architecture import multiply_adds
from lenetcli.experiment.config import Config, DeviceKind
from lenetcli.experiment.exercise import FILTERS_COMMANDS
from lenetcli.experiment.parameters import describe_config
from lenetcli.experiment.run import Run, RunState
from lenetcli.experiment.sweep import Sweep
from lenetcli.words import name_dataset, name_values, plural

UNKNOWN = ("unknown", 0)
GOOD_FIT = 0.2
"""The largest relative deviation of a point with which the law of overhead and arithmetic is believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimePoint:
    """One filter size on one device: seconds as the median epoch (of all seeds) times ``epochs``.

    ``low`` and ``high`` are the quartiles of the epochs, times the same. ``doubt`` says why the
    point is not to be trusted fully, and is empty where it is. ``timings`` counts the epochs behind it.
    """

    filters: int
    parameters: int
    work: int
    seconds: float
    low: float
    high: float
    doubt: str
    runs: tuple[str, ...]
    timings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSeries:
    """All points of one device, by filters."""

    kind: DeviceKind
    name: str
    label: str
    dataset: str
    config: Config
    points: tuple[RuntimePoint, ...]

    @property
    def clean(self) -> tuple[RuntimePoint, ...]:
        """The points that nothing speaks against."""
        return tuple(point for point in self.points if not point.doubt)

    @property
    def law(self) -> Cost | None:
        """Overhead and arithmetic, fitted to the points without doubt; None where they do not fit."""
        if len(self.clean) < 3:
            return None
        law = fit_cost([point.work for point in self.clean], [point.seconds for point in self.clean])
        return law if law and law.misfit <= GOOD_FIT else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSeries:
    """Runtimes of the filters sweeps of each device. ``epochs`` is 1 where the sweeps differ in them."""

    dataset: str
    setting: str
    epochs: int
    devices: tuple[DeviceSeries, ...]
    notes: tuple[str, ...]

    HEADER = (
        "device",
        "device_name",
        "filters",
        "parameters",
        "epochs",
        "seconds",
        "low",
        "high",
        "doubt",
        "runs",
    )

    def rows(self) -> list[Row]:
        """The plotted numbers, a row for each point, in the order of ``HEADER``."""
        return [
            (
                *(d.kind.value, d.name, p.filters, p.parameters, self.epochs),
                *(p.seconds, p.low, p.high, p.doubt, " ".join(p.runs)),
            )
            for d in self.devices
            for p in d.points
        ]


def newest_filters(sweeps: Iterable[Sweep]) -> tuple[Sweep, ...]:
    """The newest filters sweep of each kind of device, of those with a measured run.

    Args:
        sweeps: newest first.
    """
    found: dict[DeviceKind, Sweep] = {}
    for sweep in sweeps:
        if sweep.parameter == "filters" and any(run.newest_timings for run in sweep.runs):
            found.setdefault(sweep.device, sweep)
    return tuple(found[kind] for kind in DeviceKind if kind in found)


def runtime_series(sweeps: Sequence[Sweep]) -> RuntimeSeries:
    """The runtimes of filters sweeps, a series for each device (and number of threads) that measured them.

    Raises:
        NotFoundError: where no run has been timed.
    """
    return _assemble([(sweep.runs, sweep.epochs) for sweep in sweeps], {sweep.epochs for sweep in sweeps})


def run_runtimes(runs: Sequence[Run]) -> RuntimeSeries:
    """The runtimes of any runs, a series for each device and each setting besides the filters and the seed.

    Raises:
        NotFoundError: where none has been timed.
    """
    groups: dict[Config, list[Run]] = {}
    for run in {run.key: run for run in runs}.values():
        groups.setdefault(replace(run.config, filters=1, seed=0, shards=1), []).append(run)
    lengths = {run.epochs for run in runs if run.newest_timings}
    return _assemble([(group, 0) for group in groups.values()], lengths)


def _assemble(groups: Sequence[tuple[Sequence[Run], int]], lengths: set[int]) -> RuntimeSeries:
    """One figure of several groups of runs, each with the epochs that it should have.

    The seconds are those of so many epochs, or of one where the ``lengths`` differ.
    """
    epochs = lengths.pop() if len(lengths) == 1 else 1
    devices = [device for runs, asked in groups for device in _device_series(runs, asked, epochs)]
    if not devices:
        raise NotFoundError(
            "There is no measured run of a sweep over filters.",
            f"Train one with: {FILTERS_COMMANDS[DeviceKind.CPU]}",
        )
    datasets = list(dict.fromkeys(device.dataset for device in devices))
    if len(datasets) > 1:
        devices = [replace(device, label=f"{device.label}, {device.dataset}") for device in devices]
    settings = list(dict.fromkeys(map(_describe, devices)))
    if len(settings) > 1:
        devices = [replace(device, label=f"{device.label}, {_describe(device)}") for device in devices]
    return RuntimeSeries(
        dataset=" and ".join(datasets),
        setting=settings[0] if len(settings) == 1 else "",
        epochs=epochs,
        devices=tuple(devices),
        notes=tuple(note for device in devices for note in _note_doubts(device)),
    )


def _describe(device: DeviceSeries) -> str:
    return describe_config(device.config, without={"filters", "seed"})


def _note_doubts(device: DeviceSeries) -> list[str]:
    sizes: dict[str, list[int]] = {}
    for point in device.points:
        if point.doubt:
            sizes.setdefault(point.doubt, []).append(point.filters)
    return [
        f"hollow, in no fit or comparison: {doubt} ({name_values(f)} filters, {device.label})"
        for doubt, f in sizes.items()
    ]


def _device_series(runs: Sequence[Run], asked: int, epochs: int) -> list[DeviceSeries]:
    """A series for each device that timed any of the runs, all of one setting; seconds of ``epochs`` epochs.

    Runs with fewer epochs than ``asked`` are in doubt.
    """
    groups: dict[tuple[str, int], list[Run]] = {}
    for run in runs:
        if (run.typical_runtime or 0) > 0:  # a clock set back can leave no time at all
            groups.setdefault(_hardware(run)[-1], []).append(run)
    names = [name for name, _ in groups]
    series = []
    for (name, threads), members in groups.items():
        kind = members[0].config.device
        twice = names.count(name) > 1 and kind is DeviceKind.CPU
        count = f", {plural(threads, 'thread')}" if twice else ""
        sizes = sorted({run.config.filters for run in members})
        points = [_point([r for r in members if r.config.filters == size], asked, epochs) for size in sizes]
        series.append(
            DeviceSeries(
                kind=kind,
                name=name,
                label=f"{kind.value.upper()} ({name}{count})",
                dataset=name_dataset(members[0].dataset_name),
                config=members[0].config,
                points=tuple(points),
            )
        )
    return series


def _hardware(run: Run) -> list[tuple[str, int]]:
    """The devices (name and threads) whose timings count, in the order of the epochs, without repeats."""
    attempts = {attempt.number: attempt for attempt in run.attempts}
    used = [attempts.get(timing.attempt) for timing in run.newest_timings]
    gpu = run.config.device is DeviceKind.GPU
    return list(dict.fromkeys((a.device_name, 0 if gpu else a.threads) for a in used if a)) or [UNKNOWN]


def _point(runs: Sequence[Run], asked: int, epochs: int) -> RuntimePoint:
    clean = [run for run in runs if not _doubt(run, asked)]
    counted = clean or runs
    seconds = [timing.train_seconds * epochs for run in counted for timing in run.newest_timings]
    low, middle, high = quantiles(seconds, n=4, method="inclusive") if len(seconds) > 1 else seconds * 3
    config = runs[0].config
    return RuntimePoint(
        filters=config.filters,
        parameters=config.parameters,
        work=multiply_adds(config),
        seconds=middle,
        low=low,
        high=high,
        doubt="" if clean else _doubt(runs[0], asked),
        runs=tuple(run.id for run in counted),
        timings=len(seconds),
    )


def _doubt(run: Run, asked: int) -> str:
    """Why a run's runtime is not to be trusted fully; empty where it is."""
    if run.state is RunState.DIVERGED:
        return "diverged"
    if run.epochs < asked:
        return f"only {run.epochs} of {plural(asked, 'epoch')} finished"
    if len(_hardware(run)) > 1:
        return "measured on several devices"
    if any(timing.contended for timing in run.newest_timings):
        return "others used the machine"
    return "the clock was set" if run.contended else ""
