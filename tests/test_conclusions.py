"""Each conclusion where the data make it true, where they make it false, and where they cannot tell."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import (
    BASE,
    CPU_SECONDS,
    GPU_SECONDS,
    RATES,
    MadeUpEvidence,
    both_sweeps,
    filters_sweep,
    make_cell,
    make_sweep,
    rates_sweep,
)

from lenetcli.analysis.conclusions import conclude_learning_rates
from lenetcli.analysis.costs import conclude_parameters, conclude_runtimes
from lenetcli.analysis.estimates import estimate_seconds, fit_cost
from lenetcli.experiment.architecture import multiply_adds, parameter_law
from lenetcli.analysis.inference import fit_exponent, fit_line, mcnemar
from lenetcli.experiment.config import DeviceKind, Precision
from lenetcli.experiment.run import RunState
from lenetcli.analysis.runtimes import runtime_series


def judge(sweep, **options):
    """The statements about a sweep, by topic."""
    found = conclude_learning_rates(sweep, MadeUpEvidence([sweep], **options))
    return {statement.topic: statement for statement in found}


def shift(sweep, place, images):
    """Evidence options in which one run's mistakes lie elsewhere, so that pairs disagree both ways."""
    return {"offsets": {sweep.cells[place].config.key: images}}


# which works best


def test_a_clear_leader_works_best_and_its_lead_is_tested_on_the_same_images():
    sweep = rates_sweep()
    found = judge(sweep)
    assert "0.1 works best" in found["best"].text
    assert "0.9847 at its best in epoch 10" in found["best"].text
    assert "0.1 alone is right on 106 of the 10,000 images and 0.01 alone on 0" in found["lead"].text
    assert "larger than the sampling error" in found["lead"].text
    assert "corrected for 3 comparisons" in found["lead"].text
    assert found["best"].runs == (sweep.cells[0].run.id,)


def test_a_lead_within_chance_is_not_distinguishable_and_nothing_works_best():
    sweep = rates_sweep({0.1: [0.97, 0.9805], 0.03: [0.96, 0.9800], 0.01: [0.5, 0.6]})
    found = judge(sweep, **shift(sweep, 1, 5000))
    assert "best" not in found
    assert "0.1 shows the highest validation accuracy" in found["highest"].text
    assert "0.1 is not distinguishable from 0.03: after the last epoch" in found["not distinguishable"].text
    assert "on 200 of the 10,000 images and 0.03 alone on 195" in found["not distinguishable"].text
    assert "lead" not in found


def test_pairing_finds_a_small_lead_that_unpaired_numbers_would_not():
    sweep = rates_sweep({0.1: [0.97, 0.9805], 0.01: [0.96, 0.9795]})
    assert "alone is right on 10 of the 10,000 images and 0.01 alone on 0" in judge(sweep)["lead"].text


@pytest.mark.parametrize(("more", "topic"), [({}, "lead"), ({0.01: [0.5, 0.6]}, "not distinguishable")])
def test_a_lead_over_several_rates_has_more_chances_to_be_chance(more, topic):
    sweep = rates_sweep({0.1: [0.97, 0.9805], 0.03: [0.96, 0.9797], **more})
    found = judge(sweep, **shift(sweep, 1, 2))
    assert "right on 10 of the 10,000 images and 0.03 alone on 2" in found[topic].text


@pytest.mark.parametrize("lacking", ["with_predictions", "with_labels"])
def test_without_predictions_or_labels_no_lead_is_claimed(lacking):
    found = judge(rates_sweep(), **{lacking: False})
    assert "cannot be said here" in found["lead unknown"].text
    assert not {"best", "lead"} & found.keys()


def test_predictions_of_another_curve_are_not_believed():
    sweep = rates_sweep()

    class Strange(MadeUpEvidence):
        def predictions(self, key, epoch):
            return bytes(10_000)

    topics = {statement.topic for statement in conclude_learning_rates(sweep, Strange([sweep]))}
    assert "lead unknown" in topics
    assert "lead" not in topics


