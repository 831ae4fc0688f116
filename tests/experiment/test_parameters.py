"""The bounds of every parameter."""

from dataclasses import replace

import pytest

from lenetcli.errors import UsageError
from lenetcli.experiment.config import Request
from lenetcli.experiment.parameters import check_request


@pytest.mark.parametrize(
    "wrong",
    [
        *({"lr": value} for value in (0.0, -0.1, float("nan"), float("inf"))),
        *({"momentum": value} for value in (-0.1, 1.0, float("nan"))),
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
        {"lr": 5e-324},
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
