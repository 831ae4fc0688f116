"""Numbers and words as typed."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenetcli.cli import values
from lenetcli.errors import UsageError


@given(st.floats(min_value=2.0**-126, max_value=3e38))
def test_a_number_as_python_writes_it_is_that_number(number):
    assert values.parse_float(repr(number)) == number
    assert values.parse_float(f" {number:.17e} ") == number


@given(st.text(max_size=12))
def test_any_other_text_is_a_number_or_an_error_that_quotes_it(text):
    for parse in (values.parse_float, values.parse_integer):
        try:
            assert math.isfinite(parse(text))
        except UsageError as error:
            assert repr(text) in error.problem


@pytest.mark.parametrize("spelling", ["1e-3", "0.001", ".001", "+1E-3"])
def test_spellings_of_one_value(spelling):
    assert values.parse_value("lr", spelling) == 0.001


def test_the_range_is_that_of_float32():
    largest = "3.4028235e38"  # as the largest of float32 is kept, which is a little less
    assert values.parse_float(largest) == 3.4028235e38
    with pytest.raises(UsageError, match="too large"):
        values.parse_float("3.4028236e38")


def test_a_negative_zero_is_zero():
    assert math.copysign(1, values.parse_value("momentum", "-0.0")) == 1
