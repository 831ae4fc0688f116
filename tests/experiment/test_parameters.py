"""The bounds of every parameter."""

from dataclasses import fields, replace

import pytest
from helpers.made_up import BASE

from lenetcli.errors import UsageError
from lenetcli.experiment.config import Precision, Request
from lenetcli.experiment.parameters import COLUMNS, OPTIONS, check_request, describe_config


@pytest.mark.parametrize(
    "wrong",
    [
        *({"lr": value} for value in (0.0, -0.1, 2.0**-151, 1e39, float("nan"), float("inf"))),
        *({"momentum": value} for value in (-0.1, 1.0, 1 - 2.0**-26, float("nan"))),
        *({name: 0} for name in ("epochs", "filters", "kernel_size", "hidden_units", "batch_size")),
        *({"seed": -1}, {"seed": 2**31}, {"threads": 0}, {"shards": 0}, {"shards": 65}, {"kernel_size": 29}),
    ],
)
def test_a_mistake_is_found_before_anything_is_read(wrong):
    with pytest.raises(UsageError):
        check_request(replace(Request(), **wrong))


@pytest.mark.parametrize(
    "right",
    [
        {},
        {"lr": 2.0**-149},
        *({"momentum": value} for value in (0.0, 0.999)),
        *({name: 1} for name in ("epochs", "filters", "kernel_size", "hidden_units", "batch_size")),
        *({"seed": value} for value in (0, 2**31 - 1)),
        *({"shards": value} for value in (None, 1, 64)),
        {"kernel_size": 28},
        {"threads": 1},
    ],
)
def test_the_bounds_themselves_are_allowed(right):
    check_request(replace(Request(), **right))


@pytest.mark.parametrize(
    ("wrong", "problem", "advice"),
    [
        ({"lr": 0.0}, "The learning rate 0 is not a positive number.", "Try 0.1."),
        ({"momentum": 1.0}, "The momentum 1 is not in the range from 0 to below 1.", "Try 0.9."),
        (
            {"momentum": 0.99999999},
            "The momentum 0.99999999 (1 in float32) is not in the range from 0 to below 1.",
            "Try 0.9.",
        ),
        ({"batch_size": 0}, "--batch-size cannot be 0.", "Choose a whole number from 1 to 2,147,483,647."),
        ({"seed": -1}, "--seed cannot be -1.", "Choose a whole number from 0 to 2,147,483,647."),
        ({"threads": 5000}, "5000 threads cannot be had.", "Choose a number from 1 to 1024."),
    ],
)
def test_an_error_names_the_parameter_and_its_bounds(wrong, problem, advice):
    with pytest.raises(UsageError) as caught:
        check_request(replace(Request(), **wrong))
    assert (caught.value.problem, caught.value.advice) == (problem, advice)


def test_a_parameter_without_a_place_of_its_own_comes_after_the_others():
    assert {row.name for row in OPTIONS} == {field.name for field in fields(Request)}
    assert [row.name for row in OPTIONS[-2:]] == ["threads", "shards"]
    assert " ".join(row.name for row in COLUMNS) == (
        "lr filters batch_size seed momentum precision kernel_size hidden_units shards"
    )


def test_a_title_has_what_matters_most_and_what_is_not_the_default():
    assert describe_config(BASE) == "16 filters, learning rate 0.1, batch 64"
    other = replace(
        BASE, filters=1, kernel_size=5, hidden_units=64, momentum=0.9, precision=Precision.BFLOAT16
    )
    said = "1 filter, learning rate 0.1, batch 64, kernel 5×5, 64 hidden units, momentum 0.9, bfloat16"
    assert describe_config(other) == said
    assert describe_config(other, "filters", "momentum") == (
        "learning rate 0.1, batch 64, kernel 5×5, 64 hidden units, bfloat16"
    )
