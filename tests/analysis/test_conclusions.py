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
    seeds_sweep,
    shift,
)

from lenetcli.analysis.comparison import Verdict
from lenetcli.analysis.ranking import rank
from lenetcli.experiment.config import Precision
from lenetcli.experiment.run import RunState


def verdicts(sweep, **options):
    """The verdict on each rate but the first, by rate."""
    return {e.rate: lead.verdict for e, lead in rank(sweep, MadeUpEvidence([sweep], **options)).pairs}


def test_a_clear_leader_works_best_and_its_lead_is_tested_on_the_same_images():
    sweep = rates_sweep()
    found = conclude(sweep)
    assert found["best"].text == (
        "0.1 works best: after 10 epochs it reaches a validation accuracy of 0.9847."
    )
    assert found["best"].runs == (sweep.cells[0].run.id,)
    assert found["lead"].text == (
        "It is ahead of 0.01 by 0.0106 (95% interval 0.0082 to 0.0128); its lead over 0.001 and 0.0001 is "
        "larger."
    )
    assert found["method"].text.startswith(
        "The intervals cover the choice of the 10,000 validation images, by those on which only one of two "
        "networks is right (McNemar’s exact test), and are wider because 3 comparisons are made (Holm)."
    )
    assert "another seed may give another result" in found["method"].text
    assert found["best epoch"].text == "The best epoch gives the same answer: 0.9847, against at most 0.9741."


def test_a_lead_within_chance_that_cannot_be_large_is_called_alike():
    sweep = rates_sweep({0.1: [0.97, 0.9805], 0.03: [0.96, 0.9800], 0.01: [0.5, 0.6]})
    found = conclude(sweep, **shift(sweep, 1, 5000))
    assert found["alike"].text == (
        "0.1 leads 0.03 by 0.0005 (95% interval −0.0038 to 0.0049): within ±0.005, which counts as alike."
    )
    winner = "0.1 and 0.03 work best, and alike: after 2 epochs they reach validation accuracies of"
    assert found["winner"].text == f"{winner} 0.9805 and 0.9800."
    assert "0.1 is ahead of 0.01 by 0.3805" in found["lead"].text


def test_a_lead_within_chance_that_may_be_large_cannot_be_told():
    sweep = rates_sweep({0.1: [0.9, 0.95], 0.03: [0.9, 0.94]})
    found = conclude(sweep, **shift(sweep, 1, 500), images=1_000)
    assert found["highest"].text == "0.1 has the highest validation accuracy after 2 epochs, 0.9500."
    assert found["undecided"].text == (
        "Whether 0.1 works better than 0.03 cannot be told: it leads 0.03 by 0.0100 "
        "(95% interval −0.0137 to 0.0368); the 1,000 validation images are too few to tell, with any seeds."
    )
    assert not found["undecided"].command
    assert "method" in found
    assert not {"best", "lead"} & found.keys()


def test_one_image_of_a_hundred_is_no_lead():
    found = conclude(rates_sweep({0.1: [1.0, 1.0], 0.01: [0.99, 0.99]}), images=100)
    assert "0.1 works better than 0.01 cannot be told" in found["undecided"].text


def test_pairing_finds_a_small_lead_that_unpaired_numbers_would_not():
    sweep = rates_sweep({0.1: [0.97, 0.9805], 0.01: [0.96, 0.9795]})
    assert "It is ahead of 0.01 by 0.0010" in conclude(sweep)["lead"].text
    unpaired = conclude(sweep, with_predictions=False)
    assert "0.1 leads 0.01 by 0.0010 (95% interval −0.0029 to 0.0049)" in unpaired["alike"].text
    assert unpaired["method"].text.startswith(
        "The interval covers the choice of the 10,000 validation images, by the accuracies alone, as the "
        "predictions are not in the store (Newcombe). One network of each rate is compared"
    )


