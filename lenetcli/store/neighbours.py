"""Neighbours: the other attempts on a machine, and which of them were under way during an epoch.

No clock is asked, since it may have been set meanwhile: what counts is which attempts are open, which have
begun, and which have given a sign of life from one look to the next.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select

from lenetcli.machine.process import ProcessIdentity
from lenetcli.store.queries import holder_is_alive
from lenetcli.store.tables import ATTEMPTS


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The other attempts that are under way on the machine of an attempt, when they are looked for.

    ``alive`` has the ids of those whose process is alive, ``unseen`` the heartbeats, by id, of those whose
    process cannot be seen from here, as it is in another container. ``newest`` is the id of the newest
    attempt in the store.
    """

    alive: frozenset[int]
    unseen: Mapping[int, int]
    newest: int


def find_neighbours(connection: Connection, attempt_id: int, computer: str) -> Neighbours:
    """The neighbours, now, of an attempt that the process ``computer`` computes."""
    rows = _on_machine(connection, attempt_id, computer, ATTEMPTS.c.ended_at.is_(None))
    lives = {row.id: holder_is_alive(row.identity) for row in rows}
    return Neighbours(
        alive=frozenset(id for id, alive in lives.items() if alive),
        unseen={row.id: row.heartbeat for row in rows if lives[row.id] is None},
        newest=connection.execute(select(func.max(ATTEMPTS.c.id))).scalar_one(),
    )


def count_neighbours(
    connection: Connection, attempt_id: int, computer: str, before: Neighbours, now: Neighbours
) -> int:
    """The number of other attempts that were under way at any time between two looks at the neighbours."""
    came = {row.id for row in _on_machine(connection, attempt_id, computer, ATTEMPTS.c.id > before.newest)}
    # One that cannot be seen has lived if its heartbeat has moved, or if it has recorded its end.
    stirred = {id for id, heartbeat in before.unseen.items() if now.unseen.get(id) != heartbeat}
    return len(before.alive | came | stirred)


def _on_machine(connection: Connection, attempt_id: int, computer: str, condition: Any) -> list[Row[Any]]:
    """The other attempts on the machine of a process that satisfy a condition."""
    boot_id = _boot_of(computer)
    query = select(ATTEMPTS).where(ATTEMPTS.c.id != attempt_id, condition)
    return [row for row in connection.execute(query) if boot_id and _boot_of(row.computer) == boot_id]


def _boot_of(process: str) -> str:
    """The boot of the machine of a process; empty if it is not known."""
    # Host names tell machines apart no better than they do for ``is_alive``.
    try:
        return ProcessIdentity.from_json(process).boot_id
    except ValueError:
        return ""
