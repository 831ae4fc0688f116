"""Conclusions from a ranking: which learning rate, or which combination, works best, and how sure that is."""

import statistics
from collections.abc import Iterator, Sequence

from lenetcli.analysis.comparison import ALIKE, Comparison, Verdict
from lenetcli.analysis.courses import follow
from lenetcli.analysis.inference import MOST_SEEDS, PairedDifference, SeedsDifference
from lenetcli.analysis.ranking import Entry, Ranking, is_uniform, name_entries
from lenetcli.analysis.statements import Paragraph, Statement, cite
from lenetcli.analysis.trends import conclude_convergence, conclude_guessing, conclude_order
from lenetcli.analysis.unfinished import conclude_unfinished
from lenetcli.experiment.parameters import name_parameter
from lenetcli.experiment.sweep import Sweep, write_command
from lenetcli.words import (
    EXACT_DECIMALS,
    MOST_NAMED,
    MOST_VALUES,
    count_decimals,
    join_some,
    join_words,
    name_value,
    name_values,
    plural,
    write_difference,
    write_interval,
)

Lead = tuple[Entry, Comparison]
"""A point, and the comparison of the first one with it."""


def conclude_learning_rates(sweep: Sweep, ranking: Ranking) -> tuple[Paragraph, ...]:
    """All that the curves of a sweep over learning rates show, the most important first."""
    paragraphs = list(_conclude_ranking(sweep, ranking))
    return tuple(filter(None, map(tuple, [*paragraphs, conclude_unfinished(sweep)])))


def _conclude_ranking(sweep: Sweep, ranking: Ranking) -> Iterator[Iterator[Statement] | list[Statement]]:
    """The paragraphs on the learning rates that can be compared."""
    courses = follow(ranking) if ranking.entries else ()
    if not courses:
        yield conclude_best(sweep, ranking)
        return
    if all(course.guesses for course in courses):
        yield conclude_guessing(ranking, courses)  # among networks that guess there is no best one
        return
    yield conclude_best(sweep, ranking)
    order = list(conclude_order(sweep, ranking)) if ranking.learned else []
    convergence = list(conclude_convergence(ranking, courses))
    yield from [order, convergence] if len(order) > 1 else [order + convergence]


def conclude_best(sweep: Sweep, ranking: Ranking) -> Iterator[Statement]:
    """The statements on which point of a ranking works best, and on the test accuracy of the first."""
    if not is_uniform(sweep):
        rest = "the rate" if ranking.parameters == ("lr",) else "what is varied"
        yield Statement(
            "unlike", f"The {ranking.noun}s are not ranked: their runs differ in more than {rest}."
        )
        return
    if not ranking.entries:
        yield Statement("nothing ranked", f"No {ranking.noun} can be ranked.")
        return
    if len(ranking.entries) == 1:
        yield _conclude_single(sweep, ranking)
    elif not ranking.learned:
        yield _conclude_none(ranking)
        return
    else:
        yield _conclude_winner(ranking)
        yield from _conclude_lead(ranking)
        yield from _conclude_undecided(sweep, ranking)
        yield from _conclude_method(ranking)
        yield _conclude_best_epoch(ranking)
    yield from _conclude_test(ranking)


def _conclude_single(sweep: Sweep, ranking: Ranking) -> Statement:
    """The statement on the only point that can be ranked."""
    first = ranking.entries[0]
    others = [group for group in sweep.groups() if group.point != first.point]
    runs = "a finished run" if len(first.runs) == 1 else "finished runs"
    if not others:
        subject = f"With {first.name}, the only {ranking.noun} of the sweep,"
    elif all(group.diverged for group in others):
        subject = f"{first.name} is the only {ranking.noun} that has not diverged:"
    elif any(group.diverged for group in others):
        subject = f"{first.name} is the only {ranking.noun} that can be ranked so far:"
    else:
        subject = f"Only the {ranking.noun} {first.name} has {runs}:"
    text = (
        f"{subject} the validation accuracy after {plural(ranking.epochs, 'epoch')} is "
        f"{_write_final(ranking)}, and {ranking.write(first.best)} at the best epoch."
    )
    return Statement("only", text, first.ids, {"best": first.best, "final": first.final})


