"""The crew: the jobs of a command, each with its worker, which is replaced when it dies."""

from collections.abc import Callable
from dataclasses import dataclass

from lenetcli.data.sources import DataSource
from lenetcli.errors import RunFailedError
from lenetcli.experiment.run import Trained, Worker
from lenetcli.machine.devices import Device
from lenetcli.training.deaths import describe_death, quote_last_words
from lenetcli.training.events import Event, Loading, Noted, Progressed
from lenetcli.training.jobs import Jobs
from lenetcli.training.pool import Pool
from lenetcli.training.work import Work
from lenetcli.training.workers.messages import (
    WAITING,
    Cancel,
    Dataset,
    Failed,
    Finished,
    Gone,
    Handle,
    Ready,
    Refused,
    Report,
    Setup,
)

MOST_DEATHS = 2
"""How many workers of a job may die while they load, or in one epoch of a run."""

MOST_AT_ONCE = 200
"""Among how many reports those of epochs are looked for that can be recorded together."""


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """One of the jobs: a device, its worker, and the run in hand.

    ``worker`` is None while that loads; ``deaths`` counts those that died meanwhile. A job ``is_placed`` when
    its worker has a machine, which one on a cluster may wait for. A job ``is_leaving`` a run until its worker
    says that it has stopped.
    """

    device: Device
    handle: Handle
    worker: Worker | None = None
    work: Work | None = None
    is_placed: bool = False
    is_leaving: bool = False
    deaths: int = 0

    @property
    def is_idle(self) -> bool:
        """Whether it can take a run."""
        return self.worker is not None and self.work is None and not self.is_leaving

    def leave(self) -> None:
        """Stop the run in hand; the worker is free when it has said so."""
        assert self.work is not None
        self.handle.send(Cancel(self.work.task.number))
        self.work, self.is_leaving = None, True


