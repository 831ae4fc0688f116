"""The contents of a report, computed from a store: its sweeps, their sections, its runs."""

import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import PurePath
from typing import Any, Protocol

from lenetcli.analysis.faults import conclude_faults
from lenetcli.analysis.images import Predictions
from lenetcli.analysis.ranking import find_comparable
from lenetcli.analysis.statements import Paragraph
from lenetcli.errors import NotFoundError, UsageError
from lenetcli.experiment.choice import Choice, choose_sweeps
from lenetcli.experiment.datasets import Dataset, name_datasets
from lenetcli.experiment.exercise import LEARNING_RATES
from lenetcli.experiment.run import Attempt, Run, RunState
from lenetcli.experiment.sweep import Sweep, advise_training, suggest_command
from lenetcli.files import store_option
from lenetcli.output.records import run_fields
from lenetcli.output.report.facts import Facts, Options, RunFacts, Section, Shown
from lenetcli.output.report.grids import describe_grid
from lenetcli.output.report.sections import describe_filters, describe_rates
from lenetcli.output.report.setup import describe_setup, list_sweeps
from lenetcli.version import __version__
from lenetcli.words import count_decimals, count_digits, name_value, write_accuracy, write_seconds

TITLE = "A small LeNet: learning rates, filters, runtime"


class Evidence(Predictions, Protocol):
    """The source of a report; a ``Store`` is one."""

    @property
    def name(self) -> str:
        """The path of the store."""

    def recipes(self) -> Collection[int]:
        """The recipes of all runs."""

    def sweeps(self) -> Sequence[Sweep]:
        """All sweeps, the last requested first; the run of each cell is cut to the epochs of the sweep."""

    def dataset(self, data: str) -> Dataset | None:
        """What is known of the data set with this hash; None if nothing is."""

    def verify(self, runs: Iterable[Run]) -> None:
        """Raise ``StoreError`` if what runs have measured contradicts what else is known of them."""


def gather(
    evidence: Evidence,
    *,
    title: str = TITLE,
    author: str | None = None,
    store: str | None = None,
    sweeps: Sequence[Sweep] | None = None,
    recipes: Collection[int] | None = None,
    interpretation: str | None = None,
    conclusions: bool = True,
) -> Facts:
    """The facts of a report.

    ``store`` is the name of the store in the report, by default that of its file without the folder, since
    a report is handed to others; its commands name the store so, too. ``sweeps`` are those to report on, by
    default those of ``choose``. ``recipes`` are those beside which the report names its own, by default those
    of the store. ``interpretation`` and ``conclusions`` are as in ``Options``.

    Raises:
        NotFoundError: if no sweep has a result to report on.
        StoreError: if what a run of them has measured is damaged.
    """
    sweeps = choose(evidence).sweeps if sweeps is None else sweeps
    evidence.verify(run for sweep in sweeps for run in sweep.runs)
    names = name_datasets(sweep.dataset for sweep in sweeps)
    recipes = tuple(evidence.recipes() if recipes is None else recipes)
    datasets = {data: dataset for data in names if (dataset := evidence.dataset(data))}
    store = store or PurePath(evidence.name).name
    rates, filters, grids = _sort(sweeps)
    described = [
        (rates[:1], describe_rates(evidence, rates, names, recipes, like=filters or grids)),
        ([], describe_filters(filters, names, recipes, like=rates or grids)),
        *(([grid], describe_grid(evidence, grid, names, recipes)) for grid in grids),
    ]
    sections = [
        _name_store(_warn(section, ranked, datasets), store_option(store)) for ranked, section in described
    ]
    recorded = list({one.id: one for one in (sweep.grid or sweep for sweep in sweeps)}.values())
    return Facts(
        options=Options(
            title=title,
            author=author,
            store=store,
            sweeps=tuple(sweep.id for sweep in recorded),
            recipes=recipes,
            requests=tuple(_list_requests(recorded, sections)),
            shown=tuple((one.grid.id, one.parameter) if one.grid else (one.id, None) for one in sweeps),
            interpretation=interpretation,
            conclusions=conclusions,
        ),
        versions={"lenetcli": __version__, "matplotlib": version("matplotlib"), "typst": version("typst")},
        setup=describe_setup(sweeps, names, datasets, recipes),
        learning_rates=sections[0],
        filters=sections[1],
        grid=next(iter(sections[2:]), None),
        sweeps=list_sweeps(sweeps),
        runs=_list_runs(sweeps),
    )


