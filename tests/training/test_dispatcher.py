"""Runs side by side in real worker processes: each to its end, whatever happens to the workers."""

import os
import signal
import time
from collections import Counter
from dataclasses import replace

import psutil
import pytest
from helpers.fake_training import Listener, bits_after, curve_of, make_plan
from helpers.fault_engines import LAST_WORDS, Engine, Meeting, abort, hang, kill, leave, refuse
from helpers.made_up import BASE

from lenetcli.errors import LenetError, RunFailedError
from lenetcli.experiment.run import RunState
from lenetcli.experiment.sweep import Axis
from lenetcli.store.store import Store
from lenetcli.training.events import Began, Ended, Fate, Stored
from lenetcli.training.interrupts import Stop
from lenetcli.training.plan import refresh
from lenetcli.training.pool import Pool
from lenetcli.training.runner import Runner
from lenetcli.training.time_limit import TimeLimit
from lenetcli.training.workers.process import WorkerProcess

RATES = [0.1, 0.03, 0.01, 0.003]


@pytest.fixture
def store(tmp_path):
    return Store.open(str(tmp_path / "s.db"), write=True)


@pytest.fixture
def listener():
    return Listener()


def key(rate):
    return replace(BASE, lr=rate).key


class Workers:
    """Starts worker processes, and knows those that it started."""

    def __init__(self, engine):
        self.engine, self.pids = engine, []

    def __call__(self, deliver):
        worker = WorkerProcess(self.engine, deliver)
        self.pids.append(worker.pid)
        return worker

    @property
    def are_gone(self):
        return not any(map(psutil.pid_exists, self.pids))


def carry_out(plan, store, engine, *, jobs=2, stop=None, listener=None, limit=None):
    """Carry out a plan in worker processes; all of them are gone at the end."""
    workers = Workers(engine)
    try:
        with Pool(workers) as pool:
            runner = Runner(store, plan, pool, listener or Listener(), jobs=jobs, limit=limit)
            return runner.run(stop or Stop())
    finally:
        assert workers.are_gone


def train(store, rates, epochs, engine, **options):
    return carry_out(make_plan(store, rates, epochs), store, engine, **options)


def check_runs(store, rates, epochs):
    """The runs are whole, with the bits of runs that nothing disturbed, and no epoch was recorded twice."""
    for rate in rates:
        config = replace(BASE, lr=rate)
        run = store.run(config.key)
        assert (run.state, run.curve) == (RunState.COMPLETED, curve_of(config, epochs))
        assert store.checkpoint(run.key).tensors == bits_after(config, epochs)
        timed = [timing.epoch for attempt in run.attempts for timing in attempt.timings]
        assert timed == list(range(1, epochs + 1))


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_runs_side_by_side_have_the_bits_of_runs_alone_in_the_order_of_the_command(
    store, tmp_path, listener, jobs
):
    engine = Engine(folder=tmp_path, pause=0.02)
    result = train(store, RATES, 3, engine, jobs=jobs, listener=listener)
    assert set(result.fates.values()) == {Fate.TRAINED}
    assert [cell.config.lr for cell in result.sweep.cells] == RATES
    began = [event.key for event in listener.events if isinstance(event, Began)]
    assert began == [key(rate) for rate in RATES]
    check_runs(store, RATES, 3)
    assert set(Counter(epoch[:2] for epoch in engine.begun).values()) == {1}
    assert len({pid for *_, pid in engine.begun}) <= jobs  # which stay from run to run


def test_more_jobs_than_runs_start_no_worker_that_has_nothing_to_do(store, tmp_path):
    workers = Workers(Engine(folder=tmp_path))
    with Pool(workers) as pool:
        runner = Runner(store, make_plan(store, RATES[:2], 1), pool, Listener(), jobs=8)
        assert runner.jobs == 2
        runner.run(Stop())
    assert len(workers.pids) == 2


def test_a_finished_sweep_starts_no_worker(store, tmp_path):
    engine = Engine(folder=tmp_path)
    train(store, RATES[:1], 1, engine)

    def start(_deliver):
        raise AssertionError("a worker")

    with Pool(start) as pool:
        assert Runner(store, make_plan(store, RATES[:1], 1), pool, Listener()).run(Stop()).complete


