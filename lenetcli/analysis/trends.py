"""Statements on the course of learning curves: order, speed, convergence, falls and guessing."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from lenetcli.analysis.comparison import compare
from lenetcli.analysis.courses import LEAST_WINDOW, Course, half_of, window_of
from lenetcli.analysis.ranking import Ranking, name_entries
from lenetcli.analysis.statements import Statement, cite
from lenetcli.experiment.sweep import Sweep, write_command
from lenetcli.words import (
    MOST_NAMED,
    join_some,
    join_words,
    plural,
    write_accuracy,
    write_difference,
    write_interval,
    write_number,
)

HIGHER = (10, 3)
"""The factors of the highest learning rate that are advised where it is the best."""
OTHERS = "at {:,} more"
"""What stands for the learning rates that a list of what happens at each does not name."""


def conclude_order(sweep: Sweep, ranking: Ranking) -> Iterator[Statement]:
    """Statements on accuracy and speed by learning rate, with the reason, and on where a higher one ends."""
    first = ranking.entries[0]
    behind = [entry for entry, lead in ranking.pairs if lead.is_ahead]
    is_ordered = _is_ordered(ranking)
    if is_ordered:
        yield _conclude_monotony(ranking)
    if any(entry.rate < first.rate for entry in behind):
        text = (
            "A step of gradient descent moves the weights by the learning rate times the gradient, so that a "
            "higher rate gets further in the same number of steps."
        )
        yield Statement("reason", text)
    yield from _conclude_speed(ranking)
    higher = [entry for entry in behind if entry.rate > first.rate]
    diverged = [group for group in sweep.groups("lr") if group.diverged and group.point["lr"] > first.rate]
    if higher or diverged:
        clauses = [f"{entry.name} reaches only {ranking.write(entry.final)}" for entry in higher]
        if len(clauses) > MOST_NAMED:
            best = max(higher, key=lambda entry: entry.final)
            clauses = [f"{name_entries(higher)} reach only {ranking.write(best.final)} or less"]
        ends = [f"{group.name} diverged" for group in diverged]
        if len(ends) > MOST_NAMED:
            ends = [f"{join_some([group.name for group in diverged])} diverged"]
        text = f"{join_words([*clauses, *ends])}: steps of this size lead past the minimum."
        yield Statement("too high", text, cite(*higher))
    elif is_ordered and first.rate == max(sweep.values):
        text = (
            "Where a rate is too high, its steps lead past the minimum, and it ends lower. The highest rate "
            "leads here, so that the sweep does not show where that begins; a higher rate may be better."
        )
        rates = [float(f"{first.rate * factor:.3g}") for factor in HIGHER]
        yield Statement("edge", text, command=write_command(sweep, values=rates))


def _is_ordered(ranking: Ranking) -> bool:
    """Whether the accuracy is monotonic in the rate: each rate is ahead of the next, the first of all."""
    entries, final = ranking.entries, ranking.epochs
    rates = [entry.rate for entry in entries]
    is_sorted = rates in (sorted(rates), sorted(rates, reverse=True))
    if len(entries) < 3 or not ranking.all_points or not is_sorted:
        return False
    steps = [(better.after(final), worse.after(final)) for better, worse in pairwise(entries[1:])]
    return all(one.is_ahead for one in (*ranking.leads, *compare(steps, ranking.images)))


def _conclude_monotony(ranking: Ranking) -> Statement:
    """The statement that the accuracy grows, or falls, with the learning rate."""
    entries = sorted(ranking.entries, key=lambda entry: entry.rate)
    trend = "higher" if entries[-1] is ranking.entries[0] else "lower"
    listed = [f"{ranking.write(entry.final)} at {entry.name}" for entry in entries]
    span = join_words(listed) if len(entries) <= MOST_NAMED else f"from {listed[0]} to {listed[-1]}"
    text = f"The {trend} the learning rate, the higher the accuracy: {span}."
    return Statement("order", text, cite(*entries), {entry.name: entry.final for entry in entries})


def _conclude_speed(ranking: Ranking) -> Iterator[Statement]:
    """The statement on rates that in all epochs do not reach the first one's accuracy after one."""
    first, *others = ranking.entries
    if ranking.epochs < 2:
        return
    start = first.after(1)
    comparisons = compare([(start, entry.after(ranking.epochs)) for entry in others], ranking.images)
    # A rate that fell back at its end was no slower: none of its epochs may have reached as much.
    slow = [
        entry
        for entry, comparison in zip(others, comparisons, strict=True)
        if comparison.is_ahead and entry.highest < min(start.accuracies)
    ]
    if slow:
        limits = join_some([f"{entry.name} (at most {ranking.write(entry.highest)})" for entry in slow])
        text = (
            f"After one epoch {first.name} already has {ranking.write(start.mean)}, higher than {limits} "
            f"{'gets' if len(slow) == 1 else 'get'} in {ranking.epochs}."
        )
        numbers = {"start": start.mean} | {entry.name: entry.highest for entry in slow}
        yield Statement("speed", text, cite(first, *slow), numbers)


