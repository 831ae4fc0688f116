"""``--commands``: the commands that train the runs of a sweep one by one, for schedulers and job arrays."""

import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lenetcli.cli.downloads import find_stoppably
from lenetcli.experiment.config import AUTO
from lenetcli.files import DATA_VARIABLE, locate
from lenetcli.words import plural

if TYPE_CHECKING:
    from lenetcli.experiment.config import Request
    from lenetcli.experiment.sweep import Axis
    from lenetcli.training.plan import Plan

SHARED = (
    "The store must lie where all jobs reach it, on a file system with locks. Without one, run the last "
    "command on one machine, with --jobs."
)
"""What is said of the store of such commands."""


def print_commands(request: "Request", axes: "Sequence[Axis]", address: str, *, anew: bool) -> None:
    """Plan a sweep, and print a command for each run that is left and its own as a comment."""
    from lenetcli.cli.screen import console
    from lenetcli.store.store import Store
    from lenetcli.training.plan import make_plan

    store = Store.open(address, missing_ok=True)
    plan = find_stoppably(lambda find: make_plan(request, axes, store, find, anew=anew))
    console.print_notes(plan.notes)
    end = ["--store", store.name, *["--anew"] * anew]
    for words in _write_commands(plan, request):
        console.print_line(shlex.join([*words, *end]))
    console.print_line(f"# {shlex.join([*_write_sweep(plan, request, axes), *end])}")
    left = len(plan.open_cells)
    console.print_message(f"{plural(left, 'run')}. {SHARED}" if left else "Nothing is left to train.", "dim")


def _write_commands(plan: "Plan", request: "Request") -> "Iterator[list[str]]":
    """Yield the command that trains each run that is left."""
    from lenetcli.experiment.sweep import write_words

    pinned = _pin(plan, request)
    for cell in plan.open_cells:
        values = {axis.name: getattr(cell.config, axis.name) for axis in plan.sweep.axes}
        yield ["lenetcli", "train", *write_words(replace(pinned, **values))]


def _write_sweep(plan: "Plan", request: "Request", axes: "Sequence[Axis]") -> list[str]:
    """The command of the sweep itself."""
    from lenetcli.experiment.sweep import write_words

    return ["lenetcli", "sweep", *write_words(_pin(plan, request), axes)]


def _pin(plan: "Plan", request: "Request") -> "Request":
    """The request with what would be looked for anew on another machine: data, data set and device."""
    path = request.data or os.environ.get(DATA_VARIABLE)
    if (
        path and request.data is None and request.dataset != AUTO
    ):  # the data set may have been found elsewhere
        origin = locate(plan.source.origin if plan.source else "")
        path = str(origin) if origin.is_relative_to(locate(path).absolute()) else None
    device = request.device if request.device.startswith("gpu") else plan.sweep.device.value
    if path:
        return replace(request, data=str(locate(path).absolute()), device=device)
    dataset = plan.source.name if plan.source else request.dataset
    return replace(request, dataset=dataset, device=device)
