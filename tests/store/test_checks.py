"""What a store says of itself, checked: by ``store check``, and before it is shown as a result."""

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from helpers.fake_training import carry_out
from hypothesis import given, settings
from hypothesis import strategies as st

from lenetcli.cli.app import main
from lenetcli.errors import StoreError
from lenetcli.store.store import Store
from lenetcli.store.upkeep import check_store, upgrade_store

FIXTURES = Path(__file__).parents[1] / "fixtures"
EXERCISE = FIXTURES / "exercise_0.1.0.db"
SHORT_ID = "309169e5"
"""A run of both sweeps of the exercise: 3 epochs, 60 validation images and as many test images."""


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory):
    """The store of a release, with two sweeps of real training, in the schema of today."""
    path = shutil.copy(EXERCISE, tmp_path_factory.mktemp("upgraded") / "s.db")
    upgrade_store(str(path))
    return path


@pytest.fixture
def exercise(tmp_path, upgraded):
    """A copy of it."""
    return str(shutil.copy(upgraded, tmp_path / "s.db"))


def execute(path, statement, *values):
    with closing(sqlite3.connect(path)) as connection, connection:
        (run_id,) = connection.execute(f"SELECT id FROM runs WHERE key LIKE 'l1:{SHORT_ID}%'").fetchone()  # noqa: S608
        connection.execute(statement.replace("RUN", str(run_id)), values)


def refuse(path, match):
    """That the run is not shown as a result."""
    store = Store.open(path)
    with pytest.raises(StoreError, match=match) as caught:
        store.verify(run for sweep in store.sweeps() for run in sweep.runs)
    assert re.search(r"[Rr]un [0-9a-f]{8}", caught.value.problem)


def test_every_accuracy_of_a_release_is_recomputed():
    check = check_store(str(EXERCISE))
    assert (check.faults, check.runs, check.recomputed, check.unknown, check.tests) == ((), 9, 22, 0, 7)
    store = Store.open(str(EXERCISE))
    store.verify(store.runs())


FORGED = {
    "UPDATE epochs SET val_accuracy = val_accuracy + 1 / 60.0 WHERE run_id = RUN AND epoch = 2": (
        "the validation accuracy of epoch 2 is not what the predictions give"
    ),
    "UPDATE epochs SET val_accuracy = val_accuracy + 1e-12 WHERE run_id = RUN AND epoch = 2": "of epoch 2",
    "UPDATE epochs SET predictions = zeroblob(60) WHERE run_id = RUN": "of epochs 1, 2 and 3 is not what",
    "UPDATE epochs SET predictions = zeroblob(59) WHERE run_id = RUN": "predictions of epochs 1, 2 and 3",
    "UPDATE epochs SET predictions = x'' WHERE run_id = RUN AND epoch = 3": "predictions of epoch 3 are",
    "UPDATE epochs SET predictions = 'text' WHERE run_id = RUN": "predictions of epochs 1, 2 and 3",
    "UPDATE epochs SET val_accuracy = 1.5 WHERE run_id = RUN": "outside 0 to 1 in epochs 1, 2 and 3",
    "UPDATE epochs SET train_loss = -1 WHERE run_id = RUN AND epoch = 1": "a loss below 0 in epoch 1",
    "UPDATE epochs SET val_loss = -1 WHERE run_id = RUN AND epoch = 1": "a loss below 0 in epoch 1",
    "UPDATE epochs SET test_accuracy = 0.123 WHERE run_id = RUN AND epoch = 3": "a share of 60 test images",
    "UPDATE epochs SET test_accuracy = 2 WHERE run_id = RUN AND epoch = 3": "the test accuracy of epoch 3",
    "UPDATE datasets SET validation_labels = zeroblob(59)": "labels of its data set are damaged",
    "UPDATE datasets SET validation_labels = x''": "labels of its data set are damaged",
    "UPDATE datasets SET validation_images = 61": "labels of its data set are damaged",
    "UPDATE datasets SET test_images = 0": "the test accuracy of epoch 3",
    "UPDATE runs SET parameters = 7 WHERE id = RUN": "it is said to have 7 parameters, and has ",
    "UPDATE runs SET seed = 8 WHERE id = RUN": "its id is not that of its configuration",
    "UPDATE timings SET train_seconds = -1 WHERE attempt_id = (SELECT id FROM attempts WHERE run_id = RUN)": (
        "a training time below 0 in epochs 1, 2 and 3"
    ),
}
"""Statements that forge what a run has measured, and what is said of it."""


@pytest.mark.parametrize("statement", FORGED)
def test_what_is_forged_is_found_and_not_shown(exercise, statement):
    execute(exercise, statement)
    assert any(FORGED[statement] in fault for fault in check_store(exercise).faults)
    refuse(exercise, FORGED[statement])


ONE_IMAGE = st.tuples(st.integers(1, 3), st.integers(0, 59), st.integers(1, 255))


