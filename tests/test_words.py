"""Numbers in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenetcli.words import name_duration, write_runtime, write_seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.00 s"),
        (0.00001234, "0.0000123 s"),
        (0.62, "0.620 s"),
        (9.996, "10.0 s"),
        (99.96, "100 s"),
        (101, "101 s"),
        (149, "149 s"),
        (999.4, "999 s"),
        (999.6, "16.7 min"),
        (5990, "99.8 min"),
        (5999, "1.67 h"),
        (9000, "2.50 h"),
        (3_600_000, "1,000 h"),
        (None, "–"),
    ],
)
def test_a_runtime_has_three_digits_and_a_unit(seconds, text):
    assert write_runtime(seconds) == text


@given(st.floats(1e-9, 1e12))
def test_three_digits_are_within_half_of_the_last_one(seconds):
    assert float(write_seconds(seconds).replace(",", "")) == pytest.approx(seconds, rel=0.00501)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (7200.0, "2h"),
        (5400.9, "1h30m"),
        (45.9, "45s"),
        (3605, "1h5s"),
        (90_061, "25h1m1s"),
        (0.2, "1s"),
        (-3, "1s"),
    ],
)
def test_a_duration_is_named_in_whole_units(seconds, text):
    assert name_duration(seconds) == text
