"""The store of runs: one SQLite file; all SQL is in this room."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from lenetcli.errors import StoreBusyError, UsageError
from lenetcli.experiment.checkpoint import Checkpoint
from lenetcli.experiment.config import Config, DeviceKind
from lenetcli.experiment.run import Attempt, CurvePoint, Run, RunState, Timing
from lenetcli.experiment.sweep import Sweep
from lenetcli.store import claims, queries
from lenetcli.store.claims import Busy, Claim, Done, Measurement
from lenetcli.store.database import Database, parse_address
from lenetcli.store.tables import ATTEMPTS, DATASETS, EPOCHS, RUNS, SWEEP_CELLS, SWEEPS

__all__ = ["SORT_FIELDS", "Busy", "Claim", "Done", "Measurement", "Store"]

OPEN_SECONDS = 30.0
"""How long opening a store waits for a lock that somebody else holds."""

SORT_FIELDS = tuple(queries.SORT_FIELDS)


class Store:
    """Runs, sweeps, curves, timings and weights; hands out frozen dataclasses only.

    Every method is one transaction, and holds nothing after it; all raise ``StoreBusyError`` or
    ``StoreError`` where the file cannot be read or written.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, address: str, *, create: bool = False) -> "Store":
        """The store at a path or an SQLAlchemy URL.

        Args:
            address: where it is.
            create: make it if it is not there.

        Raises:
            NotFoundError: if it is not there.
            StoreError: if it is no store, or one of another version.
        """
        database = Database(parse_address(address))
        deadline = time.monotonic() + OPEN_SECONDS
        while True:
            try:
                database.open_or_create() if create else database.open()
                return cls(database)
            except StoreBusyError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    @staticmethod
    def check_creatable(address: str) -> None:
        """Find out, without making it, whether a store can be made where there is none.

        Raises:
            StoreError: if not.
        """
        Database(parse_address(address)).check_creatable()

    @property
    def name(self) -> str:
        """The store's path, for people."""
        return str(self._database.path)

    # Reading

    def runs(
        self,
        ids: Sequence[str] | None = None,
        *,
        state: RunState | None = None,
        device: DeviceKind | None = None,
        sweep: str | None = None,
        sort: str = "created_at",
        limit: int | None = None,
    ) -> list[Run]:
        """Runs by their ids (unique prefixes), else all that fit, the newest first unless sorted otherwise.

        The runs of a ``sweep`` are cut to its epochs.

        Raises:
            NotFoundError: for an id that no run or more than one begins with.
            UsageError: for an unknown field to sort by.
        """
        if sort not in queries.SORT_FIELDS:
            raise UsageError(
                f"Runs cannot be sorted by {sort!r}.", f"Choose one of {', '.join(SORT_FIELDS)}."
            )
        with self._database.read() as connection:
            if ids is not None:
                return [queries.find_run(connection, prefix) for prefix in ids]
            if sweep is not None:
                found = queries.find_sweep(connection, sweep).runs
                fit = [r for r in found if state in (None, r.state) and device in (None, r.config.device)]
                return queries.sort_runs(fit, sort)[:limit]
            return queries.list_runs(connection, state=state, device=device, sort=sort, limit=limit)

    def run(self, prefix: str) -> Run:
        """The one run whose id begins so."""
        return self.runs([prefix])[0]

    def find(self, keys: Iterable[str]) -> dict[str, Run]:
        """The runs with these keys that have begun, by key."""
        with self._database.read() as connection:
            return queries.find_runs(connection, keys)

    def count(self) -> int:
        """How many runs there are."""
        with self._database.read() as connection:
            return connection.execute(select(func.count()).select_from(RUNS)).scalar_one()

    def sweeps(self) -> list[Sweep]:
        """All sweeps, the newest request first; each cell's run is cut to the sweep's epochs."""
        with self._database.read() as connection:
            return queries.list_sweeps(connection)

    def sweep(self, prefix: str) -> Sweep:
        """The one sweep whose id begins so."""
        with self._database.read() as connection:
            return queries.find_sweep(connection, prefix)

    def find_asked(self, asked: str) -> Sweep | None:
        """The newest sweep that answers the request ``asked``."""
        with self._database.read() as connection:
            return queries.find_asked(connection, asked)

    def predictions(self, key: str, epoch: int) -> bytes | None:
        """The predicted class of each validation image after an epoch, one byte an image."""
        with self._database.read() as connection:
            return connection.execute(
                select(EPOCHS.c.predictions)
                .join(RUNS, RUNS.c.id == EPOCHS.c.run_id)
                .where(RUNS.c.key == key, EPOCHS.c.epoch == epoch)
            ).scalar_one_or_none()

    def validation_labels(self, data: str) -> bytes | None:
        """The labels of a data set's validation images, one byte an image."""
        with self._database.read() as connection:
            return connection.execute(
                select(DATASETS.c.validation_labels).where(DATASETS.c.sha256 == data)
            ).scalar_one_or_none()

    def checkpoint(self, key: str) -> Checkpoint | None:
        """The newest weights of a run."""
        with self._database.read() as connection:
            run = queries.find_runs(connection, [key]).get(key)
            return claims.read_checkpoint(connection, run.config) if run else None

    # Writing

    def add_dataset(self, sha256: str, counts: tuple[int, int, int], validation_labels: bytes) -> None:
        """Record data that runs are about to be trained on; known data is left as it is."""
        train, validation, test = counts
        with self._database.write() as connection:
            connection.execute(
                upsert(DATASETS)
                .values(
                    sha256=sha256,
                    train_images=train,
                    validation_images=validation,
                    test_images=test,
                    validation_labels=validation_labels,
                )
                .on_conflict_do_nothing()
            )

    def request_sweep(self, sweep: Sweep, asked: str) -> None:
        """Record that a sweep was asked for, now."""
        now = datetime.now(UTC)
        with self._database.write() as connection:
            known = connection.execute(
                select(SWEEPS.c.id).where(SWEEPS.c.key == sweep.id)
            ).scalar_one_or_none()
            if known is not None:
                newest = {"last_requested": now, "asked": asked, "request": asdict(sweep.request)}
                connection.execute(update(SWEEPS).where(SWEEPS.c.id == known).values(newest))
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
                    "value": cell.value,
                    "key": cell.config.key,
                    "config": asdict(cell.config),
                }
                for position, cell in enumerate(sweep.cells)
            ]
            connection.execute(insert(SWEEP_CELLS), cells)

    def claim(
        self,
        config: Config,
        attempt: Attempt,
        *,
        dataset_name: str,
        epochs: int,
        presumed_dead: tuple[int, int] | None = None,
    ) -> Claim | Busy | Done:
        """Take a run for this process to train it up to ``epochs``: ours, in other hands, or done already.

        A run whose process is gone is taken over. ``presumed_dead`` names an attempt and its
        heartbeat, which the caller has watched stand still.
        """
        with self._database.write() as connection:
            return claims.claim_run(
                connection,
                config,
                attempt,
                dataset_name=dataset_name,
                epochs=epochs,
                presumed_dead=presumed_dead,
            )

    def record_setup(self, owner: Claim | Measurement, **seconds: float) -> None:
        """What came before the first epoch: import, data, trace and warm-up seconds."""
        with self._database.write() as connection:
            connection.execute(update(ATTEMPTS).where(ATTEMPTS.c.id == owner.attempt_id).values(**seconds))

    def record_epoch(
        self,
        claim: Claim,
        point: CurvePoint,
        timing: Timing,
        predictions: bytes,
        checkpoint: Checkpoint,
        *,
        outcome: RunState | None = None,
    ) -> None:
        """One finished epoch with its weights, and the end of the attempt if it was the last: all or nothing.

        Raises:
            LostClaimError: if another process has taken the run over.
        """
        with self._database.write() as connection:
            claims.record_epoch(connection, claim, point, timing, predictions, checkpoint)
            if outcome is not None:
                claims.end_attempt(connection, claim, outcome)

    def record_test(self, claim: Claim, epoch: int, accuracy: float | None) -> None:
        """The test accuracy of a stored epoch that became a requested end; the attempt ends completed."""
        with self._database.write() as connection:
            claims.record_test(connection, claim, epoch, accuracy)
            claims.end_attempt(connection, claim, RunState.COMPLETED)

    def end(
        self,
        owner: Claim | Measurement,
        outcome: RunState,
        note: str | None = None,
        *,
        patience: float | None = None,
    ) -> None:
        """An attempt is over.

        Args:
            owner: the attempt.
            outcome: what came of it.
            note: what else is to be said of it.
            patience: how many seconds to wait for another program's lock, where that is less than usual.

        Raises:
            LostClaimError: if another process has taken the run over.
        """
        with self._database.write(patience) as connection:
            claims.end_attempt(connection, owner, outcome, note)

    def beat(self, owner: Claim | Measurement) -> None:
        """Move the heartbeat of an attempt."""
        with self._database.write() as connection:
            connection.execute(
                update(ATTEMPTS)
                .where(ATTEMPTS.c.id == owner.attempt_id)
                .values(heartbeat=ATTEMPTS.c.heartbeat + 1)
            )

    def others_at_work(self, owner: Claim | Measurement, since: datetime) -> bool:
        """Whether another attempt of this store was alive on this host at any time since then."""
        with self._database.read() as connection:
            return claims.others_at_work(connection, owner.attempt_id, since)

    # Measuring again

    def begin_measurement(self, run: Run, attempt: Attempt) -> Measurement:
        """An attempt of this process that computes a finished run once more, and writes only its times."""
        with self._database.write() as connection:
            return claims.begin_measurement(connection, run, attempt)

    def record_timing(self, measurement: Measurement, timing: Timing) -> None:
        """What an epoch cost when it was computed again."""
        with self._database.write() as connection:
            claims.record_timing(connection, measurement.attempt_id, timing)
