"""Rows that were deleted by hand, where foreign keys are off: numbers, claims and curves afterwards."""

import shutil
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from dataclasses import replace

import pytest
from helpers.fake_training import DEVICE, FakeTrainer, bits_after, carry_out, curve_of
from helpers.fault_workers import LONG, NOBODY, edit_identity
from helpers.made_up import BASE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lenetcli.errors import LostClaimError, StoreChangedError, StoreError
from lenetcli.experiment.run import RunState
from lenetcli.store.store import Store
from lenetcli.store.upkeep import check_store
from lenetcli.training import dispatcher
from lenetcli.training.workers.description import describe_worker

RATES = [0.1, 0.01]
EPOCHS = 3
DELETIONS = {
    "the run": "DELETE FROM runs WHERE id = 1",
    "its attempts": "DELETE FROM attempts WHERE run_id = 1",
    "its weights": "DELETE FROM weights WHERE run_id = 1",
    "its times": "DELETE FROM timings WHERE attempt_id = 1",
    "epoch 1": "DELETE FROM epochs WHERE run_id = 1 AND epoch = 1",
    "epoch 2": "DELETE FROM epochs WHERE run_id = 1 AND epoch = 2",
    "epoch 3": "DELETE FROM epochs WHERE run_id = 1 AND epoch = 3",
    "all runs": "DELETE FROM runs",
    "all attempts": "DELETE FROM attempts",
    "the data set": "DELETE FROM datasets",
    "the sweep": "DELETE FROM sweeps",
    "a cell": "DELETE FROM sweep_cells WHERE position = 0",
    "all cells": "DELETE FROM sweep_cells",
    "the numbers given out": "DELETE FROM sqlite_sequence",
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(dispatcher, "POLL_SECONDS", 0.01)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished store, to be copied."""
    path = tmp_path_factory.mktemp("whole") / "s.db"
    carry_out(Store.open(str(path), write=True), RATES, EPOCHS)
    return path


def delete(path, names):
    with closing(sqlite3.connect(path)) as connection, connection:
        for name in names:
            connection.execute(DELETIONS[name])


def orphans(path):
    with closing(sqlite3.connect(path)) as connection:
        return Counter(
            (table, parent) for table, _, parent, _ in connection.execute("PRAGMA foreign_key_check")
        )


def check_true(path, rates, epochs=EPOCHS):
    """Every run has its own curve and weights, whole."""
    store = Store.open(str(path))
    for rate in rates:
        config = replace(BASE, lr=rate)
        run = store.run(config.key)
        assert (run.state, run.curve) == (RunState.COMPLETED, curve_of(config, epochs))
        checkpoint = store.checkpoint(run.key)
        assert checkpoint is None or checkpoint.tensors == bits_after(config, epochs)


def check_names_orphans(path):
    faults = check_store(str(path)).faults
    for (table, parent), count in orphans(path).items():
        rows = f"The table {table} has {count} row{'s' if count > 1 else ''} of "
        assert any(fault.startswith(rows) and f"the table {parent}:" in fault for fault in faults)


subsets = given(names=st.sets(st.sampled_from(sorted(DELETIONS))))
examples = settings(
    max_examples=1000 if LONG else 12,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def use_after(path, whole, names):
    shutil.copy(whole, path)
    delete(path, names)
    check_names_orphans(path)
    store = Store.open(str(path), write=True)
    carry_out(store, [0.5], EPOCHS)  # the next run, which the database would give a number that was used
    check_true(path, [0.5])
    assert carry_out(store, RATES, EPOCHS).complete
    check_true(path, [*RATES, 0.5])
    (sweep,) = [sweep for sweep in store.sweeps() if len(sweep.cells) == 2]
    assert sweep.done == 2
    check_names_orphans(path)


@pytest.mark.parametrize("name", DELETIONS)
def test_after_a_deletion_the_same_command_gives_the_true_curves(tmp_path, whole, name):
    use_after(tmp_path / "s.db", whole, [name])


@examples
@subsets
def test_after_any_deletions_the_same_command_gives_the_true_curves(tmp_path, whole, names):
    use_after(tmp_path / "s.db", whole, names)


def delete_while_training(path, names):
    path.unlink(missing_ok=True)
    pending = [names]

    def hook(_config, epoch):
        if epoch == 2 and pending:
            delete(path, pending.pop())

    store = Store.open(str(path), write=True)
    # Either it is told of, or noticed and trained again; what is said to be done is done.
    with suppress(StoreChangedError):
        assert carry_out(store, RATES, EPOCHS, FakeTrainer(hook=hook)).complete
        check_true(path, RATES)
    edit_identity(path, pid=NOBODY)  # the command has ended
    assert carry_out(store, RATES, EPOCHS).complete
    check_true(path, RATES)


@pytest.mark.parametrize("name", DELETIONS)
def test_a_deletion_while_a_run_is_trained_is_noticed(tmp_path, name):
    delete_while_training(tmp_path / "s.db", [name])


@pytest.mark.parametrize("name", ["the run", "epoch 1", "epoch 2"])
def test_what_was_stored_before_is_missed_at_the_next_epoch(tmp_path, name):
    store = Store.open(str(tmp_path / "s.db"), write=True)

    def hook(_config, epoch):
        if epoch == 3:
            delete(store.name, [name])

    trainer = FakeTrainer(hook=hook)
    with pytest.raises(StoreChangedError, match="that were stored in it"):
        carry_out(store, [0.1], 5, trainer)
    assert trainer.trained[-1][1] == 3


@examples
@subsets
def test_any_deletions_while_a_run_is_trained_are_noticed(tmp_path, names):
    delete_while_training(tmp_path / "s.db", names)


def take(store, epochs=EPOCHS):
    return store.claim(BASE, describe_worker(DEVICE, 1), epochs, dataset_name="fake")


@pytest.mark.parametrize("names", [["all attempts"], ["all attempts", "the numbers given out"]])
def test_a_suspended_process_has_a_number_of_its_own(tmp_path, whole, names):
    path = tmp_path / "s.db"
    shutil.copy(whole, path)
    store = Store.open(str(path), write=True)
    suspended = take(store, EPOCHS + 1)
    delete(path, names)
    claim = take(store, EPOCHS + 1)
    assert claim.number > suspended.number
    for work in (lambda: suspended.test(0.5), lambda: suspended.end(RunState.INTERRUPTED)):
        with pytest.raises((LostClaimError, StoreChangedError)):
            work()
    assert store.run(BASE.key).state is RunState.RUNNING


def test_a_gap_is_not_closed_by_the_epochs_behind_it(tmp_path, whole):
    path = tmp_path / "s.db"
    shutil.copy(whole, path)
    delete(path, ["epoch 2"])
    store = Store.open(str(path), write=True)
    assert [point.epoch for point in store.run(BASE.key).curve] == [1]
    trainer = FakeTrainer()
    carry_out(store, [0.1], 2, trainer, single=True)
    assert [epoch for _, epoch in trainer.trained] == [1, 2]
    check_true(path, [0.1], 2)


def test_older_weights_that_were_put_back_under_a_curve_with_a_gap(tmp_path):
    path = tmp_path / "s.db"
    store = Store.open(str(path), write=True)
    carry_out(store, [0.1], 1)
    older = store.checkpoint(BASE.key)
    carry_out(store, [0.1], EPOCHS)
    delete(path, ["epoch 2"])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE weights SET epoch = ?, sha256 = ?, tensors = ?", older)
    assert carry_out(store, [0.1], EPOCHS).complete
    check_true(path, [0.1])


def test_a_diverged_run_that_lost_epochs_is_trained_again(tmp_path):
    path = tmp_path / "s.db"
    store = Store.open(str(path), write=True)
    trainer = FakeTrainer(diverges={0.1: 3})
    carry_out(store, [0.1], EPOCHS, trainer)
    delete(path, ["epoch 1", "epoch 2", "its weights"])
    assert store.run(BASE.key).state is RunState.INTERRUPTED
    carry_out(store, [0.1], EPOCHS, trainer)
    run = store.run(BASE.key)
    assert (run.state, run.epochs) == (RunState.DIVERGED, 2)
    assert [epoch for _, epoch in trainer.trained] == [1, 2, 1, 2]


def test_an_older_copy_of_the_run_under_its_process_is_told_of(tmp_path):
    path, older = tmp_path / "s.db", tmp_path / "older.db"

    def hook(_config, epoch):
        if epoch == 2:
            shutil.copy(path, older)
        if epoch == 4:
            path.write_bytes(older.read_bytes())

    store = Store.open(str(path), write=True)
    with pytest.raises(StoreError, match="lacks epochs"):
        carry_out(store, [0.1], 5, FakeTrainer(hook=hook))
    assert store.run(BASE.key).epochs == 1
    edit_identity(path, pid=NOBODY)
    assert carry_out(store, [0.1], 5).complete
    check_true(path, [0.1], 5)
