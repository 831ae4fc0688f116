"""Which learning rate is best: where the data make it true, where false, and where they cannot tell."""

from dataclasses import replace

import pytest
from helpers.made_up import (
    BASE,
    RATES,
    MadeUpEvidence,
    conclude,
    make_cell,
    make_sweep,
    rates_sweep,
    shift,
)

from lenetcli.analysis.conclusions import conclude_learning_rates
from lenetcli.experiment.config import Precision
from lenetcli.experiment.run import RunState


def test_a_clear_leader_works_best_and_its_lead_is_tested_on_the_same_images():
    sweep = rates_sweep()
    found = conclude(sweep)
    assert "0.1 works best" in found["best"].text
    assert "0.9847 at its best in epoch 10" in found["best"].text
    assert "0.1 alone is right on 106 of the 10,000 images and 0.01 alone on 0" in found["lead"].text
    assert "larger than the sampling error" in found["lead"].text
    assert "corrected for 3 comparisons" in found["lead"].text
    assert found["best"].runs == (sweep.cells[0].run.id,)


def test_a_lead_within_chance_is_not_distinguishable_and_nothing_works_best():
    sweep = rates_sweep({0.1: [0.97, 0.9805], 0.03: [0.96, 0.9800], 0.01: [0.5, 0.6]})
    found = conclude(sweep, **shift(sweep, 1, 5000))
    assert "best" not in found
    assert "0.1 shows the highest validation accuracy" in found["highest"].text
    assert "0.1 is not distinguishable from 0.03: after the last epoch" in found["not distinguishable"].text
    assert "on 200 of the 10,000 images and 0.03 alone on 195" in found["not distinguishable"].text
    assert "lead" not in found


def test_pairing_finds_a_small_lead_that_unpaired_numbers_would_not():
    sweep = rates_sweep({0.1: [0.97, 0.9805], 0.01: [0.96, 0.9795]})
    assert "alone is right on 10 of the 10,000 images and 0.01 alone on 0" in conclude(sweep)["lead"].text


@pytest.mark.parametrize(("more", "topic"), [({}, "lead"), ({0.01: [0.5, 0.6]}, "not distinguishable")])
def test_a_lead_over_several_rates_has_more_chances_to_be_chance(more, topic):
    sweep = rates_sweep({0.1: [0.97, 0.9805], 0.03: [0.96, 0.9797], **more})
    found = conclude(sweep, **shift(sweep, 1, 2))
    assert "right on 10 of the 10,000 images and 0.03 alone on 2" in found[topic].text


@pytest.mark.parametrize("lacking", ["with_predictions", "with_labels"])
def test_without_predictions_or_labels_no_lead_is_claimed(lacking):
    found = conclude(rates_sweep(), **{lacking: False})
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
    found = conclude(rates_sweep({0.1: [0.97, 0.985, 0.95], 0.01: [0.91, 0.95, 0.96]}))
    text = found["winners differ"].text
    assert "different winners, since 0.1 ends 0.0350 below its best" in text
    assert "0.1 reaches 0.9850 at its best in epoch 2 and 0.9500 at the end" in text
    assert "and 0.01 0.9600 at its best in epoch 3 and 0.9600 at the end" in text
    assert not {"best", "highest"} & found.keys()


def test_seeds_that_lie_close_support_a_lead():
    found = conclude(rates_sweep(seeds=3))
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
    found = conclude(make_sweep("lr", 2, cells))
    assert "0.1 is not distinguishable from 0.01" in found["not distinguishable"].text
    assert "best" not in found


def test_many_seeds_that_overlap_support_no_lead_however_narrow_the_interval():
    cells = [
        make_cell("lr", rate, (0.5, middle + 0.004 * (-1) ** seed), seed=seed)
        for rate, middle in ((0.1, 0.98), (0.01, 0.974))
        for seed in range(8)
    ]
    text = conclude(make_sweep("lr", 2, cells))["not distinguishable"].text
    assert "by 0.0060 ± 0.0046" in text


def test_the_value_that_is_close_is_the_one_whose_numbers_are_given():
    finals = {0.1: (0.98, 0.982, 0.981), 0.01: (0.975, 0.9751, 0.9752), 0.001: (0.9, 0.9825, 0.97)}
    cells = [
        make_cell("lr", rate, (0.5, final), seed=seed)
        for rate, values in finals.items()
        for seed, final in enumerate(values)
    ]
    text = conclude(make_sweep("lr", 2, cells))["not distinguishable"].text
    assert "0.1 is not distinguishable from 0.001:" in text
    assert "0.1 leads 0.001 by" in text


def test_a_single_finished_value_is_not_called_best():
    found = conclude(rates_sweep({0.1: RATES[0.1], 0.01: None}))
    assert found["only"].text.startswith("Only the learning rate 0.1 is finished")
    assert "best" not in found


def test_what_is_not_finished_is_named_with_its_command_and_not_ranked():
    sweep = rates_sweep({0.1: RATES[0.1], 0.01: RATES[0.01], 0.001: None})
    found = conclude(sweep)
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
    found = conclude(make_sweep("lr", 10, cells))
    assert "learning rate 0.01 (seed 1)." in found["missing"].text
    assert "McNemar" in found["lead"].text
    assert "best" not in found  # what the other seeds show is not in it


def test_a_diverged_run_is_named_and_never_best():
    sweep = rates_sweep({10.0: [0.999, 0.9], 0.1: [0.97, 0.98, 0.985], 0.01: [0.9, 0.91, 0.92]})
    diverged = replace(sweep.cells[0], run=replace(sweep.cells[0].run, state=RunState.DIVERGED))
    found = conclude(replace(sweep, cells=(diverged, *sweep.cells[1:])))
    assert "learning rate 10 (no finite loss in epoch 3)" in found["diverged"].text
    assert "Of the learning rates 0.1 and 0.01, 0.1 works best" in found["best"].text
    assert "missing" not in found


def test_a_value_of_which_one_seed_diverged_is_not_ranked_by_those_that_survived():
    cells = [
        make_cell("lr", 1.0, (0.98, 0.99), seed=0),
        make_cell("lr", 1.0, (0.2,), seed=1, state=RunState.DIVERGED),
        *(make_cell("lr", rate, (0.9, rate + 0.8), seed=seed) for rate in (0.1, 0.01) for seed in (0, 1)),
    ]
    found = conclude(make_sweep("lr", 2, cells))
    assert "learning rate 1 with 1 of 2 seeds (no finite loss in epoch 2)" in found["diverged"].text
    assert "Of the learning rates 0.1 and 0.01, 0.1" in found["best"].text


@pytest.mark.parametrize(
    "odd", [{"data": "e" * 64}, {"precision": Precision.BFLOAT16}, {"batch_size": 128}, {"filters": 8}]
)
def test_runs_that_differ_in_more_than_the_value_are_not_ranked(odd):
    cells = [make_cell("lr", 0.1, RATES[0.1]), make_cell("lr", 0.01, RATES[0.01], base=replace(BASE, **odd))]
    assert set(conclude(make_sweep("lr", 10, cells))) == {"unlike"}


def test_a_run_is_seen_through_the_epochs_of_its_sweep_only():
    longer = make_cell("lr", 0.01, [*RATES[0.01], 0.999])
    cells = [make_cell("lr", 0.1, RATES[0.1]), replace(longer, run=longer.run.at(10))]
    assert "0.1 works best" in conclude(make_sweep("lr", 10, cells))["best"].text