def test_best_and_last_epoch_may_name_different_winners_and_both_are_said():
    found = judge(rates_sweep({0.1: [0.97, 0.985, 0.95], 0.01: [0.91, 0.95, 0.96]}))
    text = found["winners differ"].text
    assert "different winners, since 0.1 ends 0.0350 below its best" in text
    assert "0.1 reaches 0.9850 at its best in epoch 2 and 0.9500 at the end" in text
    assert "and 0.01 0.9600 at its best in epoch 3 and 0.9600 at the end" in text
    assert not {"best", "highest"} & found.keys()


def test_seeds_that_lie_close_support_a_lead():
    found = judge(rates_sweep(seeds=3))
    assert "0.1 works best" in found["best"].text
    assert "mean over 3 seeds" in found["best"].text
    assert "larger than the spread over the seeds" in found["lead"].text
    assert "0.1 leads 0.01 by 0.0106 ±" in found["lead"].text


def test_seeds_that_lie_apart_support_none():
    cells = [
        make_cell("lr", rate, (0.9, final), seed=seed)
        for rate, finals in ((0.1, (0.97, 0.99, 0.98)), (0.01, (0.975, 0.98, 0.97)))
        for seed, final in enumerate(finals)
    ]
    found = judge(make_sweep("lr", 2, cells))
    assert "0.1 is not distinguishable from 0.01" in found["not distinguishable"].text
    assert "best" not in found


def test_many_seeds_that_overlap_support_no_lead_however_narrow_the_interval():
    cells = [
        make_cell("lr", rate, (0.5, middle + 0.004 * (-1) ** seed), seed=seed)
        for rate, middle in ((0.1, 0.98), (0.01, 0.974))
        for seed in range(8)
    ]
    text = judge(make_sweep("lr", 2, cells))["not distinguishable"].text
    assert "by 0.0060 ± 0.0046" in text


def test_the_value_that_is_close_is_the_one_whose_numbers_are_given():
    finals = {0.1: (0.98, 0.982, 0.981), 0.01: (0.975, 0.9751, 0.9752), 0.001: (0.9, 0.9825, 0.97)}
    cells = [
        make_cell("lr", rate, (0.5, final), seed=seed)
        for rate, values in finals.items()
        for seed, final in enumerate(values)
    ]
    text = judge(make_sweep("lr", 2, cells))["not distinguishable"].text
    assert "0.1 is not distinguishable from 0.001:" in text
    assert "0.1 leads 0.001 by" in text


def test_a_single_finished_value_is_not_called_best():
    found = judge(rates_sweep({0.1: RATES[0.1], 0.01: None}))
    assert found["only"].text.startswith("Only the learning rate 0.1 is finished")
    assert "best" not in found


# what is not alike, not finished, not finite


def test_what_is_not_finished_is_named_with_its_command_and_not_ranked():
    sweep = rates_sweep({0.1: RATES[0.1], 0.01: RATES[0.01], 0.001: None})
    found = judge(sweep)
    assert "not compared: learning rate 0.001." in found["missing"].text
    assert found["missing"].command == "lenetcli sweep lr 0.1 0.01 0.001"
    assert "0.001" not in found["best"].text


def test_values_are_compared_over_the_seeds_that_all_have_finished():
    cells = [
        make_cell("lr", 0.1, RATES[0.1], seed=0),
        make_cell("lr", 0.1, RATES[0.1], seed=1),
        make_cell("lr", 0.01, RATES[0.01], seed=0),
        make_cell("lr", 0.01, RATES[0.01][:4], seed=1),
    ]
    found = judge(make_sweep("lr", 10, cells))
    assert "learning rate 0.01 (seed 1)." in found["missing"].text
    assert "McNemar" in found["lead"].text
    assert "best" not in found  # what the other seeds show is not in it


def test_a_diverged_run_is_named_and_never_best():
    sweep = rates_sweep({10.0: [0.999, 0.9], 0.1: [0.97, 0.98, 0.985], 0.01: [0.9, 0.91, 0.92]})
    diverged = replace(sweep.cells[0], run=replace(sweep.cells[0].run, state=RunState.DIVERGED))
    found = judge(replace(sweep, cells=(diverged, *sweep.cells[1:])))
    assert "learning rate 10 (no finite loss in epoch 3)" in found["diverged"].text
    assert "Of the learning rates 0.1 and 0.01, 0.1 works best" in found["best"].text
    assert "missing" not in found


