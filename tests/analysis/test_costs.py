"""How parameters and runtime grow with the filters, where the data show it and where they do not."""

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
    make_sweep,
)

from lenetcli.analysis.costs import conclude_parameters, conclude_runtimes
from lenetcli.analysis.runtimes import runtime_series
from lenetcli.experiment.architecture import multiply_adds
from lenetcli.experiment.config import DeviceKind, Precision
from lenetcli.experiment.run import RunState


def costs(*sweeps):
    """The statements by topic and device, or by topic and first letters if they concern no device alone."""
    found, device = {}, ""
    for paragraph in conclude_runtimes(runtime_series(sweeps)):
        for one in paragraph:
            if one.topic == "growth":
                device = one.text.removeprefix("On the ")[:3]
            of_device = one.topic.startswith(("growth", "overhead"))
            found[one.topic, device if of_device else one.text[:3]] = one.text
    return found


def test_the_law_of_the_parameters():
    statement = conclude_parameters(BASE, [8, 16, 32, 64, 128, 256])
    assert "9 F² + 6,283 F + 1,418" in statement.text
    assert "52,258 for 8 and 2,199,690 for 256 filters" in statement.text
    assert "holds 96% of them at 8 filters, so that the growth is nearly linear up to 64" in statement.text
    assert "about 698 filters" in statement.text


def test_a_narrow_network_is_not_dominated_by_its_dense_layer():
    statement = conclude_parameters(replace(BASE, hidden_units=1, kernel_size=5), [64, 128])
    assert "nearly linear" not in statement.text


def test_runtime_growth_with_exponent_and_uncertainty():
    found = costs(*both_sweeps())
    assert "8.43 times the parameters: it grows faster than they do" in found["growth", "CPU"]
    assert "42.1 times the parameters: it grows more slowly than they do" in found["growth", "GPU"]
    assert "exponent" not in found["growth", "CPU"]  # where overhead ends says more
    three = costs(filters_sweep(DeviceKind.CPU, {8: 2.6, 16: 5.0, 32: 13.2}))["growth", "CPU"]
    assert "As a power of the number of filters, runtime has the exponent 1.17 ± 1.68 (95%)" in three


def test_growth_in_proportion_is_not_called_faster():
    found = costs(filters_sweep(DeviceKind.CPU, {8: 1.0, 16: 2.0, 32: 4.0}))
    phrase = (
        "for 4.05 times the parameters: whether it grows faster than they do, the spread of the times hides"
    )
    assert phrase in found["growth", "CPU"]


def test_where_overhead_ends():
    found = costs(*both_sweeps())
    assert (
        "overhead takes most of the time below about 81 filters, the arithmetic above"
        in found["overhead", "GPU"]
    )
    flat = costs(filters_sweep(DeviceKind.GPU, {8: 1.0, 16: 1.001, 32: 1.002, 64: 1.003}))
    assert "overhead takes most of the time at every size measured" in flat["overhead", "GPU"]
    works = {size: multiply_adds(replace(BASE, filters=size)) / 1e6 for size in (8, 16, 32, 64)}
    heavy = costs(filters_sweep(DeviceKind.CPU, works))["overhead", "CPU"]
    assert "the arithmetic takes most of the time at every size measured" in heavy


def test_runtimes_that_no_law_describes_are_not_explained():
    found = costs(filters_sweep(DeviceKind.CPU, {8: 5.0, 16: 1.0, 32: 9.0, 64: 2.0}))
    assert "cannot be read" in found["overhead unknown", "CPU"]
    assert ("overhead", "CPU") not in found


def test_one_epoch_a_size_makes_no_fit():
    found = costs(filters_sweep(DeviceKind.CPU, CPU_SECONDS, epochs=1))
    text = found["growth", "CPU"]
    assert "takes 15.8 times as long" in text and "too few epochs were timed" in text
    assert "exponent" not in text and not any(topic.startswith("overhead") for topic, _ in found)


