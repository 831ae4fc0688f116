"""The facts of a report: all that it states, computed from the store, as JSON values."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, Protocol

from lenetcli.analysis.conclusions import conclude_learning_rates, conclude_unfinished
from lenetcli.analysis.costs import conclude_parameters, conclude_runtimes
from lenetcli.analysis.curves import sweep_curves
from lenetcli.analysis.ranking import Predictions
from lenetcli.analysis.runtimes import RuntimePoint, RuntimeSeries, newest_filters, runtime_series
from lenetcli.analysis.statements import Statement
from lenetcli.errors import NotFoundError
from lenetcli.experiment.architecture import parameter_law
from lenetcli.experiment.config import DeviceKind, Request
from lenetcli.experiment.exercise import FILTERS_COMMANDS, LEARNING_RATES_COMMAND
from lenetcli.experiment.parameters import describe_config
from lenetcli.experiment.run import Run, RunState
from lenetcli.experiment.sweep import Group, Sweep, write_command
from lenetcli.output.figures.axes import choose_kind
from lenetcli.output.records import run_fields
from lenetcli.words import (
    NONE,
    join_words,
    name_all,
    name_dataset,
    name_values,
    plural,
    write_accuracy,
    write_seconds,
)

Facts = dict[str, Any]
"""A JSON object."""

SOFTWARE = {"onednn": "oneDNN’s setting", "python": "Python", "tensorflow": "TensorFlow"}
"""The name in the report of each recorded version whose own name does not serve."""


class Evidence(Predictions, Protocol):
    """The source of a report; a ``Store`` is one."""

    @property
    def name(self) -> str:
        """The path of the store as it appears in the report."""

    def sweeps(self) -> Sequence[Sweep]:
        """All sweeps, the last requested first; the run of each cell is cut to the epochs of the sweep."""


def choose_sweeps(evidence: Evidence, ids: Sequence[str] | None = None) -> list[Sweep]:
    """The sweeps of a report: the newest over learning rates, and over filters for each kind of device.

    Args:
        evidence: the store.
        ids: the full ids of the sweeps to choose instead; None for the newest.

    Raises:
        NotFoundError: if no sweep has a result to report on, or one of ``ids`` is not in the store.
    """
    sweeps = evidence.sweeps()
    if ids is not None:
        sweeps_by_id = {sweep.id: sweep for sweep in sweeps}
        missing = [sweep_id for sweep_id in ids if sweep_id not in sweeps_by_id]
        if missing:
            raise NotFoundError(
                f"{evidence.name} has no sweep {missing[0][:12]}.",
                "`lenetcli sweeps list` shows those there are.",
            )
        return [sweeps_by_id[sweep_id] for sweep_id in ids]
    rates = [sweep for sweep in sweeps if sweep.parameter == "lr" and any(run.curve for run in sweep.runs)]
    selection = [*rates[:1], *newest_filters(sweeps)]
    if not selection:
        raise NotFoundError(
            f"{evidence.name} has no finished epoch of a sweep over learning rates or filters to report on.",
            f"Train one first: {LEARNING_RATES_COMMAND}",
        )
    return selection


def gather(evidence: Evidence, sweeps: Sequence[Sweep]) -> Facts:
    """The facts of sweeps: the set-up, the tables, the statements and the runs that they rest on."""
    rates = [sweep for sweep in sweeps if sweep.parameter == "lr"]
    filters = [sweep for sweep in sweeps if sweep.parameter == "filters"]
    return {
        "setup": _describe_setup(sweeps),
        "learning_rates": _learning_rate_facts(evidence, rates[0]) if rates else None,
        "filters": _filters_facts(filters) if filters else None,
        "missing": {
            "learning_rates": [] if rates else [asdict(NO_RATES)],
            "filters": [asdict(statement) for statement in _missing_devices(filters)],
        },
        "runs": _list_runs(sweeps),
    }


NO_RATES = Statement(
    "missing", "No sweep over learning rates has been trained.", command=LEARNING_RATES_COMMAND
)


def _missing_devices(filters: Sequence[Sweep]) -> list[Statement]:
    """A statement for each kind of device on which no filters have been timed, with the command for it."""
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
    """The command that times filters on a kind of device, in the setting of the sweeps over filters."""
    for sweep in filters:
        request = replace(sweep.request, device=kind.value)
        if sweep.dataset_name == "mnist":  # every machine finds or downloads it, whatever the path here
            request = replace(request, data=None)
        if request != Request(device=kind.value) or len(sweep.seeds) > 1:
            return write_command(replace(sweep, request=request))
    return FILTERS_COMMANDS[kind]


def _describe_setup(sweeps: Sequence[Sweep]) -> list[list[str]]:
    """The set-up as pairs of a heading and its text."""
    configs = list(dict.fromkeys(cell.config for sweep in sweeps for cell in sweep.cells))
    attempts = [a for sweep in sweeps for run in sweep.runs for a in run.attempts]
    kernels = join_words([f"{k}×{k}" for k in sorted({c.kernel_size for c in configs})])
    units = name_values(sorted({c.hidden_units for c in configs}))
    network = (
        f"Two convolutions (kernel {kernels}, stride 1, same padding), each followed by ReLU and 2×2 max "
        f"pooling; a fully connected layer of {units} units; a softmax layer of ten classes. "
        "Both convolutions have the same number of filters."
    )
    datasets = {sweep.base.data: name_dataset(sweep.dataset_name) for sweep in sweeps}
    data = "; ".join(f"{name} (SHA-256 of the arrays {digest[:12]}…)" for digest, name in datasets.items())
    training = "; ".join(dict.fromkeys(_describe_training(sweep) for sweep in sweeps))
    machines = join_words(list(dict.fromkeys(_describe_machine(a) for a in attempts))) or "not recorded"
    versions: dict[str, list[str]] = {}
    for attempt in attempts:
        for name, version in attempt.versions.items():
            if version not in versions.setdefault(name, []):
                versions[name].append(version)
    software = ", ".join(
        f"{SOFTWARE.get(name, name)} {'/'.join(values)}" for name, values in sorted(versions.items())
    )
    return [
        ["Network", network],
        ["Data", f"{data}; validation after each epoch, the test set kept apart for the end."],
        ["Training", f"Stochastic gradient descent on the cross-entropy; {training}."],
        ["Machine", f"{machines}."],
        ["Software", f"{software or 'not recorded'}."],
    ]


def _describe_training(sweep: Sweep) -> str:
    """The setting that all runs of a sweep share, and its seeds."""
    noun = (
        "learning rates" if sweep.parameter == "lr" else f"{sweep.parameter} ({sweep.device.value.upper()})"
    )
    config = sweep.base
    shared = describe_config(
        config, without={sweep.parameter, "seed", "filters", "kernel_size", "hidden_units"}
    )
    return f"{noun}: {plural(sweep.epochs, 'epoch')}, {shared}, {name_all('seed', sweep.seeds)}"


def _describe_machine(attempt: Any) -> str:
    """The device of an attempt, the processor if it is another one, the threads and the host."""
    processor = "" if attempt.processor == attempt.device_name else f" beside {attempt.processor}"
    return f"{attempt.device_name}{processor}, {plural(attempt.threads, 'thread')} (host {attempt.host})"


def _learning_rate_facts(evidence: Evidence, sweep: Sweep) -> Facts:
    """The facts of a sweep over learning rates: notes and axis of its figure, its table, its statements."""
    curves = sweep_curves(sweep)
    return {
        "sweep": sweep.id,
        "dataset": name_dataset(sweep.dataset_name),
        "setting": describe_config(sweep.base, without={"lr", "seed"}),
        "epochs": sweep.epochs,
        "notes": list(curves.notes),
        "axis": choose_kind(*curves.limits, accuracy=True),
        "header": ["rate", "best", "in epoch", f"after epoch {sweep.epochs}", "test", "seeds", "state"],
        "rows": [_rate_row(group) for group in sweep.groups("lr")],
        "statements": [asdict(statement) for statement in conclude_learning_rates(sweep, evidence)],
    }


def _rate_row(group: Group) -> list[str]:
    """The row of a learning rate in the table: means ± standard deviations over the finished seeds."""
    cells, finished = group.cells, group.whole
    states = dict.fromkeys(cell.run.state.value if cell.run else "not begun" for cell in cells)
    peaks = [max(run.curve, key=lambda point: point.val_accuracy) for run in finished]
    tests = [run.test_accuracy for run in finished if run.test_accuracy is not None]
    epochs = sorted({peak.epoch for peak in peaks})
    return [
        group.name,
        _mean_and_deviation([peak.val_accuracy for peak in peaks]),
        f"{epochs[0]}–{epochs[-1]}" if len(epochs) > 1 else str(epochs[0]) if epochs else NONE,
        _mean_and_deviation([run.curve[-1].val_accuracy for run in finished]),
        _mean_and_deviation(tests) if len(tests) == len(finished) else NONE,
        f"{len(finished)} of {len(cells)}" if len(finished) < len(cells) else str(len(cells)),
        ", ".join(states),
    ]


def _mean_and_deviation(accuracies: Sequence[float]) -> str:
    """The mean ± the sample standard deviation; of one accuracy, the accuracy alone."""
    if not accuracies:
        return NONE
    mean = write_accuracy(statistics.fmean(accuracies))
    return mean if len(accuracies) == 1 else f"{mean} ± {write_accuracy(statistics.stdev(accuracies))}"


def _filters_facts(sweeps: Sequence[Sweep]) -> Facts:
    """The facts of the sweeps over filters: notes of their figure, their table, their statements."""
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
    """The row of a number of filters in the table: the parameters, and the runtime on each device."""
    points = [
        next((point for point in device.points if point.filters == size), None) for device in series.devices
    ]
    parameters = dict.fromkeys(f"{point.parameters:,}" for point in points if point)
    return [str(size), " / ".join(parameters), *(_runtime_cell(point) for point in points)]


def _runtime_cell(point: RuntimePoint | None) -> str:
    """The runtime in seconds with its quartiles, and an asterisk if it is in doubt."""
    if point is None:
        return NONE
    quartiles = f" ({write_seconds(point.low)}–{write_seconds(point.high)})"
    return write_seconds(point.seconds) + quartiles + ("*" if point.doubt else "")


def _list_runs(sweeps: Sequence[Sweep]) -> list[Facts]:
    """The facts of every run, cut to the epochs of its sweep; once for each such number of epochs."""
    runs = {(run.id, sweep.epochs): run for sweep in sweeps for run in sweep.runs}
    return [_run_facts(run, epochs) for (_, epochs), run in runs.items()]


def _run_facts(run: Run, epochs: int) -> Facts:
    """The facts of a run of which a sweep requests ``epochs`` epochs."""
    fields = run_fields(run)
    del fields["created_at"], fields["target_epochs"]  # they say nothing about the results
    return fields | {
        "data": run.config.data,
        "recipe": run.config.recipe,
        "asked_epochs": epochs,
        "val_accuracy": None if run.state is RunState.DIVERGED else run.val_accuracy,
        "typical_runtime": run.typical_runtime,
        "curve": [[point.train_loss, point.val_loss, point.val_accuracy] for point in run.curve],
    }
