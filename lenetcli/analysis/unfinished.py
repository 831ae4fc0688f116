"""Statements on what a sweep lacks: unfinished and diverged values, devices that were not measured."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lenetcli.analysis.statements import TRAINS, Statement
from lenetcli.experiment.config import RECIPE, DeviceKind
from lenetcli.experiment.datasets import MNIST
from lenetcli.experiment.exercise import FILTERS
from lenetcli.experiment.parameters import name_parameter, name_point
from lenetcli.experiment.sweep import Sweep, suggest_command, write_command
from lenetcli.words import join_some, name_all

NEEDS_GPU = (
    "On a machine with an NVIDIA GPU (lenetcli devices says whether it can be used, and what is missing), "
    "with a copy of the store, this trains it:"
)
"""What the command does that needs a GPU."""


def conclude_unfinished(sweep: Sweep) -> Iterator[Statement]:
    """Statements on unfinished values of a sweep, with the command to train them, and on diverged values."""
    subject, device = "", sweep.device.value.upper()
    if len(sweep.parameters) == 1:
        subject = f"{name_parameter(sweep.parameter)} "
    missing_values, diverged_values, ids = [], [], []
    for group in sweep.groups():
        name = name_point(group.point)
        if group.diverged:
            share = f" with {len(group.diverged)} of {len(group.cells)} seeds" if len(group.cells) > 1 else ""
            epochs = name_all("epoch", sorted({run.epochs + 1 for run in group.diverged}))
            diverged_values.append(f"{name}{share} (no finite loss in {epochs})")
            ids += [run.id for run in group.diverged]
        ended = (*group.whole, *group.diverged)
        missing_seeds = [cell.config.seed for cell in group.cells if cell.run not in ended]
        if missing_seeds:
            seeds = f" ({name_all('seed', missing_seeds)})" if len(sweep.seeds) > 1 else ""
            missing_values.append(name + seeds)
    if missing_values:
        text = f"Not finished on the {device} and not compared: {subject}{join_some(missing_values)}."
        if sweep.base.recipe != RECIPE:
            text += f" The recipe has changed since: the sweep is trained anew, under recipe {RECIPE}."
        yield Statement("missing", text, command=write_command(sweep))
    if diverged_values:
        text = f"Diverged on the {device} and not compared: {subject}{join_some(diverged_values)}."
        yield Statement("diverged", text, tuple(ids))


def conclude_missing(sweeps: Sequence[Sweep], like: Sequence[Sweep] = ()) -> Iterator[Statement]:
    """A statement for each kind of device on which no filters have been timed, with the command for it.

    The command has the values of the exercise and the setting of ``sweeps``, those over filters; without one,
    that of the sweeps ``like`` them.
    """
    for kind in (DeviceKind.GPU, DeviceKind.CPU):
        if kind not in {sweep.device for sweep in sweeps}:
            text = f"No sweep over filters on a {kind.value.upper()} has been timed."
            purpose = NEEDS_GPU if kind is DeviceKind.GPU else TRAINS
            command = _filters_command(kind, (*sweeps, *like))
            yield Statement("missing", text, command=command, purpose=purpose)


def _filters_command(kind: DeviceKind, sweeps: Sequence[Sweep]) -> str:
    """The command that times the filters of the exercise on a device, in the setting of the first sweep."""
    like = list(sweeps[:1])
    for sweep in like:
        # Another device may be in another machine, and every machine finds MNIST, whatever its path here.
        if sweep.device is not kind and sweep.base.data == MNIST:
            like = [replace(sweep, request=replace(sweep.request, data=None))]
    return suggest_command("filters", FILTERS[kind], like, kind)
