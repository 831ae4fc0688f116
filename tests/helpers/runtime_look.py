"""A look at each sentence on filters, parameters and runtime, against the stored times."""

import math
import re
from itertools import pairwise

import numpy as np
from helpers.rate_look import read, recognise
from helpers.rate_sentences import COUNT, many
from scipy import optimize, stats

LABEL = r"(?:CPU|GPU) \([^()]+\)(?:, [^:;()]+?)?"
MODEL = r"fit of overhead plus time in proportion to the multiply-adds"
FILTERS = r"\d[\d, and]* filters?"
DOUBTS = r"\((?P<doubts>[^()]+)\)"
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
        rf"On the (?P<label>{LABEL}), training with (?P<large>\d+) filters? takes (?P<factor>{COUNT})"
        rf"(?: \((?P<least>{COUNT}) to (?P<most>{COUNT})\))? times as long as with (?P<small>\d+), for "
        rf"(?P<size>{COUNT}) times the parameters: (?P<verdict>too few epochs were timed to compare "
        rf"the two|it "
        r"grows faster than they do|it grows more slowly than they do|whether it grows faster than "
        r"they do, the "
        r"spread of the times hides)(?:\. As a power of the number of filters, runtime has the exponent "
        r"(?P<exponent>−?[\d.]+) ± (?P<margin>[\d.]+) \(95%\))?\."
    ),
    "all_in_doubt": (
        rf"On the (?P<label>{LABEL}), training with (?P<large>\d+) filters? took (?P<factor>{COUNT}) "
        rf"times as "
        rf"long as with (?P<small>\d+), for (?P<size>{COUNT}) times the parameters\. That is in doubt "
        rf"{DOUBTS}, "
        r"and nothing is concluded from it\."
    ),
    "some_in_doubt": (
        rf"Left out on the (?P<label>{LABEL}), since times are in doubt: (?P<sizes>{FILTERS}) {DOUBTS}\."
    ),
    "spread": (
        r"(?:(?P<one>There is one run of each size, so that the spread is that of its epochs \(their "
        r"quartiles\): "
        r"how far the times of several runs would differ is not known)|The spread is from the fastest to the "
        r"slowest run of a size(?P<some>; where a size has one run, it is that of its epochs \(their "
        r"quartiles\), "
        r"and how far several would differ is not known)?)\."
    ),
    "no_law": rf"No {MODEL} describes these runtimes, so that where overhead ends cannot be read from them\.",
    "law": (
        rf"A {MODEL} meets every point within (?P<misfit>\d+)%: (?:(?P<all>the arithmetic|overhead) takes "
        rf"most of "
        r"the time at every size measured|overhead takes most of the time below about (?P<turn>\d+) "
        r"filters?, "
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
        r"(?P<gpu> A GPU has thousands of arithmetic units, which a small network does not fill: "
        r"there, a larger "
        r"network takes hardly longer, until the units are busy\.)?"
    ),
    "unlike": rf"(?P<gpu>{LABEL}) and (?P<cpu>{LABEL}) are not compared: their data or settings differ\.",
    "nothing_common": rf"(?P<gpu>{LABEL}) and (?P<cpu>{LABEL}) share no number of filters that both "
    r"measured\.",
    "speedup": (
        rf"Speed-up of the (?P<gpu>{LABEL}) over the (?P<cpu>{LABEL}?)(?: with (?P<threads>\d+) threads?)?: "
        rf"(?P<ratios>{many(rf'{COUNT} [(][0-9]+ filters?[)]')})(?:\. By more than the spread of the "
        rf"times, the "
        rf"GPU is faster at (?P<sizes>none of these sizes|{FILTERS})\.(?P<grows> The speed-up grows with the "
        r"size\.)?|(?P<doubt>; all of that is in doubt, see above)\.)"
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


class Point:
    """What a size took under the same conditions, in seconds an epoch."""

    def __init__(self, runs):
        """Of pairs of a run and the seconds of its epochs, and the reason for doubt, empty without one."""
        clean = [(run, seconds) for run, seconds, doubt in runs if not doubt]
        used = clean or [(run, seconds) for run, seconds, _ in runs]
        self.doubt = "" if clean else runs[0][2]
        self.runs, self.epochs = len(used), sum(len(seconds) for _, seconds in used)
        if len(used) > 1:
            medians = [float(np.median(seconds)) for _, seconds in used]
            self.middle, self.low, self.high = float(np.median(medians)), min(medians), max(medians)
        else:
            quartiles = np.percentile(used[0][1], (50, 25, 75))
            self.middle, self.low, self.high = map(float, quartiles)

    @property
    def is_solid(self):
        return not self.doubt and self.epochs >= 3


def find_conditions(run):
    """Machine, software and setting of each timed epoch, in their order."""
    return [
        (
            run.config.device.value.upper(),
            attempt.host,
            attempt.threads if run.config.device == "cpu" else 0,
            attempt.versions["tensorflow"],
            run.config.batch_size,
        )
        for attempt in run.attempts
        for _ in attempt.timings
    ]


def find_doubt(run, epochs):
    timings = [timing for attempt in run.attempts for timing in attempt.timings]
    conditions = find_conditions(run)
    if run.state == "diverged":
        return "diverged"
    if len(run.curve) < epochs:
        return f"only {len(run.curve)} of"
    for place, text in ((1, "hosts"), (2, "numbers of threads"), (3, "versions of the software")):
        if len({condition[place] for condition in conditions}) > 1:
            return f"measured {'on' if place == 1 else 'with'} several {text}"
    if any(timing.contended for timing in timings):
        return "others used the machine"
    return "the clock was set" if any(timing.clock_set for timing in timings) else ""


class RuntimeLook:
    """The look at the statements on sweeps over filters."""

    def __init__(self, sweeps):
        self.sweeps = {sweep.device.value.upper(): sweep for sweep in sweeps}
        self.series = {}
        for sweep in sweeps:
            for run in sweep.runs:
                timings = [timing for attempt in run.attempts for timing in attempt.timings]
                seconds = [t.train_seconds for t in timings if t.train_seconds > 0 and not t.clock_set]
                if seconds:
                    sizes = self.series.setdefault(find_conditions(run)[-1], {})
                    timed = (run, seconds, find_doubt(run, sweep.epochs))
                    sizes.setdefault(run.config.filters, []).append(timed)
        timed = {key[0] for key in self.series}
        self.sweeps = {device: sweep for device, sweep in self.sweeps.items() if device in timed}
        self.series = {key: {n: Point(sizes[n]) for n in sorted(sizes)} for key, sizes in self.series.items()}
        self.topics, self.key, self.missing = [], None, {device: set() for device in self.sweeps}
        self.named = set()
        self.sizes = sorted({size for sizes in self.series.values() for size in sizes})

    def find(self, label):
        """The key of the series with a label."""
        kind, parts = label[:3], [part.strip() for part in re.split(r"[(),]", label[3:]) if part.strip()]
        keys = []
        for key in self.series:
            texts = {f"host {key[1]}", f"{key[2]} thread", f"{key[2]} threads", f"tensorflow {key[3]}"}
            texts |= {f"batch {key[4]}", "AMD EPYC 9654", "NVIDIA H100 80GB HBM3"}
            if key[0] == kind and texts.issuperset(parts):
                keys.append(key)
        assert len(keys) == 1, f"{label} is one of {keys}"
        return keys[0]

    def clean(self, key):
        return {size: point for size, point in self.series[key].items() if not point.doubt}

    def solid(self, key):
        return {size: point for size, point in self.series[key].items() if point.is_solid}

    def look(self, statement):
        """Check a statement."""
        name, match = recognise(SENTENCES, statement)
        self.topics.append(name)
        measures_again = statement.command.endswith(" --remeasure")
        assert measures_again == name.endswith("in_doubt")
        assert bool(statement.command) == (measures_again or name in ("unfinished", "missing_device"))
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

    def growth(self, label, large, factor, least, most, small, size, verdict, exponent, margin):
        self.key = self.find(label)
        points, solid = self.clean(self.key), self.solid(self.key)
        sizes = list(points)
        first, last = points[sizes[0]], points[sizes[-1]]
        assert (int(small), int(large)) == (sizes[0], sizes[-1]) and len(sizes) > 1
        ratio = count_parameters(sizes[-1]) / count_parameters(sizes[0])
        assert is_near(factor, last.middle / first.middle) and is_near(size, ratio)
        low, high = last.low / first.high, last.high / first.low
        assert least is None or (is_near(least, low) and is_near(most, high))
        if "too few" in verdict:
            assert not (first.is_solid and last.is_solid) and least is None
        elif "faster" in verdict and "whether" not in verdict:
            assert low > ratio and read(factor) > read(size)
        elif "slowly" in verdict:
            assert high < ratio and read(factor) < read(size)
        else:
            assert low <= ratio <= high or factor == size
        assert least or "too few" in verdict or f"{low:.3g}" == f"{high:.3g}"
        has_law = False
        if len(solid) > 3:
            _, rate, misfit = self.fit()
            has_law = rate > 1e-12 and misfit <= 0.2
        assert (exponent is None) == (len(solid) < 3 or has_law)
        if exponent:
            xs, ys = np.log(list(solid)), np.log([point.middle for point in solid.values()])
            fit, covariance = np.polyfit(xs, ys, 1), np.linalg.pinv(np.vstack([xs, np.ones(len(xs))]).T)
            rest = ys - np.polyval(fit, xs)
            error = math.sqrt(float(rest @ rest) / (len(xs) - 2) * float(covariance[0] @ covariance[0]))
            assert abs(float(exponent.replace("−", "-")) - fit[0]) <= 0.0051
            assert abs(float(margin) - stats.t.ppf(0.975, len(xs) - 2) * error) <= 0.0051

    def fit(self):
        """The overhead, the rate and the misfit of the least relative deviations, neither below 0."""
        solid = self.solid(self.key)
        seconds = np.array([point.middle for point in solid.values()])
        works = np.array([count_arithmetic(size) / 1e6 for size in solid])
        matrix = np.vstack([1 / seconds, works / seconds]).T
        (overhead, rate), _ = optimize.nnls(matrix, np.ones(len(seconds)))
        return overhead, rate, float(np.abs(matrix @ [overhead, rate] - 1).max())

    def no_law(self):
        _, rate, misfit = self.fit()
        assert rate < 1e-12 or misfit > 0.2 - 1e-9

    def law(self, misfit, all, turn):
        overhead, rate, deviation = self.fit()
        sizes = list(self.solid(self.key))
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

    def in_doubt(self, key, doubts):
        """The sizes that can be measured again, whose reasons are said."""
        passing = {
            n: p for n, p in self.series[key].items() if p.doubt and p.doubt[:4] not in ("dive", "only")
        }
        assert set(re.split(", | and ", doubts)) == {point.doubt for point in passing.values()}
        self.named |= {(key, size) for size in passing}
        return list(passing)

    def all_in_doubt(self, label, large, factor, small, size, doubts):
        key = self.find(label)
        points = self.series[key]
        sizes = list(points)
        assert self.in_doubt(key, doubts) and len(self.clean(key)) < 2 <= len(sizes)
        assert (int(small), int(large)) == (sizes[0], sizes[-1])
        assert is_near(factor, points[sizes[-1]].middle / points[sizes[0]].middle)
        assert is_near(size, count_parameters(sizes[-1]) / count_parameters(sizes[0]))

    def some_in_doubt(self, label, sizes, doubts):
        key = self.find(label)
        assert [int(size) for size in re.findall(r"\d+", sizes)] == self.in_doubt(key, doubts)
        assert len(self.clean(key)) > 1 or len(self.series[key]) == 1

    def spread(self, one, some):
        counts = {point.runs for key in self.series for point in self.clean(key).values()}
        assert (one is not None, some is not None) == (counts == {1}, len(counts) > 1 and 1 in counts)

    def reason(self, size, dense, convolution, gpu):
        size = int(size)
        assert size == self.sizes[-1]
        assert abs(int(dense) - 100 * (49 * size + 1) * 128 / count_parameters(size)) <= 0.501
        assert abs(int(convolution) - 100 * 196 * 9 * size**2 / count_arithmetic(size)) <= 0.501
        assert (gpu is not None) == any(key[0] == "GPU" for key in self.series)

    def unlike(self, gpu, cpu):
        assert self.find(gpu)[4] != self.find(cpu)[4]

    def nothing_common(self, gpu, cpu):
        gpu, cpu = self.find(gpu), self.find(cpu)
        assert gpu[4] == cpu[4] and not self.series[gpu].keys() & self.series[cpu].keys()

    def speedup(self, gpu, cpu, threads, ratios, sizes, grows, doubt):
        gpu, cpu = self.find(gpu), self.find(cpu)
        assert gpu[4] == cpu[4] and int(threads or cpu[2]) == cpu[2]
        common = self.clean(gpu).keys() & self.clean(cpu).keys()
        assert bool(doubt) == (not common)
        common = common or self.series[gpu].keys() & self.series[cpu].keys()
        pairs = {size: (self.series[gpu][size], self.series[cpu][size]) for size in sorted(common)}
        true = {size: two.middle / one.middle for size, (one, two) in pairs.items()}
        found = {int(size): ratio for ratio, size in re.findall(rf"({COUNT}) \((\d+) filters?\)", ratios)}
        assert list(found) == list(true) and all(is_near(ratio, true[size]) for size, ratio in found.items())
        if doubt:
            return
        pays = [
            size for size, (one, two) in pairs.items() if one.is_solid and two.is_solid and one.high < two.low
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
        """Every size that was measured is accounted for, and there is a word on each series."""
        for key, points in self.series.items():
            for size, point in points.items():
                of_sweep = size in self.missing[key[0]]
                assert not point.doubt or of_sweep or (key, size) in self.named, "a size that is nowhere"
        topics = self.topics
        grown = [key for key in self.series if len(self.clean(key)) > 1]
        assert topics.count("growth") == len(grown)
        assert topics.count("law") + topics.count("no_law") == sum(len(self.solid(key)) > 3 for key in grown)
        gpus, cpus = ([key for key in self.series if key[0] == kind] for kind in ("GPU", "CPU"))
        like = [(gpu, cpu) for gpu in gpus for cpu in cpus if gpu[4] == cpu[4]]
        assert topics.count("speedup") + topics.count("nothing_common") == len(like)
        assert topics.count("unlike") == (bool(gpus and cpus) and not like)

    def missing_device(self, device):
        assert device not in self.sweeps
