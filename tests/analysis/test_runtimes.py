"""Runtimes over parameters, a series for each device."""

from dataclasses import replace

import pytest
from helpers.made_up import (
    BASE,
    CPU_SECONDS,
    GPU_SECONDS,
    RATES,
    VERSIONS,
    both_sweeps,
    filters_sweep,
    make_cell,
    make_config,
    make_run,
    make_sweep,
)

from lenetcli.analysis.runtimes import run_runtimes, runtime_series
from lenetcli.errors import NotFoundError
from lenetcli.experiment.architecture import multiply_adds
from lenetcli.experiment.config import DeviceKind, Precision
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
    assert doubts == ["others used the machine", "measured with several numbers of threads"]
    devices = [device.label for device in series.devices]
    assert devices == ["CPU (AMD EPYC 9654, 2 threads)", "CPU (AMD EPYC 9654, 8 threads)"]
    assert series.notes == (
        f"hollow, in no fit or comparison: others used the machine (8 filters, {devices[0]})",
        "hollow, in no fit or comparison: measured with several numbers of threads "
        f"(16 filters, {devices[1]})",
    )


def test_a_clock_that_was_set_and_a_diverged_run_are_doubts_of_their_own():
    sweep = filters_sweep(DeviceKind.CPU, {8: 1.0, 16: 2.0})
    first, second = sweep.cells
    timings = (replace(first.run.timings[0], clock_set=True), *first.run.timings[1:])
    attempt = replace(first.run.attempts[0], timings=timings)
    runs = (replace(first.run, attempts=(attempt,)), replace(second.run, state=RunState.DIVERGED))
    (device,) = run_runtimes(runs).devices
    assert [point.doubt for point in device.points] == ["the clock was set", "diverged"]


def time_run(filters, seconds, **options):
    """A run of so many filters, with these seconds for its epochs."""
    seed = options.pop("seed", 0)
    device = options.pop("device", DeviceKind.CPU)
    config = make_config(filters=filters, seed=seed, device=device)
    return make_run(config, [0.9] * len(seconds), seconds=seconds, **options)


def disturb_epoch(run, place):
    """The run, with others on the machine in one of its epochs."""
    timings = [replace(timing, contended=place == n) for n, timing in enumerate(run.timings)]
    return replace(run, attempts=(replace(run.attempts[0], timings=tuple(timings)),))


def test_a_single_disturbed_epoch_puts_a_run_in_doubt():
    (point,) = run_runtimes([disturb_epoch(time_run(8, [1.0, 1.0, 1.0]), 1)]).points
    assert point.doubt == "others used the machine"


def test_an_undisturbed_seed_counts_in_place_of_disturbed_ones():
    runs = [time_run(8, [seconds] * 3, seed=seed) for seed, seconds in enumerate((9.0, 2.0, 4.0))]
    runs[0] = disturb_epoch(runs[0], 0)
    series = run_runtimes(runs)
    (point,) = series.points
    assert (point.doubt, point.seconds, point.timings) == ("", 9.0, 6)  # 6 s and 12 s, of two seeds
    assert (point.low, point.high) == (6.0, 12.0)
    assert point.ids == (runs[1].id, runs[2].id)
    assert series.notes == ()


def test_one_epoch_is_its_own_quartiles():
    (point,) = run_runtimes([time_run(8, [3.0])]).points
    assert (point.low, point.seconds, point.high, point.timings) == (3.0, 3.0, 3.0, 1)
    (point,) = run_runtimes([time_run(8, [2.0, 4.0])]).points
    assert (point.low, point.seconds, point.high) == (5.0, 6.0, 7.0)  # of two epochs


def test_an_unfinished_run_is_in_doubt_and_extrapolated():
    cells = [make_cell("filters", 8, [0.9] * 2, seconds=[1.0, 1.0], state=RunState.INTERRUPTED)]
    (point,) = runtime_series([make_sweep("filters", 5, cells)]).points
    assert (point.seconds, point.doubt) == (5.0, "only 2 of 5 epochs finished")


def test_a_run_without_all_of_its_times_is_no_point():
    whole, partly, never = time_run(8, [0.1, 0.1]), time_run(16, [1.0]), time_run(32, [0.0, 0.0])
    partly = replace(partly, curve=whole.curve)  # an epoch without a time
    backwards = time_run(64, [-1.0, -2.0])
    series = run_runtimes([whole, partly, never, backwards])
    assert [point.filters for point in series.points] == [8]
    with pytest.raises(NotFoundError) as caught:
        run_runtimes([partly, never, backwards])
    assert caught.value.advice.startswith("Train one with `lenetcli sweep filters ")