@pytest.mark.parametrize(("more", "topic"), [({}, "lead"), ({0.01: [0.6, 0.9797]}, "alike")])
def test_a_lead_over_several_rates_has_more_chances_to_be_chance(more, topic):
    sweep = rates_sweep({0.1: [0.97, 0.9805], 0.03: [0.96, 0.9797], **more})
    found = conclude(sweep, offsets={cell.config.key: 2 for cell in sweep.cells[1:]})
    assert ("lead" in found) == (topic == "lead")


def test_the_level_of_an_interval_is_that_of_its_place_in_the_family():
    # Only the nearest rate is near: all others are rejected before it, so that its own level is 95 %.
    alone = conclude(rates_sweep({0.1: [0.985], 0.01: [0.9745]}))["lead"].numbers
    among = conclude(rates_sweep({0.1: [0.985], 0.01: [0.9745], 0.001: [0.5], 0.0001: [0.3]}))["lead"].numbers
    assert (among["low 0.01"], among["high 0.01"]) == (alone["low 0.01"], alone["high 0.01"])
    others = conclude(rates_sweep({0.1: [0.985], 0.001: [0.5]}))["lead"].numbers
    assert among["low 0.001"] < others["low 0.001"] < others["high 0.001"] < among["high 0.001"]


def test_without_predictions_and_labels_nothing_is_known_of_chance():
    found = conclude(rates_sweep(), with_labels=False)
    assert "0.1 has the highest validation accuracy" in found["highest"].text
    assert found["undecided"].text == (
        "Whether 0.1 works better than 0.01, 0.001 or 0.0001 cannot be told: the store has neither the "
        "predictions nor the number of the validation images; 3 seeds would probably tell."
    )
    assert found["undecided"].command == "lenetcli sweep lr 0.1 0.01 0.001 0.0001 --seeds 3"
    assert "lead over 0.01" in found["undecided"].numbers
    assert not {"best", "lead", "method"} & found.keys()


def test_predictions_of_another_curve_are_not_believed():
    sweep = rates_sweep()

    class Strange(MadeUpEvidence):
        def predictions(self, key, epoch):
            return bytes(self.images)

    class Near(MadeUpEvidence):
        def predictions(self, key, epoch):
            *most, last = super().predictions(key, epoch)
            return bytes([*most, (last + 1) % 10])

    missing = rank(sweep, MadeUpEvidence([sweep], with_predictions=False)).leads
    for evidence in (Strange([sweep]), Near([sweep])):  # one image more or less is another curve
        leads = rank(sweep, evidence).leads
        assert [lead.interval for lead in leads] == [lead.interval for lead in missing]


def test_best_and_last_epoch_may_name_different_winners_and_both_are_said():
    found = conclude(rates_sweep({0.1: [0.97, 0.985, 0.95], 0.01: [0.91, 0.95, 0.96]}))
    assert "0.01 works best: after 3 epochs it reaches a validation accuracy of 0.9600" in found["best"].text
    assert found["winners differ"].text == (
        "The best epoch names another winner, 0.1: its best accuracy is 0.9850, against 0.9600 of 0.01, and "
        "it ends 0.0350 below it."
    )
    assert "best epoch" not in found


def test_without_labels_the_spread_over_the_seeds_remains():
    found = conclude(rates_sweep(seeds=3), with_labels=False)
    assert found["method"].text == (
        "The intervals cover the spread over the seeds (Welch), and are wider because 3 comparisons are made "
        "(Holm)."
    )
    assert "0.1 works best" in found["best"].text


def test_seeds_that_lie_close_support_a_lead():
    found = conclude(rates_sweep(seeds=3))
    assert "0.1 works best: after 10 epochs it reaches a validation accuracy of" in found["best"].text
    assert found["best"].text.endswith("(mean over 3 seeds).")
    assert "It is ahead of 0.01 by 0.0106 (95% interval" in found["lead"].text
    assert found["method"].text == (
        "The intervals cover the spread over the seeds (Welch) and the choice of the 10,000 validation "
        "images, and are wider because 3 comparisons are made (Holm)."
    )


