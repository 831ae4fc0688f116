"""Processes that are killed, stopped and started again: nothing lost, nothing twice, the same bits."""

import os
import random
import shutil
import signal
import sqlite3
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace

import pytest
from helpers.fake_training import carry_out
from helpers.fault_checks import check_file, check_reported, check_whole, reported
from helpers.fault_workers import (
    LONG,
    PATIENCE,
    claim_all,
    create,
    edit_identity,
    finish,
    hang,
    processes,
    start,
    sweep,
    sweep_and_die,
    sweep_at_another_time,
    time_limit,
)
from helpers.made_up import BASE

from lenetcli.experiment.run import RunState
from lenetcli.store.store import Store
from lenetcli.store.upkeep import inspect_store
from lenetcli.training import dispatcher, heartbeats

RATES = [0.1, 0.03, 0.01, 0.003, 0.001, 0.0003]


def kill_at_random(path, log, chance, epochs, most):
    """Four sweeps on one store, killed at random up to so many times and started again; how many kills."""
    arguments = (sweep, path, RATES, epochs, log, 0.005)
    running = [start(*arguments) for _ in range(4)]
    kills = 0
    while kills < most:
        time.sleep(chance.uniform(0.02, 0.3))
        victim = chance.randrange(4)
        if running[victim].is_alive():
            running[victim].kill()
            running[victim].join()
            kills += 1
            check_file(path)
            check_reported(path, log)
        else:
            assert running[victim].exitcode == 0
            if not any(process.is_alive() for process in running):
                break
        running[victim] = start(*arguments)
    assert finish(*running) == [0, 0, 0, 0]
    check_reported(path, log)
    check_whole(path, RATES, epochs)
    return kills


def test_random_kills_of_four_sweeps(tmp_path):
    """1: sweeps on one store are killed at random and started again."""
    chance, kills, wanted = random.Random(1), 0, 1000 if LONG else 20
    while kills < wanted:
        path, log = tmp_path / f"{kills}.db", tmp_path / f"{kills}.log"
        kills += kill_at_random(path, log, chance, 200 if LONG else 25, wanted - kills)


def test_a_kill_at_every_commit(tmp_path):
    """2: a sweep of two runs, killed before its Nth commit, for every N until it comes to its end."""
    commit, codes = 0, []
    while 0 not in codes:
        commit += 1
        path, log = tmp_path / f"{commit}.db", tmp_path / f"{commit}.log"
        codes += finish(start(sweep_and_die, path, RATES[:2], 2, log, commit))
        if path.exists() and path.stat().st_size:
            check_file(path)
            check_reported(path, log)
        assert finish(start(sweep, path, RATES[:2], 2, log)) == [0]
        check_reported(path, log)
        check_whole(path, RATES[:2], 2)
    assert set(codes[:-1]) == {-signal.SIGKILL}
    assert commit >= 10


def test_a_kill_at_every_commit_of_a_measurement(tmp_path):
    """15: finished runs are measured again; killed before its Nth commit, the measurement goes on."""
    trained, commit, codes = tmp_path / "trained.db", 0, []
    carry_out(Store.open(str(trained), write=True), RATES[:2], 3)
    while 0 not in codes:
        commit += 1
        path, log = shutil.copy(trained, tmp_path / f"{commit}.db"), tmp_path / f"{commit}.log"
        codes += finish(start(sweep_and_die, path, RATES[:2], 3, log, commit, True))
        check_file(path)
        if codes[-1]:
            assert finish(start(sweep, path, RATES[:2], 3, log, 0.0, True, True)) == [0]
        check_whole(path, RATES[:2], 3)
        runs = Store.open(str(path)).runs()
        epochs = [t.epoch for run in runs for a in run.attempts if a.remeasure for t in a.timings]
        assert epochs == [1, 2, 3, 1, 2, 3]
        assert all(a.remeasure for run in runs for a, _ in run.measurement)
    assert set(codes[:-1]) == {-signal.SIGKILL}
    assert commit >= 10


def test_kills_all_along_one_sweep(tmp_path):
    """2: the same sweep dies at its 5th commit again and again, and comes to its end."""
    path, log = tmp_path / "s.db", tmp_path / "log"
    deaths = 0
    while finish(start(sweep_and_die, path, RATES[:2], 3, log, 7)) != [0]:
        deaths += 1
        assert deaths < 50
        check_reported(path, log)
    assert deaths > 1
    check_whole(path, RATES[:2], 3)


def test_many_create_one_store(tmp_path):
    """5: 16 processes create and use one new store at the same moment."""
    for turn in range(100 if LONG else 3):
        path = tmp_path / f"{turn}.db"
        barrier = processes.Barrier(16)
        started = [start(create, path, barrier, RATES[:2]) for _ in range(16)]
        assert finish(*started) == [0] * 16
        check_file(path)
        check_whole(path, RATES[:2], 1)
        counts = Counter(reported(f"{path}.log"))
        assert len(counts) == 2 and set(counts.values()) == {1}


