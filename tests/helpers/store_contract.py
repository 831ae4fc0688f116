"""What the rest of the program relies on in a store: tests for every database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from helpers.fake_training import (
    DEVICE,
    LABELS,
    FakeSource,
    FakeTrainer,
    accuracy_of,
    bits_after,
    carry_out,
    curve_of,
    predictions_of,
)
from helpers.made_up import BASE

from lenetcli.errors import LostClaimError, NotFoundError, StoreError, UsageError
from lenetcli.experiment.checkpoint import Checkpoint
from lenetcli.experiment.config import DeviceKind
from lenetcli.experiment.run import CurvePoint, RunState, Timing, Trained
from lenetcli.machine import system
from lenetcli.machine.process import this_process
from lenetcli.store import claims, queries, rows
from lenetcli.store.claims import Claim, Done
from lenetcli.store.holders import Busy
from lenetcli.store.store import SORT_FIELDS, Store
from lenetcli.training.workers.description import describe_worker


def take(store, config=BASE, epochs=3):
    return store.claim(config, describe_worker(DEVICE, 1), epochs, dataset_name="fake")


def checkpoint_after(epoch):
    bits = bits_after(BASE, epoch)
    return Checkpoint(epoch, bits.hex(), bits)


def record(claim, epoch, checkpoint=None, started_at=None):
    bits = bits_after(BASE, epoch)
    point = CurvePoint(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=accuracy_of(bits))
    trained = Trained(
        point=point,
        timing=Timing(
            epoch=epoch,
            train_seconds=1.0,
            eval_seconds=0.1,
            started_at=started_at or datetime.now(UTC),
            ended_at=datetime.now(UTC),
        ),
        checkpoint=checkpoint or checkpoint_after(epoch),
        predictions=predictions_of(bits),
    )
    claim.record(trained)


class StoreContract:
    """A subclass provides the fixture ``address`` and the methods ``execute`` and ``kill``."""

    @pytest.fixture
    def address(self):
        """The address of a store that is not there yet."""
        raise NotImplementedError

    def execute(self, store, statement):
        """Execute an SQL statement behind the back of a store."""
        raise NotImplementedError

    def kill(self, store):
        """Let the processes that work on a store's runs be gone."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, address):
        store = Store.open(address, write=True)
        store.add_dataset(BASE.data, FakeSource.counts, LABELS)
        return store

    def test_a_claim_is_given_once(self, store):
        assert isinstance(take(store), Claim)
        answer = take(store)
        assert isinstance(answer, Busy) and answer.host == system.host_name()
        assert store.run(BASE.key).state is RunState.RUNNING

    def test_who_records_is_told_from_who_computes(self, store):
        worker = replace(describe_worker(DEVICE, 1), host="elsewhere", process="another", fingerprint="other")
        assert isinstance(store.claim(BASE, worker, 3, dataset_name="fake"), Claim)
        (attempt,) = store.run(BASE.key).attempts
        assert attempt.host == "elsewhere"
        answer = take(store)
        assert isinstance(answer, Busy) and answer.host == system.host_name()  # alive is who records

    def test_a_run_that_is_measured_again_stays_free(self, store):
        carry_out(store, [BASE.lr], 2)
        before = store.run(BASE.key)
        worker = describe_worker(DEVICE, 1)
        assert isinstance(store.claim(BASE, worker, 2, dataset_name="fake", remeasure=True), Done)
        assert store.begin_measurements([BASE.key], 2, worker.host) == {BASE.key}
        claim = store.claim(BASE, worker, 2, dataset_name="fake", remeasure=True)
        assert (claim.remeasure, claim.epochs, claim.checkpoint) == (True, 0, None)
        assert isinstance(take(store, epochs=3), Claim)
        record(claim, 1)
        assert claim.difference == "the bits of epoch 1 are not the stored ones"
        claim.end(RunState.INTERRUPTED)
        run = store.run(BASE.key)
        assert (run.state, run.curve) == (RunState.RUNNING, before.curve)
        assert [attempt.outcome for attempt in run.attempts] == [
            RunState.COMPLETED,
            RunState.INTERRUPTED,
            None,
        ]
        assert (
            store.claim(BASE, worker, 4, dataset_name="fake", remeasure=True).number == 3
        )  # of who holds it

    def test_a_dead_holder_is_seen_as_interrupted_and_taken_over(self, store):
        first = take(store)
        record(first, 1)
        self.kill(store)
        assert store.run(BASE.key).state is RunState.INTERRUPTED
        assert [run.key for run in store.runs(state=RunState.RUNNING)] == []
        assert [run.key for run in store.runs(state=RunState.INTERRUPTED)] == [BASE.key]
        second = take(store)
        assert (second.number, second.epochs, second.checkpoint) == (2, 1, checkpoint_after(1))
        for work in (
            lambda: record(first, 2),
            lambda: first.end(RunState.INTERRUPTED),
            lambda: first.test(0.5),
        ):
            with pytest.raises(LostClaimError):
                work()
        run = store.run(BASE.key)
        assert (run.state, run.epochs) == (RunState.RUNNING, 1)
        assert [attempt.outcome for attempt in run.attempts] == [RunState.INTERRUPTED, None]

    def test_of_two_copies_of_a_claim_one_stores_each_epoch(self, store):
        """As in two copies of a virtual machine that was training; the other one finds out by itself."""
        claim = take(store)
        record(claim, 1)
        copy = replace(claim)
        record(copy, 2)
        with pytest.raises(LostClaimError):
            record(claim, 2)
        record(copy, 3)
        assert store.run(BASE.key).state is RunState.COMPLETED

    def test_a_dead_extension_leaves_the_run_completed(self, store):
        carry_out(store, [BASE.lr], 1)
        take(store, epochs=5)
        self.kill(store)
        run = store.run(BASE.key)
        assert (run.state, run.target_epochs, run.epochs) == (RunState.COMPLETED, 5, 1)

    def test_what_is_done_is_not_given(self, store):
        carry_out(store, [BASE.lr], 3)
        assert isinstance(take(store, epochs=3), Done)
        assert isinstance(take(store, epochs=2), Done)
        assert isinstance(take(store, epochs=4), Claim)

    def test_a_curve_without_its_weights_is_trained_again(self, store):
        carry_out(store, [BASE.lr], 2)
        self.execute(store, "DELETE FROM weights")
        claim = take(store, epochs=3)
        assert (claim.epochs, claim.checkpoint) == (0, None)
        record(claim, 1)
        claim.end(RunState.INTERRUPTED)
        assert store.run(BASE.key).state is RunState.INTERRUPTED
        assert isinstance(take(store, epochs=2), Claim)  # done once, and not any more
        self.kill(store)
        trainer = FakeTrainer()
        carry_out(store, [BASE.lr], 3, trainer)
        assert [epoch for _, epoch in trainer.trained] == [2, 3]

    def test_an_epoch_is_stored_whole_or_not_at_all(self, store):
        claim = take(store)
        record(claim, 1)
        with pytest.raises(StoreError):
            record(claim, 1, checkpoint_after(2))  # the epoch is there
        assert store.checkpoint(BASE.key) == checkpoint_after(1)
        assert len(store.run(BASE.key).attempts[0].timings) == 1

    def test_a_timing_counts_the_runs_that_were_trained_beside(self, store):
        before, *others = (take(store, replace(BASE, seed=seed)) for seed in (1, 2, 3))
        claim = take(store, epochs=5)
        before.end(RunState.INTERRUPTED)
        claim.record_setup(0.1, 0.2)
        begin = datetime.now(UTC)
        others[0].end(RunState.INTERRUPTED)
        record(claim, 1, started_at=begin)
        others[1].end(RunState.INTERRUPTED)  # in the second epoch
        record(claim, 2)
        record(claim, 3)
        take(store, replace(BASE, seed=4)).end(RunState.INTERRUPTED)  # comes and goes in the fourth
        record(claim, 4)
        timings = store.run(BASE.key).attempts[0].timings
        assert [timing.beside for timing in timings] == [2, 1, 0, 1]
        assert [timing.contended for timing in timings] == [True, True, False, True]
        first, second, *_ = timings
        assert begin == first.started_at < first.ended_at <= second.started_at

    @pytest.mark.parametrize("hours", [-1, 1])
    def test_a_clock_that_is_set_changes_neither_order_nor_who_was_beside(self, store, monkeypatch, hours):
        class WrongClock(datetime):
            @classmethod
            def now(cls, zone=None):
                return datetime.now(zone) + timedelta(hours=hours)

        with monkeypatch.context() as patch:
            for module in (claims, rows):
                patch.setattr(module, "datetime", WrongClock)
            carry_out(store, [0.1], 2)
            beside = take(store, replace(BASE, seed=1))
        claim = take(store, replace(BASE, seed=2))
        record(claim, 1)
        beside.end(RunState.INTERRUPTED)
        record(claim, 2)
        record(claim, 3)
        newest, *others = store.runs()
        assert [timing.beside for timing in newest.attempts[0].timings] == [1, 1, 0]
        assert [run.config.seed for run in (newest, *others)] == [2, 1, 0]

    def test_machines_are_told_apart_by_their_boot_and_not_by_their_name(self, store):
        worker = describe_worker(DEVICE, 1)
        clone = replace(worker, process=replace(this_process(), boot_id="another").to_json())
        elsewhere = store.claim(replace(BASE, seed=1), clone, 3, dataset_name="fake")
        claim = take(store)
        record(claim, 1)
        elsewhere.end(RunState.INTERRUPTED)
        record(claim, 2)
        assert [timing.beside for timing in store.run(BASE.key).attempts[0].timings] == [0, 0]

    def test_an_attempt_in_another_container_is_known_by_its_heartbeat(self, store, monkeypatch):
        with monkeypatch.context() as patch:
            contained = replace(this_process(), pid_namespace="another")
            patch.setattr(rows, "this_process", lambda: contained)
            other = take(store, replace(BASE, seed=1))
        claim = take(store, epochs=5)
        record(claim, 1)
        other.beat()
        record(claim, 2)
        record(claim, 3)
        other.end(RunState.INTERRUPTED)
        record(claim, 4)
        record(claim, 5)
        beside = [timing.beside for timing in store.run(BASE.key).attempts[0].timings]
        assert beside == [0, 1, 0, 1, 0]

    def test_a_heartbeat_tells_when_it_beat(self, store):
        claim = take(store)
        (attempt,) = store.run(BASE.key).attempts
        assert attempt.seen_at is None
        claim.beat()
        (attempt,) = store.run(BASE.key).attempts
        assert attempt.started_at < attempt.seen_at <= datetime.now(UTC)
        assert take(store).heartbeat == 1

    def test_ids_are_unique_prefixes(self, store):
        carry_out(store, [0.1, 0.01, 0.001], 1)
        for run in store.runs():
            assert (
                store.run(run.short_id).key
                == store.run(run.id.upper()).key
                == store.run(run.key).key
                == run.key
            )
        for prefix in ("", "xyz", "'; DROP TABLE runs", "0" * 64):
            with pytest.raises(NotFoundError):
                store.run(prefix)
        with pytest.raises(NotFoundError, match="More than one"):
            carry_out(store, [n / 100 for n in range(1, 20)], 1)
            for digit in "0123456789abcdef":
                if sum(run.id.startswith(digit) for run in store.runs()) > 1:
                    store.run(digit)

    def test_a_sweep_sees_its_runs_cut_to_its_epochs(self, store):
        carry_out(store, [0.1, 0.01], 2)
        carry_out(store, [0.1], 5, single=True)
        run = store.sweeps()[0].cells[0].run
        assert (run.epochs, run.state, run.target_epochs, len(run.attempts[0].timings)) == (
            2,
            RunState.COMPLETED,
            2,
            2,
        )
        assert run.test_accuracy == curve_of(replace(BASE, lr=0.1), 2)[-1].test_accuracy
        assert store.run(run.key).epochs == 5

    def test_the_newest_request_comes_first(self, store):
        carry_out(store, [0.1], 1)
        carry_out(store, [0.01], 1)
        carry_out(store, [0.1], 1)
        sweeps = store.sweeps()
        assert [sweep.values for sweep in sweeps] == [(0.1,), (0.01,)]
        assert store.sweep(sweeps[1].id[:8]).values == (0.01,)

    def test_a_sweep_remembers_the_newest_words_that_asked_for_it(self, store):
        carry_out(store, [0.1], 1)
        (sweep,) = store.sweeps()
        moved = replace(sweep, request=replace(sweep.request, data="another/place"))
        store.request_sweep(moved)
        assert [found.request.data for found in store.sweeps()] == ["another/place"]
        assert store.find_request(moved.request, sweep.axes).id == sweep.id
        assert store.find_request(sweep.request, sweep.axes) is None

    def test_runs_are_sorted_filtered_and_limited(self, store):
        carry_out(store, [0.1, 0.01, 0.001], 2)
        assert [run.config.lr for run in store.runs(sort="lr")] == [0.001, 0.01, 0.1]
        best = [run.best_val_accuracy for run in store.runs(sort="best_val_accuracy")]
        assert best == sorted(best, reverse=True)
        for field in SORT_FIELDS:
            assert len(store.runs(sort=field, limit=2)) == 2
        with pytest.raises(UsageError):
            store.runs(sort="lr; DROP TABLE runs")
        assert len(store.runs(device=DeviceKind.CPU)) == 3 and store.runs(device=DeviceKind.GPU) == []

    @pytest.mark.parametrize("sort", SORT_FIELDS)
    def test_a_stream_has_the_runs_of_a_list_and_locks_nothing(self, store, monkeypatch, sort):
        for seed, epochs in enumerate((2, 1, 3, 2, 1)):
            carry_out(store, [0.1 / (seed + 1)], epochs)
        everything = store.runs(sort=sort)
        monkeypatch.setattr(queries, "MAX_ROWS", 2)
        assert store.runs(sort=sort) == everything
        stream = store.stream_runs(sort=sort)
        first = next(stream)
        carry_out(store, [0.7], 1)  # while the reader of the stream takes its time
        last = everything[-1].key
        self.execute(store, f"DELETE FROM runs WHERE key = '{last}'")  # noqa: S608
        assert [first, *stream] == everything[:-1]

    def test_runs_are_counted_as_they_are_listed(self, store):
        carry_out(store, [0.1, 0.01], 2)
        record(take(store, replace(BASE, seed=7)), 1)
        take(store, replace(BASE, seed=8))
        (sweep,) = store.sweeps()
        for kill in (False, True):
            if kill:
                self.kill(store)
            assert store.count() == 4
            for state in RunState:
                assert store.count(state=state) == len(store.runs(state=state))
                assert store.count(state=state, device=DeviceKind.GPU) == 0
                assert store.count(state=state, sweep=sweep.id) == (2 if state is RunState.COMPLETED else 0)

    def test_predictions_and_labels_are_bytes(self, store):
        carry_out(store, [0.1], 1)
        key = replace(BASE, lr=0.1).key
        assert store.predictions(key, 1) == predictions_of(bits_after(replace(BASE, lr=0.1), 1))
        assert store.predictions(key, 2) is None
        assert store.validation_labels(BASE.data) == LABELS
        assert store.validation_labels("x") is None