def _conclude_none(ranking: Ranking) -> Statement:
    """The statement that no point is above guessing after the last epoch."""
    first = ranking.entries[0]
    peak = max(ranking.entries, key=lambda entry: entry.best)
    scope = _write_scope(ranking)
    text = (
        f"{scope}{'none' if scope else f'No {ranking.noun}'} is clearly above guessing after "
        f"{plural(ranking.epochs, 'epoch')}: the highest accuracy there is {_write_final(ranking)}, of "
        f"{first.name}. At its best epoch {peak.name} reaches {_write_best(peak.best, ranking)}."
    )
    return Statement("none", text, cite(first, peak), {"final": first.final, "best": peak.best})


def _conclude_winner(ranking: Ranking) -> Statement:
    """The statement that names the point that works best, or those that work best and alike."""
    first = ranking.entries[0]
    alike = [entry for entry, _ in ranking.others(Verdict.ALIKE)]
    best = [first, *alike]
    after = f"after {plural(ranking.epochs, 'epoch')}"
    scope = _write_scope(ranking)
    if ranking.others(Verdict.UNDECIDED):
        topic = "highest"
        best = [entry for entry in ranking.entries if entry.final == first.final]
        verb = "has" if len(best) == 1 else "have"
        names = name_entries(best)
        text = f"{scope}{names} {verb} the highest validation accuracy {after}, {_write_final(ranking)}."
    elif alike:
        topic = "winner"
        means = f" (means over {len(ranking.seeds)} seeds)" if len(ranking.seeds) > 1 else ""
        text = (
            f"{scope}{name_entries(best)} work best, and alike: {after} they reach "
            f"validation accuracies {_write_accuracies(best, ranking)}{means}."
        )
    else:
        topic = "best"
        text = (
            f"{scope}{first.name} works best: {after} it reaches a validation accuracy of "
            f"{_write_final(ranking)}."
        )
    return Statement(topic, text, cite(*best), {"final": first.final})


def _write_accuracies(entries: Sequence[Entry], ranking: Ranking) -> str:
    """The accuracies of entries after the last epoch, with a preposition; of many the highest and lowest."""
    listed = [ranking.write(entry.final) for entry in entries]
    if len(entries) <= MOST_NAMED:
        return f"of {join_words(listed)}"
    finals = [entry.final for entry in entries]
    highest, lowest = ranking.write(max(finals)), ranking.write(min(finals))
    return f"from {highest} to {lowest}" if highest != lowest else f"of {highest} each"


def _write_scope(ranking: Ranking) -> str:
    """The points and seeds that are compared, of a single parameter unless these are all of the sweep."""
    common = f"over the {plural(len(ranking.seeds), 'seed')} that all of them have finished, "
    over_seeds = "" if ranking.all_seeds else common
    if len(ranking.parameters) > 1:
        nouns = join_words(list(map(name_parameter, ranking.parameters)))
        able = "" if ranking.all_points else " that can be compared"
        count = plural(len(ranking.entries), "combination")
        return f"Of the {count} of {nouns}{able}, {over_seeds}"
    if ranking.all_points and ranking.all_seeds:
        return ""
    rates = sorted((entry.rate for entry in ranking.entries), reverse=True)
    if len(rates) > MOST_VALUES:
        ends = f"from {name_value(rates[-1])} to {name_value(rates[0])}"
        return f"Of the {len(rates):,} learning rates {ends} that can be compared, {over_seeds}"
    return f"Of the learning rates {name_values(rates)}, {over_seeds}"


def _write_final(ranking: Ranking) -> str:
    """The accuracy of the first after the last epoch."""
    return _write_mean(ranking.entries[0].final, ranking)


def _write_mean(accuracy: float, ranking: Ranking) -> str:
    """An accuracy over the seeds, with their number if there are several."""
    seeds = f" (mean over {len(ranking.seeds)} seeds)" if len(ranking.seeds) > 1 else ""
    return ranking.write(accuracy) + seeds


