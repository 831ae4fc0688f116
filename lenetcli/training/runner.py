"""The runner: it records a sweep, has its open cells trained, and those measured again that need it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from lenetcli.experiment.config import Config
from lenetcli.experiment.sweep import Cell, Sweep
from lenetcli.store.store import Store
from lenetcli.training import events
from lenetcli.training.crew import Crew
from lenetcli.training.dispatcher import LOCK_SECONDS, Dispatcher
from lenetcli.training.events import Event, Fate, Stopped
from lenetcli.training.interrupts import Stop
from lenetcli.training.plan import Plan, find_disturbed, refresh
from lenetcli.training.pool import Pool
from lenetcli.training.time_limit import TimeLimit
from lenetcli.training.workers.messages import Dataset
from lenetcli.words import plural


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of a command: the sweep with its runs as stored, and what became of it.

    ``fates`` has the fate of each cell by key, ``failure`` is the last failure in words. ``is_out_of_time``
    says that the time limit has left something over.
    """

    sweep: Sweep
    fates: dict[str, Fate]
    failure: str | None = None
    is_out_of_time: bool = False

    @property
    def complete(self) -> bool:
        """Whether every cell has reached what was requested."""
        return not any(fate in (Fate.LEFT, Fate.FAILED, Fate.LOST) for fate in self.fates.values())


class Runner:
    """Carries out a plan on the workers of a pool.

    ``jobs`` is how many runs are trained side by side; None leaves the choice to the site.

    Raises:
        UsageError: if so many jobs cannot be had.
    """

    def __init__(
        self,
        store: Store,
        plan: Plan,
        pool: Pool,
        emit: Callable[[Event], None],
        *,
        jobs: int | None = None,
        wait: bool = True,
        limit: TimeLimit | None = None,
    ) -> None:
        self._store, self._plan, self._pool, self._emit = store, plan, pool, emit
        self._wait, self._limit = wait, limit
        self._open = {cell.config.key: cell.config for cell in plan.open_cells}
        self._jobs = plan.choose_jobs(jobs, list(self._open.values())) if self._open else None
        self._fates: dict[str, Fate] = {}

    def run(self, stop: Stop) -> Result:
        """Train the open cells; those that other processes train are waited for, unless ``wait`` is False.

        Raises:
            LenetError: if the data or the store cannot be used.
            BrokenPipeError: if ``emit`` writes to a pipe that nobody reads; the runs are recorded as
                interrupted.
        """
        dispatcher = Dispatcher(
            store=self._store,
            crew=Crew(self._pool, self._plan.source, self._emit, self._add_dataset),
            dataset_name=self._plan.sweep.dataset_name,
            epochs=self._plan.sweep.epochs,
            emit=self._emit,
            stop=stop,
            wait=self._wait,
            limit=self._limit,
            fates=self._fates,
        )
        with self._store.waiting(dispatcher.wait_for_lock, LOCK_SECONDS):
            with suppress(Stopped):
                self._work_through(dispatcher)
            sweep = self._plan.sweep
            for cell in sweep.cells:
                self._fates.setdefault(cell.config.key, Fate.LEFT)
            with suppress(Stopped):
                sweep = refresh(self._store, sweep)
                self._find_lost(sweep)
        return Result(
            sweep=sweep,
            fates=self._fates,
            failure=dispatcher.failure,
            is_out_of_time=dispatcher.is_out_of_time,
        )

    @property
    def jobs(self) -> int:
        """The number of runs that are trained side by side."""
        return self._jobs.at_once if self._jobs is not None else 1

    @property
    def threads(self) -> int | None:
        """The threads of each of them; None if nothing is left to train."""
        return self._jobs.threads if self._jobs is not None else None

    def _add_dataset(self, dataset: Dataset) -> None:
        counts, labels = dataset.summary.counts, dataset.validation_labels
        self._store.add_dataset(dataset.sha256, counts, labels, dataset.summary)

    def _find_lost(self, stored: Sweep) -> None:
        """Correct the fates of runs that were finished, and are not in the sweep as it is stored."""
        for cell in stored.cells:
            key = cell.config.key
            if not cell.is_done and self._fates[key] not in (Fate.LEFT, Fate.FAILED):
                self._fates[key] = Fate.LOST

    def _work_through(self, dispatcher: Dispatcher) -> None:
        """Record the sweep, train its open cells, and measure those again that were trained beside others."""
        sweep, pending = self._plan.sweep, dict(self._open)
        if sweep.axes:
            self._store.request_sweep(sweep)
        for cell in sweep.cells:
            if cell.run is not None and cell.config.key not in pending:
                self._keep(cell)
        if self._jobs is not None:
            worker = dispatcher.open(self._jobs)
            if self._plan.remeasure:
                self._leave_measured(pending, worker.host)
            dispatcher.train(pending.values(), remeasure=self._plan.remeasure)
        if self._plan.measures_alone:
            self._measure_alone(dispatcher)

    def _keep(self, cell: Cell) -> None:
        assert cell.run is not None
        self._fates[cell.config.key] = Fate.KEPT
        self._emit(events.Ended(cell.config.key, cell.run.state, Fate.KEPT))

    def _leave_measured(self, pending: dict[str, Config], host: str) -> None:
        """Take the cells that were measured before a stop from those that are ``pending``."""
        left = self._store.begin_measurements(list(pending), self._plan.sweep.epochs, host)
        for cell in self._plan.open_cells:
            if cell.is_done and cell.config.key not in left:
                del pending[cell.config.key]
                self._keep(cell)
        if len(pending) < len(self._open):
            runs = f"{len(pending)} of {plural(len(self._open), 'run')}"
            self._emit(events.Noted(f"This goes on with a measurement that was stopped: {runs} left."))

    def _measure_alone(self, dispatcher: Dispatcher) -> None:
        """Measure the runs again, one at a time, whose times here were taken beside other runs."""
        sweep = refresh(self._store, self._plan.sweep)
        beside = {config.key: config for config in find_disturbed(sweep, self._plan.site.host)}
        if not beside:
            return
        host = dispatcher.open(self._plan.choose_jobs(1, list(beside.values()))).host
        begun = self._store.begin_measurements(list(beside), sweep.epochs, host)
        if rest := [key for key in beside if key not in begun]:  # trained since a measurement was stopped
            self._store.begin_measurements(rest, sweep.epochs, host)
        text = "The times of 1 run were" if len(beside) == 1 else f"The times of {len(beside)} runs were"
        self._emit(events.Noted(f"{text} taken beside other runs; they are taken again, alone."))
        before = {key: self._fates.get(key, Fate.KEPT) for key in beside}
        self._fates |= dict.fromkeys(beside, Fate.LEFT)
        dispatcher.train(beside.values(), remeasure=True)
        for key, fate in before.items():  # what was trained was measured again as a part of that
            if self._fates[key] in (Fate.MEASURED, Fate.KEPT) and fate is not Fate.KEPT:
                self._fates[key] = fate
