"""What is said of the course of the curves: where the data make it true, false, or cannot tell."""

import json
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.made_up import MadeUpEvidence, conclude, make_cell, make_sweep, rates_sweep

from lenetcli.analysis.courses import follow
from lenetcli.analysis.ranking import rank
from lenetcli.experiment.run import RunState

REAL = json.loads(Path(__file__).with_name("real_curves.json").read_text())


def courses(sweep, **options):
    """The course of each rate."""
    return {c.entry.rate: c for c in follow(rank(sweep, MadeUpEvidence([sweep], **options)))}


def test_order_is_said_where_each_step_is_clear():
    found = conclude(rates_sweep())
    assert found["order"].text == (
        "The higher the learning rate, the higher the accuracy: 0.3641 at 0.0001, 0.9081 at 0.001, 0.9741 at "
        "0.01 and 0.9847 at 0.1."
    )
    assert "a higher rate gets further in the same number of steps" in found["reason"].text
    assert (
        "The highest rate leads here, so that the sweep does not show where that begins" in found["edge"].text
    )
    assert found["edge"].command == "lenetcli sweep lr 1 0.3 0.1 0.01 0.001 0.0001"


def test_the_order_of_many_rates_is_told_by_its_ends():
    curves = {10.0**-n: [0.9 - 0.1 * n] for n in range(7)}
    text = conclude(rates_sweep(curves))["order"].text
    assert "the higher the accuracy: from 0.3000 at 0.000001 to 0.9000 at 1." in text


def test_order_is_not_said_where_a_step_is_within_chance_or_turns():
    close = {0.1: [0.98], 0.01: [0.9799], 0.001: [0.9]}
    behind = {0.1: [0.98], 0.01: [0.9], 0.001: [0.8999]}
    turned = {0.1: [0.9], 0.01: [0.98], 0.001: [0.8]}
    for curves in (close, behind, turned, {0.1: [0.98], 0.01: [0.9]}):
        assert not {"order", "edge"} & conclude(rates_sweep(curves)).keys()


def test_order_may_fall():
    found = conclude(rates_sweep({0.1: [0.7], 0.01: [0.8], 0.001: [0.9]}))
    assert "The lower the learning rate, the higher the accuracy: 0.9000 at 0.001" in found["order"].text
    assert found["too high"].text == (
        "0.01 reaches only 0.8000 and 0.1 reaches only 0.7000: steps of this size lead past the minimum."
    )
    assert not {"reason", "edge"} & found.keys()


def test_a_leader_between_others_has_both_reasons():
    found = conclude(rates_sweep({1.0: [0.9], 0.1: [0.98], 0.01: [0.95]}))
    assert found["too high"].text == "1 reaches only 0.9000: steps of this size lead past the minimum."
    assert "reason" in found
    assert not {"order", "edge"} & found.keys()


def test_no_reason_is_given_for_what_is_not_behind():
    close = conclude(rates_sweep({1.0: [0.9799], 0.1: [0.98], 0.01: [0.9799]}))
    assert not {"reason", "too high"} & close.keys()
    lower = [make_cell("lr", 0.1, (0.9,)), make_cell("lr", 0.01, (0.2,), state=RunState.DIVERGED)]
    assert "too high" not in conclude(make_sweep("lr", 1, lower))


def test_six_rates_are_listed_one_by_one():
    text = conclude(rates_sweep({10.0**-n: [0.9 - 0.1 * n] for n in range(6)}))["order"].text
    assert (
        "0.4000 at 0.00001, 0.5000 at 0.0001, 0.6000 at 0.001, 0.7000 at 0.01, 0.8000 at 0.1 and 0.9" in text
    )


def test_speed_compares_the_first_epoch_with_all_of_others():
    text = conclude(rates_sweep())["speed"].text
    assert text == (
        "After one epoch 0.1 already has 0.9701, higher than 0.001 (at most 0.9081) and 0.0001 (at most "
        "0.3641) get in 10."
    )
    assert "speed" not in conclude(rates_sweep({0.1: [0.5, 0.98], 0.01: [0.4, 0.9]}))
    assert "speed" not in conclude(rates_sweep({0.1: [0.98], 0.01: [0.9]}))


