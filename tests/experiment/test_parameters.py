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
