"""Runtimes over parameters, a series for each device."""

from dataclasses import replace

import pytest
from helpers.made_up import (
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

from lenetcli.analysis.runtimes import newest_filters, run_runtimes, runtime_series
from lenetcli.experiment.config import DeviceKind
from lenetcli.experiment.run import RunState, Timing


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
    first = replace(moved.attempts[0], timings=moved.timings[:4])
    last = Timing(epoch=5, train_seconds=1.0, eval_seconds=0.1)
    second = replace(first, number=2, threads=8, timings=(last,))
    moved = replace(moved, attempts=(first, second))
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
    attempt = replace(first.run.attempts[0], timings=timings)
    runs = (replace(first.run, attempts=(attempt,)), replace(second.run, state=RunState.DIVERGED))
    (device,) = run_runtimes(runs).devices
    assert [point.doubt for point in device.points] == ["the clock was set", "diverged"]


def test_chosen_runs_of_other_settings_are_another_series():
    runs = [make_run(replace(BASE, batch_size=size), RATES[0.1], seconds=2.0) for size in (64, 128)]
    series = run_runtimes(runs)
    labels = [device.label for device in series.devices]
    assert labels == [f"CPU (AMD EPYC 9654), learning rate 0.1, batch {size}" for size in (64, 128)]
    assert series.epochs == 10


def test_runs_of_two_recipes_are_two_series_with_a_law_each():
    sweeps = [filters_sweep(DeviceKind.CPU, CPU_SECONDS, base=replace(BASE, recipe=n)) for n in (1, 2)]
    runs = [run for sweep in sweeps for run in sweep.runs]
    for series in (run_runtimes(runs), runtime_series(sweeps)):
        labels = [device.label for device in series.devices]
        assert labels == [f"CPU (AMD EPYC 9654), recipe {number}" for number in (1, 2)]
        assert [len(device.clean) for device in series.devices] == [4, 4]
        assert (series.setting, series.recipe) == ("learning rate 0.1, batch 64", "")
        assert len({id for point in series.points for id in point.ids}) == 8


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
