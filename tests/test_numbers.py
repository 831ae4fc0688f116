"""Numbers in words: no two different ones look the same, and what is printed can be typed."""

import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenetcli.cli.axes import parse_axes
from lenetcli.cli.values import parse_float
from lenetcli.experiment.recipes import round_value
from lenetcli.output.figures.axes import write_tick
from lenetcli.words import (
    count_decimals,
    name_value,
    write_accuracy,
    write_bytes,
    write_difference,
    write_interval,
    write_loss,
    write_number,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (0.1000001, "0.1000001"),
        (0.1234567, "0.1234567"),
        (0.00001, "0.00001"),
        (1e10, "1e10"),
        (10_000.0, "10000"),
        (12_345_679_000.0, "12345679000"),
        (1e30, "1e30"),
        (1e38, "1e38"),
        (1.5e-38, "1.5e-38"),
        (0.123456789012, "0.123456789012"),
        (16.0, "16"),
        (0.0, "0"),
        (16, "16"),
        ("float32", "float32"),
    ],
)
def test_a_value_is_named_in_full_and_as_briefly_as_it_can_be(value, text):
    assert name_value(value) == text


@given(st.floats(min_value=2.0**-126, max_value=2.0**127, width=32))
def test_a_rate_that_is_printed_and_typed_again_is_the_same_rate(single):
    rate = round_value(single)
    assert round_value(parse_axes(["lr", name_value(rate)])[0][0].values[0]) == rate
    assert array("f", [parse_float(name_value(rate))])[0] == single
    assert len(name_value(rate)) <= 14  # nine digits, a point, and an exponent of two with its sign


@given(st.floats(min_value=1e-300, max_value=1e30, allow_nan=False))
def test_rates_of_recipe_1_are_named_in_full_too(rate):
    assert parse_float(name_value(rate)) == rate if rate >= 2.0**-126 else float(name_value(rate)) == rate


@pytest.mark.parametrize(
    ("accuracy", "text"),
    [
        *(
            (1.0, "1.0000"),
            (0.99996, "0.99996"),
            (0.9999999, "0.9999999"),
            (math.nextafter(1.0, 0.0), "1.0000"),
        ),
        *((0.0, "0.0000"), (0.00002, "0.00002"), (0.98765, "0.9877"), (None, "–")),
    ],
)
def test_only_a_perfect_accuracy_is_written_as_one(accuracy, text):
    assert write_accuracy(accuracy) == text


def test_different_accuracies_of_a_table_look_different():
    assert count_decimals([0.9847, 0.9848, None, 0.9847]) == 4
    assert count_decimals([0.98473, 0.98474]) == 5
    assert count_decimals([0.1 + 0.2, 0.3]) == 4  # the same but for a rounding error
    assert count_decimals([]) == 4


@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=12))
def test_one_image_of_a_hundred_thousand_is_visible(correct):
    accuracies = {count / 100_000 for count in correct}
    decimals = count_decimals(accuracies)
    assert len({write_accuracy(accuracy, decimals) for accuracy in accuracies}) == len(accuracies)


def test_only_no_difference_is_written_as_zero():
    assert write_difference(0.00003) == "0.00003"
    assert write_difference(-0.00003) == "−0.00003"
    assert write_difference(-1e-17) == "0.0000"
    assert write_interval(-0.0018, 0.0022) == "−0.0018 to 0.0022"
    assert write_interval(0.00121, 0.00124) == "0.00121 to 0.00124"


def test_losses_and_bytes_are_not_rounded_to_nothing():
    assert [write_loss(loss) for loss in (2.30259, 0.0, 3e-7, 1e30)] == [
        *("2.3026", "0.0000", "3.000e-07", "1.000e+30")
    ]
    assert [write_bytes(count) for count in (1, 4542, 9_912_422, 1.02e9)] == [
        *("1 byte", "4.54 kB", "9.91 MB", "1.02 GB")
    ]


def test_a_large_number_has_one_form():
    assert {name_value(1e10), write_number(1e10), write_tick(1e10)} == {"1e10"}
    assert {name_value(1e38), write_number(1e38), write_tick(1e38)} == {"1e38"}
    assert name_value(0.00001) == write_tick(0.00001) == "0.00001"
    assert [write_number(number) for number in (12_345, 1.5)] == ["12,300", "1.5"]
    assert [write_tick(number) for number in (0.995, 20, 50_000, 2e6)] == ["0.995", "20", "50k", "2M"]
