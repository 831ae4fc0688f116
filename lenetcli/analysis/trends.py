"""Statements on the course of learning curves: order, speed, convergence, oscillation and chance level."""

import math
import statistics
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from lenetcli.analysis.inference import fit_line, sampling_error
from lenetcli.analysis.ranking import Entry, Ranking
from lenetcli.analysis.statements import Statement, cite
from lenetcli.experiment.architecture import CLASSES
from lenetcli.words import join_words, name_values, plural, write_accuracy

LEAST_EPOCHS = 4
"""The smallest number of epochs for a statement on convergence."""
LEAST_GAIN = 0.0005
"""The smallest gain of accuracy per epoch that counts as a rise: five images in ten thousand."""
MOST_EPOCHS = 1000
"""The largest extrapolated number of epochs that is written as a number."""


def conclude_trends(ranking: Ranking) -> Iterator[Statement]:
    """All statements on the course of the curves of a ranking with at least one entry."""
    yield from _conclude_order(ranking)
    yield from _conclude_speed(ranking)
    yield from _conclude_convergence(ranking)
    yield from _conclude_steadiness(ranking)
    yield from conclude_chance(ranking)
    yield from _conclude_test(ranking)


def _conclude_order(ranking: Ranking) -> Iterator[Statement]:
    """The statement that the final accuracy is monotonic in the rate, each step beyond the sampling error."""
    entries = ranking.entries
    rates = [entry.rate for entry in entries]
    is_ordered = rates in (sorted(rates), sorted(rates, reverse=True))
    if len(entries) < 3 or not ranking.all_rates or not is_ordered:
        return
    if not all(_exceeds(better.finals, worse.finals, ranking.images) for better, worse in pairwise(entries)):
        return
    first, last = entries[0], entries[-1]
    trend, edge = ("higher", "highest") if first.rate > last.rate else ("lower", "lowest")
    text = (
        f"The {trend} the learning rate, the higher the accuracy after {plural(ranking.epochs, 'epoch')}: "
        f"from {write_accuracy(last.final)} at {last.name} to {write_accuracy(first.final)} at {first.name}. "
        f"Since the {edge} rate leads, the best one may lie beyond the range."
    )
    yield Statement("order", text, cite(*entries), {"first": first.final, "last": last.final})


def _conclude_speed(ranking: Ranking) -> Iterator[Statement]:
    """The statement on rates that stay below the leader's first epoch by more than the sampling error."""
    first, *others = ranking.entries
    starts, start = [curve[0] for curve in first.curves], first.mean[0]
    slow_entries = [entry for entry in others if _exceeds(starts, entry.bests, ranking.images)]
    if not slow_entries or ranking.epochs < 2:
        return
    bests = {entry.name: max(entry.bests) for entry in slow_entries}
    limits = join_words([f"{name} (at most {write_accuracy(best)})" for name, best in bests.items()])
    text = (
        f"The first epoch at {first.name} ({write_accuracy(start)}) already reaches more than "
        f"{ranking.epochs} epochs at {limits}."
    )
    yield Statement("speed", text, cite(first, *slow_entries), {"start": start, **bests})


def _exceeds(better: Sequence[float], worse: Sequence[float], images: int) -> bool:
    """Whether the lowest accuracy of one exceeds the highest of the other by twice the sampling error."""
    low, high = min(better), max(worse)
    return low - high > 2 * math.hypot(sampling_error(low, images), sampling_error(high, images))


def _conclude_convergence(ranking: Ranking) -> Iterator[Statement]:
    """Statements on the curves that still rise over their last epochs, and on those that do not.

    A curve that rises steadily gets the number of epochs after which its line would meet the leader.
    """
    if ranking.epochs < LEAST_EPOCHS:
        text = f"{plural(ranking.epochs, 'epoch')} cannot show which learning rates have converged."
        yield Statement("convergence unknown", text)
        return
    window = max(LEAST_EPOCHS, math.ceil(ranking.epochs / 2))
    lines = {entry.name: fit_line(range(window), entry.mean[-window:]) for entry in ranking.entries}
    # A steady trend needs size and significance: over many epochs even a negligible slope is significant, and
    # over few a large one may be scatter. A curve that flattens deviates from its line by curvature, which
    # widens the interval: it may still count as rising by its gain, but is not extrapolated along the line.
    steady_names = {
        n for n, line in lines.items() if line.slope >= LEAST_GAIN and line.slope > (line.margin or 0)
    }
    rising_entries = [
        e for e in ranking.entries if e.name in steady_names or _has_net_gain(e, window, ranking.images)
    ]
    plateaus = [entry for entry in ranking.entries if entry not in rising_entries]
    if rising_entries:
        slopes = {entry.name: lines[entry.name].slope for entry in rising_entries}
        gains = join_words([f"{write_accuracy(slope)} ({name})" for name, slope in slopes.items()])
        text = f"Not converged: over the last {window} epochs the accuracy still rises by {gains} an epoch"
        leader = ranking.entries[0]
        more_epochs = {
            entry.name: math.ceil((leader.final - entry.final) / slopes[entry.name])
            for entry in rising_entries
            if entry.name in steady_names and entry.final < leader.final
        }
        if more_epochs:
            counts = [f"{n:,}" if n <= MOST_EPOCHS else f"over {MOST_EPOCHS:,}" for n in more_epochs.values()]
            text += (
                f"; if that held, {join_words(list(more_epochs))} would need {join_words(counts)} more "
                f"epochs to reach the {write_accuracy(leader.final)} of {leader.name}"
            )
        numbers = {f"slope {name}": slope for name, slope in slopes.items()}
        numbers |= {f"more epochs {name}": float(count) for name, count in more_epochs.items()}
        yield Statement("not converged", f"{text}.", cite(*rising_entries), numbers)
    if plateaus:
        names, verb = name_values(entry.rate for entry in plateaus), "shows" if len(plateaus) == 1 else "show"
        text = (
            f"Over the last {window} epochs {names} {verb} no rise that is clear of the scatter and of "
            f"at least {LEAST_GAIN:g} an epoch."
        )
        yield Statement("level", text, cite(*plateaus))


