"""The database file: address, connections and transactions, the errors of SQLite in words."""

import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, inspect, make_url
from sqlalchemy.pool import NullPool, Pool, StaticPool

from lenetcli.errors import NotFoundError, StoreBusyError, StoreError
from lenetcli.experiment.exercise import LEARNING_RATES_COMMAND
from lenetcli.files import expand
from lenetcli.store.schema import check_schema, migrate
from lenetcli.store.tables import METADATA, SCHEMA_VERSION, VERSION

T = TypeVar("T")

BUSY_SECONDS = 5.0
"""How long one statement waits for the lock of another program, in seconds."""

LOCK_SECONDS = 30.0
"""How long an operation is repeated while another program holds the lock, in seconds."""

MIGRATING = {"lenetcli_writes": True, "lenetcli_migrates": True}
"""The options of a transaction that changes tables."""

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


OnLock = Callable[[StoreBusyError, float], None]
"""What to do at the lock of another program after so many seconds: return to go on waiting, or raise."""


def _give_up_in_time(error: StoreBusyError, seconds: float) -> None:
    if seconds > LOCK_SECONDS:
        raise error


class Database:
    """A SQLite file, opened anew for each transaction, so that no lock is held between two of them.

    Its methods raise ``StoreBusyError`` if another program holds the lock for too long, and ``StoreError``
    if the file cannot be used or holds values that this release does not understand.
    """

    def __init__(self, url: URL) -> None:
        self.path = Path(str(url.database))
        self._on_lock: OnLock = _give_up_in_time
        self._file = _make_engine(url, NullPool)
        self._memory: Engine | None = None  # read in place of a file that is missing or of an older schema
        self._missing = False

    @contextmanager
    def waiting(self, on_lock: OnLock) -> Iterator[None]:
        """A context in which repeated operations meet the lock of another program with ``on_lock``."""
        before, self._on_lock = self._on_lock, on_lock
        try:
            yield
        finally:
            self._on_lock = before

    def repeat(self, operation: Callable[[], T]) -> T:
        """The result of an operation, which is repeated while another program holds the lock."""
        start = time.monotonic()
        while True:
            try:
                return operation()
            except StoreBusyError as error:
                self._on_lock(error, time.monotonic() - start)
                time.sleep(0.1)

    def query(self, work: Callable[[Connection], T]) -> T:
        """The result of ``work`` in a transaction that reads, repeated as ``repeat`` does."""
        return self.repeat(lambda: _execute(self.read(), work))

    def change(self, work: Callable[[Connection], T]) -> T:
        """The result of ``work`` in a transaction that writes, repeated as ``repeat`` does."""
        return self.repeat(lambda: _execute(self.write(), work))

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A context with a transaction that reads: all its statements see the same state of the store.

        A store that is not there yet reads as empty, one of an older schema through an upgraded copy.
        """
        with self._translate_errors(), (self._memory or self._file).connect() as connection:
            yield connection

    @contextmanager
    def read_file(self) -> Iterator[Connection]:
        """A context with a transaction that reads the file itself, whatever its schema."""
        with self._translate_errors(), self._file.connect() as connection:
            yield connection

    @contextmanager
    def write(self, patience: float | None = None) -> Iterator[Connection]:
        """A context with a transaction that writes all or nothing and holds the write lock from its start.

        Each statement waits up to ``patience`` seconds for the lock of another program, by default
        ``BUSY_SECONDS``. The first one creates a store that is missing.
        """
        engine = self._file.execution_options(lenetcli_writes=True, lenetcli_patience=patience)
        if self._missing:
            with self._translate_errors(), engine.begin() as connection:
                self._create(connection)
            self._missing, self._memory = False, None
        with self._translate_errors(), engine.begin() as connection:
            yield connection

    @contextmanager
    def migrate(self) -> Iterator[Connection]:
        """A context with a transaction that changes tables: it writes, and foreign keys are not enforced."""
        with self._translate_errors(), self._file.execution_options(**MIGRATING).begin() as connection:
            yield connection

    def open(self, *, write: bool = False, missing_ok: bool = False) -> str:
        """Check that the file is a store, to read it or, with ``write``, to write to it too.

        A missing or empty file that may be missing, or that is to be written to, reads as an empty store; it
        is created by the first ``write``.

        Returns:
            The schema of the file; the newest one for a store that is not there yet.

        Raises:
            NotFoundError: if there is no file, or an empty one, without ``write`` and ``missing_ok``.
            StoreError: if it is not a store or has a newer schema, or if it is to be written to and cannot
                be, or has an older schema.
        """
        self._recover()
        if not self._file_size():
            if not (write or missing_ok):
                self.check_there()
            self._check_creatable()
            self._missing, self._memory = True, _make_engine("sqlite://", StaticPool)
            with self._memory.begin() as connection:
                METADATA.create_all(connection)
            return SCHEMA_VERSION
        # Only a store is locked for writing, never the database of another program.
        with self.read_file() as connection:
            schema = check_schema(connection, self.path)
        if write:
            self._check_writable(schema)
        elif schema != SCHEMA_VERSION:
            self._memory = self._copy_upgraded()
        return schema

    def _check_writable(self, schema: str) -> None:
        if schema != SCHEMA_VERSION:
            raise StoreError(
                f"The store '{self.path}' has schema {schema}, and this lenetcli writes {SCHEMA_VERSION}.",
                f"Upgrade it with lenetcli store upgrade --store '{self.path}'.",
            )
        with self.write() as connection:
            # SQLite begins such a transaction also if it cannot write the file or create its journal.
            # Only a change fails, here rather than after the first epoch; it is rolled back.
            connection.exec_driver_sql("PRAGMA user_version=1")
            connection.rollback()

    def _create(self, connection: Connection) -> None:
        """Create the tables of a store that was missing when it was opened."""
        # Of several processes that find no store, the first to get the lock creates it; the others wait at
        # the start of their transactions, and then find its tables.
        if not inspect(connection).get_table_names():
            METADATA.create_all(connection)
            connection.execute(VERSION.insert().values(version_num=SCHEMA_VERSION))
        elif check_schema(connection, self.path) != SCHEMA_VERSION:
            raise StoreError(f"The store '{self.path}' has another schema by now.", "Type the command again.")

    def _copy_upgraded(self) -> Engine:
        """A copy of the store in memory with the newest schema: a file that cannot be written can be read."""
        engine = _make_engine("sqlite://", StaticPool)
        with self.read_file() as source, engine.connect() as copy:
            driver: Any = source.connection.driver_connection
            driver.backup(copy.connection.driver_connection)
        with self._translate_errors(), engine.execution_options(**MIGRATING).begin() as connection:
            migrate(connection)
        return engine

    def check_there(self) -> None:
        """Check that there is a file that is not empty, whatever its content.

        Raises:
            NotFoundError: if there is no file, or an empty one.
            StoreError: if the path leads to something else than an ordinary file.
        """
        self._recover()
        if not self._file_size():
            raise NotFoundError(
                f"There is no store at '{self.path}'.",
                f"Train something first ({LEARNING_RATES_COMMAND}), or name one with --store.",
            )

    def _recover(self) -> None:
        """Let SQLite roll back what a killed process left half written.

        This comes before each decision on the size of the file: if the process was killed while it created
        the store, the file is empty once it has been rolled back.
        """
        if self._file_size():
            # A journal exists only during a transaction and after a crash. Without one there is nothing to
            # do; with one, the first statement that reads makes SQLite roll back.
            with suppress(OSError):  # the name of the journal is too long: then opening the file fails, too
                if not Path(f"{self.path}-journal").exists():
                    return
            with self.read_file() as connection:
                connection.exec_driver_sql("SELECT 1 FROM sqlite_master").all()

    def _check_creatable(self) -> None:
        """Check that a file can be created at the path, without creating it.

        Raises:
            StoreError: if it cannot.
        """
        folder = self.path.parent
        self._file_size()
        if not folder.is_dir():
            raise StoreError(f"There is no folder '{folder}'.", "Make it, or name another --store.")
        if not os.access(folder, os.W_OK):
            raise StoreError(f"The folder '{folder}' cannot be written.", "Name another --store.")

    def _file_size(self) -> int:
        """The size of the file in bytes; 0 if there is none.

        Raises:
            StoreError: if the path leads to something else than an ordinary file, or nowhere that is allowed.
        """
        try:
            status = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return 0
        except (OSError, ValueError) as error:  # too long a name, a folder without access, a null byte
            reason = getattr(error, "strerror", None) or str(error)
            raise StoreError(
                f"The store '{self.path}' cannot be opened: {reason}.", "Name another file with --store."
            ) from error
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not an ordinary file"
            raise StoreError(f"The store '{self.path}' is {kind}.", "Name a file with --store.")
        return status.st_size

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """A context that raises errors of the database and those caused by its content as ``StoreError``."""
        try:
            yield
        except (
            TypeError,
            ValueError,
            LookupError,
            OverflowError,
            RecursionError,
            exc.NoResultFound,
        ) as error:
            raise StoreError(
                f"The store '{self.path}' holds something that this lenetcli does not understand "
                f"({type(error).__name__}: {str(error)[:200]}).",
                "Look at it with lenetcli store check, or restore it from a backup.",
            ) from error
        except exc.DBAPIError as error:
            code = getattr(error.orig, "sqlite_errorcode", None)
            primary = None if code is None else code & 0xFF  # without the bits of the extended codes
            if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise StoreBusyError(
                    f"The store '{self.path}' is locked by another program.",
                    "Close that program, then type the same command again.",
                ) from error
            fault, advice = _FAULTS.get(
                primary or -1, (f"cannot be used ({error.orig})", "Restore it from a backup.")
            )
            raise StoreError(f"The store '{self.path}' {fault}.", advice) from error


def _execute(transaction: AbstractContextManager[Connection], work: Callable[[Connection], T]) -> T:
    with transaction as connection:
        return work(connection)


def _make_engine(url: URL | str, pool: type[Pool]) -> Engine:
    """The engine of a database; ``StaticPool`` keeps its only connection, so that one in memory lives."""
    arguments = {"isolation_level": None, "check_same_thread": False}
    engine = create_engine(url, poolclass=pool, connect_args=arguments)
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
    """Begin a transaction of the kind that the execution options name.

    ``isolation_level=None`` keeps the ``sqlite3`` module from beginning transactions by itself.
    """
    options = connection.get_execution_options()
    patience = options.get("lenetcli_patience")
    if patience is not None:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={int(patience * 1000)}")
    if options.get("lenetcli_migrates"):
        # A migration replaces a table by a changed copy: with foreign keys enforced, dropping the old table
        # deletes all rows that refer to it. The pragma has no effect once a transaction has begun.
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    # A transaction that reads first and writes later fails at once, whatever the timeout, while another one
    # is writing. So those that write take the write lock at their start, and wait for it there.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("lenetcli_writes") else "BEGIN")
