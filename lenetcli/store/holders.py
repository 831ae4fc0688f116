"""Holders: the processes that hold runs or measure them again, and the end of a holder that is dead."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, select, update

from lenetcli.experiment.run import RunState
from lenetcli.machine.process import this_process
from lenetcli.store.queries import holder_is_alive, last_seen
from lenetcli.store.tables import ATTEMPTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """A run that another process holds: the number of its attempt, its host, and its signs of life.

    ``heartbeat`` is a counter that increases while that process lives, and ``seen_at`` the time at which it
    last did so, by the clock of that host. ``alive`` is what the process table here says, None if it cannot
    tell.
    """

    number: int
    host: str
    heartbeat: int
    seen_at: datetime
    alive: bool | None


def is_gone(holder: Busy) -> bool:
    """Whether the process table says that the process of a holder is dead."""
    return holder.alive is False


def take_over(
    connection: Connection, of_holder: tuple[ColumnElement[bool], ...], is_dead: Callable[[Busy], bool]
) -> Busy | None:
    """End the attempt that holds a run if its process is dead; returns the holder if it is not."""
    holder = connection.execute(select(ATTEMPTS).where(*of_holder)).one_or_none()
    if holder is not None:  # else the store is damaged, and there is no process to wait for
        # A holder that is taken for dead and lives all the same cannot write, because of the fencing token.
        # If it has the identity of this process, it is another one in a copy of this virtual machine that was
        # made while it ran, or a claim that this process has lost track of: the process table knows neither.
        mine = holder.identity == this_process().to_json()
        busy = Busy(
            number=holder.number,
            host=holder.recorder_host,
            heartbeat=holder.heartbeat,
            seen_at=last_seen(holder),
            alive=None if mine else holder_is_alive(holder.identity),
        )
        if not is_dead(busy):
            return busy
        outcome = {"outcome": RunState.INTERRUPTED, "note": "its process was gone"}
        connection.execute(update(ATTEMPTS).where(*of_holder).values(ended_at=datetime.now(UTC), **outcome))
    return None
