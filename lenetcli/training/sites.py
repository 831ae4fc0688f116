"""Sites: where runs are trained, this machine or a cluster, and what a plan asks of either."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from lenetcli.errors import DeviceError, UsageError
from lenetcli.experiment.config import AUTO, Config, DeviceKind, Precision, Request
from lenetcli.machine import devices, limits, processor, system
from lenetcli.machine.devices import Device
from lenetcli.training.jobs import Jobs, choose_jobs, spread_jobs
from lenetcli.training.pool import Pool
from lenetcli.training.workers.cluster import Cluster


class Site(Protocol):
    """Where runs are trained."""

    @property
    def host(self) -> str | None:
        """The machine on which they are trained; None if it is not known before."""

    def choose_device(self, requested: str) -> Device:
        """The device that a value of ``--device`` selects.

        Raises:
            UsageError: if there is no such device.
        """

    def memory_bytes(self) -> int:
        """The memory of the largest machine, in bytes."""

    def warn(self, request: Request, device: Device) -> Iterator[str]:
        """Yield what a user should know of the device that was chosen for a new request."""

    def choose_jobs(
        self, requested: int | None, request: Request, configs: Sequence[Config], device: Device, images: int
    ) -> Jobs:
        """The jobs for runs on a chosen device; see ``jobs.choose_jobs``.

        Raises:
            UsageError: if so many cannot be had.
        """


class ThisMachine:
    """This machine; see ``Site``."""

    @property
    def host(self) -> str | None:
        """Its name."""
        return system.host_name()

    def choose_device(self, requested: str) -> Device:
        """See ``devices.choose_device``."""
        return devices.choose_device(requested)

    def memory_bytes(self) -> int:
        """See ``limits.memory_bytes``."""
        return limits.memory_bytes()

    def warn(self, request: Request, device: Device) -> Iterator[str]:
        """Yield notes on a CPU in place of a GPU, and on emulated arithmetic."""
        if request.device == AUTO and device.kind is DeviceKind.CPU:
            trouble = devices.gpu_trouble()
            if trouble:
                yield f"This runs on the CPU. {trouble}"
        slow = request.precision is Precision.BFLOAT16 and device.kind is DeviceKind.CPU
        if slow and not processor.this_processor().has_bfloat16:
            yield "This processor has no bfloat16 arithmetic: it is emulated, and slower than float32."

    def choose_jobs(
        self, requested: int | None, request: Request, configs: Sequence[Config], device: Device, images: int
    ) -> Jobs:
        """See ``jobs.choose_jobs``."""
        gpus = devices.usable_like(device, request.device)
        return choose_jobs(requested, request.threads, configs, device, images, gpus=gpus)


class OnCluster:
    """A cluster; see ``Site``. It is connected to when it is first asked."""

    host = None

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def choose_device(self, requested: str) -> Device:
        """A CPU or a GPU of the cluster; which of them each job gets is left to Ray."""
        label = requested.strip().lower()
        if ":" in label:
            raise UsageError(
                f"Which GPU a job gets is left to Ray, so that {label} cannot be had.", "Choose --device gpu."
            )
        if label not in (AUTO, *DeviceKind):
            return devices.choose_device(requested)  # explains what there is
        models = [machine.gpu_model or "GPU" for machine in self._cluster.connect() if machine.gpus]
        if label == DeviceKind.GPU and not models:
            raise DeviceError("No machine of the cluster has a GPU.", "Choose --device cpu or auto.")
        kind = DeviceKind.GPU if models and label != DeviceKind.CPU else DeviceKind.CPU
        name = models[0] if kind is DeviceKind.GPU else "CPUs of a cluster"
        return Device(kind=kind, index=0, name=name, memory_bytes=None)

    def memory_bytes(self) -> int:
        """That which Ray may use of the largest machine."""
        return max((machine.memory_bytes for machine in self._cluster.connect()), default=0)

    def warn(self, request: Request, device: Device) -> Iterator[str]:
        """Yield nothing: the machines may differ."""
        yield from ()

    def choose_jobs(
        self, requested: int | None, request: Request, configs: Sequence[Config], device: Device, images: int
    ) -> Jobs:
        """See ``jobs.spread_jobs``."""
        machines = self._cluster.connect()
        return spread_jobs(requested, request.threads, configs, device, images, machines)


THIS_MACHINE = ThisMachine()


@contextmanager
def open_site(address: str | None) -> Iterator[tuple[Site, Pool]]:
    """A context with the site at the address of a cluster, this machine if it is None, and its workers."""
    if address is None:
        with Pool() as pool:
            yield THIS_MACHINE, pool
    else:
        with Cluster(address) as cluster, Pool(cluster.start_worker) as pool:
            yield OnCluster(cluster), pool
