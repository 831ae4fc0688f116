"""The facts of a report: everything that it prints, gathered from the store as plain JSON values."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, Protocol

from lenetcli.analysis.conclusions import conclude_learning_rates, conclude_unfinished
from lenetcli.analysis.costs import conclude_parameters, conclude_runtimes
from lenetcli.analysis.curves import sweep_curves
from lenetcli.analysis.ranking import Predictions, is_whole
from lenetcli.analysis.runtimes import RuntimePoint, RuntimeSeries, newest_filters, runtime_series
from lenetcli.analysis.statements import Statement
from lenetcli.errors import NotFoundError
from lenetcli.experiment.architecture import parameter_law
from lenetcli.experiment.config import DeviceKind, Request
from lenetcli.experiment.exercise import FILTERS_COMMANDS, LEARNING_RATES_COMMAND
from lenetcli.experiment.parameters import describe_config
from lenetcli.experiment.run import Run, RunState
from lenetcli.experiment.sweep import Sweep, write_command
from lenetcli.output.figures.axes import choose_kind
from lenetcli.output.records import run_fields
from lenetcli.words import (
    NONE,
    join_words,
    name_all,
    name_dataset,
    name_value,
    name_values,
    plural,
    write_accuracy,
    write_seconds,
)

Facts = dict[str, Any]
SOFTWARE = {"onednn": "oneDNN’s setting", "python": "Python", "tensorflow": "TensorFlow"}


class Evidence(Predictions, Protocol):
    """What a report is made from; the store is one."""

    @property
    def name(self) -> str:
        """The store's path, for people."""

    def sweeps(self) -> Sequence[Sweep]:
        """All sweeps, the newest request first, each cell's run cut to the sweep's epochs."""


def choose_sweeps(evidence: Evidence, ids: Sequence[str] | None = None) -> list[Sweep]:
    """The sweeps of a report: the newest over learning rates, and over filters for each kind of device.

    Args:
        evidence: the store.
        ids: whole ids of the sweeps to choose instead.

    Raises:
        NotFoundError: where there is nothing to report on, or a sweep of ``ids`` is not there.
    """
    sweeps = evidence.sweeps()
    if ids is not None:
        known = {sweep.id: sweep for sweep in sweeps}
        lost = [id for id in ids if id not in known]
        if lost:
            raise NotFoundError(
                f"{evidence.name} has no sweep {lost[0][:12]}.",
                "`lenetcli sweeps list` shows those there are.",
            )
        return [known[id] for id in ids]
    rates = [sweep for sweep in sweeps if sweep.parameter == "lr" and any(run.curve for run in sweep.runs)]
    chosen = [*rates[:1], *newest_filters(sweeps)]
    if not chosen:
        raise NotFoundError(
            f"{evidence.name} has no finished epoch of a sweep over learning rates or filters to report on.",
            f"Train one first: {LEARNING_RATES_COMMAND}",
        )
    return chosen


def gather(evidence: Evidence, sweeps: Sequence[Sweep]) -> Facts:
    """What the sweeps say: set-up, tables, statements and the runs behind them."""
    rates = [sweep for sweep in sweeps if sweep.parameter == "lr"]
    filters = [sweep for sweep in sweeps if sweep.parameter == "filters"]
    return {
        "setup": _describe_setup(sweeps),
        "learning_rates": _gather_rates(evidence, rates[0]) if rates else None,
        "filters": _gather_filters(filters) if filters else None,
        "missing": {
            "learning_rates": [] if rates else [asdict(NO_RATES)],
            "filters": [asdict(statement) for statement in _find_missing(filters)],
        },
        "runs": _list_runs(sweeps),
    }


NO_RATES = Statement(
    "missing", "No sweep over learning rates has been trained.", command=LEARNING_RATES_COMMAND
)