def test_two_seeds_far_apart_are_a_lead_in_every_seed_and_contradict_no_order():
    # Two seeds of real runs, of which the report said that 0.1 is not distinguishable from 0.01 and 0.0001.
    finals = {
        0.1: (0.9886, 0.9892),
        0.01: (0.9794, 0.9777),
        0.001: (0.9265, 0.9251),
        0.0001: (0.3885, 0.2433),
    }
    sweep = seeds_sweep(finals)
    found = conclude(sweep)
    assert verdicts(sweep)[0.0001] is Verdict.AHEAD_IN_EVERY_SEED
    assert "0.1 works best" in found["best"].text
    assert found["lead in every seed"].text == (
        "0.1 is also ahead, in every seed (0.9886 or more), of 0.01 (0.9794 or less) and 0.0001 (0.3885 or "
        "less); 2 seeds are too few for an interval that says so."
    )
    assert "The higher the learning rate, the higher the accuracy" in found["order"].text
    assert not {"undecided", "alike", "highest"} & found.keys()


def test_many_seeds_that_overlap_support_a_lead():
    # Ten seeds with t = 3.65 and 4.36 were not distinguishable, since the seeds were not allowed to overlap.
    spread = [0.002 * (seed - 4.5) / 2.87 for seed in range(10)]
    middles = {0.3: 0.9900, 0.03: 0.9867, 0.01: 0.9861}
    sweep = seeds_sweep({rate: [middle + d for d in spread] for rate, middle in middles.items()})
    assert max(middles[0.03] + d for d in spread) > min(middles[0.3] + d for d in spread)
    assert set(verdicts(sweep).values()) == {Verdict.AHEAD}
    assert "0.3 works best" in conclude(sweep)["best"].text


def test_seeds_that_agree_are_judged_no_worse_than_seeds_that_differ_by_an_image():
    equal = seeds_sweep({0.1: (0.9847, 0.9847), 0.01: (0.9797, 0.9797)})
    differ = seeds_sweep({0.1: (0.9847, 0.9848), 0.01: (0.9797, 0.9797)})
    leads = [rank(sweep, MadeUpEvidence([sweep])).leads[0] for sweep in (equal, differ)]
    assert [lead.verdict for lead in leads] == [Verdict.AHEAD, Verdict.AHEAD]
    widths = [lead.interval[1] - lead.interval[0] for lead in leads]
    assert widths[0] <= widths[1]


def test_seeds_that_agree_to_the_digit_still_err():
    found = conclude(seeds_sweep({0.1: (0.9847, 0.9847), 0.01: (0.9846, 0.9846)}))
    assert "0.1 leads 0.01 by 0.0001 (95% interval −0.0002 to 0.0004)" in found["alike"].text
    few = conclude(seeds_sweep({0.1: (1.0, 1.0), 0.01: (1.0, 1.0)}), images=7)
    assert "cannot be told" in few["undecided"].text


def test_more_seeds_make_the_verdict_stronger():
    pattern = (0.003, -0.003, 0.0)
    intervals = []
    for repeats in (1, 2, 4):
        finals = {
            rate: [middle + d for d in pattern * repeats] for rate, middle in ((0.1, 0.98), (0.01, 0.97))
        }
        sweep = seeds_sweep(finals)
        intervals.append(rank(sweep, MadeUpEvidence([sweep])).leads[0].interval)
    assert intervals[0][0] < intervals[1][0] < intervals[2][0]


def test_what_cannot_be_told_has_the_seeds_that_would_probably_tell():
    sweep = seeds_sweep({0.1: (0.97, 0.99, 0.98), 0.01: (0.975, 0.98, 0.97)})
    found = conclude(sweep)
    assert "Whether 0.1 works better than 0.01 cannot be told: it leads 0.01 by 0.0050" in (
        found["undecided"].text
    )
    assert found["undecided"].text.endswith("; 41 seeds would probably tell.")
    assert found["undecided"].command == "lenetcli sweep lr 0.1 0.01 --epochs 2 --seeds 41"
    assert "best" not in found
    noise = conclude(seeds_sweep({0.1: (0.9, 0.99, 0.98), 0.01: (0.9, 0.98, 0.985)}))["undecided"]
    assert noise.text.endswith("; it would probably take more than 100 seeds.")
    assert not noise.command


