"""The runner, with a trainer that keeps the contract of the real one and takes no time."""

import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest
from helpers.fake_training import (
    DEVICE,
    LABELS,
    FakeSource,
    FakeTrainer,
    Listener,
    bits_after,
    carry_out,
    curve_of,
)
from helpers.fault_workers import NOBODY, PATIENCE, claim_and_work, edit_identity, start, time_limit
from helpers.made_up import BASE, NOW
from hypothesis import given, settings
from hypothesis import strategies as st

from lenetcli.errors import LostClaimError, StoreBusyError, StoreChangedError, StoreError
from lenetcli.experiment.run import RunState
from lenetcli.machine import process, processor, system
from lenetcli.store import database, sqlite
from lenetcli.store.claims import Claim
from lenetcli.store.holders import Busy
from lenetcli.store.store import Store
from lenetcli.training import dispatcher, heartbeats
from lenetcli.training.events import Fate, Held, Lasting, Noted, Stored
from lenetcli.training.interrupts import Stop
from lenetcli.training.work import BUILDING
from lenetcli.training.workers import description
from lenetcli.training.workers.description import describe_worker


class PowerCut(BaseException):
    """Ends a process in the middle, without any clean-up by the runner."""


@pytest.fixture
def store(tmp_path):
    return Store.open(str(tmp_path / "s.db"), write=True)


@pytest.fixture
def limit():
    """A stop that is requested if a test does not come to its end."""
    with time_limit() as stop:
        yield stop


def config(rate, seed=0):
    return replace(BASE, lr=rate, seed=seed)


def is_whole(store, rate, epochs):
    run = store.find([config(rate).key])[config(rate).key]
    assert run.state is RunState.COMPLETED
    assert [p.val_accuracy for p in run.curve] == [p.val_accuracy for p in curve_of(config(rate), epochs)]
    assert run.test_accuracy == curve_of(config(rate), epochs)[-1].test_accuracy
    assert store.checkpoint(run.key) == (
        epochs,
        bits_after(config(rate), epochs).hex(),
        bits_after(config(rate), epochs),
    )
    return run


@settings(max_examples=25)
@given(failures=st.lists(st.tuples(st.integers(1, 6), st.booleans()), max_size=6))
def test_resuming_after_any_failures_trains_exactly_the_rest(failures):
    with TemporaryDirectory() as folder:
        store = Store.open(str(Path(folder) / "s.db"), write=True)
        trained = []
        for at, is_cut in failures:

            def fail(_config, epoch, at=at, is_cut=is_cut):
                if epoch == at:
                    raise PowerCut if is_cut else RuntimeError("out of memory")

            trainer = FakeTrainer(hook=fail)
            with suppress(PowerCut):
                carry_out(store, [0.1], 6, trainer)
            trained += trainer.trained
            edit_identity(store.name, pid=NOBODY)
        trainer = FakeTrainer()
        result = carry_out(store, [0.1], 6, trainer)
        trained += trainer.trained
        assert result.complete
        assert [epoch for _, epoch in trained] == [1, 2, 3, 4, 5, 6]
        is_whole(store, 0.1, 6)


def test_a_longer_run_has_the_shorter_one_as_its_beginning(store):
    carry_out(store, [0.1], 3)
    trainer = FakeTrainer()
    assert carry_out(store, [0.1], 6, trainer).fates == {config(0.1).key: Fate.CONTINUED}
    assert [epoch for _, epoch in trainer.trained] == [4, 5, 6]
    run = is_whole(store, 0.1, 6)
    assert run.at(3).curve[-1].test_accuracy is not None  # measured when it was an end
    assert run.curve[3].test_accuracy is None


def test_a_shorter_request_shows_a_part_and_trains_nothing(store):
    carry_out(store, [0.1], 6)
    trainer = FakeTrainer()
    result = carry_out(store, [0.1], 3, trainer)
    assert (trainer.trained, trainer.tested) == ([], [])
    assert result.fates == {config(0.1).key: Fate.KEPT}
    assert (result.sweep.runs[0].epochs, result.sweep.runs[0].state) == (3, RunState.COMPLETED)


