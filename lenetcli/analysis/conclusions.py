"""Conclusions from a sweep over learning rates: the best rate, its significance, and the missing runs."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lenetcli.analysis.inference import mcnemar, mean_difference, sampling_error
from lenetcli.analysis.ranking import Entry, Predictions, Ranking, rank
from lenetcli.analysis.statements import Statement, cite
from lenetcli.analysis.trends import conclude_chance, conclude_trends
from lenetcli.experiment.config import DeviceKind, Request
from lenetcli.experiment.datasets import MNIST
from lenetcli.experiment.exercise import FILTERS_COMMANDS
from lenetcli.experiment.parameters import name_parameter
from lenetcli.experiment.run import Run
from lenetcli.experiment.sweep import Sweep, write_command
from lenetcli.words import join_words, name_all, name_values, plural, write_accuracy

LEAD = "lead"
"""The topic of the statement that the leader differs significantly from every other rate."""

SIGNIFICANT = 0.05
"""The level of significance of McNemar's test, after the correction for several comparisons."""


def conclude_learning_rates(sweep: Sweep, evidence: Predictions) -> Iterator[Statement]:
    """All statements that the curves of a sweep over learning rates support, the most important first."""
    ranking = rank(sweep, evidence)
    if len({replace(cell.config, lr=1.0, seed=0, shards=1) for cell in sweep.cells}) > 1:
        text = "The learning rates are not ranked: their runs differ in more than the rate."
        yield Statement("unlike", text)
    elif not ranking.entries:
        yield Statement("nothing ranked", "No learning rate can be ranked.")
    elif ranking.entries[0].guesses:
        yield from conclude_chance(ranking)  # among networks that guess there is no best one
    else:
        yield from _conclude_best(ranking, evidence)
        yield from conclude_trends(ranking)
    yield from conclude_unfinished(sweep)


def conclude_unfinished(sweep: Sweep) -> Iterator[Statement]:
    """Statements on unfinished values of a sweep, with the command to train them, and on diverged values."""
    noun, device = name_parameter(sweep.parameter), sweep.device.value.upper()
    missing_values, diverged_values, ids = [], [], []
    for group in sweep.groups():
        if group.diverged:
            share = f" with {len(group.diverged)} of {len(group.cells)} seeds" if len(group.cells) > 1 else ""
            epochs = name_all("epoch", sorted({run.epochs + 1 for run in group.diverged}))
            diverged_values.append(f"{group.name}{share} (no finite loss in {epochs})")
            ids += [run.id for run in group.diverged]
        ended = (*group.whole, *group.diverged)
        missing_seeds = [cell.config.seed for cell in group.cells if cell.run not in ended]
        if missing_seeds:
            seeds = f" ({name_all('seed', missing_seeds)})" if len(sweep.seeds) > 1 else ""
            missing_values.append(group.name + seeds)
    if missing_values:
        text = f"Not finished on the {device} and not compared: {noun} {join_words(missing_values)}."
        yield Statement("missing", text, command=write_command(sweep))
    if diverged_values:
        text = f"Diverged on the {device} and not compared: {noun} {join_words(diverged_values)}."
        yield Statement("diverged", text, tuple(ids))


def conclude_missing(sweeps: Sequence[Sweep]) -> Iterator[Statement]:
    """A statement for each kind of device on which no filters have been timed, with the command for it.

    The command has the setting of ``sweeps``, those over filters.
    """
    for kind in (DeviceKind.GPU, DeviceKind.CPU):
        if kind not in {sweep.device for sweep in sweeps}:
            text = f"No sweep over filters on a {kind.value.upper()} has been timed."
            yield Statement("missing", text, command=_filters_command(kind, sweeps))