def test_the_ratio_has_the_bounds_of_its_runs_and_not_of_one_of_them():
    """18.4, 18.5 and 26.1 s an epoch in three runs, none of them marked."""
    cells = [
        make_cell("filters", size, RATES[0.1][:4], seed=seed, seconds=[seconds] * 4)
        for size, times in ((8, (2.0, 2.1, 2.0)), (64, (18.4, 18.5, 26.1)))
        for seed, seconds in enumerate(times)
    ]
    found = costs(make_sweep("filters", 4, cells))
    assert "takes 9.25 (8.76 to 13.1) times as long as with 8, for 8.43 times" in found["growth", "CPU"]
    assert found["spread", "The"] == "The spread is from the fastest to the slowest run of a size."
    single = costs(filters_sweep(DeviceKind.CPU, CPU_SECONDS))["spread", "The"]
    assert single.startswith("There is one run of each size") and "is not known" in single


@pytest.mark.parametrize("recipe", [1, 2])
def test_a_busy_machine_gives_its_ratio_in_doubt_and_the_command_that_measures_again(recipe):
    busy = filters_sweep(DeviceKind.CPU, CPU_SECONDS, contended=True, base=replace(BASE, recipe=recipe))
    paragraphs = conclude_runtimes(runtime_series([busy]), [busy])
    (doubt,) = [one for paragraph in paragraphs for one in paragraph if one.topic == "doubt"]
    assert doubt.text == (
        "On the CPU (AMD EPYC 9654), training with 64 filters took 15.8 times as long as with 8, for 8.43 "
        "times the parameters. That is in doubt (others used the machine), and nothing is concluded from it."
    )
    command = "lenetcli sweep filters 8 16 32 64 --epochs 5 --device cpu --remeasure"
    assert doubt.command == (command if recipe == 2 else "")  # an older recipe is not measured again
    quiet = filters_sweep(DeviceKind.GPU, GPU_SECONDS)
    found = costs(busy, quiet)
    if recipe == 2:
        assert "4.19 (8 filters)" in found["speed-up in doubt", "Spe"]


def test_some_points_in_doubt_are_named_beside_what_is_concluded_from_the_others():
    sweep = filters_sweep(DeviceKind.CPU, CPU_SECONDS)
    busy = filters_sweep(DeviceKind.CPU, CPU_SECONDS, contended=True)
    sweep = replace(sweep, cells=(*busy.cells[:1], *sweep.cells[1:]))
    found = costs(sweep)
    assert "with 64 filters takes" in found["growth", "CPU"] and "as with 16" in found["growth", "CPU"]
    assert found["doubt", "Lef"].endswith("since times are in doubt: 8 filters (others used the machine).")


def test_threads_stand_beside_a_speed_up_and_a_gpu_is_said_to_need_filling():
    found = costs(*both_sweeps())
    assert "over the CPU (AMD EPYC 9654) with 2 threads: " in found["speed-up", "Spe"]
    assert "which a small network does not fill" in found["reason", "Run"]
    assert "GPU" not in costs(both_sweeps()[0])["reason", "Run"]


def test_one_filter_is_in_the_singular():
    found = costs(filters_sweep(DeviceKind.CPU, {1: 2.0, 2: 1.0}), filters_sweep(DeviceKind.GPU, {1: 1.0}))
    assert "(1 filter). " in found["speed-up", "Spe"] and "faster at 1 filter." in found["speed-up", "Spe"]


def test_three_sizes_tell_nothing_about_overhead():
    found = costs(filters_sweep(DeviceKind.CPU, {8: 2.6, 16: 5.0, 32: 13.2}))
    assert "exponent" in found["growth", "CPU"]
    assert not any(topic.startswith("overhead") for topic, _ in found)


def test_two_sizes_make_no_law():
    found = costs(filters_sweep(DeviceKind.CPU, {8: 1.0, 16: 3.0}))
    assert "exponent" not in found["growth", "CPU"]
    assert not any(topic.startswith("overhead") for topic, _ in found)


def test_runtimes_of_two_recipes_are_not_compared():
    old = filters_sweep(DeviceKind.CPU, CPU_SECONDS, base=replace(BASE, recipe=1))
    found = costs(old, filters_sweep(DeviceKind.GPU, GPU_SECONDS, base=replace(BASE, recipe=2)))
    assert not any(topic == "speed-up" for topic, _ in found)
    assert [text for (topic, _), text in found.items() if topic == "unlike"] == [
        "GPU (NVIDIA H100 80GB HBM3), recipe 2 and CPU (AMD EPYC 9654), recipe 1 are not compared: "
        "their recipes differ."
    ]