def test_an_interruption_just_at_a_later_request_is_tested_then(store):
    def cut(_config, epoch):
        if epoch == 4:
            raise RuntimeError("gone")

    carry_out(store, [0.1], 6, FakeTrainer(hook=cut))
    trainer = FakeTrainer()
    result = carry_out(store, [0.1], 3, trainer)
    assert (trainer.trained, trainer.tested) == ([], [config(0.1).key])
    assert result.sweep.runs[0].test_accuracy == curve_of(config(0.1), 3)[-1].test_accuracy
    run = store.run(config(0.1).key)
    assert (run.state, run.target_epochs) == (RunState.COMPLETED, 6)


def test_a_failed_extension_leaves_the_run_completed_at_what_it_had(store):
    carry_out(store, [0.1], 3)

    def fail(_config, epoch):
        if epoch == 5:
            raise RuntimeError("out of memory")

    result = carry_out(store, [0.1], 6, FakeTrainer(hook=fail))
    assert not result.complete
    run = store.run(config(0.1).key)
    assert (run.state, run.epochs, run.target_epochs) == (RunState.COMPLETED, 4, 6)


def test_sweeps_share_their_common_cells_and_a_wider_one_trains_only_the_new(store):
    carry_out(store, [0.1, 0.01], 2)
    trainer = FakeTrainer()
    result = carry_out(store, [0.1, 0.01, 0.001], 2, trainer)
    assert trainer.trained == [(config(0.001).key, 1), (config(0.001).key, 2)]
    assert list(result.fates.values()) == [Fate.KEPT, Fate.KEPT, Fate.TRAINED]
    assert [sweep.values for sweep in store.sweeps()] == [(0.1, 0.01, 0.001), (0.1, 0.01)]


def test_one_run_alone_is_recorded_as_no_sweep(store):
    carry_out(store, [0.1], 1, single=True)
    assert (store.sweeps(), store.count()) == ([], 1)


def test_a_diverged_run_keeps_its_finite_curve_and_is_not_tried_again(store):
    result = carry_out(store, [100.0, 0.1], 4, FakeTrainer(diverges={100.0: 3}))
    run = store.run(config(100.0).key)
    assert (run.state, run.epochs) == (RunState.DIVERGED, 2)
    assert result.complete
    trainer = FakeTrainer()
    carry_out(store, [100.0, 0.1], 4, trainer)
    assert trainer.trained == []
    assert carry_out(store, [100.0], 2, trainer).sweep.runs[0].state is RunState.COMPLETED


def test_a_failure_ends_its_cell_alone(store):
    def fail(config, _epoch):
        if config.lr == 0.1:
            raise MemoryError("too many filters")

    result = carry_out(store, [0.1, 0.01], 2, FakeTrainer(hook=fail))
    assert list(result.fates.values()) == [Fate.FAILED, Fate.TRAINED]
    assert "too many filters" in result.failure
    run = store.run(config(0.1).key)
    assert (run.state, run.attempts[0].note) == (RunState.FAILED, "MemoryError: too many filters")


def test_a_store_that_fails_ends_the_command(store):
    def fail(_config, _epoch):
        raise StoreError("The disk is full.", "Make room.")

    with pytest.raises(StoreError, match="full"):
        carry_out(store, [0.1, 0.01], 2, FakeTrainer(hook=fail))


def claim_elsewhere(store, rate, epochs=2, alive=True):
    """A claim of another live process (this one's parent stands for it)."""
    store.add_dataset(BASE.data, FakeSource.counts, LABELS)
    claim = store.claim(config(rate), describe_worker(DEVICE, 1), dataset_name="fake", epochs=epochs)
    if alive is None:
        edit_identity(store.name, host="elsewhere", machine="x", boot_id="y")
    return claim


def test_the_description_of_a_worker_is_of_this_process_and_can_be_sent_to_another():
    worker = describe_worker(DEVICE, 2, data_seconds=1.5, import_seconds=2.5)
    assert pickle.loads(pickle.dumps(worker)) == worker  # noqa: S301 -- our own
    assert process.is_alive(process.ProcessIdentity.from_json(worker.process))
    assert (worker.device_name, worker.threads) == (DEVICE.name, 2)
    assert (worker.data_seconds, worker.import_seconds) == (1.5, 2.5)


