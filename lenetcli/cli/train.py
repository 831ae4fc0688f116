"""``train`` and ``sweep``: plan the runs, train them, print the results."""

import shlex
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from lenetcli.cli import answers, options
from lenetcli.cli.axes import parse_axes
from lenetcli.cli.downloads import find_stoppably
from lenetcli.cli.dry_run import show_left
from lenetcli.cli.job_list import print_commands
from lenetcli.cli.plot import find_fault
from lenetcli.errors import LenetError, RunFailedError, StoreChangedError
from lenetcli.experiment.config import Request
from lenetcli.experiment.parameters import SWEPT
from lenetcli.files import DEFAULT_STORE
from lenetcli.training.interrupts import stopping_on_signals
from lenetcli.words import join_words, plural

if TYPE_CHECKING:
    from lenetcli.experiment.config import Config
    from lenetcli.experiment.sweep import Axis, Sweep
    from lenetcli.store.store import Store
    from lenetcli.training.runner import Result
    from lenetcli.training.time_limit import TimeLimit

GRACE_SECONDS = 5.0
"""How long a disk may take to record what was finished after a signal."""

UNTRAINED = ("no_wait", "duration", "end", "each")
"""The options that mean nothing where nothing is trained, by the names of their parameters."""

RESUME = "What was finished is kept; type the same command again to go on."


@options.with_request(*options.TRAINING)
def train(
    context: typer.Context,
    request: Request,
    address: options.StoreOption = DEFAULT_STORE,
    no_wait: options.NoWaitOption = False,
    remeasure: options.RemeasureOption = False,
    anew: options.AnewOption = False,
    duration: options.ForOption = None,
    end: options.UntilOption = None,
    dry_run: options.DryRunOption = False,
) -> None:
    """Train one run; go on with it if it was interrupted or more epochs are asked for."""
    limit = options.make_limit(duration, end)
    if dry_run:
        options.check_unused(context, "--dry-run", *UNTRAINED)
        show_left(request, [((), request.device)], address, 1, remeasure=remeasure, anew=anew)
        return
    result = _run(request, (), address, limit, wait=not no_wait, remeasure=remeasure, anew=anew)
    _conclude(result, [f"lenetcli runs show {run.short_id}" for run in result.sweep.runs])


@options.with_request(*options.TRAINING)
def sweep(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="PARAMETER VALUE... [PARAMETER VALUE...]...",
            help=f"{join_words([row.option for row in SWEPT.values()], 'or')}, and the values to train with; "
            "A..B:N stands for N values from A to B.",
        ),
    ],
    request: Request,
    seeds: options.SeedsOption = None,
    address: options.StoreOption = DEFAULT_STORE,
    no_wait: options.NoWaitOption = False,
    remeasure: options.RemeasureOption = False,
    anew: options.AnewOption = False,
    jobs: options.JobsOption = options.AUTO_JOBS,
    ray: options.RayOption = None,
    no_remeasure: options.NoRemeasureOption = False,
    duration: options.ForOption = None,
    end: options.UntilOption = None,
    dry_run: options.DryRunOption = False,
    commands: options.CommandsOption = False,
    each: options.EachOption = False,
) -> None:
    """Train a run for each value, or each combination of values; what the store holds already is kept."""
    from lenetcli.cli.screen import console

    axes, notes = parse_axes(words, seeds, request.seed, answers.write)
    limit = options.make_limit(duration, end)
    options.choose_one(("--dry-run", dry_run), ("--commands", commands))
    for axis in axes:
        if axis.name != "seed" or seeds is None:  # --seed is the first one of --seeds
            options.check_unused(context, f"the axis {SWEPT[axis.name].option}", axis.name)
    if remeasure:
        options.check_unused(context, "--remeasure", "no_remeasure")
    if commands:
        options.check_unused(context, "--commands", *UNTRAINED, "ray", "jobs", "remeasure", "no_remeasure")
    if dry_run:
        options.check_unused(context, "--dry-run", *UNTRAINED)
    console.print_notes(notes)
    if commands:
        print_commands(request, axes, address, anew=anew)
        return
    choices = {"remeasure": remeasure, "anew": anew, "measure_alone": not no_remeasure}
    if dry_run:
        show_left(request, [(axes, request.device)], address, jobs, ray, **choices)
        return
    result = _run(
        request,
        axes,
        address,
        limit,
        wait=not no_wait,
        jobs=jobs,
        ray=ray,
        each=each,
        **choices,
    )
    _conclude(result, *_suggest_next(result.sweep))


def _suggest_next(sweep: "Sweep") -> tuple[list[str], LenetError | None]:
    """The commands that show a sweep and can be carried out, and what keeps one from that."""
    # What shows one value only is passed over unless it is named.
    option = f" --sweep {sweep.id[:12]}" if len(sweep.values) < 2 else ""
    figures = ["grid"] if len(sweep.parameters) == 2 else []
    figures.append("runtime" if sweep.parameter == "filters" else sweep.parameter.replace("_", "-"))
    faults = {figure: find_fault(sweep, figure) for figure in figures}
    commands = [f"lenetcli plot {figure}{option}" for figure, fault in faults.items() if fault is None]
    if commands and sweep.parameter in ("lr", "filters"):
        commands.append(f"lenetcli report{option}")
    return commands, next(filter(None, faults.values()), None)