def test_a_value_of_which_one_seed_diverged_is_not_ranked_by_those_that_survived():
    cells = [
        make_cell("lr", 1.0, (0.98, 0.99), seed=0),
        make_cell("lr", 1.0, (0.2,), seed=1, state=RunState.DIVERGED),
        *(make_cell("lr", rate, (0.9, rate + 0.8), seed=seed) for rate in (0.1, 0.01) for seed in (0, 1)),
    ]
    found = judge(make_sweep("lr", 2, cells))
    assert "learning rate 1 with 1 of 2 seeds (no finite loss in epoch 2)" in found["diverged"].text
    assert "Of the learning rates 0.1 and 0.01, 0.1" in found["best"].text


@pytest.mark.parametrize(
    "odd", [{"data": "e" * 64}, {"precision": Precision.BFLOAT16}, {"batch_size": 128}, {"filters": 8}]
)
def test_runs_that_differ_in_more_than_the_value_are_not_ranked(odd):
    cells = [make_cell("lr", 0.1, RATES[0.1]), make_cell("lr", 0.01, RATES[0.01], base=replace(BASE, **odd))]
    assert set(judge(make_sweep("lr", 10, cells))) == {"unlike"}


def test_a_run_is_seen_through_the_epochs_of_its_sweep_only():
    longer = make_cell("lr", 0.01, [*RATES[0.01], 0.999])
    cells = [make_cell("lr", 0.1, RATES[0.1]), replace(longer, run=longer.run.at(10))]
    assert "0.1 works best" in judge(make_sweep("lr", 10, cells))["best"].text


# how the curves run


def test_order_is_said_where_each_step_is_clear():
    text = judge(rates_sweep())["order"].text
    assert "The higher the learning rate, the higher the accuracy" in text
    assert "the highest rate leads" in text


def test_order_is_not_said_where_a_step_is_within_chance_or_turns():
    close = {0.1: [0.98], 0.01: [0.979], 0.001: [0.9]}
    turned = {0.1: [0.9], 0.01: [0.98], 0.001: [0.8]}
    assert "order" not in judge(rates_sweep(close))
    assert "order" not in judge(rates_sweep(turned))


def test_order_may_fall():
    assert (
        "The lower the learning rate"
        in judge(rates_sweep({0.1: [0.7], 0.01: [0.8], 0.001: [0.9]}))["order"].text
    )


def test_speed_compares_the_first_epoch_with_the_ends_of_others():
    text = judge(rates_sweep())["speed"].text
    assert "first epoch at 0.1 (0.9701) already reaches more" in text
    assert "0.001 (at most 0.9081) and 0.0001 (at most 0.3641)" in text
    assert "0.01 (" not in text
    assert "speed" not in judge(rates_sweep({0.1: [0.5, 0.98], 0.01: [0.4, 0.9]}))


def test_a_value_that_fell_at_its_end_was_no_slower():
    found = judge(rates_sweep({0.1: [0.97, 0.974, 0.978, 0.98], 0.3: [0.96, 0.975, 0.983, 0.5]}))
    assert "speed" not in found


@pytest.mark.parametrize("state", [RunState.DIVERGED, RunState.INTERRUPTED])
def test_no_order_is_said_where_a_value_has_no_place_in_it(state):
    cells = list(rates_sweep({1.0: [0.98] * 2, 0.1: [0.95] * 2, 0.01: [0.9] * 2, 0.001: [0.8] * 2}).cells)
    assert "order" in judge(make_sweep("lr", 2, cells))
    cells[1] = make_cell("lr", 0.1, [0.1], state=state)
    assert "order" not in judge(make_sweep("lr", 2, cells))