def test_many_claim_many_runs(tmp_path):
    """6: 8 sweeps claim runs that cost nothing; one sits inside a write for longer than the timeout."""
    rates = [0.001 + n / 1e5 for n in range(200)]
    for turn in range(10 if LONG else 1):
        path, log = tmp_path / f"{turn}.db", tmp_path / f"{turn}.log"
        started = [start(claim_all, path, rates, log, 5.5 if number == 0 else 0) for number in range(8)]
        assert finish(*started) == [0] * 8
        counts = Counter(reported(log))
        assert len(counts) == len(rates) and set(counts.values()) == {1}
        check_whole(path, rates, 1)


def stop_between_transactions(pid, path):
    """Stop a process while it does not hold the lock of the store, which nobody could take from it."""
    while True:
        os.kill(pid, signal.SIGSTOP)
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN EXCLUSIVE")
                return
            except sqlite3.OperationalError:
                os.kill(pid, signal.SIGCONT)


def test_a_process_that_comes_back_late(tmp_path, monkeypatch):
    """7: stopped past its heartbeat, taken over, continued: its token is void and it harms nothing."""
    path, hung = tmp_path / "s.db", processes.Event()
    late = start(hang, path, 0.1, 3, hung, 0.05)
    assert hung.wait(PATIENCE)
    stop_between_transactions(late.pid, path)
    try:
        store = Store.open(str(path))
        config = replace(BASE, lr=0.1)
        assert store.run(config.key).state is RunState.RUNNING  # stopped is not dead
        edit_identity(path, boot_id="x", host="y")  # as another host sees it: it cannot ask
        monkeypatch.setattr(heartbeats, "DEAD_SECONDS", 0.3)
        monkeypatch.setattr(dispatcher, "POLL_SECONDS", 0.05)
        with time_limit() as stop:
            assert carry_out(store, [0.1], 3, stop=stop).complete
    finally:
        os.kill(late.pid, signal.SIGCONT)
    assert finish(late) == [0]
    check_whole(path, [0.1], 3)
    run = Store.open(str(path)).run(config.key)
    assert [attempt.outcome for attempt in run.attempts] == [RunState.INTERRUPTED, RunState.COMPLETED]


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_is_wrong_decides_nothing(tmp_path, hours):
    """7: live attempts are left alone and dead ones taken over, whatever the clocks say."""
    path, log, hung = tmp_path / "s.db", tmp_path / "log", processes.Event()
    alive = start(hang, path, 0.1, 3, hung, 10.0)
    assert hung.wait(PATIENCE)
    os.kill(alive.pid, signal.SIGSTOP)
    try:
        left = start(sweep_at_another_time, path, [0.1], 3, log, hours, 0, False)
        assert finish(left) == [1]
        dead = start(sweep_at_another_time, path, [0.01], 3, log, hours, 7)
        assert finish(dead) == [-signal.SIGKILL]
    finally:
        os.kill(alive.pid, signal.SIGCONT)
    takes_over = start(sweep_at_another_time, path, [0.1, 0.01], 3, log, -hours)
    assert finish(takes_over, alive) == [0, 0]
    check_file(path)
    check_reported(path, log)
    check_whole(path, [0.1, 0.01], 3)


@pytest.mark.parametrize("hours", [(1, -1, 0), (-1, 1, -1)])
def test_a_clock_that_is_set_decides_no_order(tmp_path, hours):
    """7: the newest sweep and run are the last that were begun, and nobody worked beside the others."""
    path, log = tmp_path / "s.db", tmp_path / "log"
    for rates, shift in zip(([0.1], [0.01], [0.1, 0.001]), hours, strict=True):
        assert finish(start(sweep_at_another_time, path, rates, 2, log, shift)) == [0]
    store = Store.open(str(path))
    sweeps = store.sweeps()
    assert [sweep.values for sweep in sweeps] == [(0.1, 0.001), (0.01,), (0.1,)]
    assert [run.config.lr for run in store.runs()] == [0.001, 0.01, 0.1]
    assert [run.config.lr for run in store.runs(sweep=sweeps[0].id)] == [0.001, 0.1]
    assert not any(run.contended for run in store.runs())
    newest = store.run(replace(BASE, lr=0.001).key).attempts[-1]
    assert inspect_store(str(path)).newest == newest.ended_at


@pytest.mark.skipif(sys.platform != "linux", reason="start times as Linux counts them")
def test_a_pid_that_is_used_again_is_another_process(tmp_path):
    """7: the pid of the dead holder belongs to another process now."""
    path = tmp_path / "s.db"
    assert finish(start(sweep_and_die, path, [0.1], 3, tmp_path / "log", 6)) == [-signal.SIGKILL]
    edit_identity(path, pid=os.getpid())
    run = Store.open(str(path)).run(replace(BASE, lr=0.1).key)
    assert run.state is RunState.INTERRUPTED
    assert finish(start(sweep, path, [0.1], 3, tmp_path / "log")) == [0]
    check_whole(path, [0.1], 3)
