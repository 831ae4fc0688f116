"""Sweeps in the store: recording a request, and reading sweeps back with the runs of their cells."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from enum import EnumType
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from lenetcli.experiment.config import Config, Request
from lenetcli.experiment.parameters import PARAMETERS
from lenetcli.experiment.recipes import RECIPES
from lenetcli.experiment.run import Run
from lenetcli.experiment.sweep import Axis, Cell, Sweep, round_request
from lenetcli.store.queries import MIN_ID_DIGITS, check_types, find_key, find_runs, group_rows
from lenetcli.store.rows import add_row
from lenetcli.store.tables import SWEEP_CELLS, SWEEPS
from lenetcli.words import name_values


def find_sweeps(connection: Connection, *conditions: Any) -> list[Sweep]:
    """The sweeps that satisfy all conditions, the newest request first; see ``Store.sweeps``."""
    rows = connection.execute(select(SWEEPS).where(*conditions).order_by(SWEEPS.c.sequence.desc())).all()
    ids = select(SWEEPS.c.id).where(*conditions)
    in_order = select(SWEEP_CELLS).order_by(SWEEP_CELLS.c.sweep_id, SWEEP_CELLS.c.position)
    cells = group_rows(connection, in_order.where(SWEEP_CELLS.c.sweep_id.in_(ids)), "sweep_id")
    runs = find_runs(connection, list({cell.key for members in cells.values() for cell in members}))
    return [_build_sweep(row, cells[row.id], runs) for row in rows]


def find_sweep(connection: Connection, prefix: str) -> Sweep:
    """The sweep whose id begins with ``prefix``; see ``Store.sweep``."""
    key = find_key(connection, SWEEPS.c.key, prefix, "sweep", "lenetcli sweeps list")
    return find_sweeps(connection, SWEEPS.c.key == key)[0]


def find_request(connection: Connection, request: Request, axes: Sequence[Axis]) -> Sweep | None:
    """The newest sweep of the newest recipe that the same request began; None if there is none to be read."""
    for recipe in RECIPES:
        asked = _write_request(*round_request(request, axes, recipe))
        for sweep in _find_readable(connection, SWEEPS.c.asked == asked):
            if sweep.base.recipe == recipe:
                return sweep
    return None


def _find_readable(connection: Connection, condition: Any) -> list[Sweep]:
    """The sweeps that satisfy a condition, the newest first; none if rows of one were edited by hand."""
    try:
        return find_sweeps(connection, condition)
    except ValueError:  # requested again, it is planned and recorded anew
        return []


def _write_request(request: Request, axes: Sequence[Axis]) -> str:
    """A text that is the same for requests that mean the same sweep, in whatever order it was typed."""
    # A seed that is not an axis counts as one of a single value: ``--seeds 1`` is ``--seed 0``.
    grid = {"seed": [request.seed]} | {axis.name: sorted(axis.values) for axis in axes}
    typed = {name: value for name, value in request.to_mapping().items() if name not in {*grid, "threads"}}
    return json.dumps([grid, typed], sort_keys=True)


def record_request(connection: Connection, sweep: Sweep) -> None:
    """Record, in a transaction that writes, that a sweep is requested now, whether it is known or new."""
    now = datetime.now(UTC)
    newest = {
        "sequence": select(func.coalesce(func.max(SWEEPS.c.sequence), 0) + 1).scalar_subquery(),
        "request": sweep.request.to_mapping(),
        "asked": _write_request(sweep.request, sweep.axes),
        "last_requested": now,
    }
    known_id = connection.execute(select(SWEEPS.c.id).where(SWEEPS.c.key == sweep.id)).scalar_one_or_none()
    if known_id is not None and not _find_readable(connection, SWEEPS.c.id == known_id):
        connection.execute(delete(SWEEPS).where(SWEEPS.c.id == known_id))
    elif known_id is not None:
        connection.execute(update(SWEEPS).where(SWEEPS.c.id == known_id).values(newest))
        return
    axes = [[axis.name, axis.values] for axis in sweep.axes]
    grid = {"key": sweep.id, "axes": axes, "epochs": sweep.epochs, "dataset": sweep.dataset_name}
    sweep_id = add_row(connection, SWEEPS, {"created_at": now, **grid, **newest})
    cells = [
        {"sweep_id": sweep_id, "position": number, "key": config.key, "config": config.to_mapping()}
        for number, config in enumerate(cell.config for cell in sweep.cells)
    ]
    connection.execute(insert(SWEEP_CELLS), cells)


def _build_sweep(row: Row[Any], cell_rows: Sequence[Row[Any]], runs: Mapping[str, Run]) -> Sweep:
    """The sweep of a row, with the runs of its cells that have begun.

    Raises:
        ValueError: if the rows contain other values than ``record_request`` writes.
    """
    try:
        return _build(row, cell_rows, runs)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"sweep {str(row.key)[:MIN_ID_DIGITS]}: {error}") from error


def _build(row: Row[Any], cell_rows: Sequence[Row[Any]], runs: Mapping[str, Run]) -> Sweep:
    cells = []
    for cell in cell_rows:
        run = runs.get(cell.key)
        config = check_types(Config.from_mapping(cell.config))
        if config.key != cell.key:
            raise ValueError(f"the id of cell {cell.position} is not that of its configuration")
        cells.append(Cell(config=config, run=run.at(row.epochs) if run else None))
    kinds = {name: PARAMETERS[name].kind for name, _ in row.axes}
    axes = tuple(
        Axis(name, tuple(map(kinds[name], values) if isinstance(kinds[name], EnumType) else values))
        for name, values in row.axes
    )
    sweep = Sweep(
        axes=axes,
        epochs=row.epochs,
        dataset_name=row.dataset,
        cells=tuple(cells),
        request=check_types(Request.from_mapping(row.request)),
        created_at=row.created_at,
        last_requested=row.last_requested,
    )
    points = {tuple(asdict(cell.config)[axis.name] for axis in axes) for cell in cells}
    known = all(value in axis.values for point in points for value, axis in zip(point, axes, strict=True))
    if not (axes and cells and known and len(points) == math.prod(len(axis.values) for axis in axes)):
        raise ValueError(f"it is over {name_values(axis.name for axis in axes)}, without all of its cells")
    if len({cell.config.recipe for cell in cells}) > 1:
        raise ValueError("its cells are of several recipes")
    if sweep.id != row.key:
        raise ValueError("its id is not that of its cells")
    return sweep
