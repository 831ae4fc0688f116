"""Axes: which kind, which ticks, where labels stand."""

from itertools import pairwise

import pytest
from helpers.made_up import rates_sweep
from hypothesis import given
from hypothesis import strategies as st

from lenetcli.analysis.curves import sweep_curves
from lenetcli.output.figures.axes import choose_axis, spread_labels


@given(
    st.lists(st.floats(min_value=-2, max_value=3), min_size=1, max_size=12),
    st.floats(min_value=0.001, max_value=0.3),
)
def test_labels_keep_their_order_and_distance(wanted, gap):
    heights = spread_labels(wanted, gap)
    placed = [height for _, height in sorted(zip(wanted, heights, strict=True))]
    room = min(gap, 1 / max(len(wanted) - 1, 1))
    assert all(-1e-9 <= height <= 1 + 1e-9 for height in heights)
    assert all(upper - lower >= room - 1e-9 for lower, upper in pairwise(placed))


@given(st.floats(min_value=1e-3, max_value=0.998), st.floats(min_value=1e-3, max_value=0.998))
def test_an_accuracy_axis_shows_every_number_with_ticks_in_its_limits(one, other):
    low, high = sorted((one, other))
    bottom, top, ticks = choose_axis(low, high, "logit")
    assert 0 < bottom <= low <= high <= top < 1
    assert ticks == sorted(set(ticks))
    assert 2 <= len(ticks) <= 15
    assert bottom <= ticks[0]
    assert ticks[-1] <= top


@given(st.floats(min_value=1e-4, max_value=1e5), st.floats(min_value=1, max_value=1e6))
def test_a_log_axis_shows_every_number_with_ticks_in_its_limits(low, factor):
    high = low * factor
    bottom, top, ticks = choose_axis(low, high, "log")
    assert 0 < bottom <= low <= high <= top
    assert 2 <= len(ticks) <= 15
    assert bottom <= ticks[0]
    assert ticks[-1] <= top


@pytest.mark.parametrize(("low", "high"), [(0.5, 1.0), (0.0, 0.9)])
def test_numbers_that_a_logit_axis_cannot_show_stand_on_a_linear_one(low, high):
    assert sweep_curves(rates_sweep({0.1: [low, high]})).scale == "linear"
