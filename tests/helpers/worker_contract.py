"""What a driver relies on in a worker, wherever that lives: tests for every place."""

import json
import os
from dataclasses import replace
from queue import Empty, SimpleQueue

import pytest
from helpers.fake_training import DEVICE, FakeSource, FakeTrainer
from helpers.fault_engines import DIVERGING, SLOW
from helpers.made_up import BASE, make_config

from lenetcli.experiment.run import RunState, Trained
from lenetcli.training.events import Loading, Progressed
from lenetcli.training.workers.messages import (
    Cancel,
    Dataset,
    Failed,
    Finished,
    Gone,
    GoOn,
    Prepared,
    Ready,
    Setup,
    Task,
    Tested,
)

PATIENCE = 120
"""Seconds for what takes a few."""


class Driver:
    """A worker, and what it reports."""

    def __init__(self, start):
        self.reports = SimpleQueue()
        self.handle = start(lambda handle, report: self.reports.put((handle, report)))
        self._tasks = 0

    def next(self):
        handle, report = self.reports.get(timeout=PATIENCE)
        assert handle is self.handle
        return report

    def is_silent(self, seconds=0.3):
        try:
            self.reports.get(timeout=seconds)
        except Empty:
            return True
        return False

    def set_up(self, source, device, threads=2):
        """The reports until the worker is ready, or is not."""
        self.handle.send(Setup(source, device, threads))
        return self.collect(Ready, Failed, Gone)

    def order(self, config, epochs, checkpoint=None):
        """Order a task; returns its number."""
        self._tasks += 1
        self.handle.send(Task(number=self._tasks, config=config, checkpoint=checkpoint, epochs=epochs))
        return self._tasks

    def collect(self, *last):
        """The reports up to one of these kinds; the worker may begin, and go on after each epoch."""
        reports = []
        while not reports or not isinstance(reports[-1], last):
            reports.append(self.next())
            is_last = isinstance(reports[-1], last)
            if isinstance(reports[-1], Prepared) or (isinstance(reports[-1], Trained) and not is_last):
                self.handle.send(GoOn())
        return reports

    def carry_out(self, config, epochs, checkpoint=None):
        """The reports on a task."""
        self.order(config, epochs, checkpoint)
        return self.collect(Finished, Failed, Gone)


def kinds(reports):
    """The kinds of reports in a row, without those on the progress."""
    return [type(report) for report in reports if not isinstance(report, Progressed)]


def epochs_of(reports):
    return [report for report in reports if isinstance(report, Trained)]


