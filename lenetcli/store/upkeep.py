"""Maintenance of a store as a whole: summary, integrity check, backup while in use, upgrade of the schema."""

import os
import sqlite3
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from lenetcli.errors import StoreBusyError, StoreError, UsageError
from lenetcli.files import unwritable, write_whole
from lenetcli.store import sqlite
from lenetcli.store.checks import StoreCheck, check_content, collect
from lenetcli.store.database import Database
from lenetcli.store.schema import MIGRATIONS, check_schema, copy_upgraded, is_store, migrate
from lenetcli.store.sqlite_file import StoreFile
from lenetcli.store.tables import ATTEMPTS, METADATA, SCHEMA_VERSION, VERSION
from lenetcli.words import plural


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSummary:
    """The summary of a store: file, size in bytes, schema, rows by table, time of the newest attempt.

    ``newest`` is its end or, if it has none, its last sign of life; None without an attempt.
    """

    path: Path
    bytes: int
    schema: str
    counts: dict[str, int]
    newest: datetime | None


def inspect_store(address: str) -> StoreSummary:
    """The summary of a store.

    Raises:
        NotFoundError: if there is no store.
        StoreError: if it is not a store, or has a newer schema.
    """
    database = Database(address)
    schema = database.open()
    with database.read() as connection:
        counts = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in METADATA.sorted_tables
            if table is not VERSION
        }
        # Not the greatest of these times: one attempt by a clock that was fast would be the newest for ever.
        latest = func.coalesce(ATTEMPTS.c.ended_at, ATTEMPTS.c.seen_at, ATTEMPTS.c.started_at)
        in_order = select(latest).order_by(ATTEMPTS.c.id.desc()).limit(1)
        newest = connection.execute(in_order).scalar_one_or_none()
    path, size = database.path.resolve(), database.path.stat().st_size
    return StoreSummary(path=path, bytes=size, schema=schema, counts=counts, newest=newest)


def check_store(address: str) -> StoreCheck:
    """Check a store: the file, the references, data sets, runs with their accuracies and weights, and sweeps.

    Raises:
        NotFoundError: if there is no store.
        StoreError: if it cannot be read, or is none.
    """
    database = Database(address)
    database.check_there()
    database.file.pin()
    with database.read(file=True) as connection:
        check = _check_state(connection, database.file)
    try:
        database.file.check_single_name()
    except StoreError as error:
        return replace(check, faults=(f"{error.problem} {error.advice}", *check.faults))
    return check


def _check_state(connection: Connection, file: StoreFile) -> StoreCheck:
    """Check the state of a store that a transaction reads from its file."""
    schema = check_schema(connection, file.path)
    faults: list[str] = []
    with collect(faults, file, "The file cannot be checked"):
        faults += (f"The file: {text}." for text in sqlite.find_faults(connection))
    check = StoreCheck(faults=())
    with collect(faults, file, "The store cannot be checked"):
        if schema == SCHEMA_VERSION:
            check = check_content(connection, file)
        else:
            with copy_upgraded(connection).connect() as copy:
                check = check_content(copy, file)
    return replace(check, faults=(*faults, *check.faults))