def _filters_command(kind: DeviceKind, sweeps: Sequence[Sweep]) -> str:
    """The command that times filters on a kind of device, in the setting of the sweeps over filters."""
    for sweep in sweeps:
        request = replace(sweep.request, device=kind.value)
        if sweep.base.data == MNIST:  # every machine finds or downloads it, whatever the path here
            request = replace(request, data=None)
        if request != Request(device=kind.value) or len(sweep.seeds) > 1:
            return write_command(replace(sweep, request=request))
    return FILTERS_COMMANDS[kind]


def _conclude_best(ranking: Ranking, evidence: Predictions) -> Iterator[Statement]:
    """Statements on the rates with the highest best and final accuracy, and on whether the lead is chance."""
    first, *others = ranking.entries
    peak = max(ranking.entries, key=lambda entry: entry.best)
    numbers = {"best": peak.best, "final": first.final}
    if not others:
        text = f"Only the learning rate {first.name} is finished, with a validation accuracy of "
        yield Statement("only", f"{text}{_write_accuracies(first)}.", first.ids, numbers)
        return
    lead = _conclude_lead(ranking, evidence)
    text = f"Of the learning rates {name_values(sorted((e.rate for e in ranking.entries), reverse=True))}, "
    if not ranking.all_seeds:
        text += f"over the {plural(ranking.seeds, 'seed')} that all of them have finished, "
    if peak.best > first.best:
        text += (
            f"best and last epoch name different winners, since {peak.name} ends "
            f"{write_accuracy(peak.best - peak.final)} below its best: {peak.name} reaches "
            f"{_write_accuracies(peak)}, and {first.name} {_write_accuracies(first)}."
        )
        yield Statement("winners differ", text, cite(peak, first), numbers)
    else:
        leaders = [e.rate for e in ranking.entries if (e.final, e.best) == (first.final, first.best)]
        if lead.topic == LEAD and ranking.all_seeds:
            topic, claim = "best", f"{first.name} works best: it has"
        else:
            topic, claim = "highest", f"{name_values(leaders)} {'shows' if len(leaders) == 1 else 'show'}"
        text += f"{claim} the highest validation accuracy, {_write_accuracies(first)}."
        yield Statement(topic, text, first.ids, numbers)
    yield lead


def _write_accuracies(entry: Entry) -> str:
    """A phrase with the best and the final accuracy, and the epoch of the best or the number of seeds."""
    best, final = write_accuracy(entry.best), write_accuracy(entry.final)
    if len(entry.runs) > 1:
        return f"{best} at its best and {final} at the end (mean over {len(entry.runs)} seeds)"
    epoch = 1 + entry.curves[0].index(entry.best)
    return f"{best} at its best in epoch {epoch} and {final} at the end"


@dataclass(frozen=True, slots=True)
class _Comparison:
    """The comparison of the leader with another rate, with the evidence as a phrase and as numbers."""

    other: Entry
    significant: bool
    phrase: str
    numbers: dict[str, float]


def _conclude_lead(ranking: Ranking, evidence: Predictions) -> Statement:
    """The statement on whether the leader differs significantly from every other rate."""
    # With several seeds, their spread shows what another initialisation would change. With one seed no spread
    # is known, and only the sampling error of the images can be tested: for classifiers trained once,
    # Dietterich (Neural Computation 1998) recommends McNemar's test.
    first, *others = ranking.entries
    if ranking.seeds > 1:
        noise, caveat = "spread over the seeds", ""
        comparisons = [_compare_seeds(first, other, ranking) for other in others]
    else:
        noise, caveat = "sampling error", " It is one network of each; another seed may differ."
        results = [_compare_images(first, other, ranking, evidence) for other in others]
        comparisons = [comparison for comparison in results if comparison]
        if len(comparisons) < len(others):
            text = (
                f"Whether the lead of {first.name} after the last epoch is more than chance cannot be said "
                "here: the predictions or the labels to compare image by image are not at hand."
            )
            return Statement("lead unknown", text, first.ids)
    close_comparisons = [comparison for comparison in comparisons if not comparison.significant]
    nearest = (close_comparisons or comparisons)[0]  # in the order of the ranking: the smallest lead
    if close_comparisons:
        names = name_values(comparison.other.rate for comparison in close_comparisons)
        topic, text = "not distinguishable", f"{first.name} is not distinguishable from {names}"
    else:
        topic, text = LEAD, f"The lead is larger than the {noise}"
    text = f"{text}: after the last epoch {nearest.phrase}.{caveat}"
    return Statement(topic, text, cite(first, nearest.other), nearest.numbers)


