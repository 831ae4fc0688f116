"""Neighbours: the other attempts on a machine, and which of them worked during an epoch.

No wall clock is asked, since it may have been set meanwhile: what counts is which attempts have begun or
ended, which have used the processor, and which have given a sign of life from one look to the next.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Connection, Row, bindparam, func, or_, select

from lenetcli.machine.process import TICK, ProcessIdentity, processor_seconds, this_process
from lenetcli.store.queries import holder_is_alive
from lenetcli.store.tables import ATTEMPTS

IDLE_SHARE = 0.1
"""The share of a core up to which the process of an attempt is idle."""

# Of many columns those that are needed here; built once, since a look is taken for each epoch.
_SEEN = select(*(ATTEMPTS.c[name] for name in ("id", "computer", "identity", "heartbeat", "ended_at")))
_NEW = ATTEMPTS.c.id > bindparam("newest")
_SINCE = _SEEN.where(_NEW)
_SINCE_AND_KNOWN = _SEEN.where(or_(_NEW, ATTEMPTS.c.id.in_(bindparam("known", expanding=True))))


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
    newest = connection.execute(select(func.max(ATTEMPTS.c.id))).scalar_one()
    rows: list[Row[Any]] = []
    if boot_id := _boot_of(computer):
        # The database leaves few of the open attempts, which may be many on other machines.
        on_machine = ATTEMPTS.c.computer.contains(json.dumps(boot_id), autoescape=True)
        query = _SEEN.where(ATTEMPTS.c.ended_at.is_(None), ATTEMPTS.c.id != attempt_id, on_machine)
        rows = [row for row in connection.execute(query) if _boot_of(row.computer) == boot_id]
    return _look(rows, newest)


def look_again(
    connection: Connection, looks: Sequence[tuple[str, Neighbours]]
) -> list[tuple[Neighbours, int]]:
    """The neighbours of attempts now, and how many others have worked at any time since the look before.

    ``looks`` has of each attempt the process that computes it, and its neighbours before.
    """
    # An attempt that has ended, or whose process is dead, stays so: of the older ones, those that were
    # neighbours before are all that can be. So it does not matter how many there are elsewhere.
    known = sorted({id for _, before in looks for id in (*before.alive, *before.unseen)})
    query, values = (_SINCE_AND_KNOWN, {"known": known}) if known else (_SINCE, {})
    oldest = min(before.newest for _, before in looks)
    rows = connection.execute(query, {"newest": oldest, **values}).all()
    newest = max((*(before.newest for _, before in looks), *(row.id for row in rows)))
    found = []
    for computer, before in looks:
        new = [row for row in rows if row.id > before.newest]
        boot_id = _boot_of(computer) if new else ""
        came = {row.id for row in new if boot_id and _boot_of(row.computer) == boot_id}
        mine = came | before.alive.keys() | before.unseen.keys()
        now = _look([row for row in rows if row.id in mine and row.ended_at is None], newest)
        # One that cannot be seen has lived if its heartbeat has moved, or if it has recorded its end.
        stirred = {id for id, heartbeat in before.unseen.items() if now.unseen.get(id) != heartbeat}
        found.append((now, len(before.alive.keys() | came | stirred) - before.count_idle(now)))
    return found


def _look(rows: Sequence[Row[Any]], newest: int) -> Neighbours:
    """What is seen of the open attempts on a machine."""
    recorder = this_process().to_json() if rows else ""
    lives = {row.id: row.identity == recorder or holder_is_alive(row.identity) for row in rows}
    return Neighbours(
        alive={
            row.id: None if row.identity == recorder else _processor_seconds(row.computer)
            for row in rows
            if lives[row.id]
        },
        unseen={row.id: row.heartbeat for row in rows if lives[row.id] is None},
        newest=newest,
        at=time.monotonic(),
    )


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