def test_every_value_that_is_undecided_is_named_with_its_numbers():
    finals = {0.1: (0.98, 0.982, 0.981), 0.01: (0.975, 0.9751, 0.9752), 0.001: (0.9, 0.9825, 0.97)}
    found = conclude(seeds_sweep(finals))
    assert "Whether 0.1 works better than 0.001 cannot be told: it leads 0.001 by 0.0302" in (
        found["undecided"].text
    )
    assert "ahead of 0.01 by 0.0059" in found["lead"].text
    assert "highest" in found


def test_a_single_finished_value_is_not_called_best():
    found = conclude(rates_sweep({0.1: RATES[0.1], 0.01: None}))
    assert found["only"].text == (
        "Only the learning rate 0.1 has a finished run: the validation accuracy after 10 epochs is 0.9847, "
        "and 0.9847 at the best epoch."
    )
    assert "best" not in found


def test_only_a_finished_value_is_said_where_that_is_so():
    assert conclude(rates_sweep({0.1: RATES[0.1]}))["only"].text.startswith(
        "With 0.1, the only learning rate of the sweep, the validation accuracy after 10 epochs is 0.9847"
    )
    cells = [make_cell("lr", 0.1, (0.97, 0.98)), make_cell("lr", 10.0, (0.2,), state=RunState.DIVERGED)]
    text = conclude(make_sweep("lr", 2, cells))["only"].text
    assert text.startswith("0.1 is the only learning rate that has not diverged:")
    text = conclude(make_sweep("lr", 2, [*cells, make_cell("lr", 0.01, None)]))["only"].text
    assert text.startswith("0.1 is the only learning rate that can be ranked so far:")
    assert conclude(seeds_sweep({0.1: (0.9, 0.9), 0.01: (None, None)}))["only"].text.startswith(
        "Only the learning rate 0.1 has finished runs:"
    )


def test_what_is_not_finished_is_named_with_its_command_and_not_ranked():
    sweep = rates_sweep({0.1: RATES[0.1], 0.01: RATES[0.01], 0.001: None})
    found = conclude(sweep)
    assert "not compared: learning rate 0.001." in found["missing"].text
    assert found["missing"].command == "lenetcli sweep lr 0.1 0.01 0.001"
    assert found["best"].text.startswith("Of the learning rates 0.1 and 0.01, 0.1 works best: ")


def test_values_are_compared_over_the_seeds_that_all_have_finished():
    cells = [
        make_cell("lr", 0.1, RATES[0.1], seed=0),
        make_cell("lr", 0.1, RATES[0.1], seed=1),
        make_cell("lr", 0.01, RATES[0.01], seed=0),
        make_cell("lr", 0.01, RATES[0.01][:4], seed=1),
    ]
    found = conclude(make_sweep("lr", 10, cells))
    assert "learning rate 0.01 (seed 1)." in found["missing"].text
    assert "McNemar" in found["method"].text
    scope = "Of the learning rates 0.1 and 0.01, over the 1 seed that all of them have finished, "
    assert found["best"].text.startswith(f"{scope}0.1 works best")


def test_a_diverged_run_is_named_and_never_best():
    sweep = rates_sweep({10.0: [0.999, 0.9], 0.1: [0.97, 0.98, 0.985], 0.01: [0.9, 0.91, 0.92]})
    diverged = replace(sweep.cells[0], run=replace(sweep.cells[0].run, state=RunState.DIVERGED))
    found = conclude(replace(sweep, cells=(diverged, *sweep.cells[1:])))
    assert "learning rate 10 (no finite loss in epoch 3)" in found["diverged"].text
    assert "Of the learning rates 0.1 and 0.01, 0.1 works best" in found["best"].text
    assert found["too high"].text == "10 diverged: steps of this size lead past the minimum."
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
    sweep = make_sweep("lr", 10, cells)
    assert set(conclude(sweep)) == {"unlike"}
    assert rank(sweep, MadeUpEvidence([sweep])).entries == ()


