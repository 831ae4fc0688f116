"""The one rule of who is ahead: verdicts, intervals and families, beside values computed by hand."""

import math

import pytest
from helpers.made_up import MadeUpEvidence, make_config, make_run
from scipy import stats

from lenetcli.analysis.comparison import Sample, Verdict, compare, measure
from lenetcli.analysis.images import ValidationImages

Z95 = 1.959964


def make_sample(*finals, lr=0.1, epochs=1):
    """Networks of seeds 0, 1, … that end with these accuracies."""
    runs = (make_run(make_config(lr=lr, seed=seed), (final,) * epochs) for seed, final in enumerate(finals))
    return Sample(tuple(runs), epochs)


class Evidence(MadeUpEvidence):
    """The made-up evidence of samples; ``unknown`` has the keys of runs without predictions."""

    unknown: frozenset[str] = frozenset()

    def __init__(self, *samples, **options):
        super().__init__([], **options)
        self.found = {run.key: run for sample in samples for run in sample.runs}

    def _find_run(self, key):
        return None if key in self.unknown else self.found[key]


def compare_two(first, other, **options):
    evidence = Evidence(first, other, **options)
    return compare([(first, other)], ValidationImages(evidence, "d"))[0]


def test_one_seed_is_compared_image_by_image():
    first, other = make_sample(0.98), make_sample(0.97, lr=0.01)
    # 200 images are wrong from 0 on, 300 from 100 on: 100 are wrong in the first alone, 200 in the other.
    images = ValidationImages(Evidence(first, other, offsets={other.runs[0].key: 100}), "d")
    difference = measure(first, other, images)
    assert (difference.only_first, difference.only_other, difference.images) == (200, 100, 10_000)


def test_the_epoch_of_each_sample_counts():
    run = make_run(make_config(), (0.97, 0.90))
    comparison = compare_two(Sample((run,), 1), Sample((run,), 2))
    assert comparison.estimate == pytest.approx(0.07)
    assert comparison.is_ahead


@pytest.mark.parametrize("side", [0, 1])
def test_one_unknown_side_is_enough_to_compare_without_images(side):
    samples = make_sample(0.98), make_sample(0.97, lr=0.01)
    evidence = Evidence(*samples)
    evidence.unknown = frozenset([samples[side].runs[0].key])
    difference = measure(*samples, ValidationImages(evidence, "d"))
    assert (difference.first, difference.other, difference.images) == (0.98, 0.97, 10_000)


def test_the_error_of_the_images_counts_those_on_which_one_is_right():
    first, other = make_sample(0.98, 0.98), make_sample(0.97, 0.97, lr=0.01)
    offsets = {other.runs[0].key: 100, other.runs[1].key: 0}
    difference = measure(first, other, ValidationImages(Evidence(first, other, offsets=offsets), "d"))
    # 300 images in the first pair, 100 in the second, hence 200 on average, and one more of two more.
    assert difference.error == pytest.approx(math.sqrt(201 / 10_002 / 10_000))


@pytest.mark.parametrize("known", [True, False])
def test_without_the_predictions_of_every_seed_mistakes_are_taken_for_independent(known):
    first, other = make_sample(0.9, 0.9), make_sample(0.8, 0.8, lr=0.01)
    evidence = Evidence(first, other, with_predictions=known)
    evidence.unknown = frozenset([other.runs[1].key])
    difference = measure(first, other, ValidationImages(evidence, "d"))
    assert difference.error == pytest.approx(
        math.sqrt((0.9 * 0.2 + 0.8 * 0.1) * 10_001 / 10_002 / 1e4), rel=1e-3
    )


def test_ahead_is_what_has_an_interval_above_zero():
    ahead = compare_two(make_sample(0.981, 0.982, 0.983), make_sample(0.971, 0.972, 0.973, lr=0.01))
    assert ahead.verdict is Verdict.AHEAD
    margin = stats.t.ppf(0.975, 4) * math.sqrt(2 * 1e-6 / 3)
    assert ahead.interval == (pytest.approx(0.01 - margin), pytest.approx(0.01 + margin))
    behind = compare_two(make_sample(0.971, 0.972, 0.973), make_sample(0.981, 0.982, 0.983, lr=0.01))
    assert behind.verdict is Verdict.UNDECIDED
    assert not behind.is_ahead