def test_every_seed_must_have_been_faster():
    slow = [make_cell("lr", 0.01, (0.85, 0.5), seed=seed) for seed in (0, 1, 2)]
    for starts, is_faster in (((0.9, 0.91, 0.92), True), ((0.84, 0.91, 0.92), False)):
        fast = [make_cell("lr", 0.1, (start, 0.98), seed=seed) for seed, start in enumerate(starts)]
        assert ("speed" in conclude(make_sweep("lr", 2, [*fast, *slow]))) == is_faster


def test_a_first_epoch_within_chance_of_others_is_no_speed():
    assert "speed" not in conclude(rates_sweep({0.1: [0.9002, 0.98], 0.01: [0.4, 0.9]}))


@pytest.mark.parametrize("peak", [(0.2, 0.92, 0.5), (0.92, 0.2, 0.5)])
def test_one_epoch_of_one_seed_is_enough_to_be_no_slower(peak):
    cells = [make_cell("lr", 0.1, (0.9, 0.95, 0.98), seed=seed) for seed in (0, 1)]
    slow = [make_cell("lr", 0.01, (0.2, 0.3, 0.5), seed=seed) for seed in (0, 1)]
    assert "speed" in conclude(make_sweep("lr", 3, [*cells, *slow]))
    for place in (0, 1):
        reached = [*slow]
        reached[place] = make_cell("lr", 0.01, peak, seed=place)
        assert "speed" not in conclude(make_sweep("lr", 3, [*cells, *reached]))


def test_a_value_that_fell_at_its_end_was_no_slower():
    found = conclude(rates_sweep({0.1: [0.97, 0.974, 0.978, 0.98], 0.3: [0.96, 0.975, 0.983, 0.5]}))
    assert "speed" not in found


@pytest.mark.parametrize("state", [RunState.DIVERGED, RunState.INTERRUPTED])
def test_no_order_is_said_where_a_value_has_no_place_in_it(state):
    cells = list(rates_sweep({1.0: [0.98] * 2, 0.1: [0.95] * 2, 0.01: [0.9] * 2, 0.001: [0.8] * 2}).cells)
    assert "order" in conclude(make_sweep("lr", 2, cells))
    cells[1] = make_cell("lr", 0.1, [0.1], state=state)
    assert "order" not in conclude(make_sweep("lr", 2, cells))


def test_one_dip_at_the_start_of_the_window_makes_no_rise():
    # "Still rises by 0.0435 an epoch" was said of this.
    tail = [0.8421, 0.985, 0.9868, 0.9866]
    for curve in ([0.97, *tail], [0.98, 0.981, 0.98, 0.98, 0.98, *tail, 0.9867]):
        found = conclude(rates_sweep({0.1: curve, 0.01: [0.5] * len(curve)}))
        assert "0.1 and 0.01 show no clear rise" in found["level"].text
        assert "not converged" not in found


def test_a_falling_curve_does_not_rise():
    found = conclude(rates_sweep({0.1: [0.98 - 0.0009 * n for n in range(10)], 0.01: [0.5] * 10}))
    assert "not converged" not in found
    assert "0.1 and 0.01 show no clear rise over the last 5 epochs" in found["level"].text


def test_a_bending_curve_needs_at_least_the_epochs_of_its_pace():
    curve = [0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.957, 0.963, 0.968, 0.972]
    found = conclude(rates_sweep({0.1: [0.98] * 10, 0.01: curve}))
    assert found["not converged"].text == (
        "0.01 has not converged: over the last 5 epochs its accuracy still rises by 0.0055 an epoch (95% "
        "interval 0.0040 to 0.0070)."
    )
    assert found["pace"].text == (
        "From epochs 6–8 to epochs 8–10 the gain an epoch shrinks from 0.0065 to 0.0045 at 0.01; even at the "
        "upper end of its interval, 0.9800 would take at least 2 more epochs at 0.01."
    )
    assert found["small steps"].text == (
        "Its steps are 10 times smaller than those of 0.1, and 10 epochs are too few of them."
    )
    assert "0.1 shows no clear rise" in found["level"].text


