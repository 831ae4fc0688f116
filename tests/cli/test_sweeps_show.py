"""``sweeps show``: a sweep as it is stored, and with ``--follow`` while another process trains it."""

import os
import signal
import sqlite3
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from helpers.command import PATIENCE, Desk
from helpers.fake_training import FakeTrainer, carry_out
from helpers.fault_workers import edit_identity
from helpers.made_up import RATES, make_cell, make_sweep

from lenetcli.cli import follow
from lenetcli.cli.screen.console import Console
from lenetcli.cli.screen.sweep_tables import lay_out_sweep
from lenetcli.errors import StoreChangedError
from lenetcli.experiment.run import RunState
from lenetcli.store import database, sqlite
from lenetcli.store.store import Store
from lenetcli.training.interrupts import Stop

RATES_OF = (0.1, 0.01)
EPOCHS = 2


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path)
    desk.store = str(tmp_path / "lenetcli.db")
    return desk


class Training:
    """A sweep that a thread trains, one epoch for each ``allow``; ``id`` is the beginning of its id."""

    def __init__(self, store):
        self._gate, self._stop = threading.Semaphore(0), Stop()
        self._begun, self._pool = threading.Semaphore(0), ThreadPoolExecutor(1)
        self.result = self._pool.submit(self._train, store)
        self.wait_for_epoch()
        self.id = Store.open(store).sweeps()[0].id[:10]

    def _train(self, store):
        trainer = FakeTrainer(hook=self._wait)
        return carry_out(Store.open(store, write=True), RATES_OF, EPOCHS, trainer, stop=self._stop)

    def _wait(self, _config, _epoch):
        self._begun.release()
        assert self._gate.acquire(timeout=PATIENCE)

    def wait_for_epoch(self):
        """Wait until the next epoch, of whichever run, waits to be allowed."""
        assert self._begun.acquire(timeout=PATIENCE)

    def allow(self, epochs=1):
        self._gate.release(epochs)

    def end(self):
        self._stop.request(signal.SIGTERM)
        self.allow(100)
        self._pool.shutdown()


@contextmanager
def in_training(store):
    training = Training(store)
    try:
        yield training
    finally:
        training.end()


def left_behind(store):
    """The id of a sweep of which one run was trained and the other one was interrupted, a while ago."""
    with in_training(store) as training:
        for _ in range(EPOCHS):
            training.allow()
            training.wait_for_epoch()
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE sweeps SET last_requested = '2025-03-01 00:00:00.000000'")
    return training.id


IMAGES = "12 training, 12 validation and 12 test images; 1 step an epoch"


def test_a_stored_sweep_is_shown_best_first_without_what_a_command_did(desk):
    sweep = carry_out(Store.open(desk.store, write=True), RATES_OF, EPOCHS).sweep
    shown = desk.run("sweeps", "show", sweep.id[:8])
    head, *rows = [line.split() for line in shown.stdout.splitlines()]
    assert head[:3] == ["lr", "best", "val"] and "time" not in head
    best = {str(cell.config.lr): cell.run.best_val_accuracy for cell in sweep.cells}
    assert [row[0] for row in rows] == sorted(best, key=best.get, reverse=True)
    assert shown.stderr == f"{IMAGES}\nfake on A fake processor: 2 completed\n"


def test_json_has_the_runs_beside_the_fields_of_the_list(desk):
    key = left_behind(desk.store)
    shown = desk.json("sweeps", "show", key)
    runs = desk.json("runs", "list", "--sweep", key)
    (listed,) = desk.json("sweeps", "list")
    assert sorted(shown.pop("runs"), key=lambda run: -run["lr"]) == sorted(runs, key=lambda run: -run["lr"])
    assert len(runs) == 2
    assert shown == listed


def test_what_is_left_has_the_command_that_goes_on(desk):
    key = left_behind(desk.store)
    for follows in ((), ("--follow",)):
        done = desk.run("sweeps", "show", key, *follows)
        assert "1 completed, 1 interrupted" in done.stderr
        assert done.stderr.endswith("To go on: lenetcli sweep lr 0.1 0.01 --epochs 2\n")
        assert ("Nothing of it is running any more: 1 of 2 runs are done." in done.stderr) == bool(follows)


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (
            ("f" * 9,),
            3,
            "There is no sweep 'fffffffff' in this store. See the ids with `lenetcli sweeps list`.",
        ),
        (("nothing",), 3, "'nothing' is no sweep id."),
        (("0", "--follow", "--json"), 2, "Both --follow and --json were given. Choose one."),
        (("0", "--store", "other.db"), 3, "There is no store at"),
    ],
)
def test_what_cannot_be_shown_is_an_error_in_words(desk, arguments, code, problem):
    left_behind(desk.store)
    assert problem in desk.run("sweeps", "show", *arguments, code=code).stderr


@contextmanager
def following(desk, training, **streams):
    follower = desk.start("sweeps", "show", training.id, "--follow", **streams)
    try:
        yield follower
    finally:
        if follower.returncode is None:
            follower.send_signal(signal.SIGKILL)
            follower.wait()


def read_line(follower):
    return follower.stderr.readline().rstrip("\n")


