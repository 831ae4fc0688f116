"""Storage that fails, stores that are damaged, and many runs in one process."""

import random
import sqlite3
import sys
from contextlib import closing, suppress
from dataclasses import replace

import pytest
from helpers import failing_vfs
from helpers.fake_training import carry_out
from helpers.fault_checks import check_file, check_reported, check_whole, reported
from helpers.fault_workers import (
    LONG,
    finish,
    processes,
    run_without_descriptors,
    soak,
    start,
    sweep,
    sweep_on_a_failing_disk,
    sweep_with_a_small_file,
)
from helpers.made_up import BASE

from lenetcli.errors import LenetError, NotFoundError, StoreError
from lenetcli.experiment.run import RunState
from lenetcli.store.store import Store
from lenetcli.store.upkeep import back_up, check_store, inspect_store, upgrade_store

RATES = [0.1, 0.01]


def make_store(path, rates=RATES, epochs=3):
    store = Store.open(str(path), write=True)
    carry_out(store, rates, epochs)
    return store


@pytest.mark.skipif(not failing_vfs.AVAILABLE, reason="this Python hides its SQLite")
@pytest.mark.parametrize("trouble", failing_vfs.TROUBLES)
def test_a_disk_that_fails(tmp_path, trouble):
    """4: from its Nth operation on a disk fails; the store stays whole, the command resumable."""
    step = 7 if "write" in failing_vfs.TROUBLES[trouble] and not LONG else 1
    assert finish(start(sweep_on_a_failing_disk, tmp_path, RATES, trouble, step)) == [0]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_file_that_may_not_grow(tmp_path):
    """4: the same with the real file system, which refuses to make a file larger."""
    make_store(tmp_path / "whole.db", epochs=1)
    size = (tmp_path / "whole.db").stat().st_size
    codes = []
    for limit in range(4096, size + 4096, 4096 if LONG else size // 2):
        path, log = tmp_path / f"{limit}.db", tmp_path / f"{limit}.log"
        codes += finish(start(sweep_with_a_small_file, path, RATES, log, limit))
        if path.stat().st_size:
            check_file(path)
            check_reported(path, log)
        assert finish(start(sweep, path, RATES, 1, log)) == [0]
        check_reported(path, log)
        check_whole(path, RATES, 1)
    assert StoreError.exit_code in codes
    assert set(codes) <= {0, StoreError.exit_code}


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_too_many_open_files(tmp_path):
    """4: a process that can open almost no file leaves a store that is whole."""
    for spare in range(0, 12, 1 if LONG else 3):
        path, log = tmp_path / f"{spare}.db", tmp_path / f"{spare}.log"
        (code,) = finish(start(run_without_descriptors, path, RATES, 2, log, spare))
        assert code in (0, 1, StoreError.exit_code, 99)
        assert finish(start(sweep, path, RATES, 2, log)) == [0]
        assert len(set(reported(log))) == len(reported(log)) == 4


def use_everything(path, tmp_path):
    """Do all that commands do with a store; nothing but our own errors may come of it."""
    before = path.read_bytes() if path.is_file() else None
    for look in (
        lambda: [store_runs(path)],
        lambda: Store.open(str(path)).sweeps(),
        lambda: inspect_store(str(path)),
        lambda: check_store(str(path)),
        lambda: back_up(str(path), tmp_path / "copy.db", overwrite=True),
    ):
        with suppress(LenetError):
            look()
    assert (path.read_bytes() if path.is_file() else None) == before  # looking changes nothing
    with suppress(LenetError):
        carry_out(Store.open(str(path), write=True), [0.1, 0.01, 0.001], 4)


def store_runs(path):
    store = Store.open(str(path))
    for run in store.runs():
        with suppress(StoreError):
            store.checkpoint(run.key)
            store.predictions(run.key, 1)
        store.validation_labels(run.config.data)
    return store.runs(sort="val_accuracy", state=RunState.COMPLETED)


def test_random_damage(tmp_path):
    """9: flipped and cut bytes; only documented errors, and no new file is made in its place."""
    good = tmp_path / "good.db"
    make_store(good)
    content = good.read_bytes()
    chance = random.Random(2)
    path = tmp_path / "bad.db"
    for turn in range(1000 if LONG else 20):
        bad = bytearray(content)
        if turn % 4 == 0:
            del bad[chance.randrange(1, len(bad)) :]
        else:
            for _ in range(chance.choice([1, 10, 200])):
                bad[chance.randrange(100 if turn % 4 == 1 else len(bad))] = chance.randrange(256)
        (tmp_path / "bad.db-journal").unlink(missing_ok=True)
        path.write_bytes(bad)
        use_everything(path, tmp_path)
        assert path.stat().st_size >= min(len(bad), 512)


def change(path, *statements):
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


STRANGE = {
    "a view for a table": (
        "ALTER TABLE epochs RENAME TO hidden",
        "CREATE VIEW epochs AS WITH n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n) SELECT 1 FROM n",
    ),
    "a trigger": ("CREATE TRIGGER t AFTER UPDATE ON runs BEGIN DELETE FROM epochs; END",),
    "a newer schema": ("UPDATE lenetcli_version SET version_num = '9999'",),
    "no version": ("DELETE FROM lenetcli_version",),
    "a version too many": ("INSERT INTO lenetcli_version VALUES ('9999')",),
    "a missing table": ("DROP TABLE epochs",),
    "a missing column": ("ALTER TABLE epochs DROP COLUMN val_loss",),
    "text for a number": ("UPDATE epochs SET val_accuracy = 'high'",),
    "infinity": ("UPDATE epochs SET val_loss = 9e999",),
    "a blob for a text": ("UPDATE runs SET dataset = x'ff00'",),
    "no text": ("UPDATE attempts SET host = CAST(x'ff' AS TEXT)",),
    "a moment that is none": ("UPDATE runs SET created_at = 'yesterday'",),
    "JSON that is none": ("UPDATE attempts SET versions = '{'",),
    "deep JSON": ("UPDATE attempts SET versions = replace(hex(zeroblob(50000)), '0', '[')",),
    "JSON of another shape": ("UPDATE sweep_cells SET config = '[1]'",),
    "a precision of its own": ("UPDATE runs SET precision = 'float1'",),
    "a negative number of filters": ("UPDATE runs SET filters = -5",),
    "a number as large as SQLite's": ("UPDATE runs SET filters = 9223372036854775807",),
}
CHECKED = ("a negative number of filters", "a number as large as SQLite's")


@pytest.mark.parametrize("name", STRANGE)
def test_a_stranger_s_store_is_data(tmp_path, name):
    """9: whatever a store contains, only documented errors are raised."""
    path = tmp_path / "s.db"
    make_store(path)
    change(path, *STRANGE[name])
    if name in CHECKED:
        assert any(
            "its id is not that of its configuration" in trouble for trouble in check_store(str(path)).faults
        )
    else:
        with pytest.raises(StoreError):
            store_runs(path)
            Store.open(str(path)).sweeps()
    use_everything(path, tmp_path)


def test_weights_of_a_huge_size_are_not_read(tmp_path):
    path = tmp_path / "s.db"
    store = make_store(path)
    change(path, "UPDATE weights SET tensors = zeroblob(60000000)")
    with pytest.raises(StoreError, match="larger"):
        store.checkpoint(replace(BASE, lr=0.1).key)
    with pytest.raises(StoreError, match="larger"):
        carry_out(store, [0.1], 5)


@pytest.mark.parametrize("content", [b"", b"x", b"SQLite format 3\0", b"hello " * 1000])
def test_files_that_are_no_store(tmp_path, content):
    path = tmp_path / "s.db"
    path.write_bytes(content)
    with pytest.raises((StoreError, NotFoundError)):
        Store.open(str(path))
    if content:
        with pytest.raises(StoreError):
            Store.open(str(path), write=True)
        assert path.read_bytes() == content


def test_another_program_s_database_is_left_alone(tmp_path):
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE runs (id INTEGER PRIMARY KEY)")
    before = path.read_bytes()
    for work in (
        lambda: Store.open(str(path), write=True),
        lambda: upgrade_store(str(path)),
        lambda: check_store(str(path)),
    ):
        with pytest.raises(StoreError, match="another program"):
            work()
    assert path.read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors of POSIX")
def test_many_runs_in_one_process(tmp_path):
    """11: no run leaves a descriptor, an object or memory of SQLite behind."""
    count, results = 2000 if LONG else 200, processes.Queue()
    process = start(soak, tmp_path / "s.db", count, 200 if LONG else 30, results)
    before, after = results.get(timeout=1800)
    assert finish(process) == [0]
    descriptors, objects, blocks, size = (end - start for start, end in zip(before, after, strict=True))
    assert descriptors <= 0
    assert objects < count / 2  # that the collector tracks: all but atoms, and tuples of these
    assert blocks < 2 * count  # of the others as well; Python's own caches grow by some hundred blocks, once
    # Native memory: an open connection of SQLite takes 138 KiB, more than eight times as much. The slack of
    # the allocator does not grow with the number of runs.
    assert size < count * 16_384