@settings(max_examples=25)
@given(ONE_IMAGE)
def test_one_prediction_that_changes_what_is_right_is_found(upgraded, change):
    epoch, image, difference = change
    path = str(shutil.copy(upgraded, upgraded.with_name("forged.db")))
    store = Store.open(path)
    run = store.run(SHORT_ID)
    predictions, labels = store.predictions(run.key, epoch), store.validation_labels(run.config.data)
    forged = bytearray(predictions)
    forged[image] = (forged[image] + difference) % 256
    execute(path, "UPDATE epochs SET predictions = ? WHERE run_id = RUN AND epoch = ?", bytes(forged), epoch)
    was_right, is_right = (one[image] == labels[image] for one in (predictions, forged))
    found = [fault for fault in check_store(path).faults if f"of epoch {epoch}" in fault]
    assert bool(found) == (was_right != is_right or forged[image] > 9)


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE runs SET state = 'x' WHERE id = RUN", f"Run {SHORT_ID}: there is no state 'x'."),
        ("UPDATE runs SET completed_epochs = 4 WHERE id = RUN", f"Run {SHORT_ID}: epochs are missing"),
        ("UPDATE runs SET completed_epochs = 0 WHERE id = RUN", "to have reached no requested end"),
        ("UPDATE runs SET target_epochs = 2 WHERE id = RUN", "more epochs than the 2 that were requested"),
        ("DELETE FROM epochs WHERE run_id = RUN AND epoch = 3", f"Run {SHORT_ID}: epochs are missing"),
        ("DELETE FROM epochs WHERE run_id = RUN AND epoch = 1", f"Run {SHORT_ID}: epochs are missing"),
        ("UPDATE timings SET epoch = 9 WHERE epoch = 3", "times of epoch 9, which nobody requested"),
        ("DELETE FROM timings WHERE epoch = 2", f"Run {SHORT_ID}: the times of epoch 2 are missing"),
        ("DELETE FROM attempts WHERE run_id = RUN", f"Run {SHORT_ID}: its attempt 1 is missing"),
        ("UPDATE epochs SET val_loss = 9e999 WHERE run_id = RUN", f"read: run {SHORT_ID}: val_loss is 'inf'"),
        ("UPDATE runs SET precision = 'x' WHERE id = RUN", f"read: run {SHORT_ID}: 'x' is not a valid"),
        ("UPDATE sweep_cells SET key = 'l1:0' WHERE position = 0", "the id of cell 0 is not that of its"),
        ("UPDATE sweep_cells SET config = '[1]' WHERE position = 0", "A sweep cannot be read: sweep "),
        ("UPDATE sweeps SET key = 'x'||id", "its id is not that of its cells"),
        ("UPDATE datasets SET train_images = 0", "0 images to train on"),
        (
            "UPDATE datasets SET validation_labels = CAST(replace(hex(zeroblob(30)), '00', 'zz') AS BLOB)",
            "a label 122, above",
        ),
        ("DELETE FROM datasets", "rows of data set b7d10328d824, not in the table datasets"),
        ("DROP TABLE epochs", "The table epochs is missing."),
        ("ALTER TABLE epochs DROP COLUMN val_loss", "The table epochs lacks val_loss."),
    ],
)
def test_a_check_finds(exercise, statement, fault):
    execute(exercise, statement)
    faults = check_store(exercise).faults
    assert any(fault in text for text in faults), faults


@pytest.mark.parametrize(
    ("statement", "fault", "advice"),
    [
        (
            "DELETE FROM epochs WHERE epoch = 1",
            "epochs are missing from its curve",
            "the command that trained it trains it again",
        ),
        (
            "DELETE FROM timings WHERE epoch = 2",
            "the times of epoch 2 are missing",
            "with --remeasure they are measured again",
        ),
    ],
)
def test_only_a_run_of_the_recipe_of_today_can_be_mended(tmp_path, exercise, statement, fault, advice):
    execute(exercise, statement)
    assert f"Run {SHORT_ID}: {fault}." in check_store(exercise).faults
    store = Store.open(str(tmp_path / "today.db"), write=True)
    carry_out(store, [0.1], 3)
    with closing(sqlite3.connect(store.name)) as connection, connection:
        connection.execute(statement)
    (run,) = store.runs()
    assert f"Run {run.short_id}: {fault}; {advice}." in check_store(store.name).faults


def test_what_cannot_be_recomputed_is_counted(exercise):
    execute(exercise, "DELETE FROM datasets")
    check = check_store(exercise)
    assert (check.recomputed, check.unknown) == (0, 22)
    store = Store.open(exercise)
    store.verify(store.runs())  # nothing contradicts them


COMMANDS = [
    ("report", "-o", "report.pdf"),
    ("report", "-o", "report.typ"),
    ("report", "--verify", str(FIXTURES / "exercise_0.1.0.pdf")),
    ("plot", "lr"),
    ("plot", "lr", "--metric", "val_loss", "--data", "lr.csv"),
    ("plot", "runtime"),
    ("plot", "filters", "--terminal"),
    ("plot", "lr", "--runs", SHORT_ID),
    ("plot", "runtime", "--runs", SHORT_ID),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_output_is_made_of_a_forged_run(capsys, monkeypatch, tmp_path, exercise, words):
    execute(exercise, "UPDATE epochs SET val_accuracy = 0.9 WHERE run_id = RUN AND epoch = 3")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main([*words, "--store", exercise])
    assert left.value.code == 4
    assert f"Run {SHORT_ID} is damaged" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["s.db"]
