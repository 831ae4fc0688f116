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
    assert labels == ["shards 2, recipe 1", "shards 4, recipe 2", "shards 8, recipe 2"]


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
