"""Measurements that are stopped and go on, with a trainer that keeps the contract of the real one."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from helpers.fake_training import DEVICE, FakeTrainer, Listener, carry_out
from helpers.fault_workers import NOBODY, edit_identity
from helpers.made_up import BASE

from lenetcli.errors import LostClaimError, StoreError
from lenetcli.experiment.run import RunState
from lenetcli.machine import limits, processor, system
from lenetcli.store.claims import Claim, Done
from lenetcli.store.holders import Busy
from lenetcli.store.store import Store
from lenetcli.training.events import Fate
from lenetcli.training.interrupts import Stop
from lenetcli.training.workers.description import describe_worker

RATES = [0.1, 0.01, 0.001]
ALL = [1, 2, 3, 4]


class Kill(BaseException):
    """Ends a process without any clean-up by the runner."""


@pytest.fixture
def store(tmp_path):
    """A store with a run of four epochs for each rate."""
    store = Store.open(str(tmp_path / "s.db"), write=True)
    carry_out(store, RATES, 4, FakeTrainer(seconds=9.0))
    return store


def key(rate):
    return replace(BASE, lr=rate).key


def epochs_by_rate(trainer):
    trained = {}
    for run, epoch in trainer.trained:
        trained.setdefault(next(rate for rate in RATES if key(rate) == run), []).append(epoch)
    return trained


def measure(store, rates=RATES, epochs=4, *, stop=None, kill=None, listener=None, wait=True, **options):
    """Measure again, and be stopped or killed in an epoch of a run: what was trained, and the fates."""
    stopping = Stop()

    def hook(config, epoch):
        if (config.lr, epoch) == kill:
            raise Kill
        if (config.lr, epoch) == stop:
            stopping.request(2)

    trainer, fates = FakeTrainer(hook=hook, **options), {}
    try:
        result = carry_out(
            store, rates, epochs, trainer, stop=stopping, remeasure=True, listener=listener, wait=wait
        )
        fates = {rate: result.fates[key(rate)] for rate in rates}
    except Kill:
        edit_identity(store.name, pid=NOBODY)
    return epochs_by_rate(trainer), fates


def pending(store):
    with closing(sqlite3.connect(store.name)) as connection:
        return connection.execute("SELECT epochs, epoch FROM measurements ORDER BY epoch").fetchall()


def execute(store, statement):
    with closing(sqlite3.connect(store.name)) as connection, connection:
        connection.execute(statement)


def test_a_measurement_that_was_stopped_goes_on_where_it_was(store):
    before = {rate: store.run(key(rate)) for rate in RATES}
    assert measure(store, stop=(0.01, 2), seconds=1.0)[0] == {0.1: ALL, 0.01: [1, 2]}
    assert pending(store) == [(4, None), (4, 2)]
    assert measure(store, kill=(0.01, 4), seconds=2.0)[0] == {0.01: [3]}
    assert store.run(key(0.01)).runtime_seconds == 36.0  # of the training, until a measurement is complete
    listener = Listener()
    trained, fates = measure(store, seconds=3.0, listener=listener)
    assert trained == {0.01: [4], 0.001: ALL}
    assert fates == {0.1: Fate.KEPT, 0.01: Fate.MEASURED, 0.001: Fate.MEASURED}
    assert listener.notes == ["This goes on with a measurement that was stopped: 2 of 3 runs left."]
    runs = [store.run(key(rate)) for rate in RATES]
    assert [[timing.train_seconds for timing in run.timings] for run in runs] == [
        [1.0] * 4,
        [1.0, 1.0, 2.0, 3.0],
        [3.0] * 4,
    ]
    assert [run.curve for run in runs] == [run.curve for run in before.values()]
    assert [attempt.outcome for attempt in runs[1].attempts] == [
        RunState.COMPLETED,
        RunState.INTERRUPTED,
        RunState.INTERRUPTED,
        RunState.COMPLETED,
    ]
    # It has come to its end: the next one measures all anew.
    assert pending(store) == []
    assert measure(store)[0] == dict.fromkeys(RATES, ALL)
    assert pending(store) == []


def test_a_stop_before_anything_is_measured_leaves_all_of_it(store):
    assert measure(store, kill=(0.1, 1))[0] == {}
    assert measure(store)[0] == dict.fromkeys(RATES, ALL)


def test_a_part_of_the_runs_can_be_measured_meanwhile(store):
    measure(store, stop=(0.01, 2))
    assert measure(store, [0.01])[0] == {0.01: [3, 4]}
    assert measure(store)[0] == {0.001: ALL}


def test_another_number_of_epochs_is_another_measurement(store):
    measure(store, stop=(0.1, 3), seconds=1.0)
    assert measure(store, epochs=2, seconds=2.0)[0] == {rate: [1, 2] for rate in RATES}
    assert measure(store, seconds=3.0)[0] == {0.1: [4], 0.01: ALL, 0.001: ALL}
    run = store.run(key(0.1))
    assert [timing.train_seconds for timing in run.timings] == [1.0, 1.0, 1.0, 3.0]
    assert run.at(2).runtime_seconds in (2.0, 4.0)


def test_a_measurement_is_of_one_machine(store, monkeypatch):
    measure(store, stop=(0.1, 3), seconds=1.0)
    with monkeypatch.context() as patch:  # another machine begins one of its own
        patch.setattr(system, "host_name", lambda: "elsewhere")
        assert measure(store, stop=(0.1, 3), seconds=2.0)[0] == {0.1: [1, 2, 3]}
    assert measure(store, [0.1], seconds=3.0)[0] == {0.1: [4]}
    run = store.run(key(0.1))
    assert [timing.train_seconds for timing in run.timings] == [1.0, 1.0, 1.0, 3.0]
    assert {attempt.host for attempt, _ in run.measurement} == {system.host_name()}


@pytest.mark.parametrize("change", ["fingerprint", "threads"])
def test_a_measurement_begins_anew_under_other_conditions(store, monkeypatch, change):
    measure(store, [0.1], stop=(0.1, 3), seconds=1.0)
    if change == "fingerprint":
        monkeypatch.setattr(processor, "processor_fingerprint", lambda: "another")
    else:
        execute(store, "UPDATE attempts SET threads = 99 WHERE remeasure")
    assert measure(store, [0.1], seconds=2.0)[0] == {0.1: ALL}
    assert store.run(key(0.1)).runtime_seconds == 8.0


def test_what_differed_before_the_stop_is_said_at_the_end(store):
    measure(store, [0.1], stop=(0.1, 2), twist=b"!")
    execute(store, "UPDATE epochs SET val_loss = 0.5 WHERE epoch > 2")
    _, fates = measure(store, [0.1])
    assert fates == {0.1: Fate.FAILED}
    assert store.run(key(0.1)).attempts[-1].note == "the bits of epoch 1 are not the stored ones"


def test_a_measurement_of_runs_that_are_not_trained_yet_trains_them(tmp_path):
    store = Store.open(str(tmp_path / "new.db"), write=True)
    assert measure(store, stop=(0.01, 2))[0] == {0.1: ALL, 0.01: [1, 2]}
    trained, fates = measure(store)
    assert trained == {0.01: [3, 4], 0.001: ALL}
    assert fates == {0.1: Fate.KEPT, 0.01: Fate.CONTINUED, 0.001: Fate.TRAINED}
    assert pending(store) == []


def test_what_diverged_is_not_left_to_measure(tmp_path):
    store = Store.open(str(tmp_path / "new.db"), write=True)
    carry_out(store, [0.1], 4, FakeTrainer(diverges={0.1: 2}))
    assert measure(store, [0.1, 0.01], diverges={0.01: 3})[0] == {0.01: [1, 2]}
    assert pending(store) == []


def test_a_run_deleted_by_hand_is_trained(store):
    measure(store, stop=(0.01, 2))
    execute(store, "DELETE FROM runs")
    execute(store, "DELETE FROM attempts")
    execute(store, "DELETE FROM epochs")
    trained, fates = measure(store)
    assert trained == dict.fromkeys(RATES, ALL)
    assert set(fates.values()) == {Fate.TRAINED}
    assert pending(store) == []


def test_what_failed_is_tried_anew_and_keeps_no_other_from_being_measured(store):
    def fail(config, epoch):
        if (config.lr, epoch) == (0.01, 3):
            raise MemoryError

    trainer = FakeTrainer(hook=fail)
    assert not carry_out(store, RATES, 4, trainer, remeasure=True).complete
    assert epochs_by_rate(trainer) == {0.1: ALL, 0.01: [1, 2], 0.001: ALL}
    assert measure(store)[0] == dict.fromkeys(RATES, ALL)


def test_damaged_weights_of_a_measurement_are_refused_once(store, monkeypatch):
    measure(store, stop=(0.1, 2))

    def refuse(self, config, checkpoint, *_rest):
        assert checkpoint.epoch == 2
        raise StoreError("The weights are damaged.", "Restore them.")

    with monkeypatch.context() as patch:
        patch.setattr(FakeTrainer, "train", refuse)
        with pytest.raises(StoreError):
            measure(store)
    assert measure(store)[0] == dict.fromkeys(RATES, ALL)


def claim(store, rate=0.1, **options):
    worker = describe_worker(DEVICE, limits.usable_cores())
    return store.claim(replace(BASE, lr=rate), worker, 4, dataset_name="fake", remeasure=True, **options)


def test_a_measurement_has_one_holder(store):
    assert isinstance(claim(store), Done)  # nothing is left to measure
    store.begin_measurements([key(0.1)], 4, system.host_name())
    first = claim(store)
    assert isinstance(first, Claim)
    assert isinstance(claim(store), Busy)
    assert measure(store, [0.1, 0.01], wait=False)[1] == {0.1: Fate.LEFT, 0.01: Fate.KEPT}
    edit_identity(store.name, pid=NOBODY)
    trained, _ = measure(store, [0.1], kill=(0.1, 3))
    assert trained == {0.1: [1, 2]}
    second = claim(store)
    assert (second.epochs, second.checkpoint.epoch, second.remeasure) == (2, 2, True)
    for trained in FakeTrainer().train(replace(BASE, lr=0.1), None, range(1, 2), print, Stop()):
        with pytest.raises(LostClaimError):
            first.record(trained)
    second.end(RunState.INTERRUPTED)
    assert pending(store) == [(4, 2)]