def test_a_run_is_seen_through_the_epochs_of_its_sweep_only():
    longer = make_cell("lr", 0.01, [*RATES[0.01], 0.999])
    cells = [make_cell("lr", 0.1, RATES[0.1]), replace(longer, run=longer.run.at(10))]
    assert "0.1 works best" in conclude(make_sweep("lr", 10, cells))["best"].text


def test_no_winner_among_those_who_guess():
    found = conclude(rates_sweep({1.0: [0.1035] * 4, 0.5: [0.098] * 4}))
    assert set(found) == {"guessing"}
    assert found["guessing"].text == (
        "1 and 0.5 are never clearly above guessing: naming the most frequent class for every image gives "
        "0.1000."
    )


def test_a_rate_that_ends_by_guessing_takes_no_sentence_from_the_others():
    # It had reached 0.97 before, and every other sentence was dropped.
    found = conclude(rates_sweep({0.5: [0.9, 0.97, 0.97, 0.97, 0.1], 0.01: [0.2, 0.3, 0.1, 0.099, 0.09]}))
    assert found["none"].text == (
        "No learning rate is clearly above guessing after 5 epochs: the highest accuracy there is 0.1000, of "
        "0.5. At its best epoch 0.5 reaches 0.9700."
    )
    assert "falls" in found
    assert not {"best", "highest", "order", "speed"} & found.keys()


def test_equal_numbers_share_the_first_place():
    found = conclude(rates_sweep({0.1: [0.97, 0.98], 0.03: [0.97, 0.98], 0.01: [0.9, 0.91]}))
    assert "0.1 and 0.03 work best, and alike" in found["winner"].text


def test_seeds_that_are_not_finished_are_told_and_the_scope_is_said():
    sweep = seeds_sweep({0.1: (0.9847, 0.9887, 0.9727), 0.01: (0.9717, None, None)})
    found = conclude(sweep)
    assert "0.01 (seeds 1 and 2)" in found["missing"].text
    assert "over the 1 seed that all of them have finished, 0.1 works best" in found["best"].text


def test_nothing_is_ranked_without_a_common_seed():
    found = conclude(seeds_sweep({0.1: (0.98, None), 0.01: (None, 0.9)}))
    assert set(found) == {"nothing ranked", "missing"}


def test_values_set_aside_for_divergence_lack_no_seed():
    cells = [
        make_cell("lr", rate, (0.9,), seed=seed, state=state)
        for rate in (0.1, 0.01)
        for seed, state in enumerate((RunState.COMPLETED, RunState.DIVERGED))
    ]
    assert set(conclude(make_sweep("lr", 1, cells))) == {"nothing ranked", "diverged"}


def test_seeds_that_diverge_in_different_epochs_name_them_all():
    cells = [make_cell("lr", 0.1, (0.9,) * 7, seed=seed) for seed in range(3)]
    cells += [
        make_cell("lr", 1.0, (0.5,) * length, seed=seed, state=RunState.DIVERGED)
        for seed, length in ((0, 2), (1, 6))
    ]
    found = conclude(make_sweep("lr", 7, [*cells, make_cell("lr", 1.0, None, seed=2)]))
    assert "1 with 2 of 3 seeds (no finite loss in epochs 3 and 7)." in found["diverged"].text


def test_the_test_set_speaks_of_the_leader_only_and_only_where_it_was_measured():
    sweep = rates_sweep({0.1: [0.97, 0.98], 0.01: [0.9, 0.91]}, test_accuracy=0.9777)
    assert "0.1 reaches 0.9777" in conclude(sweep)["test"].text
    cells = []
    for cell in sweep.cells:
        curve = tuple(replace(point, test_accuracy=None) for point in cell.run.curve)
        cells.append(replace(cell, run=replace(cell.run, curve=curve)))
    assert "test" not in conclude(replace(sweep, cells=tuple(cells)))
