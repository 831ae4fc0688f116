"""How the curves run: their order, their speed, where they still rise, oscillate or learn nothing."""

import math
import statistics
from collections.abc import Sequence
from itertools import groupby, pairwise

from lenetcli.estimates import fit_line, sampling_error
from lenetcli.rankings import Entry, Ranking, Statement
from lenetcli.runs import CLASSES, Run
from lenetcli.wording import join_words, name_values, plural, write_accuracy

LEAST_EPOCHS = 4
"""With fewer epochs nothing is said about convergence."""
LEAST_GAIN = 0.0005
"""A slope below this (five images in ten thousand an epoch) is not called a rise."""
MOST_EPOCHS = 1000
"""Extrapolations beyond this are not written as a number."""


def judge_order(ranking: Ranking) -> list[Statement]:
    """Whether the final accuracy rises or falls with the value, each step beyond the sampling error."""
    entries = [entry for entry in ranking.entries if isinstance(entry.value, int | float)]
    if len(entries) < 3 or len(entries) < len(ranking.entries) or ranking.images is None:
        return []
    if not all(_beats(better.finals, worse.finals, ranking.images) for better, worse in pairwise(entries)):
        return []
    values = [entry.value for entry in entries]
    first, last = entries[0], entries[-1]
    if values == sorted(values, reverse=True):
        course, edge, name = "higher", max(ranking.values), "largest"
    elif values == sorted(values):
        course, edge, name = "lower", min(ranking.values), "smallest"
    else:
        return []
    low, high = sorted((first, last), key=lambda entry: entry.value)
    if any(low.value < value < high.value for value in set(ranking.values) - set(values)):
        return []  # one in between has diverged or is not finished
    text = (
        f"From {low.name} to {high.name}, the {course} the {ranking.noun}, the higher the accuracy after "
        f"{plural(ranking.epochs, 'epoch')}: from {write_accuracy(last.final)} at {last.name} to "
        f"{write_accuracy(first.final)} at {first.name}."
    )
    if first.value == edge:
        text += f" The {name} value leads, so that the best one may lie beyond the range."
    runs = tuple(id for entry in entries for id in entry.ids)
    return [Statement("order", text, runs, {"first": first.final, "last": last.final})]


def judge_speed(ranking: Ranking) -> list[Statement]:
    """Which values never reach what the leader has after its first epoch, beyond the sampling error."""
    if ranking.images is None or ranking.epochs < 2:
        return []
    first, *others = ranking.entries
    start = first.mean[0]
    starts = [run.curve[0].val_accuracy for run in first.runs]
    slow = [entry for entry in others if _beats(starts, entry.bests, ranking.images)]
    if not slow:
        return []
    text = (
        f"The first epoch at {first.name} ({write_accuracy(start)}) already does more than "
        f"{plural(ranking.epochs, 'epoch')} at "
        f"{join_words([f'{entry.name} (at most {write_accuracy(max(entry.bests))})' for entry in slow])}."
    )
    runs = tuple(id for entry in (first, *slow) for id in entry.ids)
    return [Statement("speed", text, runs, {"start": start, **{e.name: max(e.bests) for e in slow}})]


def _beats(better: Sequence[float], worse: Sequence[float], images: int) -> bool:
    """Whether the worst seed of the one is ahead of the best of the other by twice the sampling error."""
    low, high = min(better), max(worse)
    return low - high > 2 * math.hypot(sampling_error(low, images), sampling_error(high, images))


def judge_convergence(ranking: Ranking) -> list[Statement]:
    """Which curves still rise over their last epochs, and how far their trend is from the leader."""
    if ranking.epochs < LEAST_EPOCHS:
        few = plural(ranking.epochs, "epoch")
        text = f"With {few} nothing can be said about which {ranking.nouns} have converged."
        return [Statement("convergence unknown", text)]
    window = max(LEAST_EPOCHS, math.ceil(ranking.epochs / 2))
    leader, *others = ranking.entries
    slopes = {entry.name: _rise(entry, window) for entry in ranking.entries}
    behind = [entry for entry in others if slopes[entry.name] and entry.final < leader.final]
    late = {entry.name for entry in behind}
    statements = []
    if behind:
        statements.append(_need_more(behind, leader, slopes, window))
    for entry in ranking.entries:
        if slopes[entry.name] and entry.name not in late:
            text = (
                f"{entry.name} itself has not converged: over the last {window} epochs its accuracy "
                f"still rises by {write_accuracy(slopes[entry.name])} an epoch."
            )
            statements.append(Statement("still rising", text, entry.ids, {"slope": slopes[entry.name]}))
    bent = [e for e in ranking.entries if not slopes[e.name] and _still_gains(e, window, ranking.images)]
    if bent:
        gains = {e.name: e.mean[-1] - e.mean[-window] for e in bent}
        told = join_words([f"{write_accuracy(gain)} ({name})" for name, gain in gains.items()])
        text = (
            f"Not converged: over the last {window} epochs the accuracy still gains {told}, along a curve "
            f"too bent to say how many more epochs {'it needs' if len(bent) == 1 else 'they need'}."
        )
        numbers = {f"gain {name}": gain for name, gain in gains.items()}
        statements.append(Statement("bent", text, tuple(id for e in bent for id in e.ids), numbers))
    level = [entry for entry in ranking.entries if not slopes[entry.name] and entry not in bent]
    if level:
        text = (
            f"Over the last {window} epochs {name_values(entry.value for entry in level)} "
            f"{'shows' if len(level) == 1 else 'show'} no rise that is clear of the scatter and of at least "
            f"{LEAST_GAIN:g} an epoch."
        )
        statements.append(Statement("level", text, tuple(id for entry in level for id in entry.ids)))
    return statements


