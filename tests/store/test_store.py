"""The SQLite store: the contract of every store, and the addresses and files of this one."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from helpers.fake_training import carry_out
from helpers.fault_workers import NOBODY, edit_identity
from helpers.store_contract import StoreContract

from lenetcli.errors import NotFoundError, StoreBusyError, StoreError
from lenetcli.store import database, sqlite
from lenetcli.store.store import Store


class TestSqlite(StoreContract):
    @pytest.fixture
    def address(self, tmp_path):
        return str(tmp_path / "s.db")

    def execute(self, store, statement):
        with closing(sqlite3.connect(store.name)) as connection, connection:
            connection.execute(statement)

    def kill(self, store):
        edit_identity(store.name, pid=NOBODY)


@pytest.fixture
def store(tmp_path):
    return Store.open(str(tmp_path / "s.db"), write=True)


def test_a_home_that_nobody_has_is_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("~nobody of that name").mkdir()
    assert Store.open("~nobody of that name/s.db", write=True).runs() == []
    with pytest.raises(StoreError, match="not a SQLite file"):
        Store.open(":memory:", write=True)


@pytest.mark.parametrize(
    "name", ["a b.db", "a#b.db", "a?b.db", "a%20b.db", "a$b.db", "ü.db", "a'b.db", "-x.db"]
)
def test_any_path_is_a_path(tmp_path, name):
    path = tmp_path / name
    carry_out(Store.open(str(path), write=True), [0.1], 1)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    assert Store.open(str(path)).count() == 1


def test_a_url_is_an_address_too(tmp_path):
    carry_out(Store.open(f"sqlite:///{tmp_path}/s.db", write=True), [0.1], 1)
    assert (tmp_path / "s.db").exists()


def test_a_store_that_is_not_there_yet_reads_as_empty_and_is_made_when_something_is_written(tmp_path):
    path = tmp_path / "s.db"
    for store in (Store.open(str(path), missing_ok=True), Store.open(str(path), write=True)):
        assert (store.runs(), store.sweeps(), store.find(["x"]), store.count()) == ([], [], {}, 0)
        assert not path.exists()
    carry_out(store, [0.1], 1)
    assert [run.epochs for run in store.runs()] == [1]


def test_a_store_that_another_process_makes_meanwhile_is_written_to(tmp_path):
    first, second = (Store.open(str(tmp_path / "s.db"), write=True) for _ in range(2))
    carry_out(first, [0.1], 1)
    carry_out(second, [0.01], 1)
    assert len(first.runs()) == len(second.runs()) == 2


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:secret@host/db",
        "mysql://me:secret@host",
        "sqlite://",
        "sqlite:///:memory:",
        "no://:secret@:x",
    ],
)
def test_other_addresses_are_refused_without_showing_a_password(address):
    with pytest.raises(StoreError) as caught:
        Store.open(address, write=True)
    assert "secret" not in str(caught.value)


def test_what_cannot_be_opened_is_said_in_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="folder"):
        Store.open(str(tmp_path), write=True)
    with pytest.raises(StoreError, match="no folder"):
        Store.open(str(tmp_path / "nowhere" / "s.db"), write=True)
    for name in ("x" * 300, "a\0b"):
        with pytest.raises(StoreError):
            Store.open(str(tmp_path / name), write=True)
    for name in ("none.db", "file", "file/s.db"):
        with pytest.raises(NotFoundError):
            Store.open(str(tmp_path / name))


def test_an_empty_file_becomes_a_store(tmp_path):
    (tmp_path / "s.db").touch()
    assert Store.open(str(tmp_path / "s.db"), write=True).count() == 0


def test_a_store_that_cannot_be_written_can_be_read(tmp_path, monkeypatch):
    path = tmp_path / "s.db"
    carry_out(Store.open(str(path), write=True), [0.1], 1)
    path.chmod(0o444)
    if os.access(path, os.W_OK):
        pytest.skip("this user writes everywhere")
    assert Store.open(str(path)).count() == 1
    with pytest.raises(StoreError, match="written"):
        Store.open(str(path), write=True)


def test_a_lock_that_stays_is_an_error_that_says_so(store, monkeypatch):
    carry_out(store, [0.1], 1)
    monkeypatch.setattr(database, "LOCK_SECONDS", 0.2)
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(store.name, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreBusyError, match="locked"):
            Store.open(store.name, write=True)
