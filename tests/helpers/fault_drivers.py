"""Drivers with workers in processes of their own, and what tests do to them.

``python -m helpers.fault_drivers FOLDER PAUSE WORD...`` is the command with fake data and a fake engine.
"""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
from helpers.fake_training import FakeSource, make_plan
from helpers.fault_engines import Engine, Meeting
from helpers.fault_workers import PATIENCE, Log

from lenetcli.store.store import Store
from lenetcli.training import dispatcher, pool
from lenetcli.training.interrupts import Stop
from lenetcli.training.pool import Pool
from lenetcli.training.runner import Runner
from lenetcli.training.workers import cluster
from lenetcli.training.workers.process import WorkerProcess

TESTS = Path(__file__).parents[1]
PLACES = [str(TESTS.parent), str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("LENETCLI_")} | {
    "PYTHONPATH": os.pathsep.join(PLACES),
    "COLUMNS": "100",
    "TERM": "xterm-256color",
}


def sweep_in_processes(store, rates, epochs, log, engine, jobs, deadly=False):
    """A sweep with workers in processes; see ``carry_on``."""

    @contextmanager
    def open_pool(held):
        with Pool(partial(WorkerProcess, engine)) as crew:
            yield make_plan(held, rates, epochs), crew

    carry_on(open_pool, store, log, jobs, deadly)


def carry_on(open_pool, store, log, jobs, deadly):
    """A sweep with a plan and a pool; with ``deadly``, what failed with its workers is tried again."""
    dispatcher.POLL_SECONDS = 0.1
    held = Store.open(str(store), write=True)
    while True:
        with open_pool(held) as (plan, crew):
            try:
                result = Runner(held, plan, crew, Log(log), jobs=jobs).run(Stop())
            except Exception:
                if not deadly:
                    raise
                continue
        if result.complete:
            return
        if not deadly:
            raise SystemExit(1)


def run_command(engine, words):
    """The command ``lenetcli`` with these words, in this process, with fake data and a fake engine."""
    from lenetcli.cli.app import main
    from lenetcli.data import sources

    sources.find = lambda *_arguments, **_options: FakeSource()
    pool.start_process = partial(WorkerProcess, engine)
    cluster.load_tensorflow = engine
    sys.argv = ["lenetcli", *words]
    main(words)


def write_command(folder, words, pause, meeting=1):
    numbers = [str(pause), str(meeting)]
    return [sys.executable, "-P", "-m", "helpers.fault_drivers", str(folder), *numbers, *words]


LEAVE = "import os, sys; os.rmdir(os.getcwd()); os.execv(sys.argv[1], sys.argv[1:])"


def type_command(folder, *words, pause=0.0, meeting=1, cwd=None, leave=False, env=ENVIRONMENT, **streams):
    """The command with a fake engine, typed in a folder; ``meeting`` is of how many workers."""
    command = write_command(folder, words, pause, meeting)
    before = [sys.executable, "-P", "-c", LEAVE] if leave else []
    return subprocess.Popen([*before, *command], cwd=cwd or folder, env=env, **streams)


def wait_for(condition):
    """Wait until something is the case."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def workers_of(pid):
    """The worker processes of a driver; none if it is gone."""
    try:
        return psutil.Process(pid).children()
    except psutil.NoSuchProcess:
        return []


def are_gone(workers):
    """Whether these processes have ended, or nobody has buried them yet."""

    def is_gone(worker):
        try:
            return worker.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return all(map(is_gone, workers))


def end_soon(workers, seconds=30):
    """Whether these processes end before any step of a minute does."""
    end = time.monotonic() + seconds
    while not are_gone(workers) and time.monotonic() < end:
        time.sleep(0.02)
    return are_gone(workers)


if __name__ == "__main__":
    folder, (pause, meeting), typed = Path(sys.argv[1]), map(float, sys.argv[2:4]), sys.argv[4:]
    run_command(Engine(folder=folder, pause=pause, deeds={1: Meeting(folder, meeting)}), typed)
