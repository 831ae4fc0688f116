"""Numbers in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenetcli.words import (
    MOST_NAMED,
    MOST_VALUES,
    join_some,
    name_duration,
    name_values,
    write_runtime,
    write_seconds,
)


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


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=300))
def test_a_list_names_all_or_the_first_and_the_number_of_the_others(values):
    words = [str(value) for value in values]
    for text, most in ((join_some(words), MOST_NAMED), (name_values([*map(float, values)]), MOST_VALUES)):
        listed = text.replace(" and ", ", ").split(", ")
        if len(words) > most:
            assert listed[-1] == f"{len(words) - len(listed[:-1]):,} more"
            words_named = listed[:-1]
        else:
            words_named = listed
            assert listed == words
        assert words_named == words[: len(words_named)]
        assert len(listed) <= most


def test_whole_numbers_in_a_row_are_named_by_their_ends():
    assert name_values(range(200)) == "0 to 199"
    assert name_values(range(12)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 11"
    assert name_values([*range(12), 13]) == "0, 1, 2, 3, 4 and 8 more"
