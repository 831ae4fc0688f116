"""``train`` and ``sweep``: from the words typed to a plan, through the runner, to a table."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lenetcli.cli import options as o
from lenetcli.errors import RunFailedError, UsageError
from lenetcli.paths import DEFAULT_STORE
from lenetcli.runs import Request, RunState

if TYPE_CHECKING:
    from lenetcli.data import Arrays, DataSource
    from lenetcli.devices import Device
    from lenetcli.experiments import Plan
    from lenetcli.runner import Result
    from lenetcli.store import Store
    from lenetcli.trainers import Trainer


def train(
    lr: o.LrOption = "0.1",  # type: ignore[assignment]  # typer passes defaults through the parser too
    filters: o.FiltersOption = "16",  # type: ignore[assignment]
    kernel_size: o.KernelOption = "3",  # type: ignore[assignment]
    hidden_units: o.HiddenOption = "128",  # type: ignore[assignment]
    epochs: o.EpochsOption = "10",  # type: ignore[assignment]
    batch_size: o.BatchOption = "64",  # type: ignore[assignment]
    momentum: o.MomentumOption = "0",  # type: ignore[assignment]
    seed: o.SeedOption = "0",  # type: ignore[assignment]
    device: o.DeviceOption = "auto",
    dataset: o.DatasetOption = "auto",
    data: o.DataOption = None,
    threads: o.ThreadsOption = None,
    shards: o.ShardsOption = None,
    precision: o.PrecisionOption = "float32",  # type: ignore[assignment]
    store: o.StoreOption = DEFAULT_STORE,
    no_wait: o.NoWaitOption = False,
) -> None:
    """Train one run; go on with it if it was interrupted or more epochs are asked for."""
    from lenetcli import experiments
    from lenetcli.store import Store

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
    experiments.check_request(request)
    held = Store.open(store, create=True)
    with find_data() as find:
        plan = experiments.plan_train(request, held, find)
    result = _carry_out(held, plan, wait=not no_wait)
    _say_next(result, plan, f"lenetcli runs show {result.sweep.cells[0].config.key[3:11]}")


def sweep(
    parameter: Annotated[
        str,
        typer.Argument(
            metavar="PARAMETER",
            help="lr, filters, batch-size, seed, momentum, precision, kernel-size or hidden-units.",
        ),
    ],
    values: Annotated[list[str], typer.Argument(metavar="VALUE...", help="The values to train with.")],
    lr: o.LrOption = "0.1",  # type: ignore[assignment]
    filters: o.FiltersOption = "16",  # type: ignore[assignment]
    kernel_size: o.KernelOption = "3",  # type: ignore[assignment]
    hidden_units: o.HiddenOption = "128",  # type: ignore[assignment]
    epochs: o.EpochsOption = "10",  # type: ignore[assignment]
    batch_size: o.BatchOption = "64",  # type: ignore[assignment]
    momentum: o.MomentumOption = "0",  # type: ignore[assignment]
    seed: o.SeedOption = "0",  # type: ignore[assignment]
    seeds: o.SeedsOption = None,
    device: o.DeviceOption = "auto",
    dataset: o.DatasetOption = "auto",
    data: o.DataOption = None,
    threads: o.ThreadsOption = None,
    shards: o.ShardsOption = None,
    precision: o.PrecisionOption = "float32",  # type: ignore[assignment]
    store: o.StoreOption = DEFAULT_STORE,
    no_wait: o.NoWaitOption = False,
) -> None:
    """Train a run for each value; what the store holds already is kept."""
    from lenetcli import experiments, parsing
    from lenetcli.store import Store

    field = experiments.parse_parameter(parameter)
    parsed = [parsing.parse_value(field, value) for value in values]
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
    for value in parsed:
        experiments.check_request(experiments.with_value(request, field, value))
    if seeds is not None and not 1 <= seeds <= 1000:
        raise UsageError(f"{seeds} seeds cannot be trained.", "Choose a number from 1 to 1000.")
    held = Store.open(store, create=True)
    with find_data() as find:
        wanted = None if seeds is None else range(seeds)
        plan = experiments.plan_sweep(request, field, parsed, wanted, held, find)
    result = _carry_out(held, plan, wait=not no_wait)
    follow = "lenetcli plot runtime" if field == "filters" else f"lenetcli plot {field.replace('_', '-')}"
    _say_next(result, plan, f"{follow}, lenetcli report")


@contextmanager
def find_data() -> Iterator[Any]:
    """Finds data, and shows a download if it comes to one."""
    from lenetcli import data as data_room
    from lenetcli import render

    bars: list[Any] = []

    def report(name: str, done: int, total: int) -> None:
        from lenetcli.progress import DownloadBar

        if not bars:
            bars.append(DownloadBar())
        bars[0].update(name, done, total)

    def find(dataset: str, path: str | None, *, offline: bool = False) -> "DataSource":
        return data_room.find(dataset, path, report=report, offline=offline)

    try:
        yield find
    except KeyboardInterrupt:
        render.tell("Stopped while looking for the data; nothing was trained.")
        raise typer.Exit(130) from None
    finally:
        for bar in bars:
            bar.close()


def _make_trainer(arrays: "Arrays", device: "Device", threads: int) -> "Trainer":
    from lenetcli.quiet import silence_stderr

    with silence_stderr():  # TensorFlow logs before it can be told not to
        from lenetcli.training import Trainer

        return Trainer(arrays, device, threads)


def _carry_out(store: "Store", plan: "Plan", *, wait: bool) -> "Result":
    """Train what is open, and print what came of it."""
    from lenetcli import render
    from lenetcli.interrupts import run_stoppably
    from lenetcli.progress import Display
    from lenetcli.runner import Runner

    begun = time.monotonic()
    for note in plan.notes:
        render.tell(note, "bold yellow")
    with Display(plan.sweep) as display:
        runner = Runner(store, plan, _make_trainer, display, wait=wait)

        def abandon(number: int) -> None:
            display.close()
            runner.abandon(number)
            render.tell(f"Stopped inside a step. {RESUME}")

        result, stop = run_stoppably(runner.run, abandon)
    render.print_sweep(result.sweep, result.fates, time.monotonic() - begun)
    if stop.signal is not None:
        render.tell(f"Stopped. {RESUME}")
        raise typer.Exit(128 + stop.signal)
    return result


RESUME = "What was finished is kept; type the same command again to go on."


def _say_next(result: "Result", plan: "Plan", follow: str) -> None:
    from lenetcli import render

    if not result.complete:
        left = sum(run.state is RunState.RUNNING for run in result.sweep.runs)
        raise RunFailedError(
            f"{left or 'Some'} cells are left to other processes.", "Type the same command again later."
        )
    render.tell(f"Next: {follow}", "dim")