def _has_net_gain(entry: Entry, window: int, images: int) -> bool:
    """Whether the epochs gain more than noise and more than the least gain, without a fall beyond noise."""
    # A trend needs a gain and no fall: a gain alone may be the upswing of an oscillation, and a curve without
    # a fall may be level. Noise is twice the standard error of the difference of two independent accuracies;
    # on the same images it is usually smaller, so that the bound is wide.
    curve = entry.mean[-window:]
    noise = 2 * math.sqrt(2) * sampling_error(curve[-1], images)
    has_fall = any(before - after > noise for before, after in pairwise(curve))
    return curve[-1] - curve[0] > max(noise, LEAST_GAIN * (window - 1)) and not has_fall


def _conclude_steadiness(ranking: Ranking) -> Iterator[Statement]:
    """Statements on rates whose accuracy falls in an epoch by more than three times the sampling error."""
    for entry in ranking.entries:
        changes = [_large_changes(curve, ranking.images) for curve in entry.curves]
        dips = [(-change, epoch) for seed in changes for change, epoch in seed if change < 0]
        if not dips:
            continue
        depth, epoch = max(dips)
        steps = len(entry.runs) * (ranking.epochs - 1)
        topic = "oscillates" if any(map(_oscillates, changes)) else "falls back"
        frequency = "once," if len(dips) == 1 else f"in {len(dips)} of {plural(steps, 'step')}, most"
        text = (
            f"{entry.name} {topic}: its accuracy falls beyond the sampling error {frequency} by "
            f"{write_accuracy(depth)} in epoch {epoch}."
        )
        numbers = {"dips": float(len(dips)), "depth": depth, "epoch": float(epoch)}
        yield Statement(topic, text, entry.ids, numbers)


def _large_changes(curve: Sequence[float], images: int) -> list[tuple[float, int]]:
    """The changes from epoch to epoch beyond three times the sampling error, as (change, epoch)."""
    # Every step of every seed is examined, which needs a higher threshold than a single comparison: at two
    # standard errors, long runs would show falls by chance. Close to an accuracy of 1 the binomial error
    # vanishes, hence the fixed minimum.
    return [
        (after - before, epoch)
        for epoch, (before, after) in enumerate(pairwise(curve), 2)
        if abs(after - before) > max(3 * sampling_error(before, images), 0.002)
    ]


def _oscillates(changes: Sequence[tuple[float, int]]) -> bool:
    """Whether a curve falls, recovers and falls again."""
    # A single fall, or a decline in several steps, has no recovery between: consecutive falls count as one.
    directions = [falls for falls, _ in groupby(changes, lambda change: change[0] < 0)]
    return directions.count(True) > 1


def conclude_chance(ranking: Ranking) -> Iterator[Statement]:
    """The statement on rates whose accuracy stays near the chance level."""
    entries = [entry for entry in ranking.entries if entry.guesses]
    if entries:
        text = (
            f"{name_values(entry.rate for entry in entries)}: the accuracy never rises clearly above what "
            f"guessing among {CLASSES} classes reaches, {1 / CLASSES:g}: next to nothing has been learned."
        )
        yield Statement("chance", text, cite(*entries))


def _conclude_test(ranking: Ranking) -> Iterator[Statement]:
    """The statement on the test accuracy of the leader; none if a run of it has no test accuracy."""
    leader = ranking.entries[0]
    accuracies = [run.test_accuracy for run in leader.runs if run.test_accuracy is not None]
    if len(accuracies) == len(leader.runs):
        mean = statistics.fmean(accuracies)
        seeds = f" (mean over {ranking.seeds} seeds)" if ranking.seeds > 1 else ""
        text = f"On the test set, which played no part in this choice, {leader.name} reaches "
        yield Statement("test", f"{text}{write_accuracy(mean)}{seeds}.", leader.ids, {"test_accuracy": mean})