def _find_missing(filters: Sequence[Sweep]) -> list[Statement]:
    """The kinds of device on which no filters have been timed, with the command that does it."""
    timed = {sweep.device for sweep in filters}
    return [
        Statement(
            "missing",
            f"No sweep over filters on a {kind.value.upper()} has been timed.",
            command=_filters_command(kind, filters),
        )
        for kind in (DeviceKind.GPU, DeviceKind.CPU)
        if kind not in timed
    ]


def _filters_command(kind: DeviceKind, filters: Sequence[Sweep]) -> str:
    """What times the filters on a kind of device, in the setting of those that have been timed."""
    for sweep in filters:
        request = replace(sweep.request, device=kind.value)
        if sweep.dataset_name == "mnist":  # which is found on every machine
            request = replace(request, data=None)
        if request != Request(device=kind.value) or len(sweep.seeds) > 1:
            return write_command(replace(sweep, request=request))
    return FILTERS_COMMANDS[kind]


def _describe_setup(sweeps: Sequence[Sweep]) -> list[list[str]]:
    """The set-up as pairs of a heading and what stands under it."""
    configs = list(dict.fromkeys(cell.config for sweep in sweeps for cell in sweep.cells))
    attempts = [a for sweep in sweeps for run in sweep.runs for a in run.attempts]
    kernels = join_words([f"{k}×{k}" for k in sorted({c.kernel_size for c in configs})])
    units = name_values(sorted({c.hidden_units for c in configs}))
    network = (
        f"Two convolutions (kernel {kernels}, stride 1, same padding), each followed by ReLU and 2×2 max "
        f"pooling; a fully connected layer of {units} units; a softmax layer of ten classes. "
        "Both convolutions have the same number of filters."
    )
    named = {sweep.cells[0].config.data: name_dataset(sweep.dataset_name) for sweep in sweeps}
    data = "; ".join(f"{name} (SHA-256 of the arrays {digest[:12]}…)" for digest, name in named.items())
    training = "; ".join(dict.fromkeys(_describe_training(sweep) for sweep in sweeps))
    machines = join_words(list(dict.fromkeys(_describe_machine(a) for a in attempts))) or "not recorded"
    versions: dict[str, list[str]] = {}
    for attempt in attempts:
        for name, version in attempt.versions.items():
            if version not in versions.setdefault(name, []):
                versions[name].append(version)
    software = ", ".join(
        f"{SOFTWARE.get(name, name)} {'/'.join(found)}" for name, found in sorted(versions.items())
    )
    return [
        ["Network", network],
        ["Data", f"{data}; validation after each epoch, the test set kept apart for the end."],
        ["Training", f"Stochastic gradient descent on the cross-entropy; {training}."],
        ["Machine", f"{machines}."],
        ["Software", f"{software or 'not recorded'}."],
    ]


def _describe_training(sweep: Sweep) -> str:
    noun = (
        "learning rates" if sweep.parameter == "lr" else f"{sweep.parameter} ({sweep.device.value.upper()})"
    )
    config = sweep.cells[0].config
    shared = describe_config(
        config, without={sweep.parameter, "seed", "filters", "kernel_size", "hidden_units"}
    )
    return f"{noun}: {plural(sweep.epochs, 'epoch')}, {shared}, {name_all('seed', sweep.seeds)}"


def _describe_machine(attempt: Any) -> str:
    processor = "" if attempt.processor == attempt.device_name else f" beside {attempt.processor}"
    return f"{attempt.device_name}{processor}, {plural(attempt.threads, 'thread')} (host {attempt.host})"


def _gather_rates(evidence: Evidence, sweep: Sweep) -> Facts:
    curves = sweep_curves(sweep)
    return {
        "sweep": sweep.id,
        "dataset": name_dataset(sweep.dataset_name),
        "setting": describe_config(sweep.cells[0].config, without={"lr", "seed"}),
        "epochs": sweep.epochs,
        "notes": list(curves.notes),
        "axis": choose_kind(*curves.limits, accuracy=True),
        "header": ["rate", "best", "in epoch", f"after epoch {sweep.epochs}", "test", "seeds", "state"],
        "rows": [_rate_row(sweep, value) for value in sweep.values],
        "statements": [asdict(statement) for statement in conclude_learning_rates(sweep, evidence)],
    }


