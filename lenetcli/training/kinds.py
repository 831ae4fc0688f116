"""Kinds of machines: which run goes to which worker, so that it goes on with the bits it was begun with."""

from collections.abc import Collection, Mapping, Sequence

from lenetcli.experiment.config import Config
from lenetcli.experiment.run import Worker
from lenetcli.store.bits import name_kind
from lenetcli.training.crew import Job


def choose_job(config: Config, jobs: Sequence[Job], begun: Mapping[str, Collection[str]]) -> Job | None:
    """The idle job that a run goes to; None if it is to wait for one.

    A run that was begun goes on with a machine of the kind that it was begun on, also if that is busy now,
    and with another kind only if none of the ``jobs`` is of that kind, and none loads whose kind is not
    known yet. ``begun`` has the kinds by key.
    """
    if wanted := begun.get(config.key):
        alike = [job for job in jobs if job.worker is not None and kind_of(config, job.worker) in wanted]
        if not alike and any(job.is_placed and job.worker is None for job in jobs):
            return None
        jobs = alike or jobs
    return next((job for job in jobs if job.is_idle), None)


def kind_of(config: Config, worker: Worker) -> str:
    """The kind of machine of a worker, as far as the bits of a run depend on it."""
    return name_kind(config.device, worker.fingerprint, worker.device_name)
