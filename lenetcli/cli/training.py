"""``train`` and ``sweep``: from the words typed to a plan, through the runner, to a table."""

import os
import shlex
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from lenetcli.cli import options as o
from lenetcli.errors import RunFailedError
from lenetcli.paths import DEFAULT_STORE, STORE_VARIABLE
from lenetcli.runs import Precision, Request

if TYPE_CHECKING:
    from lenetcli.data import Arrays, DataSource
    from lenetcli.devices import Device
    from lenetcli.experiments import Finder, Plan
    from lenetcli.runner import Result
    from lenetcli.store import Store
    from lenetcli.trainers import Trainer

T = TypeVar("T")


def train(
    lr: o.LrOption = 0.1,
    filters: o.FiltersOption = 16,
    kernel_size: o.KernelOption = 3,
    hidden_units: o.HiddenOption = 128,
    epochs: o.EpochsOption = 10,
    batch_size: o.BatchOption = 64,
    momentum: o.MomentumOption = 0,
    seed: o.SeedOption = 0,
    device: o.DeviceOption = "auto",
    dataset: o.DatasetOption = "auto",
    data: o.DataOption = None,
    threads: o.ThreadsOption = None,
    shards: o.ShardsOption = None,
    precision: o.PrecisionOption = Precision.FLOAT32,
    store: o.StoreOption = DEFAULT_STORE,
    no_wait: o.NoWaitOption = False,
    remeasure: o.RemeasureOption = False,
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
    plan = find_stoppably(
        lambda find: experiments.plan_train(request, open_existing(store), find, remeasure=remeasure)
    )
    held = Store.open(store, create=True)
    result = _carry_out(held, plan, wait=not no_wait)
    _say_next(result, store, f"lenetcli runs show {result.sweep.runs[0].short_id}")


def sweep(
    parameter: Annotated[
        str,
        typer.Argument(
            metavar="PARAMETER",
            help="lr, filters, batch-size, seed, momentum, precision, kernel-size or hidden-units.",
        ),
    ],
    values: Annotated[list[str], typer.Argument(metavar="VALUE...", help="The values to train with.")],
    lr: o.LrOption = 0.1,
    filters: o.FiltersOption = 16,
    kernel_size: o.KernelOption = 3,
    hidden_units: o.HiddenOption = 128,
    epochs: o.EpochsOption = 10,
    batch_size: o.BatchOption = 64,
    momentum: o.MomentumOption = 0,
    seed: o.SeedOption = 0,
    seeds: o.SeedsOption = None,
    device: o.DeviceOption = "auto",
    dataset: o.DatasetOption = "auto",
    data: o.DataOption = None,
    threads: o.ThreadsOption = None,
    shards: o.ShardsOption = None,
    precision: o.PrecisionOption = Precision.FLOAT32,
    store: o.StoreOption = DEFAULT_STORE,
    no_wait: o.NoWaitOption = False,
    remeasure: o.RemeasureOption = False,
) -> None:
    """Train a run for each value; what the store holds already is kept."""
    from lenetcli import experiments, parsing
    from lenetcli.store import Store

    field = parsing.parse_parameter(parameter)
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
    wanted = o.list_seeds(seeds)
    plan = find_stoppably(
        lambda find: experiments.plan_sweep(
            request, field, parsed, wanted, open_existing(store), find, remeasure=remeasure
        )
    )
    held = Store.open(store, create=True)
    result = _carry_out(held, plan, wait=not no_wait)
    what = "runtime" if field == "filters" else field.replace("_", "-")
    _say_next(result, store, f"lenetcli plot {what}", "lenetcli report")


def open_existing(address: str) -> "Store | None":
    """The store if there is one by now: a mistake found while planning leaves no file behind.

    Raises:
        StoreError: if no store can be there.
    """
    from lenetcli.errors import NotFoundError
    from lenetcli.store import Store

    try:
        return Store.open(address)
    except NotFoundError:
        Store.check_creatable(address)
        return None


def find_stoppably(work: "Callable[[Finder], T]") -> T:
    """Do what looks for data, and show a download if it comes to one; a signal ends both at once."""
    from lenetcli import data as data_room
    from lenetcli import printing
    from lenetcli.interrupts import Stop, run_stoppably
    from lenetcli.trainers import Stopped

    bars: list[Any] = []

    def tell() -> None:
        printing.tell("Stopped before anything was trained.")

    def look(stop: Stop) -> T:
        def report(name: str, done: int, total: int) -> None:
            from lenetcli.progress import DownloadBar

            if stop():
                raise Stopped
            if not bars:
                bars.append(DownloadBar())
            bars[0].update(name, done, total)

        def find(dataset: str, path: str | None, *, offline: bool = False) -> "DataSource":
            return data_room.find(dataset, path, report=report, offline=offline)

        try:
            return work(find)
        except Stopped:
            assert stop.signal is not None
            raise typer.Exit(128 + stop.signal) from None

    try:
        found, stop = run_stoppably(look, tell)
    finally:
        for bar in bars:
            bar.close()
    if stop.signal is not None:
        tell()
        raise typer.Exit(128 + stop.signal)
    return found


def _make_trainer(arrays: "Arrays", device: "Device", threads: int) -> "Trainer":
    from lenetcli.quiet import silence_stderr

    with silence_stderr():  # TensorFlow logs before it can be told not to
        from lenetcli.training import Trainer

        return Trainer(arrays, device, threads)


def _carry_out(store: "Store", plan: "Plan", *, wait: bool) -> "Result":
    """Train what is open, and print what came of it."""
    from lenetcli import printing, render
    from lenetcli.interrupts import run_stoppably
    from lenetcli.progress import Display
    from lenetcli.runner import Runner

    begun = time.monotonic()
    try:
        for note in plan.notes:
            printing.tell(note, "bold yellow")
        with Display(plan.sweep) as display:
            runner = Runner(store, plan, _make_trainer, display, wait=wait)

            def abandon() -> None:
                runner.abandon()
                display.note(f"Stopped. {RESUME}")
                display.close()

            result, stop = run_stoppably(runner.run, abandon, display.restore)
    except BrokenPipeError:
        raise RunFailedError("Whoever read the progress has left.", RESUME) from None
    render.print_sweep(result.sweep, result.fates, time.monotonic() - begun)
    if stop.signal is not None:
        printing.tell(f"Stopped. {RESUME}")
        raise typer.Exit(128 + stop.signal)
    return result


RESUME = "What was finished is kept; type the same command again to go on."


def _say_next(result: "Result", store: str, *commands: str) -> None:
    from lenetcli import printing
    from lenetcli.runner import Fate
    from lenetcli.wording import plural

    if result.failure is not None:
        raise RunFailedError(
            f"{result.failure}.", "What was finished is kept; lenetcli runs show tells more."
        )
    left = sum(fate is Fate.LEFT for fate in result.fates.values())
    if not result.complete:
        raise RunFailedError(
            f"{plural(left, 'run')} left to other processes.", "Type the same command again later."
        )
    # What the environment says, the next command will hear too.
    typed = (
        "" if store in (DEFAULT_STORE, os.environ.get(STORE_VARIABLE)) else f" --store {shlex.quote(store)}"
    )
    printing.tell("Next: " + ", ".join(command + typed for command in commands), "dim")