def test_times_taken_beside_other_runs_say_how_many_ran(store, tmp_path):
    engine = Engine(folder=tmp_path, pause=0.05, deeds={1: Meeting(tmp_path, 3)})
    train(store, RATES[:3], 4, engine, jobs=3)
    timings = [t for run in store.runs() for attempt in run.attempts for t in attempt.timings]
    assert {timing.beside for timing in timings} <= {0, 1, 2}
    assert 2 in {timing.beside for timing in timings}
    assert all(timing.contended == (timing.beside > 0) for timing in timings)


def test_one_job_at_a_time_is_beside_nothing(store, tmp_path):
    train(store, RATES[:2], 2, Engine(folder=tmp_path), jobs=1)
    assert {t.beside for run in store.runs() for a in run.attempts for t in a.timings} == {0}


# Deaths


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        (kill, "was ended by signal 9 (SIGKILL), as a rule because the memory of the machine was used up"),
        (abort, "was ended by signal 6 (SIGABRT), by TensorFlow itself"),
        (leave, "ended with exit code 3"),
    ],
)
def test_the_run_of_a_dead_worker_goes_on_in_another_from_its_last_epoch(
    store, tmp_path, listener, deed, words
):
    engine = Engine(folder=tmp_path, deeds={(0.1, 3): deed}, most=1)
    result = train(store, RATES[:3], 4, engine, listener=listener)
    assert result.complete
    check_runs(store, RATES[:3], 4)
    begun = Counter(epoch[:2] for epoch in engine.begun)
    assert [epoch for epoch, times in begun.items() if times > 1] == [(0.1, 3)]
    died, went_on = store.run(key(0.1)).attempts
    assert died.outcome is RunState.INTERRUPTED
    assert died.note.startswith(f"its worker {words}")
    assert went_on.note is None
    (note,) = listener.notes
    assert words in note and "another one goes on with it" in note
    assert (f"Its last words: {LAST_WORDS}" in note) == (deed is abort)


def test_a_run_whose_workers_die_twice_in_one_epoch_has_failed_and_the_sweep_goes_on(
    store, tmp_path, listener
):
    engine = Engine(folder=tmp_path, deeds={(0.1, 2): kill})
    result = train(store, RATES, 3, engine, listener=listener)
    assert not result.complete
    assert [result.fates[key(rate)] for rate in RATES] == [Fate.FAILED, *[Fate.TRAINED] * 3]
    assert "signal 9 (SIGKILL)" in result.failure and "2 times in epoch 2" in result.failure
    run = store.run(key(0.1))
    assert (run.state, run.epochs) == (RunState.FAILED, 1)
    assert "signal 9 (SIGKILL)" in run.attempts[-1].note and "memory" in run.attempts[-1].note
    check_runs(store, RATES[1:], 3)
    assert len([epoch for epoch in engine.begun if epoch[:2] == (0.1, 2)]) == 2
    # Typed again, it is tried again.
    assert train(store, RATES, 3, Engine(folder=tmp_path)).complete
    check_runs(store, RATES, 3)


def test_deaths_in_different_epochs_are_no_failure(store, tmp_path):
    deeds = {(0.1, epoch): kill for epoch in (1, 2, 3)}
    assert train(store, RATES[:2], 3, Engine(folder=tmp_path, deeds=deeds, most=1)).complete
    check_runs(store, RATES[:2], 3)


def test_workers_that_die_while_they_load_end_a_command_of_one_job(store, tmp_path, listener):
    engine = Engine(folder=tmp_path, deeds={"loading": abort})
    with pytest.raises(RunFailedError, match=r"signal 6 \(SIGABRT\).*again.*Check failed"):
        train(store, RATES, 3, engine, jobs=1, listener=listener)
    assert "another one takes its place" in listener.notes[0]
    assert store.runs() == []


def test_a_worker_that_cannot_be_replaced_ends_the_command_with_that_error(store, tmp_path):
    workers = Workers(Engine(folder=tmp_path, deeds={(0.1, 2): kill}))

    def start(deliver):
        if len(workers.pids) == 2:
            raise RunFailedError("A worker cannot be started: it is full.", "Make room.")
        return workers(deliver)

    with Pool(start) as pool, pytest.raises(RunFailedError, match="it is full"):
        Runner(store, make_plan(store, RATES, 9), pool, Listener(), jobs=2).run(Stop())
    assert workers.are_gone
    assert RunState.RUNNING not in {run.state for run in store.runs()}