@pytest.fixture
def pipes():
    import subprocess

    return {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def test_a_log_gets_a_line_for_each_epoch_and_each_run_that_has_ended(desk, pipes):
    with in_training(desk.store) as training, following(desk, training, **pipes) as follower:
        assert read_line(follower) == "fake on A fake processor: 1 running, 1 not begun"
        training.allow()
        assert read_line(follower).startswith("lr 0.1  epoch 1/2  train loss ")
        training.allow()
        second = read_line(follower)
        assert second.startswith("lr 0.1  epoch 2/2  ") and second.endswith("  1.00 s")
        assert read_line(follower).startswith("lr 0.1  completed  best ")
        training.allow(2)
        lines = follower.stderr.read().splitlines()
        assert [line[:17] for line in lines[:2]] == ["lr 0.01  epoch 1/", "lr 0.01  epoch 2/"]
        assert lines[2].startswith("lr 0.01  completed  best ")
        assert lines[3:] == [IMAGES, "fake on A fake processor: 2 completed", "Every run is done."]
        assert follower.wait() == 0
        assert len(follower.stdout.read().splitlines()) == 3


def test_ctrl_c_ends_it_and_leaves_the_training_alone(desk, pipes):
    with in_training(desk.store) as training, following(desk, training, **pipes) as follower:
        line = read_line(follower)
        follower.send_signal(signal.SIGINT)
        assert follower.wait() == 130
        # A signal that arrives while a line is written can have it written once more.
        assert follower.stderr.read() in ("", f"{line}\n") and not follower.stdout.read()
        training.allow(4)
        assert training.result.result(PATIENCE).sweep.is_done


def test_a_store_that_disappears_is_an_error(desk, pipes):
    with in_training(desk.store) as training, following(desk, training, **pipes) as follower:
        read_line(follower)
        Path(desk.store).unlink()
        assert follower.wait() == 4
        assert "was deleted while it was in use" in follower.stderr.read()
        training.allow()
        assert isinstance(training.result.exception(PATIENCE), StoreChangedError)


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of Unix")
def test_a_terminal_gets_a_table_that_is_renewed_in_place(desk, pipes):
    import pty

    ours, theirs = pty.openpty()
    desk.environment |= {"TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    with (
        in_training(desk.store) as training,
        following(desk, training, stdout=pipes["stdout"], stderr=theirs) as follower,
    ):
        seen = ""

        def wait_for(text):
            nonlocal seen
            while text not in seen.rpartition("best val")[2]:  # in the last table
                seen += os.read(ours, 65536).decode()

        wait_for("1 running, 1 not begun")
        training.allow(EPOCHS)
        wait_for("1 completed, 1 running")
        training.allow(EPOCHS)
        assert follower.wait() == 0
        table = follower.stdout.read()
        assert "completed" in table and "running" not in table and "\x1b" not in table
    os.close(theirs)
    os.close(ours)
    assert "\x1b[1A\x1b[2K" in seen  # a line up, and cleared
    assert "\x1b[?25l" in seen  # the cursor is hidden meanwhile


def test_a_locked_store_is_waited_for(desk, monkeypatch, capfd):
    for module, name in ((database, "LOCK_SECONDS"), (sqlite, "BUSY_SECONDS"), (follow, "LOOK_SECONDS")):
        monkeypatch.setattr(module, name, 0.01)
    with in_training(desk.store) as training:
        pass  # it ends without an epoch, and was requested a moment ago
    store = Store.open(desk.store)
    follower = follow.Follower(store, store.sweep(training.id))
    with closing(sqlite3.connect(desk.store, isolation_level=None)) as other, ThreadPoolExecutor(1) as pool:
        other.execute("BEGIN EXCLUSIVE")
        result = pool.submit(follower.follow)
        said = ""
        while "The store is locked by another program; waiting for it." not in said:
            assert not result.done()
            said += capfd.readouterr().err
        other.execute("ROLLBACK")
        carry_out(Store.open(desk.store, write=True), RATES_OF, EPOCHS)
        assert result.result(PATIENCE).is_done


def test_runs_of_another_machine_count_as_left_when_it_gives_no_sign_of_life(desk, monkeypatch, capfd):
    for name in ("LOOK_SECONDS", "QUIET_SECONDS", "SILENT_SECONDS"):
        monkeypatch.setattr(follow, name, 0.01)
    with in_training(desk.store) as training:
        edit_identity(desk.store, boot_id="another", machine="another", host="another")
        store = Store.open(desk.store)
        sweep = follow.Follower(store, store.sweep(training.id)).follow()
        assert sweep.runs[0].state is RunState.RUNNING
        assert capfd.readouterr().err == "fake on A fake processor: 1 running, 1 not begun\n"


def test_a_low_terminal_shows_the_runs_in_training_first_in_the_order_of_the_sweep():
    states = [RunState.COMPLETED] * 4 + [RunState.RUNNING, RunState.INTERRUPTED, RunState.RUNNING]
    cells = [
        make_cell("lr", 1 / 2**place, RATES[0.1], state=state, target=12)
        for place, state in enumerate(states)
    ]
    lines = [str(line) for line in lay_out_sweep(make_sweep("lr", 12, cells), Console(width=60, height=6))]
    assert [line.split()[0] for line in lines[1:4]] == ["0.0625", "0.03125", "0.015625"]
    assert lines[4] == "4 completed, 2 running, 1 interrupted; 4 runs not shown"
    assert "epochs" in lines[0]
    assert len(lines) == 5 and all(len(line) <= 58 for line in lines)