def test_a_gpu_that_always_pays():
    text = costs(*both_sweeps())["speed-up", "Spe"]
    assert "4.19 (8 filters)" in text
    assert "the GPU is faster at 8, 16, 32 and 64 filters" in text
    assert "The speed-up grows with the size" in text


def test_a_gpu_that_pays_from_some_size_on():
    slow = {8: 4.0, 16: 6.0, 32: 7.0, 64: 8.0}
    found = costs(filters_sweep(DeviceKind.CPU, CPU_SECONDS), filters_sweep(DeviceKind.GPU, slow))
    assert "the GPU is faster at 32 and 64 filters" in found["speed-up", "Spe"]


def test_a_gpu_that_never_pays():
    slow = {filters: 3 * seconds for filters, seconds in CPU_SECONDS.items()}
    found = costs(filters_sweep(DeviceKind.CPU, CPU_SECONDS), filters_sweep(DeviceKind.GPU, slow))
    assert "the GPU is faster at none of these sizes" in found["speed-up", "Spe"]


def test_a_gpu_as_fast_as_the_cpu_is_not_distinguishable():
    found = costs(filters_sweep(DeviceKind.CPU, CPU_SECONDS), filters_sweep(DeviceKind.GPU, CPU_SECONDS))
    assert "the GPU is faster at none of these sizes" in found["speed-up", "Spe"]
    assert "with the size" not in found["speed-up", "Spe"]


def test_one_epoch_tells_nothing_about_a_gpu():
    found = costs(
        filters_sweep(DeviceKind.CPU, {8: 2.0, 16: 2.01}, epochs=1),
        filters_sweep(DeviceKind.GPU, {8: 1.99, 16: 2.0}, epochs=1),
    )
    assert "the GPU is faster at none of these sizes" in found["speed-up", "Spe"]
    assert "too few epochs were timed" in found["growth", "CPU"]


@pytest.mark.parametrize("speedups", [(0.1, 0.417, 0.182), (2, 20, 3)])
def test_a_speed_up_that_goes_up_and_down_has_no_trend(speedups):
    fast = {size: CPU_SECONDS[size] / s for size, s in zip((8, 16, 32), speedups, strict=True)}
    found = costs(filters_sweep(DeviceKind.CPU, CPU_SECONDS), filters_sweep(DeviceKind.GPU, fast))
    assert "with the size" not in found["speed-up", "Spe"]


def test_a_runtime_that_shrinks_does_not_grow():
    found = costs(filters_sweep(DeviceKind.CPU, {8: 4.0, 16: 2.0, 32: 1.0}))
    assert (
        "training with 32 filters takes 0.25 (0.245 to 0.255) times as long as with 8"
        in found["growth", "CPU"]
    )


def test_a_run_that_is_not_finished_is_in_no_fit():
    sweep = filters_sweep(DeviceKind.CPU, CPU_SECONDS)
    cells = list(sweep.cells)
    cells[3] = make_cell("filters", 64, RATES[0.1][:1], seconds=41.0, state=RunState.INTERRUPTED)
    found = costs(replace(sweep, cells=tuple(cells)))
    assert "with 32 filters" in found["growth", "CPU"]


def test_times_that_are_none_are_left_out():
    found = costs(filters_sweep(DeviceKind.CPU, {8: 0.0, 16: 5.0, 32: 13.2}))
    assert "with 32 filters takes 2.64 (2.58 to 2.7) times as long as with 16" in found["growth", "CPU"]


@pytest.mark.parametrize("odd", [{"data": "e" * 64}, {"precision": Precision.BFLOAT16}, {"batch_size": 128}])
def test_devices_with_other_data_or_settings_are_not_compared(odd):
    other = filters_sweep(DeviceKind.GPU, GPU_SECONDS, base=replace(BASE, **odd))
    found = costs(filters_sweep(DeviceKind.CPU, CPU_SECONDS), other)
    assert "are not compared" in found["unlike", "GPU"]
    assert ("speed-up", "Spe") not in found