def _compare_seeds(first: Entry, other: Entry, ranking: Ranking) -> _Comparison:
    """Compare two rates by Welch's 95 % interval of the difference and by the overlap of their seeds.

    The lead is significant if it exceeds the interval and the ranges of the seeds do not overlap.
    """
    # A variance of two or three seeds can be small by luck, and the interval is not corrected for the number
    # of rates. The ranges assume no distribution: of three seeds each, they separate by luck in this order
    # with a probability of 1 in 20 (the extreme case of the test of Mann and Whitney, 1947).
    lead, margin = mean_difference(first.finals, other.finals)
    if margin == 0 and ranking.images:  # equal accuracies have no spread, but a sampling error
        margin = 2 * math.hypot(*(sampling_error(entry.final, ranking.images) for entry in (first, other)))
    significant = lead > margin and min(first.finals) > max(other.finals)
    phrase = (
        f"{first.name} leads {other.name} by {write_accuracy(lead)} ± {write_accuracy(margin)} "
        f"(95%, {ranking.seeds} seeds each)"
    )
    numbers = {"lead": lead, "margin": margin, "seeds": float(ranking.seeds)}
    return _Comparison(other, significant, phrase, numbers)


def _compare_images(
    first: Entry, other: Entry, ranking: Ranking, evidence: Predictions
) -> _Comparison | None:
    """Compare two rates by McNemar's exact test on the same images; None if what is right is not known."""
    # Both networks see the same images, so that their accuracies are not independent: only images on which
    # they disagree say which is better. The leader was chosen on these images too, and each comparison is one
    # more chance of a difference by luck: the p-value is multiplied by their number (Bonferroni).
    first_correct, other_correct = (_find_correct(entry.runs[0], evidence) for entry in (first, other))
    if first_correct is None or other_correct is None:
        return None
    only_first = sum(a and not b for a, b in zip(first_correct, other_correct, strict=True))
    only_other = sum(b and not a for a, b in zip(first_correct, other_correct, strict=True))
    others = len(ranking.entries) - 1
    p_value = min(1.0, mcnemar(only_first, only_other) * others)
    relation = "< 0.001" if p_value < 0.001 else f"= {p_value:.2g}"
    correction = f", corrected for {others} comparisons" if others > 1 else ""
    phrase = (
        f"{first.name} alone is right on {only_first:,} of the {ranking.images:,} images and {other.name} "
        f"alone on {only_other:,} (McNemar’s exact test, p {relation}{correction})"
    )
    numbers = {"only_first": float(only_first), "only_second": float(only_other), "p": p_value}
    return _Comparison(other, p_value < SIGNIFICANT, phrase, numbers)


def _find_correct(run: Run, evidence: Predictions) -> list[bool] | None:
    """Whether each validation image is classified correctly after the last epoch.

    None if the predictions or the labels are missing, or contradict the accuracy of the curve.
    """
    labels = evidence.validation_labels(run.config.data)
    predictions = evidence.predictions(run.key, run.epochs)
    if not labels or predictions is None or len(predictions) != len(labels):
        return None
    correct = [prediction == label for prediction, label in zip(predictions, labels, strict=True)]
    # One image more or less changes the accuracy by 1 / images; less than that is rounding.
    deviation = abs(sum(correct) / len(labels) - run.curve[-1].val_accuracy)
    return correct if deviation < 0.6 / len(labels) else None
