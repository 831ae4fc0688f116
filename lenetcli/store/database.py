"""The database of a store: which one is accepted, its transactions, and waiting for the locks of others."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, inspect

from lenetcli.errors import NotFoundError, StoreBusyError, StoreError
from lenetcli.experiment.exercise import LEARNING_RATES
from lenetcli.experiment.sweep import suggest_command
from lenetcli.store import sqlite
from lenetcli.store.schema import check_schema, copy_upgraded
from lenetcli.store.tables import METADATA, SCHEMA_VERSION, VERSION

T = TypeVar("T")

LOCK_SECONDS = 30.0
"""How long an operation is repeated while another program holds the lock, in seconds."""

OnLock = Callable[[StoreBusyError, float], None]
"""What to do at the lock of another program after so many seconds: return to go on waiting, or raise."""


def _give_up_in_time(error: StoreBusyError, seconds: float) -> None:
    if seconds > LOCK_SECONDS:
        raise error


class Database:
    """The database at a path or an SQLAlchemy URL; no lock is held between two transactions.

    Its methods raise ``StoreBusyError`` if another program holds the lock for too long, and ``StoreError``
    if the file cannot be used or holds values that this release does not understand.

    ``is_missing`` is whether the store was not there when it was opened, and nothing has been written since.
    """

    def __init__(self, address: str) -> None:
        self.file = sqlite.parse_address(address)
        self._engine = sqlite.make_engine(self.file)
        # A database in memory that is read in place of a file that is missing or of an older schema.
        self._substitute: Engine | None = None
        self.is_missing = False
        self._on_lock: OnLock = _give_up_in_time
        self._patience: float | None = None

    @property
    def path(self) -> Path:
        """The absolute path of the file."""
        return self.file.path

    @contextmanager
    def waiting(self, on_lock: OnLock, patience: float) -> Iterator[None]:
        """A context in which repeated operations meet the lock of another program with ``on_lock``.

        It is asked whenever a statement that writes has waited for so many seconds.
        """
        before = self._on_lock, self._patience
        self._on_lock, self._patience = on_lock, patience
        try:
            yield
        finally:
            self._on_lock, self._patience = before

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

    def change(self, work: Callable[[Connection], T], patience: float | None = None) -> T:
        """The result of ``work`` in a transaction that writes, repeated as ``repeat`` does."""
        return self.repeat(lambda: _execute(self.write(patience), work))

    @contextmanager
    def read(self, *, file: bool = False) -> Iterator[Connection]:
        """A context with a transaction that reads: all its statements see the same state of the store.

        A store that is not there yet reads as empty, one of an older schema through an upgraded copy; with
        ``file``, the file itself is read, whatever its schema.
        """
        engine = self._engine if file or self._substitute is None else self._substitute
        with sqlite.translate_errors(self.file), engine.connect() as connection:
            self.file.check_same()
            yield connection

    @contextmanager
    def write(self, patience: float | None = None, *, migrates: bool = False) -> Iterator[Connection]:
        """A context with a transaction that writes all or nothing; see ``sqlite.for_writing``.

        The first one creates a store that is missing.
        """
        if self.is_missing:
            self._create()
        self.file.check_single_name()
        seconds = self._patience if patience is None else patience
        engine = sqlite.for_writing(self._engine, patience=seconds, migrates=migrates)
        with sqlite.translate_errors(self.file), engine.begin() as connection:
            self.file.check_same()
            yield connection

    def _create(self) -> None:
        """Create the store that was missing when it was opened."""
        engine = sqlite.for_writing(sqlite.make_engine(self.file, create=True))
        with sqlite.translate_errors(self.file), engine.begin() as connection:
            # Of several processes that find no store, the first to get the lock creates it; the others wait
            # at the start of their transactions, and then find its tables.
            if not inspect(connection).get_table_names():
                METADATA.create_all(connection)
                connection.execute(VERSION.insert().values(version_num=SCHEMA_VERSION))
            elif check_schema(connection, self.path) != SCHEMA_VERSION:
                raise StoreError(
                    f"The store '{self.path}' has another schema by now.", "Type the command again."
                )
        self.file.pin()
        self._substitute, self.is_missing = None, False

    def open(self, *, write: bool = False, missing_ok: bool = False) -> str:
        """Check that the file is a store that can be read or, with ``write``, written to; see ``Store.open``.

        A file that may be missing, and is missing or empty, reads as an empty store; ``write`` creates it.

        Returns:
            The schema of the file; the newest one for a store that is not there yet.
        """
        if not (write or missing_ok):
            self.check_there()
        elif not self._size():
            self.file.check_creatable()
            if write:
                self.file.check_locks()  # first, so that no empty file is left where there are none
            self._substitute, self.is_missing = sqlite.make_engine(), True
            with self._substitute.begin() as connection:
                METADATA.create_all(connection)
            return SCHEMA_VERSION
        self.file.pin()
        # Only a store is locked for writing, never the database of another program.
        with self.read(file=True) as connection:
            schema = check_schema(connection, self.path)
        if schema != SCHEMA_VERSION and write:
            raise StoreError(
                f"The store '{self.path}' has schema {schema}, and this lenetcli writes {SCHEMA_VERSION}.",
                "Upgrade it with {}.",
                "lenetcli store upgrade",
            )
        if schema != SCHEMA_VERSION:
            with self.read(file=True) as connection:  # so a file that cannot be written can be read
                self._substitute = copy_upgraded(connection)
        elif write:
            with self.write() as connection:
                # Such a transaction also begins if the file cannot be written, or no journal created. Only a
                # change fails, here rather than after the first epoch; it is rolled back.
                connection.execute(VERSION.update().values(version_num=schema))
                connection.rollback()
        return schema

    def _size(self) -> int:
        return self.repeat(lambda: sqlite.file_size(self.file, self._engine))

    def check_there(self) -> None:
        """Raise ``NotFoundError`` unless there is a file that is not empty, whatever its content."""
        if not self._size():
            raise NotFoundError(
                f"There is no store at '{self.path}'{self.file.remark}.",
                "Name one with --store, or train something first, with {}.",
                suggest_command("lr", LEARNING_RATES, ()),
            )


def _execute(transaction: AbstractContextManager[Connection], work: Callable[[Connection], T]) -> T:
    with transaction as connection:
        return work(connection)
