"""Jobs and time limits, as they are typed, with real training on small data."""

import json
import re
import subprocess

import pytest
from helpers.command import PATIENCE, Desk
from helpers.fault_drivers import type_command
from helpers.small_data import tiny_desk

from lenetcli.cli.train import write_again
from lenetcli.store.store import Store

BASE = ("--filters", "2", "--batch-size", "20")


@pytest.fixture
def desk(tmp_path):
    return tiny_desk(tmp_path)


def stored(desk):
    """The epochs and states of the runs of a store; none if there is no store."""
    listed = desk.attempt("runs", "list", "--json").stdout
    return [(run["epochs"], run["state"]) for run in json.loads(listed or "[]")]


@pytest.mark.parametrize("words", [("train",), ("sweep", "lr", "0.1", "0.01")])
def test_too_little_time_for_anything_leaves_everything(desk, words):
    said = desk.run(*words, *BASE, "--epochs", "2", "--for", "0.001s", code=1).stderr
    runs, epochs = ("1 run", 2) if words == ("train",) else ("2 runs", 4)
    assert f"The time is over: {runs} ({epochs} epochs)" in said
    assert f"go on with `lenetcli {' '.join(words)}" in said
    assert set(stored(desk)) <= {(0, "interrupted")}


@pytest.mark.parametrize(
    ("typed", "again"),
    [
        ("train --until 8:00 --lr 0.1", "train --until 8:00 --lr 0.1"),
        ("train --until 2026-11-28T08:00 --lr 0.1", "train --lr 0.1"),
        ("train --until=2026-11-28T08:00 --lr 0.1", "train --lr 0.1"),
        ("sweep lr 0.1 --store my-runs.db --until=8:00", "sweep lr 0.1 --store my-runs.db --until=8:00"),
    ],
)
def test_the_command_that_goes_on_has_no_end_that_will_have_passed(typed, again):
    assert write_again(typed.split()) == f"lenetcli {again}"


def test_what_was_trained_in_time_is_kept_and_the_command_goes_on(desk):
    """However far it gets on this machine: what is stored and what is left are the whole."""
    said = desk.run("train", *BASE, "--epochs", "100000", "--for", "5s", code=1).stderr
    left = int(re.search(r"The time is over: 1 run \(([\d,]+) epochs?\) is left", said)[1].replace(",", ""))
    done = sum(epochs for epochs, _ in stored(desk))
    assert done + left == 100_000
    assert {state for _, state in stored(desk)} <= {"interrupted"}
    desk.run("train", *BASE, "--epochs", str(done + 1), "--for", "1h")
    assert stored(desk) == [(done + 1, "completed")]


def test_jobs_change_no_bit(desk):
    words = ("sweep", "lr", "0.1", "0.01", "0.001", *BASE, "--epochs", "2", "--jobs")
    hashes = []
    for jobs in ("1", "3"):
        desk.run(*words, jobs, "--threads", "1", "--store", f"{jobs}.db")
        found = desk.json("runs", "list", "--store", f"{jobs}.db")
        assert [run["state"] for run in found] == ["completed"] * 3
        hashes.append(
            [desk.json("runs", "show", run["id"], "--store", f"{jobs}.db")["weights_sha256"] for run in found]
        )
    assert hashes[0] == hashes[1]
    assert len(set(hashes[0])) == 3


def sweep_side_by_side(folder, *words):
    """What a sweep of two jobs with a fake engine said, and beside how many its times were taken."""
    path = folder / "s.db"
    words = ("sweep", *words, "--epochs", "3", "--batch-size", "8", "--jobs", "2", "--store", str(path))
    done = type_command(folder, *words, meeting=2, stderr=subprocess.PIPE, text=True)
    said = done.communicate(timeout=PATIENCE)[1]
    assert done.returncode == 0, said
    runs = Store.open(str(path)).runs()
    return said, [[timing.beside for _, timing in run.measurement] for run in runs]


def test_runtimes_that_are_the_result_of_a_sweep_are_taken_again_alone(tmp_path):
    words = ("filters", "2", "4", "8")
    said, beside = sweep_side_by_side(tmp_path, *words, "--no-remeasure")
    assert "alone" not in said
    assert any(any(counts) for counts in beside)
    without_data = ("sweep", *words, "--epochs", "3", "--batch-size", "8", "--store", "s.db")
    shown = Desk(tmp_path).run(*without_data)
    assert "stay as they are. This sweep was begun on fake" in shown.stderr
    assert shown.stdout.count("completed") == 3
    said, beside = sweep_side_by_side(tmp_path, *words)
    assert "taken again, alone" in said
    assert beside == [[0, 0, 0]] * 3
    assert "alone" not in sweep_side_by_side(tmp_path, *words)[0]


def test_runtimes_of_learning_rates_stay_as_they_are_and_say_so(tmp_path):
    said, beside = sweep_side_by_side(tmp_path, "lr", "0.1", "0.01")
    assert "alone" not in said
    assert any(any(counts) for counts in beside)
    assert "* taken beside 1 other run" in said
    desk = Desk(tmp_path)
    shown = [
        desk.json("runs", "show", run["id"], "--store", "s.db")
        for run in desk.json("runs", "list", "--store", "s.db")
    ]
    assert sorted([timing["beside"] for timing in run["timings"]] for run in shown) == sorted(beside)


def test_times_that_are_left_to_take_again_are_said_to_be_left(desk):
    words = ("train", *BASE, "--epochs", "2")
    desk.run(*words)
    said = desk.run(*words, "--remeasure", "--for", "0.001s", code=1).stderr
    assert "The time is over: the times of 1 run are left." in said
    desk.run(*words, "--remeasure")