def test_runs_that_were_never_timed_do_not_decide_the_number_of_epochs():
    untimed = make_run(make_config(filters=16), [0.9] * 7, seconds=[])
    series = run_runtimes([time_run(8, [1.0, 1.0]), untimed])
    assert (series.epochs, series.points[0].seconds) == (2, 2.0)


def test_threads_are_named_where_a_cpu_was_measured_with_several_numbers_of_them():
    def label(*runs):
        return [device.label for device in run_runtimes(runs).devices]

    assert label(time_run(8, [1.0]), time_run(16, [1.0], threads=2)) == ["CPU (AMD EPYC 9654)"]
    assert label(time_run(8, [1.0]), time_run(16, [1.0], threads=1)) == [
        "CPU (AMD EPYC 9654, 2 threads)",
        "CPU (AMD EPYC 9654, 1 thread)",
    ]
    options = {"device": DeviceKind.GPU, "device_name": "NVIDIA H100"}
    gpu = [time_run(size, [1.0], threads=threads, **options) for size, threads in ((8, 2), (16, 4))]
    assert label(*gpu) == ["GPU (NVIDIA H100)"]
    # A run whose epochs a GPU trained beside other numbers of threads was on one device.
    both = replace(gpu[0], curve=time_run(8, [1.0, 1.0]).curve)
    later = replace(gpu[1].attempts[0], number=2, timings=(replace(gpu[1].timings[0], epoch=2),))
    (point,) = run_runtimes([replace(both, attempts=(*both.attempts, later))]).points
    assert point.doubt == ""


def linear_runs(factors):
    """Runs on the law of 1 s and 1 µs a multiply-add, each off by its factor."""
    sizes = {8 * 2**place: factor for place, factor in enumerate(factors)}
    works = {size: multiply_adds(make_config(filters=size)) for size in sizes}
    return [time_run(size, [factor * (1 + 1e-6 * works[size])] * 3) for size, factor in sizes.items()]


def test_a_law_is_accepted_from_four_points_that_lie_on_it():
    (device,) = run_runtimes(linear_runs((1, 1, 1, 1))).devices
    assert (device.law.overhead, device.law.rate) == (pytest.approx(3), pytest.approx(3e-6))
    (device,) = run_runtimes(linear_runs((1, 1, 1))).devices
    assert device.law is None  # three points are close to a line too easily
    runs = linear_runs((1, 1, 1, 1))
    (device,) = run_runtimes([*runs[:3], time_run(64, [runs[3].timings[0].train_seconds])]).devices
    assert device.law is None  # one epoch is no measurement of a size
    (device,) = run_runtimes(linear_runs((1, 1.3, 1, 1))).devices
    assert device.law.misfit == pytest.approx(0.18, abs=0.005)
    (device,) = run_runtimes(linear_runs((1, 1.4, 1, 1))).devices
    assert device.law is None  # one is off by more than a fifth


def test_a_point_in_doubt_is_in_no_law():
    runs = linear_runs((1, 1, 1, 1, 50))
    runs[4] = disturb_epoch(runs[4], 0)
    (device,) = run_runtimes(runs).devices
    assert [point.filters for point in device.clean] == [8, 16, 32, 64]
    assert device.law.overhead == pytest.approx(3)


def test_times_that_fall_have_no_law():
    (device,) = run_runtimes([time_run(8 * n, [9.0 / n]) for n in (1, 2, 3)]).devices
    assert device.law is None


@pytest.mark.parametrize(
    ("filters", "seconds", "scale"),
    [
        ((8, 16), (2.0, 2.0), "linear"),
        ((8, 16), (2.0, 40.0), "linear"),
        ((8, 16), (2.0, 40.1), "log"),
        ((8, 16), (40.1, 2.0), "log"),
        ((8, 138), (2.0, 2.0), "linear"),  # 19.9 times the parameters
        ((8, 139), (2.0, 2.0), "log"),  # 20.1 times
    ],
)
def test_the_axes_are_logarithmic_beyond_a_factor_of_twenty(filters, seconds, scale):
    runs = [time_run(size, [time]) for size, time in zip(filters, seconds, strict=True)]
    assert run_runtimes(runs).scale == scale