def choose(evidence: Evidence, named: Sequence[Sweep] = (), among: Sequence[Sweep] | None = None) -> Choice:
    """The sweeps of a report, ``among`` those of the store unless others are given, the newest first.

    They are one over learning rates, those over filters, for each kind of device, and one over several
    parameters. Where none is ``named``, the former are those of ``choose_sweeps``, and the latter is the
    newest of which two combinations can be compared.

    Raises:
        UsageError: if a report has no place for the sweeps that are named.
        NotFoundError: if there is no sweep with a result to report on.
    """
    sweeps = evidence.sweeps() if among is None else among
    rates, timed = choose_sweeps(sweeps, "lr", alone=True), choose_sweeps(sweeps, "filters", timed=True)
    named_rates, named_filters, named_grids = _sort(named)
    places = len({sweep.id for sweep in named_filters}) + bool(named_rates) + bool(named_grids)
    if len({sweep.id for sweep in named}) > places:
        raise UsageError(
            "A report has one sweep over learning rates, one over several parameters, and any number of "
            "sweeps over filters.",
            "Choose other sweeps; see them with {}.",
            "lenetcli sweeps list",
        )
    grids = Choice(tuple(named_grids)) if named_grids else _choose_grid(sweeps)
    kinds = {sweep.device for sweep in named_filters}
    selection = (
        *(named_rates or [sweep for sweep in rates.sweeps if any(run.curve for run in sweep.runs)]),
        *(sweep for sweep in timed.sweeps if sweep.device not in kinds),
        *named_filters,
        *grids.sweeps,
    )
    if not selection:
        begun = next((sweep for sweep in sweeps if sweep.parameter in ("lr", "filters")), None)
        first = "Train one first, with {}.", suggest_command("lr", LEARNING_RATES, sweeps)
        raise NotFoundError(
            f"{evidence.name} has no finished epoch of a sweep over learning rates or filters to report on.",
            *(advise_training(begun) if begun else first),
        )
    notes = (*(() if named_rates else rates.notes), *(() if named_filters else timed.notes), *grids.notes)
    return Choice(tuple({sweep.id: sweep for sweep in selection}.values()), notes)


def _choose_grid(sweeps: Sequence[Sweep]) -> Choice:
    """The newest sweep over several parameters with two combinations to compare, and notes on newer ones."""
    passed: list[str] = []
    digits = count_digits({sweep.id for sweep in sweeps})
    for sweep in sweeps:
        if len(sweep.parameters) < 2:
            continue
        groups, _ = find_comparable(sweep)
        if len(groups) > 1:
            return Choice((sweep,), tuple(passed))
        passed = passed or [
            f"Not shown, with fewer than two finished combinations: the newer grid {sweep.id[:digits]}. "
            f"Choose it with --sweep {sweep.id[:digits]}."
        ]
    return Choice()


def find_sweeps(store: str, sweeps: Iterable[Sweep], shown: Sequence[Shown]) -> list[Sweep]:
    """The sweeps of a report, or the rows of these, among those of a store.

    Raises:
        NotFoundError: if one of them is not in the store.
    """
    sweeps_by_id = {sweep.id: sweep for sweep in sweeps}
    found: list[Sweep] = []
    for id, parameter in shown:
        sweep = sweeps_by_id.get(id)
        row = sweep.slice(parameter) if sweep and parameter else sweep
        if row is None:
            what = f"row over {parameter} of a sweep" if sweep else "sweep"
            problem = f"{store} has no {what} {id[:12]}."
            raise NotFoundError(problem, "See those there are with {}.", "lenetcli sweeps list")
        found.append(row)
    return found


