"""Neighbours: the other attempts on a machine, and which of them worked during an epoch.

No wall clock is asked, since it may have been set meanwhile: what counts is which attempts have begun or
ended, which have used the processor, and which have given a sign of life from one look to the next.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Connection, Row, func, select

from lenetcli.machine.process import TICK, ProcessIdentity, processor_seconds, this_process
from lenetcli.store.queries import holder_is_alive
from lenetcli.store.tables import ATTEMPTS

IDLE_SHARE = 0.1
"""The share of a core up to which the process of an attempt is idle."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The other attempts that are under way on the machine of an attempt, when they are looked for.

    ``alive`` has, by id, the processor time of those whose process is alive, in seconds; None where it cannot
    be known, and for those that the same process records, which always work. ``unseen`` has the heartbeats,
    by id, of those whose process cannot be seen from here, as it is in another container. ``newest`` is the
    id of the newest attempt in the store, ``at`` the time of the look by a clock that cannot be set.
    """

    alive: Mapping[int, float | None]
    unseen: Mapping[int, int]
    newest: int
    at: float

    def count_idle(self, later: Self) -> int:
        """The number of attempts that are open at this look and at a later one and have not worked meanwhile.

        Their processes were stopped, or waited, and have left the machine to others.
        """
        limit = max(IDLE_SHARE * (later.at - self.at), TICK)
        pairs = [(self.alive[id], later.alive[id]) for id in self.alive.keys() & later.alive.keys()]
        return sum(before is not None and now is not None and now - before <= limit for before, now in pairs)


def find_neighbours(connection: Connection, attempt_id: int, computer: str) -> Neighbours:
    """The neighbours, now, of an attempt that the process ``computer`` computes."""
    rows = _on_machine(connection, attempt_id, computer, ATTEMPTS.c.ended_at.is_(None))
    recorder = this_process().to_json()
    lives = {row.id: row.identity == recorder or holder_is_alive(row.identity) for row in rows}
    return Neighbours(
        alive={
            row.id: None if row.identity == recorder else _processor_seconds(row.computer)
            for row in rows
            if lives[row.id]
        },
        unseen={row.id: row.heartbeat for row in rows if lives[row.id] is None},
        newest=connection.execute(select(func.max(ATTEMPTS.c.id))).scalar_one(),
        at=time.monotonic(),
    )


def count_neighbours(
    connection: Connection, attempt_id: int, computer: str, before: Neighbours, now: Neighbours
) -> int:
    """The number of other attempts that worked at any time between two looks at the neighbours."""
    came = {row.id for row in _on_machine(connection, attempt_id, computer, ATTEMPTS.c.id > before.newest)}
    # One that cannot be seen has lived if its heartbeat has moved, or if it has recorded its end.
    stirred = {id for id, heartbeat in before.unseen.items() if now.unseen.get(id) != heartbeat}
    return len(before.alive.keys() | came | stirred) - before.count_idle(now)


def _on_machine(connection: Connection, attempt_id: int, computer: str, condition: Any) -> list[Row[Any]]:
    """The other attempts on the machine of a process that satisfy a condition."""
    boot_id = _boot_of(computer)
    query = select(ATTEMPTS).where(ATTEMPTS.c.id != attempt_id, condition)
    return [row for row in connection.execute(query) if boot_id and _boot_of(row.computer) == boot_id]


def _processor_seconds(process: str) -> float | None:
    """The processor time of a process; None if it cannot be determined."""
    try:
        return processor_seconds(ProcessIdentity.from_json(process))
    except ValueError:
        return None


def _boot_of(process: str) -> str:
    """The boot of the machine of a process; empty if it is not known."""
    # Host names tell machines apart no better than they do for ``is_alive``.
    try:
        return ProcessIdentity.from_json(process).boot_id
    except ValueError:
        return ""