def conclude_convergence(ranking: Ranking, courses: Sequence[Course]) -> Iterator[Statement]:
    """Statements on the curves that still rise, on those that do not, that guess, and that fall."""
    window = window_of(ranking.epochs)
    rising = [course for course in courses if course.rises]
    level = [course.entry for course in courses if not course.rises and not course.guesses]
    if window is None:
        text = (
            f"{plural(ranking.epochs, 'epoch')} cannot show which learning rates have converged; that takes "
            f"{LEAST_WINDOW}."
        )
        yield Statement("convergence unknown", text)
    else:
        if rising:
            yield _conclude_rise(rising, window)
            yield from _conclude_small_steps(ranking, rising)
            yield from _conclude_pace(ranking, rising, window)
        if level:
            verb = "shows" if len(level) == 1 else "show"
            names = name_entries(level)
            text = f"{names} {verb} no clear rise over the last {window} epochs."
            yield Statement("level", text, cite(*level))
    yield from conclude_guessing(ranking, courses)
    yield from _conclude_falls(ranking, courses)


def _conclude_rise(rising: Sequence[Course], window: int) -> Statement:
    """The statement on the curves that rise over the last epochs."""
    entries = [course.entry for course in rising]
    gains: list[str] = []
    slopes: list[float] = []
    numbers: dict[str, float] = {}
    for course in rising:
        assert course.slope is not None
        slopes.append(course.slope.estimate)
        unit, kind = ("", "") if gains else (" an epoch", "95% interval ")
        interval = write_interval(course.slope.low, course.slope.high)
        gains.append(f"{write_difference(course.slope.estimate)}{unit} ({kind}{interval})")
        numbers[f"slope {course.entry.name}"] = course.slope.estimate
    listed = join_words(gains)
    if len(gains) > MOST_NAMED:
        listed = f"{write_difference(min(slopes))} to {write_difference(max(slopes))} an epoch"
    subject, possessive = ("has", "its") if len(entries) == 1 else ("have", "their")
    text = (
        f"{name_entries(entries)} {subject} not converged: over the last {window} "
        f"epochs {possessive} accuracy still rises by {listed}."
    )
    return Statement("not converged", text, cite(*entries), numbers)


def _conclude_small_steps(ranking: Ranking, rising: Sequence[Course]) -> Iterator[Statement]:
    """The reason why rates below that of the first, and behind it, have not converged."""
    first = ranking.entries[0]
    small = [course.entry for course in rising if course.entry.rate < first.rate]
    if small and all(lead.is_ahead for entry, lead in ranking.pairs if entry in small):
        ratios = [first.rate / entry.rate for entry in small]
        factors = join_words([write_number(ratio) for ratio in ratios])
        if len(ratios) > MOST_NAMED:
            factors = f"{write_number(min(ratios))} to {write_number(max(ratios))}"
        owner = "Their" if len(rising) > 1 else "Its"
        if len(small) < len(rising):
            owner = f"At {name_entries(small)} the"
        text = (
            f"{owner} steps are {factors} times smaller than those of {first.name}, and "
            f"{plural(ranking.epochs, 'epoch')} are too few of them."
        )
        yield Statement("small steps", text)


