"""Tests, intervals and fits beside numbers computed by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_mcnemar_with_ten_thousand_disagreements():
    assert mcnemar(5_000, 5_000) == 1.0
    assert mcnemar(10_000, 0) == 0.0


@pytest.mark.parametrize(("freedom", "quantile"), [(0.5, 12.7062), (1, 12.7062), (2.9, 4.3027), (50, 2.1448)])
def test_quantiles_of_t_for_whole_degrees_of_freedom(freedom, quantile):
    assert student_95(freedom) == pytest.approx(quantile, abs=5e-5)


def test_the_margin_of_a_slope_is_students():
    line = fit_line([1, 2, 3, 4], [1, 2, 2, 4])
    assert line.slope == pytest.approx(0.9)
    assert line.margin == pytest.approx(4.302653 * math.sqrt(0.7 / 2 / 5))


def test_fits_find_what_was_put_in():
    assert fit_line([0, 1, 2, 3], [1, 3, 5, 7]).slope == pytest.approx(2)
    assert fit_exponent([1, 2, 4, 8], [3, 12, 48, 192]).slope == pytest.approx(2)
    cost = fit_cost([1, 10, 100], [5 + 2, 5 + 20, 5 + 200])
    assert (cost.overhead, cost.rate) == (pytest.approx(5), pytest.approx(2))
    assert fit_cost([1, 2, 3], [3, 2, 1]) is None
