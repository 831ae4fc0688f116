"""The time of runs that have not been trained, from those that have."""

from dataclasses import replace

import pytest
from helpers.made_up import (
    CPU_SECONDS,
    GPU_SECONDS,
    RATES,
    filters_sweep,
    make_cell,
    make_config,
    make_run,
    make_sweep,
)
from hypothesis import given
from hypothesis import strategies as st

from lenetcli.analysis.estimates import Estimates, Outlook, fit_cost
from lenetcli.experiment.architecture import multiply_adds
from lenetcli.experiment.config import DeviceKind

TIMES = st.floats(1e-3, 1e5)
WORKS = st.integers(1, 10**10)


@given(WORKS, st.integers(2, 50), TIMES, st.floats(0.01, 100))
def test_a_law_is_found_again_at_every_scale(work, step, arithmetic, relative_overhead):
    overhead, rate = arithmetic * relative_overhead, arithmetic / work
    works = [work, step * work, step * step * work]
    law = fit_cost(works, [overhead + rate * work for work in works])
    assert (law.overhead, law.rate) == (pytest.approx(overhead, rel=1e-6), pytest.approx(rate, rel=1e-6))
    assert law.misfit == pytest.approx(0, abs=1e-9)
    assert law.seconds(10 * work) == pytest.approx(overhead + 10 * arithmetic, rel=1e-6)


@given(WORKS, st.lists(TIMES, max_size=5))
def test_one_work_gives_no_law(work, seconds):
    assert fit_cost([work] * len(seconds), seconds) is None


def test_time_that_does_not_grow_with_the_work_gives_no_law():
    assert fit_cost([1, 2, 3], [1, 1, 1]) is None
    assert fit_cost([1, 2, 3], [3, 2, 1]) is None


def test_a_law_has_no_negative_overhead():
    law = fit_cost([1, 2], [1, 4])
    # Without overhead the deviations are rate − 1 and rate ∕ 2 − 1: least squares at 6 ∕ 5.
    assert (law.overhead, law.rate, law.misfit) == (0, pytest.approx(1.2), pytest.approx(0.4))


@pytest.mark.parametrize(
    ("device", "seconds"), [(DeviceKind.CPU, CPU_SECONDS), (DeviceKind.GPU, GPU_SECONDS)], ids=str
)
def test_the_time_of_a_run_is_told_by_the_law_through_those_that_were_timed(device, seconds):
    *small, last = filters_sweep(device, seconds).runs
    for count in range(2, len(small) + 1):
        estimate = Estimates(small[:count]).seconds(last.config, 3)
        assert estimate == pytest.approx(3 * seconds[last.config.filters], rel=0.3)
    assert Estimates(small).seconds(small[0].config, 3) == pytest.approx(3 * min(seconds.values()), rel=0.05)
    for other in ({"batch_size": 8}, {"recipe": last.config.recipe + 1}):
        assert Estimates(small).seconds(replace(last.config, **other), 3) is None
    one = Estimates(small[:1]).seconds(last.config, 3)
    assert (one is None) == (device is DeviceKind.GPU)  # where time is not in proportion to the arithmetic


def test_the_time_of_the_same_work_counts_before_any_law():
    runs = [
        make_run(make_config(filters=size), [0.9] * len(seconds), seconds=seconds)
        for size, seconds in ((8, [5.0, 2.0, 2.0]), (16, [90.0]), (32, [10.0]))
    ]
    assert Estimates(runs).seconds(make_config(filters=8, seed=7), 10) == 20  # its median epoch, ten times
    assert Estimates(runs).seconds(make_config(filters=16), 10) == 900


def test_of_the_runs_of_one_work_the_first_undisturbed_one_counts():
    runs = [
        make_run(make_config(seed=seed), [0.9], seconds=[seconds], contended=contended)
        for seed, seconds, contended in ((0, 9.0, True), (1, 4.0, False), (2, 5.0, False))
    ]
    assert Estimates(runs).seconds(make_config(seed=3), 1) == 4
    assert Estimates(runs[:1]).seconds(make_config(seed=3), 1) == 9


@pytest.mark.parametrize(
    ("measured", "threads", "seconds"), [(2, 2, 8), (2, 1, 16), (1, 4, 2), (8, 4, 8), (4, 8, 8)]
)
def test_pieces_side_by_side_take_as_long_as_there_are_threads_for_them(measured, threads, seconds):
    config = make_config(shards=4)
    runs = [make_run(config, [0.9], seconds=[8.0], threads=measured)]
    assert Estimates(runs).seconds(replace(config, seed=1), 1, threads) == seconds
    assert Estimates(runs).seconds(replace(config, seed=1), 1) == 8


