"""Which value of a sweep leads, and whether its lead is more than chance."""

import math
from typing import Any

from lenetcli.estimates import mcnemar, mean_difference, sampling_error
from lenetcli.rankings import Entry, Judged, Ranking, Statement
from lenetcli.runs import Run
from lenetcli.wording import name_values, write_accuracy

SIGNIFICANT = 0.05


def judge_best(ranking: Ranking, judged: Judged) -> list[Statement]:
    """Which value leads by best and by final accuracy, and whether that is more than chance."""
    first, *others = ranking.entries
    top = max(entry.best for entry in ranking.entries)
    peak = first if first.best == top else max(ranking.entries, key=lambda entry: entry.best)
    numbers = {"best": peak.best, "final": first.final}
    mean = f", mean over {ranking.seeds} seeds" if ranking.seeds > 1 else ""
    if not others:
        text = (
            f"{'Only the' if len(ranking.values) > 1 else 'The'} {ranking.noun} {first.name} is finished: "
            f"best validation accuracy "
            f"{write_accuracy(first.best)}{first.best_epoch}, {write_accuracy(first.final)} at the end{mean}."
        )
        return [Statement("only", text, first.ids, numbers)]
    distinct, lead = _judge_lead(ranking, judged)
    if ranking.lacks_seeds:
        distinct = False  # what the other seeds show is not in it
        lead = [_tell_seeds(first), *lead]
    compared = name_values(sorted((entry.value for entry in ranking.entries), key=_order, reverse=True))
    if peak is not first:
        fall = peak.best - peak.final
        text = (
            f"Of the {ranking.nouns} {compared}, best and last epoch name different winners. By the "
            f"best validation accuracy {peak.name} leads ({write_accuracy(peak.best)}{peak.best_epoch}), by "
            f"the last {first.name} does ({write_accuracy(first.final)}{mean}), because {peak.name} ends "
            f"{write_accuracy(fall)} below its best, at {write_accuracy(peak.final)}."
        )
        return [Statement("winners differ", text, (*peak.ids, *first.ids), numbers), *lead]
    where = (
        f"highest on the validation images both at its best ({write_accuracy(first.best)}{first.best_epoch}) "
        f"and after the last epoch ({write_accuracy(first.final)}{mean})"
    )
    if distinct:
        text = f"Of the {ranking.nouns} {compared}, {first.name} works best: its accuracy is {where}."
        return [Statement("best", text, first.ids, numbers), *lead]
    like = [entry for entry in ranking.entries if (entry.final, entry.best) == (first.final, first.best)]
    if len(like) > 1:
        numbers_told = (
            f"{write_accuracy(first.best)} at best and {write_accuracy(first.final)} at the end{mean}"
        )
        told = f"{name_values(entry.value for entry in like)} share the highest numbers: {numbers_told}"
    else:
        told = f"{first.name} shows the highest numbers: its accuracy is {where}"
    text = f"Of the {ranking.nouns} {compared}, {told}."
    return [Statement("highest", text, first.ids, numbers), *lead]


def _tell_seeds(entry: Entry) -> Statement:
    seeds = [run.config.seed for run in entry.runs]
    which = f"seed {seeds[0]}, the only one" if len(seeds) == 1 else f"the seeds {name_values(seeds)}, those"
    return Statement("seeds", f"All are compared over {which} that every value has finished.", entry.ids)


def _order(value: Any) -> Any:
    return value if isinstance(value, int | float) else str(value)