def test_ahead_in_every_seed_needs_more_than_the_error_of_the_images():
    first, other = make_sample(0.97, 0.99), make_sample(0.9, 0.96, lr=0.01)
    assert compare_two(first, other).verdict is Verdict.AHEAD_IN_EVERY_SEED
    assert compare_two(first, other).is_ahead
    assert compare_two(first, other, images=100).verdict is Verdict.UNDECIDED
    assert compare_two(first, other, with_labels=False).verdict is Verdict.UNDECIDED
    overlapping = make_sample(0.9, 0.975, lr=0.01)
    assert compare_two(first, overlapping).verdict is Verdict.UNDECIDED


def test_the_gap_of_the_seeds_is_measured_by_the_error_of_the_images():
    first = make_sample(0.97, 0.99)
    for lowest, verdict in ((0.9656, Verdict.AHEAD_IN_EVERY_SEED), (0.9662, Verdict.UNDECIDED)):
        # About 0.97 × 0.03 + 0.93 × 0.02 of the images: an error of 0.0022, times 1.96.
        other = make_sample(0.9, lowest, lr=0.01)
        gap = 0.97 - lowest
        comparison = compare_two(first, other)
        error = comparison.difference.error
        assert (gap > Z95 * error) == (verdict is Verdict.AHEAD_IN_EVERY_SEED), error
        assert comparison.verdict is verdict


def test_alike_is_an_interval_within_half_a_per_cent():
    alike = compare_two(make_sample(0.9805, 0.9815, 0.981), make_sample(0.9802, 0.9812, 0.9807, lr=0.01))
    assert alike.verdict is Verdict.ALIKE
    assert max(-alike.interval[0], alike.interval[1]) <= 0.005
    assert not alike.is_ahead
    assert alike.seeds_needed is None
    # One end beyond is enough.
    first, other = make_sample(0.979, 0.983, 0.981), make_sample(0.9782, 0.9827, 0.9807, lr=0.01)
    upper, lower = compare_two(first, other), compare_two(other, first)
    assert upper.interval[0] > -0.005
    assert upper.interval[1] > 0.005
    assert lower.interval == (pytest.approx(-upper.interval[1]), pytest.approx(-upper.interval[0]))
    assert upper.verdict is lower.verdict is Verdict.UNDECIDED


def test_the_seeds_needed_make_the_interval_exclude_zero_or_lie_within_the_limit():
    first, other = make_sample(0.97, 0.99, 0.98), make_sample(0.96, 0.98, 0.97, lr=0.01)
    comparison = compare_two(first, other)
    assert comparison.verdict is Verdict.UNDECIDED
    assert comparison.seeds_needed == comparison.difference.seeds_needed(0.95, 0.01)
    near = compare_two(first, make_sample(0.9699, 0.9899, 0.9799, lr=0.01))
    assert near.seeds_needed == near.difference.seeds_needed(0.95, 0.0049)


def test_an_interval_reaches_no_further_than_accuracies_can_differ():
    wide = compare_two(make_sample(0.99, 0.4), make_sample(0.6, 0.1, lr=0.01))
    assert wide.interval == (-1.0, 1.0)
    unknown = compare_two(make_sample(0.99), make_sample(0.5, lr=0.01), with_labels=False)
    assert unknown.interval is None
    assert unknown.verdict is Verdict.UNDECIDED
    assert unknown.seeds_needed == 3


def test_the_others_of_a_family_make_the_interval_wider():
    first, other = make_sample(0.985), make_sample(0.984, lr=0.01)
    images = ValidationImages(Evidence(first, other), "d")
    alone = compare([(first, other)], images)[0]
    among = compare([(first, other)], images, family=20)[0]
    assert alone.interval[0] > among.interval[0]
    assert among.interval == pytest.approx(alone.difference.interval(1 - 0.05 / 20))
    assert compare([], images, family=20) == ()
