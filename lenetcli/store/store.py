"""The store as the rest of the program uses it: each method is one transaction."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import islice

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert as upsert

from lenetcli.errors import UsageError
from lenetcli.experiment.checkpoint import Checkpoint
from lenetcli.experiment.config import Config, DeviceKind, Request
from lenetcli.experiment.datasets import Counts, Dataset, Summary
from lenetcli.experiment.run import Run, RunState, Worker
from lenetcli.experiment.sweep import Axis, Sweep
from lenetcli.store import bits, checks, claims, lists, measurements, queries, sweeps
from lenetcli.store.claims import Claim, Done
from lenetcli.store.database import Database, OnLock
from lenetcli.store.holders import Busy, is_gone
from lenetcli.store.tables import DATASETS, EPOCHS, RUNS

SORT_FIELDS = tuple(lists.SORT_FIELDS)
"""The fields by which ``Store.runs`` can sort."""


class Store:
    """Runs, sweeps, curves, timings and weights in one file, as frozen dataclasses.

    Each method is one transaction, but for ``runs``, after which the file is closed. Each raises
    ``StoreBusyError`` if another program holds the lock for too long, and ``StoreError`` if the file cannot
    be read or written.
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
            StoreError: if it is not a store or has a newer schema, or, with ``write``, an older one or cannot
                be written.
        """
        database = Database(address)
        database.repeat(lambda: database.open(write=write, missing_ok=missing_ok))
        return cls(database)

    def waiting(self, on_lock: OnLock, patience: float) -> AbstractContextManager[None]:
        """A context in which this store and its claims meet the lock of another program with ``on_lock``.

        It is asked whenever a statement that writes has waited for ``patience`` seconds.
        """
        return self._database.waiting(on_lock, patience)

    @property
    def name(self) -> str:
        """The path of the store as text."""
        return str(self._database.path)

    @property
    def is_missing(self) -> bool:
        """Whether there was no store when it was opened, and nothing has been written to it since."""
        return self._database.is_missing

    # Reading

    def runs(
        self,
        *,
        state: RunState | None = None,
        device: DeviceKind | None = None,
        sweep: str | None = None,
        sort: str = "created_at",
        limit: int | None = None,
    ) -> list[Run]:
        """At most ``limit`` runs, by default the newest first; None means any.

        The runs of a ``sweep``, given by a unique prefix of its id, are cut to its epochs. A run whose
        process is dead does not count as running.

        Raises:
            NotFoundError: if no id of a sweep, or more than one, begins with the prefix.
            UsageError: if ``sort`` is not one of ``SORT_FIELDS``.
        """
        return list(self.stream_runs(state=state, device=device, sweep=sweep, sort=sort, limit=limit))

    def stream_runs(
        self,
        *,
        state: RunState | None = None,
        device: DeviceKind | None = None,
        sweep: str | None = None,
        sort: str = "created_at",
        limit: int | None = None,
    ) -> Iterator[Run]:
        """Yield the runs that ``runs`` returns, without keeping more than a page of them in memory.

        Which runs there are is read at once, and each page in a transaction of its own: whoever takes the
        runs slowly keeps no other process from writing. A run that is deleted meanwhile is left out.
        """
        if sort not in lists.SORT_FIELDS:
            raise UsageError(
                f"Runs cannot be sorted by {sort!r}.", f"Choose one of {', '.join(SORT_FIELDS)}."
            )
        if sweep is not None:
            runs = self._find_in_sweep(sweep, state, device)
            yield from lists.sort_runs(runs, sort)[:limit]
            return
        ids = self._database.query(
            lambda c: lists.list_ids(c, state=state, device=device, sort=sort, limit=limit)
        )
        if lists.SORT_FIELDS[sort] is None:
            ids = lists.sort_ids(self._read(ids), sort)
        found = (run for run in self._read(ids, limit) if state in (None, run.state))
        yield from islice(found, limit)

    def _read(self, ids: Sequence[int], limit: int | None = None) -> Iterator[Run]:
        """Yield the runs with these row ids, in pages no larger than ``limit``."""
        for page in queries.paginate(ids, limit):
            yield from self._database.query(partial(queries.read_runs, ids=page))

    def _find_in_sweep(self, prefix: str, state: RunState | None, device: DeviceKind | None) -> list[Run]:
        runs = self.sweep(prefix).runs
        return [run for run in runs if state in (None, run.state) and device in (None, run.config.device)]

    def run(self, prefix: str) -> Run:
        """The run whose id begins with ``prefix``.

        Raises:
            NotFoundError: if there is no such run, or more than one.
        """
        return self._database.query(lambda c: queries.find_run(c, prefix))

    def find(self, keys: Sequence[str]) -> dict[str, Run]:
        """The runs with these keys that have begun, by key."""
        return self._database.query(lambda c: queries.find_runs(c, keys))

    def count(
        self, *, state: RunState | None = None, device: DeviceKind | None = None, sweep: str | None = None
    ) -> int:
        """The number of runs that ``runs`` returns without a limit."""
        if sweep is not None:
            return len(self._find_in_sweep(sweep, state, device))
        return self._database.query(lambda c: lists.count_runs(c, state=state, device=device))

    def recipes(self) -> Sequence[int]:
        """The recipes of all runs, in ascending order."""
        query = select(RUNS.c.recipe).distinct().order_by(RUNS.c.recipe)
        return self._database.query(lambda c: c.execute(query).scalars().all())

    def sweeps(self) -> list[Sweep]:
        """All sweeps, the newest request first; the run of each cell is cut to the epochs of the sweep."""
        return self._database.query(sweeps.find_sweeps)

    def sweep(self, prefix: str) -> Sweep:
        """The sweep whose id begins with ``prefix``; raises ``NotFoundError`` as ``run`` does."""
        return self._database.query(lambda c: sweeps.find_sweep(c, prefix))

    def find_request(self, request: Request, axes: Sequence[Axis]) -> Sweep | None:
        """The newest sweep that the same request began, in whatever order it was typed; None without one.

        A sweep of a newer recipe goes before one of an older recipe, whichever was requested last.
        """
        return self._database.query(lambda c: sweeps.find_request(c, request, axes))

    def predictions(self, key: str, epoch: int) -> bytes | None:
        """The predicted class of each validation image after an epoch, one byte each; None without it."""
        query = select(EPOCHS.c.predictions).join(RUNS).where(RUNS.c.key == key, EPOCHS.c.epoch == epoch)
        return self._database.query(lambda c: c.execute(query).scalar_one_or_none())

    def validation_labels(self, data: str) -> bytes | None:
        """The label of each validation image of the data with this hash, one byte each; None without it."""
        query = select(DATASETS.c.validation_labels).where(DATASETS.c.sha256 == data)
        return self._database.query(lambda c: c.execute(query).scalar_one_or_none())

    def datasets(self) -> Sequence[str]:
        """The hashes of the data that runs were trained on."""
        query = select(RUNS.c.data).distinct().order_by(RUNS.c.data)
        return self._database.query(lambda c: c.execute(query).scalars().all())

    def dataset(self, data: str) -> Dataset | None:
        """What is known of the data with this hash; None if that is not stored."""
        return self._database.query(lambda c: queries.find_dataset(c, data))

    def has_runs_on(self, data: str) -> bool:
        """Whether there is a run on the data with this hash."""
        query = select(RUNS.c.id).where(RUNS.c.data == data).limit(1)
        return self._database.query(lambda c: c.execute(query).first()) is not None

    def verify(self, runs: Iterable[Run]) -> None:
        """Check what runs have measured against their predictions and labels, before it is shown as a result.

        Raises:
            StoreError: if it contradicts them, or cannot be true; the first such run is named.
        """
        shown = list(runs)  # the query may be repeated
        self._database.query(lambda c: checks.verify_runs(c, shown))

    def checkpoint(self, key: str) -> Checkpoint | None:
        """The newest checkpoint of a run; None if no epoch is stored."""
        return self._database.query(lambda c: queries.find_checkpoint(c, key))

    # Writing

    def add_dataset(
        self, sha256: str, counts: Counts, validation_labels: bytes, summary: Summary | None = None
    ) -> None:
        """Record data, or of data that is recorded already the summary; labels have one byte each."""
        values = {
            "sha256": sha256,
            **{f"{name}_images": count for name, count in counts._asdict().items()},
            "validation_labels": validation_labels,
            "summary": summary and summary.to_mapping(),
        }
        statement = upsert(DATASETS).values(values)
        added = {"summary": statement.excluded.summary}
        statement = statement.on_conflict_do_update(
            index_elements=["sha256"], set_=added, where=DATASETS.c.summary.is_(None)
        )
        self._database.change(lambda c: c.execute(statement))

    def request_sweep(self, sweep: Sweep) -> None:
        """Record that a sweep is requested now."""
        self._database.change(lambda c: sweeps.record_request(c, sweep))

    def begin_measurements(self, keys: Sequence[str], epochs: int, host: str) -> set[str]:
        """Begin to measure runs again on a host, or go on with a measurement of them that was stopped.

        Returns:
            The keys of the runs that are left to measure: all of them, unless one was stopped.
        """
        return self._database.change(lambda c: measurements.begin(c, keys, epochs, host))

    def find_kinds(self) -> dict[str, set[str]]:
        """The kinds of the machines that trained the epochs of runs, by key; see ``bits.name_kind``."""
        return self._database.query(bits.find_kinds)

    def claim(
        self,
        config: Config,
        worker: Worker,
        epochs: int,
        *,
        dataset_name: str,
        remeasure: bool = False,
        is_dead: Callable[[Busy], bool] = is_gone,
    ) -> Claim | Busy | Done:
        """Claim a run for a worker to train it up to ``epochs``; a run of a dead process is taken over.

        With ``remeasure``, a run that has the epochs is claimed to be trained again for its timings alone, if
        it is left to measure (``begin_measurements``).
        ``is_dead`` says whether the process of a holder is dead, in the transaction that then takes it over.

        Returns:
            The claim, ``Busy`` if another process holds the run, ``Done`` if there is nothing to train.
        """
        return self._database.change(
            lambda c: claims.claim_run(
                c, self._database, config, worker, epochs, dataset_name, remeasure, is_dead
            )
        )
