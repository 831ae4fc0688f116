"""What differs between SQLite and other databases: address, transactions, errors in words, copies, checks."""

import os
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, exc, make_url
from sqlalchemy.pool import NullPool, StaticPool

from lenetcli.errors import StoreBusyError, StoreChangedError, StoreError
from lenetcli.files import expand
from lenetcli.store.sqlite_file import StoreFile

BUSY_SECONDS = 5.0
"""How long one statement waits for the lock of another program, in seconds."""

PAGE_BYTES = 16384
"""The size of the pages of a new store.

Each page of the weights that an epoch replaces is read, kept in the journal and written by itself. With the
usual 4096 bytes, to record epochs of 16 filters takes up to half as much processor time again. An empty store
has a page for each table and index.
"""

COPY_PATIENCE = 30.0
"""How long a backup waits for a target that another program uses, in seconds."""

_ADVICE_ON_ACCESS = "Change its permissions, or name another with --store."

_FAULTS = {
    sqlite3.SQLITE_FULL: ("is on a disk that is full", "Make room, then type the same command again."),
    sqlite3.SQLITE_READONLY: ("cannot be written", _ADVICE_ON_ACCESS),
    sqlite3.SQLITE_PERM: ("cannot be written", _ADVICE_ON_ACCESS),
    sqlite3.SQLITE_IOERR: ("met an input/output error", "Check the disk, then type the same command again."),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "Check its folder, its permissions and the open files."),
    sqlite3.SQLITE_CORRUPT: ("is damaged", "Restore it from a backup."),
    sqlite3.SQLITE_NOTADB: ("is not a SQLite database", "Name another file with --store."),
    sqlite3.SQLITE_NOMEM: ("needs more memory than there is", "Close other programs."),
}
"""What is wrong with the file, and what to do about it, by the primary result code of SQLite."""

_OF_JOURNAL = {sqlite3.SQLITE_READONLY_ROLLBACK, sqlite3.SQLITE_IOERR_DELETE, sqlite3.SQLITE_CANTOPEN}
"""The result codes of a file that must be rolled back by a process that may not."""

_OF_FOLDER = {sqlite3.SQLITE_READONLY_DIRECTORY, sqlite3.SQLITE_CANTOPEN}
"""The result codes of a file that can be written in a folder that takes no journal."""

_OF_LOCKS = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_IOERR_LOCK,
    sqlite3.SQLITE_IOERR_RDLOCK,
    sqlite3.SQLITE_IOERR_UNLOCK,
    sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK,
}
"""The result codes that a file system without locks leads to, among other causes."""

_URL_SCHEME = re.compile(r"(sqlite|file|postgres)\w*(\+\w+)?:", re.IGNORECASE)
_WINDOWS_PATH = re.compile(r"([A-Za-z]):[\\/]|\\\\")


def parse_address(store: str) -> StoreFile:
    """The file of a store that is given as a path or as an SQLAlchemy URL.

    Raises:
        StoreError: if it is an address of something else, or a path of another system.
    """
    if "://" in store:
        return _parse_url(store)
    if store == ":memory:":
        raise _not_a_file(store)
    path = expand(store)
    if not os.path.lexists(path):
        if match := _URL_SCHEME.match(store):
            raise StoreError(
                f"The store '{store}' is neither a path nor an SQLAlchemy URL.",
                f"Give the path alone: --store '{store[match.end() :]}'.",
            )
        if os.name != "nt" and (match := _WINDOWS_PATH.match(store)):
            inside = store[match.end() :].replace("\\", "/")
            advice = f"In WSL it is '/mnt/{match[1].lower()}/{inside}'." if match[1] else "Mount its share."
            raise StoreError(f"The store '{store}' is a path of Windows, which is none here.", advice)
    return StoreFile(path)


def _parse_url(address: str) -> StoreFile:
    try:
        url = make_url(address)
    except (exc.ArgumentError, ValueError):  # ValueError: the port is not a number
        # The text is not quoted, since it may contain a password.
        raise StoreError("The address of the store is not an SQLAlchemy URL.", "Give a path.") from None
    is_sqlite = url.drivername in ("sqlite", "sqlite+pysqlite") and not url.query
    if not is_sqlite or not url.database or url.database == ":memory:":
        raise _not_a_file(url.render_as_string())
    path = Path(url.database)
    # Three slashes begin a relative path, which surprises many: the third one only ends the empty host.
    meaning = f" (four slashes, sqlite:////{path}, mean '/{path}')"
    return StoreFile(path, "" if path.is_absolute() else meaning)


def _not_a_file(address: str) -> StoreError:
    return StoreError(f"The store {address} is not a SQLite file.", "Give a path, or sqlite:///PATH.")


