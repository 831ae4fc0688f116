"""The time of runs that have not been trained, from those that have."""

from dataclasses import replace

import pytest
from helpers.made_up import (
    CPU_SECONDS,
    GPU_SECONDS,
    filters_sweep,
)

from lenetcli.analysis.estimates import estimate_seconds
from lenetcli.experiment.config import DeviceKind


@pytest.mark.parametrize(
    ("device", "seconds"), [(DeviceKind.CPU, CPU_SECONDS), (DeviceKind.GPU, GPU_SECONDS)], ids=str
)
def test_the_time_of_a_run_is_told_by_the_law_through_those_that_were_timed(device, seconds):
    *small, last = filters_sweep(device, seconds).runs
    for count in range(2, len(small) + 1):
        estimate = estimate_seconds(last.config, 3, small[:count])
        assert estimate == pytest.approx(3 * seconds[last.config.filters], rel=0.3)
    assert estimate_seconds(small[0].config, 3, small) == pytest.approx(3 * min(seconds.values()), rel=0.05)
    for other in ({"batch_size": 8}, {"recipe": last.config.recipe + 1}):
        assert estimate_seconds(replace(last.config, **other), 3, small) is None
    one = estimate_seconds(last.config, 3, small[:1])
    assert (one is None) == (device is DeviceKind.GPU)  # where time is not in proportion to the arithmetic