def _write_best(accuracy: float, ranking: Ranking) -> str:
    """The accuracy at the best epoch of each seed."""
    return ranking.write(accuracy) + (" on average" if len(ranking.seeds) > 1 else "")


def _conclude_lead(ranking: Ranking) -> Iterator[Statement]:
    """Statements on the points that the first is ahead of, and on those that are like it."""
    first, ahead = ranking.entries[0], ranking.others(Verdict.AHEAD)
    alike = ranking.others(Verdict.ALIKE)
    if ahead:
        subject = first.name if alike else "It"
        text = f"{subject} is ahead of {_write_differences(ahead[:1])}"
        if len(ahead) > 1:
            size = "larger" if ahead[1][1].estimate > ahead[0][1].estimate else "as large or larger"
            others = name_entries(entry for entry, _ in ahead[1:])
            if len(ahead) - 1 > MOST_NAMED:
                others = f"{'the ' * (len(ahead) == len(ranking.leads))}{len(ahead) - 1:,} others"
            text += f"; its lead over {others} is {size}"
        yield _state("lead", f"{text}.", first, ahead)
    in_every_seed = ranking.others(Verdict.AHEAD_IN_EVERY_SEED)
    if in_every_seed:
        lowest = ranking.write(min(first.after(ranking.epochs).accuracies))
        others = join_some(
            [
                f"{entry.name} ({ranking.write(max(lead.other.accuracies))} or less)"
                for entry, lead in in_every_seed
            ]
        )
        text = (
            f"{first.name} is {'also ' if ahead else ''}ahead, in every seed ({lowest} or more), of {others};"
            f" {len(ranking.seeds)} seeds are too few for an interval that says so."
        )
        yield _state("lead in every seed", text, first, in_every_seed)
    if alike:
        text = f"{first.name} {_write_leads(alike)}"
        yield _state("alike", f"{text}: within ±{ALIKE:g}, which counts as alike.", first, alike)


def _write_differences(leads: Sequence[Lead]) -> str:
    """The names of points, how far each is behind, and the intervals of that."""
    decimals = count_decimals(lead.estimate for _, lead in leads)
    parts: list[str] = []
    for entry, lead in leads:
        kind = "" if parts else "95% interval "
        interval = f" ({kind}{write_interval(*lead.interval)})" if lead.interval else ""
        size = "" if _is_level(lead) else f" by {write_difference(lead.estimate, decimals)}"
        parts.append(f"{entry.name}{size}{interval}")
    return join_some(parts)


def _write_leads(leads: Sequence[Lead]) -> str:
    """The predicate of the first: the points that it leads, and those with the same accuracy."""
    clauses = (
        ("leads", [lead for lead in leads if not _is_level(lead[1])]),
        ("is level with", [lead for lead in leads if _is_level(lead[1])]),
    )
    return " and ".join(f"{verb} {_write_differences(some)}" for verb, some in clauses if some)


def _is_level(lead: Comparison) -> bool:
    return round(lead.estimate, EXACT_DECIMALS) == 0


def _conclude_method(ranking: Ranking) -> Iterator[Statement]:
    """The statement on how intervals were computed, and what they do not cover; none without an interval."""
    shown = [lead for lead in ranking.leads if lead.verdict is not Verdict.AHEAD_IN_EVERY_SEED]
    if any(lead.interval for lead in shown):
        yield Statement("method", _write_method(ranking))


def _write_method(ranking: Ranking) -> str:
    """How the intervals were computed, and what they do not cover."""
    difference, count = ranking.leads[0].difference, len(ranking.leads)
    subject = "The interval" if count == 1 else "The intervals"
    verb = ("covers", "is") if count == 1 else ("cover", "are")
    family = f", and {verb[1]} wider because {count} comparisons are made (Holm)" if count > 1 else ""
    images = f"{ranking.images.count:,} validation images"
    if isinstance(difference, SeedsDifference):
        floor = f" and the choice of the {images}" if ranking.images.count else ""
        return f"{subject} {verb[0]} the spread over the seeds (Welch){floor}{family}."
    caveat = (
        f"One network of each {ranking.noun.split()[-1]} is compared: another seed may give another result."
    )
    source = f"the choice of the {images}"
    if isinstance(difference, PairedDifference):
        source += ", by those on which only one of two networks is right (McNemar’s exact test)"
    else:
        source += ", by the accuracies alone, as the predictions are not in the store (Newcombe)"
    return f"{subject} {verb[0]} {source}{family}. {caveat}"


