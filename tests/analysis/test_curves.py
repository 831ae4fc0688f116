"""Learning curves over values and seeds."""

from dataclasses import replace

import pytest
from helpers.made_up import (
    BASE,
    RATES,
    make_cell,
    make_run,
    make_sweep,
    rates_sweep,
)

from lenetcli.analysis.crowds import CROWD
from lenetcli.analysis.curves import Metric, run_curves, sweep_curves
from lenetcli.analysis.runtimes import run_runtimes
from lenetcli.errors import NotFoundError
from lenetcli.experiment.datasets import MNIST, SYNTHETIC
from lenetcli.experiment.run import RunState
from lenetcli.experiment.sweep import write_command


def test_a_curve_for_each_value_in_the_order_asked():
    series = sweep_curves(rates_sweep())
    assert [curve.label for curve in series.curves] == ["0.1", "0.01", "0.001", "0.0001"]
    assert series.curves[0].mean == RATES[0.1]
    assert series.subject == "learning rate"
    assert series.dataset == "drawn"
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
    (curve,) = series.curves
    assert (curve.mean, curve.seeds, curve.runs) == ((0.9, 0.95), 1, (cells[0].run.id,))
    left_out = "left out, with fewer than 2 epochs: 0.1 (seed 1)"
    assert series.notes == (left_out,)
    more = sweep_curves(make_sweep("lr", 2, [*cells, make_cell("lr", 0.1, (0.9, 0.95), seed=2)]))
    assert more.notes == ("line: mean over 2 seeds; band: lowest to highest seed", left_out)


def test_a_seed_that_diverged_does_not_displace_one_that_was_interrupted():
    cells = [
        make_cell("lr", 0.1, (0.9,), seed=0, state=RunState.INTERRUPTED),
        make_cell("lr", 0.1, (0.8, 0.1), seed=1, state=RunState.DIVERGED),
        make_cell("lr", 0.1, None, seed=2),
    ]
    series = sweep_curves(make_sweep("lr", 3, cells))
    (curve,) = series.curves
    assert (curve.mean, curve.seeds, curve.diverged, curve.ends_diverged) == ((0.9,), 1, 1, False)
    # A seed without an epoch was not left out, and its value is not untrained.
    assert series.notes == ("left out, since it diverged: 0.1 (seed 1)",)


@pytest.mark.parametrize(
    ("seeds", "counts"), [((3, 3), "3"), ((1, 3), "1 to 3"), ((3, 2), "2 to 3"), ((2, 0), "2")]
)
def test_the_first_note_says_what_line_and_band_are(seeds, counts):
    cells = [
        make_cell("lr", rate, (0.9,) if count else None, seed=seed)
        for rate, count in zip((0.1, 0.01), seeds, strict=True)
        for seed in range(count or 1)
    ]
    first, *others = sweep_curves(make_sweep("lr", 1, cells)).notes
    assert first == f"line: mean over {counts} seeds; band: lowest to highest seed"
    assert others == ([] if all(seeds) else ["not yet trained: 0.01"])


def test_one_seed_has_no_band_to_explain():
    assert sweep_curves(rates_sweep()).notes == ()


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
    assert [curve.name for curve in series.curves] == ["10: diverged in epoch 3", "1 (1 diverged)"]
    assert series.notes == (
        "left out, since it diverged: 1 (seed 1)",
        "diverged in epoch 1: 9",
        "cross: the loss was not finite in the next epoch (10)",
        "not yet trained: 0.1",
    )


def test_the_error_is_what_is_missing_to_one():
    (curve,) = sweep_curves(rates_sweep({0.1: [0.9, 0.75]}), Metric.ERROR).curves
    assert curve.mean == pytest.approx((0.1, 0.25))


def test_the_limits_hold_every_curve_and_band():
    cells = [
        make_cell("lr", rate, curve, seed=seed)
        for rate, seed, curve in (
            (0.1, 0, (0.5, 0.7)),
            (0.1, 1, (0.4, 0.8)),
            (0.01, 0, (0.3, 0.6)),
            (0.01, 1, (0.45, 0.65)),
        )
    ]
    assert sweep_curves(make_sweep("lr", 2, cells)).limits == (0.3, 0.8)


@pytest.mark.parametrize(
    ("metric", "accuracies", "scale"),
    [
        (Metric.VAL_ACCURACY, (0.1, 0.9), "logit"),
        (Metric.VAL_ACCURACY, (0.0, 0.9), "linear"),
        (Metric.VAL_ACCURACY, (0.1, 1.0), "linear"),
        (Metric.ERROR, (0.1, 0.9), "log"),
        (Metric.ERROR, (0.1, 1.0), "linear"),  # an error of 0
        (Metric.ERROR, (0.0, 0.9), "log"),  # an error of 1 is no limit of a logarithm
        (Metric.VAL_LOSS, (0.1, 0.9), "log"),
        (Metric.TRAIN_LOSS, (0.1, 1.0), "log"),
    ],
)
def test_the_scale_shows_every_number(metric, accuracies, scale):
    assert sweep_curves(rates_sweep({0.1: accuracies}), metric).scale == scale