def make_engine(file: StoreFile | None = None, *, create: bool = False) -> Engine:
    """The engine of a file, opened anew for each transaction, or of a new database in memory, kept open.

    A file that is missing is created only with ``create``.
    """
    address = ":memory:" if file is None else file.address(create=create)

    def connect() -> sqlite3.Connection:
        # None keeps the ``sqlite3`` module from beginning transactions by itself.
        connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
        if create:  # of a file that has content already, the size stays what it is
            connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool if file else StaticPool)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: Any, _record: Any) -> None:
    """Set the pragmas of a new connection, which SQLite keeps for a connection only; none needs a lock."""
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}")
    cursor.execute("PRAGMA foreign_keys=ON")  # off by default
    cursor.execute("PRAGMA trusted_schema=OFF")  # a schema from elsewhere calls no unsafe function
    cursor.close()


def _begin(connection: Connection) -> None:
    for statement in connection.get_execution_options().get("lenetcli_begin", ["BEGIN"]):
        connection.exec_driver_sql(statement)


def for_looking(engine: Engine) -> Engine:
    """The engine with transactions that read and do not wait for the lock of another program."""
    return engine.execution_options(lenetcli_begin=["PRAGMA busy_timeout=0", "BEGIN"])


def for_writing(engine: Engine, *, patience: float | None = None, migrates: bool = False) -> Engine:
    """The engine with transactions that write, which take the write lock at their start.

    A statement waits up to ``patience`` seconds for the lock of another program, by default ``BUSY_SECONDS``.
    Foreign keys are not enforced if the transaction ``migrates``.
    """
    pragmas = [] if patience is None else [f"PRAGMA busy_timeout={int(patience * 1000)}"]
    pragmas.append("PRAGMA synchronous=FULL")  # a committed epoch survives a loss of power
    if migrates:
        # A migration replaces a table by a changed copy: with foreign keys enforced, dropping the old table
        # deletes all rows that refer to it. The pragma has no effect once a transaction has begun.
        pragmas.append("PRAGMA foreign_keys=OFF")
    # A transaction that reads first and writes later fails at once, whatever the timeout, while another one
    # is writing. Hence the lock at the start, where it is waited for.
    return engine.execution_options(lenetcli_begin=[*pragmas, "BEGIN IMMEDIATE"])


@contextmanager
def translate_errors(file: StoreFile) -> Iterator[None]:
    """A context that raises errors of the database and those caused by its content as ``StoreError``."""
    try:
        yield
    except (TypeError, ValueError, LookupError, OverflowError, RecursionError, exc.NoResultFound) as error:
        raise StoreError(
            f"The store '{file.path}' holds something that this lenetcli does not understand "
            f"({type(error).__name__}: {str(error)[:200]}).",
            "Restore it from a backup, or look at it with {}.",
            "lenetcli store check",
        ) from error
    except exc.DBAPIError as error:
        file.check_same()
        raise _describe(file, error) from error


def _describe(file: StoreFile, error: exc.DBAPIError) -> StoreError:
    """The error of the database in words."""
    code = getattr(error.orig, "sqlite_errorcode", None) or -1
    primary = code & 0xFF  # without the bits of the extended codes
    if code in _OF_LOCKS:
        file.check_locks()
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusyError(
            f"The store '{file.path}' is locked by another program.",
            "Close that program, then type the same command again.",
        )
    if primary == sqlite3.SQLITE_CONSTRAINT:
        return StoreChangedError(
            f"The store '{file.path}' has other rows than were written to it ({error.orig}).",
            "Somebody changed it meanwhile: look at it with {}.",
            "lenetcli store check",
        )
    if code in _OF_JOURNAL and os.path.lexists(file.journal):
        return StoreError(
            f"The store '{file.path}' was left half written by a program that was stopped, and may not be "
            f"written here to undo that with its journal '{file.journal}'.",
            "Let somebody who may write both and their folder type lenetcli runs list with this --store, "
            "or copy both into a folder of yours, make the copies writable (chmod u+w) and look there.",
        )
    if code in _OF_FOLDER and not file.can_have_journal():
        return StoreError(
            f"The folder '{file.journal.parent}' of the store cannot be written, and a store needs a journal "
            "beside it.",
            "Change the permissions of the folder, or name another store with --store.",
        )
    unknown = f"cannot be used ({error.orig})", "Restore it from a backup."
    fault, advice = _FAULTS.get(primary, unknown)
    return StoreError(f"The store '{file.path}' {fault}.", advice)


def file_size(file: StoreFile, engine: Engine) -> int:
    """The size of a file in bytes; 0 if there is none.

    SQLite first rolls back what a killed process left half written: if it was killed while it created the
    store, the file is empty then.

    Raises:
        StoreError: if the path leads to something else than an ordinary file, or nowhere that is allowed.
    """
    if not file.size():
        return 0
    # The first look does not wait for a lock: if there are none to be had, that is told at once.
    with translate_errors(file), for_looking(engine).connect() as connection:
        connection.exec_driver_sql("SELECT 1 FROM sqlite_master").all()
    return file.size()


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
    # Nobody else knows a new file yet: it needs no locks, which its file system may not grant.
    address = target.absolute().as_uri() + ("" if target.exists() else "?nolock=1")

    def give_up(status: int, _remaining: int, _pages: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > deadline:
            raise sqlite3.OperationalError("another program uses it")

    with closing(sqlite3.connect(address, uri=True)) as copy:
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
