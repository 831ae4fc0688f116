"""Care for a store: info, check, backup, upgrade."""

import itertools
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from helpers.fake_training import carry_out
from helpers.fault_workers import finish, start
from sqlalchemy import Engine, event

from lenetcli.cli.app import main
from lenetcli.errors import NotFoundError, StoreError, UsageError
from lenetcli.experiment.run import RunState
from lenetcli.experiment.sweep import Axis
from lenetcli.store import sqlite
from lenetcli.store.schema import MIGRATIONS
from lenetcli.store.store import Store
from lenetcli.store.tables import SCHEMA_VERSION
from lenetcli.store.upkeep import back_up, check_store, inspect_store, upgrade_store

FIXTURE = Path(__file__).parents[1] / "fixtures" / "store_0001.db"
ROWS = {
    "datasets": 1,
    "sweeps": 1,
    "runs": 2,
    "sweep_cells": 2,
    "attempts": 2,
    "epochs": 4,
    "weights": 2,
    "timings": 4,
}


@pytest.fixture
def released(tmp_path):
    """A store as the first release wrote it, with weights of real training."""
    return str(shutil.copy(FIXTURE, tmp_path / "s.db"))


@pytest.fixture
def upgraded(released):
    """The same store with the schema of today."""
    upgrade_store(released)[2].unlink()
    return released


def rows(path):
    with closing(sqlite3.connect(path)) as connection:
        return {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()  # noqa: S608
            for table in ROWS
        }


def schema(path):
    """Tables and indexes with all their columns, in an order of their own."""
    # SQLAlchemy makes a table's indexes in no order, and SQLite counts them as they come.
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute(
            "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1, 2"
        ).fetchall()
        return [
            (
                kind,
                name,
                [
                    connection.execute(f"PRAGMA {pragma}('{name}')").fetchall()
                    for pragma in ("table_info", "foreign_key_list", "index_info")
                ]
                + [sorted(index[1:] for index in connection.execute(f"PRAGMA index_list('{name}')"))],
            )
            for kind, name in names
        ]


def check_content(path):
    """What the store of the first release holds, by whatever schema it is read."""
    assert check_store(path).faults == ()
    runs = Store.open(path).runs(sort="lr")
    assert [(run.config.lr, run.state, run.epochs) for run in runs] == [
        (0.01, RunState.COMPLETED, 2),
        (0.1, RunState.COMPLETED, 2),
    ]
    assert [run.config.key for run in runs] == [run.key for run in runs]
    (sweep,) = Store.open(path).sweeps()
    assert sweep.axes == (Axis("lr", (0.1, 0.01)),)
    assert Store.open(path).find_request(sweep.request, sweep.axes).id == sweep.id
    assert inspect_store(path).counts == ROWS | {"measurements": 0}


def test_a_store_of_the_first_schema_is_read_as_it_is(released):
    before = Path(released).read_bytes()
    check_content(released)
    assert inspect_store(released).schema == "0001"
    assert Path(released).read_bytes() == before
    with pytest.raises(StoreError, match="lenetcli store upgrade"):
        Store.open(released, write=True)


def test_an_upgrade_keeps_every_row_and_makes_a_backup(released):
    before, runs = rows(released), Store.open(released).runs()
    was, now, backup, faults = upgrade_store(released)
    assert faults == ()
    assert (was, now) == ("0001", SCHEMA_VERSION)
    assert rows(backup) == before
    check_content(released)
    assert Store.open(released).runs() == runs
    assert inspect_store(released).schema == SCHEMA_VERSION
    after = rows(released)
    for table in ("epochs", "weights"):
        assert after[table] == before[table]
    assert after["datasets"] == [(*row, None) for row in before["datasets"]]


def test_an_upgraded_store_has_the_tables_of_a_new_one(tmp_path, upgraded):
    carry_out(Store.open(str(tmp_path / "made.db"), write=True), [0.1], 1)
    assert schema(upgraded) == schema(tmp_path / "made.db")


