"""From what was typed to what is computed: fill a request's gaps, check it, expand a sweep."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from lenetcli import data, devices, machine
from lenetcli.data import DataSource
from lenetcli.devices import Device
from lenetcli.errors import DataError, DeviceError, UsageError
from lenetcli.runs import IMAGE_SIDE, Cell, Config, DeviceKind, Precision, Request, Sweep
from lenetcli.store import Store

MAX_INTEGER = 2**31 - 1

TENSORFLOW_BYTES = 650_000_000
"""What TensorFlow itself takes before the first image."""

Finder = Callable[..., DataSource]


def choose_shards(filters: int, batch_size: int, device: DeviceKind) -> int:
    """How many pieces of a batch are computed side by side: it sets the bits, so the machine has no say.

    A GPU is parallel inside each operation: one piece. On a CPU two pieces keep two cores busy and cost
    nothing; four let four cores work, but cost two cores 7 % at 16 filters and 17 % at 8, where a
    piece is too little work to pay for its own overhead. So: four from 32 filters up, two below.
    """
    if device is DeviceKind.GPU:
        return 1
    return min(4 if filters >= 32 else 2, batch_size)


def estimate_bytes(config: Config, images: int) -> int:
    """The memory that a run needs at most, in bytes: TensorFlow, the data, the weights, the activations."""
    pixels = IMAGE_SIDE**2
    # Both convolutions' outputs, their pooled ones, and as much again for the gradients.
    activations = (
        2 * config.filters * (pixels + pixels // 4 + pixels // 4 + pixels // 16) + 2 * config.hidden_units
    )
    return TENSORFLOW_BYTES + images * pixels + 4 * (6 * config.parameters + config.batch_size * activations)


def check_request(request: Request) -> None:
    """Find every mistake that needs no data.

    Raises:
        UsageError: naming the option and the value.
    """
    if not (math.isfinite(request.lr) and request.lr > 0):
        raise UsageError(f"The learning rate {request.lr:g} is not a positive number.", "Try 0.1.")
    if not 0 <= request.momentum < 1:
        raise UsageError(
            f"The momentum {request.momentum:g} is not in the range from 0 to below 1.", "Try 0.9."
        )
    least = {"epochs": 1, "filters": 1, "kernel_size": 1, "hidden_units": 1, "batch_size": 1, "seed": 0}
    for name, lowest in least.items():
        value = getattr(request, name)
        if not lowest <= value <= MAX_INTEGER:
            raise UsageError(
                f"--{name.replace('_', '-')} cannot be {value}.",
                f"Choose a whole number from {lowest} to {MAX_INTEGER:,}.",
            )
    for name in ("threads", "shards"):
        value = getattr(request, name)
        if value is not None and not 1 <= value <= 1024:
            raise UsageError(f"{value} {name} cannot be had.", "Choose a number from 1 to 1024.")
    if request.shards is not None and request.shards > request.batch_size:
        raise UsageError(
            f"A batch of {request.batch_size} images cannot be split into {request.shards} shards.",
            "Ask for at most as many shards as images in a batch.",
        )
    if request.kernel_size > IMAGE_SIDE:
        raise UsageError(
            f"A kernel of {request.kernel_size} pixels is larger than the images, which have {IMAGE_SIDE}.",
            "Try 3 or 5.",
        )


def resolve(request: Request, source: DataSource, device: DeviceKind) -> Config:
    """Fill the gaps of a checked request.

    Raises:
        UsageError: for a batch larger than the data, or more memory than this machine has.
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
    needed, there = estimate_bytes(config, images), machine.memory_bytes()
    if needed > there:
        raise UsageError(
            f"{config.filters} filters and {config.hidden_units} hidden units with batches of "
            f"{config.batch_size} need about {needed / 1e9:,.0f} GB of memory, and this machine has "
            f"{there / 1e9:.0f} GB.",
            "Choose fewer --filters or --hidden-units, or a smaller --batch-size.",
        )
    return config


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be trained: the cells, their data and device, and what the user should be told.

    ``source`` is None where nothing is left to do and the data was not looked for.
    """

    request: Request
    sweep: Sweep
    is_sweep: bool
    source: DataSource | None
    device: Device
    notes: tuple[str, ...] = ()
    remeasure: bool = False
    """Whether runs that are finished are computed once more, for their times."""

    @property
    def open_cells(self) -> tuple[Cell, ...]:
        """The cells with something left to do."""
        return tuple(cell for cell in self.sweep.cells if self.remeasure or not cell.is_done)

    @property
    def question(self) -> str:
        """What makes two requests for a sweep the same question, as text."""
        return _question(self.request, self.sweep.parameter, self.sweep.values, self.sweep.seeds)


def plan_train(
    request: Request, store: Store | None, find: Finder = data.find, *, remeasure: bool = False
) -> Plan:
    """One run, as a sweep of one cell that is not recorded as a sweep."""
    check_request(request)
    return _begin("lr", request, [request], store, find, is_sweep=False, remeasure=remeasure)


def plan_sweep(
    request: Request,
    parameter: str,
    values: Sequence[Any],
    seeds: Sequence[int] | None,
    store: Store | None,
    find: Finder = data.find,
    *,
    remeasure: bool = False,
) -> Plan:
    """Expand a sweep, or go on with the one that the same words began.

    Args:
        request: the base; its field ``parameter`` is not used.
        parameter: one of ``SWEEPABLE``.
        values: what it goes over; a value given twice is one cell.
        seeds: the seeds of each value; None for the request's.
        store: where runs that have begun are found; None if there is none yet.
        find: finds the data.
        remeasure: compute finished runs once more, for their times.
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
        replace(request, **{"seed": seed, parameter: value})  # where seeds are swept, the value wins
        for value in values
        for seed in seeds
    ]
    for wanted in requests:
        check_request(wanted)
    question = _question(request, parameter, values, seeds)
    recorded = store.find_asked(question) if store is not None else None
    if recorded is not None:
        plan = _continue_recorded(request, recorded, find, remeasure)
        if plan is not None:
            return plan
    return _begin(parameter, request, requests, store, find, is_sweep=True, remeasure=remeasure)