def test_a_rise_along_a_bend_has_not_converged_and_is_not_counted():
    found = judge(rates_sweep({0.1: [0.98, 0.9801, 0.9802, 0.9801], 0.001: [0.3124, 0.7221, 0.8312, 0.8641]}))
    assert "still rises by 0.1764 (0.001) an epoch." in found["not converged"].text
    assert "0.1 shows no rise" in found["level"].text


def test_a_steady_rise_has_not_converged_and_the_trend_is_counted():
    found = judge(rates_sweep({0.1: [0.98] * 8, 0.01: [0.5 + 0.05 * n for n in range(8)]}))
    assert "rises by 0.0500 (0.01) an epoch" in found["not converged"].text
    assert "0.01 would need 3 more epochs to reach the 0.9800 of 0.1" in found["not converged"].text
    assert "0.1 shows no rise" in found["level"].text


def test_a_slow_rise_that_is_clear_of_the_scatter_is_a_rise():
    found = judge(rates_sweep({0.1: [0.98 + 0.0006 * n for n in range(8)], 0.01: [0.95] * 8}))
    assert "rises by 0.0006 (0.1) an epoch." in found["not converged"].text


def test_scatter_without_a_trend_is_not_called_a_rise():
    noisy = [0.97, 0.98, 0.975, 0.982, 0.974, 0.983, 0.976, 0.981]
    found = judge(rates_sweep({0.1: noisy, 0.01: [0.95] * 8}))
    assert "not converged" not in found
    assert "0.1 and 0.01 show no rise" in found["level"].text


def test_few_epochs_cannot_tell_about_convergence():
    found = judge(rates_sweep({0.1: [0.9, 0.95, 0.98], 0.01: [0.5, 0.6, 0.7]}))
    assert "3 epochs cannot show" in found["convergence unknown"].text
    assert not {"not converged", "level"} & found.keys()


def test_dips_beyond_the_sampling_error_are_oscillation():
    found = judge(rates_sweep({0.1: [0.97, 0.90, 0.98, 0.91, 0.98], 0.01: [0.9, 0.91, 0.92, 0.93, 0.94]}))
    assert "0.1 oscillates" in found["oscillates"].text
    assert "2 of 4 steps, most by 0.0700" in found["oscillates"].text


def test_dips_within_the_sampling_error_are_not():
    found = judge(rates_sweep({0.1: [0.97, 0.968, 0.972, 0.970], 0.01: [0.9, 0.91, 0.92, 0.93]}))
    assert not {"oscillates", "falls back"} & found.keys()


def test_one_dip_is_one_dip():
    found = judge(rates_sweep({0.1: [0.97, 0.98, 0.98, 0.95], 0.01: [0.9, 0.91, 0.92, 0.93]}))
    assert "0.1 falls back" in found["falls back"].text
    assert "beyond the sampling error once, by 0.0300 in epoch 4" in found["falls back"].text


def test_a_fall_without_a_recovery_is_no_oscillation():
    found = judge(rates_sweep({0.3: [0.97, 0.95, 0.90, 0.80], 0.01: [0.5, 0.6, 0.7, 0.75]}))
    assert (
        "0.3 falls back: its accuracy falls beyond the sampling error in 3 of 3 steps"
        in found["falls back"].text
    )
    assert "oscillates" not in found


def test_one_dip_in_each_of_two_seeds_is_no_oscillation():
    cells = [make_cell("lr", 0.1, (0.97, 0.90, 0.98, 0.981), seed=seed) for seed in (0, 1)]
    found = judge(make_sweep("lr", 4, cells))
    assert "0.1 falls back" in found["falls back"].text


def test_no_winner_among_those_who_guess():
    found = judge(rates_sweep({1.0: [0.1135] * 4, 0.5: [0.098] * 4}))
    assert set(found) == {"chance"}


def test_equal_numbers_are_shared():
    found = judge(rates_sweep({0.1: [0.97, 0.98], 0.03: [0.97, 0.98], 0.01: [0.9, 0.91]}))
    assert "0.1 and 0.03 show the highest" in found["highest"].text