def test_a_store_of_this_schema_needs_no_upgrade(upgraded):
    before = Path(upgraded).read_bytes()
    assert upgrade_store(upgraded) == (SCHEMA_VERSION, SCHEMA_VERSION, None, ())
    assert Path(upgraded).read_bytes() == before
    assert [path.name for path in Path(upgraded).parent.iterdir()] == ["s.db"]


def test_an_upgraded_store_never_gives_out_the_id_of_a_deleted_run(released):
    with closing(sqlite3.connect(released)) as connection, connection:
        (largest,) = connection.execute("SELECT max(id) FROM runs").fetchone()
        connection.execute("DELETE FROM runs WHERE id = ?", (largest,))  # its epochs stay
    upgrade_store(released)
    carry_out(Store.open(released, write=True), [0.5], 1)
    with closing(sqlite3.connect(released)) as connection:
        assert connection.execute("SELECT id FROM runs ORDER BY id DESC").fetchone() == (largest + 1,)


def damaging(tmp_path, statement):
    """The migrations, of which the last also does this."""
    folder = Path(shutil.copytree(MIGRATIONS, tmp_path / "migrations"))
    with (folder / "versions" / "0003_measurements.py").open("a") as stream:
        stream.write(f"\n\ngood_part = upgrade\n\ndef upgrade():\n    good_part()\n    {statement}\n")
    return folder


def test_an_upgrade_that_fails_changes_nothing(tmp_path, released):
    before = Path(released).read_bytes()
    with pytest.raises(RuntimeError):
        upgrade_store(released, migrations=damaging(tmp_path, "raise RuntimeError('no')"))
    assert Path(released).read_bytes() == before


def test_an_upgrade_that_would_lose_rows_changes_nothing(tmp_path, released):
    before = Path(released).read_bytes()
    with pytest.raises(StoreError, match="refer"):
        upgrade_store(released, migrations=damaging(tmp_path, "op.execute('DELETE FROM runs')"))
    assert Path(released).read_bytes() == before


def upgrade_until(path, count):
    """Upgrade a store; before this change (from 1; the commit is the last) the process is killed."""
    changes = itertools.count(1)

    def die(*_arguments):
        if next(changes) == count:
            os.kill(os.getpid(), signal.SIGKILL)

    @event.listens_for(Engine, "before_cursor_execute")
    def execute(_connection, _cursor, statement, *_arguments):
        if not statement.startswith(("SELECT", "PRAGMA")):
            die()

    @event.listens_for(Engine, "connect")
    def connect(connection, _record):
        connection.execute("PRAGMA cache_size = 1")  # what is changed goes into the file at once

    event.listen(Engine, "commit", die)
    upgrade_store(path)


def test_an_upgrade_that_is_killed_at_any_change_leaves_the_store_as_it_was(tmp_path, released):
    before = rows(released)
    journals = 0
    for count in itertools.count(1):
        copy = str(shutil.copy(released, tmp_path / "killed.db"))
        (code,) = finish(start(upgrade_until, copy, count))
        if code == 0:
            break
        assert code == -signal.SIGKILL
        journals += Path(f"{copy}-journal").exists()
        assert rows(copy) == before
        with closing(sqlite3.connect(copy)) as connection:
            assert connection.execute("SELECT * FROM lenetcli_version").fetchall() == [("0001",)]
    assert journals > 30
    check_content(copy)
    assert inspect_store(copy).schema == SCHEMA_VERSION


def test_two_upgrades_at_once_are_harmless(tmp_path, released):
    assert finish(*(start(upgrade_until, released, 0) for _ in range(3))) == [0, 0, 0]
    check_content(released)
    assert len(list(tmp_path.glob("*.backup"))) == 1