def _conclude_pace(ranking: Ranking, rising: Sequence[Course], window: int) -> Iterator[Statement]:
    """Statements on how the gains of rising curves change, and on the epochs that they need at least."""
    first, last = ranking.entries[0], ranking.epochs
    numbers: dict[str, float] = {}
    shrinking: list[str] = []
    steady: list[str] = []
    needed: list[str] = []
    counts: list[int] = []
    for course in rising:
        assert course.pace is not None
        name, pace = course.entry.name, course.pace
        numbers |= {f"early {name}": pace.early, f"late {name}": pace.late}
        gains = f"from {write_difference(pace.early)} to {write_difference(pace.late)}"
        if pace.shrinks:
            shrinking.append(f"{gains} at {name}")
        else:
            steady.append(f"{name} ({gains})")
        epochs = course.epochs_needed(first.final)
        if epochs is not None:
            numbers[f"epochs {name}"] = float(epochs)
            counts.append(epochs)
            needed.append(f"{epochs:,} at {name}" if needed else f"{plural(epochs, 'more epoch')} at {name}")
    half, begin = half_of(window), last - window + 1
    text = f"From epochs {begin}–{begin + half} to epochs {last - half}–{last} the gain an epoch"
    if shrinking:
        text += f" shrinks {join_some(shrinking, more=OTHERS)}"
    if needed:
        goal = ranking.write(first.final)
        least = join_words(needed)
        if len(needed) > MOST_NAMED:
            least = f"{min(counts):,} to {max(counts):,} more epochs at {len(needed):,} of them"
        text += f"; even at the upper end of its interval, {goal} would take at least {least}"
    if steady:
        text += f"{'. It' if shrinking else ''} does not shrink at {join_some(steady)}"
    yield Statement("pace", f"{text}.", cite(*(course.entry for course in rising)), numbers)


def conclude_guessing(ranking: Ranking, courses: Sequence[Course]) -> Iterator[Statement]:
    """The statement on the learning rates that are never clearly above guessing."""
    entries = [course.entry for course in courses if course.guesses]
    if entries:
        guessing = ranking.images.guessing
        text = (
            f"{name_entries(entries)} {'is' if len(entries) == 1 else 'are'} never "
            f"clearly above guessing: naming the most frequent class for every image gives "
            f"{write_accuracy(guessing)}."
        )
        yield Statement("guessing", text, cite(*entries), {"guessing": guessing or 0.0})


def _conclude_falls(ranking: Ranking, courses: Sequence[Course]) -> Iterator[Statement]:
    """The statement on the falls from one epoch to the next that are more than chance."""
    falling = [course for course in courses if course.falls and not course.guesses]
    if not falling:
        return
    clauses: list[str] = []
    numbers: dict[str, float] = {}
    steps = len(ranking.seeds) * (ranking.epochs - 1)
    for course in falling:
        deepest = max(course.falls, key=lambda fall: fall.estimate)
        seed = f" of seed {deepest.other.runs[0].config.seed}" if len(ranking.seeds) > 1 else ""
        most = "" if len(course.falls) == 1 else "at most "
        clauses.append(
            f"in {len(course.falls)} of {plural(steps, 'case') if not clauses else steps} at "
            f"{course.entry.name} ({most}by "
            f"{write_difference(deepest.estimate)}, in epoch {deepest.other.epoch}{seed})"
        )
        numbers[f"falls {course.entry.name}"] = float(len(course.falls))
        numbers[f"depth {course.entry.name}"] = deepest.estimate
    listed = join_some(clauses, more=OTHERS)
    text = f"From one epoch to the next the accuracy falls by more than chance {listed}"
    # Of a rate whose steps are too small to converge, that would be the wrong reason.
    if not any(course.rises and course.entry.rate < ranking.entries[0].rate for course in falling):
        text += ", a sign of steps that lead past the minimum now and then"
    yield Statement("falls", f"{text}.", cite(*(course.entry for course in falling)), numbers)
