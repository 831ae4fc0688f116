"""The database file: its address, its connections, its transactions, and what can go wrong with them."""

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
"""How long one statement waits for another program's lock; callers may try again."""

_TROUBLE = {
    sqlite3.SQLITE_FULL: ("is on a disk that is full", "Make room, then type the same command again."),
    sqlite3.SQLITE_READONLY: ("cannot be written", "Change its permissions, or name another with --store."),
    sqlite3.SQLITE_PERM: ("cannot be written", "Change its permissions, or name another with --store."),
    sqlite3.SQLITE_IOERR: ("met an input/output error", "Check the disk, then type the same command again."),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "Check its folder, its permissions and the open files."),
    sqlite3.SQLITE_CORRUPT: ("is damaged", "Restore it from a backup."),
    sqlite3.SQLITE_NOTADB: ("is not a SQLite database", "Name another file with --store."),
    sqlite3.SQLITE_NOMEM: ("needs more memory than there is", "Close other programs."),
}


def parse_address(store: str) -> URL:
    """The address of a store: a path, or an SQLAlchemy URL.

    Raises:
        StoreError: for a URL that is none, or more than the path of a SQLite file.
    """
    try:
        url = make_url(store) if "://" in store else URL.create("sqlite", database=str(expand(store)))
    except (exc.ArgumentError, ValueError):  # the latter for a port that is no number
        # Not quoted: it may hold a password.
        raise StoreError("The address of the store is not an SQLAlchemy URL.", "Give a path.") from None
    plain = url.drivername in ("sqlite", "sqlite+pysqlite") and not url.query
    if not plain or not url.database or url.database == ":memory:":
        raise StoreError(
            f"The store {url.render_as_string()} is not a SQLite file.", "Give a path, or sqlite:///PATH."
        )
    return url