def _judge_lead(ranking: Ranking, judged: Judged) -> tuple[bool, list[Statement]]:
    """Whether the first is told apart from every other, and the sentence about it."""
    if ranking.seeds > 1:
        return _lead_over_seeds(ranking)
    first, *others = ranking.entries
    pairs = [
        (other, pair) for other in others if (pair := _compare_images(first.runs[0], other.runs[0], judged))
    ]
    if len(pairs) < len(others):
        text = (
            f"Whether the lead of {first.name} after the last epoch is more than chance cannot be said here: "
            "the predictions or the labels to compare image by image are not at hand."
        )
        return False, [Statement("lead unknown", text, first.ids)]
    tests = [(other, pair, min(1.0, mcnemar(*pair) * len(pairs))) for other, pair in pairs]
    worst, (alone, lost), chance = max(tests, key=lambda test: test[2])
    numbers = {"only_first": float(alone), "only_second": float(lost), "p": chance}
    close = [other for other, _, p in tests if p >= SIGNIFICANT]
    corrected = f", corrected for {len(pairs)} comparisons" if len(pairs) > 1 else ""
    counts = (
        f"on the same {ranking.images or 0:,} images, {first.name} alone is right on {alone:,} and "
        f"{worst.name} alone on {lost:,} (McNemar’s exact test, p {_write_chance(chance)}{corrected})"
    )
    if close:
        text = (
            f"After the last epoch {first.name} is not distinguishable from "
            f"{name_values(e.value for e in close)}: {counts}. Several seeds would tell more (`--seeds 3`)."
        )
        return False, [Statement("not distinguishable", text, (*first.ids, *worst.ids), numbers)]
    text = f"The lead is larger than the sampling error: {counts}. "
    text += "It compares one network of each; another seed may differ."
    return True, [Statement("lead", text, (*first.ids, *worst.ids), numbers)]


def _lead_over_seeds(ranking: Ranking) -> tuple[bool, list[Statement]]:
    first, *others = ranking.entries
    differences = [(other, *_difference(first, other, ranking.images)) for other in others]
    near = [
        difference
        for difference in differences
        if difference[1] <= difference[2] or min(first.finals) <= max(difference[0].finals)
    ]
    close = [other for other, _, _ in near]
    other, lead, margin = (near or differences)[0]
    numbers = {"lead": lead, "margin": margin, "seeds": float(ranking.seeds)}
    told = (
        f"{first.name} leads {other.name} by {write_accuracy(lead)} ± {write_accuracy(margin)} "
        f"(95%, {ranking.seeds} seeds each)"
    )
    if close:
        why = "the lead is not larger than the spread over the seeds" if lead <= margin else "seeds overlap"
        text = (
            f"After the last epoch {first.name} is not distinguishable from "
            f"{name_values(e.value for e in close)}: {why}. {told}."
        )
        return False, [Statement("not distinguishable", text, (*first.ids, *other.ids), numbers)]
    text = f"The lead is larger than the spread over the seeds: {told}."
    return True, [Statement("lead", text, (*first.ids, *other.ids), numbers)]


def _difference(first: Entry, second: Entry, images: int | None) -> tuple[float, float]:
    """The difference of two means and half its 95 % interval; seeds that agree to the digit still err."""
    lead, margin = mean_difference(first.finals, second.finals)
    if margin == 0 and images:
        errors = [sampling_error(entry.final, images) for entry in (first, second)]
        margin = 2 * math.hypot(*errors)
    return lead, margin


def _compare_images(first: Run, second: Run, judged: Judged) -> tuple[int, int] | None:
    """How many images only the first and only the second gets right; None where that cannot be known."""
    labels = judged.validation_labels(first.config.data)
    guesses = [judged.predictions(run.key, run.epochs) for run in (first, second)]
    if labels is None or None in guesses:
        return None
    rights = []
    for run, guess in zip((first, second), guesses, strict=True):
        if guess is None or len(guess) != len(labels):
            return None
        right = [a == b for a, b in zip(guess, labels, strict=True)]
        if abs(sum(right) / len(labels) - run.curve[-1].val_accuracy) > 0.6 / len(labels):
            return None  # not the predictions of this curve
        rights.append(right)
    pairs = list(zip(*rights, strict=True))
    return sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)


def _write_chance(chance: float) -> str:
    return "< 0.001" if chance < 0.001 else f"= {chance:.2g}"
