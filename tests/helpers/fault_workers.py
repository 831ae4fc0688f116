"""What the processes of the fault tests do; each runs in a process of its own (``start``)."""

import errno
import gc
import multiprocessing
import os
import signal
import sqlite3
import sys
import threading
import time
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path

import pytest
from helpers import failing_vfs
from helpers.fake_training import DEVICE, FakeSource, FakeTrainer, Listener, carry_out
from helpers.fault_checks import check_file, check_reported, check_whole
from sqlalchemy import Engine, event

from lenetcli.errors import LenetError, StoreError
from lenetcli.machine import process as process_table
from lenetcli.store import queries
from lenetcli.store.store import Store
from lenetcli.training import dispatcher, heartbeats
from lenetcli.training.events import Stored
from lenetcli.training.interrupts import Stop
from lenetcli.training.workers.description import describe_worker

LONG = os.environ.get("LENETCLI_LONG") == "1"
PATIENCE = 300
"""Seconds for what takes a few: machines differ by eight times and more."""

NOBODY = 2**31 - 1
"""A pid that no process has."""

# Forks of a process that has imported this module and done nothing since: no engine, no thread.
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
processes = multiprocessing.get_context(METHOD)


@cache
def begin_forkserver():
    """Once, and never when this module is imported: the server imports it too."""
    if METHOD == "spawn":
        return
    from multiprocessing import forkserver

    processes.set_forkserver_preload([__name__])
    with pytest.MonkeyPatch.context() as patch:  # Python 3.11 does not hand sys.path on to it
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        forkserver.ensure_running()


def start(work, *arguments):
    """A process that does ``work``; it leaves with 0 only if that returned."""
    begin_forkserver()
    process = processes.Process(target=work, args=arguments, daemon=True)
    process.start()
    return process


def finish(*started):
    """Wait for processes; their exit codes."""
    for process in started:
        process.join(PATIENCE)
    codes = [process.exitcode for process in started]
    for process in started:
        process.kill()
    return codes


@contextmanager
def time_limit():
    """A stop that is requested if the work in this context hangs, so that a test fails."""
    stop = Stop()
    timer = threading.Timer(PATIENCE, stop.request, [signal.SIGTERM])
    timer.start()
    try:
        yield stop
    finally:
        timer.cancel()


class Log(Listener):
    """Writes down which epoch was reported as finished, a line each, whole or not at all."""

    def __init__(self, path):
        super().__init__()
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def __call__(self, event):
        if isinstance(event, Stored):
            os.write(self._file, f"{event.key} {event.point.epoch}\n".encode())


def sweep(store, rates, epochs, log, pause=0.0, wait=True, remeasure=False):
    """A sweep with the fake trainer."""
    dispatcher.POLL_SECONDS = 0.1
    trainer = FakeTrainer(hook=lambda *_: time.sleep(pause))
    held = Store.open(str(store), write=True)
    result = carry_out(held, rates, epochs, trainer, listener=Log(log), wait=wait, remeasure=remeasure)
    if not result.complete:
        raise SystemExit(1)


def sweep_at_another_time(store, rates, epochs, log, hours, commit=0, wait=True):
    """The same by a clock that is wrong by so many hours; with ``commit`` killed before that one."""

    class WrongClock(datetime):
        @classmethod
        def now(cls, zone=None):
            return datetime.now(zone) + timedelta(hours=hours)

    for name, module in list(sys.modules.items()):
        if name.startswith("lenetcli") and getattr(module, "datetime", None) is datetime:
            module.datetime = WrongClock
    right = time.time
    time.time = lambda: right() + 3600 * hours
    if commit:
        die_at(commit)
    sweep(store, rates, epochs, log, wait=wait)