def test_the_jobs_that_can_be_had_go_on_without_one_whose_workers_die(store, tmp_path, listener):
    engine = Engine(folder=tmp_path, deeds={"loading": kill}, most=3)  # the third one is the second of a job
    assert train(store, RATES, 3, engine, listener=listener).complete
    check_runs(store, RATES, 3)
    assert len([note for note in listener.notes if "another one takes its place" in note]) == 2
    assert any("goes on with fewer jobs" in note for note in listener.notes)


def test_a_worker_that_dies_when_its_run_is_complete_loses_nothing(store, tmp_path):
    engine = Engine(folder=tmp_path, deeds={(0.1, "end"): kill})
    result = train(store, RATES[:3], 2, engine)
    assert result.complete
    assert set(result.fates.values()) == {Fate.TRAINED}
    check_runs(store, RATES[:3], 2)
    (attempt,) = store.run(key(0.1)).attempts
    assert (attempt.outcome, attempt.note) == (RunState.COMPLETED, None)


def test_data_that_cannot_be_read_are_an_error_at_once(store, tmp_path):
    engine = Engine(folder=tmp_path, deeds={"loading": refuse})
    with pytest.raises(LenetError, match="damaged") as error:
        train(store, RATES, 3, engine)
    assert error.value.exit_code == 5


# Stops


class Stopping(Listener):
    """Requests a stop at the first event of a kind."""

    def __init__(self, stop, kind):
        super().__init__()
        self.stop, self.kind = stop, kind

    def __call__(self, event):
        super().__call__(event)
        if isinstance(event, self.kind):
            self.stop.request(2)


@pytest.mark.parametrize("kind", [Began, Stored, Ended])
def test_a_stop_keeps_every_finished_epoch_and_ends_the_workers(store, tmp_path, kind):
    stop = Stop()
    listener = Stopping(stop, kind)
    result = train(store, RATES, 9, Engine(folder=tmp_path, pause=0.02), stop=stop, listener=listener)
    assert not result.complete
    assert Fate.LEFT in result.fates.values()
    stored = {(event.key, event.point.epoch) for event in listener.events if isinstance(event, Stored)}
    held = {(run.key, point.epoch) for run in store.runs() for point in run.curve}
    assert stored <= held
    assert {run.state for run in store.runs()} <= {RunState.INTERRUPTED, RunState.COMPLETED}
    assert train(store, RATES, 9, Engine(folder=tmp_path)).complete
    check_runs(store, RATES, 9)


def test_a_stop_is_heard_while_workers_report_as_fast_as_it_is_recorded(store, tmp_path):
    stop, engine = Stop(), Engine(folder=tmp_path)
    result = train(store, RATES, 250, engine, jobs=4, stop=stop, listener=Stopping(stop, Stored))
    assert set(result.fates.values()) == {Fate.LEFT}
    assert all(run.state is RunState.INTERRUPTED for run in store.runs())


def test_a_run_whose_last_epoch_is_stored_when_a_stop_comes_counts_as_trained(store, tmp_path):
    stop = Stop()

    class AtTheEnd(Listener):
        def __call__(self, event):
            super().__call__(event)
            if isinstance(event, Stored) and event.point.epoch == 2:
                stop.request(2)

    listener = AtTheEnd()
    engine = Engine(folder=tmp_path, deeds={(0.1, "end"): hang})
    result = train(store, RATES[:1], 2, engine, jobs=1, stop=stop, listener=listener)
    assert result.complete
    assert set(result.fates.values()) == {Fate.TRAINED}
    assert listener.events[-1] == Ended(key(0.1), RunState.COMPLETED, Fate.TRAINED)
    check_runs(store, RATES[:1], 2)


class LateStop(Stop):
    """A stop that is requested once an epoch is stored, in the moment in which all workers die."""

    def __init__(self, workers, listener):
        super().__init__()
        self.workers, self.listener = workers, listener

    def __call__(self):
        if self.signal is None and any(isinstance(event, Stored) for event in self.listener.events):
            for pid in self.workers.pids:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.3)  # until the deaths are known
            self.request(signal.SIGINT)
        return super().__call__()


@pytest.mark.parametrize("rates", [RATES[:2], RATES])
def test_deaths_in_the_moment_of_a_stop_replace_nobody(store, tmp_path, listener, rates):
    workers = Workers(Engine(folder=tmp_path, pause=0.05))
    with Pool(workers) as pool:
        # Of more jobs than runs can be had at once, some are loading.
        runner = Runner(store, make_plan(store, rates, 9), pool, listener, jobs=4)
        result = runner.run(LateStop(workers, listener))
    assert Fate.LEFT in result.fates.values()
    assert listener.notes == []
    assert {run.state for run in store.runs()} == {RunState.INTERRUPTED}


