"""``train`` and ``sweep``: plan the runs, train them, print the results."""

import os
import shlex
import time
from typing import TYPE_CHECKING, Annotated

import typer

from lenetcli.cli import options
from lenetcli.cli.downloads import find_stoppably
from lenetcli.errors import RunFailedError
from lenetcli.experiment.config import Precision, Request
from lenetcli.files import DEFAULT_STORE, STORE_VARIABLE

if TYPE_CHECKING:
    from lenetcli.data.sources import Arrays
    from lenetcli.machine.devices import Device
    from lenetcli.store.store import Store
    from lenetcli.training.events import Trainer
    from lenetcli.training.plan import Plan
    from lenetcli.training.runner import Result

RESUME = "What was finished is kept; type the same command again to go on."


def train(
    lr: options.LrOption = 0.1,
    filters: options.FiltersOption = 16,
    kernel_size: options.KernelOption = 3,
    hidden_units: options.HiddenOption = 128,
    epochs: options.EpochsOption = 10,
    batch_size: options.BatchOption = 64,
    momentum: options.MomentumOption = 0,
    seed: options.SeedOption = 0,
    device: options.DeviceOption = "auto",
    dataset: options.DatasetOption = "auto",
    data: options.DataOption = None,
    threads: options.ThreadsOption = None,
    shards: options.ShardsOption = None,
    precision: options.PrecisionOption = Precision.FLOAT32,
    address: options.StoreOption = DEFAULT_STORE,
    no_wait: options.NoWaitOption = False,
    remeasure: options.RemeasureOption = False,
) -> None:
    """Train one run; go on with it if it was interrupted or more epochs are asked for."""
    from lenetcli.store.store import Store
    from lenetcli.training.plan import make_plan

    request = Request(
        epochs=epochs,
        lr=lr,
        filters=filters,
        kernel_size=kernel_size,
        hidden_units=hidden_units,
        batch_size=batch_size,
        momentum=momentum,
        seed=seed,
        precision=precision,
        device=device,
        dataset=dataset,
        data=data,
        threads=threads,
        shards=shards,
    )
    store = Store.open(address, write=True)
    plan = find_stoppably(lambda find: make_plan(request, (), store, find, remeasure=remeasure))
    result = _run(store, plan, wait=not no_wait)
    _conclude(result, address, f"lenetcli runs show {result.sweep.runs[0].short_id}")


def sweep(
    parameter: Annotated[
        str,
        typer.Argument(
            metavar="PARAMETER",
            help="lr, filters, batch-size, seed, momentum, precision, kernel-size or hidden-units.",
        ),
    ],
    values: Annotated[list[str], typer.Argument(metavar="VALUE...", help="The values to train with.")],
    lr: options.LrOption = 0.1,
    filters: options.FiltersOption = 16,
    kernel_size: options.KernelOption = 3,
    hidden_units: options.HiddenOption = 128,
    epochs: options.EpochsOption = 10,
    batch_size: options.BatchOption = 64,
    momentum: options.MomentumOption = 0,
    seed: options.SeedOption = 0,
    seeds: options.SeedsOption = None,
    device: options.DeviceOption = "auto",
    dataset: options.DatasetOption = "auto",
    data: options.DataOption = None,
    threads: options.ThreadsOption = None,
    shards: options.ShardsOption = None,
    precision: options.PrecisionOption = Precision.FLOAT32,
    address: options.StoreOption = DEFAULT_STORE,
    no_wait: options.NoWaitOption = False,
    remeasure: options.RemeasureOption = False,
) -> None:
    """Train a run for each value; what the store holds already is kept."""
    from lenetcli.cli.values import parse_parameter, parse_value
    from lenetcli.store.store import Store
    from lenetcli.training.plan import make_plan

    field = parse_parameter(parameter)
    parsed = [parse_value(field, value) for value in values]
    request = Request(
        epochs=epochs,
        lr=lr,
        filters=filters,
        kernel_size=kernel_size,
        hidden_units=hidden_units,
        batch_size=batch_size,
        momentum=momentum,
        seed=seed,
        precision=precision,
        device=device,
        dataset=dataset,
        data=data,
        threads=threads,
        shards=shards,
    )
    axes = options.make_axes(field, parsed, seeds, seed)
    store = Store.open(address, write=True)
    plan = find_stoppably(lambda find: make_plan(request, axes, store, find, remeasure=remeasure))
    result = _run(store, plan, wait=not no_wait)
    figure = "runtime" if field == "filters" else field.replace("_", "-")
    _conclude(result, address, f"lenetcli plot {figure}", "lenetcli report")


def _make_trainer(arrays: "Arrays", device: "Device", threads: int) -> "Trainer":
    from lenetcli.cli.screen.streams import silence_stderr

    with silence_stderr():  # TensorFlow writes to the log before its level can be set
        from lenetcli.training.engine.loop import Trainer

        return Trainer(arrays, device, threads)


def _run(store: "Store", plan: "Plan", *, wait: bool) -> "Result":
    """Train the open cells of a plan and print the results."""
    from lenetcli.cli.screen import console, tables
    from lenetcli.cli.screen.display import Display
    from lenetcli.training.interrupts import run_stoppably
    from lenetcli.training.runner import Runner

    start = time.monotonic()
    try:
        for note in plan.notes:
            console.print_message(note, "bold yellow")
        with Display(plan.sweep) as display:
            runner = Runner(store, plan, _make_trainer, display, wait=wait)

            def abandon() -> None:
                runner.abandon()
                display.note(f"Stopped. {RESUME}")
                display.close()

            result, stop = run_stoppably(runner.run, abandon, display.restore)
    except BrokenPipeError:
        raise RunFailedError("Whoever read the progress has left.", RESUME) from None
    tables.print_sweep(result.sweep, result.fates, time.monotonic() - start)
    if stop.signal is not None:
        console.print_message(f"Stopped. {RESUME}")
        raise typer.Exit(128 + stop.signal)
    return result


def _conclude(result: "Result", address: str, *commands: str) -> None:
    """Print the next commands.

    Raises:
        RunFailedError: if a run failed or was left to another process.
    """
    from lenetcli.cli.screen import console
    from lenetcli.training.events import Fate
    from lenetcli.words import plural

    if result.failure is not None:
        raise RunFailedError(
            f"{result.failure}.", "What was finished is kept; lenetcli runs show tells more."
        )
    left = sum(fate is Fate.LEFT for fate in result.fates.values())
    if not result.complete:
        raise RunFailedError(
            f"{plural(left, 'run')} left to other processes.", "Type the same command again later."
        )
    # An address from the environment applies to the next commands, too.
    from_environment = address in (DEFAULT_STORE, os.environ.get(STORE_VARIABLE))
    option = "" if from_environment else f" --store {shlex.quote(address)}"
    console.print_message("Next: " + ", ".join(command + option for command in commands), "dim")
