"""The set-up of a report: network, data, training, machines and software, and the list of its sweeps."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from lenetcli.experiment.choice import name_row
from lenetcli.experiment.config import Config
from lenetcli.experiment.dataset_faults import find_faults
from lenetcli.experiment.datasets import Dataset
from lenetcli.experiment.parameters import PARAMETERS, describe_config, name_parameter
from lenetcli.experiment.ranges import write_values
from lenetcli.experiment.run import Attempt
from lenetcli.experiment.sweep import Sweep
from lenetcli.output.report.facts import Cell, Table
from lenetcli.words import join_words, name_all, name_values, plural, write_time

MOST_VALUES = 16
"""The largest number of values of an axis that the list of sweeps names one by one."""
SOFTWARE = {"onednn": "oneDNN’s setting", "python": "Python", "tensorflow": "TensorFlow"}
"""The name in the report of each recorded version whose own name does not serve."""


def describe_setup(
    sweeps: Sequence[Sweep],
    names: Mapping[str, str],
    datasets: Mapping[str, Dataset],
    recipes: Collection[int],
) -> tuple[tuple[str, str], ...]:
    """The set-up of the sweeps of a report: pairs of a heading and its text.

    ``names`` are those of the data sets by hash, ``datasets`` what is known of them, and
    ``recipes`` those beside which the report names its own. Of machines and software it
    names those that computed what the report shows.
    """
    configs = [cell.config for sweep in sweeps for cell in sweep.cells]
    attempts = [a for sweep in sweeps for run in sweep.runs for a in run.computing_attempts]
    kernels = join_words([f"{k}×{k}" for k in sorted({c.kernel_size for c in configs})])
    units = name_values(sorted({c.hidden_units for c in configs}))
    network = (
        f"Two convolutions (kernel {kernels}, stride 1, same padding), each followed by ReLU and 2×2 max "
        f"pooling; a fully connected layer of {units} units; a softmax layer of ten classes. "
        "Both convolutions have the same number of filters."
    )
    data = "; ".join(_describe_data(digest, name, datasets, configs) for digest, name in names.items())
    tested = [
        name for digest, name in names.items() if digest not in datasets or datasets[digest].counts.test
    ]
    of_some = f" of {join_words(tested)}" if len(tested) < len(names) else ""
    test = f"the test set{of_some} kept apart for the end" if tested else "there is no test set"
    training = "; ".join(dict.fromkeys(map(_describe_training, sweeps)))
    machines = join_words(list(dict.fromkeys(map(_describe_machine, attempts)))) or "not recorded"
    versions: dict[str, list[str]] = {}
    for name, number in dict.fromkeys(item for attempt in attempts for item in attempt.versions.items()):
        versions.setdefault(name, []).append(number)
    software = ", ".join(
        f"{SOFTWARE.get(name, name)} {'/'.join(versions[name])}" for name in sorted(versions)
    )
    return (
        ("Network", network),
        ("Data", f"{data}; validation after each epoch, {test}."),
        *_describe_faults(sweeps, datasets),
        ("Training", f"Stochastic gradient descent on the cross-entropy; {training}."),
        *_describe_recipes(sweeps, recipes),
        ("Machine", f"{machines}."),
        ("Software", f"{software or 'not recorded'}."),
    )


def _describe_data(digest: str, name: str, datasets: Mapping[str, Dataset], configs: Sequence[Config]) -> str:
    """The name of a data set, how many images it has, the steps of an epoch, and its hash."""
    sizes = {config.batch_size for config in configs if config.data == digest}
    counts = datasets[digest].counts if digest in datasets else None
    images = f", {counts}, {counts.describe_steps(sizes)}" if counts else ""
    return f"{name}{images} (SHA-256 of the arrays {digest[:12]}…)"


def _describe_faults(sweeps: Sequence[Sweep], datasets: Mapping[str, Dataset]) -> Iterator[tuple[str, str]]:
    """The faults of the data sets, of which the results are to be read with care."""
    labels = dict(sweep.dataset for sweep in sweeps)
    faults = [
        fault.text
        for data, dataset in datasets.items()
        for fault in find_faults(dataset.summary, labels[data])
    ]
    if faults:
        yield "Faults of the data", " ".join(faults)


def _describe_training(sweep: Sweep) -> str:
    """The setting that all runs of a sweep share, and its seeds."""
    network = {"filters", "kernel_size", "hidden_units"}
    shared = describe_config(sweep.base, *sweep.parameters, *network)
    return f"{_name_sweep(sweep)}: {plural(sweep.epochs, 'epoch')}, {shared}, {name_all('seed', sweep.seeds)}"


def _name_sweep(sweep: Sweep) -> str:
    if len(sweep.parameters) > 1:
        return f"combinations of {join_words(list(map(name_parameter, sweep.parameters)))}"
    on_device = f"{sweep.parameter} ({sweep.device.value.upper()})"
    return "learning rates" if sweep.parameter == "lr" else on_device


def _describe_recipes(sweeps: Sequence[Sweep], recipes: Collection[int]) -> Iterator[tuple[str, str]]:
    """The line of the set-up on the recipe, if the report or the store has runs of more than one."""
    members: dict[int, list[str]] = {}
    for sweep in sweeps:
        members.setdefault(sweep.base.recipe, []).append(_name_sweep(sweep))
    if len({*members, *recipes}) > 1:
        parts = "; ".join(f"{recipe} for {join_words(nouns)}" for recipe, nouns in members.items())
        meaning = "A recipe is a version of the computation; runs of different recipes are not compared."
        yield "Recipe", f"{parts}. {meaning}"


def _describe_machine(attempt: Attempt) -> str:
    """The device of an attempt, the processor if it is another one, the threads and the host."""
    processor = "" if attempt.processor == attempt.device_name else f" beside {attempt.processor}"
    return f"{attempt.device_name}{processor}, {plural(attempt.threads, 'thread')} (host {attempt.host})"


def list_sweeps(sweeps: Sequence[Sweep]) -> Table:
    """The table of the sweeps of a report: where each is shown, its axes, and when it was first asked."""
    return Table(
        ("sweep", "section", "parameters and values", "seeds", "epochs", "on", "first asked"),
        tuple(map(_sweep_row, sweeps)),
        "Sweeps, with the section in which each is shown:",
    )


def _shorten(values: list[str]) -> list[str]:
    """The words for the values of an axis; of many the first and the last ones, and how many there are."""
    if len(values) <= MOST_VALUES:
        return values
    return [*values[:3], "…", *values[-2:], f"({len(values):,} values)"]


def _sweep_row(sweep: Sweep) -> tuple[Cell, ...]:
    axes = [
        " ".join([PARAMETERS[axis.name].option, *_shorten(write_values(PARAMETERS[axis.name], axis.values))])
        for axis in sweep.axes
        if axis.name in sweep.parameters
    ]
    sections = {"lr": "learning rates"} if len(sweep.parameters) == 1 else {}
    section = sections.get(sweep.parameter, "filters" if len(sweep.parameters) == 1 else "combinations")
    row = f" (its row with {name_row(sweep)})" if sweep.grid else ""
    texts = (
        (sweep.grid or sweep).id[:12],
        section,
        ", ".join(axes) + row,
        str(len(sweep.seeds)),
        str(sweep.epochs),
        sweep.device.value,
        write_time(sweep.created_at),
    )
    return tuple(map(Cell, texts))