def test_a_backup_of_a_store_in_use(tmp_path, released):
    with closing(sqlite3.connect(released, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM epochs")  # not committed: not in the backup
        back_up(released, tmp_path / "copy.db")
        connection.execute("ROLLBACK")
    assert rows(tmp_path / "copy.db") == rows(released)
    assert check_store(str(tmp_path / "copy.db")).faults == ()


def test_a_backup_overwrites_nothing_silently(tmp_path, released):
    target = tmp_path / "copy.db"
    back_up(released, target)
    with pytest.raises(UsageError, match="already"):
        back_up(released, target)
    for overwrite in (True, False):
        with pytest.raises(UsageError, match="itself"):
            back_up(released, Path(released), overwrite=overwrite)
        for place in (tmp_path, tmp_path / "nowhere" / "copy.db"):
            with pytest.raises(UsageError):
                back_up(released, place, overwrite=overwrite)
    (tmp_path / "precious").write_text("no database at all")
    with pytest.raises(UsageError, match="not a database"):
        back_up(released, tmp_path / "precious", overwrite=True)
    assert (tmp_path / "precious").read_text() == "no database at all"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "precious", "s.db"]


def test_a_backup_over_a_store_that_others_use(tmp_path, released, monkeypatch):
    target = tmp_path / "used.db"
    shutil.copy(released, target)
    monkeypatch.setattr(sqlite, "COPY_PATIENCE", 0.1)
    with closing(sqlite3.connect(target, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE runs SET dataset = 'written by somebody else'")
        with pytest.raises(UsageError, match="another program"):
            back_up(released, target, overwrite=True)
        connection.execute("COMMIT")
    assert Store.open(str(target)).runs()[0].dataset_name == "written by somebody else"
    back_up(released, target, overwrite=True)
    assert rows(target) == rows(released)


DAMAGE = "UPDATE epochs SET val_accuracy = 0.123 WHERE epoch = 2"


def damage(path, statement=DAMAGE):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def test_a_damaged_store_is_copied_to_be_rescued_and_that_is_said(tmp_path, capsys, released):
    damage(released)
    code, out, err = run_main(capsys, "store", "backup", str(tmp_path / "b.db"), "--store", released)
    assert (code, out.count("the validation accuracy of epoch 2")) == (1, 2)
    assert "damaged store, with 2 faults" in err
    assert rows(tmp_path / "b.db") == rows(released)


def test_a_damaged_store_is_not_copied_over_a_good_one(tmp_path, capsys, released):
    target = tmp_path / "b.db"
    words = ("store", "backup", str(target), "--overwrite", "--store", released)
    assert run_main(capsys, *words)[0] == 0
    good = target.read_bytes()
    damage(released)
    code, _, err = run_main(capsys, *words)
    assert (code, "it was left as it is" in err) == (4, True)
    assert target.read_bytes() == good


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_store_is_not_backed_up(tmp_path, overwrite):
    other, target = tmp_path / "other.db", tmp_path / "b.db"
    damage(other, "CREATE TABLE runs (id INTEGER PRIMARY KEY)")
    if overwrite:
        target.touch()
    with pytest.raises(StoreError, match="database of another program"):
        back_up(str(other), target, overwrite=overwrite)
    assert target.exists() == overwrite and (not overwrite or target.read_bytes() == b"")


def test_a_store_that_cannot_be_checked_is_copied_and_that_is_said(tmp_path, upgraded):
    damage(upgraded, "UPDATE lenetcli_version SET version_num = '9999'")
    (fault,) = back_up(upgraded, tmp_path / "b.db")
    assert "has schema 9999" in fault
    assert rows(tmp_path / "b.db") == rows(upgraded)


def test_a_damaged_page_is_said_of_a_copy(tmp_path, upgraded):
    with closing(sqlite3.connect(upgraded)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_sweeps_asked'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with Path(upgraded).open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(bytes(size))
    assert check_store(upgraded).faults[0].startswith("The file")
    assert back_up(upgraded, tmp_path / "b.db") == check_store(upgraded).faults


def test_an_upgrade_says_what_was_damaged_before(capsys, released):
    damage(released)
    damage(released, "DELETE FROM runs WHERE id = 1")
    code, out, err = run_main(capsys, "store", "upgrade", "--store", released)
    assert (code, "the store as it was is in" in err, "before the upgrade" in err) == (1, True, True)
    assert "The table epochs has 2 rows of run number 1" in out
    assert inspect_store(released).schema == SCHEMA_VERSION


def test_a_second_name_is_a_fault_and_a_backup_the_way_out(tmp_path, upgraded):
    os.link(upgraded, tmp_path / "second.db")
    (fault,) = check_store(upgraded).faults
    assert "has 2 names (hard links)" in fault and "lenetcli store backup NEW" in fault
    assert back_up(upgraded, tmp_path / "b.db") == ()
    assert check_store(str(tmp_path / "b.db")).faults == ()


HALF_WRITTEN = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("CREATE TABLE much (x)")
connection.execute("WITH n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 500) "
                   "INSERT INTO much SELECT randomblob(500) FROM n")
os._exit(0)
"""
"""Leaves a file with pages of a transaction that never ended, and the journal to take them back."""


def leave_half_written(path):
    subprocess.run([sys.executable, "-c", HALF_WRITTEN, str(path)], check=True, timeout=300)
    assert Path(f"{path}-journal").stat().st_size


def test_a_backup_over_what_a_killed_process_left(tmp_path, released):
    target = tmp_path / "left.db"
    shutil.copy(released, target)
    leave_half_written(target)
    back_up(released, target, overwrite=True)
    assert check_store(str(target)).faults == ()
    assert rows(target) == rows(released)


def test_a_store_whose_creation_was_killed_is_made_again(tmp_path):
    path = tmp_path / "new.db"
    leave_half_written(path)
    with pytest.raises(NotFoundError):
        Store.open(str(path))
    leave_half_written(path)
    assert carry_out(Store.open(str(path), write=True), [0.1], 1).complete
    assert [run.epochs for run in Store.open(str(path)).runs()] == [1]


def test_a_backup_where_there_are_no_hard_links(tmp_path, released, monkeypatch):
    def refuse(*_paths):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    back_up(released, tmp_path / "copy.db")
    assert rows(tmp_path / "copy.db") == rows(released)
    with pytest.raises(UsageError, match="already"):
        back_up(released, tmp_path / "copy.db")


@pytest.mark.parametrize(
    ("statement", "trouble"),
    [
        ("UPDATE weights SET tensors = zeroblob(length(tensors))", "damaged"),
        ("UPDATE weights SET sha256 = 'x'", "hash"),
        ("UPDATE weights SET epoch = 1", "weights are those of epoch 1"),
        ("DELETE FROM weights", "weights are missing"),
        ("DELETE FROM epochs WHERE epoch = 1", "epochs are missing"),
        ("UPDATE runs SET lr = 0.5", "id"),
        (
            "DELETE FROM runs WHERE id = 1",
            "The table epochs has 2 rows of run number 1, not in the table runs",
        ),
        ("DELETE FROM sweep_cells", "without all of its cells"),
    ],
)
def test_a_check_finds(upgraded, statement, trouble):
    with closing(sqlite3.connect(upgraded)) as connection, connection:
        connection.execute(statement)
    found = check_store(upgraded).faults
    assert any(trouble in text for text in found), found


def test_one_flipped_bit_of_the_weights_is_found(released):
    with closing(sqlite3.connect(released)) as connection, connection:
        (blob,) = connection.execute("SELECT tensors FROM weights WHERE run_id = 1").fetchone()
        changed = blob[:-1] + bytes([blob[-1] ^ 1])
        connection.execute("UPDATE weights SET tensors = ? WHERE run_id = 1", (changed,))
    (trouble,) = check_store(released).faults
    assert "hash" in trouble


SOUND = (
    "The store is sound: 2 runs, 4 validation accuracies recomputed from predictions, 0 could not be; for "
    "the test accuracies (2) no predictions are stored.\n"
)


def run_main(capsys, *words):
    with pytest.raises(SystemExit) as left:
        main(list(words))
    printed = capsys.readouterr()
    return left.value.code, printed.out, printed.err


def test_the_commands(capsys, tmp_path, released):
    assert run_main(capsys, "store", "check", "--store", released)[:2] == (0, SOUND)
    assert '"runs": 2' in run_main(capsys, "store", "info", "--json", "--store", released)[1]
    assert run_main(capsys, "store", "backup", str(tmp_path / "b.db"), "--store", released)[0] == 0
    assert run_main(capsys, "store", "backup", str(tmp_path / "b.db"), "--store", released)[0] == 2
    assert run_main(capsys, "store", "upgrade", "--store", released)[0] == 0
    for command in ("info", "check", "upgrade"):
        assert run_main(capsys, "store", command, "--store", str(tmp_path / "none.db"))[0] == 3
    assert not (tmp_path / "none.db").exists()
    with closing(sqlite3.connect(released)) as connection, connection:
        connection.execute("UPDATE weights SET sha256 = 'x'")
    code, out, err = run_main(capsys, "store", "check", "--store", released)
    assert (code, out.count("hash")) == (1, 2)
    assert "2 faults" in err


def test_a_newer_schema_names_what_to_do(upgraded):
    with closing(sqlite3.connect(upgraded)) as connection, connection:
        connection.execute("UPDATE lenetcli_version SET version_num = ?", (f"{int(SCHEMA_VERSION) + 1:04}",))
    for write in (False, True):
        with pytest.raises(StoreError, match="newer one"):
            Store.open(upgraded, write=write)
    with pytest.raises(StoreError, match="newer one"):
        upgrade_store(upgraded)


def test_a_missing_store_is_not_made(tmp_path):
    for work in (inspect_store, check_store, upgrade_store, lambda path: back_up(path, tmp_path / "b.db")):
        with pytest.raises(NotFoundError):
            work(str(tmp_path / "none.db"))
    assert list(tmp_path.iterdir()) == []


def test_no_command_imports_alembic_for_a_store_of_this_schema(upgraded):
    script = f"""
import sys
from lenetcli.cli.app import main
for words in (["runs", "list"], ["store", "info"], ["store", "check"]):
    try:
        main([*words, "--store", {str(upgraded)!r}])
    except SystemExit as left:
        assert left.code == 0
assert "alembic" not in sys.modules and "tensorflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300, capture_output=True)


def test_a_fake_sweep_is_checked_too(tmp_path):
    """Weights that are no safetensors file are said to be damaged."""
    carry_out(Store.open(str(tmp_path / "s.db"), write=True), [0.1], 1)
    assert ["damaged" in text for text in check_store(str(tmp_path / "s.db")).faults] == [True]


def test_a_backup_to_a_place_that_takes_none(tmp_path, released, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("text").write_text("Dear diary")
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    Path("folder").mkdir()
    refusals = {
        "folder": "is a folder",
        "pipe": "not an ordinary file",
        "text": "not a database",
        "text/b.db": "Not a directory",
        "none/b.db": "no folder",
        "loop": "symbolic links",
        "b" * 260: "too long",
        "b\0": "null byte",
    }
    before = sorted(tmp_path.iterdir())
    for name, problem in refusals.items():
        with pytest.raises(UsageError, match=problem):
            back_up(released, Path(name), overwrite=True)
    assert sorted(tmp_path.iterdir()) == before
    assert Path("text").read_text() == "Dear diary"


@pytest.mark.parametrize("ending", ["-journal", "-wal"])
def test_a_backup_where_a_journal_lies_that_would_ruin_it(tmp_path, released, ending):
    """SQLite applies the journal of a database that was deleted to the next one of its name."""
    journal = tmp_path / f"copy.db{ending}"
    journal.touch()
    with pytest.raises(UsageError, match=f"{journal.name}' is the journal"):
        back_up(released, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
    journal.unlink()
    back_up(released, tmp_path / "copy.db")
    assert rows(tmp_path / "copy.db") == rows(released)
