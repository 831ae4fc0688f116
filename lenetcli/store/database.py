"""The database file: address, schema check, connections and transactions, the errors of SQLite in words."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, create_engine, event, exc, inspect, make_url, select
from sqlalchemy.pool import NullPool

from lenetcli.errors import NotFoundError, StoreBusyError, StoreError
from lenetcli.experiment.exercise import LEARNING_RATES_COMMAND
from lenetcli.files import expand
from lenetcli.store.tables import METADATA, SCHEMA_VERSION, VERSION

BUSY_SECONDS = 5.0
"""How long one statement waits for the lock of another program, in seconds; callers may try again."""

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


class Database:
    """A SQLite file, opened anew for each transaction, so that no lock is held between two of them.

    Its methods raise ``StoreBusyError`` if another program holds the lock for too long, and ``StoreError``
    if the file cannot be used or holds values that this release does not understand.
    """

    def __init__(self, url: URL) -> None:
        self.path = Path(str(url.database))
        self._engine = create_engine(url, poolclass=NullPool, connect_args={"isolation_level": None})
        event.listen(self._engine, "connect", _set_up)
        event.listen(self._engine, "begin", _begin)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A context with a transaction that reads: all its statements see the same state of the store."""
        with self._translate_errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, patience: float | None = None) -> Iterator[Connection]:
        """A context with a transaction that writes all or nothing and holds the write lock from its start.

        Each statement waits up to ``patience`` seconds for the lock of another program, by default
        ``BUSY_SECONDS``.
        """
        engine = self._engine.execution_options(lenetcli_writes=True, lenetcli_patience=patience)
        with self._translate_errors(), engine.begin() as connection:
            yield connection

    @contextmanager
    def migrate(self) -> Iterator[Connection]:
        """A context with a transaction that changes tables: it writes, and foreign keys are not enforced."""
        engine = self._engine.execution_options(lenetcli_writes=True, lenetcli_migrates=True)
        with self._translate_errors(), engine.begin() as connection:
            yield connection

    def open(self) -> None:
        """Check that the file is a store of this schema, with statements that only read.

        Raises:
            NotFoundError: if there is no file, or an empty one.
            StoreError: if it is not a store, or has another schema.
        """
        self.check_there()
        with self.read() as connection:
            self._check_version(connection)

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

    def open_or_create(self) -> None:
        """Check that the file is a store of this schema that can be written; create it if missing or empty.

        Raises:
            StoreError: if it is not a store, has another schema, or cannot be written or created.
        """
        self._recover()
        if self._file_size():
            # Only a store is locked for writing, never the database of another program.
            with self.read() as connection:
                self._check_version(connection)
            with self.write() as connection:
                # SQLite begins such a transaction also if it cannot write the file or create its journal.
                # Only a change fails, here rather than after the first epoch; it is rolled back.
                connection.exec_driver_sql("PRAGMA user_version=1")
                connection.rollback()
            return
        self.check_creatable()
        with self.write() as connection:
            # Of several processes that find no store, the first to get the lock creates it; the others wait
            # at the start of their transactions, and then find its tables.
            if inspect(connection).get_table_names():
                self._check_version(connection)
                return
            METADATA.create_all(connection)
            connection.execute(VERSION.insert().values(version_num=SCHEMA_VERSION))

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
            with self.read() as connection:
                connection.exec_driver_sql("SELECT 1 FROM sqlite_master").all()

    def check_creatable(self) -> None:
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

    def _check_version(self, connection: Connection) -> None:
        """Check that the database is a store of this schema without views, triggers and virtual tables."""
        try:
            versions = connection.execute(select(VERSION.c.version_num)).scalars().all()
        except exc.OperationalError as error:
            if "no such table" not in str(error.orig):
                raise
            raise StoreError(
                f"'{self.path}' is a database of another program.", "Name another file with --store."
            ) from None
        if versions != [SCHEMA_VERSION]:
            shown = ", ".join(str(version)[:32] for version in versions) or "none"
            older = shown.isdecimal() and shown < SCHEMA_VERSION
            raise StoreError(
                f"The store '{self.path}' has schema {shown}, and this lenetcli reads {SCHEMA_VERSION}.",
                f"Upgrade it with lenetcli store upgrade --store '{self.path}'."
                if older
                else "Use the lenetcli that wrote it, or a newer one: pip install --upgrade lenetcli.",
            )
        # In a store from elsewhere, a view or trigger would execute its own SQL inside our statements.
        foreign_names = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type IN ('view', 'trigger') OR sql LIKE 'CREATE VIRTUAL%'"
        ).scalars()
        if names := sorted(map(str, foreign_names)):
            raise StoreError(
                f"The store '{self.path}' holds {names[0][:64]!r}, which no lenetcli put there.",
                "Do not trust it; restore the store from a backup.",
            )

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