def test_a_time_with_as_many_threads_counts_before_one_that_is_scaled():
    runs = [
        make_run(make_config(seed=seed), [0.9], seconds=[seconds], threads=threads, contended=contended)
        for seed, seconds, threads, contended in ((0, 9.0, 1, True), (1, 5.0, 2, False), (2, 9.5, 1, False))
    ]
    assert Estimates(runs).seconds(make_config(seed=3), 1, 1) == 9.5
    assert Estimates(runs).seconds(make_config(seed=3), 1, 2) == 5.0
    assert Estimates(runs[:2]).seconds(make_config(seed=3), 1, 1) == 10.0  # undisturbed before disturbed


def test_on_a_gpu_threads_do_not_matter():
    config = make_config(device=DeviceKind.GPU, shards=1)
    runs = [make_run(config, [0.9], seconds=[8.0], threads=16)]
    assert Estimates(runs).seconds(replace(config, seed=1), 2, 1) == 16
    assert Estimates(runs).total([(replace(config, seed=seed), 1) for seed in (1, 2)], 2, 1) == 8


def test_several_jobs_share_the_work_and_the_longest_run_is_not_shared():
    runs = [
        make_run(make_config(filters=size), [0.9], seconds=[seconds], threads=2)
        for size, seconds in ((8, 1.0), (16, 2.0), (32, 10.0))
    ]
    small = [(make_config(filters=size, seed=seed), 10) for seed in (1, 2) for size in (8, 16)]
    assert Estimates(runs).total(small, 1, 2) == 60
    assert Estimates(runs).total(small, 2, 2) == 30
    assert Estimates(runs).total(small, 2, 1) == 60
    assert Estimates(runs).total([*small, (make_config(filters=32), 10)], 4, 2) == 100
    assert Estimates(runs).total([*small, (make_config(batch_size=8), 10)], 4, 2) is None
    assert Estimates(runs).total([], 2, 2) == 0


def test_without_a_law_the_nearest_work_is_scaled():
    # The largest network was the fastest: no law goes through these.
    runs = [
        make_run(make_config(filters=size), [0.9], seconds=[seconds])
        for size, seconds in ((8, 9.0), (32, 8.0), (128, 7.0))
    ]
    for size, nearest, seconds in ((9, 8, 9.0), (31, 32, 8.0), (120, 128, 7.0)):
        estimate = Estimates(runs).seconds(make_config(filters=size), 2)
        # The arithmetic grows faster than the filters, and slower than their square.
        least, most = sorted(2 * seconds * (size / nearest) ** power for power in (1, 2))
        assert least < estimate < most
    assert Estimates([]).seconds(make_config(), 2) is None


def test_a_run_that_was_not_timed_tells_nothing():
    assert Estimates([make_run(make_config(seed=1), [0.9], seconds=[])]).seconds(make_config(), 2) is None


def test_the_outlook_of_a_sweep_is_the_time_of_all_epochs_that_are_missing():
    sweep = make_sweep(
        "filters",
        10,
        [
            make_cell("filters", 8, None),
            make_cell("filters", 16, RATES[0.1][:4]),
            make_cell("filters", 32, RATES[0.1]),  # is measured again, from the first epoch
        ],
    )
    small, middle, large = (cell.config for cell in sweep.cells)
    outlook = Outlook(sweep)
    assert outlook.remaining_seconds() is None
    outlook.record(small, 1.0)
    assert outlook.remaining_seconds() is None  # one work gives no law
    outlook.record(middle, 5.0)
    outlook.record(large, 20.0)
    assert outlook.remaining_seconds() == 10 * 1 + 6 * 5 + 10 * 20
    outlook.record(middle, 2.0)  # the newest epoch counts
    assert outlook.remaining_seconds() == 10 * 1 + 6 * 2 + 10 * 20
    outlook.remove(large)
    outlook.remove(large)
    assert outlook.remaining_seconds() == 10 * 1 + 6 * 2
    outlook.remove(small)
    outlook.remove(middle)
    assert outlook.remaining_seconds() == 0


def test_the_outlook_of_a_size_that_has_not_begun_follows_the_law():
    sweep = make_sweep("filters", 2, [make_cell("filters", size, None) for size in (8, 16, 32)])
    seconds = [3 + 1e-6 * multiply_adds(cell.config) for cell in sweep.cells]
    outlook = Outlook(sweep)
    for cell, time in zip(sweep.cells[:2], seconds, strict=False):
        outlook.record(cell.config, time)
        outlook.remove(cell.config)
    assert outlook.remaining_seconds() == pytest.approx(2 * seconds[2])
