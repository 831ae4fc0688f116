"""What is said of the course of the curves: where the data make it true, false, or cannot tell."""

from dataclasses import replace

import pytest
from helpers.made_up import (
    conclude,
    make_cell,
    make_sweep,
    rates_sweep,
)

from lenetcli.experiment.run import RunState


def test_order_is_said_where_each_step_is_clear():
    text = conclude(rates_sweep())["order"].text
    assert "The higher the learning rate, the higher the accuracy" in text
    assert "the highest rate leads" in text


def test_order_is_not_said_where_a_step_is_within_chance_or_turns():
    close = {0.1: [0.98], 0.01: [0.979], 0.001: [0.9]}
    turned = {0.1: [0.9], 0.01: [0.98], 0.001: [0.8]}
    assert "order" not in conclude(rates_sweep(close))
    assert "order" not in conclude(rates_sweep(turned))


def test_order_may_fall():
    assert (
        "The lower the learning rate"
        in conclude(rates_sweep({0.1: [0.7], 0.01: [0.8], 0.001: [0.9]}))["order"].text
    )


def test_speed_compares_the_first_epoch_with_the_ends_of_others():
    text = conclude(rates_sweep())["speed"].text
    assert "first epoch at 0.1 (0.9701) already reaches more" in text
    assert "0.001 (at most 0.9081) and 0.0001 (at most 0.3641)" in text
    assert "0.01 (" not in text
    assert "speed" not in conclude(rates_sweep({0.1: [0.5, 0.98], 0.01: [0.4, 0.9]}))


def test_a_value_that_fell_at_its_end_was_no_slower():
    found = conclude(rates_sweep({0.1: [0.97, 0.974, 0.978, 0.98], 0.3: [0.96, 0.975, 0.983, 0.5]}))
    assert "speed" not in found


@pytest.mark.parametrize("state", [RunState.DIVERGED, RunState.INTERRUPTED])
def test_no_order_is_said_where_a_value_has_no_place_in_it(state):
    cells = list(rates_sweep({1.0: [0.98] * 2, 0.1: [0.95] * 2, 0.01: [0.9] * 2, 0.001: [0.8] * 2}).cells)
    assert "order" in conclude(make_sweep("lr", 2, cells))
    cells[1] = make_cell("lr", 0.1, [0.1], state=state)
    assert "order" not in conclude(make_sweep("lr", 2, cells))


def test_a_rise_along_a_bend_has_not_converged_and_is_not_counted():
    found = conclude(
        rates_sweep({0.1: [0.98, 0.9801, 0.9802, 0.9801], 0.001: [0.3124, 0.7221, 0.8312, 0.8641]})
    )
    assert "still rises by 0.1764 (0.001) an epoch." in found["not converged"].text
    assert "0.1 shows no rise" in found["level"].text


def test_a_steady_rise_has_not_converged_and_the_trend_is_counted():
    found = conclude(rates_sweep({0.1: [0.98] * 8, 0.01: [0.5 + 0.05 * n for n in range(8)]}))
    assert "rises by 0.0500 (0.01) an epoch" in found["not converged"].text
    assert "0.01 would need 3 more epochs to reach the 0.9800 of 0.1" in found["not converged"].text
    assert "0.1 shows no rise" in found["level"].text


def test_a_slow_rise_that_is_clear_of_the_scatter_is_a_rise():
    found = conclude(rates_sweep({0.1: [0.98 + 0.0006 * n for n in range(8)], 0.01: [0.95] * 8}))
    assert "rises by 0.0006 (0.1) an epoch." in found["not converged"].text


def test_scatter_without_a_trend_is_not_called_a_rise():
    noisy = [0.97, 0.98, 0.975, 0.982, 0.974, 0.983, 0.976, 0.981]
    found = conclude(rates_sweep({0.1: noisy, 0.01: [0.95] * 8}))
    assert "not converged" not in found
    assert "0.1 and 0.01 show no rise" in found["level"].text


def test_few_epochs_cannot_tell_about_convergence():
    found = conclude(rates_sweep({0.1: [0.9, 0.95, 0.98], 0.01: [0.5, 0.6, 0.7]}))
    assert "3 epochs cannot show" in found["convergence unknown"].text
    assert not {"not converged", "level"} & found.keys()


def test_dips_beyond_the_sampling_error_are_oscillation():
    found = conclude(rates_sweep({0.1: [0.97, 0.90, 0.98, 0.91, 0.98], 0.01: [0.9, 0.91, 0.92, 0.93, 0.94]}))
    assert "0.1 oscillates" in found["oscillates"].text
    assert "2 of 4 steps, most by 0.0700" in found["oscillates"].text


