"""``reproduce``: the whole exercise, each step a command of its own."""

import os
import shlex
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import typer

from lenetcli.cli import options
from lenetcli.cli.axes import make_seeds
from lenetcli.cli.dry_run import show_left
from lenetcli.errors import RunFailedError
from lenetcli.experiment.config import RECIPE, DeviceKind, Request
from lenetcli.experiment.exercise import FILTERS, LEARNING_RATES
from lenetcli.experiment.parameters import check_request
from lenetcli.experiment.run import RunState
from lenetcli.files import DEFAULT_STORE
from lenetcli.machine.interpreter import python_command, python_environment
from lenetcli.training.interrupts import SIGNALS
from lenetcli.words import name_duration, name_value, plural

if TYPE_CHECKING:
    from lenetcli.experiment.sweep import Axis
    from lenetcli.training.time_limit import TimeLimit

    Grid = tuple[tuple[Axis, ...], str]
    """The axes and the device of a sweep."""


OUTPUTS = (("plot lr", "lr.png"), ("plot runtime", "runtime.png"), ("report", "report.pdf"))
"""The commands that follow the sweeps, each with the file that it writes."""


MOST_EPOCHS = 2
"""A sweep that ends early with less time left than so many epochs take has ended for want of it."""


@options.with_request("seed", "seeds", "epochs", "dataset", "data", "threads")
def reproduce(
    context: typer.Context,
    request: Request,
    seeds: options.SeedsOption = None,
    address: options.StoreOption = DEFAULT_STORE,
    dry_run: options.DryRunOption = False,
    anew: options.AnewOption = False,
    jobs: options.JobsOption = options.AUTO_JOBS,
    ray: options.RayOption = None,
    no_remeasure: options.NoRemeasureOption = False,
    duration: options.ForOption = None,
    end: options.UntilOption = None,
) -> None:
    """Run the whole exercise: both sweeps, both plots, the report; goes on where it was stopped."""
    check_request(request)
    limit = options.make_limit(duration, end)
    if dry_run:
        options.check_unused(context, "--dry-run", "duration", "end")
    grids = _lay_out(request, seeds, ray)
    if dry_run:
        show_left(request, grids, address, jobs, ray, anew=anew, measure_alone=not no_remeasure)
        return

    for _, file in OUTPUTS:
        options.parse_output(file, ())  # checked here, not after hours of training
    words = _write_options(request, seeds, jobs, ray)
    words += [*["--anew"] * anew, *["--no-remeasure"] * no_remeasure]
    limits = ["--for", name_duration(duration)] if duration else []
    limits += ["--until", f"{end:%H:%M}"] if end else []
    common = ["--epochs", str(request.epochs), "--dataset", request.dataset, "--store", address, *words]
    for axes, device in grids:
        command = ["sweep", axes[0].name, "--device", device, *map(name_value, axes[0].values), *common]
        code = _run([*command, *_hand_on(limit, end)])
        asked = replace(request, device=device)
        if code == 1 and limit is not None and _is_out_of_time(limit, asked, axes, address, ray):
            raise RunFailedError(
                "The time is over before the exercise is finished.",
                "What was finished is kept; go on with {}.",
                shlex.join(["lenetcli", "reproduce", *_write_changes(request), *words, *limits]),
            )
        if code:
            raise typer.Exit(code)
        _check_sweep(command, asked, axes, address, anew=anew)
    for written, file in OUTPUTS:
        command, before = [*written.split(), "-o", file, "--store", address], _identify(file)
        if code := _run(command):
            raise typer.Exit(code)
        if _identify(file) == before:
            raise _left_undone(command, f"has not written {Path(file).absolute()}")


def _lay_out(request: Request, seeds: int | None, ray: str | None) -> "list[Grid]":
    """The sweeps in the order in which they are trained."""
    from lenetcli.experiment.sweep import Axis
    from lenetcli.training.sites import open_site
    from lenetcli.training.workers.cluster import LOCAL

    repeated = make_seeds(seeds, request.seed)
    with open_site(None if ray == LOCAL else ray) as (site, _):  # which would take seconds to start
        has_gpu = site.choose_device("auto").kind is DeviceKind.GPU
    # Those over filters come first: their result is a runtime, and they measure again, alone, what was
    # measured beside other runs. That over learning rates has a run in common with the one on its device, and
    # takes it as it is. In the other order its times would be taken beside other rates, and then once more.
    filters = [
        ((Axis("filters", sizes), *repeated), kind.value)
        for kind, sizes in FILTERS.items()
        if kind is DeviceKind.CPU or has_gpu
    ]
    return [*filters, ((Axis("lr", LEARNING_RATES), *repeated), "auto")]


def _write_options(request: Request, seeds: int | None, jobs: int | None, ray: str | None) -> list[str]:
    """The options with values that ``sweep`` has as well, as far as they were given."""
    given = (
        ("--seeds", seeds),
        ("--data", request.data),
        ("--threads", request.threads),
        ("--jobs", jobs),
        ("--ray", ray),
        ("--seed", request.seed or None),
    )
    return [word for option, value in given if value is not None for word in (option, str(value))]


def _write_changes(request: Request) -> list[str]:
    """The options in which a request differs from the default one, but for those of ``_write_options``."""
    words = ["--epochs", str(request.epochs)] if request.epochs != Request().epochs else []
    return words + (["--dataset", request.dataset] if request.dataset != Request().dataset else [])


def _hand_on(limit: "TimeLimit | None", end: datetime | None) -> list[str]:
    """The options that hand what is left of a time limit on to a sweep, which decides whether that is enough.

    The end is given in full, since a time of day means the next one. When it has come, or nearly so, a second
    stands for it: a sweep that has nothing to train needs none.
    """
    if limit is None:
        return []
    left = limit.seconds_left()
    if end is not None and left > 60:
        return ["--until", end.isoformat(timespec="minutes")]
    return ["--for", name_duration(left)]


def _is_out_of_time(
    limit: "TimeLimit", request: Request, axes: "Sequence[Axis]", address: str, ray: str | None
) -> bool:
    """Whether a sweep probably ended early for want of time: about an epoch of what is left would not fit."""
    from lenetcli.analysis.estimates import Estimates
    from lenetcli.machine.system import host_name
    from lenetcli.store.store import Store
    from lenetcli.training.plan import find_disturbed

    store = Store.open(address, missing_ok=True)
    sweep, left = store.find_request(request, axes), limit.seconds_left()
    if sweep is None or left <= 0:
        return left <= 0
    if any(run.state is RunState.FAILED for run in sweep.runs):
        return False
    host = None if ray else host_name()
    configs = [cell.config for cell in sweep.cells if not cell.is_done] or find_disturbed(sweep, host)
    estimates = Estimates(store.runs())
    expected = [estimates.seconds(config, 1) or 0.0 for config in configs]
    expected += [
        t.train_seconds + t.eval_seconds for run in sweep.runs for a in run.attempts for t in a.timings
    ]
    return bool(configs) and left <= MOST_EPOCHS * max(expected)


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


def _run(arguments: list[str]) -> int:
    """Run one command in a process of its own, to which signals are forwarded; returns its exit code.

    TensorFlow can be configured for one device only once in a process.
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
    return code if code >= 0 else 128 - code


def _in_foreground() -> bool:
    """Whether this process is in the foreground of a terminal, which sends Ctrl-C to the child, too."""
    if os.name == "nt":
        return True
    try:
        with Path("/dev/tty").open() as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
