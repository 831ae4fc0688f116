"""A look at each sentence on filters, parameters and runtime, against the stored times."""

import math
import re
from itertools import pairwise

import numpy as np
from helpers.rate_look import read, recognise
from helpers.rate_sentences import COUNT, many
from scipy import optimize, stats

LABEL = r"(?:CPU|GPU) \(.+?\)(?:, .+?)?"
MODEL = r"fit of overhead plus time in proportion to the multiply-adds"
VALUES = r"(?P<values>\d[\w., ()]*)"
SENTENCES = {
    "parameters": (
        r"With F filters of 3×3 and 128 hidden units there are (?P<square>[\d,]+) F² \+ (?P<linear>[\d,]+) F "
        r"\+ "
        r"(?P<constant>[\d,]+) parameters(?:: (?P<least>[\d,]+) for (?P<small>\d+) and (?P<most>[\d,]+) for "
        rf"(?P<large>\d+) filters, (?P<growth>{COUNT}) times as many for (?P<factor>{COUNT}) times the "
        rf"filters)?"
        r"\. The first fully connected layer holds (?P<share>\d+)% of them at (?P<at>\d+) filters?"
        r"(?:, so that the growth is nearly linear up to (?P<up>\d+) filters)?; the quadratic part, from the "
        r"second convolution, makes (?P<part>\d+)% at (?P<end>\d+) and overtakes the linear one only at "
        r"about "
        r"(?P<crossing>[\d,]+) filters\."
    ),
    "growth": (
        rf"On the (?P<label>{LABEL}), training with (?P<large>\d+) filters takes (?P<factor>{COUNT}) times "
        rf"as "
        rf"long as with (?P<small>\d+), for (?P<size>{COUNT}) times the parameters: (?P<verdict>too few "
        rf"epochs "
        r"were timed to compare the two|it grows faster than they do|it grows more slowly than they "
        r"do|whether "
        r"it grows faster than they do, the spread of the epochs hides)(?:\. As a power of the number of "
        r"filters, runtime has the exponent (?P<exponent>−?[\d.]+) ± (?P<margin>[\d.]+) \(95%\))?\."
    ),
    "no_law": rf"No {MODEL} describes these runtimes, so that where overhead ends cannot be read from them\.",
    "law": (
        rf"A {MODEL} meets every point within (?P<misfit>\d+)%: (?:(?P<all>the arithmetic|overhead) takes "
        rf"most of "
        r"the time at every size measured|overhead takes most of the time below about (?P<turn>\d+) filters, "
        r"the arithmetic above)\."
    ),
    "reason": (
        r"Runtime follows the arithmetic rather than the parameters\. The fully connected layer uses each of "
        r"its weights once for an image, and they grow in number with F; the second convolution applies its "
        r"kernels at every pixel, and they grow in number with F²\. With (?P<size>\d+) filters? the fully "
        r"connected layer has (?P<dense>\d+)% of the parameters, and the second convolution does "
        r"(?P<convolution>\d+)% of the multiply-adds\. So the runtime of large networks grows faster than "
        r"their parameters; in small ones that is hidden by the overhead, the time that a step takes "
        r"whatever the size\."
    ),
    "unlike": rf"{LABEL} and {LABEL} are not compared: their data or settings differ\.",
    "nothing_common": rf"{LABEL} and {LABEL} share no number of filters that both measured without doubt\.",
    "speedup": (
        rf"Speed-up of the {LABEL} over the {LABEL}: (?P<ratios>{many(rf'{COUNT} [(][0-9]+ filters[)]')})\. "
        r"By more than the spread of the epochs, the GPU is faster at (?P<sizes>none of these sizes|"
        r"[\d, and]+ filters)\.(?P<grows> The speed-up grows with the size\.)?"
    ),
    "unfinished": rf"Not finished on the (?P<device>CPU|GPU) and not compared: filters {VALUES}\.",
    "diverged": rf"Diverged on the (?P<device>CPU|GPU) and not compared: filters {VALUES}\.",
    "missing_device": r"No sweep over filters on a (?P<device>CPU|GPU) has been timed\.",
}


def is_near(printed, true):
    """Whether a number has been printed to three digits."""
    return math.isclose(read(printed), true, rel_tol=0.00501)


def count_parameters(size):
    return 9 * size**2 + (10 + 49 * 128 + 1) * size + 128 + 128 * 10 + 10


def count_arithmetic(size):
    return 784 * 9 * size + 196 * 9 * size**2 + 49 * 128 * size + 1280


