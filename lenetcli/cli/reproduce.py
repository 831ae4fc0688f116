"""``reproduce``: the whole exercise, each part the command that a person would type."""

import os
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lenetcli.cli import options as o
from lenetcli.cli.training import find_stoppably, open_existing
from lenetcli.paths import DEFAULT_STORE
from lenetcli.runs import DeviceKind, Request

if TYPE_CHECKING:
    from lenetcli.experiments import Plan


def reproduce(
    seeds: o.SeedsOption = None,
    epochs: o.EpochsOption = 10,
    dataset: o.DatasetOption = "auto",
    data: o.DataOption = None,
    threads: o.ThreadsOption = None,
    store: o.StoreOption = DEFAULT_STORE,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would be trained, and about how long it takes.")
    ] = False,
) -> None:
    """Run the whole exercise: both sweeps, both plots, the report; goes on where it was stopped."""
    from lenetcli import experiments
    from lenetcli.devices import choose_device
    from lenetcli.wording import FILTERS, RATES, name_value

    wanted = o.list_seeds(seeds)
    request = Request(epochs=epochs, dataset=dataset, data=data, threads=threads)
    experiments.check_request(request)
    sweeps: list[tuple[str, tuple[Any, ...], str]] = [("lr", RATES, "auto")]
    if choose_device("auto").kind is DeviceKind.GPU:
        sweeps.append(("filters", FILTERS[DeviceKind.GPU], "gpu"))
    sweeps.append(("filters", FILTERS[DeviceKind.CPU], "cpu"))
    options = ["--epochs", str(epochs), "--dataset", dataset, "--store", store]
    options += ["--seeds", str(seeds)] if seeds is not None else []
    options += ["--data", data] if data is not None else []
    options += ["--threads", str(threads)] if threads is not None else []

    if dry_run:
        held = open_existing(store)
        plans = find_stoppably(
            lambda find: [
                experiments.plan_sweep(replace(request, device=device), parameter, values, wanted, held, find)
                for parameter, values, device in sweeps
            ]
        )
        _show(plans, held.runs() if held is not None else [])
        return
    for parameter, values, device in sweeps:
        _run(["sweep", parameter, "--device", device, *map(name_value, values), *options])
    _run(["plot", "lr", "--store", store])
    _run(["plot", "runtime", "--store", store])
    _run(["report", "--store", store])


def _show(plans: "list[Plan]", runs: Any) -> None:
    from lenetcli import printing, render
    from lenetcli.estimates import estimate_seconds

    rows, seen, total, known = [], set(), 0.0, True
    for plan in plans:
        for cell in plan.open_cells:
            if cell.config.key in seen:
                continue
            seen.add(cell.config.key)
            left = plan.sweep.epochs - (cell.run.epochs if cell.run else 0)
            seconds = estimate_seconds(cell.config, left, runs)
            known &= seconds is not None
            total += seconds or 0.0
            rows.append((cell.config, left, seconds))
    render.print_plan(rows)
    if rows and known:
        printing.tell(f"{len(rows)} runs, about {printing.format_seconds(total)} of training.")
    elif rows:
        printing.tell(
            f"{len(rows)} runs; how long they take can be told once one like them has been trained."
        )
    else:
        printing.tell("Nothing is left to train.")


def _run(arguments: list[str]) -> None:
    """Run one command in a process of its own: TensorFlow can be set up for one device only once.

    A signal is handed on, and what the child says is what we say.
    """
    from lenetcli import printing
    from lenetcli.interrupts import SIGNALS

    printing.tell(f"$ {shlex.join(['lenetcli', *arguments])}", "bold")
    child = subprocess.Popen([sys.executable, "-m", "lenetcli", *arguments])

    def hand_on(number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGINT or not _in_foreground():  # the second one would mean "at once"
            child.send_signal(number)

    before = {number: signal.signal(number, hand_on) for number in SIGNALS}
    try:
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if code:
        raise typer.Exit(code if code > 0 else 128 - code)


def _in_foreground() -> bool:
    """Whether a Ctrl-C comes from the terminal, which sends it to the child as well."""
    if os.name == "nt":
        return True
    try:
        with Path("/dev/tty").open() as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
