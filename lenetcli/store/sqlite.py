"""What differs between SQLite and other databases: file, transactions, errors in words, copies, checks."""

import os
import sqlite3
import stat
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url
from sqlalchemy.pool import NullPool, StaticPool

from lenetcli.errors import StoreBusyError, StoreError, describe_error
from lenetcli.files import expand

BUSY_SECONDS = 5.0
"""How long one statement waits for the lock of another program, in seconds."""

COPY_PATIENCE = 30.0
"""How long a backup waits for a target that another program uses, in seconds."""

_FAULTS = {
    sqlite3.SQLITE_FULL: ("is on a disk that is full", "Make room, then type the same command again."),
    sqlite3.SQLITE_READONLY: ("cannot be written", "Change its permissions, or name another with --store."),
    sqlite3.SQLITE_PERM: ("cannot be written", "Change its permissions, or name another with --store."),
    sqlite3.SQLITE_IOERR: ("met an input/output error", "Check the disk, then type the same command again."),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "Check its folder, its permissions and the open files."),
    sqlite3.SQLITE_CORRUPT: ("is damaged", "Restore it from a backup."),
    sqlite3.SQLITE_NOTADB: ("is not a SQLite database", "Name another file with --store."),
    sqlite3.SQLITE_NOMEM: ("needs more memory than there is", "Close other programs."),
}
"""What is wrong with the file, and what to do about it, by the primary result code of SQLite."""


def parse_address(store: str) -> URL:
    """The SQLAlchemy URL of a store that is given as a path or as such a URL.

    Raises:
        StoreError: if a text with ``://`` is not such a URL, or not that of a SQLite file without options.
    """
    try:
        url = make_url(store) if "://" in store else URL.create("sqlite", database=str(expand(store)))
    except (exc.ArgumentError, ValueError):  # ValueError: the port is not a number
        # The text is not quoted, since it may contain a password.
        raise StoreError("The address of the store is not an SQLAlchemy URL.", "Give a path.") from None
    is_sqlite = url.drivername in ("sqlite", "sqlite+pysqlite") and not url.query
    if not is_sqlite or not url.database or url.database == ":memory:":
        raise StoreError(
            f"The store {url.render_as_string()} is not a SQLite file.", "Give a path, or sqlite:///PATH."
        )
    return url


def make_engine(url: URL | None = None) -> Engine:
    """The engine of a file, opened anew for each transaction, or of a new database in memory, kept open."""
    engine = create_engine(
        url or "sqlite://",
        poolclass=NullPool if url else StaticPool,
        # None keeps the ``sqlite3`` module from beginning transactions by itself.
        connect_args={"isolation_level": None, "check_same_thread": False},
    )
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: Any, _record: Any) -> None:
    """Set the pragmas of a new connection, which SQLite keeps for a connection only."""
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}")  # first: the next ones may wait
    cursor.execute("PRAGMA foreign_keys=ON")  # off by default
    cursor.execute("PRAGMA synchronous=FULL")  # a committed epoch survives a loss of power
    cursor.execute("PRAGMA trusted_schema=OFF")  # a schema from elsewhere calls no unsafe function
    cursor.close()


def _begin(connection: Connection) -> None:
    for statement in connection.get_execution_options().get("lenetcli_begin", ["BEGIN"]):
        connection.exec_driver_sql(statement)


