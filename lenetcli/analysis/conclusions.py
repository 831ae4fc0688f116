"""What a sweep over learning rates says: which works best, by more than chance or not; what is missing."""

import math
from dataclasses import dataclass, replace

from lenetcli.analysis.inference import mcnemar, mean_difference, sampling_error
from lenetcli.analysis.ranking import Entry, Predictions, Ranking, is_whole, rank
from lenetcli.analysis.statements import Statement
from lenetcli.analysis.trends import (
    conclude_chance,
    conclude_convergence,
    conclude_order,
    conclude_speed,
    conclude_steadiness,
    conclude_test,
)
from lenetcli.experiment.parameters import name_parameter
from lenetcli.experiment.run import Run, RunState
from lenetcli.experiment.sweep import Sweep, write_command
from lenetcli.words import join_words, name_all, name_value, name_values, plural, write_accuracy

SIGNIFICANT = 0.05


def conclude_learning_rates(sweep: Sweep, evidence: Predictions) -> list[Statement]:
    """Everything that the curves of a sweep over learning rates support, the most important first."""
    unfinished = conclude_unfinished(sweep)
    if len({replace(cell.config, lr=1.0, seed=0, shards=1) for cell in sweep.cells}) > 1:
        text = "The learning rates are not ranked: their runs differ in more than the rate."
        return [Statement("unlike", text), *unfinished]
    ranking = rank(sweep, evidence)
    if not ranking.entries:
        return [Statement("nothing ranked", "No learning rate can be ranked."), *unfinished]
    stuck = conclude_chance(ranking)
    if stuck and ranking.entries[0].ids[0] in stuck[0].runs:
        return [*stuck, *unfinished]  # no winner among those who guess
    return [
        *_conclude_best(ranking, evidence),
        *conclude_order(ranking),
        *conclude_speed(ranking),
        *conclude_convergence(ranking),
        *conclude_steadiness(ranking),
        *stuck,
        *conclude_test(ranking),
        *unfinished,
    ]


def conclude_unfinished(sweep: Sweep) -> list[Statement]:
    """Which values of a sweep are not finished, with the command that trains them, and which diverged."""
    noun, device = name_parameter(sweep.parameter), sweep.device.value.upper()
    missing, diverged, ids = [], [], []
    for value in sweep.values:
        cells = [cell for cell in sweep.cells if cell.value == value]
        ends = [cell.run for cell in cells if cell.run and cell.run.state is RunState.DIVERGED]
        if ends:
            part = f" with {len(ends)} of {len(cells)} seeds" if len(cells) > 1 else ""
            where = name_all("epoch", sorted({run.epochs + 1 for run in ends}))
            diverged.append(f"{name_value(value)}{part} (no finite loss in {where})")
            ids += [run.id for run in ends]
        lacking = [
            cell.seed
            for cell in cells
            if not (cell.run and (is_whole(cell.run, sweep.epochs) or cell.run in ends))
        ]
        if lacking:
            seeds = f" ({name_all('seed', lacking)})" if len(sweep.seeds) > 1 else ""
            missing.append(name_value(value) + seeds)
    statements = []
    if missing:
        text = f"Not finished on the {device} and not compared: {noun} {join_words(missing)}."
        statements.append(Statement("missing", text, command=write_command(sweep)))
    if diverged:
        text = f"Diverged on the {device} and not compared: {noun} {join_words(diverged)}."
        statements.append(Statement("diverged", text, tuple(ids)))
    return statements


def _conclude_best(ranking: Ranking, evidence: Predictions) -> list[Statement]:
    """Which rate leads by best and by final accuracy, and whether that is more than chance."""
    first, *others = ranking.entries
    peak = max(ranking.entries, key=lambda entry: entry.best)
    numbers = {"best": peak.best, "final": first.final}
    if not others:
        text = f"Only the learning rate {first.name} is finished, with a validation accuracy of "
        return [Statement("only", f"{text}{_tell_accuracy(first)}.", first.ids, numbers)]
    distinct, lead = _conclude_lead(ranking, evidence)
    whole = ranking.seeds == ranking.planned
    text = f"Of the learning rates {name_values(sorted((e.rate for e in ranking.entries), reverse=True))}, "
    text += "" if whole else f"over the {plural(ranking.seeds, 'seed')} that all of them have finished, "
    if peak.best > first.best:
        text += (
            f"best and last epoch name different winners, since {peak.name} ends "
            f"{write_accuracy(peak.best - peak.final)} below its best: {peak.name} reaches "
            f"{_tell_accuracy(peak)}, and {first.name} {_tell_accuracy(first)}."
        )
        return [Statement("winners differ", text, (*peak.ids, *first.ids), numbers), lead]
    leaders = [e.rate for e in ranking.entries if (e.final, e.best) == (first.final, first.best)]
    if distinct and whole:
        topic, told = "best", f"{first.name} works best: it has"
    else:
        topic, told = "highest", f"{name_values(leaders)} {'shows' if len(leaders) == 1 else 'show'}"
    text += f"{told} the highest validation accuracy, {_tell_accuracy(first)}."
    return [Statement(topic, text, first.ids, numbers), lead]


