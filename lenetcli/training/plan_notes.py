"""The notes of a plan: what stands in for what was asked, what is to be said of data and device."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from lenetcli.data import published
from lenetcli.data.sources import DataSource
from lenetcli.errors import DataError
from lenetcli.experiment.config import AUTO, DeviceKind, Request
from lenetcli.experiment.dataset_faults import write_faults
from lenetcli.experiment.sweep import Sweep
from lenetcli.machine.devices import Device
from lenetcli.store.store import Store
from lenetcli.training.sites import Site

Finder = Callable[..., DataSource]
"""A function like ``data.sources.find``."""


def begin_notes(source: DataSource, request: Request, device: Device, site: Site) -> Iterator[str]:
    """The notes of a new plan: substitute data, and what there is to say of the device."""
    if source.warning:
        yield source.warning
    yield from site.warn(request, device)


def describe_data(source: DataSource, request: Request) -> list[str]:
    """Notes on the files and the faults of data that is to be trained on."""
    return [*source.notes, *write_faults(source.summary, source.name, request.data)]


def describe_stored_data(store: Store, sweep: Sweep) -> list[str]:
    """Notes on the faults of the data of a recorded sweep."""
    dataset = store.dataset(sweep.base.data)
    return write_faults(dataset.summary, sweep.dataset_name, sweep.request.data) if dataset else []


def resume_notes(request: Request, pinned: Request, find: Finder, site: Site) -> Iterator[str]:
    """The notes of a plan that goes on with a recorded sweep: what ``auto`` would mean now."""
    if request.dataset == AUTO != pinned.dataset:
        yield "This sweep goes on with the synthetic digits it was begun on, not MNIST."
        with suppress(DataError):
            find(published.MNIST.name, None, offline=True)
            yield "MNIST can be had by now: begin afresh with --dataset mnist."
    auto_cpu = request.device == AUTO and pinned.device == DeviceKind.CPU
    if auto_cpu and site.choose_device(AUTO).kind is DeviceKind.GPU:
        yield "This sweep goes on with the CPU it was begun on; --device gpu begins one on the GPU."
