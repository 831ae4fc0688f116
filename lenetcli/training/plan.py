"""The plan of a command: cells with their configurations, data, device, the memory needed, and notes."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from lenetcli.data import sources
from lenetcli.data.sources import DataSource
from lenetcli.errors import DataError, DeviceError, UsageError
from lenetcli.experiment.architecture import IMAGE_SIDE
from lenetcli.experiment.config import Config, DeviceKind, Precision, Request
from lenetcli.experiment.parameters import check_request
from lenetcli.experiment.sweep import Cell, Sweep, make_axes
from lenetcli.machine import devices, limits, processor
from lenetcli.machine.devices import Device
from lenetcli.store.store import Store

TENSORFLOW_BYTES = 650_000_000
"""The memory of a process that has loaded TensorFlow and no data."""

Finder = Callable[..., DataSource]
"""A function like ``data.sources.find``."""


def choose_shards(filters: int, batch_size: int, device: DeviceKind) -> int:
    """The default number of shards of a batch, which are computed in parallel.

    It determines the bits and therefore does not depend on the machine. A GPU is parallel within each
    operation: one shard. On a CPU, two shards keep two cores busy at no cost. Four let four cores work, but
    take more time on two cores where a shard is too little work for its overhead (docs/performance.md). So
    there are four from 32 filters on, and two below.
    """
    if device is DeviceKind.GPU:
        return 1
    return min(4 if filters >= 32 else 2, batch_size)


def estimate_bytes(config: Config, images: int) -> int:
    """An estimate of the memory of a run, in bytes: TensorFlow, data, weights and activations."""
    pixels = IMAGE_SIDE**2
    # The outputs of both convolutions and of both poolings, and as much again for their gradients.
    activations = (
        2 * config.filters * (pixels + pixels // 4 + pixels // 4 + pixels // 16) + 2 * config.hidden_units
    )
    # Six copies of the parameters: weights, velocities, gradients of shards and their sum, and the export.
    return TENSORFLOW_BYTES + images * pixels + 4 * (6 * config.parameters + config.batch_size * activations)


def resolve(request: Request, source: DataSource, device: DeviceKind) -> Config:
    """The configuration of a checked request on given data and a given kind of device.

    Raises:
        UsageError: if a batch is larger than the data, or the run needs more memory than this machine has.
    """
    if request.batch_size > source.train_images:
        raise UsageError(
            f"A batch of {request.batch_size} is larger than the {source.train_images} training images.",
            "Choose a smaller --batch-size.",
        )
    shards = request.shards or choose_shards(request.filters, request.batch_size, device)
    config = Config(
        data=source.sha256,
        filters=request.filters,
        kernel_size=request.kernel_size,
        hidden_units=request.hidden_units,
        lr=request.lr,
        momentum=request.momentum,
        batch_size=request.batch_size,
        seed=request.seed,
        precision=request.precision,
        device=device,
        shards=shards,
    )
    images = source.train_images + source.validation_images + source.test_images
    needed, available = estimate_bytes(config, images), limits.memory_bytes()
    if needed > available:
        raise UsageError(
            f"{config.filters} filters and {config.hidden_units} hidden units with batches of "
            f"{config.batch_size} need about {needed / 1e9:,.0f} GB of memory, and this machine has "
            f"{available / 1e9:.0f} GB.",
            "Choose fewer --filters or --hidden-units, or a smaller --batch-size.",
        )
    return config


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The cells to train, with their data and device, and notes for the user.

    A sweep without axes is a single run, which is not recorded as a sweep. ``source`` is None if no cell is
    open and the data was not looked for. With ``remeasure``, finished runs are trained again for their
    timings.
    """

    request: Request
    sweep: Sweep
    source: DataSource | None
    device: Device
    notes: tuple[str, ...] = ()
    remeasure: bool = False

    @property
    def open_cells(self) -> tuple[Cell, ...]:
        """The cells that are not done."""
        return tuple(cell for cell in self.sweep.cells if self.remeasure or not cell.is_done)

    @property
    def question(self) -> str:
        """The request of the sweep as text: requests with the same text mean the same sweep."""
        return _question(self.request, self.sweep.parameter, self.sweep.values, self.sweep.seeds)


def plan_train(
    request: Request, store: Store | None, find: Finder = sources.find, *, remeasure: bool = False
) -> Plan:
    """The plan of a single run: a sweep of one cell that is not recorded as a sweep. See ``plan_sweep``."""
    check_request(request)
    return _begin((), request, [request], store, find, remeasure=remeasure)