def _rise(entry: Entry, window: int) -> float:
    """The slope of the last epochs where it is clear of their scatter and not tiny, else 0."""
    line = fit_line(range(window), entry.mean[-window:])
    return line.slope if line.slope > (line.margin or 0) and line.slope >= LEAST_GAIN else 0.0


def _still_gains(entry: Entry, window: int, images: int | None) -> bool:
    """Whether the last epochs gain more than chance gives, with no step down that is more than chance."""
    curve = entry.mean[-window:]
    noise = 2 * math.sqrt(2) * sampling_error(curve[-1], images) if images else 0.0
    gain = curve[-1] - curve[0]
    falls = any(before - after > noise for before, after in pairwise(curve))
    return gain > max(noise, LEAST_GAIN * (window - 1)) and not falls


def _need_more(behind: list[Entry], leader: Entry, slopes: dict[str, float], window: int) -> Statement:
    more = {entry.name: math.ceil((leader.final - entry.final) / slopes[entry.name]) for entry in behind}
    rises = join_words([f"{write_accuracy(slopes[entry.name])} ({entry.name})" for entry in behind])
    counts = join_words([f"{n:,}" if n <= MOST_EPOCHS else f"over {MOST_EPOCHS:,}" for n in more.values()])
    last = list(more.values())[-1]
    text = (
        f"Not converged: over the last {window} epochs the accuracy still rises by {rises} an epoch; if that "
        f"held, {'it' if len(more) == 1 else 'they'} would need {counts} more "
        f"{'epoch' if last == 1 else 'epochs'} to reach the {write_accuracy(leader.final)} of {leader.name}."
    )
    numbers = {f"slope {entry.name}": slopes[entry.name] for entry in behind}
    numbers |= {f"more epochs {name}": float(count) for name, count in more.items()}
    return Statement("not converged", text, tuple(id for entry in behind for id in entry.ids), numbers)


def judge_steadiness(ranking: Ranking) -> list[Statement]:
    """Which runs fall back from one epoch to the next, beyond three times the sampling error."""
    if ranking.images is None:
        return []
    statements = []
    for entry in ranking.entries:
        jumps = [_jumps(run, ranking.images) for run in entry.runs]
        dips = [(-change, epoch) for run in jumps for change, epoch in run if change < 0]
        if not dips:
            continue
        depth, epoch = max(dips)
        steps = sum(len(run.curve) - 1 for run in entry.runs)
        if any(_swings(run) for run in jumps):
            topic, told = "oscillates", "oscillates"
        else:
            topic, told = "dips", "dips once" if len(dips) == 1 else "falls back"
        text = (
            f"{entry.name} {told}: its accuracy falls beyond the sampling error in {len(dips)} of "
            f"{plural(steps, 'step')}, most by {write_accuracy(depth)} in epoch {epoch}."
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


def judge_chance(ranking: Ranking) -> list[Statement]:
    """Which values never leave the level of guessing."""
    stuck = [entry for entry in ranking.entries if max(entry.mean) < 1.5 / CLASSES]
    if not stuck:
        return []
    text = (
        f"{name_values(entry.value for entry in stuck)}: the accuracy never rises clearly above what "
        f"guessing among {CLASSES} classes reaches, {1 / CLASSES:g}: next to nothing has been learned."
    )
    return [Statement("chance", text, tuple(id for entry in stuck for id in entry.ids))]


def judge_test(ranking: Ranking) -> list[Statement]:
    """The test accuracy of the leader, where every one of its runs has it."""
    leader = ranking.entries[0]
    tests = [run.test_accuracy for run in leader.runs]
    known = [test for test in tests if test is not None]
    if len(known) < len(tests):
        return []
    mean = statistics.fmean(known)
    seeds = f" (mean over {ranking.seeds} seeds)" if ranking.seeds > 1 else ""
    told = f"{leader.name} reaches {write_accuracy(mean)}{seeds}"
    text = f"On the test set, which played no part in this choice, {told}."
    return [Statement("test", text, leader.ids, {"test_accuracy": mean})]
