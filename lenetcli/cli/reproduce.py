"""``reproduce``: the whole exercise, each step a command of its own."""

import os
import shlex
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from lenetcli.cli import options
from lenetcli.cli.downloads import find_stoppably
from lenetcli.errors import RunFailedError
from lenetcli.experiment.config import RECIPE, Config, DeviceKind, Request
from lenetcli.experiment.exercise import FILTERS, LEARNING_RATES
from lenetcli.experiment.parameters import check_request
from lenetcli.files import DEFAULT_STORE
from lenetcli.machine.interpreter import python_command, python_environment
from lenetcli.training.interrupts import SIGNALS
from lenetcli.words import name_value, plural, write_duration

if TYPE_CHECKING:
    from lenetcli.experiment.sweep import Axis

    Grid = tuple[tuple[Axis, ...], str]
    """The axes and the device of a sweep."""


OUTPUTS = (("plot lr", "lr.png"), ("plot runtime", "runtime.png"), ("report", "report.pdf"))
"""The commands that follow the sweeps, each with the file that it writes."""


@options.with_request("seed", "seeds", "epochs", "dataset", "data", "threads")
def reproduce(
    request: Request,
    seeds: options.SeedsOption = None,
    address: options.StoreOption = DEFAULT_STORE,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would be trained, and about how long it takes.")
    ] = False,
    anew: options.AnewOption = False,
) -> None:
    """Run the whole exercise: both sweeps, both plots, the report; goes on where it was stopped."""
    from lenetcli.machine.devices import choose_device

    check_request(request)
    has_gpu = choose_device("auto").kind is DeviceKind.GPU
    grids: list[Grid] = [(options.make_axes("lr", LEARNING_RATES, seeds, request.seed), "auto")]
    for kind, sizes in FILTERS.items():
        if kind is DeviceKind.CPU or has_gpu:
            grids.append((options.make_axes("filters", sizes, seeds, request.seed), kind.value))
    if dry_run:
        _show(request, grids, address, anew=anew)
        return

    for _, file in OUTPUTS:
        options.parse_output(file, ())  # checked here, not after hours of training
    words = ["--epochs", str(request.epochs), "--dataset", request.dataset, "--store", address]
    for option, value in (("--seeds", seeds), ("--data", request.data), ("--threads", request.threads)):
        words += [option, str(value)] if value is not None else []
    words += ["--seed", str(request.seed)] if request.seed else []
    words += ["--anew"] if anew else []
    for axes, device in grids:
        command = ["sweep", axes[0].name, "--device", device, *map(name_value, axes[0].values), *words]
        _run(command)
        _check_sweep(command, replace(request, device=device), axes, address, anew=anew)
    for written, file in OUTPUTS:
        command, before = [*written.split(), "-o", file, "--store", address], _identify(file)
        _run(command)
        if _identify(file) == before:
            raise _left_undone(command, f"has not written {Path(file).absolute()}")


def _show(request: Request, grids: "Sequence[Grid]", address: str, *, anew: bool) -> None:
    """Print the runs that are left to train, each once, with their estimated training times."""
    from lenetcli.analysis.estimates import estimate_seconds
    from lenetcli.cli.screen import console, sweep_tables
    from lenetcli.store.store import Store
    from lenetcli.training.plan import make_plan

    store = Store.open(address, missing_ok=True)
    requests = [(replace(request, device=device), axes) for axes, device in grids]
    plans = find_stoppably(lambda find: [make_plan(*one, store, find, anew=anew) for one in requests])
    for note in dict.fromkeys(note for plan in plans for note in plan.notes):
        console.print_message(note, "bold yellow")
    runs = store.runs()
    rows: dict[str, tuple[Config, int, float | None]] = {}
    for plan in plans:
        for cell in plan.open_cells:
            left = plan.sweep.epochs - (cell.run.epochs if cell.run else 0)
            rows.setdefault(cell.config.key, (cell.config, left, estimate_seconds(cell.config, left, runs)))
    if not rows:
        console.print_message("Nothing is left to train.")
        return
    sweep_tables.print_plan(list(rows.values()))
    seconds = [row[2] for row in rows.values() if row[2] is not None]
    if len(seconds) == len(rows):
        console.print_message(f"{len(rows)} runs, about {write_duration(sum(seconds))} of training.")
    else:
        unknown = "how long they take can be told once one like them has been trained"
        console.print_message(f"{len(rows)} runs; {unknown}.")


def _check_sweep(
    command: list[str], request: Request, axes: "Sequence[Axis]", address: str, *, anew: bool
) -> None:
    """Check that the store holds what a sweep was to train; with ``anew``, under the present recipe.

    Raises:
        RunFailedError: if a run is missing or unfinished.
    """
    from lenetcli.store.store import Store

    store = Store.open(address, missing_ok=True)
    sweep = store.find_request(request, axes)
    if sweep is None or (anew and sweep.base.recipe != RECIPE):
        raise _left_undone(command, f"has left no sweep in {store.name}")
    if left := len(sweep.cells) - sweep.done:
        raise _left_undone(command, f"has left {plural(left, 'run')} unfinished in {store.name}")


def _identify(file: str) -> tuple[int, int] | None:
    """What changes when a file is written; None without a file."""
    try:
        status = Path(file).stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def _left_undone(command: list[str], what: str) -> RunFailedError:
    return RunFailedError(f"lenetcli {shlex.join(command)} {what}.", "Type the same command again to go on.")


def _run(arguments: list[str]) -> None:
    """Run one command in a process of its own, since TensorFlow can be configured for one device only once.

    Signals are forwarded to it.

    Raises:
        typer.Exit: with the exit code of the command, if that is not 0.
    """
    from lenetcli.cli.screen import console

    console.print_message(f"$ {shlex.join(['lenetcli', *arguments])}", "bold")
    child = subprocess.Popen(python_command("-m", "lenetcli", *arguments), env=python_environment())

    def forward(number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGINT or not _in_foreground():  # a second one would end the child at once
            child.send_signal(number)

    before = {number: signal.signal(number, forward) for number in SIGNALS}
    try:
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if code:
        raise typer.Exit(code if code > 0 else 128 - code)


def _in_foreground() -> bool:
    """Whether this process is in the foreground of a terminal, which sends Ctrl-C to the child, too."""
    if os.name == "nt":
        return True
    try:
        with Path("/dev/tty").open() as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
