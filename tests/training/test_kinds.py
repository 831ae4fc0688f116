"""Runs that were begun go on with the kind of machine that they were begun on, where there is a choice."""

from dataclasses import replace

from helpers.fake_training import FakeTrainer, Listener, carry_out, make_plan
from helpers.made_up import BASE

from lenetcli.experiment.run import RunState
from lenetcli.store.store import Store
from lenetcli.training.events import Stored
from lenetcli.training.interrupts import Stop
from lenetcli.training.pool import Pool
from lenetcli.training.runner import Runner
from lenetcli.training.workers.messages import Ready
from lenetcli.training.workers.thread import WorkerThread

RATES = [0.1, 0.03, 0.01, 0.003]


def on_machines(*kinds, pause=0.0):
    """A pool whose workers say, in turn, that they are on machines of these kinds; each is slow, or not."""
    waiting = list(kinds)

    def begin(deliver):
        kind = waiting.pop(0)

        def tell(handle, report):
            if isinstance(report, Ready):
                report = replace(report, worker=replace(report.worker, fingerprint=kind, host=kind))
            deliver(handle, report)

        return WorkerThread(lambda: lambda *_: FakeTrainer(pause=pause), tell)

    return Pool(begin)


def train(store, epochs, *kinds, rates=RATES, is_cut=False, pause=0.0):
    """Train on machines of these kinds; if it is cut, it is stopped when each run has an epoch."""
    stop = Stop()

    class Screen(Listener):
        def __call__(self, event):
            super().__call__(event)
            begun = {event.key for event in self.events if isinstance(event, Stored)}
            if is_cut and len(begun) == len(rates):
                stop.request(15)

    screen = Screen()
    with on_machines(*kinds, pause=pause) as pool:
        Runner(store, make_plan(store, rates, epochs), pool, screen, jobs=len(kinds)).run(stop)
    return screen


def hosts(store):
    """The machines that trained epochs of each run, by rate."""
    return {run.config.lr: [a.host for a in run.attempts if a.timings] for run in store.runs()}


def test_each_run_goes_on_with_its_own_kind(tmp_path):
    store = Store.open(str(tmp_path / "s.db"), write=True)
    train(store, 60, "old", "new", rates=RATES[:2], is_cut=True, pause=0.03)
    begun = hosts(store)
    assert sorted(begun[rate][0] for rate in RATES[:2]) == ["new", "old"]
    screen = train(store, 60, "new", "old", pause=0.005)  # in the other order
    assert all(run.state is RunState.COMPLETED for run in store.runs())
    assert {rate: set(hosts(store)[rate]) for rate in begun} == {rate: set(begun[rate]) for rate in begun}
    assert screen.notes == []


def test_a_run_waits_for_its_kind_while_that_is_busy_and_others_take_what_is_new(tmp_path):
    store = Store.open(str(tmp_path / "s.db"), write=True)
    train(store, 50, "old", is_cut=True, rates=RATES[:1])
    train(store, 50, "old", is_cut=True, rates=RATES[1:2])
    screen = train(store, 50, "new", "old", pause=0.02)
    assert [set(hosts(store)[rate]) for rate in RATES[:3]] == [{"old"}, {"old"}, {"new"}]
    assert screen.notes == []


def test_without_a_machine_of_its_kind_it_goes_on_with_another_and_says_so(tmp_path):
    store = Store.open(str(tmp_path / "s.db"), write=True)
    train(store, 5, "old", is_cut=True, rates=RATES[:1])
    screen = train(store, 5, "new", "newer")
    assert hosts(store)[RATES[0]][0] == "old" and len(hosts(store)[RATES[0]]) == 2
    (note,) = screen.notes
    assert "bit-identity no longer holds: another kind of processor" in note.replace("Bit", "bit")


def test_a_measurement_is_taken_by_any_kind(tmp_path):
    store = Store.open(str(tmp_path / "s.db"), write=True)
    carry_out(store, [BASE.lr], 2)
    plan = make_plan(store, [BASE.lr], 2, remeasure=True)
    with on_machines("new") as pool:
        assert Runner(store, plan, pool, Listener()).run(Stop()).complete
