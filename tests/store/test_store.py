"""The store's front door: addresses, what it holds, how it is seen, who may write."""

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.fake_training import DEVICE, FakeTrainer, bits_after, carry_out, curve_of
from helpers.fault_workers import NOBODY, edit_identity
from helpers.made_up import BASE

from lenetcli.errors import LostClaimError, NotFoundError, StoreBusyError, StoreError, UsageError
from lenetcli.experiment.checkpoint import Checkpoint
from lenetcli.experiment.config import DeviceKind
from lenetcli.experiment.run import CurvePoint, RunState, Timing
from lenetcli.machine import system
from lenetcli.store import database
from lenetcli.store.claims import Busy, Claim, Done
from lenetcli.store.store import SORT_FIELDS, Store
from lenetcli.training.attempt import begin_attempt


@pytest.fixture
def store(tmp_path):
    store = Store.open(str(tmp_path / "s.db"), create=True)
    store.add_dataset(BASE.data, (12, 12, 12), bytes(12))
    return store


def take(store, config=BASE, epochs=3):
    return store.claim(config, begin_attempt(DEVICE, 1, {}), dataset_name="fake", epochs=epochs)


def die(store):
    """The processes that work on a store's runs are gone from here on."""
    edit_identity(store.name, pid=NOBODY)


def packed_after(epoch):
    bits = bits_after(BASE, epoch)
    return Checkpoint(epoch, bits.hex(), bits)


def record(store, claim, epoch, **options):
    point = CurvePoint(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=0.5)
    timing = Timing(attempt=claim.number, epoch=epoch, train_seconds=1.0, eval_seconds=0.1)
    store.record_epoch(claim, point, timing, bytes(12), packed_after(epoch), **options)


# Addresses


def test_a_home_that_nobody_has_is_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("~nobody of that name").mkdir()
    assert Store.open("~nobody of that name/s.db", create=True).runs() == []
    with pytest.raises(StoreError, match="not a SQLite file"):
        Store.open(":memory:", create=True)


@pytest.mark.parametrize(
    "name", ["a b.db", "a#b.db", "a?b.db", "a%20b.db", "a$b.db", "ü.db", "a'b.db", "-x.db"]
)
def test_any_path_is_a_path(tmp_path, name):
    path = tmp_path / name
    carry_out(Store.open(str(path), create=True), [0.1], 1)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    assert Store.open(str(path)).count() == 1


def test_a_url_is_an_address_too(tmp_path):
    Store.open(f"sqlite:///{tmp_path}/s.db", create=True)
    assert (tmp_path / "s.db").exists()


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:secret@host/db",
        "mysql://me:secret@host",
        "sqlite://",
        "sqlite:///:memory:",
        "no://:secret@:x",
    ],
)
def test_other_addresses_are_refused_without_showing_a_password(address):
    with pytest.raises(StoreError) as caught:
        Store.open(address, create=True)
    assert "secret" not in str(caught.value)


def test_what_cannot_be_opened_is_said_in_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="folder"):
        Store.open(str(tmp_path), create=True)
    with pytest.raises(StoreError, match="no folder"):
        Store.open(str(tmp_path / "nowhere" / "s.db"), create=True)
    for name in ("x" * 300, "a\0b"):
        with pytest.raises(StoreError):
            Store.open(str(tmp_path / name), create=True)
    for name in ("none.db", "file", "file/s.db"):
        with pytest.raises(NotFoundError):
            Store.open(str(tmp_path / name))


def test_an_empty_file_becomes_a_store(tmp_path):
    (tmp_path / "s.db").touch()
    assert Store.open(str(tmp_path / "s.db"), create=True).count() == 0


def test_a_store_that_cannot_be_written_can_be_read(tmp_path, monkeypatch):
    path = tmp_path / "s.db"
    carry_out(Store.open(str(path), create=True), [0.1], 1)
    path.chmod(0o444)
    if os.access(path, os.W_OK):
        pytest.skip("this user writes everywhere")
    assert Store.open(str(path)).count() == 1
    with pytest.raises(StoreError, match="written"):
        Store.open(str(path), create=True)


def test_a_lock_that_stays_is_an_error_that_says_so(store, monkeypatch):
    monkeypatch.setattr("lenetcli.store.store.OPEN_SECONDS", 0.2)
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(store.name, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreBusyError, match="locked"):
            Store.open(store.name, create=True)


# Claims


def test_a_claim_is_given_once(store):
    assert isinstance(take(store), Claim)
    answer = take(store)
    assert isinstance(answer, Busy) and answer.host == system.host_name()
    assert store.run(BASE.key).state is RunState.RUNNING


def test_a_dead_holder_is_seen_as_interrupted_and_taken_over(store):
    first = take(store)
    record(store, first, 1)
    die(store)
    assert store.run(BASE.key).state is RunState.INTERRUPTED
    assert [run.key for run in store.runs(state=RunState.RUNNING)] == []
    assert [run.key for run in store.runs(state=RunState.INTERRUPTED)] == [BASE.key]
    second = take(store)
    assert (second.number, second.epochs, second.checkpoint) == (2, 1, packed_after(1))
    for work in (
        lambda: record(store, first, 2),
        lambda: store.end(first, RunState.INTERRUPTED),
        lambda: store.record_test(first, 1, 0.5),
    ):
        with pytest.raises(LostClaimError):
            work()
    run = store.run(BASE.key)
    assert (run.state, run.epochs) == (RunState.RUNNING, 1)
    assert [attempt.outcome for attempt in run.attempts] == [RunState.INTERRUPTED, None]


