"""How many runs are trained side by side (jobs), on which devices, and with how many threads each."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from lenetcli.errors import UsageError
from lenetcli.experiment.config import Config, DeviceKind
from lenetcli.machine import limits
from lenetcli.machine.devices import Device, usable_like
from lenetcli.training.memory import count_images, estimate_bytes, write_shortage
from lenetcli.training.plan import Plan


@dataclass(frozen=True, slots=True)
class Jobs:
    """The runs that are trained side by side: a device for each, and the threads that each has."""

    devices: tuple[Device, ...]
    threads: int

    @property
    def count(self) -> int:
        """The number of jobs."""
        return len(self.devices)


def plan_jobs(plan: Plan, requested: int | None, configs: Sequence[Config]) -> Jobs:
    """The jobs for runs of a plan; see ``choose_jobs``."""
    assert plan.source is not None and plan.device is not None
    request = plan.sweep.request
    gpus = usable_like(plan.device, request.device)
    count = plan.ask_jobs(requested)
    return choose_jobs(count, request.threads, configs, plan.device, count_images(plan.source), gpus=gpus)


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
    )


def _too_few_gpus(count: int, places: Sequence[Device]) -> UsageError:
    problem = f"{count} jobs need {count} GPUs of one model, and {len(places)} can be used."
    if len(places) == 1:
        problem = f"{count} jobs need {count} GPUs of one model, and only {places[0]} can be used."
    return UsageError(problem, _advise(len(places)))


def _advise(most: int) -> str:
    return f"Choose --jobs {most}{' or fewer' if most > 1 else ''}."
