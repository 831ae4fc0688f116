"""How the curves run: their order, their speed, where they still rise, oscillate or learn nothing."""

import math
import statistics
from collections.abc import Sequence
from itertools import groupby, pairwise

from lenetcli.analysis.inference import fit_line, sampling_error
from lenetcli.analysis.ranking import Entry, Ranking
from lenetcli.analysis.statements import Statement
from lenetcli.experiment.architecture import CLASSES
from lenetcli.experiment.run import Run
from lenetcli.words import join_words, name_values, plural, write_accuracy

LEAST_EPOCHS = 4
"""With fewer epochs nothing is said about convergence."""
LEAST_GAIN = 0.0005
"""A slope below this (five images in ten thousand an epoch) is not called a rise."""
MOST_EPOCHS = 1000
"""Extrapolations beyond this are not written as a number."""


def conclude_order(ranking: Ranking) -> list[Statement]:
    """Whether the final accuracy rises or falls with the rate, over all rates and each step beyond chance."""
    entries = ranking.entries
    if not 3 <= len(entries) == len(ranking.rates):
        return []
    if not all(_beats(better.finals, worse.finals, ranking.images) for better, worse in pairwise(entries)):
        return []
    rates = [entry.rate for entry in entries]
    if rates == sorted(rates, reverse=True):
        course, edge = "higher", "highest"
    elif rates == sorted(rates):
        course, edge = "lower", "lowest"
    else:
        return []
    first, last = entries[0], entries[-1]
    text = (
        f"The {course} the learning rate, the higher the accuracy after {plural(ranking.epochs, 'epoch')}: "
        f"from {write_accuracy(last.final)} at {last.name} to {write_accuracy(first.final)} at {first.name}. "
        f"Since the {edge} rate leads, the best one may lie beyond the range."
    )
    runs = tuple(id for entry in entries for id in entry.ids)
    return [Statement("order", text, runs, {"first": first.final, "last": last.final})]


def conclude_speed(ranking: Ranking) -> list[Statement]:
    """Which rates never reach what the leader has after its first epoch, beyond the sampling error."""
    first, *others = ranking.entries
    slow = [entry for entry in others if _beats(first.starts, entry.bests, ranking.images)]
    if not slow or ranking.epochs < 2:
        return []
    limits = join_words([f"{entry.name} (at most {write_accuracy(max(entry.bests))})" for entry in slow])
    text = (
        f"The first epoch at {first.name} ({write_accuracy(first.mean[0])}) already reaches more than "
        f"{ranking.epochs} epochs at {limits}."
    )
    runs = tuple(id for entry in (first, *slow) for id in entry.ids)
    numbers = {"start": first.mean[0], **{entry.name: max(entry.bests) for entry in slow}}
    return [Statement("speed", text, runs, numbers)]


def _beats(better: Sequence[float], worse: Sequence[float], images: int) -> bool:
    """Whether the worst seed of the one is ahead of the best of the other by twice the sampling error."""
    low, high = min(better), max(worse)
    return low - high > 2 * math.hypot(sampling_error(low, images), sampling_error(high, images))


def conclude_convergence(ranking: Ranking) -> list[Statement]:
    """Which curves still rise over their last epochs, and how far their trend is from the leader."""
    if ranking.epochs < LEAST_EPOCHS:
        few = plural(ranking.epochs, "epoch")
        return [Statement("convergence unknown", f"{few} cannot show which learning rates have converged.")]
    window = max(LEAST_EPOCHS, math.ceil(ranking.epochs / 2))
    lines = {entry.name: fit_line(range(window), entry.mean[-window:]) for entry in ranking.entries}
    steady = {n for n, line in lines.items() if line.slope >= LEAST_GAIN and line.slope > (line.margin or 0)}
    rising = [e for e in ranking.entries if e.name in steady or _still_gains(e, window, ranking.images)]
    level = [entry for entry in ranking.entries if entry not in rising]
    statements = []
    if rising:
        slopes = {entry.name: lines[entry.name].slope for entry in rising}
        told = join_words([f"{write_accuracy(slope)} ({name})" for name, slope in slopes.items()])
        text = f"Not converged: over the last {window} epochs the accuracy still rises by {told} an epoch"
        leader = ranking.entries[0]
        more = {
            entry.name: math.ceil((leader.final - entry.final) / slopes[entry.name])
            for entry in rising
            if entry.name in steady and entry.final < leader.final
        }
        if more:
            counts = [f"{n:,}" if n <= MOST_EPOCHS else f"over {MOST_EPOCHS:,}" for n in more.values()]
            text += (
                f"; if that held, {join_words(list(more))} would need {join_words(counts)} more epochs to "
                f"reach the {write_accuracy(leader.final)} of {leader.name}"
            )
        numbers = {f"slope {name}": slope for name, slope in slopes.items()}
        numbers |= {f"more epochs {name}": float(count) for name, count in more.items()}
        statements.append(Statement("not converged", f"{text}.", _ids(rising), numbers))
    if level:
        names, verb = name_values(entry.rate for entry in level), "shows" if len(level) == 1 else "show"
        text = (
            f"Over the last {window} epochs {names} {verb} no rise that is clear of the scatter and of "
            f"at least {LEAST_GAIN:g} an epoch."
        )
        statements.append(Statement("level", text, _ids(level)))
    return statements