def test_contended_runs_are_in_no_comparison():
    busy = filters_sweep(DeviceKind.CPU, CPU_SECONDS, contended=True)
    found = costs(busy, filters_sweep(DeviceKind.GPU, GPU_SECONDS))
    assert ("growth", "CPU") not in found
    assert ("speed-up", "Spe") not in found


def test_one_size_shows_no_growth():
    assert costs(filters_sweep(DeviceKind.CPU, {16: 5.0})) == {}


def test_three_timed_epochs_are_enough_to_compare_and_two_are_not():
    sizes = {8: 1.0, 16: 9.0}
    assert "it grows faster" in costs(filters_sweep(DeviceKind.CPU, sizes, epochs=3))["growth", "CPU"]
    # One seed of two epochs beside two seeds of two epochs.
    cells = [
        make_cell("filters", size, RATES[0.1][:2], seconds=seconds, seed=seed)
        for size, seconds, seeds in ((8, 1.0, 1), (16, 9.0, 2))
        for seed in range(seeds)
    ]
    assert "too few epochs" in costs(make_sweep("filters", 2, cells))["growth", "CPU"]
    fast = filters_sweep(DeviceKind.GPU, {8: 0.1, 16: 0.1}, epochs=3)
    slow = filters_sweep(DeviceKind.CPU, sizes, epochs=3)
    assert "faster at 8 and 16 filters" in costs(slow, fast)["speed-up", "Spe"]


@pytest.mark.parametrize(("largest", "last"), [(77, 77), (78, 64)])
def test_growth_is_nearly_linear_up_to_a_tenth_in_the_square(largest, last):
    # 9 F² is 0.0991 of all parameters at 77 filters and 0.1002 at 78.
    text = conclude_parameters(BASE, [8, 64, largest]).text
    assert f"nearly linear up to {last} filters" in text


def test_a_fit_that_meets_every_point_is_still_a_fit():
    works = {size: multiply_adds(replace(BASE, filters=size)) / 1e6 + 1 for size in (8, 16, 32, 64)}
    assert "meets every point within 1%" in costs(filters_sweep(DeviceKind.CPU, works))["overhead", "CPU"]


def test_overhead_may_end_just_below_the_largest_size():
    work = {size: multiply_adds(replace(BASE, filters=size)) / 1e6 for size in (8, 16, 32, 48, 64)}
    times = {size: work[size] + work[48] for size in (8, 16, 32, 64)}
    found = costs(filters_sweep(DeviceKind.GPU, times))["overhead", "GPU"]
    assert "overhead takes most of the time below about 48 filters" in found


@pytest.mark.parametrize(
    ("speedups", "grows"),
    [((1.0, 1.2), True), ((1.0, 1.05), False), ((1.0, 1.0, 2.0), True), ((1.0, 3.0, 2.0), False)],
)
def test_a_speed_up_grows_by_more_than_timings_vary_and_without_a_step_down(speedups, grows):
    sizes = (8, 16, 32)[: len(speedups)]
    gpu = filters_sweep(DeviceKind.GPU, dict.fromkeys(sizes, 1.0))
    cpu = filters_sweep(DeviceKind.CPU, dict(zip(sizes, speedups, strict=True)))
    assert ("grows with the size" in costs(cpu, gpu)["speed-up", "Spe"]) == grows


def test_devices_that_are_not_compared_have_the_reason():
    gpu = filters_sweep(DeviceKind.GPU, GPU_SECONDS, base=replace(BASE, batch_size=128))
    texts = [text for (topic, _), text in costs(gpu, both_sweeps()[0]).items() if topic == "unlike"]
    assert len(texts) == 1
    assert texts[0].endswith("are not compared: their data or settings differ.")


def test_a_gpu_with_too_few_timed_epochs_is_not_called_faster():
    gpu = filters_sweep(DeviceKind.GPU, {8: 0.1}, epochs=2)
    cpu = filters_sweep(DeviceKind.CPU, {8: 9.0}, epochs=2, seeds=2)
    assert "faster at none of these sizes" in costs(gpu, cpu)["speed-up", "Spe"]
