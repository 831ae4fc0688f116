"""What a report says of devices that were not measured, and the command that it gives for them."""

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
    rates_sweep,
)

from lenetcli.analysis.unfinished import conclude_missing, conclude_unfinished
from lenetcli.experiment.config import RECIPE, DeviceKind
from lenetcli.experiment.datasets import MNIST


def commands(*sweeps):
    """The command for each device that was not measured."""
    return {statement.text: statement.command for statement in conclude_missing(sweeps)}


NO_GPU = "No sweep over filters on a GPU has been timed."
NO_CPU = "No sweep over filters on a CPU has been timed."


def test_without_a_sweep_both_commands_of_the_exercise_are_named():
    assert commands() == {
        NO_GPU: "lenetcli sweep filters 8 16 32 64 128 256 --device gpu",
        NO_CPU: "lenetcli sweep filters 8 16 32 64 --device cpu",
    }


def test_what_needs_a_gpu_says_how_to_get_there():
    purposes = [statement.purpose for statement in conclude_missing([])]
    assert purposes[0].startswith("On a machine with an NVIDIA GPU (lenetcli devices says whether")
    assert purposes[1] == "This trains it:"


def test_only_the_device_that_is_missing_is_named():
    assert commands(*both_sweeps()) == {}
    assert set(commands(filters_sweep(DeviceKind.CPU, CPU_SECONDS))) == {NO_GPU}
    assert set(commands(filters_sweep(DeviceKind.GPU, GPU_SECONDS))) == {NO_CPU}


def test_a_sweep_with_the_settings_of_the_exercise_leads_to_its_command():
    sweep = filters_sweep(DeviceKind.CPU, CPU_SECONDS, epochs=10)
    assert commands(sweep)[NO_GPU] == "lenetcli sweep filters 8 16 32 64 128 256 --device gpu"


def test_another_setting_and_several_seeds_are_kept():
    base = replace(BASE, batch_size=256)
    sweep = filters_sweep(DeviceKind.CPU, CPU_SECONDS, base=base)
    sweep = replace(sweep, request=replace(sweep.request, batch_size=256))
    assert commands(sweep)[NO_GPU] == (
        "lenetcli sweep filters 8 16 32 64 128 256 --epochs 5 --batch-size 256 --device gpu"
    )
    seeds = filters_sweep(DeviceKind.CPU, CPU_SECONDS, epochs=10, seeds=2)
    assert commands(seeds)[NO_GPU] == "lenetcli sweep filters 8 16 32 64 128 256 --seeds 2 --device gpu"


@pytest.mark.parametrize("data", [MNIST, BASE.data])
def test_the_path_of_mnist_is_left_out_since_every_machine_finds_it(data):
    sweep = filters_sweep(DeviceKind.CPU, CPU_SECONDS, epochs=10, base=replace(BASE, data=data))
    sweep = replace(sweep, request=replace(sweep.request, data="/srv/digits", epochs=10))
    command = commands(sweep)[NO_GPU]
    assert ("--data /srv/digits" in command) == (data != MNIST)


def test_without_a_sweep_over_filters_the_setting_is_that_of_the_learning_rates():
    rates = rates_sweep(seeds=2, base=replace(BASE, data=MNIST))
    rates = replace(rates, epochs=3, request=replace(rates.request, data="/srv/digits", batch_size=32))
    found = {statement.text: statement.command for statement in conclude_missing([], [rates])}
    setting = "--epochs 3 --seeds 2 --batch-size 32"
    assert found == {
        NO_GPU: f"lenetcli sweep filters 8 16 32 64 128 256 {setting} --device gpu",
        NO_CPU: f"lenetcli sweep filters 8 16 32 64 {setting} --device cpu --data /srv/digits",
    }


@pytest.mark.parametrize("recipe", [1, RECIPE])
def test_what_an_older_recipe_has_not_finished_is_trained_anew_and_that_is_said(recipe):
    base = replace(BASE, recipe=recipe)
    cells = [make_cell("lr", 0.1, RATES[0.1], base=base), make_cell("lr", 0.01, None, base=base)]
    (statement,) = conclude_unfinished(make_sweep("lr", 10, cells))
    assert statement.command == "lenetcli sweep lr 0.1 0.01"
    anew = f"The recipe has changed since: the sweep is trained anew, under recipe {RECIPE}."
    assert statement.text == "Not finished on the CPU and not compared: learning rate 0.01." + (
        "" if recipe == RECIPE else f" {anew}"
    )
