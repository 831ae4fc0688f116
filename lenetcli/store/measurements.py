"""A finished run computed once more: the same bits as a check, new times, nothing else."""

from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from lenetcli.runs import Attempt, Run
from lenetcli.store.claims import add_attempt, compare_machines, next_number
from lenetcli.store.tables import RUNS


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """An attempt that measures a finished run again.

    ``note`` says why its bits may differ from the stored ones; None where they must not.
    """

    attempt_id: int
    number: int
    note: str | None


def begin(
    connection: Connection, run: Run, attempt: Attempt, *, identity: str, fingerprint: str
) -> Measurement:
    """Record that a finished run is measured again; see ``Store.begin_measurement``."""
    run_id = connection.execute(select(RUNS.c.id).where(RUNS.c.key == run.key)).scalar_one()
    note = compare_machines(connection, run_id, attempt, fingerprint)
    number = next_number(connection, run_id)
    attempt_id = add_attempt(
        connection,
        run_id,
        replace(attempt, number=number, remeasure=True, note=note),
        identity=identity,
        fingerprint=fingerprint,
    )
    return Measurement(attempt_id=attempt_id, number=number, note=note)