def _state(topic: str, text: str, first: Entry, leads: list[Lead], command: str = "") -> Statement:
    """A statement on comparisons, with their numbers."""
    numbers: dict[str, float] = {}
    for entry, lead in leads:
        numbers[f"lead over {entry.name}"] = lead.estimate
        if lead.interval:
            numbers[f"low {entry.name}"], numbers[f"high {entry.name}"] = lead.interval
    return Statement(topic, text, cite(first, *(entry for entry, _ in leads)), numbers, command)


def _conclude_undecided(sweep: Sweep, ranking: Ranking) -> Iterator[Statement]:
    """The statement on the points over which no lead can be told, and on what would tell."""
    undecided = ranking.others(Verdict.UNDECIDED)
    if not undecided:
        return
    first = ranking.entries[0]
    names = join_some([entry.name for entry, _ in undecided], "or")
    text = f"Whether {first.name} works better than {names} cannot be told"
    if undecided[0][1].interval is None:  # of all or of none
        text += ": the store has neither the predictions nor the number of the validation images"
    else:
        text += f": it {_write_leads(undecided)}"
    # A rate for which no number of seeds is enough does not keep the others from being decided.
    needed = [lead.seeds_needed for _, lead in undecided if lead.seeds_needed is not None]
    seeds, command = max(needed, default=0), ""
    if not needed:
        text += f"; the {ranking.images.count:,} validation images are too few to tell, with any seeds."
    elif seeds > MOST_SEEDS:
        text += f"; it would probably take more than {MOST_SEEDS} seeds."
    else:
        text += f"; {seeds} seeds would probably tell."
        points = [entry.point for entry in (first, *(entry for entry, _ in undecided))]
        command = write_command(sweep.narrow(points), seeds=seeds)
    yield _state("undecided", text, first, undecided, command)


def _conclude_best_epoch(ranking: Ranking) -> Statement:
    """The statement on the point with the highest accuracy at its best epoch."""
    first, *others = ranking.entries
    peak = max(ranking.entries, key=lambda entry: entry.best)
    numbers = {"best": peak.best}
    if peak.best > first.best:
        is_alike = any(entry is peak for entry, _ in ranking.others(Verdict.ALIKE))
        winner = f"puts {peak.name} first of these" if is_alike else f"names another winner, {peak.name}"
        text = (
            f"The best epoch {winner}: its best accuracy is "
            f"{_write_best(peak.best, ranking)}, against {ranking.write(first.best)} of {first.name}, and "
            f"it ends {write_difference(peak.best - peak.final)} below it."
        )
        return Statement("winners differ", text, cite(peak, first), numbers | {"of the first": first.best})
    rival = max(others, key=lambda entry: entry.best)
    if rival.best == first.best:
        level = [entry for entry in ranking.entries if entry.best == first.best]
        names = name_entries(level)
        text = f"At their best epochs {names} reach the same, {_write_best(first.best, ranking)}."
        return Statement("best epoch", text, cite(*level), numbers)
    text = (
        f"The best epoch gives the same answer: {_write_best(first.best, ranking)}, against at most "
        f"{ranking.write(rival.best)}."
    )
    return Statement("best epoch", text, cite(first, rival), numbers)


def _conclude_test(ranking: Ranking) -> Iterator[Statement]:
    """The statement on the test accuracy of the first; none if a run of it has no test accuracy."""
    first = ranking.entries[0]
    accuracies = [run.test_accuracy for run in first.runs if run.test_accuracy is not None]
    if len(accuracies) == len(first.runs):
        mean = statistics.fmean(accuracies)
        text = f"On the test set, which played no part in this choice, {first.name} reaches "
        yield Statement("test", f"{text}{_write_mean(mean, ranking)}.", first.ids, {"test_accuracy": mean})