def _rate_row(sweep: Sweep, value: object) -> list[str]:
    """A row of the table: mean ± standard deviation over the seeds that are finished."""
    cells = [cell for cell in sweep.cells if cell.value == value]
    runs = [cell.run for cell in cells if cell.run is not None]
    whole = [run for run in runs if is_whole(run, sweep.epochs)]
    states = dict.fromkeys(cell.run.state.value if cell.run else "not begun" for cell in cells)
    peaks = [max(run.curve, key=lambda point: point.val_accuracy) for run in whole]
    tests = [run.test_accuracy for run in whole if run.test_accuracy is not None]
    epochs = sorted({peak.epoch for peak in peaks})
    return [
        name_value(value),
        _spread([peak.val_accuracy for peak in peaks]),
        f"{epochs[0]}–{epochs[-1]}" if len(epochs) > 1 else str(epochs[0]) if epochs else NONE,
        _spread([run.curve[-1].val_accuracy for run in whole]),
        _spread(tests) if len(tests) == len(whole) else NONE,
        f"{len(whole)} of {len(cells)}" if len(whole) < len(cells) else str(len(cells)),
        ", ".join(states),
    ]


def _spread(numbers: Sequence[float]) -> str:
    if not numbers:
        return NONE
    mean = write_accuracy(statistics.fmean(numbers))
    return mean if len(numbers) == 1 else f"{mean} ± {write_accuracy(statistics.stdev(numbers))}"


def _gather_filters(sweeps: Sequence[Sweep]) -> Facts:
    series = runtime_series(sweeps)
    sizes = sorted({point.filters for device in series.devices for point in device.points})
    networks = {parameter_law(device.config): device.config for device in series.devices}
    unfinished = [statement for sweep in sweeps for statement in conclude_unfinished(sweep)]
    return {
        "sweeps": [sweep.id for sweep in sweeps],
        "dataset": series.dataset,
        "setting": series.setting,
        "epochs": series.epochs,
        "seeds": max(len(point.runs) for device in series.devices for point in device.points),
        "fitted": any(device.law is not None for device in series.devices),
        "notes": list(series.notes),
        "header": ["filters", "parameters", *(device.label for device in series.devices)],
        "rows": [_filters_row(series, size) for size in sizes],
        "parameters": [asdict(conclude_parameters(config, sizes)) for config in networks.values()],
        "statements": [asdict(statement) for statement in (*conclude_runtimes(series), *unfinished)],
    }


def _filters_row(series: RuntimeSeries, size: int) -> list[str]:
    points = [
        next((point for point in device.points if point.filters == size), None) for device in series.devices
    ]
    parameters = dict.fromkeys(f"{point.parameters:,}" for point in points if point)
    return [str(size), " / ".join(parameters), *(_runtime(point) for point in points)]


def _runtime(point: RuntimePoint | None) -> str:
    if point is None:
        return NONE
    spread = f" ({write_seconds(point.low)}–{write_seconds(point.high)})"
    return write_seconds(point.seconds) + spread + ("*" if point.doubt else "")


def _list_runs(sweeps: Sequence[Sweep]) -> list[Facts]:
    """Every run of the report as its sweep sees it; the same run is listed once for each number of epochs."""
    seen = {(run.id, sweep.epochs): run for sweep in sweeps for run in sweep.runs}
    return [_list_run(run, epochs) for (_, epochs), run in seen.items()]


def _list_run(run: Run, epochs: int) -> Facts:
    fields = run_fields(run)
    del fields["created_at"], fields["target_epochs"]  # say nothing of what was computed
    return fields | {
        "data": run.config.data,
        "recipe": run.config.recipe,
        "asked_epochs": epochs,
        "val_accuracy": None if run.state is RunState.DIVERGED else run.val_accuracy,
        "typical_runtime": run.typical_runtime,
        "curve": [[point.train_loss, point.val_loss, point.val_accuracy] for point in run.curve],
    }