def _tell_accuracy(entry: Entry) -> str:
    """The best and the last accuracy, with the epoch of a single run's best or the number of seeds."""
    best, final = write_accuracy(entry.best), write_accuracy(entry.final)
    if len(entry.runs) > 1:
        return f"{best} at its best and {final} at the end (mean over {len(entry.runs)} seeds)"
    curve = entry.runs[0].curve
    epoch = max(curve, key=lambda point: point.val_accuracy).epoch
    return f"{best} at its best in epoch {epoch} and {final} at the end"


@dataclass(frozen=True, slots=True)
class _Comparison:
    """The leader beside another rate: whether it is told apart, and by which numbers."""

    other: Entry
    clear: bool
    told: str
    numbers: dict[str, float]


def _conclude_lead(ranking: Ranking, evidence: Predictions) -> tuple[bool, Statement]:
    """Whether the first is told apart from every other, and the sentence about it."""
    first, *others = ranking.entries
    if ranking.seeds > 1:
        chance, caveat = "spread over the seeds", ""
        comparisons = [_compare_seeds(first, other, ranking) for other in others]
    else:
        chance, caveat = "sampling error", " It is one network of each; another seed may differ."
        found = [_compare_images(first, other, ranking, evidence) for other in others]
        comparisons = [comparison for comparison in found if comparison]
        if len(comparisons) < len(others):
            text = (
                f"Whether the lead of {first.name} after the last epoch is more than chance cannot be said "
                "here: the predictions or the labels to compare image by image are not at hand."
            )
            return False, Statement("lead unknown", text, first.ids)
    close = [comparison for comparison in comparisons if not comparison.clear]
    nearest = (close or comparisons)[0]
    if close:
        names = name_values(comparison.other.rate for comparison in close)
        topic, text = "not distinguishable", f"{first.name} is not distinguishable from {names}"
    else:
        topic, text = "lead", f"The lead is larger than the {chance}"
    text = f"{text}: after the last epoch {nearest.told}.{caveat}"
    return not close, Statement(topic, text, (*first.ids, *nearest.other.ids), nearest.numbers)


def _compare_seeds(first: Entry, other: Entry, ranking: Ranking) -> _Comparison:
    """Compare by the 95 % interval of the difference and by whether the seeds overlap."""
    lead, margin = mean_difference(first.finals, other.finals)
    if margin == 0 and ranking.images:  # seeds that agree to the digit still err
        margin = 2 * math.hypot(*(sampling_error(entry.final, ranking.images) for entry in (first, other)))
    clear = lead > margin and min(first.finals) > max(other.finals)
    told = (
        f"{first.name} leads {other.name} by {write_accuracy(lead)} ± {write_accuracy(margin)} "
        f"(95%, {ranking.seeds} seeds each)"
    )
    return _Comparison(other, clear, told, {"lead": lead, "margin": margin, "seeds": float(ranking.seeds)})


def _compare_images(
    first: Entry, other: Entry, ranking: Ranking, evidence: Predictions
) -> _Comparison | None:
    """Compare by McNemar's test on the same images, corrected for the number of others; None without them."""
    right, right_too = (_find_right(entry.runs[0], evidence) for entry in (first, other))
    if right is None or right_too is None:
        return None
    alone = sum(a and not b for a, b in zip(right, right_too, strict=True))
    lost = sum(b and not a for a, b in zip(right, right_too, strict=True))
    others = len(ranking.entries) - 1
    chance = min(1.0, mcnemar(alone, lost) * others)
    written = "< 0.001" if chance < 0.001 else f"= {chance:.2g}"
    corrected = f", corrected for {others} comparisons" if others > 1 else ""
    told = (
        f"{first.name} alone is right on {alone:,} of the {ranking.images:,} images and {other.name} alone "
        f"on {lost:,} (McNemar’s exact test, p {written}{corrected})"
    )
    numbers = {"only_first": float(alone), "only_second": float(lost), "p": chance}
    return _Comparison(other, chance < SIGNIFICANT, told, numbers)


def _find_right(run: Run, evidence: Predictions) -> list[bool] | None:
    """Which images the run gets right at its end; None where that is not known or not of this curve."""
    labels = evidence.validation_labels(run.config.data)
    guesses = evidence.predictions(run.key, run.epochs)
    if not labels or guesses is None or len(guesses) != len(labels):
        return None
    right = [guess == label for guess, label in zip(guesses, labels, strict=True)]
    error = abs(sum(right) / len(labels) - run.curve[-1].val_accuracy)
    return right if error < 0.6 / len(labels) else None
