"""A look at each sentence on learning rates: what its words and numbers claim, against what is true."""

import math
import re
import shlex
from statistics import fmean

from helpers.brute_rates import TrueRates
from helpers.rate_sentences import ACC, DIFF, RATE, SENTENCES


def read_rates(text):
    return [float(rate) for rate in re.findall(RATE, text or "")]


def read(number):
    return float(number.replace("−", "-").replace(",", ""))


def is_close(printed, true):
    """Whether a number has been printed to its digits, and not as 0 or 1 if it is neither."""
    digits = len(printed.partition(".")[2])
    assert abs(read(printed)) not in (0, 1) or abs(true - read(printed)) < 1e-9, "rounded away"
    return abs(read(printed) - true) <= 0.5 * 10**-digits + 1e-7


def recognise(sentences, statement):
    """The name of the pattern that a statement has, and the match; one of unknown words is false."""
    matches = [(name, re.fullmatch(pattern, statement.text)) for name, pattern in sentences.items()]
    found = [(name, match) for name, match in matches if match]
    assert len(found) == 1, "unknown words"
    return found[0]


class RateLook:
    """The look at the statements on a sweep; ``said`` has the rates of which each thing has been said."""

    def __init__(self, sweep, store):
        self.true = TrueRates(sweep, store)
        self.said, self.first, self.topics = {}, None, []

    def look(self, statement):
        """Check a statement."""
        name, match = recognise(SENTENCES, statement)
        self.topics.append(name)
        self.command = shlex.split(statement.command)
        getattr(self, name)(**match.groupdict())
        assert not self.command or name in ("undecided", "edge", "unfinished"), "a command without a sentence"
        known = {run.id for run in self.true.sweep.runs}
        assert known >= set(statement.runs), "runs of another sweep"

    def say(self, thing, rates):
        self.said.setdefault(thing, set()).update(rates)

    # Which is best

    def unlike(self):
        assert not self.true.is_uniform

    def nothing_ranked(self):
        assert self.true.is_uniform and not self.true.ranked

    def only(self, subject, rate, epochs, final, seeds, best):
        true, rate = self.true, float(rate)
        assert true.ranked == [rate]
        self.first = rate
        others = [other for other in true.rates if other != rate]
        if "of the sweep" in subject:
            assert not others
        elif "has not diverged" in subject:
            assert others and all(true.diverged[other] for other in others)
        elif "so far" in subject:
            assert any(true.diverged[r] for r in others) and not all(true.diverged[r] for r in others)
        else:
            assert others and not any(true.whole[other] or true.diverged[other] for other in others)
            assert ("has a finished run" in subject) == (len(true.seeds) == 1)
        self.check_final(rate, epochs, final, seeds)
        assert is_close(best, true.best[rate])
        self.say("only", [rate])

    def none_learned(self, scope, common, epochs, final, seeds, first, peak, best, mean):
        true, first, peak = self.true, float(first), float(peak)
        assert not true.learned and len(true.ranked) > 1
        self.check_scope(scope, common)
        self.check_final(first, epochs, final, seeds)
        self.check_highest(true.final, first)
        self.check_highest(true.best, peak)
        assert is_close(best, true.best[peak]) and bool(mean) == (len(true.seeds) > 1)
        self.first = first
        self.say("none", true.ranked)

    def highest(self, scope, common, names, epochs, final, seeds):
        final_accuracies = self.true.final
        names = read_rates(names)
        self.set_first(names[0], scope, common, epochs, final, seeds)
        assert any("undecided" in verdicts for *_, verdicts in self.true.leads(self.first).values())
        level = {rate for rate, value in final_accuracies.items() if value == final_accuracies[self.first]}
        assert set(names) == level, "another has as much"
        self.say("highest", names)

    def alike_best(self, scope, common, names, epochs, accuracies, seeds):
        names, accuracies = read_rates(names), re.findall(ACC, accuracies)
        self.set_first(names[0], scope, common, epochs, accuracies[0], seeds)
        assert len(names) == len(accuracies) > 1
        for rate, accuracy in zip(names, accuracies, strict=True):
            assert is_close(accuracy, self.true.final[rate])
        for rate, (*_, verdicts) in self.true.leads(self.first).items():
            assert ("alike" if rate in names else "ahead") in {
                "ahead" if v == "apart" else v for v in verdicts
            }
        self.say("best", names)

    def best(self, scope, common, first, epochs, final, seeds):
        self.set_first(first, scope, common, epochs, final, seeds)
        assert all(v & {"ahead", "apart"} for *_, v in self.true.leads(self.first).values())
        self.say("best", [self.first])

    def set_first(self, first, scope, common, epochs, final, seeds):
        self.first = float(first)
        assert self.true.learned and len(self.true.ranked) > 1
        assert not self.true.guesses(self.first) or self.true.guessing is None
        self.check_highest(self.true.final, self.first)
        self.check_scope(scope, common)
        self.check_final(self.first, epochs, final, seeds)

    def check_highest(self, accuracies, rate):
        assert accuracies[rate] >= max(accuracies.values()) - 1e-12

    def check_scope(self, scope, common):
        true = self.true
        is_all = len(true.ranked) == len(true.rates) and true.seeds == true.all_seeds
        assert is_all == (scope is None)
        assert is_all or sorted(read_rates(scope), reverse=True) == read_rates(scope)
        assert is_all or set(read_rates(scope)) == set(true.ranked)
        assert (common is None) == (true.seeds == true.all_seeds)
        assert common is None or int(common) == len(true.seeds)

    def check_final(self, rate, epochs, final, seeds):
        assert int(epochs) == self.true.epochs and is_close(final, self.true.final[rate])
        assert int(seeds or 1) == len(self.true.seeds)

    # How far ahead

    def check_leads(self, leads, verdict):
        """The rates of a list of leads, each with its difference and interval."""
        rates = []
        for rate, estimate, low, high in re.findall(
            rf"({RATE})(?: by ({DIFF}))?(?: \((?:95% interval )?({DIFF}) to ({DIFF})\))?", leads
        ):
            gap, level, verdicts = self.true.leads(self.first)[float(rate)]
            assert verdict in verdicts, (rate, verdicts)
            assert is_close(estimate or "0.0000", gap.estimate) and gap.estimate > -1e-12
            told = self.said.get("highest", set()) | self.said.get("best", set())
            assert gap.estimate > 0 or float(rate) in told, "no lead"
            assert bool(low) == math.isfinite(gap.interval(level)[0])
            # Newcombe's p-values below 1e-9 have no order: each place in the family is right for them.
            levels = [level]
            if gap.kind == "Newcombe" and gap.p < 1e-9:
                levels = [1 - 0.05 / place for place in range(1, len(self.true.ranked))]
            ends = [gap.interval(one) for one in levels]
            assert not low or any(is_close(low, max(a, -1)) and is_close(high, min(b, 1)) for a, b in ends)
            rates.append(float(rate))
        assert leads.count("95% interval") == ("(" in leads)
        return rates

    def ahead(self, subject, leads, others, more):
        assert subject == "It" or float(subject) == self.first
        (nearest,) = self.check_leads(leads, "ahead")
        compared, others = self.true.leads(self.first), read_rates(others)
        assert all("ahead" in compared[rate][2] for rate in others)
        gaps = [compared[rate][0].estimate - compared[nearest][0].estimate for rate in others]
        assert all(gap > -1e-12 for gap in gaps) and bool(more) == (min(gaps, default=1) <= 1e-12), (
            "not by more"
        )
        self.say("ahead", [nearest, *others])

    def apart(self, first, also, lowest, others, count):
        true = self.true
        assert float(first) == self.first and int(count) == len(true.seeds)
        assert bool(also) == ("ahead" in self.said)
        low = min(curve[-1] for curve in true.curves[self.first])
        assert is_close(lowest, low)
        for rate, highest in re.findall(rf"({RATE}) \(({ACC}) or less\)", others):
            high = max(curve[-1] for curve in true.curves[float(rate)])
            assert is_close(highest, high) and high < low
            assert "apart" in true.leads(self.first)[float(rate)][2]
            self.say("apart", [float(rate)])

    def check_level(self, leads, both, level, verdict):
        """The rates that the first leads, then those that are level with it."""
        assert bool(both) == bool(leads and level) and (leads or level)
        ahead = self.check_leads(leads, verdict) if leads else []
        ties = self.check_leads(level, verdict) if level else []
        gaps = {rate: gap.estimate for rate, (gap, *_) in self.true.leads(self.first).items()}
        assert all(gaps[rate] > 1e-12 for rate in ahead) and all(abs(gaps[rate]) < 1e-12 for rate in ties)
        return sorted([*ahead, *ties], key=list(gaps).index)

    def alike(self, first, leads, both, level, limit):
        assert float(first) == self.first and limit == "0.005"
        self.say("alike", self.check_level(leads, both, level, "alike"))

    def method(self, subject, welch, floor, images, mcnemar, newcombe, family, caveat):
        leads = list(self.true.leads(self.first).values())
        gap = leads[0][0]
        assert subject == ("interval covers" if len(leads) == 1 else "intervals cover")
        assert gap.kind == (welch or mcnemar or newcombe) and bool(caveat) == (welch is None)
        for count in filter(None, (floor, images)):
            assert read(count) == self.true.images
        assert not welch or bool(floor) == bool(self.true.images)
        assert int(family or 1) == len(leads)

    def undecided(self, first, names, leads, both, level, unknown, few, over, seeds):
        true, names = self.true, read_rates(names)
        assert float(first) == self.first
        compared = {rate: true.leads(self.first)[rate] for rate in names}
        assert all("undecided" in verdicts for *_, verdicts in compared.values())
        if not unknown:
            assert self.check_level(leads, both, level, "undecided") == names
        else:
            assert any(not math.isfinite(gap.interval(level)[0]) for gap, level, _ in compared.values())
            assert not self.true.images
        needed = [gap.seeds_needed(level) for gap, level, _ in compared.values()]
        most = max((number for number in needed if number), default=0)
        if few:
            assert not most and int(few.replace(",", "")) == true.images
        elif over:
            assert int(over) == 100 < most
        else:
            assert int(seeds) == most > len(true.seeds), "as many seeds as there are"
            self.check_command(true.rates, int(seeds))
        self.say("undecided", names)

    def check_command(self, rates, seeds):
        """A sweep over these rates, in this order, with so many seeds."""
        words, epochs = self.command, self.true.epochs
        values = words[3 : next((n for n, word in enumerate(words) if word.startswith("--")), None)]
        assert words[:3] == ["lenetcli", "sweep", "lr"]
        assert [float(value) for value in values if value not in ("batch-size", "64", "128")] == list(rates)
        assert ("--epochs" in words) == (epochs != 10)
        assert epochs == 10 or words[words.index("--epochs") + 1] == str(epochs)
        assert (int(words[words.index("--seeds") + 1]) if "--seeds" in words else 1) == seeds

    def same_best_epoch(self, accuracy, mean, rival):
        best = self.true.best
        others = max(value for rate, value in best.items() if rate != self.first)
        assert is_close(accuracy, best[self.first]) and is_close(rival, others)
        assert best[self.first] > others, "another is as good at its best epoch"
        assert bool(mean) == (len(self.true.seeds) > 1)

    def equal_best_epoch(self, names, accuracy, mean):
        best, names = self.true.best, read_rates(names)
        assert {rate for rate, value in best.items() if value == max(best.values())} == set(names)
        assert names[0] == self.first and is_close(accuracy, best[self.first])
        assert bool(mean) == (len(self.true.seeds) > 1)

    def other_best_epoch(self, peak, other, accuracy, mean, against, first, below):
        true, peak = self.true, float(peak or other)
        assert float(first) == self.first != peak
        self.check_highest(true.best, peak)
        assert true.best[peak] > true.best[self.first]
        assert is_close(accuracy, true.best[peak]) and is_close(against, true.best[self.first])
        assert is_close(below, true.best[peak] - true.final[peak])
        assert bool(mean) == (len(true.seeds) > 1)
        assert other or peak in self.said["alike"]
        self.say("another", [peak] if other else [])

    def test(self, first, accuracy, seeds):
        accuracies = [run.curve[-1].test_accuracy for run in self.true.runs[self.first]]
        assert float(first) == self.first and is_close(accuracy, fmean(accuracies))
        assert int(seeds or 1) == len(self.true.seeds)

    # Order

    def order(self, trend, listed):
        assert self.true.is_ordered
        pairs = re.findall(rf"({ACC}) at ({RATE})", listed)
        rates = [float(rate) for _, rate in pairs]
        accuracies = [self.true.final[rate] for rate in rates]
        assert rates == sorted(rates)
        assert accuracies == sorted(set(accuracies), reverse=trend == "lower")
        assert set(rates) == set(self.true.ranked)
        for accuracy, rate in pairs:
            assert is_close(accuracy, self.true.final[float(rate)])

    def reason(self):
        compared = self.true.leads(self.first)
        assert any(r < self.first and compared[r][2] & {"ahead", "apart"} for r in compared)

    def speed(self, first, accuracy, epochs, limits, verb):
        true = self.true
        assert float(first) == self.first and int(epochs) == true.epochs > 1
        assert is_close(accuracy, fmean(curve[0] for curve in true.curves[self.first]))
        pairs = [(float(r), top) for r, top in re.findall(rf"({RATE}) \(at most ({ACC})\)", limits)]
        assert (verb == "gets") == (len(pairs) == 1)
        assert {rate for rate, _ in pairs} == true.slow(self.first)
        assert all(is_close(top, true.highest[rate]) for rate, top in pairs)
        self.say("slow", [rate for rate, _ in pairs])

    def too_high(self, clauses):
        true = self.true
        for rate, accuracy in re.findall(rf"({RATE}) reaches only ({ACC})", clauses):
            assert float(rate) > self.first and is_close(accuracy, true.final[float(rate)])
            assert true.leads(self.first)[float(rate)][2] & {"ahead", "apart"}
            self.say("too high", [float(rate)])
        for rate in re.findall(rf"({RATE}) diverged", clauses):
            assert float(rate) > self.first and true.diverged[float(rate)]

    def edge(self):
        true = self.true
        assert true.is_ordered and self.first == max(true.rates)
        more = [float(f"{self.first * factor:.3g}") for factor in (10, 3)]
        self.check_command([*more, *true.rates], len(true.all_seeds))

    # Convergence

    def unknown_convergence(self, epochs):
        assert int(epochs) == self.true.epochs < 5

    def rising(self, names, window, gains):
        names = read_rates(names)
        gains = re.findall(rf"({DIFF})(?: an epoch)? \((?:95% interval )?({DIFF}) to ({DIFF})\)", gains)
        assert int(window) == self.true.window
        for rate, numbers in zip(names, gains, strict=True):
            assert self.true.rises(rate) and self.true.rises_at_a_glance(rate)
            assert read(numbers[0]) > 0
            assert all(map(is_close, numbers, self.true.slope(rate)))
        self.say("rising", names)

    def small_steps(self, owner, names, factors, first, epochs):
        true = self.true
        factors = [read(factor) for factor in re.findall(r"\d[\d,]*(?:\.\d+)?", factors)]
        rates = read_rates(names) or [rate for rate in true.ranked if true.rises(rate)]
        assert float(first) == self.first and int(epochs) == true.epochs
        assert names or (owner == "Their") == (len(rates) > 1)
        for rate, factor in zip(rates, factors, strict=True):
            assert rate < self.first and abs(factor / (self.first / rate) - 1) < 0.005
            assert true.rises(rate) and true.leads(self.first)[rate][2] & {"ahead", "apart"}
        self.say("small steps", rates)

    def pace(self, begin, end, shrinking, goal, needed, steady):
        true = self.true
        half = (true.window - 1) // 2
        assert begin == f"{true.epochs - true.window + 1}–{true.epochs - true.window + 1 + half}"
        assert end == f"{true.epochs - half}–{true.epochs}"
        assert shrinking or steady
        found = re.findall(rf"from ({DIFF}) to ({DIFF}) at ({RATE})", shrinking or "")
        rest = re.findall(rf"({RATE}) \(from ({DIFF}) to ({DIFF})\)", steady or "")
        for triples, thing in ((found, "shrinking"), ([(a, b, r) for r, a, b in rest], "steady")):
            for early, late, rate in triples:
                pace = true.pace(float(rate))
                assert is_close(early, pace[0]) and is_close(late, pace[1])
                assert read(late) > 0, "it does not rise any more"
                assert (thing == "shrinking") == (read(late) < read(early))
                self.say(thing, [float(rate)])
        assert (goal is None) or is_close(goal, true.final[self.true.ranked[0]])
        for count, rate in re.findall(rf"(\d[\d,]*)(?: more epochs?)? at ({RATE})", needed or ""):
            missing = true.final[true.ranked[0]] - true.final[float(rate)]
            assert abs(read(count) - math.ceil(missing / true.slope(float(rate))[2])) <= 1e-9 < missing
            assert float(rate) in self.said["shrinking"]

    def level(self, names, window):
        assert int(window) == self.true.window
        assert not any(map(self.true.rises, read_rates(names)))
        self.say("level", read_rates(names))

    def guess(self, names, verb, share):
        names = read_rates(names)
        assert all(map(self.true.guesses, names)) and is_close(share, self.true.guessing)
        assert verb == ("is" if len(names) == 1 else "are")
        self.say("guessing", names)

    def fall(self, clauses, reason):
        true = self.true
        total = len(true.seeds) * (true.epochs - 1)
        found = re.findall(
            rf"in (\d+) of (\d+)(?: cases?)? at ({RATE}) "
            rf"\((at most )?by ({ACC}), in epoch (\d+)(?: of seed (\d+))?\)",
            clauses,
        )
        fallen = {rate for rate, falls in true.falls.items() if falls and not true.guesses(rate)}
        assert {float(one[2]) for one in found} == fallen
        for count, steps, rate, most, depth, epoch, seed in found:
            falls = true.falls[float(rate)]
            assert (int(count), int(steps)) == (len(falls), total) and bool(most) == (len(falls) > 1)
            deepest = max(fall[0] for fall in falls)
            assert is_close(depth, deepest) and bool(seed) == (len(true.seeds) > 1)
            named = [f for f in falls if f[1] == int(epoch) and (not seed or f[2] == int(seed))]
            assert named and named[0][0] >= deepest - 1e-12
        self.say("falling by large steps" if reason else "falling", [float(one[2]) for one in found])

    # What is missing

    def unfinished(self, device, values):
        true = self.true
        assert device == true.sweep.device.value.upper()
        if not true.is_uniform:
            return
        seeds = {}
        for rate, listed in re.findall(
            rf"({RATE})(?: \(seeds? ([\d, and]+)\))?(?=, {RATE}| and {RATE}|$)", values
        ):
            seeds[float(rate)] = [int(seed) for seed in re.findall(r"\d+", listed)]
        expected = {}
        for rate in true.rates:
            ended = {run.config.seed for run in (*true.whole[rate], *true.diverged[rate])}
            missing = [seed for seed in true.all_seeds if seed not in ended]
            if missing:
                expected[rate] = missing if len(true.all_seeds) > 1 else []
        assert seeds == expected
        self.check_command(true.rates, len(true.all_seeds))
        self.say("unfinished", [rate for rate in seeds if not true.whole[rate]])

    def diverged(self, device, values):
        true = self.true
        assert device == true.sweep.device.value.upper()
        if not true.is_uniform:
            return
        found = {}
        for rate, count, total, epochs in re.findall(
            rf"({RATE})(?: with (\d+) of (\d+) seeds)? \(no finite loss in epochs? ([\d, and]+)\)", values
        ):
            runs = true.diverged[float(rate)]
            assert (int(count or 1), int(total or 1)) == (len(runs), len(true.all_seeds))
            assert [int(n) for n in re.findall(r"\d+", epochs)] == sorted(
                {len(run.curve) + 1 for run in runs}
            )
            found[float(rate)] = True
        assert set(found) == {rate for rate in true.rates if true.diverged[rate]}
        self.say("diverged", found)

    # Pairs

    def look_at_pairs(self):
        """No two statements exclude each other, and every rate is accounted for."""
        true, said = self.true, self.said
        assert len(self.topics) == len(set(self.topics)), "said twice"
        for things in EXCLUSIVE:
            rates = [rate for thing in things for rate in said.get(thing, ())]
            assert len(rates) == len(set(rates)), f"{things} of one rate"
        topics = set(self.topics)
        for one, other in NOT_TOGETHER:
            assert not {one, other} <= topics, f"{one} and {other}"
        if not true.is_uniform:
            return
        compared = set().union(
            *(said.get(thing, set()) for thing in ("ahead", "apart", "alike", "undecided"))
        )
        if topics & {"best", "highest", "alike_best"}:
            assert compared == {*true.ranked} - {self.first}, "a rate without a verdict"
            assert ("best" in topics) == (not said.keys() & {"alike", "undecided"})
            peak = max(true.best.values())
            assert true.best[self.first] == peak or "other_best_epoch" in topics, "another winner, untold"
        if true.window and true.ranked and not all(map(true.guesses, true.ranked)):
            courses = set().union(*(said.get(thing, set()) for thing in ("rising", "level", "guessing")))
            assert courses == set(true.ranked), "a rate without a course"
        missing = said.get("unfinished", set()) | said.get("diverged", set())
        if true.ranked:
            assert missing | set(true.ranked) == set(true.rates), "a rate that is nowhere"
        assert not missing & set(true.ranked), "ranked and missing"