def test_a_curve_whose_gain_does_not_shrink_gets_no_number_of_epochs():
    found = conclude(rates_sweep({0.1: [0.98] * 8, 0.01: [0.3 + 0.02 * n + 0.002 * n**2 for n in range(8)]}))
    assert found["pace"].text == (
        "From epochs 4–6 to epochs 6–8 the gain an epoch does not shrink at 0.01 (from 0.0360 to 0.0440)."
    )
    both = {
        0.1: [0.98] * 8,
        0.01: [0.9 - 0.3 / (n + 1) for n in range(8)],
        0.001: [0.2 + 0.05 * n for n in range(8)],
    }
    text = conclude(rates_sweep(both))["pace"].text
    assert "the gain an epoch shrinks from" in text
    assert "It does not shrink at 0.001 (from 0.0500 to 0.0500)." in text


def test_a_leader_that_rises_needs_no_epochs_to_reach_itself():
    found = conclude(rates_sweep({0.1: [0.9, 0.94, 0.96, 0.97, 0.975], 0.01: [0.5] * 5}))
    assert "0.1 has not converged" in found["not converged"].text
    assert "would take" not in found["pace"].text
    assert "small steps" not in found


def test_the_steps_of_several_rates_are_told_with_their_factors():
    found = conclude(rates_sweep())
    assert found["small steps"].text == (
        "Their steps are 10, 100 and 1,000 times smaller than those of 0.1, and 10 epochs are too few of "
        "them."
    )
    rising = {0.1: [0.9, 0.94, 0.96, 0.97, 0.975], 0.01: [0.5, 0.54, 0.57, 0.6, 0.62]}
    assert conclude(rates_sweep(rising))["small steps"].text == (
        "At 0.01 the steps are 10 times smaller than those of 0.1, and 5 epochs are too few of them."
    )


def test_small_steps_are_the_reason_only_of_rates_that_are_behind():
    rise = [0.0, 0.01, 0.02, 0.03, 0.04]
    two = {0.1: [0.98] * 5, 0.01: [0.9 + r for r in rise], 0.001: [0.5 + r for r in rise]}
    assert conclude(rates_sweep(two))["small steps"].text.startswith(
        "Their steps are 10 and 100 times smaller"
    )
    near = {0.1: [0.98] * 5, 0.01: [0.9399 + r for r in rise], 0.001: [0.5 + r for r in rise]}
    found = conclude(rates_sweep(near))
    assert found["not converged"].text.startswith("0.01 and 0.001 have not converged")
    assert "small steps" not in found


def test_a_slow_rise_that_is_clear_of_the_scatter_is_a_rise():
    found = conclude(rates_sweep({0.1: [0.98 + 0.0006 * n for n in range(10)], 0.01: [0.95] * 10}))
    assert "rises by 0.0006 an epoch (95% interval 0.0006 to 0.0006)" in found["not converged"].text
    slower = conclude(rates_sweep({0.1: [0.98 + 0.0004 * n for n in range(10)], 0.01: [0.95] * 10}))
    assert "not converged" not in slower


def test_scatter_without_a_trend_is_not_called_a_rise():
    noisy = [0.97, 0.98, 0.975, 0.982, 0.974, 0.983, 0.976, 0.981, 0.9805, 0.9802]
    found = conclude(rates_sweep({0.1: noisy, 0.01: [0.95] * 10}))
    assert "not converged" not in found
    assert "0.1 and 0.01 show no clear rise over the last 5 epochs." in found["level"].text