def test_a_dead_extension_leaves_the_run_completed(store):
    carry_out(store, [BASE.lr], 1)
    take(store, epochs=5)
    die(store)
    run = store.run(BASE.key)
    assert (run.state, run.target_epochs, run.epochs) == (RunState.COMPLETED, 5, 1)


def test_what_is_done_is_not_given(store):
    carry_out(store, [BASE.lr], 3)
    assert isinstance(take(store, epochs=3), Done)
    assert isinstance(take(store, epochs=2), Done)
    assert isinstance(take(store, epochs=4), Claim)


def test_a_curve_without_its_weights_is_trained_again(store):
    carry_out(store, [BASE.lr], 2)
    with closing(sqlite3.connect(store.name)) as connection, connection:
        connection.execute("DELETE FROM weights")
    claim = take(store, epochs=3)
    assert (claim.epochs, claim.checkpoint) == (0, None)
    record(store, claim, 1)
    store.end(claim, RunState.INTERRUPTED)
    assert store.run(BASE.key).state is RunState.INTERRUPTED
    assert isinstance(take(store, epochs=2), Claim)  # done once, and not any more
    die(store)
    trainer = FakeTrainer()
    carry_out(store, [BASE.lr], 3, trainer)
    assert [epoch for _, epoch in trainer.trained] == [2, 3]


def test_an_epoch_is_stored_whole_or_not_at_all(store):
    claim = take(store)
    record(store, claim, 1)
    with pytest.raises(StoreError):
        record(store, claim, 1)  # the epoch is there
    assert store.checkpoint(BASE.key)[0] == 1
    assert len(store.run(BASE.key).timings) == 1


# Views


def test_ids_are_unique_prefixes(store):
    carry_out(store, [0.1, 0.01, 0.001], 1)
    for run in store.runs():
        assert (
            store.run(run.short_id).key == store.run(run.id.upper()).key == store.run(run.key).key == run.key
        )
    for prefix in ("", "xyz", "'; DROP TABLE runs", "0" * 64):
        with pytest.raises(NotFoundError):
            store.run(prefix)
    with pytest.raises(NotFoundError, match="More than one"):
        carry_out(store, [n / 100 for n in range(1, 20)], 1)
        for digit in "0123456789abcdef":
            if sum(run.id.startswith(digit) for run in store.runs()) > 1:
                store.run(digit)


def test_a_sweep_sees_its_runs_cut_to_its_epochs(store):
    carry_out(store, [0.1, 0.01], 2)
    carry_out(store, [0.1], 5, is_sweep=False)
    run = store.sweeps()[0].cells[0].run
    assert (run.epochs, run.state, run.target_epochs, len(run.timings)) == (2, RunState.COMPLETED, 2, 2)
    assert run.test_accuracy == curve_of(replace(BASE, lr=0.1), 2)[-1].test_accuracy
    assert store.run(run.key).epochs == 5


def test_the_newest_request_comes_first(store):
    carry_out(store, [0.1], 1)
    carry_out(store, [0.01], 1)
    carry_out(store, [0.1], 1)
    sweeps = store.sweeps()
    assert [sweep.values for sweep in sweeps] == [(0.1,), (0.01,)]
    assert store.sweep(sweeps[1].id[:8]).values == (0.01,)


def test_a_sweep_remembers_the_newest_words_that_asked_for_it(store):
    carry_out(store, [0.1], 1)
    (sweep,) = store.sweeps()
    moved = replace(sweep, request=replace(sweep.request, data="another/place"))
    store.request_sweep(moved, "from another place")
    assert [found.request.data for found in store.sweeps()] == ["another/place"]
    assert store.find_asked("from another place").id == sweep.id


def test_runs_are_sorted_filtered_and_limited(store):
    carry_out(store, [0.1, 0.01, 0.001], 2)
    assert [run.config.lr for run in store.runs(sort="lr")] == [0.001, 0.01, 0.1]
    best = [run.best_val_accuracy for run in store.runs(sort="best_val_accuracy")]
    assert best == sorted(best, reverse=True)
    for field in SORT_FIELDS:
        assert len(store.runs(sort=field, limit=2)) == 2
    with pytest.raises(UsageError):
        store.runs(sort="lr; DROP TABLE runs")
    assert len(store.runs(device=DeviceKind.CPU)) == 3 and store.runs(device=DeviceKind.GPU) == []


def test_predictions_and_labels_are_bytes(store):
    carry_out(store, [0.1], 1)
    key = replace(BASE, lr=0.1).key
    assert store.predictions(key, 1) == bytes(12)
    assert store.predictions(key, 2) is None
    assert store.validation_labels("x") is None
