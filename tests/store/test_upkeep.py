"""Care for a store: info, check, backup, upgrade."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from helpers.fake_training import carry_out
from helpers.fault_workers import finish, start

from lenetcli.cli.app import main
from lenetcli.errors import NotFoundError, StoreError, UsageError
from lenetcli.experiment.run import RunState
from lenetcli.store import upkeep
from lenetcli.store.store import Store
from lenetcli.store.tables import SCHEMA_VERSION
from lenetcli.store.upkeep import MIGRATIONS, back_up, check_store, inspect_store, upgrade_store

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


def test_a_released_store_is_read_whole(released):
    assert check_store(released) == []
    runs = Store.open(released).runs(sort="lr")
    assert [(run.config.lr, run.state, run.epochs) for run in runs] == [
        (0.01, RunState.COMPLETED, 2),
        (0.1, RunState.COMPLETED, 2),
    ]
    assert [run.config.key for run in runs] == [run.key for run in runs]
    assert Store.open(released).sweeps()[0].values == (0.1, 0.01)
    assert inspect_store(released).counts == ROWS


def test_a_store_of_this_schema_needs_no_upgrade(released):
    before = Path(released).read_bytes()
    assert upgrade_store(released) == (SCHEMA_VERSION, SCHEMA_VERSION, None)
    assert Path(released).read_bytes() == before
    assert [path.name for path in Path(released).parent.iterdir()] == ["s.db"]


def test_the_migrations_make_the_same_tables(tmp_path):
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with create_engine(f"sqlite:///{tmp_path}/migrated.db").begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    Store.open(str(tmp_path / "made.db"), create=True)
    assert schema(tmp_path / "migrated.db") == schema(tmp_path / "made.db")
    Store.open(str(tmp_path / "migrated.db"))


def later_release(tmp_path, *statements):
    """The migrations of a release to come, whose revision 0002 does this."""
    folder = Path(shutil.copytree(MIGRATIONS, tmp_path / "migrations", dirs_exist_ok=True))
    (folder / "versions" / "0002_next.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\nrevision = '0002'\ndown_revision = '0001'\n"
        "def upgrade():\n    with op.batch_alter_table('runs') as table:\n"
        "        table.add_column(sa.Column('tag', sa.String()))\n"
        "        table.alter_column('dataset', new_column_name='name_of_data')\n"
        + "".join(f"    {statement}\n" for statement in statements)
    )
    return folder


def test_an_upgrade_keeps_every_row_and_makes_a_backup(tmp_path, released):
    before = rows(released)
    done = upgrade_store(released, migrations=later_release(tmp_path))
    assert done[:2] == ("0001", "0002")
    assert rows(done[2]) == before
    after = rows(released)
    assert [row[:-1] for row in after["runs"]] == before["runs"]
    assert {table: after[table] for table in ROWS if table != "runs"} == {
        table: before[table] for table in ROWS if table != "runs"
    }
    with pytest.raises(StoreError, match="0002"):
        Store.open(released)


def test_an_upgrade_that_fails_changes_nothing(tmp_path, released):
    before = Path(released).read_bytes()
    with pytest.raises(RuntimeError):
        upgrade_store(released, migrations=later_release(tmp_path, "raise RuntimeError('no')"))
    assert Path(released).read_bytes() == before


def test_an_upgrade_that_would_lose_rows_changes_nothing(tmp_path, released):
    before = Path(released).read_bytes()
    migrations = later_release(tmp_path, "op.execute('DELETE FROM runs')")
    with pytest.raises(StoreError, match="refer"):
        upgrade_store(released, migrations=migrations)
    assert Path(released).read_bytes() == before


def upgrade_in_process(path, migrations):
    upgrade_store(str(path), migrations=migrations)


def test_two_upgrades_at_once_are_harmless(tmp_path, released):
    before = rows(released)
    migrations = later_release(tmp_path)
    assert finish(*(start(upgrade_in_process, released, migrations) for _ in range(3))) == [0, 0, 0]
    assert [row[:-1] for row in rows(released)["runs"]] == before["runs"]
    assert len(list(tmp_path.glob("*.backup"))) == 1


def test_a_backup_of_a_store_in_use(tmp_path, released):
    with closing(sqlite3.connect(released, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM epochs")  # not committed: not in the backup
        back_up(released, tmp_path / "copy.db")
        connection.execute("ROLLBACK")
    assert rows(tmp_path / "copy.db") == rows(released)
    assert check_store(str(tmp_path / "copy.db")) == []


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
    monkeypatch.setattr(upkeep, "COPY_PATIENCE", 0.1)
    with closing(sqlite3.connect(target, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE runs SET dataset = 'written by somebody else'")
        with pytest.raises(UsageError, match="another program"):
            back_up(released, target, overwrite=True)
        connection.execute("COMMIT")
    assert Store.open(str(target)).runs()[0].dataset_name == "written by somebody else"
    back_up(released, target, overwrite=True)
    assert rows(target) == rows(released)


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
    assert check_store(str(target)) == []
    assert rows(target) == rows(released)


def test_a_store_whose_creation_was_killed_is_made_again(tmp_path):
    path = tmp_path / "new.db"
    leave_half_written(path)
    with pytest.raises(NotFoundError):
        Store.open(str(path))
    leave_half_written(path)
    assert carry_out(Store.open(str(path), create=True), [0.1], 1).complete
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
        ("DELETE FROM runs WHERE id = 1", "refers to a missing one"),
        ("DELETE FROM sweep_cells", "without cells"),
    ],
)
def test_a_check_finds(released, statement, trouble):
    with closing(sqlite3.connect(released)) as connection, connection:
        connection.execute(statement)
    found = check_store(released)
    assert any(trouble in text for text in found), found


def test_one_flipped_bit_of_the_weights_is_found(released):
    with closing(sqlite3.connect(released)) as connection, connection:
        (blob,) = connection.execute("SELECT tensors FROM weights WHERE run_id = 1").fetchone()
        changed = blob[:-1] + bytes([blob[-1] ^ 1])
        connection.execute("UPDATE weights SET tensors = ? WHERE run_id = 1", (changed,))
    (trouble,) = check_store(released)
    assert "hash" in trouble


def run_main(capsys, *words):
    with pytest.raises(SystemExit) as left:
        main(list(words))
    printed = capsys.readouterr()
    return left.value.code, printed.out, printed.err


def test_the_commands(capsys, tmp_path, released):
    assert run_main(capsys, "store", "check", "--store", released)[:2] == (0, "The store is sound.\n")
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


def test_an_older_schema_names_the_command(released):
    with closing(sqlite3.connect(released)) as connection, connection:
        connection.execute("UPDATE lenetcli_version SET version_num = '0000'")
    with pytest.raises(StoreError, match="lenetcli store upgrade"):
        Store.open(released)


def test_a_missing_store_is_not_made(tmp_path):
    for work in (inspect_store, check_store, upgrade_store, lambda path: back_up(path, tmp_path / "b.db")):
        with pytest.raises(NotFoundError):
            work(str(tmp_path / "none.db"))
    assert list(tmp_path.iterdir()) == []


def test_no_command_but_upgrade_imports_alembic(released):
    script = f"""
import sys
from lenetcli.cli.app import main
for words in (["runs", "list"], ["store", "info"], ["store", "check"]):
    try:
        main([*words, "--store", {str(released)!r}])
    except SystemExit as left:
        assert left.code == 0
assert "alembic" not in sys.modules and "tensorflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300, capture_output=True)


def test_a_fake_sweep_is_checked_too(tmp_path):
    """Weights that are no safetensors file are said to be damaged."""
    carry_out(Store.open(str(tmp_path / "s.db"), create=True), [0.1], 1)
    assert ["damaged" in text for text in check_store(str(tmp_path / "s.db"))] == [True]
