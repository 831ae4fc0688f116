"""Tests, intervals and fits beside textbook values, SciPy and numbers computed by hand."""

import math
import statistics

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from lenetcli.analysis.estimates import fit_cost
from lenetcli.analysis.inference import (
    PairedDifference,
    Power,
    SeedsDifference,
    UnpairedDifference,
    exact_interval,
    fit_exponent,
    fit_trend,
    holm_levels,
    images_error,
    normal_quantile,
    proportion_interval,
)

ACCURACIES = st.integers(0, 10_000).map(lambda count: count / 10_000)
LEVELS = st.sampled_from([0.8, 0.95, 0.975, 1 - 0.05 / 3, 0.999])


@pytest.mark.parametrize(
    ("only_first", "only_other", "p_value"), [(0, 0, 1.0), (5, 0, 0.0625), (8, 2, 0.109375), (0, 5, 0.0625)]
)
def test_mcnemar_against_the_binomial_by_hand(only_first, only_other, p_value):
    assert PairedDifference(only_first, only_other, 100).p_value == pytest.approx(p_value)


def test_the_paired_difference_and_its_error_by_hand():
    difference = PairedDifference(8, 2, 100)
    assert difference.estimate == pytest.approx(0.06)
    assert difference.error == pytest.approx(math.sqrt(11 / 102 / 100))  # Agresti and Min: one more, and two


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 5_000), LEVELS)
def test_the_paired_interval_excludes_zero_exactly_if_mcnemar_does(only_first, only_other, rest, level):
    difference = PairedDifference(only_first, only_other, only_first + only_other + rest + 1)
    low, high = difference.interval(level)
    assert low <= difference.estimate <= high
    assume(abs(difference.p_value - (1 - level)) > 1e-9)
    assert (low > 0 or high < 0) == (difference.p_value < 1 - level)


@settings(max_examples=50)
@given(st.integers(0, 60), st.integers(0, 60), LEVELS)
def test_the_exact_interval_is_that_of_scipy(count, rest, level):
    total = count + rest + 1
    expected = stats.binomtest(count, total).proportion_ci(level, "exact")
    assert exact_interval(count, total, level) == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert exact_interval(total, total, level)[1] == 1
    assert exact_interval(0, 0, level) == (0, 1)


def test_the_paired_interval_counts_the_images_that_might_differ():
    low, high = PairedDifference(0, 0, 7).interval(0.95)
    wilson = 1.959964**2 / (7 + 1.959964**2)  # the upper end for 0 of 7
    assert (low, high) == (pytest.approx(-wilson), pytest.approx(wilson))
    low, high = PairedDifference(106, 0, 10_000).interval(0.95)
    least = 2 * 0.025 ** (1 / 106) - 1  # Clopper and Pearson's lower end for 106 of 106
    assert low == pytest.approx(least * stats.binomtest(106, 10_000).proportion_ci(0.95, "wilson").low)
    assert high == pytest.approx(stats.binomtest(106, 10_000).proportion_ci(0.95, "wilson").high)


@given(st.integers(0, 60), st.integers(0, 60), LEVELS)
def test_the_paired_interval_is_symmetric(only_first, only_other, level):
    low, high = PairedDifference(only_first, only_other, 200).interval(level)
    assert PairedDifference(only_other, only_first, 200).interval(level) == (
        pytest.approx(-high),
        pytest.approx(-low),
    )


@pytest.mark.parametrize(
    ("first", "other", "images", "low", "high"),
    # Newcombe (1998), Statistics in Medicine 17, 873-890, table II, method 10, the cases of equal totals.
    [(9, 3, 10, 0.1705, 0.8090), (6, 2, 7, 0.0582, 0.8062), (10, 0, 10, 0.6075, 1.0)],
)
def test_newcombes_interval_is_that_of_his_table(first, other, images, low, high):
    ends = UnpairedDifference(first / images, other / images, images).interval(0.95)
    assert [round(end, 4) for end in ends] == [low, high]


def test_one_image_of_a_hundred_is_no_lead():
    low, high = UnpairedDifference(1.0, 0.99, 100).interval(0.95)
    assert low < 0 < high
    assert UnpairedDifference(1.0, 0.99, 100).p_value > 0.05


@settings(max_examples=40)
@given(ACCURACIES, ACCURACIES, st.sampled_from([100, 10_000]), LEVELS)
def test_newcombes_interval_and_its_p_value_agree(first, other, images, level):
    first, other = round(first * images) / images, round(other * images) / images
    difference = UnpairedDifference(first, other, images)
    low, high = difference.interval(level)
    assert low <= difference.estimate + 1e-12
    assert high >= difference.estimate - 1e-12
    assume(abs(difference.p_value - (1 - level)) > 1e-6)
    assert (low > 0 or high < 0) == (difference.p_value < 1 - level)
    assert UnpairedDifference(other, first, images).p_value == pytest.approx(difference.p_value, abs=1e-9)


def test_without_images_nothing_is_known():
    difference = UnpairedDifference(0.9, 0.1, 0)
    assert difference.interval(0.95) == (-math.inf, math.inf)
    assert difference.p_value == 1


