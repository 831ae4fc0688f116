"""New rows of the tables that number their rows: a run, an attempt."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, Table, func, insert, select

from lenetcli.experiment.architecture import count_parameters
from lenetcli.experiment.config import Config
from lenetcli.experiment.run import RunState, Worker
from lenetcli.machine.process import this_process
from lenetcli.store.tables import ATTEMPTS, METADATA, RUNS


def values_of(instance: Any) -> dict[str, Any]:
    """The fields of a dataclass by name; unlike ``asdict``, this copies no value, which takes long."""
    return {field.name: getattr(instance, field.name) for field in fields(instance)}


def references(table: Table) -> list[Column[Any]]:
    """The columns of all tables that refer to the number of a row of this one."""
    return [
        column
        for other in METADATA.sorted_tables
        for column in other.c
        if any(key.column is table.c.id for key in column.foreign_keys)
    ]


def add_row(connection: Connection, table: Table, values: Mapping[str, Any]) -> int:
    """Insert a row under a number that no row of the store has or refers to; returns the number."""
    # The database gives out each number once, as far as it remembers. Rows that were deleted by hand, without
    # enforced foreign keys, leave others that refer to them, and its memory may be deleted or restored as
    # well: then a new run would get the epochs of an old one.
    used = [
        connection.execute(select(func.max(one))).scalar_one() for one in (table.c.id, *references(table))
    ]
    largest = max(number or 0 for number in used)
    with connection.begin_nested() as trial:
        number = _insert(connection, table, values)
        if number > largest:
            return number
        trial.rollback()
    return _insert(connection, table, {**values, "id": largest + 1})


def _insert(connection: Connection, table: Table, values: Mapping[str, Any]) -> int:
    inserted = connection.execute(insert(table).values(values)).inserted_primary_key
    return int(inserted[0])  # type: ignore[index]


def add_run(connection: Connection, config: Config, dataset_name: str, epochs: int) -> int:
    """Insert the row of a new run; returns its id."""
    values = asdict(config) | {
        "key": config.key,
        "dataset": dataset_name,
        "parameters": count_parameters(config),
        "state": RunState.RUNNING,
        "target_epochs": epochs,
        "attempt": 1,
        "created_at": datetime.now(UTC),
    }
    return add_row(connection, RUNS, values)


def add_attempt(connection: Connection, worker: Worker, attempt: dict[str, Any]) -> int:
    """Insert the row of an attempt that a worker makes and this process records; returns its id."""
    recorder, values = this_process(), asdict(worker) | attempt
    values |= {"computer": values.pop("process"), "started_at": datetime.now(UTC)}
    values |= {"identity": recorder.to_json(), "recorder_host": recorder.host}
    return add_row(connection, ATTEMPTS, values)
