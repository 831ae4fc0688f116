"""Heartbeats: the signs of life that an attempt gives, and the watch on those of others."""

import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from lenetcli.errors import LostClaimError, StoreBusyError, StoreChangedError, StoreError
from lenetcli.store.holders import Busy
from lenetcli.training.events import Held

HEARTBEAT_SECONDS = 10.0
"""The interval between two heartbeats of an attempt."""

RETRY_SECONDS = 1.0
"""The interval at which a heartbeat is tried again while another program holds the lock of the store."""

DEAD_SECONDS = 120.0
"""An attempt on another host is presumed dead when its heartbeat has stood still for so long."""

SILENT_SECONDS = 30.0
"""An attempt on another host is known to be alive until its heartbeat has stood still for so long."""

LONGEST_GAP = 5.0
"""The most that counts between two observations of a heartbeat, in seconds."""


class Heart:
    """The heartbeats of a claim, to be sent when they are due: an epoch of a huge network takes long.

    What is recorded of the run otherwise is a sign of life, too, which postpones the next heartbeat.
    """

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat = beat
        self._due = time.monotonic() + HEARTBEAT_SECONDS

    def postpone(self) -> None:
        """Send the next heartbeat later, since there was another sign of life just now."""
        self._due = time.monotonic() + HEARTBEAT_SECONDS

    def beat_if_due(self) -> None:
        """Send the heartbeat if it is due.

        Raises:
            LostClaimError, StoreChangedError: if nothing can be recorded any more.
        """
        if time.monotonic() < self._due:
            return
        pause = HEARTBEAT_SECONDS
        try:
            self._beat()
        except StoreBusyError:  # others may take this process for dead soon after the lock is released
            pause = min(RETRY_SECONDS, HEARTBEAT_SECONDS)
        except (LostClaimError, StoreChangedError):
            raise
        except StoreError:  # may pass: if it does not, the next epoch cannot be recorded
            pass
        self._due = time.monotonic() + pause


class _Observation(NamedTuple):
    """What was seen last of the holder of a run, when, and how long its heartbeat had stood still then.

    ``has_moved`` is whether the heartbeat of this holder was ever seen to move.
    """

    number: int
    heartbeat: int
    at: float
    still_seconds: float
    has_moved: bool


class HeartbeatWatch:
    """Finds out which attempts are dead: by the process table where it can tell, else by their heartbeats.

    Time is measured with the monotonic clock of this process, so that no wall clock matters. A run that was
    lost to another process is proof that the processes of two machines look alike, or that heartbeats cannot
    be recorded in time. From then on the process table is not asked about that run, and with each loss its
    holders have twice as long to give a sign of life, so that in the end one of them gets on with it.
    """

    def __init__(self) -> None:
        self._observations: dict[str, _Observation] = {}  # by the key of the run
        self._losses = Counter[str]()  # by the key of the run

    def lose(self, key: str) -> None:
        """Record that a run was lost to another process."""
        self._losses[key] += 1

    def forget(self) -> None:
        """Forget all observations, since the store is locked, and nobody can record a heartbeat."""
        self._observations.clear()

    def observe(self, key: str, holder: Busy) -> float | None:
        """Record the heartbeat of the holder of a run; returns the seconds until it is presumed dead.

        None if it is known to be alive.
        """
        now, before = time.monotonic(), self._observations.get(key)
        still, has_moved = 0.0, False
        if before is not None and before.number == holder.number:
            has_moved = before.has_moved or before.heartbeat != holder.heartbeat
            if before.heartbeat == holder.heartbeat:
                # During a longer gap this process may have been stopped, or have trained another run, and the
                # other process may have been stopped as well, or have waited for the lock of the store.
                still = before.still_seconds + min(now - before.at, LONGEST_GAP)
        self._observations[key] = _Observation(holder.number, holder.heartbeat, now, still, has_moved)
        if holder.alive or (has_moved and still < SILENT_SECONDS):
            return None
        return max(0.0, self._patience(key) - still)

    def tell(self, key: str, holder: Busy, *, wait: bool) -> Held:
        """Record the heartbeat of the holder of a run; returns the event that tells of it."""
        left = self.observe(key, holder)
        return Held(key, holder.host, None if holder.alive else holder.seen_at, left if wait else None)

    def is_dead(self, key: str, holder: Busy) -> bool:
        """Whether the holder of a run is dead, or presumed to be."""
        if holder.alive is not None and not self._losses[key]:
            return not holder.alive
        last = self._observations.get(key)
        if holder.alive or last is None or (last.number, last.heartbeat) != (holder.number, holder.heartbeat):
            return False
        return last.still_seconds > self._patience(key)

    def _patience(self, key: str) -> float:
        """How long the heartbeat of a holder of a run may stand still."""
        return DEAD_SECONDS * 2.0 ** self._losses[key]