class WorkerContract:
    """A subclass provides the fixtures below; all tests have one worker, one after the other.

    ``hurries`` is whether the worker tells of the progress of the shortest epoch.
    """

    hurries = True

    @pytest.fixture(scope="class")
    @classmethod
    def start(cls):
        """Starts a worker."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def source(cls):
        """The source of its data."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def device(cls):
        raise NotImplementedError

    @pytest.fixture
    def config(self):
        """A configuration that it can train."""
        raise NotImplementedError

    @pytest.fixture
    def slow(self):
        """A configuration of which an epoch takes long, and can be stopped."""
        raise NotImplementedError

    @pytest.fixture
    def diverging(self):
        """A configuration that diverges within three epochs."""
        raise NotImplementedError

    @pytest.fixture
    def trainer(self):
        """The same trainer in this process."""
        raise NotImplementedError

    def is_at_home(self, handle, pid):
        """Whether a process is the one in which the worker of a handle lives."""
        return pid == getattr(handle, "pid", os.getpid())

    @pytest.fixture(scope="class")
    @classmethod
    def loaded(cls, start, source, device):
        """A worker that has loaded, and what it has reported: before it was set up, and then."""
        driver = Driver(start)
        first = driver.next()
        yield driver, first, driver.set_up(source, device)
        driver.handle.kill()

    @pytest.fixture
    def driver(self, loaded):
        return loaded[0]

    def test_it_loads_at_once_then_the_data_and_describes_itself(self, loaded, source, device):
        driver, first, (*loading, ready) = loaded
        assert isinstance(first, Loading)
        assert set(kinds(loading)) == {Loading}
        worker = ready.worker
        assert (worker.device_name, worker.threads) == (device.name, 2)
        assert worker.data_seconds >= 0 and worker.import_seconds >= 0
        assert self.is_at_home(driver.handle, json.loads(worker.process)["pid"])

    def test_it_tells_of_the_data_what_a_store_keeps(self, loaded, source):
        dataset = loaded[2][-1].dataset
        labels = source.load().validation.labels.tobytes()
        assert dataset == Dataset(source.sha256, labels, source.summary)

    def test_a_task_is_prepared_and_trained_epoch_by_epoch(self, driver, config):
        reports = driver.carry_out(config, range(1, 4))
        assert kinds(reports) == [Prepared, *[Trained] * 3, Finished]
        assert reports[-1].outcome is RunState.COMPLETED
        assert [trained.point.epoch for trained in epochs_of(reports)] == [1, 2, 3]
        progress = [report for report in reports if isinstance(report, Progressed)]
        told, epochs = {(one.key, one.epoch) for one in progress}, {(config.key, n) for n in (1, 2, 3)}
        assert told == epochs if self.hurries else told <= epochs

    def test_its_bits_are_those_of_a_trainer_in_this_process(self, driver, config, trainer):
        trainer.prepare(config)
        mine = list(trainer.train(config, None, range(1, 3), lambda progress: None, lambda: False))
        first, second = epochs_of(driver.carry_out(config, range(1, 3)))
        (rest,) = epochs_of(driver.carry_out(config, range(2, 3), first.checkpoint))
        assert [one.checkpoint for one in mine] == [first.checkpoint, second.checkpoint]
        assert [one.point for one in mine] == [first.point, second.point]
        assert (rest.checkpoint, rest.point, rest.predictions) == (
            second.checkpoint,
            second.point,
            second.predictions,
        )

    def test_it_waits_after_each_epoch_until_that_is_recorded(self, driver, config):
        number = driver.order(config, range(1, 4))
        driver.collect(Trained)
        assert driver.is_silent()
        driver.handle.send(Cancel(number))
        assert kinds(driver.collect(Finished)) == [Finished]

    def test_it_begins_when_its_preparation_is_recorded(self, driver, config):
        number = driver.order(config, range(1, 2))
        assert kinds([driver.next()]) == [Prepared]
        assert driver.is_silent()
        driver.handle.send(Cancel(number))
        assert kinds(driver.collect(Finished)) == [Finished]

    def test_a_task_that_is_cancelled_between_two_epochs_is_interrupted(self, driver, config):
        number = driver.order(config, range(1, 100))
        reports = driver.collect(Trained)
        driver.handle.send(Cancel(number))
        driver.handle.send(GoOn())
        (finished,) = driver.collect(Finished)
        assert len(epochs_of(reports)) == 1
        assert finished.outcome is RunState.INTERRUPTED

    def test_a_task_that_is_cancelled_inside_an_epoch_is_interrupted_there(self, driver, slow):
        number = driver.order(slow, range(1, 2))
        driver.collect(Prepared)
        driver.handle.send(Cancel(number))
        reports = driver.collect(Finished)
        assert epochs_of(reports) == []
        assert reports[-1].outcome is RunState.INTERRUPTED

    def test_a_task_may_be_cancelled_before_it_is_begun(self, driver, slow, config):
        for _ in range(3):
            driver.handle.send(Cancel(driver.order(slow, range(1, 2))))
            assert driver.collect(Finished)[-1].outcome is RunState.INTERRUPTED
        assert driver.carry_out(config, range(1, 2))[-1].outcome is RunState.COMPLETED

    def test_a_cancellation_that_comes_too_late_does_no_harm(self, driver, config):
        number = driver.order(config, range(1, 2))
        assert driver.collect(Finished)[-1].outcome is RunState.COMPLETED
        driver.handle.send(Cancel(number))
        driver.handle.send(GoOn())
        other = replace(config, seed=config.seed + 1)
        reports = driver.carry_out(other, range(1, 3))
        assert kinds(reports) == [Prepared, Trained, Trained, Finished]
        assert reports[-1].outcome is RunState.COMPLETED

    def test_a_task_without_epochs_measures_the_test_accuracy(self, driver, config):
        last = epochs_of(driver.carry_out(config, range(1, 3)))[-1]
        prepared, tested, finished = driver.carry_out(config, range(3, 3), last.checkpoint)
        assert isinstance(prepared, Prepared)
        assert tested == Tested(last.point.test_accuracy)
        assert finished.outcome is RunState.COMPLETED

    def test_divergence_is_the_end_of_a_task_and_not_of_the_worker(self, driver, diverging, config):
        assert driver.carry_out(diverging, range(1, 4))[-1].outcome is RunState.DIVERGED
        assert driver.carry_out(config, range(1, 2))[-1].outcome is RunState.COMPLETED


class FakeTrainerContract(WorkerContract):
    """The contract with a fake trainer."""

    @pytest.fixture(scope="class")
    @classmethod
    def source(cls):
        return FakeSource()

    @pytest.fixture(scope="class")
    @classmethod
    def device(cls):
        return DEVICE

    @pytest.fixture
    def config(self):
        return BASE

    @pytest.fixture
    def slow(self):
        return make_config(lr=SLOW)

    @pytest.fixture
    def diverging(self):
        return make_config(lr=DIVERGING)

    @pytest.fixture
    def trainer(self):
        return FakeTrainer()