def _run(
    request: Request,
    axes: "Sequence[Axis]",
    address: str,
    limit: "TimeLimit | None",
    *,
    wait: bool,
    jobs: int | None = None,
    ray: str | None = None,
    each: bool = False,
    **choices: bool,
) -> "Result":
    """Plan a run or a sweep, train its open cells and print the results.

    ``ray`` is the address of a cluster to train on, if any; ``choices`` are of ``make_plan``.
    """
    from lenetcli.cli.screen import console, sweep_tables
    from lenetcli.cli.screen.display import Display
    from lenetcli.store.store import Store
    from lenetcli.training.events import Fate
    from lenetcli.training.plan import make_plan
    from lenetcli.training.runner import Runner
    from lenetcli.training.sites import open_site

    store = Store.open(address, write=True)
    with open_site(ray) as (site, pool):
        plan = find_stoppably(
            lambda find: make_plan(request, axes, store, find, site=site, begin=pool.warm_up, **choices)
        )
        start = time.monotonic()
        display = Display(plan.sweep)
        runner = Runner(store, plan, pool, display.show, jobs=jobs, wait=wait, limit=limit)
        display.jobs = runner.jobs
        if limit is not None:
            limit.estimate = _make_estimate(store, runner.threads)
        try:
            if store.is_missing:
                console.print_message(f"This makes a new store: {store.name}")
            console.print_notes(plan.notes)
            with display, stopping_on_signals(display.restore, GRACE_SECONDS) as stop:
                result = runner.run(stop)
        except BrokenPipeError:
            raise RunFailedError("Whoever read the progress has left.", RESUME) from None
    sweep_tables.print_sweep(result.sweep, result.fates, time.monotonic() - start, each=each)
    if lost := sum(fate is Fate.LOST for fate in result.fates.values()):
        raise StoreChangedError.for_lost(store.name, f"epochs of {plural(lost, 'run')}")
    if stop.signal is not None:
        console.print_message(f"Stopped. {RESUME}")
        raise typer.Exit(128 + stop.signal)
    return result


def _make_estimate(store: "Store", threads: int | None) -> "Callable[[Config], float | None]":
    """A function that estimates the seconds of an epoch of a configuration from the runs of a store."""
    from lenetcli.analysis.estimates import Estimates

    estimates = Estimates(store.runs())
    return lambda config: estimates.seconds(config, 1, threads)


def _conclude(result: "Result", commands: Sequence[str], fault: LenetError | None = None) -> None:
    """Print the next commands or, where there are none, the fault that keeps them from being carried out.

    Raises:
        RunFailedError: if a run failed or was left to another process.
    """
    from lenetcli.cli.screen import console
    from lenetcli.training.events import Fate

    if result.failure is not None:
        failed = [cell.run for cell in result.sweep.cells if result.fates[cell.config.key] is Fate.FAILED]
        shown = [f"lenetcli runs show {run.short_id}" for run in failed if run]
        raise RunFailedError(
            f"{result.failure}.",
            "What was finished is kept; see it with {}.",
            ["lenetcli runs list", *shown][-1],
        )
    if result.is_out_of_time and not result.complete:
        raise RunFailedError(
            f"The time is over: {_write_left(result)} left.",
            f"What was finished is kept; go on with `{write_again(sys.argv[1:])}`.",
        )
    if not result.complete:
        left = sum(fate is Fate.LEFT for fate in result.fates.values())
        advice = "Type the same command again later."
        raise RunFailedError(f"{plural(left, 'run')} left to other processes.", advice)
    if commands:
        text = ", ".join(command + options.name_store() for command in commands)
        console.print_message(f"Next: {text}", "dim")
    elif fault is not None:
        console.print_message(f"{fault.problem} {options.write_advice(fault)}", "yellow")


def write_again(words: Sequence[str]) -> str:
    """The command of these words, to go on with: without an end on a date, which has passed by then."""
    again, is_end = ["lenetcli"], False
    for word in words:
        option, _, value = word.partition("=")
        if is_end and "-" in word:
            again.pop()
        elif option != "--until" or "-" not in value:
            again.append(word)
        is_end = word == "--until"
    return shlex.join(again)


def _write_left(result: "Result") -> str:
    """What a command has left over, in words with a verb: runs with their epochs, and times to take again."""
    from lenetcli.training.events import Fate

    left = [cell for cell in result.sweep.cells if result.fates[cell.config.key] is Fate.LEFT]
    open_cells = [cell for cell in left if not cell.is_done]
    epochs = sum(result.sweep.epochs - (cell.run.epochs if cell.run else 0) for cell in open_cells)
    timed = len(left) - len(open_cells)
    parts = [f"{plural(len(open_cells), 'run')} ({plural(epochs, 'epoch')})"] * bool(open_cells)
    parts += [f"the times of {plural(timed, 'run')}"] * bool(timed)
    return f"{join_words(parts)} {'are' if timed or len(open_cells) > 1 else 'is'}"