def _question(request: Request, parameter: str, values: Sequence[Any], seeds: Sequence[int]) -> str:
    apart = (parameter, "threads", "seed")
    typed = {name: value for name, value in asdict(request).items() if name not in apart}
    seeds = [] if parameter == "seed" else sorted(seeds)
    return json.dumps([parameter, sorted(values), seeds, typed], sort_keys=True)


def _continue_recorded(request: Request, recorded: Sweep, find: Finder, remeasure: bool) -> Plan | None:
    """Go on with what the same words meant, whatever ``auto`` would mean by now; None to expand anew."""
    config = recorded.cells[0].config
    finished = not remeasure and recorded.done == len(recorded.cells)
    notes: list[str] = []
    source = None
    if request.data is not None:
        source = find(request.dataset, request.data)
        if source.sha256 != config.data:
            return None  # the data in that place is another one by now
    elif not finished:
        source = find(data.SYNTHETIC if recorded.dataset == data.SYNTHETIC else request.dataset, None)
        if source.sha256 != config.data:
            raise DataError(
                f"This sweep was begun on {recorded.dataset}, which cannot be had now.",
                "Give it with --data, or begin afresh with --dataset synthetic.",
            )
    if source is not None and recorded.dataset == data.SYNTHETIC and request.dataset == data.AUTO:
        notes.append("This sweep goes on with the synthetic digits it was begun on, not MNIST.")
        try:
            find(data.MNIST, None, offline=True)
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
        device = devices.choose_device("cpu")  # which will have nothing to do
    on_cpu = request.device == "auto" and config.device is DeviceKind.CPU
    if on_cpu and not finished and devices.choose_device("auto").kind is DeviceKind.GPU:
        notes.append("This sweep goes on with the CPU it was begun on; --device gpu begins one on the GPU.")
    return Plan(
        request=request,
        sweep=recorded,
        is_sweep=True,
        source=source,
        device=device,
        notes=tuple(notes),
        remeasure=remeasure,
    )


def _begin(
    parameter: str,
    request: Request,
    requests: Sequence[Request],
    store: Store | None,
    find: Finder,
    *,
    is_sweep: bool,
    remeasure: bool,
) -> Plan:
    """Expand a request to ``requests``, one a cell, with the data and the device that there are now."""
    device = devices.choose_device(request.device)
    source = find(request.dataset, request.data)
    now = datetime.now(UTC)
    sweep = Sweep(
        parameter=parameter,
        epochs=request.epochs,
        dataset=source.name,
        cells=tuple(
            Cell(
                value=getattr(wanted, parameter),
                seed=wanted.seed,
                config=resolve(wanted, source, device.kind),
            )
            for wanted in requests
        ),
        request=request,
        created_at=now,
        last_requested=now,
    )
    return Plan(
        request=request,
        sweep=sweep if store is None else refresh(store, sweep),
        is_sweep=is_sweep,
        source=source,
        device=device,
        notes=_warnings(source, request, device),
        remeasure=remeasure,
    )


def refresh(store: Store, sweep: Sweep) -> Sweep:
    """The sweep with its runs as they are now."""
    runs = store.find(cell.config.key for cell in sweep.cells)
    seen = {key: run.at(sweep.epochs) for key, run in runs.items()}
    return replace(sweep, cells=tuple(replace(cell, run=seen.get(cell.config.key)) for cell in sweep.cells))


def _warnings(source: DataSource, request: Request, device: Device) -> tuple[str, ...]:
    found = []
    if source.warning:
        found.append(source.warning)
    if request.device == "auto" and device.kind is DeviceKind.CPU:
        trouble = devices.gpu_trouble()
        if trouble:
            found.append(f"This runs on the CPU. {trouble}")
    slow = request.precision is Precision.BFLOAT16 and device.kind is DeviceKind.CPU
    if slow and not machine.this_processor().has_bfloat16:
        found.append("This processor has no bfloat16 arithmetic: it is emulated, and slower than float32.")
    return tuple(found)
