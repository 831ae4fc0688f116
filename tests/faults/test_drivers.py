"""Drivers with worker processes: any may be killed; nothing is lost, nothing twice, no orphan trains on."""

import contextlib
import os
import pty
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing

import psutil
import pytest
from helpers.fake_training import bits_after, curve_of
from helpers.fault_checks import check_file, check_reported, check_whole, reported
from helpers.fault_drivers import (
    ENVIRONMENT,
    end_soon,
    sweep_in_processes,
    type_command,
    wait_for,
    workers_of,
    write_command,
)
from helpers.fault_engines import SLOW, Engine, hang
from helpers.fault_workers import LONG, PATIENCE, finish, start

from lenetcli.experiment.run import RunState
from lenetcli.store.store import Store

RATES = [0.1, 0.03, 0.01, 0.003, 0.001, 0.0003]


def kill_at_random(path, log, engine, chance, epochs, most):
    """Three sweeps of two jobs on one store; drivers and workers are killed up to so many times in all."""
    arguments = (sweep_in_processes, path, RATES, epochs, log, engine, 2, True)
    running = [start(*arguments) for _ in range(3)]
    orphans, kills = [], Counter()
    while kills.total() < most:
        threading.Event().wait(chance.uniform(0.02, 0.4))
        driver = chance.randrange(3)
        if not running[driver].is_alive():
            assert running[driver].exitcode == 0
            if not any(process.is_alive() for process in running):
                break
            running[driver] = start(*arguments)
            continue
        workers = workers_of(running[driver].pid)
        if workers and chance.random() < 0.6:
            with contextlib.suppress(psutil.NoSuchProcess):
                chance.choice(workers).kill()
                kills["workers"] += 1
        else:
            orphans += workers
            running[driver].kill()
            running[driver].join()
            kills["drivers"] += 1
            running[driver] = start(*arguments)
        if path.exists() and path.stat().st_size:
            check_file(path)
            check_reported(path, log)
    assert finish(*running) == [0, 0, 0]
    assert end_soon(orphans)
    check_reported(path, log)
    check_whole(path, RATES, epochs)
    check_timings(path)
    return kills


def check_timings(path):
    """Each epoch of a run was recorded by one attempt."""
    for run in Store.open(str(path)).runs():
        epochs = [timing.epoch for attempt in run.attempts for timing in attempt.timings]
        assert epochs == list(range(1, run.epochs + 1))


def test_random_kills_of_workers_and_drivers(tmp_path):
    """20: sweeps of several jobs on one store, of which any process is killed at any moment."""
    chance, kills, wanted = random.Random(4), Counter(), 1000 if LONG else 20
    while kills.total() < wanted:
        folder = tmp_path / str(kills.total())
        folder.mkdir()
        engine = Engine(folder=folder, pause=0.01)
        some = (chance, 250 if LONG else 30, wanted - kills.total())
        kills += kill_at_random(folder / "s.db", folder / "log", engine, *some)
    print(dict(kills))
    assert min(kills.values()) > wanted / 10


@pytest.mark.parametrize("where", [(0.1, 1), "loading", SLOW])
def test_the_workers_of_a_driver_that_is_killed_end_with_it(tmp_path, where):
    """Inside a step that hears nothing, while they load, and in an epoch: no orphan trains on."""
    rates = [where] if where == SLOW else RATES[:2]
    deeds = {} if where == SLOW else {where: hang, (0.03, 1): hang}
    engine = Engine(folder=tmp_path, deeds=deeds)
    arguments = (tmp_path / "s.db", rates, 2, tmp_path / "log", engine, 2)
    driver = start(sweep_in_processes, *arguments)
    wait_for(lambda: len(list(tmp_path.glob("loading *"))) == 2 or len(engine.begun) == len(rates))
    workers = workers_of(driver.pid)
    assert len(workers) == len(rates)
    driver.kill()
    assert finish(driver) == [-signal.SIGKILL]
    assert end_soon(workers)


SWEEP = ("sweep", "lr", *map(str, RATES), "--filters", "2", "--batch-size", "8", "--jobs", "2")


def check_command(folder, epochs, *, complete):
    """What a sweep that was typed has left."""
    store = Store.open(str(folder / "s.db"))
    for run in store.runs():
        assert run.state in (RunState.COMPLETED, RunState.INTERRUPTED)
        assert len(run.curve) == len(curve_of(run.config, run.epochs))
        if run.epochs:
            assert store.checkpoint(run.key).tensors == bits_after(run.config, run.epochs)
    check_timings(folder / "s.db")
    assert all(run.state is RunState.COMPLETED and run.epochs == epochs for run in store.runs()) == complete
    return store.runs()


def test_an_interrupted_sweep_keeps_what_it_told_of_and_goes_on(tmp_path):
    words = (*SWEEP, "--epochs", "5", "--store", str(tmp_path / "s.db"))
    driver = type_command(tmp_path, *words, pause=0.05, stderr=subprocess.PIPE, text=True)
    lines = []
    for line in driver.stderr:
        lines.append(line)
        if sum("epoch " in line for line in lines) == 4:
            workers = workers_of(driver.pid)
            driver.send_signal(signal.SIGINT)
            break
    lines += driver.stderr.readlines()
    assert driver.wait(PATIENCE) == 128 + signal.SIGINT
    assert len(workers) == 2 and end_soon(workers, 5)
    runs = check_command(tmp_path, 5, complete=False)
    told = sum("epoch " in line for line in lines)
    assert 4 <= told <= sum(run.epochs for run in runs)
    assert "Traceback" not in "".join(lines)
    assert type_command(tmp_path, *words, stderr=subprocess.DEVNULL).wait(PATIENCE) == 0
    assert len(check_command(tmp_path, 5, complete=True)) == len(RATES)