def test_welchs_interval_against_scipy():
    # Two samples of different spread: 3.17 degrees of freedom, which a table would round to 3.
    first, other = (0.984, 0.986, 0.985, 0.987), (0.971, 0.978, 0.969, 0.981)
    difference = SeedsDifference(first, other, 0.0)
    result = stats.ttest_ind(first, other, equal_var=False)
    for level in (0.95, 0.99):
        expected = result.confidence_interval(level)
        assert difference.interval(level) == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert difference.p_value == pytest.approx(result.pvalue)
    assert difference.estimate == pytest.approx(0.01075)


def test_welchs_interval_is_never_narrower_than_the_images():
    first, other = (0.984, 0.986, 0.985), (0.981, 0.980, 0.982)
    assert SeedsDifference(first, other, 0.01).interval(0.95) == (
        pytest.approx(0.004 - 0.01959964),
        pytest.approx(0.004 + 0.01959964),
    )
    assert SeedsDifference(first, other, 0.01).p_value == pytest.approx(2 * stats.norm.sf(0.4))
    assert SeedsDifference(first, other, 1e-9).interval(0.95) == SeedsDifference(first, other, 0).interval(
        0.95
    )


def test_seeds_that_agree_to_the_digit_have_the_error_of_the_images(recwarn):
    difference = SeedsDifference((0.98, 0.98), (0.97, 0.97), 0.002)
    assert difference.interval(0.95) == (pytest.approx(0.01 - 0.00391993), pytest.approx(0.01 + 0.00391993))
    assert difference.p_value == pytest.approx(2 * stats.norm.sf(5))
    nothing = SeedsDifference((0.98, 0.98), (0.97, 0.97), 0.0)
    assert nothing.interval(0.95) == (-math.inf, math.inf)
    assert nothing.p_value == 1
    SeedsDifference((0.1, 0.1, 0.1), (0.2, 0.3, 0.2), 0.0).interval(0.95)  # the mean of the first is rounded
    assert not recwarn.list


@given(
    st.lists(ACCURACIES, min_size=2, max_size=6), st.lists(ACCURACIES, min_size=2, max_size=6),
    st.sampled_from([0.0, 0.001, 0.01]), LEVELS,
)  # fmt: skip
def test_the_interval_of_seeds_excludes_zero_exactly_if_both_tests_do(first, other, error, level):
    difference = SeedsDifference(tuple(first), tuple(other), error)
    low, high = difference.interval(level)
    assume(abs(difference.p_value - (1 - level)) > 1e-9)
    assert (low > 0 or high < 0) == (difference.p_value < 1 - level)


def test_the_error_of_the_images():
    assert images_error(0.01, 0) == 0
    assert images_error(0.0, 7) == pytest.approx(math.sqrt(1 / 9 / 7))
    assert images_error(0.01, 10_000) == pytest.approx(math.sqrt(101 / 10_002 / 10_000))
    assert images_error(1.0, 10) == pytest.approx(math.sqrt(1 / 10))


def test_the_seeds_that_are_needed_have_the_power_that_is_claimed():
    first, other = (0.981, 0.984, 0.987), (0.977, 0.981, 0.982)
    seeds = SeedsDifference(first, other, 0.0).seeds_needed(0.95, 0.0037)
    deviations = [statistics.stdev(sample) for sample in (first, other)]

    def power(count):
        # Of Student's test, whose degrees of freedom are near Welch's here, from the noncentral t.
        scale = math.sqrt(sum(d**2 for d in deviations) / count)
        freedom = 2 * (count - 1)
        return stats.nct.sf(stats.t.ppf(0.975, freedom), freedom, 0.0037 / scale)

    assert power(seeds + 1) > 0.8 > power(seeds - 2)


def test_the_seeds_that_are_needed_by_hand():
    # Standard deviations of 0.01414: 0.02 / √k times t at 2 (k - 1) degrees of freedom, 2.447 + 0.906 for 4.
    difference = SeedsDifference((0.97, 0.99), (0.96, 0.98), 0.0)
    assert difference.seeds_needed(0.95, 0.0336) == 4
    assert difference.seeds_needed(0.95, 0.0335) == 5
    assert difference.seeds_needed(0.95, 0.05) == 3
    assert difference.seeds_needed(0.95, 0.08) == 3  # more than there are, whatever the margin
    assert difference.seeds_needed(0.95, 0.00564) == 100  # 0.002 times 1.972 + 0.843
    one_varies = SeedsDifference((0.98, 0.98), (0.96, 0.98), 0.0)
    # 0.01414 / √k times t at k - 1: 2.571 + 0.920 for 6.
    assert one_varies.seeds_needed(0.95, 0.0202) == 6
    assert one_varies.seeds_needed(0.95, 0.0201) == 7