def for_writing(engine: Engine, *, patience: float | None = None, migrates: bool = False) -> Engine:
    """The engine with transactions that write, which take the write lock at their start.

    A statement waits up to ``patience`` seconds for the lock of another program, by default ``BUSY_SECONDS``.
    Foreign keys are not enforced if the transaction ``migrates``.
    """
    pragmas = [] if patience is None else [f"PRAGMA busy_timeout={int(patience * 1000)}"]
    if migrates:
        # A migration replaces a table by a changed copy: with foreign keys enforced, dropping the old table
        # deletes all rows that refer to it. The pragma has no effect once a transaction has begun.
        pragmas.append("PRAGMA foreign_keys=OFF")
    # A transaction that reads first and writes later fails at once, whatever the timeout, while another one
    # is writing. Hence the lock at the start, where it is waited for.
    return engine.execution_options(lenetcli_begin=[*pragmas, "BEGIN IMMEDIATE"])


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """A context that raises errors of the database and those caused by its content as ``StoreError``."""
    try:
        yield
    except (TypeError, ValueError, LookupError, OverflowError, RecursionError, exc.NoResultFound) as error:
        raise StoreError(
            f"The store '{path}' holds something that this lenetcli does not understand "
            f"({type(error).__name__}: {str(error)[:200]}).",
            "Look at it with lenetcli store check, or restore it from a backup.",
        ) from error
    except exc.DBAPIError as error:
        code = getattr(error.orig, "sqlite_errorcode", None)
        primary = None if code is None else code & 0xFF  # without the bits of the extended codes
        if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreBusyError(
                f"The store '{path}' is locked by another program.",
                "Close that program, then type the same command again.",
            ) from error
        unknown = f"cannot be used ({error.orig})", "Restore it from a backup."
        fault, advice = _FAULTS.get(primary or -1, unknown)
        raise StoreError(f"The store '{path}' {fault}.", advice) from error


def file_size(path: Path, engine: Engine) -> int:
    """The size of a file in bytes; 0 if there is none.

    SQLite first rolls back what a killed process left half written: if it was killed while it created the
    store, the file is empty then.

    Raises:
        StoreError: if the path leads to something else than an ordinary file, or nowhere that is allowed.
    """
    size = _size(path)
    with suppress(OSError):  # the name of the journal is too long: then there is none
        # A journal exists only during a transaction and after a crash.
        if size and Path(f"{path}-journal").exists():
            with translate_errors(path), engine.connect() as connection:
                connection.exec_driver_sql("SELECT 1 FROM sqlite_master").all()
            return _size(path)
    return size


def _size(path: Path) -> int:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except (OSError, ValueError) as error:  # too long a name, a folder without access, a null byte
        raise StoreError(
            f"The store '{path}' cannot be opened: {describe_error(error)}.",
            "Name another file with --store.",
        ) from error
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not an ordinary file"
        raise StoreError(f"The store '{path}' is {kind}.", "Name a file with --store.")
    return status.st_size


def check_creatable(path: Path) -> None:
    """Raise ``StoreError`` unless a file can be created at a path; none is created."""
    folder = path.parent
    if not folder.is_dir():
        raise StoreError(f"There is no folder '{folder}'.", "Make it, or name another --store.")
    if not os.access(folder, os.W_OK):
        raise StoreError(f"The folder '{folder}' cannot be written.", "Name another --store.")


def copy_to_memory(connection: Connection) -> Engine:
    """The engine of a copy in memory."""
    engine, source = make_engine(), _driver_of(connection)
    with engine.connect() as copy:
        source.backup(_driver_of(copy))
    return engine


def copy_to_file(connection: Connection, target: Path) -> None:
    """Copy the state that a transaction reads into a new or existing database, all of it or nothing.

    Raises:
        sqlite3.Error: if it cannot be written.
    """
    deadline = time.monotonic() + COPY_PATIENCE

    def give_up(status: int, _remaining: int, _pages: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > deadline:
            raise sqlite3.OperationalError("another program uses it")

    with closing(sqlite3.connect(target)) as copy:
        _driver_of(connection).backup(copy, progress=give_up)
        # If the source is in WAL mode, so is the copy: this leaves it one plain file.
        copy.execute("PRAGMA journal_mode=DELETE").fetchone()


def _driver_of(connection: Connection) -> Any:
    return connection.connection.driver_connection


def find_faults(connection: Connection) -> list[str]:
    """What SQLite finds damaged in the file, at most 20 faults."""
    texts = connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars()
    return [text for text in texts if text != "ok"]


def broken_references(connection: Connection) -> Counter[tuple[str, str]]:
    """The number of rows that refer to a missing one, by their table and the other."""
    rows = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    return Counter((table, parent) for table, _, parent, _ in rows)
