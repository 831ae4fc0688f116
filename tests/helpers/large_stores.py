"""Stores of very many runs, made of one that was trained: its rows again, with other seeds."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from helpers.fake_training import carry_out

from lenetcli.store.store import Store

KEPT = ("runs", "attempts", "epochs", "timings")
"""The tables whose rows each run has; without weights, which lists do not read."""


def make_large(path: Path, count: int, epochs: int = 1) -> Store:
    """A store with so many runs of a few epochs, the first of them trained by a fake trainer."""
    store = Store.open(str(path), write=True)
    carry_out(store, [0.1], epochs)
    (run,) = store.runs()
    keys = [replace(run.config, seed=seed).key for seed in range(1, count)]
    with closing(sqlite3.connect(path)) as connection, connection:
        rows = {name: _read(connection, name) for name in KEPT}
        for number, key in enumerate(keys, 2):
            changes = {
                "runs": {"id": number, "key": key, "seed": number - 1},
                "attempts": {"id": number, "run_id": number},
                "epochs": {"run_id": number, "predictions": b""},
                "timings": {"attempt_id": number},
            }
            for name, of_run in rows.items():
                for row in of_run:
                    _write(connection, name, row | changes[name])
    return store


def _read(connection: sqlite3.Connection, table: str) -> list[dict[str, object]]:
    cursor = connection.execute(f"SELECT * FROM {table}")  # noqa: S608 -- a name of ours
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _write(connection: sqlite3.Connection, table: str, row: dict[str, object]) -> None:
    places = ", ".join("?" * len(row))
    connection.execute(
        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})",  # noqa: S608 -- names of ours
        list(row.values()),
    )