def test_several_seeds_are_one_trend():
    rise = [0.90, 0.91, 0.92, 0.93, 0.94]
    cells = [
        make_cell("lr", 0.1, [accuracy - 0.2 * seed for accuracy in rise], seed=seed) for seed in range(3)
    ]
    found = conclude(make_sweep("lr", 5, cells))
    assert "rises by 0.0100 an epoch (95% interval 0.0100 to 0.0100)" in found["not converged"].text


@pytest.mark.parametrize(("epochs", "window"), [(5, 5), (9, 5), (10, 5), (11, 6), (99, 50), (300, 50)])
def test_a_trend_is_that_of_the_last_half(epochs, window):
    curve = [0.5] * (epochs - window) + [0.9 + 0.0006 * n for n in range(window)]
    found = conclude(rates_sweep({0.1: curve}))
    assert f"over the last {window} epochs its accuracy still rises by 0.0006" in found["not converged"].text


def test_few_epochs_cannot_tell_about_convergence():
    found = conclude(rates_sweep({0.1: [0.9, 0.95, 0.98, 0.985], 0.01: [0.5, 0.6, 0.7, 0.8]}))
    assert found["convergence unknown"].text == (
        "4 epochs cannot show which learning rates have converged; that takes 5."
    )
    assert not {"not converged", "level", "pace"} & found.keys()


def test_epochs_still_needed_are_right_on_real_curves():
    """What is said after the first half holds in the second: of real curves on MNIST, in at least 90 %."""
    right = total = 0
    for curves in REAL["curves"].values():
        mean = list(map(statistics.fmean, zip(*curves, strict=True)))
        for cut in range(5, len(mean)):
            cells = [make_cell("lr", 0.1, curve[:cut], seed=seed) for seed, curve in enumerate(curves)]
            for goal in {mean[min(2 * cut, len(mean)) - 1], mean[-1]}:
                needed = courses(make_sweep("lr", cut, cells))[0.1].epochs_needed(goal)
                if needed is not None:
                    reached = next(n for n in range(cut, len(mean)) if mean[n] >= goal) + 1 - cut
                    total += 1
                    right += needed <= reached
    assert total >= 50
    assert right >= 0.9 * total


def test_flat_tails_of_real_curves_are_not_called_rising():
    """A tail whose last epochs are hardly above its first ones, whatever lies between."""
    tails = [
        curve[cut - 5 : cut]
        for curves in REAL["curves"].values()
        for curve in curves
        for cut in range(5, len(curve) + 1)
    ]
    flat = [tail for tail in tails if sum(tail[3:]) - sum(tail[:2]) < 2 * 0.0005 * 3]
    assert len(flat) >= 30
    sweeps = [rates_sweep({0.1: tail}) for tail in flat]
    assert not any(courses(sweep)[0.1].rises for sweep in sweeps)


def test_dips_beyond_chance_are_told_with_their_number_and_the_deepest():
    found = conclude(rates_sweep({0.1: [0.97, 0.90, 0.98, 0.91, 0.98], 0.01: [0.9, 0.91, 0.92, 0.93, 0.94]}))
    assert found["falls"].text == (
        "From one epoch to the next the accuracy falls by more than chance in 2 of 4 cases at 0.1 (at most "
        "by 0.0700, in epoch 2), a sign of steps that lead past the minimum now and then."
    )


def test_dips_within_chance_are_not():
    assert "falls" not in conclude(rates_sweep({0.1: [0.97, 0.9696, 0.972, 0.9719], 0.01: [0.9] * 4}))
    small = {0.1: [1.0, 0.99, 1.0, 1.0], 0.01: [0.9, 0.91, 0.92, 0.93]}
    assert "falls" not in conclude(rates_sweep(small), images=100)