def test_seeds_that_are_not_finished_are_told_and_nothing_works_best():
    finals = {0.1: (0.9847, 0.9887, 0.9727), 0.01: (0.9717, None, None)}
    cells = [
        make_cell("lr", rate, None if final is None else (0.9, final), seed=seed)
        for rate, known in finals.items()
        for seed, final in enumerate(known)
    ]
    found = judge(make_sweep("lr", 2, cells))
    assert "0.01 (seeds 1 and 2)" in found["missing"].text
    assert "over the 1 seed that all of them have finished, 0.1 shows" in found["highest"].text
    assert "best" not in found


def test_nothing_is_ranked_without_a_common_seed():
    cells = [
        make_cell("lr", 0.1, (0.98,), seed=0),
        make_cell("lr", 0.1, None, seed=1),
        make_cell("lr", 0.01, None, seed=0),
        make_cell("lr", 0.01, (0.9,), seed=1),
    ]
    assert set(judge(make_sweep("lr", 1, cells))) == {"nothing ranked", "missing"}


def test_values_set_aside_for_divergence_lack_no_seed():
    cells = [
        make_cell("lr", rate, (0.9,), seed=seed, state=state)
        for rate in (0.1, 0.01)
        for seed, state in enumerate((RunState.COMPLETED, RunState.DIVERGED))
    ]
    assert set(judge(make_sweep("lr", 1, cells))) == {"nothing ranked", "diverged"}


def test_seeds_that_agree_to_the_digit_still_err():
    cells = [make_cell("lr", r, (0.9, f), seed=s) for r, f in ((0.1, 0.9847), (0.01, 0.9846)) for s in (0, 1)]
    found = judge(make_sweep("lr", 2, cells))
    assert "by 0.0001 ± 0.0035" in found["not distinguishable"].text


def test_seeds_that_diverge_in_different_epochs_name_them_all():
    cells = [make_cell("lr", 0.1, (0.9,) * 7, seed=seed) for seed in range(3)]
    cells += [
        make_cell("lr", 1.0, (0.5,) * length, seed=seed, state=RunState.DIVERGED)
        for seed, length in ((0, 2), (1, 6))
    ]
    found = judge(make_sweep("lr", 7, [*cells, make_cell("lr", 1.0, None, seed=2)]))
    assert "1 with 2 of 3 seeds (no finite loss in epochs 3 and 7)." in found["diverged"].text


def test_guessing_is_called_guessing():
    found = judge(rates_sweep({0.1: [0.97, 0.98], 1.0: [0.1, 0.1]}))
    assert found["chance"].text.startswith("1: the accuracy never rises clearly above what guessing")
    assert "chance" not in judge(rates_sweep())


def test_the_test_set_speaks_of_the_leader_only_and_only_where_it_was_measured():
    sweep = rates_sweep({0.1: [0.97, 0.98], 0.01: [0.9, 0.91]}, test_accuracy=0.9777)
    assert "0.1 reaches 0.9777" in judge(sweep)["test"].text
    cells = []
    for cell in sweep.cells:
        curve = tuple(replace(point, test_accuracy=None) for point in cell.run.curve)
        cells.append(replace(cell, run=replace(cell.run, curve=curve)))
    assert "test" not in judge(replace(sweep, cells=tuple(cells)))


# parameters and runtime


def costs(*sweeps):
    found = conclude_runtimes(runtime_series(sweeps))
    return {(statement.topic, statement.text[:3]): statement.text for statement in found}


def test_the_law_of_the_parameters():
    statement = conclude_parameters(BASE, [8, 16, 32, 64, 128, 256])
    assert "9 F² + 6,283 F + 1,418" in statement.text
    assert "52,258 for 8 and 2,199,690 for 256 filters" in statement.text
    assert "holds 96% of them at 8 filters, so that the growth is nearly linear up to 64" in statement.text
    assert "about 698 filters" in statement.text


@given(st.integers(1, 7), st.integers(1, 500), st.integers(1, 400))
def test_the_law_holds_for_every_kernel_and_width(kernel, units, filters):
    config = replace(BASE, kernel_size=kernel, hidden_units=units, filters=filters)
    assert parameter_law(config)(filters) == config.parameters


