"""Sweeps are grids in an order of their own; ids are given out once; recorders beside computers; notes."""

import json
from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Change a store of schema 0001."""
    with _recreate("runs") as table:
        table.drop_index("runs_by_age")
        table.add_column(sa.Column("note", sa.String()))
    with _recreate("attempts") as table:
        table.add_column(sa.Column("seen_at", sa.DateTime()), insert_after="heartbeat")
        table.add_column(sa.Column("computer", sa.String()))
        table.add_column(sa.Column("recorder_host", sa.String()))
    op.execute("UPDATE attempts SET computer = identity, recorder_host = host")
    with _recreate("attempts") as table:
        table.alter_column("computer", nullable=False)
        table.alter_column("recorder_host", nullable=False)
    with op.batch_alter_table("timings") as table:
        table.add_column(sa.Column("started_at", sa.DateTime()))
        table.add_column(sa.Column("ended_at", sa.DateTime()))
        table.add_column(sa.Column("beside", sa.Integer()))
    _upgrade_sweeps()
    # A row may refer to an id that was deleted by hand: it is not given out again either.
    for name, column, reference in (
        *(("runs", "run_id", table) for table in ("attempts", "epochs", "weights")),
        ("attempts", "attempt_id", "timings"),
    ):
        largest = f"(SELECT coalesce(max({column}), 0) FROM {reference})"  # noqa: S608
        op.execute(f"UPDATE sqlite_sequence SET seq = max(seq, {largest}) WHERE name = '{name}'")  # noqa: S608


def _recreate(table: str) -> AbstractContextManager[BatchOperations]:
    """A change of a table in which SQLite gives out no id again, also not after its row is deleted."""
    return op.batch_alter_table(table, recreate="always", table_kwargs={"sqlite_autoincrement": True})


def _upgrade_sweeps() -> None:
    with _recreate("sweeps") as table:
        table.add_column(sa.Column("axes", sa.JSON()), insert_before="epochs")
        table.add_column(sa.Column("sequence", sa.Integer()), insert_after="asked")
        table.add_column(sa.Column("note", sa.String()))
    connection = op.get_bind()
    rows = connection.execute(
        sa.text("SELECT id, parameter, request FROM sweeps ORDER BY last_requested, id")
    )
    for sequence, (sweep_id, parameter, request) in enumerate(rows.all(), 1):
        configs = connection.execute(
            sa.text("SELECT config FROM sweep_cells WHERE sweep_id = :id ORDER BY position"), {"id": sweep_id}
        )
        axes = _axes(parameter, [json.loads(config) for (config,) in configs])
        asked = _asked(axes, json.loads(request))
        connection.execute(
            sa.text("UPDATE sweeps SET axes = :axes, asked = :asked, sequence = :sequence WHERE id = :id"),
            {"id": sweep_id, "axes": json.dumps(axes), "asked": asked, "sequence": sequence},
        )
    with _recreate("sweeps") as table:
        table.drop_index("ix_sweeps_last_requested")
        table.alter_column("axes", nullable=False)
        table.alter_column("sequence", nullable=False)
        table.create_index("ix_sweeps_asked", ["asked"])
        table.create_unique_constraint("sweeps_sequence", ["sequence"])
        table.drop_column("parameter")
    with op.batch_alter_table("sweep_cells") as table:
        table.drop_column("value")


def _axes(parameter: str, configs: list[dict[str, Any]]) -> list[list[Any]]:
    """The axes of a sweep: its parameter, and the seed if there are several."""
    names = [parameter, "seed"] if parameter != "seed" else [parameter]
    axes = [[name, list(dict.fromkeys(config[name] for config in configs))] for name in names]
    return [[name, values] for name, values in axes if name == parameter or len(values) > 1]


def _asked(axes: list[list[Any]], request: dict[str, Any]) -> str:
    """The text that is the same for requests that mean the same sweep."""
    grid = {"seed": [request["seed"]]} | {name: sorted(values) for name, values in axes}
    typed = {name: value for name, value in request.items() if name not in {*grid, "threads"}}
    return json.dumps([grid, typed], sort_keys=True)