def test_the_rows_are_the_plotted_numbers():
    cells = [make_cell("lr", 0.1, curve, seed=seed) for seed, curve in enumerate([(0.9, 0.5), (0.7, 0.6)])]
    series = sweep_curves(
        make_sweep("lr", 2, [*cells, make_cell("lr", 10.0, (0.1,), state=RunState.DIVERGED)])
    )
    ids = " ".join(cell.run.id for cell in cells)
    rows = [dict(zip(series.HEADER, row, strict=True)) for row in series.rows()]
    assert [(row["label"], row["epoch"], row["low"], row["high"]) for row in rows] == [
        ("0.1", 1, 0.7, 0.9),
        ("0.1", 2, 0.5, 0.6),
        ("10", 1, 0.1, 0.1),
    ]
    assert [row["mean"] for row in rows] == pytest.approx([0.8, 0.55, 0.1])
    assert [(row["seeds"], row["diverged"], row["runs"] == ids) for row in rows] == [
        (2, 0, True),
        (2, 0, True),
        (1, 1, False),
    ]


def test_nothing_to_draw_names_the_command():
    sweep = make_sweep("lr", 10, [make_cell("lr", 0.1, None), make_cell("lr", 0.01, None)])
    with pytest.raises(NotFoundError, match=r"lenetcli sweep lr 0\.1 0\.01"):
        sweep_curves(sweep)


def test_a_sweep_that_diverged_from_the_start_asks_for_smaller_rates():
    diverged = [make_cell("lr", rate, (), state=RunState.DIVERGED) for rate in (10.0, 9.0)]
    with pytest.raises(NotFoundError) as caught:
        sweep_curves(make_sweep("lr", 3, diverged))
    assert caught.value.advice.startswith("Every run diverged: train with smaller learning rates, with ")
    assert caught.value.command == "lenetcli sweep lr 0.1 0.01 0.001 0.0001 --epochs 3"
    with pytest.raises(NotFoundError) as caught:
        sweep_curves(make_sweep("lr", 3, [*diverged, make_cell("lr", 1.0, None)]))
    assert caught.value.advice == "Train it with `lenetcli sweep lr 10 9 1 --epochs 3`."


def test_chosen_runs_are_labelled_by_what_differs():
    runs = [
        make_run(BASE, RATES[0.1]),
        make_run(replace(BASE, seed=1), RATES[0.1]),
        make_run(replace(BASE, lr=0.01, filters=32), RATES[0.01]),
    ]
    series = run_curves(runs)
    assert [curve.label for curve in series.curves] == [
        "filters 16, learning rate 0.1, seeds 0 and 1",
        "filters 32, learning rate 0.01, seed 0",
    ]
    assert [curve.seeds for curve in series.curves] == [2, 1]
    labels = [curve.label for curve in run_curves([runs[0], runs[2]]).curves]
    assert labels == ["filters 16, learning rate 0.1", "filters 32, learning rate 0.01"]  # one seed


def test_a_run_alone_is_labelled_by_an_id_that_the_store_knows_and_a_mean_by_its_seeds():
    run = replace(make_run(), id_digits=11)
    (curve,) = run_curves([run]).curves
    assert curve.label == run.id[:11]
    (mean,) = run_curves([run, make_run(replace(BASE, seed=1))]).curves
    assert mean.label == "seeds 0 and 1"


def test_rates_that_differ_in_the_last_digit_have_labels_that_differ():
    for rates in ((0.1, 0.1000001), (0.1234567, 0.1234568, 0.1234569)):
        sweep = make_sweep("lr", 10, [make_cell("lr", rate, RATES[0.1]) for rate in rates])
        assert [curve.label for curve in sweep_curves(sweep).curves] == list(map(str, rates))
        runs = run_curves(sweep.runs)
        assert [curve.label for curve in runs.curves] == [f"learning rate {rate}" for rate in rates]


def test_of_many_curves_the_best_the_median_and_the_worst_are_named():
    cells = [make_cell("lr", count / 1000, (0.4, 0.5 + count / 1000)) for count in range(1, CROWD + 1)]
    assert sweep_curves(make_sweep("lr", 2, cells[:-1])).notes == ()
    note = "named by what they reach after epoch 2: {}; the 10 others are thin"
    names = "0.013 (best), 0.007 (median) and 0.001 (worst)"
    assert sweep_curves(make_sweep("lr", 2, cells)).notes == (
        f"{note.format(names)}, coloured by learning rate",
    )
    runs = run_curves([cell.run for cell in cells], Metric.VAL_LOSS)
    names = "learning rate 0.013 (best), learning rate 0.007 (median) and learning rate 0.001 (worst)"
    assert runs.notes == (note.format(names),)


