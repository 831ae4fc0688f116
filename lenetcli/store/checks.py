"""Checks of what a store holds: tables, references, data sets, runs and sweeps, each against the others."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Column, Connection, Row, func, inspect, select
from sqlalchemy.exc import DBAPIError

from lenetcli.errors import StoreBusyError, StoreError, describe_error
from lenetcli.experiment.architecture import CLASSES, count_parameters
from lenetcli.experiment.checkpoint import state_shapes, unpack
from lenetcli.experiment.config import RECIPE
from lenetcli.experiment.run import Run, RunState
from lenetcli.store import sqlite
from lenetcli.store.queries import STATES, count_once_stored, find_runs, read_checkpoint
from lenetcli.store.sqlite_file import StoreFile
from lenetcli.store.sweeps import find_sweeps
from lenetcli.store.tables import DATASETS, EPOCHS, METADATA, RUNS, SWEEPS
from lenetcli.words import name_all, name_value, name_values, plural

SHOWN = 10
"""The most numbers of rows, and epochs, that one sentence lists."""

PARENTS = {
    "datasets": "data set",
    "runs": "run number",
    "attempts": "attempt number",
    "sweeps": "sweep number",
}
"""What a row is called to which others refer, by its table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCheck:
    """The result of a check: the faults, a sentence each, and how much could be recomputed.

    ``recomputed`` counts the validation accuracies that were computed again from the predictions and labels,
    ``unknown`` those that could not be, ``tests`` the test accuracies: of these no predictions are stored.
    """

    faults: tuple[str, ...]
    runs: int = 0
    recomputed: int = 0
    unknown: int = 0
    tests: int = 0


