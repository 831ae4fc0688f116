"""What each recipe makes of a request."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenetcli.experiment.config import RECIPE, DeviceKind
from lenetcli.experiment.recipes import RECIPES, choose_shards, round_to_single, round_value


def test_every_recipe_since_the_first_is_known():
    assert tuple(range(RECIPE, 0, -1)) == RECIPES


@pytest.mark.parametrize(
    ("recipe", "device", "filters", "batch_size", "shards"),
    [
        (1, DeviceKind.CPU, 31, 64, 2),
        (1, DeviceKind.CPU, 32, 64, 4),
        (1, DeviceKind.CPU, 32, 3, 3),
        (1, DeviceKind.CPU, 8, 1, 1),
        (1, DeviceKind.GPU, 32, 64, 1),
        (2, DeviceKind.CPU, 8, 64, 4),
        (2, DeviceKind.CPU, 64, 3, 3),
        (2, DeviceKind.GPU, 64, 64, 1),
    ],
)
def test_the_shards_of_each_recipe(recipe, device, filters, batch_size, shards):
    assert choose_shards(filters, batch_size, device, recipe) == shards


@given(st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=True) | st.floats(-1e3, 1e3))
def test_a_rounded_number_is_the_shortest_that_float32_reads_as_the_same(number):
    rounded = round_to_single(number)
    with np.errstate(over="ignore"):
        single = np.float32(number)
        assert np.float32(rounded) == single
        assert round_to_single(rounded) == round_to_single(float(single)) == rounded
        digits = len(repr(rounded).split("e")[0].replace(".", "").strip("-0"))
        assert not math.isfinite(single) or all(
            np.float32(f"{single:.{fewer}g}") != single for fewer in range(1, digits)
        )


@given(st.integers(-(10**6), 10**6), st.integers(-30, 30))
def test_a_number_of_few_digits_stays_as_it_is_typed(digits, exponent):
    assert round_to_single(float(f"{digits}e{exponent}")) == float(f"{digits}e{exponent}")


def test_the_first_recipe_rounds_nothing_and_none_rounds_what_is_no_decimal_number():
    assert round_value(0.100000001, 1) == 0.100000001 != round_value(0.100000001, 2) == 0.1
    whole = 2**24 + 1  # no float32
    assert round_value(whole, 2) == whole
    assert round_value(None, 2) is None
