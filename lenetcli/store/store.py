"""The store as the rest of the program uses it: each method is one transaction."""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from lenetcli.errors import StoreBusyError, UsageError
from lenetcli.experiment.checkpoint import Checkpoint
from lenetcli.experiment.config import Config, DeviceKind, Request
from lenetcli.experiment.run import Run, RunState, Timing, Trained, Worker
from lenetcli.experiment.sweep import Axis, Sweep
from lenetcli.store import claims, queries, sweeps
from lenetcli.store.claims import Busy, Claim, Done, Measurement
from lenetcli.store.database import Database, parse_address
from lenetcli.store.tables import ATTEMPTS, DATASETS, RUNS

OPEN_SECONDS = 30.0
"""How long opening a store waits for the lock of another program, in seconds."""

SORT_FIELDS = tuple(queries.SORT_FIELDS)
"""The fields by which ``Store.runs`` can sort."""


class Store:
    """Runs, sweeps, curves, timings and weights in one file, as frozen dataclasses.

    Each method is one transaction, after which the file is closed. Each raises ``StoreBusyError`` if another
    program holds the lock for too long, and ``StoreError`` if the file cannot be read or written.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, address: str, *, write: bool = False, missing_ok: bool = False) -> "Store":
        """The store at a path or an SQLAlchemy URL, to read it or, with ``write``, to write to it too.

        One that is not there yet reads as empty if it may be missing, and is created when something is
        written.

        Raises:
            NotFoundError: if there is no store, without ``write`` and ``missing_ok``.
            StoreError: if it is not a store, has a newer schema, or, with ``write``, cannot be written.
        """
        database = Database(parse_address(address))
        deadline = time.monotonic() + OPEN_SECONDS
        while True:
            try:
                database.open(write=write, missing_ok=missing_ok)
                return cls(database)
            except StoreBusyError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    @property
    def name(self) -> str:
        """The path of the store as text."""
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
        """Runs by unique prefixes of their ids, else at most ``limit`` that fit, by default the newest first.

        The runs of a ``sweep``, given by a unique prefix of its id, are cut to its epochs. A run whose
        process is dead does not count as running.

        Raises:
            NotFoundError: if no id, or more than one, begins with a prefix.
            UsageError: if ``sort`` is not one of ``SORT_FIELDS``.
        """
        if sort not in queries.SORT_FIELDS:
            raise UsageError(
                f"Runs cannot be sorted by {sort!r}.", f"Choose one of {', '.join(SORT_FIELDS)}."
            )
        with self._database.read() as connection:
            if ids is not None:
                return [queries.find_run(connection, prefix) for prefix in ids]
            if sweep is not None:
                runs = sweeps.find_sweep(connection, sweep).runs
                fit = [r for r in runs if state in (None, r.state) and device in (None, r.config.device)]
                return queries.sort_runs(fit, sort)[:limit]
            return queries.list_runs(connection, state=state, device=device, sort=sort, limit=limit)

    def run(self, prefix: str) -> Run:
        """The run whose id begins with ``prefix``; raises ``NotFoundError`` as ``runs`` does."""
        return self.runs([prefix])[0]

    def find(self, keys: Iterable[str]) -> dict[str, Run]:
        """The runs with these keys that have begun, by key."""
        with self._database.read() as connection:
            return queries.find_runs(connection, keys)

    def count(self) -> int:
        """The number of runs."""
        with self._database.read() as connection:
            return connection.execute(select(func.count()).select_from(RUNS)).scalar_one()

    def sweeps(self) -> list[Sweep]:
        """All sweeps, the newest request first; the run of each cell is cut to the epochs of the sweep."""
        with self._database.read() as connection:
            return sweeps.list_sweeps(connection)

    def sweep(self, prefix: str) -> Sweep:
        """The sweep whose id begins with ``prefix``; raises ``NotFoundError`` as ``runs`` does."""
        with self._database.read() as connection:
            return sweeps.find_sweep(connection, prefix)

    def find_request(self, request: Request, axes: Sequence[Axis]) -> Sweep | None:
        """The newest sweep that the same request began, in whatever order it was typed; None without one."""
        with self._database.read() as connection:
            return sweeps.find_request(connection, request, axes)

    def predictions(self, key: str, epoch: int) -> bytes | None:
        """The predicted class of each validation image after an epoch, one byte each; None without it."""
        with self._database.read() as connection:
            return queries.find_predictions(connection, key, epoch)

    def validation_labels(self, data: str) -> bytes | None:
        """The label of each validation image of the data with this hash, one byte each; None without it."""
        with self._database.read() as connection:
            return queries.find_validation_labels(connection, data)

    def checkpoint(self, key: str) -> Checkpoint | None:
        """The newest checkpoint of a run; None if no epoch is stored."""
        with self._database.read() as connection:
            run = queries.find_runs(connection, [key]).get(key)
            return claims.read_checkpoint(connection, run.config) if run else None

    # Writing

    def add_dataset(self, sha256: str, counts: tuple[int, int, int], validation_labels: bytes) -> None:
        """Record new data: the numbers of training, validation and test images, labels of one byte each."""
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

    def request_sweep(self, sweep: Sweep) -> None:
        """Record that a sweep is requested now."""
        with self._database.write() as connection:
            sweeps.record_request(connection, sweep)

    def claim(
        self,
        config: Config,
        worker: Worker,
        *,
        dataset_name: str,
        epochs: int,
        presumed_dead: tuple[int, int] | None = None,
    ) -> Claim | Busy | Done:
        """Claim a run for a worker to train it up to ``epochs``; a run of a dead process is taken over.

        ``presumed_dead`` is the number and heartbeat of an attempt whose heartbeat has stood still too long.

        Returns:
            The claim, ``Busy`` if another process holds the run, ``Done`` if there is nothing to train.
        """
        with self._database.write() as connection:
            return claims.claim_run(
                connection,
                config,
                worker,
                dataset_name=dataset_name,
                epochs=epochs,
                presumed_dead=presumed_dead,
            )

    def record_setup(self, owner: Claim | Measurement, trace_seconds: float, warmup_seconds: float) -> None:
        """Record the times that it took to trace and to warm up the network of an attempt, in seconds."""
        with self._database.write() as connection:
            connection.execute(
                update(ATTEMPTS)
                .where(ATTEMPTS.c.id == owner.attempt_id)
                .values(trace_seconds=trace_seconds, warmup_seconds=warmup_seconds)
            )

    def record_epoch(
        self,
        claim: Claim,
        trained: Trained,
        *,
        outcome: RunState | None = None,
    ) -> None:
        """Record a finished epoch with its checkpoint and, with an outcome, the end of the attempt.

        Raises:
            LostClaimError: if another process has taken the run over.
        """
        with self._database.write() as connection:
            claims.record_epoch(connection, claim, trained)
            if outcome is not None:
                claims.end_attempt(connection, claim, outcome)

    def record_test(self, claim: Claim, epoch: int, accuracy: float | None) -> None:
        """Record the test accuracy of a stored epoch at which a request ends now, and complete the attempt.

        Raises:
            LostClaimError: if another process has taken the run over.
        """
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
        """Record the end of an attempt; a ``note`` is appended to that of its beginning.

        ``patience`` limits the wait for the lock of another program, in seconds; None for the usual time.

        Raises:
            LostClaimError: if another process has taken the run over.
        """
        with self._database.write(patience) as connection:
            claims.end_attempt(connection, owner, outcome, note)

    def beat(self, owner: Claim | Measurement) -> None:
        """Increase the heartbeat counter of an attempt."""
        with self._database.write() as connection:
            connection.execute(
                update(ATTEMPTS)
                .where(ATTEMPTS.c.id == owner.attempt_id)
                .values(heartbeat=ATTEMPTS.c.heartbeat + 1)
            )

    def others_at_work(self, owner: Claim | Measurement, since: datetime) -> bool:
        """Whether another attempt in this store was under way on this host at any time after ``since``."""
        with self._database.read() as connection:
            return claims.others_at_work(connection, owner.attempt_id, since)

    # Measuring again

    def begin_measurement(self, run: Run, worker: Worker) -> Measurement:
        """Record an attempt that trains a finished run again, for its timings alone."""
        with self._database.write() as connection:
            return claims.begin_measurement(connection, run, worker)

    def record_timing(self, measurement: Measurement, timing: Timing) -> None:
        """Record the timing of an epoch that was trained again."""
        with self._database.write() as connection:
            claims.record_timing(connection, measurement.attempt_id, timing)