def back_up(address: str, target: Path, *, overwrite: bool = False) -> tuple[str, ...]:
    """Copy one state of a store to a file, whole or not at all, also while other processes write to it.

    With ``overwrite``, an existing database at ``target`` is overwritten, but not by a damaged store.

    Returns:
        The faults of what was copied, a sentence each; none if it is sound.

    Raises:
        NotFoundError: if there is no store.
        UsageError: if the target exists, without ``overwrite``, is the store itself, or cannot be written.
        StoreError: if the store cannot be read, is none, or is damaged and would be written over another.
    """
    database = Database(address)
    database.check_there()
    faults: tuple[str, ...] = ()

    def copy(path: Path) -> None:
        nonlocal faults
        with database.read(file=True) as connection:
            faults = _find_faults(connection, database.file)  # of the state that is copied
            if faults and path == target:
                raise StoreError(
                    f"The store '{database.path}' has {plural(len(faults), 'fault')}, and '{target}' may be "
                    "better: it was left as it is.",
                    "Copy the store to a new file; see the faults with {}.",
                    "lenetcli store check",
                )
            sqlite.copy_to_file(connection, path)

    try:
        if target.exists():
            if target.samefile(database.path):
                raise UsageError(f"{target} is the store itself.", "Choose another file.")
            if not target.is_file():
                kind = "a folder" if target.is_dir() else "not an ordinary file"
                raise UsageError(f"{target} is {kind}.", "Name a file.")
            if not overwrite:
                raise UsageError(f"{target} is there already.", "Choose another file, or add --overwrite.")
            # SQLite writes into an existing database in one transaction. The file is not replaced: other
            # programs may have it open, and a journal that a crash left beside it would damage the new one.
            StoreFile(target).check_single_name()
            copy(target)
        else:
            _check_no_journal(target)
            # A copy that fails or is killed leaves nothing under this name.
            write_whole(target, copy, replace=False)
    except (OSError, ValueError, sqlite3.Error) as error:  # ValueError: a null byte
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            problem = f"{target} is there already, and it is not a database."
            raise UsageError(problem, "Choose another file: --overwrite replaces databases only.") from error
        raise unwritable(target, error) from error
    return faults


def _check_no_journal(target: Path) -> None:
    """Raise ``UsageError`` if a database of this name that is gone has left its journal."""
    for ending in ("-journal", "-wal"):
        journal = Path(f"{os.path.realpath(target)}{ending}")
        if journal.exists():
            raise UsageError(
                f"'{journal}' is the journal of a database that is gone, and would ruin the copy.",
                "Delete the journal, or choose another file.",
            )


def _find_faults(connection: Connection, file: StoreFile) -> tuple[str, ...]:
    """The faults of the state of a store that a transaction reads; that it cannot be checked is one, too.

    Raises:
        StoreError: if it is the database of another program.
    """
    try:
        return _check_state(connection, file).faults
    except StoreError as error:
        if isinstance(error, StoreBusyError) or not is_store(connection):
            raise
        return (error.problem,)


class Upgrade(NamedTuple):
    """An upgrade: the schema before, the schema now, and the backup; None if nothing had to be done.

    ``faults`` are those that the store had before, and has still.
    """

    before: str
    now: str
    backup: Path | None
    faults: tuple[str, ...] = ()


def upgrade_store(address: str, *, migrations: Path = MIGRATIONS) -> Upgrade:
    """Upgrade a store to the newest schema, all of it or nothing, after a backup beside it.

    Raises:
        NotFoundError: if there is no store.
        UsageError: if the backup cannot be written.
        StoreError: if it is not a store, has a newer schema, or cannot be written.
    """
    database = Database(address)
    database.check_there()
    # The schema is read first, so that the database of another program is never locked.
    with database.read(file=True) as connection:
        check_schema(connection, database.path)
    with database.write(migrates=True) as connection:
        # From here on no other process can write. The schema is read again, since one may have upgraded the
        # store before. The backup is read through a connection of its own, which sees the last committed
        # state: it is what the upgrade begins with.
        before = check_schema(connection, database.path)
        if before == SCHEMA_VERSION:
            return Upgrade(before, before, None)
        timestamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        backup = database.path.with_name(f"{database.path.name}.{before}.{timestamp}.{os.getpid()}.backup")
        faults = back_up(address, backup)
        broken = sqlite.broken_references(connection)
        migrate(connection, migrations)
        # Foreign keys are not enforced in this transaction: lost rows must be found, and restored, here.
        if sqlite.broken_references(connection) != broken:
            raise StoreError(
                f"The upgrade of '{database.path}' would break what its rows refer to.",
                "Nothing was changed; please report it.",
            )
    return Upgrade(before, SCHEMA_VERSION, backup, faults)
