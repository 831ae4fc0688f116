"""Several workers that report their epochs at the same moment: what is recorded together, and what is not."""

import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

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
    make_plan,
)
from helpers.fault_workers import NOBODY, edit_identity
from helpers.made_up import BASE, DATA
from hypothesis import given, settings
from hypothesis import strategies as st

from lenetcli.errors import StoreChangedError
from lenetcli.experiment.run import RunState
from lenetcli.store.store import Store
from lenetcli.training import dispatcher
from lenetcli.training.events import Fate, Stored
from lenetcli.training.interrupts import Stop
from lenetcli.training.pool import Pool
from lenetcli.training.runner import Runner
from lenetcli.training.workers.description import describe_worker
from lenetcli.training.workers.messages import (
    Cancel,
    Dataset,
    Finished,
    Gone,
    GoOn,
    Prepared,
    Ready,
    Setup,
    Task,
)

RATES = [0.1, 0.03, 0.01, 0.003]


@dataclass
class Troupe:
    """Starts workers without threads, which report their epochs all at once when so many of them are ready.

    ``sizes`` has how many each time, as long as there are others; otherwise all. ``hook`` is called with the
    epoch of the first one just before.
    """

    count: int
    sizes: list = field(default_factory=list)
    hook: object = lambda epoch: None
    ready: list = field(default_factory=list)
    dead: set = field(default_factory=set)

    def __call__(self, deliver):
        return Member(self, deliver)

    def report(self, member, trained):
        self.ready.append((member, trained))
        self.release()

    def release(self):
        size = min(self.sizes[0], self.count) if self.sizes else self.count
        if self.ready and len(self.ready) >= size:
            self.sizes = self.sizes[1:]
            ready, self.ready = self.ready, []
            self.hook(ready[0][1].point.epoch)
            for member, trained in ready:
                member.deliver(member, trained)
                if (member, trained.point.epoch) in self.dead:
                    member.deliver(member, Gone(3, ""))


class Member:
    """A worker that answers an order at once; see ``messages.Handle``."""

    def __init__(self, troupe, deliver):
        self.troupe, self.deliver, self.epochs = troupe, deliver, iter(())

    def send(self, order):
        match order:
            case Setup():
                dataset = Dataset(DATA, LABELS, FakeSource.summary)
                self.deliver(self, Ready(describe_worker(DEVICE, 1), dataset))
            case Task():
                trainer = FakeTrainer()
                reports = (order.checkpoint, order.epochs, lambda _: None, Stop())
                self.epochs = trainer.train(order.config, *reports)
                self.deliver(self, Prepared(0.1, 0.2))
            case GoOn():
                if trained := next(self.epochs, None):
                    self.troupe.report(self, trained)
                else:
                    self.leave(RunState.COMPLETED)
            case Cancel():
                self.leave(RunState.INTERRUPTED)

    def leave(self, outcome):
        self.deliver(self, Finished(outcome))
        self.troupe.count -= 1
        self.troupe.release()

    def kill(self):
        pass


class Witness(Listener):
    """Looks into the store whenever an epoch is told; ``stored`` has how many epochs each run has then."""

    def __init__(self, store):
        super().__init__()
        self.store, self.stored = store, []

    def __call__(self, event):
        super().__call__(event)
        if isinstance(event, Stored):
            runs = self.store.find([key(rate) for rate in RATES]).values()
            self.stored.append((event.point.epoch, [run.epochs for run in runs]))


@pytest.fixture
def store(tmp_path):
    return Store.open(str(tmp_path / "s.db"), write=True)


def key(rate):
    return replace(BASE, lr=rate).key


def train(store, epochs, *, listener=None, stop=None, rates=RATES, **options):
    troupe = Troupe(len(rates), **options)
    with Pool(troupe) as pool:
        runner = Runner(store, make_plan(store, rates, epochs), pool, listener or Listener(), jobs=len(rates))
        return runner.run(stop or Stop())


def check_runs(store, rates, epochs):
    """The runs are whole, with their bits, and no epoch was recorded twice."""
    for rate in rates:
        config = replace(BASE, lr=rate)
        run = store.run(config.key)
        assert (run.state, run.curve) == (RunState.COMPLETED, curve_of(config, epochs))
        assert store.checkpoint(run.key).tensors == bits_after(config, epochs)
        timed = [timing.epoch for attempt in run.attempts for timing in attempt.timings]
        assert timed == list(range(1, epochs + 1))


def at_epoch(epoch, action):
    """A hook that does something once, when the workers report an epoch."""
    done = []

    def hook(now):
        if now == epoch and not done:
            done.append(now)
            action()

    return hook


def test_when_one_is_told_of_all_are_stored(store):
    witness = Witness(store)
    assert train(store, 3, listener=witness).complete
    check_runs(store, RATES, 3)
    assert witness.stored == [(epoch, [epoch] * 4) for epoch in (1, 2, 3) for _ in RATES]
    timings = [timing for run in store.runs() for attempt in run.attempts for timing in attempt.timings]
    assert {timing.beside for timing in timings} == {3}
    assert all(timing.contended for timing in timings)