EXCLUSIVE = (
    ("ahead", "apart", "alike", "undecided"),
    ("rising", "level", "guessing"),
    ("best", "ahead", "apart", "undecided"),
    ("best", "guessing"),
    ("highest", "guessing"),
    ("best", "another"),
    ("shrinking", "steady"),
    ("slow", "another"),
    ("too high", "small steps"),
    ("falling by large steps", "small steps"),
    ("none", "best", "highest"),
)
"""What is never said of the same rate."""

NOT_TOGETHER = (
    ("best", "undecided"),
    ("best", "highest"),
    ("best", "alike_best"),
    ("best", "alike"),
    ("alike_best", "undecided"),
    ("order", "undecided"),
    ("order", "highest"),
    ("order", "alike"),
    ("same_best_epoch", "other_best_epoch"),
    ("same_best_epoch", "equal_best_epoch"),
    ("other_best_epoch", "equal_best_epoch"),
    ("unknown_convergence", "rising"),
    ("unknown_convergence", "level"),
    ("none_learned", "order"),
    ("none_learned", "reason"),
    ("none_learned", "test"),
    ("only", "ahead"),
    ("only", "undecided"),
    ("only", "order"),
    ("nothing_ranked", "level"),
    ("unlike", "best"),
)
"""Looks that never follow statements of one sweep."""
