"""Whether an epoch fits into the time that is left."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from helpers.made_up import make_config

from lenetcli.training.time_limit import TimeLimit


def make_limit(left, estimate=None):
    """A limit with so many seconds left."""
    return TimeLimit(lambda: left, estimate)


def test_an_epoch_fits_with_a_tenth_to_spare():
    config = make_config()
    for left, fits in ((11.1, True), (10.9, False), (0, False), (-5, False)):
        limit = make_limit(left)
        limit.record(config, 10.0)
        assert limit.allows(config) is fits


def test_what_nobody_can_tell_may_begin_while_time_is_left():
    assert make_limit(0.1).allows(make_config())
    assert not make_limit(0.0).allows(make_config())
    assert make_limit(0.1, lambda _: None).allows(make_config())


@pytest.mark.parametrize(
    ("other", "is_known"),
    [
        ({"lr": 0.01}, True),
        ({"seed": 7}, True),
        ({"momentum": 0.5}, False),
        ({"filters": 32}, False),
        ({"batch_size": 32}, False),
        ({"shards": 1}, False),
    ],
)
def test_an_epoch_of_the_same_network_tells_how_long_another_takes(other, is_known):
    limit = make_limit(10.0)
    limit.record(make_config(), 20.0)
    assert limit.allows(make_config(**other)) is not is_known


def test_the_momentum_of_two_runs_may_differ():
    limit = make_limit(10.0)
    limit.record(make_config(momentum=0.5), 20.0)
    assert not limit.allows(make_config(momentum=0.9))
    assert limit.allows(make_config())


def test_the_last_epoch_counts_and_that_of_the_run_itself_before_others():
    limit = make_limit(10.0)
    first, second = make_config(seed=1), make_config(seed=2)
    limit.record(first, 20.0)
    limit.record(first, 5.0)
    assert limit.allows(first)
    limit.record(second, 20.0)
    assert limit.allows(first)
    assert not limit.allows(second)
    assert not limit.allows(make_config(seed=3))  # the newest of the network


def test_an_estimate_counts_until_an_epoch_was_recorded():
    limit = make_limit(10.0)
    limit.estimate = {make_config(filters=8): 5.0, make_config(filters=64): 50.0}.get
    assert limit.allows(make_config(filters=8))
    assert not limit.allows(make_config(filters=64))
    limit.record(make_config(filters=64), 5.0)
    assert limit.allows(make_config(filters=64))


def test_a_duration_is_measured_by_a_clock_that_cannot_be_set(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    limit = TimeLimit.after(60.0)
    monkeypatch.setattr(time, "time", lambda: 1e12)
    now[0] = 145.0
    assert limit.seconds_left() == 15.0
    now[0] = 165.0
    assert limit.seconds_left() == -5.0


def test_an_end_is_that_of_the_clock_of_the_machine(monkeypatch):
    now = datetime(2026, 11, 28, 7, 30, tzinfo=UTC)
    monkeypatch.setattr(time, "time", now.timestamp)
    limit = TimeLimit.until(datetime(2026, 11, 28, 8, 0, tzinfo=UTC))
    assert limit.seconds_left() == 1800
    # A machine that has slept for an hour: the other clock may have stood still.
    monkeypatch.setattr(time, "time", (now + timedelta(hours=1)).timestamp)
    assert limit.seconds_left() == -1800