def test_falls_of_several_seeds_name_the_seed():
    cells = [
        make_cell("lr", 0.1, (0.97, 0.98, 0.98, 0.981), seed=0),
        make_cell("lr", 0.1, (0.97, 0.90, 0.98, 0.981), seed=1),
    ]
    text = conclude(make_sweep("lr", 4, cells))["falls"].text
    assert "in 1 of 6 cases at 0.1 (by 0.0700, in epoch 2 of seed 1)" in text


def test_all_steps_of_the_curves_are_one_family():
    # Twelve images: p = 2 / 2**12 = 0.0005, enough among 3 steps and not among 198.
    fall = [0.98, 0.9788, 0.98, 0.98]
    assert "falls" in conclude(rates_sweep({0.1: fall}))
    assert "falls" not in conclude(rates_sweep({0.1: [*fall, *[0.98] * 196]}))


def test_without_labels_no_fall_is_told():
    assert "falls" not in conclude(rates_sweep({0.1: [0.97, 0.5], 0.01: [0.9, 0.9]}), with_labels=False)


def test_guessing_is_called_guessing():
    found = conclude(rates_sweep({0.1: [0.97, 0.98], 1.0: [0.1, 0.1]}))
    assert found["guessing"].text == (
        "1 is never clearly above guessing: naming the most frequent class for every image gives 0.1000."
    )
    assert found["guessing"].numbers == {"guessing": 0.1}
    assert "guessing" not in conclude(rates_sweep())


def test_the_level_of_guessing_is_that_of_the_most_frequent_class():
    class Uneven(MadeUpEvidence):
        @property
        def _labels(self):
            return bytes(place % 10 if place % 2 else 3 for place in range(self.images))

    sweep = rates_sweep({0.1: [0.97, 0.98], 0.0001: [0.5, 0.599]})
    from lenetcli.analysis.conclusions import conclude_learning_rates

    paragraphs = conclude_learning_rates(sweep, rank(sweep, Uneven([sweep])))
    texts = [s.text for paragraph in paragraphs for s in paragraph if s.topic == "guessing"]
    assert texts == [
        "0.0001 is never clearly above guessing: naming the most frequent class for every image gives 0.6000."
    ]


def test_a_rate_that_rises_is_not_called_guessing():
    # One report called a rate both.
    rising = [0.05, 0.06, 0.07, 0.08, 0.09, 0.1]
    found = conclude(rates_sweep({0.1: [0.97] * 6, 0.0001: rising}))
    assert "0.0001 has not converged" in found["not converged"].text
    assert "guessing" not in found
    level = conclude(rates_sweep({0.1: [0.97] * 6, 0.0001: [0.1] * 6}))
    assert level["level"].text == "0.1 shows no clear rise over the last 5 epochs."


def test_a_rate_that_was_above_guessing_once_does_not_guess():
    assert not courses(rates_sweep({0.1: [0.1, 0.13, 0.1]}))[0.1].guesses
    assert courses(rates_sweep({0.1: [0.1, 0.104, 0.1]}))[0.1].guesses


def test_every_look_at_a_guess_is_one_more_chance():
    # 0.107 is above 0.1 by more than one look allows, and by less than 200.
    assert not courses(rates_sweep({0.1: [0.107]}))[0.1].guesses
    assert courses(rates_sweep({0.1: [0.107] + [0.1] * 199}))[0.1].guesses
    # Three epochs of three seeds are nine looks, of which one alone would be enough.
    for seeds, guesses in ((1, False), (3, True)):
        cells = [make_cell("lr", 0.1, (0.1075, 0.1, 0.1), seed=seed) for seed in range(seeds)]
        assert courses(make_sweep("lr", 3, cells))[0.1].guesses == guesses


def test_statements_name_the_runs_behind_them():
    sweep = rates_sweep(seeds=2)
    ids = {cell.config.lr: cell.run.id for cell in sweep.cells if cell.config.seed == 1}
    found = conclude(sweep)
    assert ids[0.001] in found["not converged"].runs
    assert ids[0.1] in found["order"].runs
    assert replace(found["best"], runs=()).runs == ()