def sweep_beside_a_twin(store, rates, epochs, log, root=None):
    """A sweep of long epochs and short heartbeats; which ones it begins is in a log of its own.

    With ``root``, the folder of its system files, it runs on another machine or in another boot. Without, it
    sees no other process, as in a virtual machine that was copied while it ran.
    """
    if root is None:
        queries.is_alive = lambda identity: identity.pid == os.getpid()
    else:
        process_table.ROOT = root
    heartbeats.HEARTBEAT_SECONDS = 0.05
    begun = os.open(f"{log}.begun", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(config, epoch):
        os.write(begun, f"{config.key} {epoch}\n".encode())

    dispatcher.POLL_SECONDS = 0.1
    held = Store.open(str(store), write=True)
    if not carry_out(held, rates, epochs, FakeTrainer(note, pause=0.1), listener=Log(log)).complete:
        raise SystemExit(1)


def edit_identity(store, **fields):
    """Change what is known of the processes that work on a store's runs."""
    with closing(sqlite3.connect(store)) as connection, connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'attempts'").fetchone():
            return  # it was not made yet
        for name, value in fields.items():
            connection.execute(
                "UPDATE attempts SET identity = json_set(identity, ?, ?)", (f"$.{name}", value)
            )


def die_at(commit):
    """Be killed just before this process' Nth commit."""
    seen = []

    @event.listens_for(Engine, "commit")
    def count(_connection):
        seen.append(1)
        if len(seen) == commit:
            os.kill(os.getpid(), signal.SIGKILL)


def sweep_and_die(store, rates, epochs, log, commit, remeasure=False):
    """A sweep that is killed just before its Nth commit."""
    die_at(commit)
    sweep(store, rates, epochs, log, remeasure=remeasure)


def claim_and_work(store, config, claimed):
    """Claims a run and keeps the processor busy until it is killed."""
    worker = describe_worker(DEVICE, 1)
    Store.open(str(store), write=True).claim(config, worker, 3, dataset_name="fake")
    Path(claimed).touch()
    while True:
        pass


def create(store, barrier, rates):
    """Wait for the others, then create the store and use it."""
    barrier.wait(PATIENCE)
    sweep(store, rates, 1, f"{store}.log")


def claim_all(store, rates, log, stall):
    """Claim runs that cost nothing; with ``stall`` sit inside a write for so many seconds, once."""
    if stall:

        @event.listens_for(Engine, "commit", once=True)
        def sit(_connection):
            time.sleep(stall)

    sweep(store, rates, 1, log)


def hang(store, rate, epochs, started, heartbeat):
    """A sweep that sets ``started`` in epoch 2, where a test suspends it; exits with 0 if it is completed."""
    heartbeats.HEARTBEAT_SECONDS = heartbeat

    def hook(_config, epoch):
        if epoch == 2:
            started.set()
            time.sleep(0.5)

    result = carry_out(Store.open(str(store), write=True), [rate], epochs, FakeTrainer(hook=hook))
    raise SystemExit(0 if result.complete else 1)


def sweep_on_a_failing_disk(folder, rates, trouble, step):
    """Sweeps on a disk whose Nth operation fails, N from 1 on by ``step``, until one meets no trouble.

    After each failure the store is sound, and the same sweep completes it once the disk works again.
    """
    disk, fails_at = failing_vfs.install(), 1
    while True:
        store, log = folder / f"{fails_at}.db", folder / f"{fails_at}.log"
        disk.break_down(trouble, fails_at)
        try:
            sweep(store, rates, 2, log)
        except StoreError as error:
            assert disk.failed, error
        disk.mend()
        if store.exists() and store.stat().st_size:
            check_file(store)
            check_reported(store, log)
            edit_identity(store, pid=NOBODY)
        sweep(store, rates, 2, log)
        check_reported(store, log)
        check_whole(store, rates, 2)
        if not disk.failed:
            break
        fails_at += step
    assert fails_at > 5


def sweep_with_a_small_file(store, rates, log, limit):
    """A sweep in a process that may write no file beyond ``limit`` bytes: each write there fails."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        sweep(store, rates, 1, log)
    except StoreError as error:
        raise SystemExit(error.exit_code) from None


def run_without_descriptors(store, rates, epochs, log, spare):
    """A sweep in a process that may open ``spare`` more files."""
    import resource

    highest = max(int(entry.name) for entry in Path("/dev/fd").iterdir())
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (highest + 1 + spare, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    )
    try:
        sweep(store, rates, epochs, log)
    except LenetError as error:
        raise SystemExit(error.exit_code) from None
    except OSError as error:
        raise SystemExit(99 if error.errno == errno.EMFILE else 98) from None


def soak(store, count, warm_up, results):
    """Many runs in one process: descriptors, objects, blocks of Python's allocator, bytes; at two times."""
    import psutil

    me = psutil.Process()
    held = Store.open(str(store), write=True)
    seen = []
    for number in range(warm_up + count):
        carry_out(held, [0.001 + number / 1e6], 1, single=True)
        if number in (warm_up - 1, warm_up + count - 1):
            gc.collect()
            objects, blocks = len(gc.get_objects()), sys.getallocatedblocks()
            seen.append((me.num_fds(), objects, blocks, me.memory_info().rss))
    results.put(seen)


PHASE = "LENETCLI_TEST_PHASE"
STARTED = "LENETCLI_TEST_STARTED"


def pause(here):
    """Hang for a minute, if this is the phase in which to, and say that it has begun."""
    if here == os.environ.get(PHASE):
        Path(os.environ[STARTED]).touch()
        time.sleep(60)


class Patient(FakeTrainer):
    """A trainer that hangs in one phase."""

    def prepare(self, config):
        pause("tracing")
        return super().prepare(config)

    def train(self, config, checkpoint, epochs, on_progress, should_stop):
        for trained in super().train(config, checkpoint, epochs, on_progress, should_stop):
            yield trained
            pause("one huge batch")


def load_patient():
    """An engine that hangs while it loads, if that is the phase."""
    pause("loading TensorFlow")
    return lambda *_: Patient()


def command(phase, folder):
    """``lenetcli train`` with the fake trainer in a process of its own, which hangs in one phase."""
    from lenetcli.cli.app import main
    from lenetcli.data import sources
    from lenetcli.training import pool
    from lenetcli.training.workers.process import WorkerProcess

    os.environ |= {PHASE: phase, STARTED: f"{folder}/started"}

    def find(*_arguments, report, **_options):
        pause("looking for data")
        if phase == "download":
            for done in range(600):
                Path(os.environ[STARTED]).touch()
                time.sleep(0.1)
                report("file", done, 600)
        return FakeSource()

    sources.find = find
    pool.start_process = partial(WorkerProcess, load_patient)
    if phase == "commit":

        @event.listens_for(Engine, "commit")
        def lock(connection):
            if connection.exec_driver_sql("SELECT count(*) FROM epochs").scalar():
                pause("commit")

    main(["train", "--epochs", "3", "--filters", "2", "--batch-size", "8", "--store", f"{folder}/s.db"])