class Crew:
    """The jobs of a command.

    ``emit`` shows what the workers load and how far their epochs are, and ``add_dataset`` records the data
    that one has read.
    """

    def __init__(
        self,
        pool: Pool,
        source: DataSource | None,
        emit: Callable[[Event], None],
        add_dataset: Callable[[Dataset], None],
    ) -> None:
        self.jobs: list[Job] = []
        self._jobs_by_handle: dict[Handle, Job] = {}
        self._ahead: tuple[Handle, Report] | None = None  # received, and not yet looked at
        self._handed_over: list[tuple[Job, Report]] | None = None
        self._pool, self._source = pool, source
        self._emit, self._add_dataset = emit, add_dataset
        self._size: Jobs | None = None
        self._loading: set[str] = set()
        self._was_placed = False  # whether a worker had a machine when one told last what it loads

    def resize(self, size: Jobs) -> None:
        """Have so many jobs with so many threads; the workers stay if they have these already."""
        if self._size != size:
            self.stop()
            self._size = size
            self.jobs = [Job(device=device, handle=self._start(device)) for device in size.devices]
            self._jobs_by_handle = {job.handle: job for job in self.jobs}

    def stop(self) -> None:
        """End all workers at once; what has come from them by then can still be received."""
        for job in self.jobs:
            self._pool.end(job.handle)
        self._size = None

    def receive(self, seconds: float = 0.0) -> list[tuple[Job, Report]] | None:
        """The next report on a run in hand with its job; of several jobs, the epochs that wait by now.

        None if no report comes in time; an empty list if the next one concerns no run in hand, or is done.

        Raises:
            LenetError: if no worker can be set up.
        """
        self._handed_over = self._take(seconds)
        return self._handed_over

    def receive_last(self) -> list[tuple[Job, Report]]:
        """What was received last, which a lock may have kept from being recorded, and all that waits."""
        reports = self._handed_over or []
        while (received := self.receive()) is not None:
            reports = reports + received
        return reports

    def _take(self, seconds: float) -> list[tuple[Job, Report]] | None:
        """Take reports that can be treated together."""
        epochs: list[tuple[Job, Report]] = []
        for _ in range(MOST_AT_ONCE):
            received = self._ahead or self._pool.receive(0.0 if epochs else seconds)
            self._ahead = None
            if received is None:
                return epochs or None
            handle, report = received
            # What a worker reports after an epoch, as its death, is looked at when that is recorded.
            if epochs and not isinstance(report, Trained | Progressed):
                self._ahead = received
                return epochs
            job = self._jobs_by_handle.get(handle)  # None: of a worker that was ended
            is_left = job is not None and self._sift(job, report)
            if job is not None and is_left and isinstance(report, Trained):
                epochs.append((job, report))
            elif not epochs:
                return [(job, report)] if job is not None and is_left else []
        return epochs

    def replace(self, job: Job) -> None:
        """Start another worker in place of one that is dead."""
        self._forget(job)
        job.handle, job.worker, job.work = self._start(job.device), None, None
        job.is_leaving = job.is_placed = False
        self._jobs_by_handle[job.handle] = job

    def bury(self, job: Job, gone: Gone) -> None:
        """Replace a worker that died without a run in hand, or do without it if that happens again."""
        what, job.deaths = describe_death(gone), job.deaths + (not gone.is_lost)
        if job.deaths < MOST_DEATHS:
            self.replace(job)
            self._emit(Noted(f"A worker {what}; another one takes its place.{quote_last_words(gone)}"))
            return
        self._forget(job)
        self.jobs.remove(job)
        if not self.jobs:
            raise RunFailedError(
                f"The worker {what}, again.{quote_last_words(gone)}",
                "Nothing stored is lost; type the same command again to try again.",
            )
        self._emit(Noted(f"A worker {what}, again; this goes on with fewer jobs.{quote_last_words(gone)}"))

    @property
    def comes_free(self) -> bool:
        """Whether a worker will be idle soon: it loads, or leaves a run.

        One that waits for a machine counts where there is no other.
        """
        has_worker = any(job.worker is not None for job in self.jobs)
        loads = any(job.worker is None and (job.is_placed or not has_worker) for job in self.jobs)
        return loads or any(job.is_leaving for job in self.jobs)

    def release(self) -> None:
        """End the workers without a run while others have one: somebody else may have a use for the room."""
        if any(job.work for job in self.jobs):
            for job in [job for job in self.jobs if job.work is None and not job.is_leaving]:
                self._forget(job)
                self.jobs.remove(job)

    def _forget(self, job: Job) -> None:
        """End the worker of a job; what it has reported concerns nobody any more."""
        self._pool.end(job.handle)
        self._jobs_by_handle.pop(job.handle, None)

    def _place(self, job: Job, report: Loading) -> None:
        """Tell what a worker loads, or that none has a machine any more."""
        job.is_placed = report != WAITING
        if report.what not in self._loading:  # several workers load the same
            self._loading.add(report.what)
            self._emit(report)
        elif self._was_placed and not any(job.is_placed for job in self.jobs):
            self._emit(Noted("This waits until a machine of the cluster has room."))
        self._was_placed = any(job.is_placed for job in self.jobs)

    def _start(self, device: Device) -> Handle:
        assert self._size is not None and self._source is not None
        handle = self._pool.start()
        handle.send(Setup(self._source, device, self._size.threads, self._size.memory_bytes))
        return handle

    def _sift(self, job: Job, report: Report) -> bool:
        """Whether a report is left to be treated; what is shown alone, or of the worker alone, is done."""
        if self._size is None:  # all are ended: nobody is replaced, and nothing else is to be done
            return job.work is not None
        if isinstance(report, Loading):
            self._place(job, report)
        elif isinstance(report, Ready):
            self._add_dataset(report.dataset)
            job.worker, job.deaths = report.worker, 0
        elif isinstance(report, Refused):
            self._emit(Noted(f"{report.machine} is not used: it {report.reason}."))
        elif job.work is not None:
            if not isinstance(report, Progressed):
                return True
            job.work.progress()
            self._emit(report)
        elif isinstance(report, Gone):
            self.bury(job, report)
        elif isinstance(report, Failed) and job.worker is None:
            raise report.error or RunFailedError(
                f"A worker cannot be set up: {report.note}.", "Type the same command again to try again."
            )
        elif isinstance(report, Finished | Failed):
            job.is_leaving = False
        return False


def find_epochs(reports: list[tuple[Job, Report]]) -> list[tuple[Work, Trained]]:
    """The epochs among reports that are not recorded yet."""
    return [
        (job.work, report)
        for job, report in reports
        if job.work is not None and isinstance(report, Trained) and report.point.epoch == job.work.epoch
    ]