class RuntimeLook:
    """The look at the statements on sweeps over filters."""

    def __init__(self, sweeps):
        self.sweeps = {sweep.device.value.upper(): sweep for sweep in sweeps}
        self.times = {device: self.find_times(sweep) for device, sweep in self.sweeps.items()}
        self.topics, self.device, self.missing = [], None, {device: set() for device in self.sweeps}
        timed = [run.config.filters for sweep in sweeps for run in sweep.runs if run.curve]
        self.sizes = sorted(set(timed))

    def find_times(self, sweep):
        """The seconds of the epochs of undisturbed whole runs, by size."""
        times = {}
        for run in sorted(sweep.runs, key=lambda run: run.config.filters):
            seconds = [timing.train_seconds for attempt in run.attempts for timing in attempt.timings]
            contended = any(timing.contended for attempt in run.attempts for timing in attempt.timings)
            if run.state != "diverged" and len(run.curve) == sweep.epochs and not contended:
                times.setdefault(run.config.filters, []).extend(seconds)
        return times

    def look(self, statement):
        """Check a statement."""
        name, match = recognise(SENTENCES, statement)
        self.topics.append(name)
        assert bool(statement.command) == (name in ("unfinished", "missing_device"))
        getattr(self, name)(**match.groupdict())

    def parameters(self, square, linear, constant, least, small, most, large, growth, factor, **rest):
        counts = [read(count) for count in (square, linear, constant)]
        first, last = self.sizes[0], self.sizes[-1]
        assert all(counts[0] * n * n + counts[1] * n + counts[2] == count_parameters(n) for n in range(4))
        assert (least is None) == (first == last)
        if least:
            assert (int(small), int(large)) == (first, last)
            assert (read(least), read(most)) == (count_parameters(first), count_parameters(last))
            assert is_near(growth, read(most) / read(least)) and is_near(factor, last / first)
        share = 100 * (49 * first + 1) * 128 / count_parameters(first)
        part = 100 * 9 * last**2 / count_parameters(last)
        assert int(rest["at"]) == first and abs(int(rest["share"]) - share) <= 0.501
        assert int(rest["end"]) == last and abs(int(rest["part"]) - part) <= 0.501
        assert abs(read(rest["crossing"]) - counts[1] / counts[0]) <= 0.501
        nearly = [size for size in self.sizes if 9 * size**2 <= 0.1 * count_parameters(size)]
        assert int(rest["up"] or 0) == (nearly[-1] if nearly and share > 50 else 0)

    def growth(self, label, large, factor, small, size, verdict, exponent, margin):
        self.device = label[:3]
        times = self.times[self.device]
        sizes = sorted(times)
        assert (int(small), int(large)) == (sizes[0], sizes[-1]) and len(sizes) > 1
        ratio = count_parameters(sizes[-1]) / count_parameters(sizes[0])
        medians = [float(np.median(times[size])) for size in sizes]
        assert is_near(factor, medians[-1] / medians[0]) and is_near(size, ratio)
        (low1, high1), (low2, high2) = (np.percentile(times[sizes[end]], (25, 75)) for end in (0, -1))
        if "too few" in verdict:
            assert min(len(times[sizes[0]]), len(times[sizes[-1]])) < 3
        elif "faster" in verdict and "whether" not in verdict:
            assert low2 / high1 > ratio and read(factor) > read(size)
        elif "slowly" in verdict:
            assert high2 / low1 < ratio and read(factor) < read(size)
        else:
            assert low2 / high1 <= ratio <= high2 / low1 or factor == size
        _, rate, misfit = self.fit()
        has_law = len(sizes) > 3 and rate > 1e-12 and misfit <= 0.2
        assert (exponent is None) == (len(sizes) < 3 or has_law)
        if exponent:
            xs, ys = np.log(sizes), np.log(medians)
            fit, covariance = np.polyfit(xs, ys, 1), np.linalg.pinv(np.vstack([xs, np.ones(len(xs))]).T)
            rest = ys - np.polyval(fit, xs)
            error = math.sqrt(float(rest @ rest) / (len(xs) - 2) * float(covariance[0] @ covariance[0]))
            assert abs(float(exponent.replace("−", "-")) - fit[0]) <= 0.0051
            assert abs(float(margin) - stats.t.ppf(0.975, len(xs) - 2) * error) <= 0.0051

    def fit(self):
        """The overhead, the rate and the misfit of the least relative deviations, neither below 0."""
        times = {size: float(np.median(values)) for size, values in self.times[self.device].items()}
        seconds, works = np.array(list(times.values())), np.array([count_arithmetic(s) / 1e6 for s in times])
        matrix = np.vstack([1 / seconds, works / seconds]).T
        (overhead, rate), _ = optimize.nnls(matrix, np.ones(len(seconds)))
        return overhead, rate, float(np.abs(matrix @ [overhead, rate] - 1).max())

    def no_law(self):
        _, rate, misfit = self.fit()
        assert rate < 1e-12 or misfit > 0.2 - 1e-9

    def law(self, misfit, all, turn):
        overhead, rate, deviation = self.fit()
        sizes = sorted(self.times[self.device])
        assert (
            rate > 0 and deviation * 100 <= int(misfit) <= max(deviation * 100 + 1, 1) and int(misfit) <= 20
        )
        shares = [rate * count_arithmetic(size) / 1e6 > overhead for size in sizes]
        if all:
            assert set(shares) == {all == "the arithmetic"}
        else:
            below = [rate * count_arithmetic(max(int(turn) + step, 0)) / 1e6 for step in (-1, 1)]
            assert (
                below[0] <= overhead <= below[1] and sizes[0] <= int(turn) + 1 and int(turn) - 1 <= sizes[-1]
            )

    def reason(self, size, dense, convolution):
        size = int(size)
        assert size == self.sizes[-1]
        assert abs(int(dense) - 100 * (49 * size + 1) * 128 / count_parameters(size)) <= 0.501
        assert abs(int(convolution) - 100 * 196 * 9 * size**2 / count_arithmetic(size)) <= 0.501

    def unlike(self):
        assert len({sweep.base.batch_size for sweep in self.sweeps.values()}) == 2

    def nothing_common(self):
        assert not self.times["CPU"].keys() & self.times["GPU"].keys()

    def speedup(self, ratios, sizes, grows):
        assert len({sweep.base.batch_size for sweep in self.sweeps.values()}) == 1
        cpu, gpu = self.times["CPU"], self.times["GPU"]
        true = {size: float(np.median(cpu[size]) / np.median(gpu[size])) for size in sorted(cpu.keys() & gpu)}
        found = {int(size): ratio for ratio, size in re.findall(rf"({COUNT}) \((\d+) filters\)", ratios)}
        assert list(found) == list(true) and all(is_near(ratio, true[size]) for size, ratio in found.items())
        pays = [
            size
            for size in true
            if min(len(cpu[size]), len(gpu[size])) >= 3
            and np.percentile(gpu[size], 75) < np.percentile(cpu[size], 25)
        ]
        assert [int(size) for size in re.findall(r"\d+", sizes)] == pays
        assert all(true[size] > 1 for size in pays)
        if grows:
            assert all(one <= two for one, two in pairwise(true.values()))
            assert list(true.values())[-1] > 1.1 * next(iter(true.values()))

    def unfinished(self, device, values):
        sweep = self.sweeps[device]
        expected = {}
        for cell in sweep.cells:
            run = cell.run
            if not run or (run.state != "diverged" and len(run.curve) < sweep.epochs):
                expected.setdefault(cell.config.filters, []).append(cell.config.seed)
        found = re.findall(r"(\d+)(?: \(seeds? ([\d, and]+)\))?(?=, \d| and \d|$)", values)
        named = {int(size): [int(seed) for seed in re.findall(r"\d+", seeds)] for size, seeds in found}
        several = len(sweep.seeds) > 1
        assert named == {size: seeds if several else [] for size, seeds in expected.items()}
        self.missing[device] |= set(named)

    def diverged(self, device, values):
        sweep = self.sweeps[device]
        found = re.findall(
            r"(\d+)(?: with (\d+) of (\d+) seeds)? \(no finite loss in epochs? ([\d, and]+)\)", values
        )
        runs = {}
        for run in sweep.runs:
            if run.state == "diverged":
                runs.setdefault(run.config.filters, []).append(len(run.curve) + 1)
        assert {int(size) for size, *_ in found} == set(runs)
        for size, count, total, epochs in found:
            assert (int(count or 1), int(total or 1)) == (len(runs[int(size)]), len(sweep.seeds))
            assert [int(epoch) for epoch in re.findall(r"\d+", epochs)] == sorted(set(runs[int(size)]))
        self.missing[device] |= set(runs)

    def look_at_pairs(self):
        """Every size is accounted for, and there is a word on each device."""
        for device, sweep in self.sweeps.items():
            sizes = {cell.config.filters for cell in sweep.cells}
            disturbed = {run.config.filters for run in sweep.runs if run.contended}
            assert sizes == self.times[device].keys() | self.missing[device] | disturbed, (
                "a size that is nowhere"
            )
        topics = self.topics
        grown = [device for device, times in self.times.items() if len(times) > 1]
        assert topics.count("growth") == len(grown)
        assert topics.count("law") + topics.count("no_law") == sum(len(self.times[d]) > 3 for d in grown)
        compared = [topic for topic in topics if topic in ("unlike", "nothing_common", "speedup")]
        assert len(compared) == (len(self.sweeps) == 2)

    def missing_device(self, device):
        assert device not in self.sweeps