class CurveChecker:
    """Checks the curves of runs against their predictions and the labels of their data.

    ``recomputed`` and ``unknown`` count the validation accuracies as in ``StoreCheck``.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._datasets: dict[str, Row[Any] | None] = {}
        self.recomputed = 0
        self.unknown = 0

    def find_faults(self, run: Run) -> Iterator[str]:
        """The faults of the results of a run, or of a run that is cut, each as the end of a sentence."""
        if run.config.key != run.key:
            yield "its id is not that of its configuration"
        elif run.parameters != (count := count_parameters(run.config)):
            yield f"it is said to have {run.parameters:,} parameters, and has {count:,}"
        points = run.curve
        if losses := [point.epoch for point in points if min(point.train_loss, point.val_loss) < 0]:
            yield f"a loss below 0 in {_name_epochs(losses)}"
        if beyond := [point.epoch for point in points if not 0 <= point.val_accuracy <= 1]:
            yield f"a validation accuracy outside 0 to 1 in {_name_epochs(beyond)}"
        timings = [timing for attempt in run.attempts for timing in attempt.timings]
        times = [timing.epoch for timing in timings if timing.train_seconds < 0 and not timing.clock_set]
        if times:
            yield f"a training time below 0 in {_name_epochs(times)}"
        dataset = self._find_dataset(run.config.data)
        yield from _check_test_accuracies(run, dataset.test_images if dataset else None)
        yield from self._check_accuracies(run, dataset)

    def _check_accuracies(self, run: Run, dataset: Row[Any] | None) -> Iterator[str]:
        """Compare the validation accuracies with those that predictions and labels give."""
        import numpy as np

        if dataset is None:
            self.unknown += run.epochs
            return
        if any(_check_labels(dataset)):
            self.unknown += run.epochs
            yield "its accuracies cannot be recomputed, since the labels of its data set are damaged"
            return
        labels = np.frombuffer(dataset.validation_labels, np.uint8)
        of_run = EPOCHS.c.run_id == select(RUNS.c.id).where(RUNS.c.key == run.key).scalar_subquery()
        query = select(EPOCHS.c.epoch, EPOCHS.c.predictions).where(of_run, EPOCHS.c.epoch <= run.epochs)
        predictions = {row.epoch: row.predictions for row in self._connection.execute(query)}
        unfit, wrong = [], []
        for point in run.curve:
            content = predictions.get(point.epoch)
            classes = np.frombuffer(content if isinstance(content, bytes) else b"", np.uint8)
            if len(classes) != len(labels) or classes.max() >= CLASSES:
                self.unknown += 1
                unfit.append(point.epoch)
                continue
            self.recomputed += 1
            # The engine divides the same two integers: both quotients are the double next to the true one.
            accuracy = np.count_nonzero(classes == labels) / len(labels)
            if accuracy != point.val_accuracy:
                wrong.append((point.epoch, point.val_accuracy, accuracy))
        if unfit:
            yield f"the predictions of {_name_epochs(unfit)} are damaged"
        if wrong:
            epoch, stated, computed = wrong[0]
            yield (
                f"the validation accuracy of {_name_epochs([one for one, _, _ in wrong])} is not what the "
                f"predictions give: {name_value(stated)} after epoch {epoch}, where they give "
                f"{name_value(computed)}"
            )

    def _find_dataset(self, data: str) -> Row[Any] | None:
        if data not in self._datasets:
            query = select(DATASETS).where(DATASETS.c.sha256 == data)
            self._datasets[data] = self._connection.execute(query).one_or_none()
        return self._datasets[data]


def verify_runs(connection: Connection, runs: Iterable[Run]) -> None:
    """Check the results of runs before they are shown; see ``Store.verify``."""
    checker = CurveChecker(connection)
    longest = {run.key: run for run in sorted(runs, key=lambda run: run.epochs)}
    for run in longest.values():
        try:
            fault = next(checker.find_faults(run), None)
        except (TypeError, ValueError) as error:  # a column has a value of another type
            fault = describe_error(error)
        if fault:
            raise StoreError(
                f"Run {run.short_id} is damaged: {fault}.",
                "Restore the store from a backup; see all faults with {}.",
                "lenetcli store check",
            )


def check_content(connection: Connection, file: StoreFile) -> StoreCheck:
    """The faults of a store of the newest schema in a file, and how much of it could be recomputed."""
    faults = list(_check_tables(connection))
    if faults:  # what follows reads these tables
        return StoreCheck(faults=tuple(faults))
    checker, tests = CurveChecker(connection), 0
    with collect(faults, file, "The references cannot be followed"):
        faults += _find_orphans(connection)
    with collect(faults, file, "The data sets cannot be read"):
        faults += _check_datasets(connection)
    keys = connection.execute(select(RUNS.c.key).order_by(RUNS.c.id)).scalars().all()
    for key in keys:
        with collect(faults, file, "A run cannot be read"):
            run = find_runs(connection, [key])[key]
            tests += sum(point.test_accuracy is not None for point in run.curve)
            for find in (
                partial(_check_rows, connection),
                checker.find_faults,
                partial(_check_weights, connection),
            ):
                with collect(faults, file, f"Run {run.short_id} cannot be checked"):
                    faults += (f"Run {run.short_id}: {fault}." for fault in find(run))
    for key in connection.execute(select(SWEEPS.c.key).order_by(SWEEPS.c.id)).scalars().all():
        with collect(faults, file, "A sweep cannot be read"):
            find_sweeps(connection, SWEEPS.c.key == key)
    return StoreCheck(
        faults=tuple(faults),
        runs=len(keys),
        recomputed=checker.recomputed,
        unknown=checker.unknown,
        tests=tests,
    )


@contextmanager
def collect(faults: list[str], file: StoreFile, name: str) -> Iterator[None]:
    """A context in which an error caused by the content of the store is one of its faults."""
    try:
        with sqlite.translate_errors(file):
            yield
    except StoreBusyError:
        raise
    except StoreError as error:
        cause = error.__cause__
        text = error.problem if cause is None or isinstance(cause, DBAPIError) else describe_error(cause)
        faults.append(f"{name}: {text.rstrip('.')}.")


def _check_tables(connection: Connection) -> Iterator[str]:
    """Tables and columns that are not there."""
    inspector = inspect(connection)
    for table in METADATA.sorted_tables:
        if not inspector.has_table(table.name):
            yield f"The table {table.name} is missing."
            continue
        columns = {column["name"] for column in inspector.get_columns(table.name)}
        if missing := [column.name for column in table.c if column.name not in columns]:
            yield f"The table {table.name} lacks {name_values(missing)}."


def _find_orphans(connection: Connection) -> Iterator[str]:
    """Rows that refer to one that is not there, by table: their number, and what they refer to."""
    for table in METADATA.sorted_tables:
        for column in (one for one in table.c if one.foreign_keys):
            (reference,) = column.foreign_keys
            parent = reference.column
            query = select(column, func.count()).where(column.not_in(select(parent))).group_by(column)
            if rows := connection.execute(query.order_by(column)).all():
                count = plural(sum(count for _, count in rows), "row")
                names = name_all(PARENTS[parent.table.name], [str(name)[:12] for name, _ in rows[:SHOWN]])
                more = f" and {len(rows) - SHOWN:,} more" if len(rows) > SHOWN else ""
                yield (
                    f"The table {table.name} has {count} of {names}{more}, "
                    f"not in the table {parent.table.name}: {_write_remedy(column, parent)}."
                )


def _write_remedy(column: Column[Any], parent: Column[Any]) -> str:
    """What to do about rows that refer to missing ones."""
    if parent.table is DATASETS:
        return "training anything on that data puts it back"
    others = f"(SELECT {parent.name} FROM {parent.table.name})"  # noqa: S608 -- only shown
    statement = f"DELETE FROM {column.table.name} WHERE {column.name} NOT IN {others}"  # noqa: S608
    return f'nothing uses them, and "{statement}" in sqlite3 removes them'


def _check_datasets(connection: Connection) -> Iterator[str]:
    for dataset in connection.execute(select(DATASETS)):
        faults = list(_check_labels(dataset))
        if dataset.train_images < 1 or dataset.test_images < 0:
            faults.append(f"{dataset.train_images} images to train on and {dataset.test_images} to test on")
        yield from (f"Data set {dataset.sha256[:12]}: {fault}." for fault in faults)


def _check_labels(dataset: Row[Any]) -> Iterator[str]:
    labels, count = dataset.validation_labels, dataset.validation_images
    if not isinstance(labels, bytes) or not labels or len(labels) != count:
        yield f"{plural(len(labels), 'label')} for {plural(count, 'validation image')}"
    elif max(labels) >= CLASSES:
        yield f"a label {max(labels)}, above {CLASSES - 1}"


def _check_test_accuracies(run: Run, images: int | None) -> Iterator[str]:
    """Test accuracies that are no share of the test images; None if their number is not known."""
    wrong = []
    for point in run.curve:
        accuracy = point.test_accuracy
        if accuracy is None:
            continue
        right = round(accuracy * images) if images else 0
        if not 0 <= accuracy <= 1 or (images is not None and (not images or right / images != accuracy)):
            wrong.append(point.epoch)
    if wrong:
        share = "between 0 and 1" if images is None else f"a share of {plural(images, 'test image')}"
        yield f"the test accuracy of {_name_epochs(wrong)} is not {share}"


def _check_rows(connection: Connection, run: Run) -> Iterator[str]:
    """What the rows of a run say of its state, epochs and attempts, each against the others."""
    row = connection.execute(select(RUNS).where(RUNS.c.key == run.key)).one()
    of_curve = select(func.count()).select_from(EPOCHS).where(EPOCHS.c.run_id == row.id)
    holder = next((attempt for attempt in run.attempts if attempt.number == row.attempt), None)
    once = count_once_stored(row.completed_epochs, holder.timings if holder else ())
    is_current = run.config.recipe == RECIPE  # only then can it be trained or measured again
    if run.epochs < max(once, connection.execute(of_curve).scalar_one()):
        again = "; the command that trained it trains it again" if is_current else ""
        yield f"epochs are missing from its curve{again}"
    if row.state not in STATES:
        yield f"there is no state {row.state!r}"
    if row.state == RunState.COMPLETED and row.completed_epochs < 1:
        yield "it is said to be completed, and to have reached no requested end"
    if max(run.epochs, row.completed_epochs) > row.target_epochs:
        yield f"it has more epochs than the {row.target_epochs} that were requested"
    if holder is None:
        yield f"its attempt {row.attempt} is missing"
    times = {timing.epoch for attempt in run.attempts for timing in attempt.timings}
    if strange := sorted(epoch for epoch in times if not 1 <= epoch <= row.target_epochs):
        yield f"times of {_name_epochs(strange)}, which nobody requested"
    if untimed := [point.epoch for point in run.curve if point.epoch not in times]:
        again = "; with --remeasure they are measured again" if is_current else ""
        yield f"the times of {_name_epochs(untimed)} are missing{again}"


def _check_weights(connection: Connection, run: Run) -> Iterator[str]:
    newest = read_checkpoint(connection, run.config)
    if newest is None:
        if run.epochs:
            yield "its weights are missing"
        return
    if newest.epoch != run.epochs:
        yield f"its weights are those of epoch {newest.epoch}, its curve ends at {run.epochs}"
    try:
        unpack(newest, state_shapes(run.config))
    except StoreError as error:
        yield error.problem[:1].lower() + error.problem[1:].rstrip(".")


def _name_epochs(epochs: Sequence[int]) -> str:
    """Epochs in words: ``epoch 3``, ``epochs 1, 2 and 3``, ``epochs 1, 2, … and 30``."""
    if len(epochs) > SHOWN:
        return f"{len(epochs)} epochs ({', '.join(map(str, epochs[:SHOWN]))}, …)"
    return name_all("epoch", epochs)