class Database:
    """One SQLite file, opened anew for each transaction, so that nothing is held between them."""

    def __init__(self, url: URL) -> None:
        self.path = Path(str(url.database))
        self._engine = create_engine(url, poolclass=NullPool, connect_args={"isolation_level": None})
        event.listen(self._engine, "connect", _set_up)
        event.listen(self._engine, "begin", _begin)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that reads one state of the store."""
        with self._translate(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, patience: float | None = None) -> Iterator[Connection]:
        """A transaction that may write: all of it, or nothing; it holds the lock from its start.

        Each of its statements waits up to ``patience`` seconds for another program's lock, where given.
        """
        writing = self._engine.execution_options(lenetcli_writes=True, lenetcli_patience=patience)
        with self._translate(), writing.begin() as connection:
            yield connection

    @contextmanager
    def migrate(self) -> Iterator[Connection]:
        """A transaction that may change tables: what refers to their rows is not deleted with them."""
        migrating = self._engine.execution_options(lenetcli_writes=True, lenetcli_migrates=True)
        with self._translate(), migrating.begin() as connection:
            yield connection

    def open(self) -> None:
        """Check that the file is there and a store of this version, with one plain SELECT.

        Raises:
            NotFoundError: if there is no file.
            StoreError: if it is something else, or of another version.
        """
        self.check_there()
        with self.read() as connection:
            self._check_version(connection)

    def check_there(self) -> None:
        """Check that there is a file, whatever it holds.

        Raises:
            NotFoundError: if there is none, or an empty one.
            StoreError: if it is something else.
        """
        self._settle()
        if not self._size():
            raise NotFoundError(
                f"There is no store at '{self.path}'.",
                f"Train something first ({LEARNING_RATES_COMMAND}), or name one with --store.",
            )

    def open_or_create(self) -> None:
        """The same, but a file that is missing or empty becomes a new store."""
        self._settle()
        if self._size():
            with self.read() as connection:
                self._check_version(connection)
            with self.write() as connection:
                # SQLite locks what it cannot write, too: only a change shows that it can make its journal.
                connection.exec_driver_sql("PRAGMA user_version=1")
                connection.rollback()
            return
        self.check_creatable()
        with self.write() as connection:
            if inspect(connection).get_table_names():  # another process was first
                self._check_version(connection)
                return
            METADATA.create_all(connection)
            connection.execute(VERSION.insert().values(version_num=SCHEMA_VERSION))

    def _settle(self) -> None:
        """Let SQLite take back what a process left half written, which may be all that there is."""
        if self._size():
            with suppress(OSError):  # a name too long for a journal: opening the file will tell
                if not Path(f"{self.path}-journal").exists():
                    return
            with self.read() as connection:
                connection.exec_driver_sql("SELECT 1 FROM sqlite_master").all()

    def check_creatable(self) -> None:
        """Find out whether a file can be made here.

        Raises:
            StoreError: if not.
        """
        folder = self.path.parent
        self._size()
        if not folder.is_dir():
            raise StoreError(f"There is no folder '{folder}'.", "Make it, or name another --store.")
        if not os.access(folder, os.W_OK):
            raise StoreError(f"The folder '{folder}' cannot be written.", "Name another --store.")

    def _size(self) -> int:
        """The size of the file, 0 if there is none."""
        try:
            found = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return 0
        except (OSError, ValueError) as error:  # a name too long, a folder that is locked, a null byte
            reason = getattr(error, "strerror", None) or str(error)
            raise StoreError(
                f"The store '{self.path}' cannot be opened: {reason}.", "Name another file with --store."
            ) from error
        if not stat.S_ISREG(found.st_mode):
            what = "a folder" if stat.S_ISDIR(found.st_mode) else "not an ordinary file"
            raise StoreError(f"The store '{self.path}' is {what}.", "Name a file with --store.")
        return found.st_size

    def _check_version(self, connection: Connection) -> None:
        try:
            found = connection.execute(select(VERSION.c.version_num)).scalars().all()
        except exc.OperationalError as error:
            if "no such table" not in str(error.orig):
                raise
            raise StoreError(
                f"'{self.path}' is a database of another program.", "Name another file with --store."
            ) from None
        if found != [SCHEMA_VERSION]:
            shown = ", ".join(str(version)[:32] for version in found) or "none"
            older = shown.isdecimal() and shown < SCHEMA_VERSION
            raise StoreError(
                f"The store '{self.path}' has schema {shown}, and this lenetcli reads {SCHEMA_VERSION}.",
                f"Upgrade it with lenetcli store upgrade --store '{self.path}'."
                if older
                else "Use the lenetcli that wrote it, or a newer one: pip install --upgrade lenetcli.",
            )
        # A stranger's view or trigger would run whatever it likes inside our statements.
        foreign = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type IN ('view', 'trigger') OR sql LIKE 'CREATE VIRTUAL%'"
        ).scalars()
        if found_foreign := sorted(map(str, foreign)):
            raise StoreError(
                f"The store '{self.path}' holds {found_foreign[0][:64]!r}, which no lenetcli put there.",
                "Do not trust it; restore the store from a backup.",
            )

    @contextmanager
    def _translate(self) -> Iterator[None]:
        """Say in a sentence what the database complains of, or what is wrong with what it holds."""
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
            primary = None if code is None else code & 0xFF
            if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise StoreBusyError(
                    f"The store '{self.path}' is locked by another program.",
                    "Close that program, then type the same command again.",
                ) from error
            what, advice = _TROUBLE.get(
                primary or -1, (f"cannot be used ({error.orig})", "Restore it from a backup.")
            )
            raise StoreError(f"The store '{self.path}' {what}.", advice) from error


def _set_up(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}")  # first: the next ones may wait
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA trusted_schema=OFF")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A read that turns into a write fails at once, whatever the timeout: writers say so first.
    options = connection.get_execution_options()
    patience = options.get("lenetcli_patience")
    if patience is not None:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={int(patience * 1000)}")
    if options.get("lenetcli_migrates"):
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")  # has no effect once a transaction has begun
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("lenetcli_writes") else "BEGIN")
