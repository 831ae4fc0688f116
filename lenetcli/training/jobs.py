"""How many runs are trained side by side (jobs), on which devices, and with how many threads each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from lenetcli.errors import ClusterError, UsageError
from lenetcli.experiment.config import Config, DeviceKind
from lenetcli.machine import limits
from lenetcli.machine.devices import Device
from lenetcli.training.memory import estimate_bytes, write_shortage
from lenetcli.training.workers.cluster import Machine


@dataclass(frozen=True, slots=True)
class Jobs:
    """The runs that are trained side by side: a device for each, and the threads that each has.

    ``memory_bytes`` is an estimate of what the largest run needs. ``room`` is how many of them a cluster has
    room for, while the others wait for more; None if there is room for all.
    """

    devices: tuple[Device, ...]
    threads: int
    memory_bytes: int = 0
    room: int | None = None

    @property
    def count(self) -> int:
        """The number of jobs."""
        return len(self.devices)

    @property
    def at_once(self) -> int:
        """The number of jobs that can be in training at once, as far as that is known."""
        return self.count if self.room is None else min(self.count, self.room)


def choose_jobs(
    requested: int | None,
    threads: int | None,
    configs: Sequence[Config],
    device: Device,
    images: int,
    *,
    gpus: Sequence[Device] = (),
) -> Jobs:
    """The jobs for the runs that are left to train, never more than these.

    Args:
        requested: the number of jobs; None for as many as one job leaves cores for, within the memory, or
            for one on each GPU.
        threads: of each job; None for its share of the cores, on a CPU at most one for each piece of a batch.
        configs: of the runs that are left.
        device: the chosen device.
        images: the number of images of the data.
        gpus: the GPUs that may be used if ``device`` is one; without any, that alone.

    Raises:
        UsageError: if more jobs are requested than there are GPUs, or than the memory holds.
    """
    on_gpus, cores = device.kind is DeviceKind.GPU, limits.usable_cores()
    places = tuple(gpus) or (device,)
    pieces = max((config.shards for config in configs), default=1)
    if requested is not None:
        wanted = requested
    else:
        # Each job gets as many threads as it can use: more jobs of fewer threads gain next to nothing.
        wanted = len(places) if on_gpus else cores // min(threads or pieces, pieces)
    count = max(1, min(wanted, len(configs)))
    if on_gpus and count > len(places):
        raise _too_few_gpus(count, places)

    # A job keeps the memory of its largest run: in the worst case each has one of the largest.
    needs = list(accumulate(sorted((estimate_bytes(one, images) for one in configs), reverse=True)))
    available = limits.memory_bytes()
    fitting = max(1, sum(needed <= available for needed in needs))
    if count > fitting:
        if requested is not None:
            problem = f"{count} jobs need {write_shortage(needs[count - 1], available)}."
            raise UsageError(problem, _advise(fitting))
        count = fitting

    share = max(1, cores // count)
    return Jobs(
        devices=places[:count] if on_gpus else (device,) * count,
        threads=threads or (share if on_gpus else min(share, pieces)),
        memory_bytes=_estimate_largest(configs, images),
    )


def spread_jobs(
    requested: int | None,
    threads: int | None,
    configs: Sequence[Config],
    device: Device,
    images: int,
    machines: Sequence[Machine],
) -> Jobs:
    """The jobs for the runs that are left to train on a cluster: one for each run, or as many as requested.

    Those for which there is no room wait until other jobs end or machines come. By default a job has a thread
    for each piece of a batch, and no more than the smallest machine has cores, or its share of all cores;
    with a GPU, the cores of a machine for each of its GPUs.

    Args:
        requested: the number of jobs; None for one for each run.
        threads: of each job; None for the default.
        configs: of the runs that are left.
        device: the chosen kind of device.
        images: the number of images of the data.
        machines: of the cluster.

    Raises:
        ClusterError: if no machine has the cores, GPU and memory that a job needs.
    """
    on_gpus = device.kind is DeviceKind.GPU
    able = [machine for machine in machines if machine.cpus and (machine.gpus or not on_gpus)]
    count = max(1, min(requested or len(configs), len(configs)))
    cores = min((machine.cpus // (machine.gpus if on_gpus else 1) for machine in able), default=0)
    if not on_gpus:
        pieces = max((config.shards for config in configs), default=1)
        share = sum(machine.cpus for machine in able) // count if requested else pieces
        cores = min(cores, pieces, max(1, share))
    jobs = Jobs((device,) * count, threads or max(1, cores), _estimate_largest(configs, images))
    room = sum(_count_room(machine, jobs, on_gpus=on_gpus) for machine in able)
    if not room:
        memory = f"{jobs.memory_bytes / 1e9:,.2f} GB of memory"
        what = f"{jobs.threads} CPUs{' and a GPU' if on_gpus else ''} with {memory}"
        largest = ", ".join(sorted({str(machine) for machine in machines})) or "none"
        raise ClusterError(
            f"A job needs {what}, which no machine of the cluster has (it has {largest}).",
            "Choose fewer --threads, or add a larger machine.",
        )
    return replace(jobs, room=room)


def _estimate_largest(configs: Sequence[Config], images: int) -> int:
    """An estimate of the memory of the largest of some runs, in bytes."""
    return max((estimate_bytes(config, images) for config in configs), default=0)


def _count_room(machine: Machine, jobs: Jobs, *, on_gpus: bool) -> int:
    """The number of jobs that a machine has room for."""
    counts = [machine.cpus // jobs.threads, machine.memory_bytes // max(1, jobs.memory_bytes)]
    return min([*counts, machine.gpus] if on_gpus else counts)


def _too_few_gpus(count: int, places: Sequence[Device]) -> UsageError:
    problem = f"{count} jobs need {count} GPUs of one model, and {len(places)} can be used."
    if len(places) == 1:
        problem = f"{count} jobs need {count} GPUs of one model, and only {places[0]} can be used."
    return UsageError(problem, _advise(len(places)))


def _advise(most: int) -> str:
    return f"Choose --jobs {most}{' or fewer' if most > 1 else ''}."
