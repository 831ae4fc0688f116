"""A store and a report of release 0.1.0: opened, continued, checked and verified by this version.

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
from pathlib import Path

import pytest
from helpers.command import Desk
from helpers.small_data import write_idx
from pypdf import PdfReader, PdfWriter

from lenetcli.experiment.run import RunState
from lenetcli.output.report.verification import Verification, verify
from lenetcli.store.store import Store
from lenetcli.store.upkeep import check_store

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
ROUNDING = 1e-4
"""Of a loss. Another order of summation changes these curves by 1e-7, a unit that rounding puts on the other
side of zero by 1e-6, another seed by 3e-3."""


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


def losses(run):
    return [loss for point in run.curve for loss in (point.train_loss, point.val_loss)]


def test_it_opens_and_is_sound():
    store = open_released()
    assert {run.id[:8]: (run.state, run.epochs) for run in store.runs()} == RUNS
    assert [run.config.key for run in store.runs()] == [run.key for run in store.runs()]
    assert {sweep.id: (sweep.parameter, sweep.values) for sweep in store.sweeps()} == SWEEPS
    assert check_store(store.name).faults == ()


def test_the_released_report_follows_from_it():
    report = FIXTURES / "exercise_0.1.0.pdf"
    assert verify(open_released(), report) == Verification((), rendered=False, older=True)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        (b"works best|shows the highest", b"has the highest", "learning_rates.statements[1].text"),
        (b'"lead": 0.0999', b'"lead": 0.0998', "learning_rates.statements[2].numbers.lead"),
        (b'"margin": 0.9588', b'"margin": 0.9598', "learning_rates.statements[2].numbers.margin"),
        (rb"0.0711 \(", b"0.0712 (", "filters.rows[1][3]"),
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
    (difference,) = verify(open_released(), tmp_path / "changed.pdf").differences
    assert difference.startswith(f"{place}: the report says")


def test_an_older_report_is_said_to_be_one(desk):
    shutil.copy(FIXTURES / "exercise_0.1.0.pdf", desk.folder / "report.pdf")
    verified = desk.run("report", "--verify", "report.pdf")
    assert "An older lenetcli made report.pdf" in verified.stderr
    assert "Every statement of report.pdf follows from the store" in verified.stdout


def test_what_is_done_is_not_trained_again(desk):
    rates = desk.run("sweep", "lr", "0.1", "0.01", "--seeds", "2", "--filters", "4", "--epochs", "3", *COMMON)
    assert "4 kept" in rates.stderr
    assert "3 kept" in desk.run("sweep", "filters", "2", "4", "6", "--epochs", "3", *COMMON).stderr


def test_the_interrupted_run_goes_on(desk):
    words = ("train", "--seed", "7", "--filters", "4", "--epochs", "6", *COMMON, "--batch-size", "1")
    assert "goes on after epoch 2" in desk.run(*words).stderr
    run = desk.json("runs", "show", "3682aaaf")
    assert (run["state"], run["epochs"]) == ("completed", 6)
    assert check_store(str(desk.folder / "lenetcli.db")).faults == ()


def test_a_run_trained_anew_has_the_released_curve(desk):
    desk.run("train", "--filters", "4", "--epochs", "3", *COMMON, "--store", "anew.db")
    released = open_released().run("309169e5")
    anew = Store.open(str(desk.folder / "anew.db")).run("309169e5")
    assert losses(anew) == pytest.approx(losses(released), rel=ROUNDING)
    assert anew.epochs == released.epochs


def test_another_seed_is_further_away_than_rounding():
    one, other = (losses(open_released().run(short_id)) for short_id in ("309169e5", "2ce17b3e"))
    assert one != pytest.approx(other, rel=10 * ROUNDING)
