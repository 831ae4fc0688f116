"""8: a signal in each phase ends the command at once, with 128 + n, and the run is interrupted."""

import os
import signal
import sqlite3
import time
from contextlib import closing

import pytest
from helpers.fault_workers import LONG, PATIENCE, command, finish, start

from lenetcli.experiment.run import RunState
from lenetcli.store.store import Store

PHASES = (
    "looking for data",
    "download",
    "loading TensorFlow",
    "tracing",
    "one huge batch",
    "commit",
)
BEFORE_THE_STORE = ("looking for data", "download", "loading TensorFlow")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ALL = [(phase, number) for phase in PHASES for number in SIGNALS]
SHORT = [(phase, SIGNALS[at % 3]) for at, phase in enumerate(PHASES)]


def wait_for(path):
    end = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(("phase", "number"), ALL if LONG else SHORT)
def test_a_signal_in_each_phase(tmp_path, phase, number, record_property):
    longest = 0.0
    for turn in range(20 if LONG else 1):
        folder = tmp_path / str(turn)
        folder.mkdir()
        process = start(command, phase, folder)
        wait_for(folder / "started")
        time.sleep(0.2)
        sent = time.monotonic()
        os.kill(process.pid, number)
        process.join(50)  # the phase itself would last for a minute
        longest = max(longest, time.monotonic() - sent)
        assert process.exitcode == 128 + number
        runs = []
        if phase not in BEFORE_THE_STORE:
            with closing(sqlite3.connect(folder / "s.db")) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            runs = Store.open(str(folder / "s.db")).runs()
        assert (folder / "s.db").exists() == (phase not in BEFORE_THE_STORE)
        assert [run.state for run in runs] in ([], [RunState.INTERRUPTED])
        assert bool(runs) == (phase in ("tracing", "one huge batch", "commit"))
    record_property("longest_seconds", round(longest, 2))
    if LONG:
        print(f"{phase}, {signal.Signals(number).name}: {longest:.2f} s at most")


def test_a_second_signal_ends_it_at_once(tmp_path):
    process = start(command, "commit", tmp_path)
    wait_for(tmp_path / "started")
    os.kill(process.pid, signal.SIGINT)
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGTERM)
    assert finish(process) == [128 + signal.SIGTERM]
    assert Store.open(str(tmp_path / "s.db")).runs()[0].state is RunState.INTERRUPTED
