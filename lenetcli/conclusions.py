"""What the learning curves of a sweep say, in sentences that are made only where the data support them."""

from collections.abc import Sequence
from dataclasses import replace

from lenetcli.leads import judge_best
from lenetcli.rankings import Entry, Judged, Ranking, Statement, finished_runs, is_whole, rank
from lenetcli.runs import RunState, Sweep
from lenetcli.trends import (
    judge_chance,
    judge_convergence,
    judge_order,
    judge_speed,
    judge_steadiness,
    judge_test,
)
from lenetcli.wording import join_words, name_parameter, name_value, name_values, write_command


def judge_curves(sweep: Sweep, judged: Judged) -> list[Statement]:
    """Everything that the curves of a sweep support, the most important first."""
    noun = name_parameter(sweep.parameter)
    statements = _missing(sweep) + _diverged(sweep, noun)
    like = {"seed": 0, "shards": 1, sweep.parameter: sweep.cells[0].value}
    if len({replace(cell.config, **like) for cell in sweep.cells}) > 1:
        return [
            Statement(
                "unlike", f"The values of the {noun} are not ranked: their runs differ in more than it."
            ),
            *statements,
        ]
    entries = rank(sweep)
    if not entries:
        return [*_nothing_shared(sweep), *statements]
    images = _count_images(entries, judged)
    ranking = Ranking(noun, sweep.epochs, entries, images, sweep.values, sweep.seeds)
    stuck = judge_chance(ranking)
    if stuck and entries[0].ids[0] in stuck[0].runs:
        return [*stuck, *statements]  # no winner among those who guess
    return [
        *judge_best(ranking, judged),
        *judge_order(ranking),
        *judge_speed(ranking),
        *judge_convergence(ranking),
        *judge_steadiness(ranking),
        *stuck,
        *judge_test(ranking),
        *statements,
    ]


def _nothing_shared(sweep: Sweep) -> list[Statement]:
    if len(finished_runs(sweep)) < 2:
        return []
    return [Statement("no common seed", "Nothing is ranked: no seed has been finished with every value.")]


def _count_images(entries: Sequence[Entry], judged: Judged) -> int | None:
    run = entries[0].runs[0]
    known = judged.validation_labels(run.config.data) or judged.predictions(run.key, run.epochs)
    return len(known) if known else None


def _missing(sweep: Sweep) -> list[Statement]:
    lacking = [
        cell
        for cell in sweep.cells
        if not (cell.run and (is_whole(cell.run, sweep.epochs) or cell.run.state is RunState.DIVERGED))
    ]
    if not lacking:
        return []
    several = len(sweep.seeds) > 1 and sweep.parameter != "seed"
    words = []
    for value in dict.fromkeys(cell.value for cell in lacking):
        seeds = [cell.seed for cell in lacking if cell.value == value]
        told = f" ({'seed' if len(seeds) == 1 else 'seeds'} {name_values(seeds)})" if several else ""
        words.append(name_value(value) + told)
    return [
        Statement(
            "missing",
            f"Not finished yet and not compared: {name_parameter(sweep.parameter)} {join_words(words)}. "
            f"This trains what is missing: `{write_command(sweep)}`",
            tuple(cell.run.id for cell in lacking if cell.run),
        )
    ]


def _diverged(sweep: Sweep, noun: str) -> list[Statement]:
    statements = []
    for value in sweep.values:
        cells = [cell for cell in sweep.cells if cell.value == value]
        runs = [c.run for c in cells if c.run is not None and c.run.state is RunState.DIVERGED]
        if runs:
            part = f" with {len(runs)} of {len(cells)} seeds" if len(cells) > 1 else ""
            epochs = sorted({run.epochs + 1 for run in runs})
            where = f"epoch{'s' if len(epochs) > 1 else ''} {name_values(epochs)}"
            text = f"The {noun} {name_value(value)} diverged{part}: no finite loss in {where}."
            ids = tuple(run.id for run in runs)
            statements.append(
                Statement("diverged", f"{text} It is not ranked.", ids, {"epoch": float(epochs[0])})
            )
    return statements