def _name_store(section: Section, option: str) -> Section:
    """A section whose commands end with an option."""
    if not option:
        return section

    def name(paragraph: Paragraph) -> Paragraph:
        return tuple(replace(one, command=one.command and one.command + option) for one in paragraph)

    return replace(section, paragraphs=tuple(map(name, section.paragraphs)), missing=name(section.missing))


def _warn(section: Section, ranked: Sequence[Sweep], datasets: Mapping[str, Dataset]) -> Section:
    """A section that begins with the faults of the data on which it ranks what was trained."""
    faults = [fault for sweep in ranked for fault in conclude_faults(sweep, datasets.get(sweep.base.data))]
    return replace(section, introduction=(*faults, *section.introduction))


def _sort(sweeps: Sequence[Sweep]) -> tuple[list[Sweep], list[Sweep], list[Sweep]]:
    """The sweeps over learning rates, those over filters, and those over several parameters."""
    rates, filters = ([sweep for sweep in sweeps if sweep.parameters == (one,)] for one in ("lr", "filters"))
    return rates, filters, [sweep for sweep in sweeps if len(sweep.parameters) > 1]


def _list_requests(sweeps: Sequence[Sweep], sections: Sequence[Section]) -> Iterator[Mapping[str, Any]]:
    """What was typed for the sweeps; the path of the data only where a command in the report has it."""
    paragraphs = [
        one for section in sections for one in (section.introduction, *section.paragraphs, section.missing)
    ]
    commands = [statement.command for paragraph in paragraphs for statement in paragraph]
    for request in (sweep.request for sweep in sweeps):
        is_shown = any(shlex.quote(request.data or "") in command for command in commands)
        yield replace(request, data=request.data if is_shown else None).to_mapping()


def _list_runs(sweeps: Sequence[Sweep]) -> tuple[RunFacts, ...]:
    """The facts of every run, cut to the epochs of its sweep; once for each such number of epochs.

    The rows show as many digits of the ids as tell them apart, at least 8.
    """
    runs = {(run.id, sweep.epochs): run for sweep in sweeps for run in sweep.runs}
    ids = {id for id, _ in runs}
    digits, decimals = count_digits(ids), count_decimals(run.val_accuracy for run in runs.values())
    return tuple(_run_facts(run, epochs, digits, decimals) for (_, epochs), run in runs.items())


def _run_facts(run: Run, epochs: int, digits: int, decimals: int) -> RunFacts:
    """The facts of a run of which a sweep requests ``epochs`` epochs."""
    # What says nothing about the results.
    unsaid = {"created_at", "target_epochs", "last_sign_of_life", *run.config.neutral}
    fields = {name: value for name, value in run_fields(run).items() if name not in unsaid}
    diverged = run.state is RunState.DIVERGED
    row = (
        run.id[:digits],
        name_value(run.config.lr),
        str(run.config.filters),
        str(run.config.seed),
        run.config.device.value,
        str(epochs) if run.epochs >= epochs else f"{run.epochs} of {epochs}",
        "diverged" if diverged else write_accuracy(run.val_accuracy, decimals),
        write_seconds(run.runtime_seconds),
    )
    record = fields | {
        "data": run.config.data,
        "asked_epochs": epochs,
        "val_accuracy": None if diverged else run.val_accuracy,
        "typical_runtime": run.typical_runtime,
        "device_name": run.device_name if run.epochs else None,
        "curve": [[point.train_loss, point.val_loss, point.val_accuracy] for point in run.curve],
        "attempts": [_attempt_facts(attempt) for attempt in run.attempts if attempt.timings],
    }
    return RunFacts(row, record)


def _attempt_facts(attempt: Attempt) -> dict[str, Any]:
    """When and where an attempt computed, and for each epoch its number, training time and start."""
    return {
        "number": attempt.number,
        "remeasure": attempt.remeasure,
        "host": attempt.host,
        "started_at": attempt.started_at.isoformat(),
        "timings": [
            [t.epoch, t.train_seconds, t.started_at.isoformat() if t.started_at else None]
            for t in attempt.timings
        ],
    }