def test_a_narrow_network_is_not_dominated_by_its_dense_layer():
    statement = conclude_parameters(replace(BASE, hidden_units=1, kernel_size=5), [64, 128])
    assert "nearly linear" not in statement.text


def test_runtime_growth_with_exponent_and_uncertainty():
    found = costs(*both_sweeps())
    assert "more than in proportion" in found["growth", "CPU"]
    assert "less than in proportion" in found["growth", "GPU"]
    assert "the exponent is 1.33 ± 0.48 (95%)" in found["growth", "CPU"]


def test_growth_in_proportion_is_not_called_faster():
    found = costs(filters_sweep(DeviceKind.CPU, {8: 1.0, 16: 2.0, 32: 4.0}))
    assert "not distinguishable from proportion" in found["growth", "CPU"]


def test_where_overhead_ends():
    found = costs(*both_sweeps())
    assert "overhead dominates below about 81 filters" in found["overhead", "GPU"]
    flat = costs(filters_sweep(DeviceKind.GPU, {8: 1.0, 16: 1.001, 32: 1.002, 64: 1.003}))
    assert "overhead dominates at every size" in flat["overhead", "GPU"]
    works = {size: multiply_adds(replace(BASE, filters=size)) / 1e6 for size in (8, 16, 32, 64)}
    assert (
        "arithmetic dominates at every size" in costs(filters_sweep(DeviceKind.CPU, works))["overhead", "CPU"]
    )


def test_runtimes_that_no_law_describes_are_not_explained():
    found = costs(filters_sweep(DeviceKind.CPU, {8: 5.0, 16: 1.0, 32: 9.0, 64: 2.0}))
    assert "cannot be read" in found["overhead unknown", "CPU"]
    assert ("overhead", "CPU") not in found


def test_three_sizes_tell_nothing_about_overhead():
    found = costs(filters_sweep(DeviceKind.CPU, {8: 2.6, 16: 5.0, 32: 13.2}))
    assert "exponent" in found["growth", "CPU"]
    assert not any(topic.startswith("overhead") for topic, _ in found)


def test_two_sizes_make_no_law():
    found = costs(filters_sweep(DeviceKind.CPU, {8: 1.0, 16: 3.0}))
    assert "exponent" not in found["growth", "CPU"]
    assert not any(topic.startswith("overhead") for topic, _ in found)


def test_a_gpu_that_always_pays():
    text = costs(*both_sweeps())["speed-up", "Spe"]
    assert "4.19 (8 filters)" in text
    assert "on the GPU pays at 8, 16, 32 and 64 filters" in text
    assert "The speed-up grows with the size" in text


def test_a_gpu_that_pays_from_some_size_on():
    slow = {8: 4.0, 16: 6.0, 32: 7.0, 64: 8.0}
    found = costs(filters_sweep(DeviceKind.CPU, CPU_SECONDS), filters_sweep(DeviceKind.GPU, slow))
    assert "on the GPU pays at 32 and 64 filters" in found["speed-up", "Spe"]


def test_a_gpu_that_never_pays():
    slow = {filters: 3 * seconds for filters, seconds in CPU_SECONDS.items()}
    found = costs(filters_sweep(DeviceKind.CPU, CPU_SECONDS), filters_sweep(DeviceKind.GPU, slow))
    assert "pays at none of these sizes" in found["speed-up", "Spe"]


def test_a_gpu_as_fast_as_the_cpu_is_not_distinguishable():
    found = costs(filters_sweep(DeviceKind.CPU, CPU_SECONDS), filters_sweep(DeviceKind.GPU, CPU_SECONDS))
    assert "pays at none of these sizes" in found["speed-up", "Spe"]
    assert "with the size" not in found["speed-up", "Spe"]


def test_one_epoch_tells_nothing_about_a_gpu():
    found = costs(
        filters_sweep(DeviceKind.CPU, {8: 2.0, 16: 2.01}, epochs=1),
        filters_sweep(DeviceKind.GPU, {8: 1.99, 16: 2.0}, epochs=1),
    )
    assert "pays at none of these sizes" in found["speed-up", "Spe"]
    assert "too few epochs were timed" in found["growth", "CPU"]


