"""The numbers behind figures: curves over seeds, runtimes over parameters, ticks and labels."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import (
    BASE,
    CPU_SECONDS,
    GPU_SECONDS,
    RATES,
    both_sweeps,
    filters_sweep,
    make_cell,
    make_run,
    make_sweep,
    rates_sweep,
)

from lenetcli.errors import NotFoundError
from lenetcli.experiment.config import DeviceKind
from lenetcli.experiment.run import RunState, Timing
from lenetcli.analysis.runtimes import newest_filters, run_runtimes, runtime_series
from lenetcli.output.figures.axes import choose_axis, choose_kind, spread_labels
from lenetcli.analysis.curves import Metric, run_curves, sweep_curves
from lenetcli.experiment.sweep import write_command


def test_a_curve_for_each_value_in_the_order_asked():
    series = sweep_curves(rates_sweep())
    assert [curve.label for curve in series.curves] == ["0.1", "0.01", "0.001", "0.0001"]
    assert series.curves[0].mean == RATES[0.1]
    assert series.subject == "learning rate"
    assert series.dataset == "MNIST"
    assert series.setting == "16 filters, batch 64"


def test_seeds_become_mean_and_band():
    cells = [
        make_cell("lr", 0.1, curve, seed=s) for s, curve in enumerate([(0.9, 0.95), (0.8, 0.99), (0.7, 0.94)])
    ]
    (curve,) = sweep_curves(make_sweep("lr", 2, cells)).curves
    assert curve.mean == pytest.approx((0.8, 0.96))
    assert (curve.low, curve.high, curve.seeds) == ((0.7, 0.94), (0.9, 0.99), 3)


def test_an_interrupted_seed_is_left_out_of_the_mean_and_named():
    cells = [make_cell("lr", 0.1, (0.9, 0.95), seed=0), make_cell("lr", 0.1, (0.1,), seed=1)]
    series = sweep_curves(make_sweep("lr", 2, cells))
    assert series.curves[0].mean == (0.9, 0.95)
    assert any(note.startswith("left out, with fewer than 2 epochs: ") for note in series.notes)


def test_diverged_runs_are_marked_and_do_not_enter_a_mean():
    cells = [
        make_cell("lr", 10.0, (0.2, 0.1), state=RunState.DIVERGED, target=3),
        make_cell("lr", 1.0, (0.9, 0.8, 0.7), seed=0),
        make_cell("lr", 1.0, (0.5,), seed=1, state=RunState.DIVERGED),
        make_cell("lr", 9.0, (), state=RunState.DIVERGED),
        make_cell("lr", 0.1, None),
    ]
    series = sweep_curves(make_sweep("lr", 3, cells))
    alone, mixed = series.curves
    assert (alone.ends_diverged, alone.diverged, len(alone.mean)) == (True, 1, 2)
    assert (mixed.ends_diverged, mixed.diverged, mixed.mean) == (False, 1, (0.9, 0.8, 0.7))
    assert "diverged in epoch 1: 9" in series.notes
    assert "not yet trained: 0.1" in series.notes


def test_the_error_is_what_is_missing_to_one():
    (curve,) = sweep_curves(rates_sweep({0.1: [0.9, 0.75]}), Metric.ERROR).curves
    assert curve.mean == pytest.approx((0.1, 0.25))


def test_nothing_to_draw_names_the_command():
    sweep = make_sweep("lr", 10, [make_cell("lr", 0.1, None), make_cell("lr", 0.01, None)])
    with pytest.raises(NotFoundError, match=r"lenetcli sweep lr 0\.1 0\.01"):
        sweep_curves(sweep)


def test_chosen_runs_are_labelled_by_what_differs():
    runs = [
        make_run(BASE, RATES[0.1]),
        make_run(replace(BASE, seed=1), RATES[0.1]),
        make_run(replace(BASE, lr=0.01, filters=32), RATES[0.01]),
    ]
    series = run_curves(runs)
    assert [curve.label for curve in series.curves] == [
        "filters 16, learning rate 0.1",
        "filters 32, learning rate 0.01",
    ]
    assert [curve.seeds for curve in series.curves] == [2, 1]


def test_the_synthetic_digits_are_always_named():
    assert sweep_curves(rates_sweep(dataset="synthetic")).dataset == "synthetic digits"


def test_the_command_trains_the_same_sweep_again():
    sweep = rates_sweep({0.1: [0.9], 0.01: [0.9]}, seeds=2)
    sweep = replace(sweep, request=replace(sweep.request, filters=32, data="/a b/c", epochs=1))
    assert (
        write_command(sweep) == "lenetcli sweep lr 0.1 0.01 --epochs 1 --seeds 2 --filters 32 --data '/a b/c'"
    )


def test_runtime_is_the_median_epoch_times_the_epochs():
    sweep = filters_sweep(DeviceKind.CPU, {8: 1.0})
    run = make_run(sweep.cells[0].config, RATES[0.1][:5], seconds=[1.0, 2.0, 3.0, 4.0, 500.0])
    sweep = replace(sweep, cells=(replace(sweep.cells[0], run=run),))
    (point,) = runtime_series([sweep]).devices[0].points
    assert (point.seconds, point.low, point.high) == (15.0, 10.0, 20.0)
    assert point.parameters == 52_258


def test_a_series_a_device_side_by_side():
    series = runtime_series(both_sweeps())
    assert [device.label for device in series.devices] == [
        "CPU (AMD EPYC 9654)",
        "GPU (NVIDIA H100 80GB HBM3)",
    ]
    assert [point.filters for point in series.devices[1].points] == list(GPU_SECONDS)
    assert series.devices[1].law is not None


def test_what_another_machine_measured_is_another_series():
    first = filters_sweep(DeviceKind.CPU, {8: 1.0, 16: 2.0})
    other = make_run(first.cells[1].config, RATES[0.1][:5], device_name="Intel i7")
    sweep = replace(first, cells=(first.cells[0], replace(first.cells[1], run=other)))
    assert [device.name for device in runtime_series([sweep]).devices] == ["AMD EPYC 9654", "Intel i7"]


def test_contended_and_mixed_runs_are_in_doubt_and_named():
    sweep = filters_sweep(DeviceKind.CPU, {8: 1.0, 16: 2.0})
    busy = make_run(sweep.cells[0].config, RATES[0.1][:5], contended=True)
    moved = make_run(sweep.cells[1].config, RATES[0.1][:5])
    second = replace(moved.attempts[0], number=2, threads=8)
    moved = replace(
        moved,
        attempts=(*moved.attempts, second),
        timings=(*moved.timings[:4], Timing(attempt=2, epoch=5, train_seconds=1.0, eval_seconds=0.1)),
    )
    cells = tuple(replace(cell, run=run) for cell, run in zip(sweep.cells, (busy, moved), strict=True))
    series = runtime_series([replace(sweep, cells=cells)])
    doubts = [point.doubt for device in series.devices for point in device.points]
    assert doubts == ["others used the machine", "measured on several devices"]
    assert any("8 filters" in note for note in series.notes)
    assert any("16 filters" in note for note in series.notes)


def test_a_clock_that_was_set_and_a_diverged_run_are_doubts_of_their_own():
    sweep = filters_sweep(DeviceKind.CPU, {8: 1.0, 16: 2.0})
    first, second = sweep.cells
    timings = (replace(first.run.timings[0], clock_set=True), *first.run.timings[1:])
    runs = (replace(first.run, timings=timings), replace(second.run, state=RunState.DIVERGED))
    (device,) = run_runtimes(runs).devices
    assert [point.doubt for point in device.points] == ["the clock was set", "diverged"]


def test_chosen_runs_of_other_settings_are_another_series():
    runs = [make_run(replace(BASE, batch_size=size), RATES[0.1], seconds=2.0) for size in (64, 128)]
    series = run_runtimes(runs)
    labels = [device.label for device in series.devices]
    assert labels == [f"CPU (AMD EPYC 9654), learning rate 0.1, batch {size}" for size in (64, 128)]
    assert series.epochs == 10


def test_sweeps_of_different_lengths_are_shown_by_the_epoch():
    sweeps = [
        filters_sweep(DeviceKind.CPU, CPU_SECONDS, epochs=5),
        filters_sweep(DeviceKind.GPU, GPU_SECONDS, epochs=10),
    ]
    series = runtime_series(sweeps)
    assert series.epochs == 1
    assert series.devices[0].points[0].seconds == pytest.approx(2.6, rel=0.1)


def test_the_newest_filters_sweep_of_each_kind_with_a_measured_run():
    old, gpu = both_sweeps()
    planned = make_sweep("filters", 5, [make_cell("filters", 8, None)])
    newer = filters_sweep(DeviceKind.CPU, {8: 2.0})
    assert newest_filters([planned, rates_sweep(), newer, gpu, old]) == (newer, gpu)


@given(
    st.lists(st.floats(min_value=-2, max_value=3), min_size=1, max_size=12),
    st.floats(min_value=0.001, max_value=0.3),
)
def test_labels_keep_their_order_and_distance(wanted, gap):
    heights = spread_labels(wanted, gap)
    placed = [height for _, height in sorted(zip(wanted, heights, strict=True))]
    room = min(gap, 1 / max(len(wanted) - 1, 1))
    assert all(-1e-9 <= height <= 1 + 1e-9 for height in heights)
    assert all(upper - lower >= room - 1e-9 for lower, upper in pairwise(placed))


@given(st.floats(min_value=1e-3, max_value=0.998), st.floats(min_value=1e-3, max_value=0.998))
def test_an_accuracy_axis_shows_every_number_with_ticks_in_its_limits(one, other):
    low, high = sorted((one, other))
    bottom, top, ticks = choose_axis(low, high, choose_kind(low, high, accuracy=True))
    assert 0 < bottom <= low <= high <= top < 1
    assert ticks == sorted(set(ticks))
    assert 2 <= len(ticks) <= 15
    assert bottom <= ticks[0]
    assert ticks[-1] <= top


@given(st.floats(min_value=1e-4, max_value=1e5), st.floats(min_value=1, max_value=1e6))
def test_a_log_axis_shows_every_number_with_ticks_in_its_limits(low, factor):
    high = low * factor
    bottom, top, ticks = choose_axis(low, high, "log")
    assert 0 < bottom <= low <= high <= top
    assert 2 <= len(ticks) <= 15
    assert bottom <= ticks[0]
    assert ticks[-1] <= top


@pytest.mark.parametrize(("low", "high"), [(0.5, 1.0), (0.0, 0.9)])
def test_numbers_that_a_logit_axis_cannot_show_stand_on_a_linear_one(low, high):
    assert choose_kind(low, high, accuracy=True) == "linear"
