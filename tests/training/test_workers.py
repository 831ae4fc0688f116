"""The places where a worker lives, under one contract, and what each does when it ends."""

import gc
import os
import signal
import threading
import time
import warnings
from functools import partial

import psutil
import pytest
from helpers.fake_training import DEVICE, FakeSource
from helpers.fault_engines import LAST_WORDS, SLOW, Engine, abort, fail, kill, leave, refuse
from helpers.made_up import BASE, make_config
from helpers.small_data import load
from helpers.worker_contract import PATIENCE, Driver, FakeTrainerContract, WorkerContract, epochs_of, kinds

from lenetcli.errors import DataError, RunFailedError, StoreError
from lenetcli.experiment.run import RunState, Trained
from lenetcli.machine.devices import choose_device
from lenetcli.training.events import Loading
from lenetcli.training.pool import Pool, start_process
from lenetcli.training.workers.messages import Failed, Finished, Gone, GoOn, Prepared, Ready, Setup, Task
from lenetcli.training.workers.process import WorkerProcess
from lenetcli.training.workers.thread import WorkerThread

PLACES = [WorkerThread, WorkerProcess]


class TestWorkerThread(FakeTrainerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def start(cls, tmp_path_factory):
        return partial(WorkerThread, Engine(folder=tmp_path_factory.mktemp("thread")))


class TestWorkerProcess(FakeTrainerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def start(cls, tmp_path_factory):
        return partial(WorkerProcess, Engine(folder=tmp_path_factory.mktemp("process")))

    def test_it_is_another_process_that_gives_way_to_those_in_use(self, driver):
        process = psutil.Process(driver.handle.pid)
        assert process.ppid() == os.getpid()
        assert process.nice() > psutil.Process().nice()

    def test_it_does_not_hear_the_terminal(self, driver):
        assert os.getpgid(driver.handle.pid) != os.getpgid(0)
        assert os.getsid(driver.handle.pid) != os.getsid(0)


class TestTensorFlow(WorkerContract):
    """The worker of the product with real data, in a process of its own."""

    @pytest.fixture(scope="class")
    @classmethod
    def start(cls):
        return start_process

    @pytest.fixture(scope="class")
    @classmethod
    def digits(cls, tmp_path_factory):
        return load(tmp_path_factory.mktemp("digits"))

    @pytest.fixture(scope="class")
    @classmethod
    def source(cls, digits):
        return digits[0]

    @pytest.fixture(scope="class")
    @classmethod
    def device(cls):
        return choose_device("cpu")

    @pytest.fixture
    def config(self):
        return make_config(filters=4)

    @pytest.fixture
    def slow(self):
        return make_config(filters=64, kernel_size=9, hidden_units=1024, batch_size=1)

    @pytest.fixture
    def diverging(self):
        return make_config(filters=4, lr=1e8)

    @pytest.fixture
    def trainer(self, engine, digits, device, monkeypatch):
        monkeypatch.setattr(engine.network, "WARMUP_SECONDS", 0.0)
        return engine.loop.Trainer(digits[1], device, 2)

    def test_damaged_weights_are_the_error_that_the_store_would_raise(self, driver, config):
        (first,) = epochs_of(driver.carry_out(config, range(1, 2)))
        damaged = first.checkpoint._replace(tensors=first.checkpoint.tensors[:-1] + b"!")
        failed = driver.carry_out(config, range(2, 3), damaged)[-1]
        assert isinstance(failed, Failed)
        assert isinstance(failed.error, StoreError)
        assert failed.note == f"StoreError: {failed.error}"
        assert driver.carry_out(config, range(2, 3), first.checkpoint)[-1].outcome is RunState.COMPLETED


def begin(place, tmp_path, **deeds):
    """A worker in a place, with an engine that does something."""
    return Driver(partial(place, Engine(folder=tmp_path, **deeds)))


@pytest.fixture(params=PLACES)
def place(request):
    return request.param


def test_an_exception_ends_the_task_with_a_note_and_the_worker_goes_on(place, tmp_path):
    driver = begin(place, tmp_path, deeds={(0.1, 2): fail}, most=1)
    driver.set_up(FakeSource(), DEVICE)
    reports = driver.carry_out(BASE, range(1, 4))
    assert kinds(reports) == [Prepared, Trained, Failed]
    assert reports[-1] == Failed("RuntimeError: the fake device is on fire")
    assert driver.carry_out(BASE, range(2, 4), epochs_of(reports)[0].checkpoint)[-1] == Finished(
        RunState.COMPLETED
    )
    driver.handle.kill()


def test_an_error_of_this_program_comes_through_with_its_class_and_its_words(place, tmp_path):
    driver = begin(place, tmp_path, deeds={(0.1, 1): refuse})
    driver.set_up(FakeSource(), DEVICE)
    error = driver.carry_out(BASE, range(1, 4))[-1].error
    assert type(error) is DataError
    assert error.problem == "The fake data are damaged."
    assert (error.command, error.exit_code) == ("lenetcli data", 5)
    assert str(error) == "The fake data are damaged. Make them again with `lenetcli data`."
    driver.handle.kill()


def test_what_fails_while_it_loads_is_the_end_of_the_worker(place, tmp_path):
    for deed, error in ((fail, type(None)), (refuse, DataError)):
        driver = begin(place, tmp_path, deeds={"loading": deed})
        failed = driver.collect(Failed)[-1]
        assert type(failed.error) is error
        driver.handle.kill()


@pytest.mark.parametrize("rate", [0.1, SLOW])
def test_a_worker_that_is_killed_reports_nothing_more(place, tmp_path, rate):
    driver = begin(place, tmp_path)
    driver.set_up(FakeSource(), DEVICE)
    driver.order(make_config(lr=rate), range(1, 100))
    driver.collect(Prepared if rate == SLOW else Trained)  # inside an epoch, or between two
    driver.handle.kill()
    while not driver.reports.empty():
        assert not isinstance(driver.next(), Gone | Trained)
    driver.handle.send(GoOn())  # lost
    assert driver.is_silent()
    if place is WorkerProcess:
        assert not psutil.pid_exists(driver.handle.pid)


def test_what_is_being_delivered_when_a_worker_is_killed_is_delivered_by_then(tmp_path):
    """A finished epoch is kept, although nobody has looked at it yet."""
    delivered, begun = [], threading.Event()

    def deliver(_handle, report):
        if isinstance(report, Trained):
            begun.set()
            time.sleep(0.5)
        delivered.append(report)

    worker = WorkerProcess(Engine(folder=tmp_path), deliver)
    worker.send(Setup(FakeSource(), DEVICE, 1))
    worker.send(Task(number=1, config=BASE, checkpoint=None, epochs=range(1, 4)))
    worker.send(GoOn())
    assert begun.wait(PATIENCE)
    worker.kill()
    assert isinstance(delivered[-1], Trained)


def test_a_thread_that_is_killed_while_it_waits_is_gone(tmp_path):
    before = threading.active_count()
    for number in range(1, 4):
        driver = begin(WorkerThread, tmp_path)
        driver.set_up(FakeSource(), DEVICE)
        driver.order(BASE, range(1, 4))
        driver.collect(Trained)
        driver.handle.kill()
        assert threading.active_count() == before, number


DEATHS = {
    kill: (-signal.SIGKILL, ""),
    abort: (-signal.SIGABRT, LAST_WORDS),
    leave: (3, "I leave."),
}


@pytest.mark.parametrize("deed", DEATHS)
@pytest.mark.parametrize("where", [(0.1, 2), "loading"])
def test_a_process_that_dies_is_told_of_with_its_code_and_last_words(tmp_path, deed, where):
    driver = begin(WorkerProcess, tmp_path, deeds={where: deed})
    driver.handle.send(Setup(FakeSource(), DEVICE, 1))
    driver.order(BASE, range(1, 4))
    *reports, gone = driver.collect(Gone)
    code, words = DEATHS[deed]
    assert gone.code == code
    assert words in gone.last_words if words else not gone.last_words
    assert kinds(reports) == (
        [Loading] if where == "loading" else [Loading, Loading, Ready, Prepared, Trained]
    )
    driver.order(BASE, range(1, 4))  # lost
    assert driver.is_silent()
    driver.handle.kill()


def test_a_process_that_cannot_be_started_is_one_error(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
        with pytest.raises(RunFailedError, match=r"No temporary file can be made: No such file.*Set TMPDIR"):
            begin(WorkerProcess, tmp_path)
    monkeypatch.setattr("sys.executable", str(tmp_path / "missing"))
    before = psutil.Process().num_fds()
    with pytest.raises(RunFailedError, match="A worker cannot be started: No such file"):
        WorkerProcess(Engine(folder=tmp_path), lambda *_: None)
    assert psutil.Process().num_fds() == before


def test_a_signal_does_not_prolong_the_wait_for_a_report():
    """Its handler outlasts the wait; should that hang, the second signal ends it."""
    calls = []

    def handle(*_):
        calls.append(time.monotonic())
        assert len(calls) == 1
        time.sleep(0.3)

    before = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05, PATIENCE)
        with Pool(lambda deliver: None) as pool:
            assert pool.receive(0.2) is None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(calls) == 1


def test_a_dead_process_leaves_no_open_pipes_and_no_order_that_somebody_complains_of(tmp_path, monkeypatch):
    complaints = []
    monkeypatch.setattr("sys.unraisablehook", complaints.append)
    before = psutil.Process().num_fds()
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        driver = begin(WorkerProcess, tmp_path, deeds={"loading": kill})
        driver.collect(Gone)
        driver.order(BASE, range(1, 4))
        driver.handle.kill()
        assert psutil.Process().num_fds() == before
        del driver
        gc.collect()
    assert complaints == []
