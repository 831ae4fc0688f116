"""A store and a report of release 0.1.0: opened, shown, left, checked and verified by this version.

``fixtures/exercise_0.1.0.db`` and ``.pdf`` were made by release 0.1.0 (commit 3bee2ab) in a folder with
``write_idx(Path("digits"), 360, 60)``, each command with ``COMMON``; host and machine are anonymous:

    lenetcli sweep lr 0.1 0.01 --seeds 2 --filters 4 --epochs 3
    lenetcli sweep filters 2 4 6 --epochs 3
    lenetcli train --momentum 0.9 --lr 0.05 --filters 3 --epochs 2
    lenetcli train --lr 1e30 --filters 2 --epochs 3
    lenetcli train --filters 2 --epochs 2 --remeasure
    lenetcli train --seed 7 --filters 4 --epochs 6 --batch-size 1     (interrupted after epoch 2)
    lenetcli report --title "The exercise in small"
"""

import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.command import Desk
from helpers.small_data import write_idx
from pypdf import PdfReader, PdfWriter

from lenetcli.experiment.config import RECIPE, Request, Settings
from lenetcli.experiment.datasets import Counts
from lenetcli.experiment.run import RunState
from lenetcli.output.report.document import read_document
from lenetcli.output.report.verification import Outcome, verify
from lenetcli.store.store import Store
from lenetcli.store.upkeep import check_store
from lenetcli.training.requests import resolve