# Time and times


def plan_filters(store, filters, epochs, *, measures_alone=True):
    plan = make_plan(store, [0.1], epochs)
    cells = tuple(replace(plan.sweep.cells[0], config=replace(BASE, filters=count)) for count in filters)
    sweep = replace(plan.sweep, axes=(Axis("filters", tuple(filters)),), cells=cells)
    return replace(plan, sweep=refresh(store, sweep), measures_alone=measures_alone)


def test_what_would_not_end_in_time_is_left_and_what_does_is_trained(store, tmp_path):
    def estimate(config):
        return 100.0 if config.filters == 64 else 1.0

    plan = plan_filters(store, [64, 4, 8], 2, measures_alone=False)
    engine = Engine(folder=tmp_path)
    result = carry_out(plan, store, engine, limit=TimeLimit(lambda: 10.0, estimate))
    assert result.is_out_of_time
    assert [result.fates[cell.config.key] for cell in plan.sweep.cells] == [
        Fate.LEFT,
        Fate.TRAINED,
        Fate.TRAINED,
    ]
    assert len(engine.begun) == 4


def test_when_the_time_is_over_what_is_finished_is_kept(store, tmp_path):
    """By a clock that each stored epoch moves: the fourth one is the last, but for those in hand."""
    left = [10.0]

    class Clock(Listener):
        def __call__(self, event):
            if isinstance(event, Stored):
                left[0] -= 3.0

    limit = TimeLimit(lambda: left[0])
    engine = Engine(folder=tmp_path, pause=0.02)
    result = train(store, RATES, 9, engine, limit=limit, listener=Clock())
    assert result.is_out_of_time and not result.complete
    assert 4 <= len([point for run in store.runs() for point in run.curve]) <= len(engine.begun) <= 6
    assert {run.state for run in store.runs()} == {RunState.INTERRUPTED}
    assert train(store, RATES, 9, Engine(folder=tmp_path)).complete
    check_runs(store, RATES, 9)


def measured(store):
    """For each run, beside how many its counting times were taken."""
    return [[timing.beside for _, timing in run.measurement] for run in store.runs(sort="filters")]


def test_runs_that_were_timed_beside_others_are_measured_again_alone(store, tmp_path, listener):
    engine = Engine(folder=tmp_path, deeds={1: Meeting(tmp_path, 2)})
    result = carry_out(plan_filters(store, [4, 8, 16], 3), store, engine, listener=listener)
    assert result.complete
    assert set(result.fates.values()) == {Fate.TRAINED}
    assert measured(store) == [[0, 0, 0]] * 3
    assert any(timing.beside for run in store.runs() for a in run.attempts for timing in a.timings)
    assert any("taken again, alone" in note for note in listener.notes)


def test_without_that_they_stay_marked(store, tmp_path):
    engine = Engine(folder=tmp_path, deeds={1: Meeting(tmp_path, 2)})
    assert carry_out(plan_filters(store, [4, 8], 3, measures_alone=False), store, engine).complete
    assert any(any(times) for times in measured(store))
    assert not any(attempt.remeasure for run in store.runs() for attempt in run.attempts)


class StopsTheMeasurement(Listener):
    """Requests a stop when two epochs of a run are measured again."""

    def __init__(self, stop):
        super().__init__()
        self.stop = stop

    def __call__(self, event):
        super().__call__(event)
        again = any("taken again" in note for note in self.notes)
        if again and isinstance(event, Stored) and event.point.epoch == 2:
            self.stop.request(2)


@pytest.mark.parametrize("more", [[], [32, 64]])
def test_a_measurement_that_was_stopped_goes_on_with_what_was_trained_since(store, tmp_path, more):
    stop, filters = Stop(), [4, 8, 16]
    engine = Engine(folder=tmp_path, deeds={1: Meeting(tmp_path, 2)})
    plan = plan_filters(store, filters, 3)
    assert not carry_out(plan, store, engine, stop=stop, listener=StopsTheMeasurement(stop)).complete
    assert all(run.state is RunState.COMPLETED for run in store.runs())
    assert carry_out(plan_filters(store, filters + more, 3), store, engine).complete
    assert measured(store) == [[0, 0, 0]] * len(filters + more)
    again = [t.epoch for r in store.runs() for a in r.attempts if a.remeasure for t in a.timings]
    assert len(again) <= 3 * len(filters + more)  # none twice