def test_no_number_of_seeds_is_enough_if_the_images_are_too_few():
    sample = ((0.98, 0.99), (0.97, 0.98))
    assert SeedsDifference(*sample, 0.01).seeds_needed(0.95, 0.0195) is None
    assert SeedsDifference(*sample, 0.01).seeds_needed(0.95, 0.0197) is not None
    assert SeedsDifference(*sample, 0.0).seeds_needed(0.95, 1e-5) == 101
    assert SeedsDifference((0.98, 0.98), (0.97, 0.97), 0.0).seeds_needed(0.95, 0.01) == 3
    assert PairedDifference(20, 19, 1_000).seeds_needed(0.95, 0.004) is None
    assert PairedDifference(20, 19, 100_000).seeds_needed(0.95, 0.004) == 3
    assert UnpairedDifference(0.9, 0.9, 1_000).seeds_needed(0.95, 0.004) is None
    assert UnpairedDifference(0.9, 0.9, 100_000).seeds_needed(0.95, 0.004) == 3
    assert UnpairedDifference(0.9, 0.9, 0).seeds_needed(0.95, 0.004) == 3


def test_the_unpaired_error_takes_mistakes_for_independent():
    assert UnpairedDifference(0.9, 0.8, 1_000).error == pytest.approx(math.sqrt((260 + 1) / 1_002 / 1_000))


def test_holms_method_by_its_example():
    # The example of textbooks: 0.01, 0.04, 0.03, 0.005 reject the smallest two of four, at 0.0125 and 0.0167.
    levels = holm_levels([0.01, 0.04, 0.03, 0.005])
    assert levels == [pytest.approx(1 - 0.05 / n) for n in (3, 2, 2, 4)]


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holms_levels_decide_as_adjusted_p_values_do(p_values):
    levels = holm_levels(p_values)
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, largest = {}, 0.0
    for place, index in enumerate(order):
        largest = max(largest, p_values[index] * (len(p_values) - place))
        adjusted[index] = largest
    for index, level in enumerate(levels):
        assume(abs(adjusted[index] - 0.05) > 1e-9)
        assert (p_values[index] < 1 - level) == (adjusted[index] < 0.05)
        assert 0.95 <= level + 1e-12 < 1 + 1e-12


def test_quantiles_and_wilsons_interval_are_those_of_the_textbook():
    assert normal_quantile(0.95) == pytest.approx(1.959964)
    assert normal_quantile(1 - 0.05 / 3) == pytest.approx(2.393980)
    low, high = proportion_interval(81, 263, 0.95)  # Newcombe (1998), Statistics in Medicine 17, 857-872
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


def test_a_trend_is_the_median_of_the_slopes():
    slope = fit_trend([[0.1, 0.2, 0.3, 0.9, 0.5]])
    pairs = [0.1, 0.1, 0.8 / 3, 0.1, 0.1, 0.35, 0.1, 0.6, 0.1, -0.4]
    assert slope.estimate == pytest.approx(statistics.median(pairs))
    assert slope.low <= slope.estimate <= slope.high


def test_the_levels_of_several_curves_are_no_trend():
    rise = [0.01 * epoch for epoch in range(6)]
    slope = fit_trend([[0.1 + gain for gain in rise], [0.7 + gain for gain in rise]])
    assert (slope.estimate, slope.low, slope.high) == (pytest.approx(0.01),) * 3


def test_a_trend_of_very_many_points_is_that_of_the_mean():
    # The scatter of each seed is the opposite of that of another, so that the mean has none.
    for seeds, is_mean in ((2, False), (24, False), (26, True)):
        curves = [
            [0.001 * n + (-1) ** seed * 0.01 * math.sin(7 * n * (1 + seed // 2)) for n in range(40)]
            for seed in range(seeds)
        ]
        slope = fit_trend(curves)
        assert (slope.high - slope.low < 1e-12) == is_mean
        assert slope.low <= 0.001 + 1e-12


def test_curves_that_do_not_move_have_no_trend(recwarn):
    for seeds in (1, 3, 20):
        slope = fit_trend([[0.9] * 5] * seeds)
        assert slope.estimate == 0
        assert slope.low <= 0 <= slope.high
    assert not recwarn.list


def test_noise_rarely_looks_like_a_rise():
    import numpy as np

    random = np.random.default_rng(7)
    rises = sum(fit_trend([list(random.normal(size=5))]).low > 0 for _ in range(600))
    assert rises < 0.03 * 600  # 0.7 % were seen, 4 % with four points


def test_the_margin_of_an_exponent_is_students():
    xs, ys = [1, 2, 3, 4], [1, 2, 2, 4]
    power = fit_exponent([math.exp(x) for x in xs], [math.exp(y) for y in ys])
    assert power.exponent == pytest.approx(0.9)
    assert power.margin == pytest.approx(4.302653 * math.sqrt(0.7 / 2 / 5))
    assert fit_exponent([1, 2], [3, 12]).margin is None
    assert fit_exponent([1, 2, 4], [3, 3, 3]) == Power(0.0, 0.0)


def test_fits_find_what_was_put_in():
    assert fit_exponent([1, 2, 4, 8], [3, 12, 48, 192]).exponent == pytest.approx(2)
    cost = fit_cost([1, 10, 100], [5 + 2, 5 + 20, 5 + 200])
    assert (cost.overhead, cost.rate) == (pytest.approx(5), pytest.approx(2))
    assert fit_cost([1, 2, 3], [3, 2, 1]) is None
