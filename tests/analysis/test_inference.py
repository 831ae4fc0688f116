"""Tests, intervals and fits beside numbers computed by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lenetcli.analysis.estimates import fit_cost
from lenetcli.analysis.inference import fit_exponent, fit_line, mcnemar, student_95


@pytest.mark.parametrize(
    ("only_first", "only_second", "chance"), [(0, 0, 1.0), (5, 0, 0.0625), (8, 2, 0.109375)]
)
def test_mcnemar_against_the_binomial_by_hand(only_first, only_second, chance):
    assert mcnemar(only_first, only_second) == pytest.approx(chance)


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_a_symmetric_probability(only_first, only_second):
    chance = mcnemar(only_first, only_second)
    assert 0 < chance <= 1
    assert chance == mcnemar(only_second, only_first)
    if only_first + only_second:
        test = stats.binomtest(only_first, only_first + only_second)
        assert chance == pytest.approx(test.pvalue, rel=1e-10)


def test_mcnemar_with_ten_thousand_disagreements():
    assert mcnemar(5_000, 5_000) == 1.0
    assert mcnemar(10_000, 0) == 0.0


TABLE = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145)


@given(st.floats(0.1, 1e6))
def test_quantiles_of_t_are_those_of_the_table(freedom):
    assert student_95(freedom) == TABLE[min(max(int(freedom), 1), len(TABLE)) - 1]


def test_the_margin_of_a_slope_is_students():
    line = fit_line([1, 2, 3, 4], [1, 2, 2, 4])
    assert line.slope == pytest.approx(0.9)
    assert line.margin == pytest.approx(4.303 * math.sqrt(0.7 / 2 / 5))


def test_fits_find_what_was_put_in():
    assert fit_line([0, 1, 2, 3], [1, 3, 5, 7]).slope == pytest.approx(2)
    assert fit_exponent([1, 2, 4, 8], [3, 12, 48, 192]).slope == pytest.approx(2)
    cost = fit_cost([1, 10, 100], [5 + 2, 5 + 20, 5 + 200])
    assert (cost.overhead, cost.rate) == (pytest.approx(5), pytest.approx(2))
    assert fit_cost([1, 2, 3], [3, 2, 1]) is None
