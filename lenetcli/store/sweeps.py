"""Sweeps in the store: recording a request, and reading sweeps back with the runs of their cells."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from lenetcli.experiment.config import Config, Precision, Request
from lenetcli.experiment.run import Run
from lenetcli.experiment.sweep import Cell, Sweep, make_axes
from lenetcli.store.queries import check_types, find_key, find_runs
from lenetcli.store.tables import SWEEP_CELLS, SWEEPS


def list_sweeps(connection: Connection) -> list[Sweep]:
    """All sweeps, the newest request first; the run of each cell is cut to the epochs of the sweep."""
    return _build_sweeps(connection)


def find_sweep(connection: Connection, prefix: str) -> Sweep:
    """The sweep whose id begins with ``prefix``.

    Raises:
        NotFoundError: if there is no such sweep, or more than one.
    """
    key = find_key(connection, SWEEPS.c.key, prefix, "sweep", "lenetcli sweeps list")
    return _build_sweeps(connection, SWEEPS.c.key == key)[0]


def find_asked(connection: Connection, asked: str) -> Sweep | None:
    """The newest sweep with the request ``asked``, a text as in ``record_request``; None if there is none."""
    sweeps = _build_sweeps(connection, SWEEPS.c.asked == asked)
    return sweeps[0] if sweeps else None


def record_request(connection: Connection, sweep: Sweep, asked: str) -> None:
    """Record that a sweep is requested now.

    Args:
        connection: a connection in a transaction that writes.
        sweep: the sweep; if it is in the store already, its newest request is updated.
        asked: the request as text; requests with the same text mean the same sweep.
    """
    now = datetime.now(UTC)
    known_id = connection.execute(select(SWEEPS.c.id).where(SWEEPS.c.key == sweep.id)).scalar_one_or_none()
    if known_id is not None:
        newest = {"last_requested": now, "asked": asked, "request": asdict(sweep.request)}
        connection.execute(update(SWEEPS).where(SWEEPS.c.id == known_id).values(newest))
        return
    sweep_id = connection.execute(
        insert(SWEEPS).values(
            key=sweep.id,
            parameter=sweep.parameter,
            epochs=sweep.epochs,
            dataset=sweep.dataset_name,
            request=asdict(sweep.request),
            asked=asked,
            created_at=now,
            last_requested=now,
        )
    ).inserted_primary_key[0]  # type: ignore[index]
    cells = [
        {
            "sweep_id": sweep_id,
            "position": position,
            "value": getattr(cell.config, sweep.parameter),
            "key": cell.config.key,
            "config": asdict(cell.config),
        }
        for position, cell in enumerate(sweep.cells)
    ]
    connection.execute(insert(SWEEP_CELLS), cells)


def _build_sweeps(connection: Connection, *conditions: Any) -> list[Sweep]:
    """The sweeps that satisfy all conditions, the newest request first."""
    rows = connection.execute(
        select(SWEEPS).where(*conditions).order_by(SWEEPS.c.last_requested.desc(), SWEEPS.c.id.desc())
    ).all()
    ids = select(SWEEPS.c.id).where(*conditions)
    cell_rows = connection.execute(
        select(SWEEP_CELLS)
        .where(SWEEP_CELLS.c.sweep_id.in_(ids))
        .order_by(SWEEP_CELLS.c.sweep_id, SWEEP_CELLS.c.position)
    ).all()
    runs = find_runs(connection, {row.key for row in cell_rows})
    cells = defaultdict(list)
    for row in cell_rows:
        cells[row.sweep_id].append(row)
    return [_build_sweep(row, cells[row.id], runs) for row in rows]


def _build_sweep(row: Row[Any], cell_rows: Sequence[Row[Any]], runs: Mapping[str, Run]) -> Sweep:
    """The sweep of a row, with the runs of its cells that have begun.

    Raises:
        KeyError, TypeError, ValueError: if the rows contain other values than ``record_request`` writes.
    """
    cells = []
    for cell in cell_rows:
        config = check_types(Config.from_mapping(cell.config))
        run = runs.get(cell.key)
        cells.append(Cell(config=config, run=run.at(row.epochs) if run else None))
    if not cells:
        raise ValueError(f"a sweep over {row.parameter!r} without cells")
    several = len({cell.config.seed for cell in cells}) > 1 and row.parameter != "seed"
    return Sweep(
        axes=make_axes([row.parameter, *["seed"] * several], cells),
        epochs=row.epochs,
        dataset_name=row.dataset,
        cells=tuple(cells),
        request=check_types(Request(**row.request | {"precision": Precision(row.request["precision"])})),
        created_at=row.created_at,
        last_requested=row.last_requested,
    )
