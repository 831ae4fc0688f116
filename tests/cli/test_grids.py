"""Grids as they are typed, with real training on small data: order, plans, commands, tables."""

import random
import re
import shlex
import signal
import statistics
import subprocess
import sys

import pytest
from helpers.command import Desk
from helpers.small_data import write_idx

SMALL = ("--batch-size", "20", "--epochs", "2")
GRID = ("sweep", "lr", "0.1", "0.01", "filters", "2", "3", "--seeds", "2", *SMALL)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """After a grid of eight runs; what it said is kept."""
    desk = Desk(tmp_path_factory.mktemp("grids"))
    write_idx(desk.folder / "tiny", 120, 40)
    desk.environment["LENETCLI_DATA"] = str(desk.folder / "tiny")
    desk.trained = desk.run(*GRID)
    return desk


def runs(desk, *store):
    return {run["id"]: run for run in desk.json("runs", "list", "--all", *store)}


def test_runs_are_trained_in_the_order_of_the_words(desk):
    lines = [line for line in desk.trained.stderr.splitlines() if " epoch 2/2 " in line]
    trained = [re.match(r"lr (\S+) filters (\d) seed (\d)", line).groups() for line in lines]
    assert trained == [(lr, size, seed) for lr in ("0.1", "0.01") for size in "23" for seed in "01"]


def test_the_order_of_axes_and_values_makes_no_other_sweep(desk):
    turned = ("sweep", "filters", "3", "2", "lr", "0.01..0.1:2", "--seeds", "2", *SMALL)
    assert "8 kept" in desk.run(*turned).stderr
    (sweep,) = desk.json("sweeps", "list")
    assert sweep["done"] == 8
    assert "lr × filters" in desk.run("sweeps", "list").stdout


def test_several_sweeps_share_their_runs(desk):
    alone = desk.run("sweep", "lr", "0.1", "--filters", "3", "--seed", "1", *SMALL, "--dry-run")
    assert "Nothing is left to train." in alone.stderr
    wider = ("sweep", "lr", "0.1", "0.01", "filters", "2", "3", "momentum", "0", "0.9", *SMALL, "--dry-run")
    planned = desk.run(*wider)
    ids = [row.split()[0] for row in planned.stdout.splitlines()[1:]]
    assert "4 runs, about" in planned.stderr
    assert (len(ids), sum(any(key.startswith(one) for key in runs(desk)) for one in ids)) == (8, 4)


def test_a_dry_run_names_the_runs_and_writes_nothing(desk):
    fresh = ("--store", "fresh.db")
    planned = desk.run(*GRID, "--dry-run", *fresh)
    titles, *rows = (line.split() for line in planned.stdout.splitlines())
    assert titles[:7] == ["id", "device", "lr", "filters", "seed", "params", "epochs"]
    assert sorted(row[0] for row in rows) == sorted(key[: len(rows[0][0])] for key in runs(desk))
    assert not (desk.folder / "fresh.db").exists()
    assert "8 runs; how long they take can be told" in planned.stderr
    again = desk.run(*GRID[:-1], "5", "--dry-run")
    assert re.search(r"8 runs, about .* of training", again.stderr)
    assert "Nothing is left" in desk.run("train", *SMALL, "--filters", "2", "--dry-run").stderr


def test_plans_and_commands_need_no_tensorflow(desk):
    program = (
        "import sys\nfrom lenetcli.cli.app import main\n"
        "try:\n    main(sys.argv[1:])\nfinally:\n    print('tensorflow' in sys.modules, file=sys.stderr)"
    )
    for option in ("--dry-run", "--commands"):
        done = desk.run(*GRID, option, "--store", "none.db", command=[sys.executable, "-P", "-c", program])
        assert done.stderr.endswith("False\n")
    assert not (desk.folder / "none.db").exists()


def test_commands_in_any_order_make_the_same_runs(desk):
    listed = desk.run(*GRID, "--commands", "--store", "jobs.db")
    *commands, last = listed.stdout.splitlines()
    assert len(commands) == 8 and last.startswith("# lenetcli sweep lr 0.1 0.01 filters 2 3")
    assert "locks" in listed.stderr
    random.Random(3).shuffle(commands)
    for command in commands:
        program, *words = shlex.split(command)
        assert program == "lenetcli"
        desk.run(*words)
    assert "8 kept" in desk.run(*shlex.split(last)[2:]).stderr
    assert runs(desk).keys() == runs(desk, "--store", "jobs.db").keys()
    hashes = [
        {key: desk.json("runs", "show", key, *store)["weights_sha256"] for key in runs(desk, *store)}
        for store in ((), ("--store", "jobs.db"))
    ]
    assert hashes[0] == hashes[1]
    assert [sweep["done"] for sweep in desk.json("sweeps", "list", "--store", "jobs.db")] == [8]
    left = desk.run(*GRID, "--commands", "--store", "jobs.db")
    assert left.stdout.count("\n") == 1 and "Nothing is left" in left.stderr


def test_a_row_for_each_combination_has_mean_and_deviation_of_its_seeds(desk):
    found = runs(desk).values()
    titles, *rows = desk.trained.stdout.splitlines()
    assert titles.split()[:2] == ["lr", "filters"] and len(rows) == 4
    for row in rows:
        words = row.split()
        seeds = [run for run in found if (str(run["lr"]), str(run["filters"])) == (words[0], words[1])]
        best = [run["best_val_accuracy"] for run in seeds]
        assert words[2:5] == [f"{statistics.fmean(best):.4f}", "±", f"{statistics.stdev(best):.4f}"]
        assert "2/2" in words
    (sweep,) = desk.json("sweeps", "list")
    stored = desk.run("sweeps", "show", sweep["id"])
    assert [row.split()[:5] for row in stored.stdout.splitlines()] == [
        row.split()[:5] for row in desk.trained.stdout.splitlines()
    ]
    each = desk.run("sweeps", "show", sweep["id"], "--each").stdout.splitlines()
    assert len(each) == 9 and "seed" in each[0]
    assert len(desk.run(*GRID, "--each").stdout.splitlines()) == 9


def test_a_grid_that_is_killed_and_typed_again_does_only_the_rest(desk):
    words = (*GRID, "--store", "killed.db")
    process = desk.start(*words, stderr=subprocess.PIPE)
    for line in process.stderr:
        if line.startswith("lr 0.1 filters 3 seed 0  epoch 1/2"):
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    kept = [run for run in runs(desk, "--store", "killed.db").values() if run["state"] == "completed"]
    assert len(kept) == 2
    again = desk.run(*words)
    assert "2 kept" in again.stderr and "seed 1  epoch 1/2" in again.stderr
    for key, run in runs(desk, "--store", "killed.db").items():
        shown = desk.json("runs", "show", key, "--store", "killed.db")
        assert [timing["epoch"] for timing in shown["timings"]] == [1, 2]
        assert shown["weights_sha256"] == desk.json("runs", "show", key)["weights_sha256"]
        assert run["epochs"] == 2