def test_the_rows_are_the_plotted_numbers():
    runs = [time_run(8, [1.0, 3.0]), disturb_epoch(time_run(16, [2.0, 2.0]), 0)]
    series = run_runtimes(runs)
    rows = [dict(zip(series.HEADER, row, strict=True)) for row in series.rows()]
    assert rows[0] == {
        "device": "cpu",
        "device_name": "AMD EPYC 9654",
        "filters": 8,
        "parameters": 52_258,
        "epochs": 2,
        "seconds": 4.0,
        "low": 3.0,
        "high": 5.0,
        "doubt": "",
        "runs": runs[0].id,
        "recipe": BASE.recipe,
        "host": "bench",
        "threads": 2,
        "label": "CPU (AMD EPYC 9654)",
    }
    assert (rows[1]["filters"], rows[1]["doubt"]) == (16, "others used the machine")
    assert len(rows) == 2


def test_devices_of_other_settings_have_none_in_common():
    runs = [make_run(replace(BASE, lr=rate)) for rate in (0.1, 0.2)]
    assert run_runtimes(runs).setting == "batch 64"
    assert run_runtimes(runs[:1]).setting == "learning rate 0.1, batch 64"


def test_chosen_runs_of_other_settings_are_another_series():
    runs = [make_run(replace(BASE, batch_size=size), RATES[0.1], seconds=2.0) for size in (64, 128)]
    series = run_runtimes(runs)
    labels = [device.label for device in series.devices]
    assert labels == [f"CPU (AMD EPYC 9654), batch {size}" for size in (64, 128)]
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


@pytest.mark.parametrize(
    ("field", "values", "texts"),
    [
        ("batch_size", (16, 64, 1024), ("batch 16", "batch 64", "batch 1024")),
        ("kernel_size", (3, 5), ("kernel 3×3", "kernel 5×5")),
        ("precision", tuple(Precision), ("float32", "bfloat16")),
        ("hidden_units", (64, 128), ("64 hidden units", "128 hidden units")),
        ("lr", (0.1, 0.2), ("learning rate 0.1", "learning rate 0.2")),
        ("shards", (4, 2), ("", "shards 2")),
    ],
)
def test_a_sweep_over_another_parameter_is_a_series_for_each_value(field, values, texts):
    base = replace(BASE, shards=4)
    cells = [
        make_cell(field, value, RATES[0.1][:3], base=base, seconds=float(n))
        for n, value in enumerate(values, 1)
    ]
    series = runtime_series([make_sweep(field, 3, cells)])
    assert [len(device.points) for device in series.devices] == [1] * len(values)
    suffixes = [
        device.label.removeprefix("CPU (AMD EPYC 9654)").removeprefix(", ") for device in series.devices
    ]
    assert suffixes == list(texts)


def test_seeds_and_default_shards_split_no_curve():
    sizes = [(8, 2), (16, 2), (32, 4), (64, 4)]  # the rule of recipe 1
    configs = [make_config(filters=f, shards=s, seed=n, recipe=1) for n, (f, s) in enumerate(sizes)]
    (device,) = run_runtimes([make_run(config, [0.9] * 3) for config in configs]).devices
    assert [point.filters for point in device.points] == [8, 16, 32, 64]


@pytest.mark.parametrize(
    ("change", "texts"),
    [
        ({"host": "lab2"}, ("host bench", "host lab2")),
        ({"versions": {**VERSIONS, "tensorflow": "2.20.0"}}, ("tensorflow 2.21.0", "tensorflow 2.20.0")),
        ({"threads": 8}, ("2 threads", "8 threads")),
    ],
)
def test_what_decides_the_speed_is_another_series_and_said_where_it_differs(change, texts):
    first, other = time_run(8, [1.0] * 3), time_run(16, [1.0] * 3)
    other = replace(other, attempts=(replace(other.attempts[0], **change),))
    assert [device.label for device in run_runtimes([first, first]).devices] == ["CPU (AMD EPYC 9654)"]
    labels = [device.label for device in run_runtimes([first, other]).devices]
    assert labels == [f"CPU (AMD EPYC 9654, {text})" for text in texts]


def test_another_commit_of_a_checkout_is_no_other_software():
    first, other = time_run(8, [1.0] * 3), time_run(16, [1.0] * 3)
    versions = {**VERSIONS, "commit": "0123456789ab"}
    other = replace(other, attempts=(replace(other.attempts[0], versions=versions),))
    assert len(run_runtimes([first, other]).devices) == 1