def in_terminal(folder, *words, pause, act):
    """The command in a terminal of its own; ``act`` gets its process and a function that types."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execve(sys.executable, write_command(folder, words, pause), ENVIRONMENT)
    written = bytearray()

    def read():
        with contextlib.suppress(OSError):
            while data := os.read(terminal, 65536):
                written.extend(data)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    act(pid, lambda keys: os.write(terminal, keys))
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    reader.join(PATIENCE)
    os.close(terminal)
    return code, re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written.decode())


def test_ctrl_c_in_a_terminal_is_heard_by_the_driver_alone(tmp_path):
    """The terminal sends the signal to everything in the foreground."""
    workers, engine = [], Engine(folder=tmp_path)

    def act(pid, write):
        wait_for(lambda: len(engine.begun) > 4)
        workers.extend(workers_of(pid))
        write(b"\x03")

    words = (*SWEEP, "--epochs", "5", "--store", str(tmp_path / "s.db"))
    code, text = in_terminal(tmp_path, *words, pause=0.05, act=act)
    assert code == 128 + signal.SIGINT
    assert len(workers) == 2 and end_soon(workers, 5)
    assert text.count("Stopped. What was finished is kept") == 1
    for word in ("Traceback", "KeyboardInterrupt", "worker", "died", "was ended"):
        assert word not in text
    runs = check_command(tmp_path, 5, complete=False)
    assert {attempt.note for run in runs for attempt in run.attempts} == {None}


def test_a_second_ctrl_c_ends_a_driver_that_waits_and_its_workers(tmp_path):
    """It waits for the lock of the store, which another program does not give back."""
    workers, engine = [], Engine(folder=tmp_path)
    path = tmp_path / "s.db"
    words = (*SWEEP, "--epochs", "20", "--store", str(path))

    def act(pid, write):
        wait_for(lambda: len(engine.begun) > 4)
        with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            workers.extend(workers_of(pid))
            write(b"\x03")
            threading.Event().wait(0.05)
            write(b"\x03")
            wait_for(lambda: psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)

    code, text = in_terminal(tmp_path, *words, pause=0.05, act=act)
    assert code == 128 + signal.SIGINT
    assert "Traceback" not in text
    assert len(workers) == 2 and end_soon(workers, 5)
    assert type_command(tmp_path, *words, stderr=subprocess.DEVNULL).wait(PATIENCE) == 0
    check_command(tmp_path, 20, complete=True)


def test_a_store_that_is_locked_for_a_while_loses_nothing_of_several_jobs(tmp_path):
    path, engine = tmp_path / "s.db", Engine(folder=tmp_path, pause=0.05)
    driver = start(sweep_in_processes, path, RATES, 4, tmp_path / "log", engine, 3)
    wait_for(lambda: len(engine.begun) > 3)
    for _ in range(2):
        with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            threading.Event().wait(1.0)
    assert finish(driver) == [0]
    assert len(reported(tmp_path / "log")) == len(engine.begun) == 24
    check_reported(path, tmp_path / "log")
    check_whole(path, RATES, 4)


def test_a_run_whose_workers_die_is_told_and_ends_the_command_with_an_error(tmp_path):
    """As a user sees it: the others are trained, and the last words say how the run failed."""
    words = (*SWEEP, "--epochs", "3", "--store", str(tmp_path / "s.db"))
    driver = type_command(tmp_path, *words, pause=0.1, stderr=subprocess.PIPE, text=True)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(driver.stderr))
    reader.start()
    engine = Engine(folder=tmp_path)
    for _ in range(2):
        wait_for(lambda: any(epoch[:2] == (0.1, 2) and psutil.pid_exists(epoch[2]) for epoch in engine.begun))
        pid = next(epoch[2] for epoch in reversed(engine.begun) if epoch[:2] == (0.1, 2))
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda pid=pid: not psutil.pid_exists(pid))
    assert driver.wait(PATIENCE) == 1
    reader.join(PATIENCE)
    assert "signal 9 (SIGKILL)" in lines[-1] and "in epoch 2" in lines[-1] and "runs show" in lines[-1]
    states = [run.state for run in Store.open(str(tmp_path / "s.db")).runs()]
    assert Counter(states) == {RunState.COMPLETED: 5, RunState.FAILED: 1}
    assert type_command(tmp_path, *words, stderr=subprocess.DEVNULL).wait(PATIENCE) == 0
    check_command(tmp_path, 3, complete=True)


# Surroundings

NAMES = ("signal", "struct", "random", "pickle", "lenetcli", "tempfile", "numpy")
TRAIN = ("train", "--epochs", "1", "--filters", "2", "--batch-size", "8", "--store")


def train_one(folder, cwd, environment=ENVIRONMENT, leave=False):
    """Train a run in a current folder, which is deleted before with ``leave``."""
    driver = type_command(
        folder,
        *TRAIN,
        str(folder / "s.db"),
        cwd=cwd,
        leave=leave,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    _, said = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 0, said
    check_command(folder, 1, complete=True)


def test_files_named_like_modules_are_not_imported_by_workers(tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    for name in NAMES:
        (here / f"{name}.py").write_text("raise SystemExit(3)")
    train_one(tmp_path, here)


def test_workers_start_in_a_folder_that_was_deleted(tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    train_one(tmp_path, here, leave=True)
    assert not here.exists()


def test_workers_start_without_a_home_and_where_tmpdir_does_not_exist(tmp_path):
    environment = {name: ENVIRONMENT[name] for name in ("PATH", "PYTHONPATH")}
    train_one(tmp_path, tmp_path, environment | {"TMPDIR": str(tmp_path / "missing")})
