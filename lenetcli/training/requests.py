"""What becomes of a request: the cells of its grid, what a recorded sweep settled, the configurations."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

from lenetcli.data import sources
from lenetcli.data.sources import DataSource
from lenetcli.errors import UsageError
from lenetcli.experiment.config import AUTO, RECIPE, Config, DeviceKind, Request
from lenetcli.experiment.datasets import SYNTHETIC
from lenetcli.experiment.parameters import check_request
from lenetcli.experiment.recipes import choose_shards
from lenetcli.experiment.sweep import Axis, Sweep, round_request
from lenetcli.machine import limits
from lenetcli.training.memory import count_images, estimate_bytes, write_shortage


def expand(request: Request, axes: Sequence[Axis]) -> list[Request]:
    """The request of each cell of a grid, checked; the last axis varies fastest.

    Raises:
        UsageError: if a value is out of bounds.
    """
    points = itertools.product(*(axis.values for axis in axes))
    names = [axis.name for axis in axes]
    requests = [replace(request, **dict(zip(names, point, strict=True))) for point in points]
    for cell_request in requests:
        check_request(cell_request)
    return requests


def pin(request: Request, recorded: Sweep | None) -> Request:
    """The request with what was open in it, data and device, as a recorded sweep settled it, if any."""
    if recorded is None:
        return request
    synthetic = recorded.base.data == SYNTHETIC and request.data is None
    return replace(
        request,
        dataset=sources.SYNTHETIC if synthetic else request.dataset,
        device=recorded.device.value if request.device == AUTO else request.device,
    )


def configure(request: Request, data: str, device: DeviceKind, recipe: int = RECIPE) -> Config:
    """The configuration that a recipe makes of a checked request on the data with a hash."""
    rounded, _ = round_request(request, (), recipe)
    shards = request.shards or choose_shards(request.filters, request.batch_size, device, recipe)
    return rounded.configure(data=data, device=device, shards=shards, recipe=recipe)


def resolve(
    request: Request,
    source: DataSource,
    device: DeviceKind,
    recipe: int = RECIPE,
    memory: int | None = None,
) -> Config:
    """The configuration that a recipe makes of a checked request on given data and a given kind of device.

    ``memory`` is that of this machine in bytes; it is looked up if it is None.

    Raises:
        UsageError: if a batch is larger than the data, or the run needs more memory than this machine has.
    """
    if request.batch_size > source.counts.train:
        raise UsageError(
            f"A batch of {request.batch_size} is larger than the {source.counts.train} training images.",
            "Choose a smaller --batch-size.",
        )
    config = configure(request, source.sha256, device, recipe)
    if recipe == RECIPE:  # nothing is trained under another one
        _check_memory(config, source, limits.memory_bytes() if memory is None else memory)
    return config


def _check_memory(config: Config, source: DataSource, available: int) -> None:
    """Check that a run needs no more than the memory ``available``, in bytes.

    Raises:
        UsageError: if it has not.
    """
    needed = estimate_bytes(config, count_images(source))
    if needed > available:
        raise UsageError(
            f"{config.filters} filters and {config.hidden_units} hidden units with batches of "
            f"{config.batch_size} need {write_shortage(needed, available)}.",
            "Choose fewer --filters or --hidden-units, or a smaller --batch-size.",
        )
