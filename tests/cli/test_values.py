"""Numbers and words as typed."""

import math
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenetcli.cli import values
from lenetcli.cli.axes import parse_axes
from lenetcli.errors import UsageError
from lenetcli.words import name_duration


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
    assert parse_axes(["lr", spelling])[0][0].values == (0.001,)


def test_the_range_is_that_of_float32():
    largest = "3.4028235e38"  # as the largest of float32 is kept, which is a little less
    assert values.parse_float(largest) == 3.4028235e38
    with pytest.raises(UsageError, match="too large"):
        values.parse_float("3.4028236e38")


def test_a_negative_zero_is_zero():
    assert math.copysign(1, parse_axes(["momentum", "-0.0"])[0][0].values[0]) == 1


@pytest.mark.parametrize(("typed", "jobs"), [("1", 1), (" 16 ", 16), ("auto", None), ("Auto", None)])
def test_a_number_of_jobs_may_be_left_open(typed, jobs):
    assert values.parse_jobs(typed) == jobs


@pytest.mark.parametrize("typed", ["0", "-2", "many", "1.5", "", "1" * 30])
def test_other_numbers_of_jobs_are_refused_with_what_there_is(typed):
    with pytest.raises(UsageError, match=typed or "''") as caught:
        values.parse_jobs(typed)
    assert "auto" in caught.value.advice


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [
        ("2h", 7200),
        ("90m", 5400),
        ("90min", 5400),
        ("1h30m", 5400),
        (" 1H 30 m ", 5400),
        ("1.5h", 5400),
        ("45s", 45),
        ("0h1m0.5s", 60.5),
    ],
)
def test_a_duration_is_of_hours_minutes_and_seconds(typed, seconds):
    assert values.parse_duration(typed) == seconds


@given(st.tuples(*[st.integers(0, 80)] * 3).filter(any))
def test_the_parts_of_a_duration_add_up(parts):
    hours, minutes, seconds = parts
    expected = timedelta(hours=hours, minutes=minutes, seconds=seconds).total_seconds()
    assert values.parse_duration(f"{hours}h{minutes}m{seconds}s") == expected


@given(st.integers(1, 366 * 86400))
def test_a_duration_as_it_is_named_is_that_duration(seconds):
    assert values.parse_duration(name_duration(seconds)) == seconds


@pytest.mark.parametrize(
    "typed",
    ["yesterday", "", "0", "0h", "2", "-1h", "1m1h", "1h1h", "2:00", "1e3s", "nan h", "٢h", "99999999h"],
)
def test_other_durations_are_refused(typed):
    with pytest.raises(UsageError) as caught:
        values.parse_duration(typed)
    assert repr(typed) in caught.value.problem


@pytest.fixture
def zone(monkeypatch):
    """Sets the time zone of this process."""

    def move(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield move
    monkeypatch.undo()
    time.tzset()


BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"
"""The rule of Berlin: 2:00 is followed by 3:00 on 2026-03-29, and 2:59 by 2:00 on 2026-10-25."""


@pytest.mark.parametrize(
    ("now", "typed", "end"),
    [
        ("2026-11-27T06:30+00:00", "8:00", "2026-11-27T07:00+00:00"),
        ("2026-11-27T07:00+00:00", "08:00", "2026-11-28T07:00+00:00"),  # it shows 8:00 now: the next time
        ("2026-11-27T23:30+00:00", "0:15", "2026-11-28T23:15+00:00"),  # the 28th has begun
        ("2026-12-31T20:00+00:00", "8:00", "2027-01-01T07:00+00:00"),
        ("2026-03-28T20:00+00:00", "8:00", "2026-03-29T06:00+00:00"),  # one hour less
        ("2026-10-24T20:00+00:00", "8:00", "2026-10-25T07:00+00:00"),  # one hour more
        ("2026-10-25T00:00+00:00", "2:30", "2026-10-25T00:30+00:00"),
        ("2026-10-25T00:45+00:00", "2:30", "2026-10-25T01:30+00:00"),  # shown once more
        ("2026-10-25T00:45+00:00", "2026-10-25 2:30", "2026-10-25T01:30+00:00"),
        ("2026-11-27T06:30+00:00", "2026-11-28T08:00", "2026-11-28T07:00+00:00"),
        ("2026-11-27T06:30+00:00", "2026-11-28 08:00", "2026-11-28T07:00+00:00"),
        ("2026-11-27T06:30+00:00", "2026-11-28T08:00Z", "2026-11-28T08:00+00:00"),
        ("2026-11-27T06:30+00:00", "2026-11-28T08:00-05:30", "2026-11-28T13:30+00:00"),
    ],
)
def test_an_end_is_the_next_time_that_a_clock_here_shows_it(zone, now, typed, end):
    zone(BERLIN)
    assert values.parse_end(typed, datetime.fromisoformat(now)) == datetime.fromisoformat(end)


@given(moment=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)))
def test_an_end_that_is_written_in_full_is_the_same_end(moment):
    end = values.parse_end("8:00", moment)
    assert moment < end <= moment + timedelta(hours=25)
    assert values.parse_end(end.isoformat(timespec="minutes"), moment) == end


@pytest.mark.parametrize(
    "typed", ["yesterday", "", "25:00", "24:00", "8", "8:60", "8.00", "8pm", "2026-11-31 8:00", "2026-11-28"]
)
def test_other_times_are_refused(typed):
    with pytest.raises(UsageError) as caught:
        values.parse_end(typed)
    assert (caught.value.problem, "8:00" in caught.value.advice) == (f"There is no time {typed!r}.", True)


def test_a_time_that_has_passed_is_refused():
    with pytest.raises(UsageError, match="has passed"):
        values.parse_end("2020-02-03 8:00")
