"""Runtimes as plain numbers: parameters against seconds, a series for each device that measured them."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from lenetcli.errors import NotFoundError
from lenetcli.estimates import Cost, fit_cost, multiply_adds, parameter_law
from lenetcli.runs import Config, DeviceKind, Run, Sweep
from lenetcli.series import Row
from lenetcli.wording import FILTERS_COMMANDS, describe_config, name_dataset, name_values, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimePoint:
    """One filter size on one device: seconds as the median epoch (of all seeds) times ``epochs``.

    ``low`` and ``high`` are the quartiles of the epochs, times the same. ``doubt`` says why the
    point is not to be trusted fully, and is empty where it is.
    """

    filters: int
    parameters: int
    work: int
    seconds: float
    low: float
    high: float
    doubt: str
    runs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSeries:
    """All points of one device, by filters. ``law`` is fitted to the points without doubt, three or more."""

    kind: DeviceKind
    name: str
    label: str
    dataset: str
    config: Config
    points: tuple[RuntimePoint, ...]
    law: Cost | None = field(default=None)

    @property
    def clean(self) -> tuple[RuntimePoint, ...]:
        """The points that nothing speaks against."""
        return tuple(point for point in self.points if not point.doubt)


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
    lengths = {sweep.epochs for sweep in sweeps}
    epochs = lengths.pop() if len(lengths) == 1 else 1
    devices = [device for sweep in sweeps for device in _device_series(sweep, epochs)]
    if not devices:
        raise NotFoundError(
            "There is no measured run of a sweep over filters.",
            f"Train one with: {FILTERS_COMMANDS[DeviceKind.CPU]}",
        )
    datasets = list(dict.fromkeys(device.dataset for device in devices))
    if len(datasets) > 1:
        devices = [replace(device, label=f"{device.label}, {device.dataset}") for device in devices]
    settings = dict.fromkeys(
        describe_config(device.config, without={"filters", "seed"}) for device in devices
    )
    return RuntimeSeries(
        dataset=" and ".join(datasets),
        setting="; ".join(settings),
        epochs=epochs,
        devices=tuple(devices),
        notes=tuple(note for device in devices for note in _note_doubts(device)),
    )


def _note_doubts(device: DeviceSeries) -> list[str]:
    sizes: dict[str, list[int]] = {}
    for point in device.points:
        if point.doubt:
            sizes.setdefault(point.doubt, []).append(point.filters)
    return [f"hollow: {doubt} ({name_values(f)} filters, {device.label})" for doubt, f in sizes.items()]


def _device_series(sweep: Sweep, epochs: int) -> list[DeviceSeries]:
    timed = [run for run in sweep.runs if run.newest_timings]
    groups: dict[tuple[str, int], list[Run]] = {}
    for run in timed:
        groups.setdefault(_hardware(run)[-1], []).append(run)
    names = [name for name, _ in groups]
    series = []
    for (name, threads), runs in groups.items():
        twice = names.count(name) > 1 and sweep.device is DeviceKind.CPU
        count = f", {plural(threads, 'thread')}" if twice else ""
        label = f"{sweep.device.value.upper()} ({name}{count})"
        sizes = sorted({run.config.filters for run in runs})
        points = tuple(_point([r for r in runs if r.config.filters == size], epochs) for size in sizes)
        clean = [point for point in points if not point.doubt]
        law = fit_cost([p.work for p in clean], [p.seconds for p in clean]) if len(clean) > 2 else None
        series.append(
            DeviceSeries(
                kind=sweep.device,
                name=name,
                label=label,
                dataset=name_dataset(sweep.dataset),
                config=runs[0].config,
                points=points,
                law=law,
            )
        )
    return series


def _hardware(run: Run) -> list[tuple[str, int]]:
    """The devices (name and threads) whose timings count, in the order of the epochs, without repeats."""
    attempts = {attempt.number: attempt for attempt in run.attempts}
    used = [attempts.get(timing.attempt) for timing in run.newest_timings]
    gpu = run.config.device is DeviceKind.GPU
    return list(dict.fromkeys((a.device_name, 0 if gpu else a.threads) for a in used if a)) or [
        ("unknown", 0)
    ]


def _point(runs: Sequence[Run], epochs: int) -> RuntimePoint:
    mixed = [run for run in runs if len(_hardware(run)) > 1]
    contended = [run for run in runs if run.contended]
    clean = [run for run in runs if run not in mixed and run not in contended]
    counted = clean or list(runs)
    seconds = [timing.train_seconds for run in counted for timing in run.newest_timings]
    low, middle, high = (
        statistics.quantiles(seconds, n=4, method="inclusive") if len(seconds) > 1 else seconds * 3
    )
    doubt = ""
    if not clean:
        doubt = "measured on several devices" if len(mixed) == len(runs) else "others used the machine"
    return RuntimePoint(
        filters=runs[0].config.filters,
        parameters=parameter_law(runs[0].config).count(runs[0].config.filters),
        work=multiply_adds(runs[0].config),
        seconds=middle * epochs,
        low=low * epochs,
        high=high * epochs,
        doubt=doubt,
        runs=tuple(run.id for run in counted),
    )