def test_what_diverged_or_ended_early_is_neither_best_nor_worst_of_many():
    cells = [make_cell("lr", count / 100, (0.4, 0.5 + count / 1000)) for count in range(1, 20)]
    cells[0] = make_cell("lr", 0.01, (0.1,), state=RunState.INTERRUPTED, target=2)
    cells[-1] = make_cell("lr", 0.19, (0.1, 0.9), state=RunState.DIVERGED, target=3)
    series = sweep_curves(make_sweep("lr", 3, cells))
    assert [series.curves[place].label for place in series.extremes] == ["0.18", "0.1", "0.02"]


def test_notes_of_one_reason_on_many_values_are_one():
    cells = [make_cell("lr", count / 100, (), state=RunState.DIVERGED) for count in range(1, 41)]
    cells += [make_cell("lr", 0.5, (0.4, 0.5)), *(make_cell("lr", 1.0 + n, None) for n in range(30))]
    assert sweep_curves(make_sweep("lr", 2, cells)).notes == (
        "diverged in epoch 1: 0.01, 0.02, 0.03, 0.04, 0.05 and 35 more",
        "not yet trained: 1, 2, 3, 4, 5 and 25 more",
    )


def test_the_axis_is_as_long_as_the_longest_of_the_chosen_runs():
    runs = [
        make_run(replace(BASE, lr=rate), RATES[0.1][:count]) for rate, count in ((0.1, 3), (0.2, 5), (0.3, 2))
    ]
    series = run_curves(runs)
    assert series.epochs == 5
    assert [len(curve.mean) for curve in series.curves] == [3, 5, 2]


def test_runs_of_two_recipes_share_no_curve():
    old, new = replace(BASE, recipe=1, shards=2), replace(BASE, recipe=2, shards=4)
    seeds = [make_run(replace(base, seed=seed), RATES[0.1]) for base in (old, new) for seed in (0, 1)]
    series = run_curves(seeds, recipes=(1, 2))
    assert [(curve.label, curve.seeds, curve.recipe) for curve in series.curves] == [
        ("recipe 1", 2, 1),
        ("recipe 2", 2, 2),
    ]
    assert series.recipe == ""
    # Shards that were chosen are in the labels, too.
    eight = make_run(replace(new, shards=8), RATES[0.1])
    labels = [curve.label for curve in run_curves([*seeds, eight]).curves]
    assert labels == [
        "shards 2, recipe 1, seeds 0 and 1",
        "shards 4, recipe 2, seeds 0 and 1",
        "shards 8, recipe 2, seed 0",
    ]


def test_a_recipe_is_named_beside_others_alone():
    for recipes, name in (((), ""), ((2,), ""), ((1, 2), "recipe 2"), ((1,), "recipe 2")):
        base = replace(BASE, recipe=2)
        assert sweep_curves(rates_sweep(base=base), recipes=recipes).recipe == name
        assert run_curves([make_run(base)], recipes=recipes).recipe == name
        assert run_runtimes([make_run(base)], recipes=recipes).recipe == name


def test_data_is_known_by_its_hash_and_never_by_its_label():
    for data, label, name in (
        (SYNTHETIC, "anything", "synthetic digits"),
        (MNIST, "anything", "MNIST"),
        (BASE.data, "digits", "digits"),
        (BASE.data, "mnist", "mnist (dddddddd)"),
    ):
        base = replace(BASE, data=data)
        assert sweep_curves(rates_sweep(dataset=label, base=base)).dataset == name
        assert run_runtimes([make_run(base, dataset=label)]).dataset == name


def test_two_data_sets_of_one_label_are_told_apart():
    runs = [make_run(replace(BASE, data=data * 32), dataset="digits") for data in ("aa", "bb")]
    series = run_curves(runs)
    assert series.dataset == "digits (aaaaaaaa) and digits (bbbbbbbb)"
    assert [curve.label for curve in series.curves] == ["digits (aaaaaaaa)", "digits (bbbbbbbb)"]
    runtimes = run_runtimes(runs)
    assert [device.label for device in runtimes.devices] == [
        "CPU (AMD EPYC 9654), digits (aaaaaaaa)",
        "CPU (AMD EPYC 9654), digits (bbbbbbbb)",
    ]
    # One data set has one name, whatever folders it was in.
    assert run_curves([make_run(dataset="here"), make_run(dataset="there")]).dataset == "here"


def test_the_command_trains_the_same_sweep_again():
    sweep = rates_sweep({0.1: [0.9], 0.01: [0.9]}, seeds=2)
    sweep = replace(sweep, request=replace(sweep.request, filters=32, data="/a b/c", epochs=1))
    assert (
        write_command(sweep) == "lenetcli sweep lr 0.1 0.01 --epochs 1 --seeds 2 --filters 32 --data '/a b/c'"
    )
