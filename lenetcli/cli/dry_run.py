"""What ``reproduce --dry-run`` shows: the runs that are left to train, and about how long they take."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lenetcli.cli.downloads import find_stoppably
from lenetcli.experiment.config import Config, Request
from lenetcli.words import plural, write_duration

if TYPE_CHECKING:
    from lenetcli.experiment.run import Run
    from lenetcli.experiment.sweep import Axis
    from lenetcli.training.jobs import Jobs
    from lenetcli.training.plan import Plan


def show_left(
    request: Request,
    grids: "Sequence[tuple[tuple[Axis, ...], str]]",
    address: str,
    jobs: int | None,
    *,
    anew: bool,
    remeasure: bool,
) -> None:
    """Plan the sweeps and print the runs that are left to train; ``jobs`` is the number requested."""
    from lenetcli.store.store import Store
    from lenetcli.training.plan import make_plan

    store = Store.open(address, missing_ok=True)
    requests = [(replace(request, device=device), axes) for axes, device in grids]
    plans = find_stoppably(
        lambda find: [make_plan(*one, store, find, anew=anew, measure_alone=remeasure) for one in requests]
    )
    _show(plans, list(_split(plans, request, jobs)), store.runs())


@dataclass(frozen=True, slots=True)
class _Part:
    """What a sweep has to train: configurations that no sweep before it trains, with their missing epochs.

    ``again`` are those that may be measured again, alone, with the threads that a run alone has.
    """

    left: "tuple[tuple[Config, int], ...]"
    jobs: "Jobs"
    again: "tuple[tuple[Config, int], ...]"
    alone: "Jobs"


def _split(plans: "Sequence[Plan]", request: Request, requested: int | None) -> Iterator[_Part]:
    """Yield what each of several sweeps, one after the other, has to train."""
    from lenetcli.machine.devices import usable_like
    from lenetcli.training.jobs import choose_jobs
    from lenetcli.training.memory import count_images

    seen = set[str]()
    for plan in plans:
        cells = [cell for cell in plan.open_cells if cell.config.key not in seen]
        if not cells or plan.device is None or plan.source is None:
            continue
        seen |= {cell.config.key for cell in cells}
        epochs = plan.sweep.epochs
        left = tuple((cell.config, epochs - (cell.run.epochs if cell.run else 0)) for cell in cells)
        configs, images = [config for config, _ in left], count_images(plan.source)
        gpus = usable_like(plan.device, plan.sweep.request.device)
        jobs, alone = (
            choose_jobs(count, request.threads, configs, plan.device, images, gpus=gpus)
            for count in (plan.ask_jobs(requested), 1)
        )
        measured = plan.measures_alone and jobs.count > 1
        again = tuple((config, epochs) for config, missing in left if measured and missing == epochs)
        yield _Part(left, jobs, again, alone)


def _show(plans: "Sequence[Plan]", parts: Sequence[_Part], runs: "Sequence[Run]") -> None:
    """Print the runs that are left to train, each once, with their estimated training times."""
    from lenetcli.analysis.estimates import estimate_seconds, estimate_total
    from lenetcli.cli.screen import console, sweep_tables

    for note in dict.fromkeys(note for plan in plans for note in plan.notes):
        console.print_message(note, "bold yellow")
    if not parts:
        console.print_message("Nothing is left to train.")
        return
    sweep_tables.print_plan(
        [
            (config, epochs, estimate_seconds(config, epochs, runs, part.jobs.threads))
            for part in parts
            for config, epochs in part.left
        ]
    )
    most = max(part.jobs.count for part in parts)
    count = f"{sum(len(part.left) for part in parts)} runs{f', {most} at a time' if most > 1 else ''}"
    totals = [estimate_total(part.left, runs, part.jobs.count, part.jobs.threads) for part in parts]
    known = [seconds for seconds in totals if seconds is not None]
    if len(known) < len(parts):
        unknown = "how long they take can be told once one like them has been trained"
        console.print_message(f"{count}; {unknown}.")
        return
    console.print_message(f"{count}, about {write_duration(sum(known))} of training.")
    again = [(part, estimate_total(part.again, runs, 1, part.alone.threads)) for part in parts if part.again]
    if again:
        number = sum(len(part.again) for part, _ in again)
        text = f"{plural(number, 'run')} may then be measured again, alone"
        console.print_message(f"{text}: about {write_duration(sum(time or 0 for _, time in again))} more.")
