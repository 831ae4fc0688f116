"""How the curves run: their order, their speed, where they still rise, oscillate or learn nothing."""

import math
import statistics

from lenetcli.estimates import fit_line, sampling_error
from lenetcli.rankings import Entry, Ranking, Statement
from lenetcli.runs import CLASSES
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
    steps = zip(entries, entries[1:], strict=False)
    if not all(_beats(better.final, worse.final, ranking.images) for better, worse in steps):
        return []
    values = [entry.value for entry in entries]
    first, last = entries[0], entries[-1]
    if values == sorted(values, reverse=True):
        course, edge = "higher", "largest"
    elif values == sorted(values):
        course, edge = "lower", "smallest"
    else:
        return []
    text = (
        f"In this range, the {course} the {ranking.noun}, the higher the accuracy after {ranking.epochs} epochs: "
        f"from {write_accuracy(last.final)} at {last.name} to {write_accuracy(first.final)} at {first.name}. "
        f"The {edge} value leads, so that the best one may lie beyond the range."
    )
    runs = tuple(id for entry in entries for id in entry.ids)
    return [Statement("order", text, runs, {"first": first.final, "last": last.final})]


def judge_speed(ranking: Ranking) -> list[Statement]:
    """Which values end below what the leader has after its first epoch, beyond the sampling error."""
    if ranking.images is None or ranking.epochs < 2:
        return []
    first, *others = ranking.entries
    start = first.mean[0]
    slow = [entry for entry in others if _beats(start, entry.final, ranking.images)]
    if not slow:
        return []
    text = (
        f"The first epoch at {first.name} ({write_accuracy(start)}) already does more than "
        f"{plural(ranking.epochs, 'epoch')} at {join_words([f'{e.name} ({write_accuracy(e.final)})' for e in slow])}."
    )
    runs = tuple(id for entry in (first, *slow) for id in entry.ids)
    return [Statement("speed", text, runs, {"start": start, **{e.name: e.final for e in slow}})]


def _beats(better: float, worse: float, images: int) -> bool:
    """Whether the difference is beyond twice the sampling error of two accuracies."""
    error = math.hypot(sampling_error(better, images), sampling_error(worse, images))
    return better - worse > 2 * error


def judge_convergence(ranking: Ranking) -> list[Statement]:
    """Which curves still rise over their last epochs, and how far their trend is from the leader."""
    if ranking.epochs < LEAST_EPOCHS:
        text = f"{plural(ranking.epochs, 'epoch')} are too few to tell which {ranking.nouns} have converged."
        return [Statement("convergence unknown", text.replace("1 epoch are", "1 epoch is"))]
    window = max(LEAST_EPOCHS, math.ceil(ranking.epochs / 2))
    leader = ranking.entries[0]
    rising, level = [], []
    for entry in ranking.entries:
        line = fit_line(range(window), entry.mean[-window:])
        if line.slope - (line.margin or 0) > 0 and line.slope >= LEAST_GAIN:
            rising.append(_rise(entry, leader, line.slope, window))
        else:
            level.append(entry)
    if level:
        verb = "shows" if len(level) == 1 else "show"
        text = (
            f"Over the last {window} epochs {name_values(entry.value for entry in level)} {verb} no rise that is "
            f"clear of the scatter and of at least {LEAST_GAIN:g} an epoch."
        )
        rising.append(Statement("level", text, tuple(id for entry in level for id in entry.ids)))
    return rising


def _rise(entry: Entry, leader: Entry, slope: float, window: int) -> Statement:
    text = (
        f"{entry.name} has not converged: over the last {window} epochs its accuracy still rises by "
        f"{write_accuracy(slope)} an epoch"
    )
    numbers = {"slope": slope}
    if entry is not leader and leader.final > entry.final:
        more = math.ceil((leader.final - entry.final) / slope)
        numbers["more_epochs"] = float(more)
        count = (
            plural(more, "more epoch") if more <= MOST_EPOCHS else f"more than {MOST_EPOCHS:,} more epochs"
        )
        text += f"; if that held, it would need {count} to reach the {write_accuracy(leader.final)} of {leader.name}"
    return Statement("not converged", f"{text}.", entry.ids, numbers)


def judge_steadiness(ranking: Ranking) -> list[Statement]:
    """Which runs fall back from one epoch to the next, beyond three times the sampling error."""
    if ranking.images is None:
        return []
    statements = []
    for entry in ranking.entries:
        dips = []
        for run in entry.runs:
            for before, after in zip(run.curve, run.curve[1:], strict=False):
                noise = max(3 * sampling_error(before.val_accuracy, ranking.images), 0.002)
                if before.val_accuracy - after.val_accuracy > noise:
                    dips.append((before.val_accuracy - after.val_accuracy, after.epoch))
        if not dips:
            continue
        depth, epoch = max(dips)
        steps = sum(len(run.curve) - 1 for run in entry.runs)
        oscillates = len(dips) > 1
        text = (
            f"{entry.name} {'oscillates' if oscillates else 'dips once'}: its accuracy falls beyond the sampling "
            f"error in {len(dips)} of {plural(steps, 'step')}, most by {write_accuracy(depth)} in epoch {epoch}."
        )
        numbers = {"dips": float(len(dips)), "depth": depth, "epoch": float(epoch)}
        statements.append(Statement("oscillates" if oscillates else "dips", text, entry.ids, numbers))
    return statements


def judge_chance(ranking: Ranking) -> list[Statement]:
    """Which values never leave the level of guessing."""
    stuck = [entry for entry in ranking.entries if max(entry.mean) < 1.5 / CLASSES]
    if not stuck:
        return []
    text = (
        f"{name_values(entry.value for entry in stuck)}: the accuracy stays near {1 / CLASSES:g}, which guessing "
        "reaches: the network has learned next to nothing."
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
    text = f"On the test set, which played no part in this choice, {leader.name} reaches {write_accuracy(mean)}{seeds}."
    return [Statement("test", text, leader.ids, {"test_accuracy": mean})]