@pytest.mark.parametrize("speedups", [(0.1, 0.417, 0.182), (2, 20, 3)])
def test_a_speed_up_that_goes_up_and_down_has_no_trend(speedups):
    fast = {size: CPU_SECONDS[size] / s for size, s in zip((8, 16, 32), speedups, strict=True)}
    found = costs(filters_sweep(DeviceKind.CPU, CPU_SECONDS), filters_sweep(DeviceKind.GPU, fast))
    assert "with the size" not in found["speed-up", "Spe"]


def test_a_runtime_that_shrinks_does_not_grow():
    found = costs(filters_sweep(DeviceKind.CPU, {8: 4.0, 16: 2.0, 32: 1.0}))
    assert "training with 32 filters takes 0.25 times as long as with 8" in found["growth", "CPU"]


def test_a_run_that_is_not_finished_is_in_no_fit():
    sweep = filters_sweep(DeviceKind.CPU, CPU_SECONDS)
    cells = list(sweep.cells)
    cells[3] = make_cell("filters", 64, RATES[0.1][:1], seconds=41.0, state=RunState.INTERRUPTED)
    found = costs(replace(sweep, cells=tuple(cells)))
    assert "with 32 filters" in found["growth", "CPU"]


def test_times_that_are_none_are_left_out():
    found = costs(filters_sweep(DeviceKind.CPU, {8: 0.0, 16: 5.0, 32: 13.2}))
    assert "with 32 filters takes 2.64 times as long as with 16" in found["growth", "CPU"]


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


# arithmetic


@pytest.mark.parametrize(
    ("only_first", "only_second", "chance"), [(0, 0, 1.0), (5, 0, 0.0625), (8, 2, 0.109375)]
)
def test_mcnemar_against_the_binomial_by_hand(only_first, only_second, chance):
    assert mcnemar(only_first, only_second) == pytest.approx(chance)


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_a_symmetric_probability(only_first, only_second):
    chance = mcnemar(only_first, only_second)
    assert 0 < chance <= 1
    assert chance == mcnemar(only_second, only_first)


def test_mcnemar_with_ten_thousand_disagreements():
    assert mcnemar(5_000, 5_000) == 1.0
    assert mcnemar(10_000, 0) == 0.0


def test_fits_find_what_was_put_in():
    assert fit_line([0, 1, 2, 3], [1, 3, 5, 7]).slope == pytest.approx(2)
    assert fit_exponent([1, 2, 4, 8], [3, 12, 48, 192]).slope == pytest.approx(2)
    cost = fit_cost([1, 10, 100], [5 + 2, 5 + 20, 5 + 200])
    assert (cost.overhead, cost.rate) == (pytest.approx(5), pytest.approx(2))
    assert fit_cost([1, 2, 3], [3, 2, 1]) is None


def test_the_margin_of_a_slope_is_students():
    line = fit_line([1, 2, 3, 4], [1, 2, 2, 4])
    assert line.slope == pytest.approx(0.9)
    assert line.margin == pytest.approx(4.303 * math.sqrt(0.7 / 2 / 5))


@pytest.mark.parametrize(
    ("device", "seconds"), [(DeviceKind.CPU, CPU_SECONDS), (DeviceKind.GPU, GPU_SECONDS)], ids=str
)
def test_the_time_of_a_run_is_told_by_the_law_through_those_that_were_timed(device, seconds):
    *small, last = filters_sweep(device, seconds).runs
    for count in range(2, len(small) + 1):
        told = estimate_seconds(last.config, 3, small[:count])
        assert told == pytest.approx(3 * seconds[last.config.filters], rel=0.3)
    assert estimate_seconds(small[0].config, 3, small) == pytest.approx(3 * min(seconds.values()), rel=0.05)
    assert estimate_seconds(replace(last.config, batch_size=8), 3, small) is None
    one = estimate_seconds(last.config, 3, small[:1])
    assert (one is None) == (device is DeviceKind.GPU)  # where time is not in proportion to the arithmetic
