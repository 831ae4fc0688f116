"""What a report says of devices that were not measured, and the command that it gives for them."""

from dataclasses import replace

import pytest
from helpers.made_up import BASE, CPU_SECONDS, GPU_SECONDS, both_sweeps, filters_sweep

from lenetcli.analysis.unfinished import conclude_missing
from lenetcli.experiment.config import DeviceKind
from lenetcli.experiment.datasets import MNIST


def commands(*sweeps):
    """The command for each device that was not measured."""
    return {statement.text: statement.command for statement in conclude_missing(sweeps)}


NO_GPU = (
    "No sweep over filters on a GPU has been timed. That needs an NVIDIA GPU, in this machine or in another "
    "one to which the store is copied; there lenetcli devices says whether it can be used, and what is "
    "missing."
)
NO_CPU = "No sweep over filters on a CPU has been timed."


def test_without_a_sweep_both_commands_of_the_exercise_are_named():
    assert commands() == {
        NO_GPU: "lenetcli sweep filters --device gpu 8 16 32 64 128 256",
        NO_CPU: "lenetcli sweep filters --device cpu 8 16 32 64",
    }


def test_only_the_device_that_is_missing_is_named():
    assert commands(*both_sweeps()) == {}
    assert set(commands(filters_sweep(DeviceKind.CPU, CPU_SECONDS))) == {NO_GPU}
    assert set(commands(filters_sweep(DeviceKind.GPU, GPU_SECONDS))) == {NO_CPU}


def test_a_sweep_with_the_settings_of_the_exercise_leads_to_its_command():
    sweep = filters_sweep(DeviceKind.CPU, CPU_SECONDS, epochs=10)
    assert commands(sweep)[NO_GPU] == "lenetcli sweep filters --device gpu 8 16 32 64 128 256"


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