def plan_sweep(
    request: Request,
    parameter: str,
    values: Sequence[Any],
    seeds: Sequence[int] | None,
    store: Store | None,
    find: Finder = sources.find,
    *,
    remeasure: bool = False,
) -> Plan:
    """The plan of a sweep: a new one, or the recorded one that the same request began.

    Args:
        request: the settings that the cells share; its values of ``parameter`` and, with ``seeds``, the seed
            are not used.
        parameter: one of ``SWEEPABLE``.
        values: the values of the parameter; repeated ones count once.
        seeds: the seeds of each value; None for the seed of the request.
        store: the store with the runs that have begun; None if there is none yet.
        find: a function like ``data.sources.find``.
        remeasure: whether finished runs are trained again for their timings.

    Raises:
        UsageError: if a value is out of bounds, or options contradict each other.
        DataError: if the data cannot be found, or is not that of the recorded sweep.
        DeviceError: if the device cannot be used.
    """
    if seeds is not None and parameter == "seed":
        raise UsageError("A sweep over seeds needs no --seeds.", "Leave one of the two out.")
    if seeds is not None and request.seed:
        raise UsageError(
            f"--seed {request.seed} and --seeds {len(seeds)} were both given.", "Leave one of the two out."
        )
    values = tuple(dict.fromkeys(values))
    seeds = (request.seed,) if seeds is None else tuple(seeds)
    requests = [
        replace(request, **{"seed": seed, parameter: value})  # in a sweep over seeds, the value counts
        for value in values
        for seed in seeds
    ]
    for cell_request in requests:
        check_request(cell_request)
    question = _question(request, parameter, values, seeds)
    recorded = store.find_asked(question) if store is not None else None
    if recorded is not None:
        plan = _continue_recorded(request, recorded, find, remeasure)
        if plan is not None:
            return plan
    names = [parameter, "seed"] if len(seeds) > 1 and parameter != "seed" else [parameter]
    return _begin(names, request, requests, store, find, remeasure=remeasure)


def _question(request: Request, parameter: str, values: Sequence[Any], seeds: Sequence[int]) -> str:
    excluded = (parameter, "threads", "seed")
    typed = {name: value for name, value in asdict(request).items() if name not in excluded}
    seeds = [] if parameter == "seed" else sorted(seeds)
    return json.dumps([parameter, sorted(values), seeds, typed], sort_keys=True)


def _continue_recorded(request: Request, recorded: Sweep, find: Finder, remeasure: bool) -> Plan | None:
    """The plan that continues a recorded sweep with its data and device, whatever ``auto`` would mean now.

    None if the path in the request contains other data now, so that the request means another sweep.
    """
    config = recorded.base
    finished = not remeasure and recorded.done == len(recorded.cells)
    notes: list[str] = []
    source = None
    if request.data is not None:
        source = find(request.dataset, request.data)
        if source.sha256 != config.data:
            return None
    elif not finished:
        source = find(
            sources.SYNTHETIC if recorded.dataset_name == sources.SYNTHETIC else request.dataset, None
        )
        if source.sha256 != config.data:
            raise DataError(
                f"This sweep was begun on {recorded.dataset_name}, which cannot be had now.",
                "Give it with --data, or begin afresh with --dataset synthetic.",
            )
    if source is not None and recorded.dataset_name == sources.SYNTHETIC and request.dataset == sources.AUTO:
        notes.append("This sweep goes on with the synthetic digits it was begun on, not MNIST.")
        try:
            find(sources.MNIST, None, offline=True)
            notes.append("MNIST can be had by now: begin afresh with --dataset mnist.")
        except DataError:
            pass
    try:
        device = devices.choose_device(request.device if request.device != "auto" else config.device)
    except DeviceError as error:
        if request.device != "auto":
            raise
        if not finished:
            raise DeviceError(
                f"This sweep was begun on a GPU, which cannot be used now. {error.problem}",
                "Begin afresh with --device cpu.",
            ) from error
        device = devices.choose_device("cpu")  # nothing will be trained on it
    on_cpu = request.device == "auto" and config.device is DeviceKind.CPU
    if on_cpu and not finished and devices.choose_device("auto").kind is DeviceKind.GPU:
        notes.append("This sweep goes on with the CPU it was begun on; --device gpu begins one on the GPU.")
    return Plan(
        request=request,
        sweep=recorded,
        source=source,
        device=device,
        notes=tuple(notes),
        remeasure=remeasure,
    )


def _begin(
    names: Sequence[str],
    request: Request,
    requests: Sequence[Request],
    store: Store | None,
    find: Finder,
    *,
    remeasure: bool,
) -> Plan:
    """A new plan with one cell for each of ``requests``, on the data and the device available now."""
    device = devices.choose_device(request.device)
    source = find(request.dataset, request.data)
    now = datetime.now(UTC)
    cells = tuple(Cell(config=resolve(cell_request, source, device.kind)) for cell_request in requests)
    sweep = Sweep(
        axes=make_axes(names, cells),
        epochs=request.epochs,
        dataset_name=source.name,
        cells=cells,
        request=request,
        created_at=now,
        last_requested=now,
    )
    return Plan(
        request=request,
        sweep=sweep if store is None else refresh(store, sweep),
        source=source,
        device=device,
        notes=_warnings(source, request, device),
        remeasure=remeasure,
    )


def refresh(store: Store, sweep: Sweep) -> Sweep:
    """The sweep with its runs as stored now, cut to its epochs."""
    runs = store.find(cell.config.key for cell in sweep.cells)
    cut = {key: run.at(sweep.epochs) for key, run in runs.items()}
    return replace(sweep, cells=tuple(replace(cell, run=cut.get(cell.config.key)) for cell in sweep.cells))


def _warnings(source: DataSource, request: Request, device: Device) -> tuple[str, ...]:
    """The notes of a new plan: substitute data, a CPU in place of a GPU, emulated arithmetic."""
    notes = []
    if source.warning:
        notes.append(source.warning)
    if request.device == "auto" and device.kind is DeviceKind.CPU:
        trouble = devices.gpu_trouble()
        if trouble:
            notes.append(f"This runs on the CPU. {trouble}")
    slow = request.precision is Precision.BFLOAT16 and device.kind is DeviceKind.CPU
    if slow and not processor.this_processor().has_bfloat16:
        notes.append("This processor has no bfloat16 arithmetic: it is emulated, and slower than float32.")
    return tuple(notes)