def test_dips_within_the_sampling_error_are_not():
    found = conclude(rates_sweep({0.1: [0.97, 0.968, 0.972, 0.970], 0.01: [0.9, 0.91, 0.92, 0.93]}))
    assert not {"oscillates", "falls back"} & found.keys()


def test_one_dip_is_one_dip():
    found = conclude(rates_sweep({0.1: [0.97, 0.98, 0.98, 0.95], 0.01: [0.9, 0.91, 0.92, 0.93]}))
    assert "0.1 falls back" in found["falls back"].text
    assert "beyond the sampling error once, by 0.0300 in epoch 4" in found["falls back"].text


def test_a_fall_without_a_recovery_is_no_oscillation():
    found = conclude(rates_sweep({0.3: [0.97, 0.95, 0.90, 0.80], 0.01: [0.5, 0.6, 0.7, 0.75]}))
    assert (
        "0.3 falls back: its accuracy falls beyond the sampling error in 3 of 3 steps"
        in found["falls back"].text
    )
    assert "oscillates" not in found


def test_one_dip_in_each_of_two_seeds_is_no_oscillation():
    cells = [make_cell("lr", 0.1, (0.97, 0.90, 0.98, 0.981), seed=seed) for seed in (0, 1)]
    found = conclude(make_sweep("lr", 4, cells))
    assert "0.1 falls back" in found["falls back"].text


def test_no_winner_among_those_who_guess():
    found = conclude(rates_sweep({1.0: [0.1135] * 4, 0.5: [0.098] * 4}))
    assert set(found) == {"chance"}


def test_equal_numbers_are_shared():
    found = conclude(rates_sweep({0.1: [0.97, 0.98], 0.03: [0.97, 0.98], 0.01: [0.9, 0.91]}))
    assert "0.1 and 0.03 show the highest" in found["highest"].text


def test_seeds_that_are_not_finished_are_told_and_nothing_works_best():
    finals = {0.1: (0.9847, 0.9887, 0.9727), 0.01: (0.9717, None, None)}
    cells = [
        make_cell("lr", rate, None if final is None else (0.9, final), seed=seed)
        for rate, known in finals.items()
        for seed, final in enumerate(known)
    ]
    found = conclude(make_sweep("lr", 2, cells))
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
    assert set(conclude(make_sweep("lr", 1, cells))) == {"nothing ranked", "missing"}


def test_values_set_aside_for_divergence_lack_no_seed():
    cells = [
        make_cell("lr", rate, (0.9,), seed=seed, state=state)
        for rate in (0.1, 0.01)
        for seed, state in enumerate((RunState.COMPLETED, RunState.DIVERGED))
    ]
    assert set(conclude(make_sweep("lr", 1, cells))) == {"nothing ranked", "diverged"}


def test_seeds_that_agree_to_the_digit_still_err():
    cells = [make_cell("lr", r, (0.9, f), seed=s) for r, f in ((0.1, 0.9847), (0.01, 0.9846)) for s in (0, 1)]
    found = conclude(make_sweep("lr", 2, cells))
    assert "by 0.0001 ± 0.0035" in found["not distinguishable"].text


def test_seeds_that_diverge_in_different_epochs_name_them_all():
    cells = [make_cell("lr", 0.1, (0.9,) * 7, seed=seed) for seed in range(3)]
    cells += [
        make_cell("lr", 1.0, (0.5,) * length, seed=seed, state=RunState.DIVERGED)
        for seed, length in ((0, 2), (1, 6))
    ]
    found = conclude(make_sweep("lr", 7, [*cells, make_cell("lr", 1.0, None, seed=2)]))
    assert "1 with 2 of 3 seeds (no finite loss in epochs 3 and 7)." in found["diverged"].text


def test_guessing_is_called_guessing():
    found = conclude(rates_sweep({0.1: [0.97, 0.98], 1.0: [0.1, 0.1]}))
    assert found["chance"].text.startswith("1: the accuracy never rises clearly above what guessing")
    assert "chance" not in conclude(rates_sweep())


def test_the_test_set_speaks_of_the_leader_only_and_only_where_it_was_measured():
    sweep = rates_sweep({0.1: [0.97, 0.98], 0.01: [0.9, 0.91]}, test_accuracy=0.9777)
    assert "0.1 reaches 0.9777" in conclude(sweep)["test"].text
    cells = []
    for cell in sweep.cells:
        curve = tuple(replace(point, test_accuracy=None) for point in cell.run.curve)
        cells.append(replace(cell, run=replace(cell.run, curve=curve)))
    assert "test" not in conclude(replace(sweep, cells=tuple(cells)))
