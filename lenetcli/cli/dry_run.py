"""``--dry-run``: the runs of a plan, what is left of each, and about how long that takes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lenetcli.cli.downloads import find_stoppably
from lenetcli.words import plural, write_duration

if TYPE_CHECKING:
    from lenetcli.analysis.estimates import Estimates
    from lenetcli.cli.screen.sweep_tables import PlannedRun
    from lenetcli.experiment.config import Config, Request
    from lenetcli.experiment.sweep import Axis, Cell
    from lenetcli.training.jobs import Jobs
    from lenetcli.training.plan import Plan
    from lenetcli.training.plan_notes import Finder


def show_left(
    request: "Request",
    grids: "Sequence[tuple[tuple[Axis, ...], str]]",
    address: str,
    jobs: int | None,
    ray: str | None = None,
    *,
    remeasure: bool = False,
    anew: bool = False,
    measure_alone: bool = True,
) -> None:
    """Plan sweeps, each of axes on a device, and print their runs; nothing is written.

    ``jobs`` is the number of jobs requested, None for ``auto``, ``ray`` the address of a cluster, if any; see
    ``make_plan`` for the rest.
    """
    from lenetcli.analysis.estimates import Estimates
    from lenetcli.cli.screen import console, sweep_tables
    from lenetcli.experiment.sweep import name_axes
    from lenetcli.store.store import Store
    from lenetcli.training.plan import make_plan
    from lenetcli.training.sites import open_site

    store = Store.open(address, missing_ok=True)

    def plan(grid: "tuple[tuple[Axis, ...], str]", find: "Finder") -> "Plan":
        axes, device = grid
        return make_plan(
            replace(request, device=device),
            axes,
            store,
            find,
            remeasure=remeasure,
            anew=anew,
            measure_alone=measure_alone,
            site=site,
        )

    with open_site(ray) as (site, _):
        plans = find_stoppably(lambda find: [plan(grid, find) for grid in grids])
        parts = list(_split(plans, jobs))
    estimates = Estimates(store.runs())
    console.print_notes(dict.fromkeys(note for plan in plans for note in plan.notes))
    names = dict.fromkeys(name for plan in plans for name in name_axes(plan.sweep))
    sweep_tables.print_plan([row for part in parts for row in part.lay_out(estimates)], tuple(names))
    _print_total(parts, estimates)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What becomes of the runs of a sweep that are in no sweep before it.

    ``left`` are the epochs that each of them is to be trained; ``images`` is the number of images of the
    data, 0 if it was not looked for. ``jobs`` are those of the sweep, None if nothing is left. ``again`` are
    the runs that may be measured again, alone, as the only job of ``alone``.
    """

    cells: "tuple[Cell, ...]"
    left: Sequence[int]
    images: int
    jobs: "Jobs | None" = None
    again: "tuple[tuple[Config, int], ...]" = ()
    alone: "Jobs | None" = None

    @property
    def missing(self) -> "list[tuple[Config, int]]":
        """The runs that are to be trained, each with its epochs."""
        return [(cell.config, left) for cell, left in zip(self.cells, self.left, strict=True) if left]

    def lay_out(self, estimates: "Estimates") -> "Iterator[PlannedRun]":
        """Yield the rows of the table of the plan."""
        from lenetcli.cli.screen.sweep_tables import PlannedRun
        from lenetcli.training.memory import estimate_bytes

        for cell, left in zip(self.cells, self.left, strict=True):
            seconds = estimates.seconds(cell.config, left, self.jobs.threads) if left and self.jobs else 0.0
            memory = estimate_bytes(cell.config, self.images) if self.images else None
            yield PlannedRun(cell.config, left, memory, seconds)


def _split(plans: "Sequence[Plan]", requested: int | None) -> Iterator[_Part]:
    """Yield what becomes of the runs of each of several sweeps, one after the other."""
    from lenetcli.training.memory import count_images

    seen = set[str]()
    for plan in plans:
        epochs = plan.sweep.epochs
        cells = tuple(cell for cell in plan.sweep.cells if cell.config.key not in seen)
        seen |= {cell.config.key for cell in cells}
        done = 0 if plan.remeasure else epochs
        left = [
            epochs - min(done, epochs if cell.is_done else cell.run.epochs if cell.run else 0)
            for cell in cells
        ]
        part = _Part(cells=cells, left=left, images=count_images(plan.source) if plan.source else 0)
        again = [(config, epochs) for config in plan.find_disturbed()]
        if configs := [config for config, _ in part.missing]:
            jobs = plan.choose_jobs(requested, configs)
            is_beside = plan.measures_alone and jobs.count > 1
            again += [one for one in part.missing if is_beside and one[1] == epochs]
            part = replace(part, jobs=jobs)
        if again:
            alone = plan.choose_jobs(1, [config for config, _ in again])
            part = replace(part, again=tuple(again), alone=alone)
        yield part


def _print_total(parts: Sequence[_Part], estimates: "Estimates") -> None:
    """Print how many runs are left to train and to measure again, and about how long that takes."""
    from lenetcli.cli.screen import console

    console.print_message(
        _write_missing([(part.missing, part.jobs) for part in parts if part.jobs], estimates)
    )
    again = [(part.again, part.alone.threads) for part in parts if part.alone]
    if again:
        seconds = sum(estimates.total(runs, 1, threads) or 0 for runs, threads in again)
        text = f"{plural(sum(len(runs) for runs, _ in again), 'run')} may then be measured again, alone"
        console.print_message(f"{text}: about {write_duration(seconds)} more.")


def _write_missing(
    missing: "Sequence[tuple[Sequence[tuple[Config, int]], Jobs]]", estimates: "Estimates"
) -> str:
    if not missing:
        return "Nothing is left to train."
    most = max(jobs.at_once for _, jobs in missing)
    count = plural(sum(len(runs) for runs, _ in missing), "run")
    count += f", {most} at a time" if most > 1 else ""
    totals = [estimates.total(runs, jobs.at_once, jobs.threads) for runs, jobs in missing]
    known = [seconds for seconds in totals if seconds is not None]
    if len(known) < len(totals):
        they, them = ("it takes", "it") if count == "1 run" else ("they take", "them")
        return f"{count}; how long {they} can be told once one like {them} has been trained."
    return f"{count}, about {write_duration(sum(known))} of training."
