"""Care for a store: look into it, check it, copy it while it is used, bring it to this schema."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from lenetcli.errors import StoreBusyError, StoreError, UsageError
from lenetcli.experiment import checkpoint
from lenetcli.experiment.run import Run
from lenetcli.store import claims, queries
from lenetcli.store.database import Database, parse_address
from lenetcli.store.tables import ATTEMPTS, METADATA, RUNS, SCHEMA_VERSION, VERSION

COPY_PATIENCE = 30.0
"""How long a backup waits for a target that another program uses, in seconds."""

MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSummary:
    """What ``store info`` shows: where the store is, how large, what it holds, when it was last used."""

    path: Path
    bytes: int
    schema: str
    counts: dict[str, int]
    newest: datetime | None


def inspect_store(address: str) -> StoreSummary:
    """The facts of a store.

    Raises:
        NotFoundError: if it is not there.
        StoreError: if it is no store, or one of another version.
    """
    database = _open(address)
    with database.read() as connection:
        counts = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in METADATA.sorted_tables
            if table.name != "lenetcli_version"
        }
        newest = connection.execute(
            select(
                func.max(
                    func.coalesce(ATTEMPTS.c.ended_at, ATTEMPTS.c.started_at),
                    type_=ATTEMPTS.c.started_at.type,
                )
            )
        ).scalar_one()
    return StoreSummary(
        path=database.path.resolve(),
        bytes=database.path.stat().st_size,
        schema=SCHEMA_VERSION,
        counts=counts,
        newest=newest,
    )


def check_store(address: str) -> list[str]:
    """What is wrong with a store, a sentence each: the file, the references, the curves, the weights.

    Raises:
        NotFoundError: if it is not there.
        StoreError: if it cannot be read at all.
    """
    database = _open(address)
    with database.read() as connection:
        found = [
            f"The file: {text}."
            for (text,) in connection.exec_driver_sql("PRAGMA integrity_check(20)")
            if text != "ok"
        ]
        found += [
            f"The table {table} has a row that refers to a missing one of {parent}."
            for table, _, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check")
        ]
        keys = connection.execute(select(RUNS.c.key).order_by(RUNS.c.id)).scalars().all()
        for key in keys:
            run = queries.find_runs(connection, [key])[key]
            found += [f"Run {run.short_id}: {trouble}." for trouble in _check_run(connection, run)]
        try:
            queries.list_sweeps(connection)
        except ValueError as error:
            found.append(f"The sweeps cannot be read: {error}.")
    return found


def _check_run(connection: Any, run: Run) -> Iterator[str]:
    if run.config.key != run.key:
        yield "its id is not that of its configuration"
    if [point.epoch for point in run.curve] != list(range(1, run.epochs + 1)):
        yield "epochs are missing from its curve"
    try:
        stored = claims.read_checkpoint(connection, run.config)
        if stored is None:
            if run.epochs:
                yield "its weights are missing"
            return
        if stored.epoch != run.epochs:
            yield f"its weights are those of epoch {stored.epoch}, its curve ends at {run.epochs}"
        checkpoint.read(stored)
    except StoreError as error:
        yield error.problem.rstrip(".").lower()


def back_up(address: str, target: Path, *, overwrite: bool = False) -> None:
    """Copy a store, also while others write to it: one state of it, whole or not at all.

    Raises:
        NotFoundError: if it is not there.
        UsageError: if the target is there already, or cannot be written.
        StoreError: if the store cannot be read.
    """
    database = Database(parse_address(address))
    database.check_there()
    _copy(database, target, overwrite=overwrite)


def _copy(database: Database, target: Path, *, overwrite: bool) -> None:
    if target.is_dir():
        raise UsageError(f"{target} is a folder.", "Name a file.")
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if target.exists():
            if target.samefile(database.path):
                raise UsageError(f"{target} is the store itself.", "Choose another file.")
            if not overwrite:
                raise UsageError(f"{target} is there already.", "Choose another file, or add --overwrite.")
            _fill(database, target)  # through SQLite, since others may have it open, or left it half written
        else:
            partial.touch(exist_ok=False)
            _fill(database, partial)
            _rename(partial, target)
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{target} cannot be written: {reason}.", "Choose another file.") from error
    finally:
        partial.unlink(missing_ok=True)


def _fill(database: Database, target: Path) -> None:
    """Put one state of a store into a database file, all of it or nothing."""
    deadline = time.monotonic() + COPY_PATIENCE

    def give_up(status: int, _remaining: int, _pages: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > deadline:
            raise sqlite3.OperationalError("another program uses it")

    with database.read() as connection, closing(sqlite3.connect(target)) as copy:
        source: Any = connection.connection.driver_connection
        source.backup(copy, progress=give_up)
        copy.execute("PRAGMA journal_mode=DELETE").fetchone()


def _rename(partial: Path, target: Path) -> None:
    """Give a file its name unless somebody else was faster."""
    try:
        os.link(partial, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        target.touch(exist_ok=False)
        partial.replace(target)


def upgrade_store(address: str, *, migrations: Path = MIGRATIONS) -> tuple[str, str, Path | None]:
    """Bring a store to the newest schema: a backup first, then all of it or nothing.

    Returns:
        The schema before, the schema now, and the backup, None where nothing had to be done.

    Raises:
        NotFoundError: if it is not there.
        StoreError: if it is no store, a newer one, or cannot be written.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    head = str(scripts.get_current_head())
    known = {revision.revision for revision in scripts.walk_revisions()}
    database = Database(parse_address(address))
    database.check_there()
    _read_version(database, known)
    with database.migrate() as connection:
        before = _read_version(database, known)  # again: somebody may have been faster
        if before == head:
            return before, head, None
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        backup = database.path.with_name(f"{database.path.name}.{before}.{moment}.{os.getpid()}.backup")
        _copy(database, backup, overwrite=False)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if connection.exec_driver_sql("PRAGMA foreign_key_check").all():
            raise StoreError(
                f"The upgrade of '{database.path}' would break what its rows refer to.",
                "Nothing was changed; please report it.",
            )
    return before, head, backup


def _read_version(database: Database, known: set[str]) -> str:
    """The schema of a store, if it is one of ``known``."""
    try:
        with database.read() as connection:
            found = connection.execute(select(VERSION.c.version_num)).scalars().all()
    except StoreBusyError:
        raise
    except StoreError:
        found = []
    if len(found) != 1 or found[0] not in known:
        database.open()  # which says what is wrong with it
    return str(found[0])


def _open(address: str) -> Database:
    database = Database(parse_address(address))
    database.open()
    return database
