"""The schema of a store: its version, what may not be in it, and the migration to the newest one."""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, select

from lenetcli.errors import StoreError
from lenetcli.store import sqlite
from lenetcli.store.tables import SCHEMA_VERSION, VERSION

MIGRATIONS = Path(__file__).parent / "migrations"
"""The folder of the Alembic environment and its revisions."""


def is_store(connection: Connection) -> bool:
    """Whether a database is a store of some version."""
    return inspect(connection).has_table(VERSION.name)


def check_schema(connection: Connection, path: Path) -> str:
    """The schema of a database, which must be a store that this release can read.

    Raises:
        StoreError: if it is the database of another program, has a newer schema, or holds views, triggers or
            virtual tables.
    """
    if not is_store(connection):
        raise StoreError(f"'{path}' is a database of another program.", "Name another file with --store.")
    versions = connection.execute(select(VERSION.c.version_num)).scalars().all()
    if len(versions) != 1 or not "0001" <= str(versions[0]) <= SCHEMA_VERSION:
        shown = ", ".join(str(version)[:32] for version in versions) or "none"
        raise StoreError(
            f"The store '{path}' has schema {shown}, and this lenetcli reads {SCHEMA_VERSION}.",
            "Use the lenetcli that wrote it, or a newer one: pip install --upgrade lenetcli.",
        )
    # In a store from elsewhere, a view or trigger would execute its own SQL inside our statements.
    foreign_names = connection.exec_driver_sql(
        "SELECT name FROM sqlite_master WHERE type IN ('view', 'trigger') OR sql LIKE 'CREATE VIRTUAL%'"
    ).scalars()
    if names := sorted(map(str, foreign_names)):
        raise StoreError(
            f"The store '{path}' holds {names[0][:64]!r}, which no lenetcli put there.",
            "Do not trust it; restore the store from a backup.",
        )
    return str(versions[0])


def copy_upgraded(connection: Connection) -> Engine:
    """A copy in memory of the store that a transaction reads, with the newest schema."""
    engine = sqlite.copy_to_memory(connection)
    with sqlite.for_writing(engine, migrates=True).begin() as copy:
        migrate(copy)
    return engine


def migrate(connection: Connection, migrations: Path = MIGRATIONS) -> None:
    """Bring a store to the newest schema, in a transaction that does not enforce foreign keys."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