FIXTURES = Path(__file__).parents[1] / "fixtures"
COMMON = ("--data", "digits", "--hidden-units", "16", "--batch-size", "32", "--device", "cpu")
SWEEPS = {
    "47c1ee4cb9c2833914042a2ea549b563b801e39bd7dc5bc2107a1ef3132c7349": ("filters", (2, 4, 6)),
    "a1bd868f763b563d46c8571c4029384d3656fc0f3714b5e65b791e32e8d9e540": ("lr", (0.1, 0.01)),
}
RUNS = {
    "309169e5": (RunState.COMPLETED, 3),
    "2ce17b3e": (RunState.COMPLETED, 3),
    "b04be781": (RunState.COMPLETED, 3),
    "80547054": (RunState.COMPLETED, 3),
    "5a5766f8": (RunState.COMPLETED, 3),
    "3b794b9a": (RunState.COMPLETED, 3),
    "a8aff217": (RunState.COMPLETED, 2),
    "abe0eaad": (RunState.DIVERGED, 0),
    "3682aaaf": (RunState.INTERRUPTED, 2),
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with the released store and its data."""
    desk = Desk(tmp_path_factory.mktemp("released"))
    write_idx(desk.folder / "digits", 360, 60)
    shutil.copy(FIXTURES / "exercise_0.1.0.db", desk.folder / "lenetcli.db")
    desk.run("store", "upgrade")
    return desk


def open_released():
    return Store.open(str(FIXTURES / "exercise_0.1.0.db"))


def test_it_opens_and_is_sound():
    store = open_released()
    assert {run.id[:8]: (run.state, run.epochs) for run in store.runs()} == RUNS
    assert [run.config.key for run in store.runs()] == [run.key for run in store.runs()]
    assert {sweep.id: (sweep.parameter, sweep.values) for sweep in store.sweeps()} == SWEEPS
    assert check_store(store.name).faults == ()


def test_the_released_report_follows_from_it():
    report = FIXTURES / "exercise_0.1.0.pdf"
    found = verify(open_released(), read_document(report), "report")
    assert (found.outcome, found.differences, found.notes) == (Outcome.TEXT_UNCHECKED, (), ())
    assert "Its pages have the texts of its facts." in found.checked


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('"1–3"'.encode(), '"1–2"'.encode(), "learning_rates.rows[2][3]"),
        (b'"id": "309169e5', b'"id": "309169e6', "runs[1].id"),
        (b"AMD EPYC, 2 threads", b"AMD EPYC, 4 threads", "setup[4][2]"),
    ],
)
def test_what_an_older_report_states_wrongly_is_named(tmp_path, old, new, place):
    facts = PdfReader(FIXTURES / "exercise_0.1.0.pdf").attachments["facts.json"][0]
    changed, count = re.subn(old, new, facts)
    assert count == 1
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.add_attachment("facts.json", changed)
    writer.write(tmp_path / "changed.pdf")
    (difference,) = verify(open_released(), read_document(tmp_path / "changed.pdf"), "report").differences
    assert difference.startswith(f"{place}: the report says")


def test_an_older_report_is_said_to_be_one(desk):
    shutil.copy(FIXTURES / "exercise_0.1.0.pdf", desk.folder / "report.pdf")
    verified = desk.run("report", "--verify", "report.pdf", code=6)
    assert (
        "Another version of lenetcli made it: its sentences and figures were not checked." in verified.stdout
    )
    assert "the numbers of all runs follow from the store" in verified.stdout
    assert "Error: report.pdf agrees with the store lenetcli.db as far as it was checked" in verified.stderr


def test_recipe_1_is_known_by_its_keys():
    """What was typed has the key that release 0.1.0 gave it; none of the runs had ``--shards``."""
    for run in open_released().runs():
        typed = {one.name: getattr(run.config, one.name) for one in fields(Settings)}
        request = Request(**typed | {"data": None, "device": "auto", "shards": None})
        source = SimpleNamespace(sha256=run.config.data, counts=Counts(300, 60, 60))
        assert resolve(request, source, run.config.device, recipe=1).key == run.key
        assert resolve(request, source, run.config.device).key != run.key


RATES = ("sweep", "lr", "0.1", "0.01", "--seeds", "2", "--filters", "4", "--epochs", "3", *COMMON)


def test_what_is_done_is_shown_as_it_was_trained(desk):
    rates = desk.run(*RATES)
    assert "The recipe has changed since this was trained: --anew trains it under recipe 2.\n" in rates.stderr
    assert "4 kept" in rates.stderr
    assert "3 kept" in desk.run("sweep", "filters", "2", "4", "6", "--epochs", "3", *COMMON).stderr
    single = desk.run(
        "train", "--momentum", "0.9", "--lr", "0.05", "--filters", "3", "--epochs", "2", *COMMON
    )
    assert "--anew" in single.stderr and "a8aff217" in single.stdout
    assert len(desk.json("runs", "list", "--all")) == len(RUNS)


def test_what_is_done_is_not_measured_again(desk):
    for words in (RATES, ("train", "--filters", "2", "--epochs", "2", *COMMON)):
        refused = desk.run(*words, "--remeasure", code=2)
        assert "of recipe 1, which this lenetcli no longer computes" in refused.stderr
        assert "under recipe 2 with --anew" in refused.stderr


def test_the_interrupted_run_is_left_as_it_is(desk):
    common = ("1" if word == "32" else word for word in COMMON)
    words = ("train", "--seed", "7", "--filters", "4", "--epochs", "6", *common)
    told = "Run 3682aaaf of recipe 1 is left as it is: 2 of 6 epochs; lenetcli 0.1 can finish it"
    assert told in desk.run(*words).stderr
    left = desk.json("runs", "show", "3682aaaf")
    assert (left["state"], left["epochs"], len(left["attempts"])) == ("interrupted", 2, 1)
    again = desk.run(*words).stderr
    assert "recipe" not in again and "1 kept" in again


def test_anew_trains_under_the_present_recipe_beside_what_was_done(desk):
    before = {run.key: run for run in Store.open(str(desk.folder / "lenetcli.db")).runs()}
    assert "4 trained" in desk.run(*RATES, "--anew").stderr
    store = Store.open(str(desk.folder / "lenetcli.db"))
    anew = [run for run in store.runs() if run.key not in before]
    assert [(run.config.recipe, run.epochs) for run in anew] == [(RECIPE, 3)] * 4
    assert store.find(list(before)) == before
    assert check_store(store.name).faults == ()
    for words in ((), ("--anew",)):
        again = desk.run(*RATES, *words, "--each")
        assert "4 kept" in again.stderr and "recipe" not in again.stderr
        assert {run.short_id for run in anew} <= set(again.stdout.split())


def test_a_time_that_0_1_0_measured_while_the_clock_was_set_is_no_time(tmp_path):
    shutil.copy(FIXTURES / "exercise_0.1.0.db", tmp_path / "lenetcli.db")
    with closing(sqlite3.connect(tmp_path / "lenetcli.db")) as connection, connection:
        found = "SELECT id FROM attempts WHERE run_id = (SELECT id FROM runs WHERE key LIKE 'l1:309169e5%')"
        wrong = "UPDATE timings SET train_seconds = ?, clock_set = 1 WHERE epoch = ? AND attempt_id IN"
        connection.execute(f"{wrong} ({found})", (-3596.7, 2))
        connection.execute(f"{wrong} ({found})", (3603.3, 3))
    desk = Desk(tmp_path)
    run = desk.json("runs", "show", "309169e5")
    assert run["runtime_seconds"] is None and run["contended"]
    assert [point["train_seconds"] is None for point in run["curve"]] == [False, True, True]
    assert [timing["train_seconds"] is None for timing in run["timings"]] == [False, True, True]
    shown = desk.run("runs", "show", "309169e5")
    assert re.search(r"runtime +–\* of training alone", shown.stdout)
    assert "360" not in shown.stdout and "-359" not in shown.stdout
    assert "* the clock was set" in shown.stderr and "--remeasure" not in shown.stderr  # an older recipe
    stored = Store.open(str(tmp_path / "lenetcli.db")).run("309169e5")
    assert stored.typical_runtime == 3 * stored.timings[0].train_seconds