@settings(max_examples=20)
@given(sizes=st.lists(st.integers(1, 4), max_size=16), seeds=st.integers(1, 4))
def test_every_epoch_is_recorded_once_however_many_come_at_once(sizes, seeds):
    with TemporaryDirectory() as folder:
        store = Store.open(str(Path(folder) / "s.db"), write=True)
        assert train(store, 3, rates=RATES[:seeds], sizes=sizes).complete
        check_runs(store, RATES[:seeds], 3)


@pytest.mark.parametrize("lost", RATES)
def test_a_claim_that_is_lost_costs_its_run_alone(store, lost):
    def take_over():
        edit_identity(store.name, pid=NOBODY)
        carry_out(Store.open(store.name), [lost], 3)

    result = train(store, 3, hook=at_epoch(2, take_over))
    assert result.fates == {key(rate): Fate.ELSEWHERE if rate == lost else Fate.TRAINED for rate in RATES}
    check_runs(store, RATES, 3)
    assert [len(store.run(key(rate)).attempts) for rate in RATES] == [1 + (rate == lost) for rate in RATES]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM epochs WHERE run_id = (SELECT id FROM runs WHERE key = ?)",
        "DELETE FROM attempts WHERE run_id = (SELECT id FROM runs WHERE key = ?)",
        "DELETE FROM runs WHERE key = ?",
    ],
)
def test_rows_that_are_gone_end_the_command_and_cost_no_run_before_an_epoch(store, statement):
    def delete():
        with closing(sqlite3.connect(store.name)) as connection, connection:
            connection.execute(statement, (key(RATES[-1]),))

    with pytest.raises(StoreChangedError, match="lacks"):
        train(store, 3, hook=at_epoch(2, delete))
    assert [store.run(key(rate)).epochs for rate in RATES[:-1]] == [2, 2, 2]


def test_a_store_that_is_deleted_is_not_made_again(store):
    with pytest.raises(StoreChangedError, match="deleted"):
        train(store, 3, hook=at_epoch(2, Path(store.name).unlink))
    assert not Path(store.name).exists()


def lock(store, seconds):
    """Let another program read the store, which keeps others from writing, for so long."""
    reader = sqlite3.connect(store.name, check_same_thread=False, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM runs").fetchone()
    timer = threading.Timer(seconds, reader.close)
    timer.start()
    return timer


def test_the_lock_of_another_program_is_waited_for(store, monkeypatch):
    monkeypatch.setattr(dispatcher, "LOCK_NOTE_SECONDS", 0.2)
    monkeypatch.setattr("lenetcli.training.runner.LOCK_SECONDS", 0.1)
    listener, timers = Listener(), []
    hook = at_epoch(2, lambda: timers.append(lock(store, 1.0)))
    assert train(store, 3, listener=listener, hook=hook).complete
    timers[0].join()
    assert sum("locked" in note for note in listener.notes) == 1
    check_runs(store, RATES, 3)


@pytest.mark.parametrize(("seconds", "epochs"), [(0.5, {2, 3}), (6.0, {1})])
def test_a_stop_under_a_lock_keeps_the_epochs_if_the_lock_goes_in_time(store, monkeypatch, seconds, epochs):
    monkeypatch.setattr("lenetcli.training.runner.LOCK_SECONDS", 1.5)
    stop, timers = Stop(), []

    def lock_and_stop():
        timers.append(lock(store, seconds))
        stop.request(15)

    # The last epochs are waited for once or twice, and workers that report at once may end meanwhile.
    fates = train(store, 3, stop=stop, hook=at_epoch(2, lock_and_stop)).fates
    timers[0].join()
    assert {run.epochs for run in store.runs()} <= epochs
    assert set(fates.values()) <= {Fate.LEFT, Fate.TRAINED}
    edit_identity(store.name, pid=NOBODY)  # nobody could record the end
    assert train(store, 3).complete
    check_runs(store, RATES, 3)


class Dying(Troupe):
    """The first workers to report an epoch die at once."""

    def release(self):
        if not self.dead and len(self.ready) == self.count:
            self.dead = {(member, trained.point.epoch) for member, trained in self.ready[:2]}
        super().release()


def test_the_epoch_of_a_worker_that_dies_after_it_is_kept(store):
    listener = Listener()
    with Pool(Dying(len(RATES))) as pool:
        runner = Runner(store, make_plan(store, RATES, 3), pool, listener, jobs=len(RATES))
        assert runner.run(Stop()).complete
    assert sum("another one goes on with it" in note for note in listener.notes) == 2
    check_runs(store, RATES, 3)


def test_a_worker_whose_run_is_lost_and_that_dies_then_is_replaced(store):
    class Lost(Dying):
        def release(self):
            if not self.dead and len(self.ready) == self.count:
                edit_identity(store.name, pid=NOBODY)
                carry_out(Store.open(store.name), [0.1], 3)
            super().release()

    listener = Listener()
    with Pool(Lost(len(RATES))) as pool:
        runner = Runner(store, make_plan(store, RATES, 3), pool, listener, jobs=len(RATES))
        result = runner.run(Stop())
    assert result.fates[key(0.1)] is Fate.ELSEWHERE
    check_runs(store, RATES, 3)