def test_no_wait_leaves_what_is_in_other_hands(store):
    claim_elsewhere(store, 0.1)
    listener = Listener()
    result = carry_out(store, [0.1, 0.01], 2, wait=False, listener=listener)
    assert result.fates == {config(0.1).key: Fate.LEFT, config(0.01).key: Fate.TRAINED}
    assert not result.complete
    assert {(event.key, event.left) for event in listener.held} == {(config(0.1).key, None)}
    assert store.run(config(0.1).key).state is RunState.RUNNING


def test_what_is_in_other_hands_is_waited_for(store, monkeypatch):
    monkeypatch.setattr(dispatcher, "POLL_SECONDS", 0.01)
    claim = claim_elsewhere(store, 0.1)
    timer = threading.Timer(0.3, lambda: claim.end(RunState.INTERRUPTED))
    timer.start()
    assert carry_out(store, [0.1], 2).fates == {config(0.1).key: Fate.TRAINED}
    timer.join()
    is_whole(store, 0.1, 2)


def test_a_heartbeat_that_stands_still_is_taken_over_and_one_that_moves_is_not(store, monkeypatch, limit):
    monkeypatch.setattr(dispatcher, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(heartbeats, "DEAD_SECONDS", 0.5)
    claim = claim_elsewhere(store, 0.1, alive=None)
    stopped = Stop()
    beats = threading.Event()

    def beat():
        while not beats.wait(0.05):
            claim.beat()
        stopped.request(15)

    thread = threading.Thread(target=beat)
    thread.start()
    threading.Timer(1.5, beats.set).start()
    result = carry_out(store, [0.1], 2, stop=stopped)
    thread.join()
    assert result.fates == {config(0.1).key: Fate.LEFT}
    assert carry_out(store, [0.1], 2, stop=limit).fates == {config(0.1).key: Fate.TRAINED}
    for work in (claim.beat, lambda: claim.end(RunState.INTERRUPTED)):
        with pytest.raises(LostClaimError):
            work()
    is_whole(store, 0.1, 2)


def test_a_heart_that_beat_while_we_trained_another_cell_counts(store, monkeypatch):
    """What was seen long ago is no reason to take a run over."""
    monkeypatch.setattr(heartbeats, "DEAD_SECONDS", -1.0)  # whatever was seen once
    claim = claim_elsewhere(store, 0.1, alive=None)
    watch, key = heartbeats.HeartbeatWatch(), config(0.1).key

    def take():
        ours, is_dead = describe_worker(DEVICE, 1), lambda holder: watch.is_dead(key, holder)
        return store.claim(config(0.1), ours, 2, dataset_name="fake", is_dead=is_dead)

    seen = take()
    watch.observe(key, seen)
    claim.beat()
    assert (seen.number, seen.heartbeat) == (1, 0)
    later = take()
    assert later.heartbeat == 1  # still busy
    watch.observe(key, later)
    watch.forget()  # the store was locked meanwhile
    assert isinstance(take(), Busy)
    watch.observe(key, later)
    assert isinstance(take(), Claim)


def test_a_wait_says_how_long_it_will_be_and_since_when(store, monkeypatch, limit):
    monkeypatch.setattr(dispatcher, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(heartbeats, "DEAD_SECONDS", 0.5)
    monkeypatch.setattr(heartbeats, "SILENT_SECONDS", 0.2)
    claim = claim_elsewhere(store, 0.1, alive=None)
    (holder,) = store.run(config(0.1).key).attempts
    assert store.run(config(0.1).key).last_sign_of_life == holder.started_at
    listener = Listener()
    threading.Timer(0.1, claim.beat).start()
    assert carry_out(store, [0.1], 2, listener=listener, stop=limit).complete
    left = [event.left for event in listener.held]
    assert left[0] == 0.5  # it may be dead
    moved = left.index(None)  # it is alive
    assert left[:moved] == sorted(left[:moved], reverse=True)
    silent = left[moved:].count(None) + moved
    assert left[silent:] == sorted(left[silent:], reverse=True)  # it may have died
    assert left[-1] < 0.3
    assert {event.host for event in listener.held} == {system.host_name()}
    (first, _) = store.run(config(0.1).key).attempts
    assert listener.held[-1].seen_at == first.seen_at
    assert store.run(config(0.1).key).last_sign_of_life is None


def test_a_holder_that_the_process_table_knows_has_no_time_limit(store, monkeypatch):
    monkeypatch.setattr(dispatcher, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(heartbeats, "DEAD_SECONDS", -1.0)
    claim_elsewhere(store, 0.1)
    listener, stop = Listener(), Stop()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        edit_identity(store.name, pid=other.pid, started=process._start(other.pid))
        threading.Timer(0.2, stop.request, [15]).start()
        carry_out(store, [0.1], 2, listener=listener, stop=stop)
        other.communicate(b"\n")
    assert {(event.left, event.seen_at) for event in listener.held} == {(None, None)}


def test_each_loss_of_a_run_doubles_the_wait_and_the_process_table_is_not_asked_again(store, monkeypatch):
    gone = Busy(number=1, host="here", heartbeat=0, seen_at=NOW, alive=False)
    watch = heartbeats.HeartbeatWatch()
    assert watch.is_dead("run", gone)
    for limit in (240.0, 480.0, 960.0):
        watch.lose("run")
        assert not watch.is_dead("run", gone)
        watch.forget()
        assert watch.observe("run", gone) == limit
    assert watch.is_dead("another run", gone)
    monkeypatch.setattr(heartbeats, "DEAD_SECONDS", -1.0)
    assert watch.is_dead("run", gone)
    for holder in (replace(gone, alive=True), replace(gone, heartbeat=1), replace(gone, number=2)):
        assert not watch.is_dead("run", holder)


def test_an_attempt_of_this_very_identity_that_is_not_this_one_is_judged_by_its_heartbeat(
    store, monkeypatch, limit
):
    """As in a copy of a virtual machine that was made while it ran; or of a claim that was lost track of."""
    monkeypatch.setattr(dispatcher, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(heartbeats, "DEAD_SECONDS", 0.3)
    claim_elsewhere(store, 0.1)
    listener = Listener()
    assert carry_out(store, [0.1], 2, stop=limit, listener=listener).complete
    assert listener.held[0].left == 0.3


def test_the_living_are_not_taken_over_however_long_we_were_away(store, monkeypatch):
    """A holder on this host that is stopped, or waits for a lock, has no heartbeat and is alive."""
    monkeypatch.setattr(heartbeats, "DEAD_SECONDS", 0.2)
    claim_elsewhere(store, 0.1, alive=True)
    slow = FakeTrainer(hook=lambda *_: time.sleep(0.4))
    result = carry_out(store, [0.1, 0.01], 1, slow, wait=False)
    assert result.fates == {config(0.1).key: Fate.LEFT, config(0.01).key: Fate.TRAINED}
    assert store.run(config(0.1).key).state is RunState.RUNNING


def test_a_lost_claim_is_left_quietly_and_its_bits_do_no_harm(store):
    """Another process takes the run over in the middle of our epoch 2 and finishes it."""
    taken = []

    def lose(_config, epoch):
        if epoch == 2 and not taken:
            taken.append(epoch)
            edit_identity(store.name, pid=NOBODY)
            other = FakeTrainer()
            carry_out(Store.open(store.name), [0.1], 3, other)
            assert [epoch for _, epoch in other.trained] == [2, 3]

    result = carry_out(store, [0.1], 3, FakeTrainer(hook=lose))
    assert result.fates == {config(0.1).key: Fate.ELSEWHERE}
    run = is_whole(store, 0.1, 3)
    assert [attempt.outcome for attempt in run.attempts] == [RunState.INTERRUPTED, RunState.COMPLETED]


def test_a_claim_that_was_lost_before_the_run_diverged_leaves_the_worker_free(store, limit):
    def lose(_config, epoch):
        if epoch == 2:
            edit_identity(store.name, pid=NOBODY)
            carry_out(Store.open(store.name), [0.1], 3)

    trainer = FakeTrainer(hook=lose, diverges={0.1: 2})
    result = carry_out(store, [0.1, 0.01], 3, trainer, stop=limit)
    assert not limit()
    assert result.fates == {config(0.1).key: Fate.ELSEWHERE, config(0.01).key: Fate.TRAINED}
    is_whole(store, 0.1, 3)


def test_a_heartbeat_finds_out_in_the_middle_of_an_epoch_that_the_claim_is_lost(store, monkeypatch, limit):
    monkeypatch.setattr(heartbeats, "HEARTBEAT_SECONDS", 0.02)
    taken = []

    def lose(_config, epoch):
        if epoch == 2 and not taken:
            taken.append(epoch)
            edit_identity(store.name, pid=NOBODY)
            carry_out(Store.open(store.name), [0.1], 3)
            trainer.pause = 10 * PATIENCE

    trainer = FakeTrainer(hook=lose)
    result = carry_out(store, [0.1], 3, trainer, stop=limit)
    assert result.fates == {config(0.1).key: Fate.ELSEWHERE}
    assert [epoch for _, epoch in trainer.trained] == [1]
    is_whole(store, 0.1, 3)


def test_a_heartbeat_finds_out_in_the_middle_of_an_epoch_that_the_store_is_gone(store, monkeypatch, limit):
    monkeypatch.setattr(heartbeats, "HEARTBEAT_SECONDS", 0.02)

    def remove(_config, epoch):
        if epoch == 2:
            Path(store.name).unlink()
            trainer.pause = 10 * PATIENCE

    trainer = FakeTrainer(hook=remove)
    with pytest.raises(StoreChangedError):
        carry_out(store, [0.1], 3, trainer, stop=limit)
    assert not limit()
    assert not Path(store.name).exists()


def test_a_stop_is_a_stop_although_the_claim_is_lost(store, monkeypatch):
    monkeypatch.setattr(heartbeats, "HEARTBEAT_SECONDS", 0.02)
    stop = Stop()

    def ask(_config, epoch):
        if epoch == 2:
            trainer.pause = 60.0
            stop.request(15)
            with sqlite3.connect(store.name) as connection:
                connection.execute("UPDATE runs SET attempt = 2")

    trainer = FakeTrainer(hook=ask)
    assert carry_out(store, [0.1], 3, trainer, stop=stop).fates == {config(0.1).key: Fate.LEFT}


def test_a_lock_under_which_nobody_can_give_a_sign_of_life_is_no_silence(store, monkeypatch, limit):
    monkeypatch.setattr(dispatcher, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(heartbeats, "DEAD_SECONDS", 0.3)
    monkeypatch.setattr(dispatcher, "LOCK_NOTE_SECONDS", 0.2)
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    store = Store.open(store.name, write=True)
    claim_elsewhere(store, 0.1, alive=None)
    reader = sqlite3.connect(store.name, isolation_level=None)

    class Reading(Listener):
        def __call__(self, event):
            super().__call__(event)
            if len(self.held) == 1 and not reader.in_transaction:  # a program that only reads
                reader.execute("BEGIN")
                reader.execute("SELECT * FROM runs").fetchone()
            if self.notes:
                reader.close()

    listener = Reading()
    assert carry_out(store, [0.1], 2, stop=limit, listener=listener).complete
    locked = next(number for number, event in enumerate(listener.events) if isinstance(event, Noted))
    again = listener.events[locked + 1]
    assert isinstance(again, Held) and again.left == 0.3  # the wait begins anew


def test_a_heartbeat_is_tried_again_soon_while_the_store_is_locked(monkeypatch):
    monkeypatch.setattr(heartbeats, "RETRY_SECONDS", 0.01)
    tried, beaten = [], threading.Event()

    def beat():
        tried.append(len(tried))
        if len(tried) < 4:
            raise StoreBusyError("The store is locked.", "Wait.")
        beaten.set()

    monkeypatch.setattr(heartbeats, "HEARTBEAT_SECONDS", 0.05)
    heart = heartbeats.Heart(beat)
    wait_until(lambda: heart.beat_if_due() or beaten.is_set())


def test_an_epoch_is_kept_while_the_store_is_locked(store, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    monkeypatch.setattr(dispatcher, "LOCK_NOTE_SECONDS", 0.2)
    monkeypatch.setattr(database, "LOCK_SECONDS", 0.0)  # for others: training waits until it is stopped
    store = Store.open(store.name, write=True)
    listener = Listener()
    holders = []

    def lock(_config, epoch):
        if epoch == 2:
            reader = sqlite3.connect(store.name, check_same_thread=False, isolation_level=None)
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM runs").fetchone()  # a program that only reads
            holders.append(threading.Timer(1.0, reader.close))
            holders[-1].start()

    trainer = FakeTrainer(hook=lock)
    carry_out(store, [0.1], 3, trainer, listener=listener)
    holders[0].join()
    assert sum("locked" in note for note in listener.notes) == 1
    assert [epoch for _, epoch in trainer.trained] == [1, 2, 3]
    is_whole(store, 0.1, 3)


def test_a_stop_leaves_the_rest_and_says_so(store):
    stop = Stop()

    def ask(_config, epoch):
        if epoch == 2:
            stop.request(15)

    result = carry_out(store, [0.1, 0.01], 3, FakeTrainer(hook=ask), stop=stop)
    assert set(result.fates.values()) == {Fate.LEFT}
    run = store.run(config(0.1).key)
    assert (run.state, run.epochs, run.attempts[0].outcome) == (RunState.INTERRUPTED, 2, RunState.INTERRUPTED)


def test_a_stop_under_a_lock_ends_all_the_same(store, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    store = Store.open(store.name, write=True)
    stop = Stop()
    other = sqlite3.connect(store.name, check_same_thread=False, isolation_level=None)

    def ask(_config, epoch):
        if epoch == 2:
            other.execute("BEGIN EXCLUSIVE")
            stop.request(2)

    result = carry_out(store, [0.1], 3, FakeTrainer(hook=ask), stop=stop)
    other.close()
    assert not result.complete
    assert store.run(config(0.1).key).epochs == 1


def test_a_heartbeat_moves_inside_one_long_step(store, monkeypatch):
    monkeypatch.setattr(heartbeats, "HEARTBEAT_SECONDS", 0.02)
    seen = threading.Event()

    def wait(_config, _epoch):
        for _ in range(3000):
            with sqlite3.connect(store.name) as connection:
                if connection.execute("SELECT heartbeat FROM attempts").fetchone()[0] > 2:
                    seen.set()
                    return
            threading.Event().wait(0.02)

    carry_out(store, [0.1], 1, FakeTrainer(hook=wait))
    assert seen.is_set()


# Measuring again


def test_measuring_again_adds_times_and_nothing_else(store):
    carry_out(store, [0.1], 3, FakeTrainer(seconds=9.0, contended=True))
    before = store.run(config(0.1).key)
    trainer = FakeTrainer(seconds=2.0)
    result = carry_out(store, [0.1], 3, trainer, remeasure=True)
    assert result.fates == {config(0.1).key: Fate.MEASURED}
    assert result.complete
    run = is_whole(store, 0.1, 3)
    assert run.curve == before.curve
    assert [attempt.remeasure for attempt in run.attempts] == [False, True]
    assert (before.runtime_seconds, before.contended) == (27.0, True)
    assert (run.runtime_seconds, run.contended) == (6.0, False)
    carry_out(store, [0.01], 3, FakeTrainer(seconds=3.0))
    shown = [run.runtime_seconds for run in store.runs(sort="runtime_seconds")]
    assert shown == [6.0, 9.0]  # and not by all that was ever measured
    assert store.runs(sort="runtime_seconds", limit=1, state=RunState.COMPLETED)[0].key == run.key


def test_other_bits_where_they_must_be_the_same_are_a_failure(store):
    carry_out(store, [0.1], 3)
    result = carry_out(store, [0.1], 3, FakeTrainer(twist=b"!"), remeasure=True)
    assert not result.complete
    assert "epoch 1" in result.failure
    run = is_whole(store, 0.1, 3)
    assert "not the stored ones" in run.attempts[1].note


def test_other_bits_on_another_processor_are_said_and_forgiven(store, monkeypatch):
    carry_out(store, [0.1], 2)
    monkeypatch.setattr(processor, "processor_fingerprint", lambda: "another")
    listener = Listener()
    result = carry_out(store, [0.1], 2, FakeTrainer(twist=b"!"), remeasure=True, listener=listener)
    assert result.complete
    assert any("not the stored ones" in note and "kind of processor" in note for note in listener.notes)


def test_measuring_a_run_again_trains_what_is_missing_and_leaves_what_diverged(store):
    carry_out(store, [100.0], 3, FakeTrainer(diverges={100.0: 2}))
    result = carry_out(store, [100.0, 0.1], 3, remeasure=True)
    assert list(result.fates.values()) == [Fate.KEPT, Fate.TRAINED]


def test_an_extension_goes_on_after_a_measurement(store):
    carry_out(store, [0.1], 2)
    carry_out(store, [0.1], 2, FakeTrainer(seconds=5.0), remeasure=True)
    carry_out(store, [0.1], 4)
    run = is_whole(store, 0.1, 4)
    assert [attempt.number for attempt in run.attempts] == [1, 2, 3]
    assert run.runtime_seconds == 4.0  # the one measurement that is complete for 4 epochs
    assert run.at(2).runtime_seconds == 10.0


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("processor", lambda patch: patch.setattr(processor, "processor_fingerprint", lambda: "another")),
        (
            "oneDNN",
            lambda patch: (patch.setenv("TF_ENABLE_ONEDNN_OPTS", "0"), description._versions.cache_clear()),
        ),
    ],
)
def test_going_on_elsewhere_says_that_the_bits_may_part(store, monkeypatch, name, change):
    carry_out(store, [0.1], 2)
    change(monkeypatch)
    listener = Listener()
    try:
        assert carry_out(store, [0.1], 4, listener=listener).complete
    finally:
        description._versions.cache_clear()
    run = store.run(config(0.1).key)
    assert run.attempts[0].note is None
    assert "bit-identity no longer holds" in run.attempts[1].note
    assert name in run.attempts[1].note
    assert any(name in note for note in listener.notes)


def test_another_live_attempt_of_the_store_makes_times_contended(store):
    claim = claim_elsewhere(store, 0.01)
    assert isinstance(claim, Claim)
    carry_out(store, [0.1], 1)
    assert store.run(config(0.1).key).contended
    claim.end(RunState.INTERRUPTED)
    carry_out(store, [0.001], 1)
    assert not store.run(config(0.001).key).contended


def wait_until(happened):
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="stops a process by a signal")
def test_a_stopped_process_with_a_claim_makes_no_times_contended(store, tmp_path):
    path = Path(store.name)
    store.add_dataset(BASE.data, FakeSource.counts, LABELS)
    other = start(claim_and_work, path, config(0.01), tmp_path / "claimed")
    wait_until((tmp_path / "claimed").exists)
    try:
        carry_out(store, [0.1], 2, FakeTrainer(pause=0.2))
        os.kill(other.pid, signal.SIGSTOP)
        wait_until(lambda: psutil.Process(other.pid).status() == psutil.STATUS_STOPPED)
        carry_out(store, [0.001], 2, FakeTrainer(pause=0.2))
        os.kill(other.pid, signal.SIGCONT)
        carry_out(store, [0.0001], 2, FakeTrainer(pause=0.2))
    finally:
        other.kill()
        other.join()
    runs = [store.run(config(rate).key) for rate in (0.1, 0.001, 0.0001)]
    assert [[timing.beside for timing in run.timings] for run in runs] == [[1, 1], [0, 0], [1, 1]]
    assert [run.contended for run in runs] == [True, False, True]


class SlowTrainer(FakeTrainer):
    """A trainer whose preparation and first epoch last until it was told that they do."""

    def __init__(self, listener):
        super().__init__(hook=lambda config, epoch: epoch > 1 or self.wait("first batches of epoch 1"))
        self.listener = listener

    def wait(self, step):
        end = time.monotonic() + PATIENCE
        while not any(isinstance(e, Lasting) and e.what == step for e in self.listener.events):
            assert time.monotonic() < end
            time.sleep(0.01)

    def prepare(self, config):
        self.wait(BUILDING)
        return super().prepare(config)


def test_steps_that_last_are_told_before_the_first_progress_and_not_after(store, monkeypatch):
    slow, quick = Listener(), Listener()
    monkeypatch.setattr("lenetcli.training.work.LASTING_SECONDS", 60.0)
    carry_out(store, [0.2], 2, listener=quick)
    assert not any(isinstance(event, Lasting) for event in quick.events)
    monkeypatch.setattr("lenetcli.training.work.LASTING_SECONDS", 0.05)
    carry_out(store, [0.1], 3, SlowTrainer(slow), listener=slow)
    told = [event for event in slow.events if isinstance(event, Lasting | Stored)]
    assert [event.what for event in told[:2]] == [BUILDING, "first batches of epoch 1"]
    assert all(isinstance(event, Stored) for event in told[2:])