def _still_gains(entry: Entry, window: int, images: int) -> bool:
    """Whether the last epochs gain more than chance gives, with no step down that is more than chance."""
    curve = entry.mean[-window:]
    noise = 2 * math.sqrt(2) * sampling_error(curve[-1], images)
    falls = any(before - after > noise for before, after in pairwise(curve))
    return curve[-1] - curve[0] > max(noise, LEAST_GAIN * (window - 1)) and not falls


def conclude_steadiness(ranking: Ranking) -> list[Statement]:
    """Which runs fall back from one epoch to the next, beyond three times the sampling error."""
    statements = []
    for entry in ranking.entries:
        jumps = [_jumps(run, ranking.images) for run in entry.runs]
        dips = [(-change, epoch) for run in jumps for change, epoch in run if change < 0]
        if not dips:
            continue
        depth, epoch = max(dips)
        steps = len(entry.runs) * (ranking.epochs - 1)
        topic = "oscillates" if any(map(_swings, jumps)) else "falls back"
        often = "once," if len(dips) == 1 else f"in {len(dips)} of {plural(steps, 'step')}, most"
        text = (
            f"{entry.name} {topic}: its accuracy falls beyond the sampling error {often} by "
            f"{write_accuracy(depth)} in epoch {epoch}."
        )
        numbers = {"dips": float(len(dips)), "depth": depth, "epoch": float(epoch)}
        statements.append(Statement(topic, text, entry.ids, numbers))
    return statements


def _jumps(run: Run, images: int) -> list[tuple[float, int]]:
    """The changes from epoch to epoch that are beyond three times the sampling error, each with its epoch."""
    changes = []
    for before, after in pairwise(run.curve):
        change = after.val_accuracy - before.val_accuracy
        if abs(change) > max(3 * sampling_error(before.val_accuracy, images), 0.002):
            changes.append((change, after.epoch))
    return changes


def _swings(jumps: Sequence[tuple[float, int]]) -> bool:
    """Whether a run falls, recovers and falls again."""
    directions = [falls for falls, _ in groupby(jumps, lambda jump: jump[0] < 0)]
    return directions.count(True) > 1


def conclude_chance(ranking: Ranking) -> list[Statement]:
    """Which rates never leave the level of guessing."""
    stuck = [entry for entry in ranking.entries if max(entry.mean) < 1.5 / CLASSES]
    if not stuck:
        return []
    text = (
        f"{name_values(entry.rate for entry in stuck)}: the accuracy never rises clearly above what "
        f"guessing among {CLASSES} classes reaches, {1 / CLASSES:g}: next to nothing has been learned."
    )
    return [Statement("chance", text, _ids(stuck))]


def conclude_test(ranking: Ranking) -> list[Statement]:
    """The test accuracy of the leader, where every one of its runs has it."""
    leader = ranking.entries[0]
    known = [run.test_accuracy for run in leader.runs if run.test_accuracy is not None]
    if len(known) < len(leader.runs):
        return []
    mean = statistics.fmean(known)
    seeds = f" (mean over {ranking.seeds} seeds)" if ranking.seeds > 1 else ""
    text = f"On the test set, which played no part in this choice, {leader.name} reaches "
    return [Statement("test", f"{text}{write_accuracy(mean)}{seeds}.", leader.ids, {"test_accuracy": mean})]


def _ids(entries: Sequence[Entry]) -> tuple[str, ...]:
    return tuple(id for entry in entries for id in entry.ids)
