"""A sweep: runs that differ in one parameter, requested together."""

import hashlib
import json
import shlex
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from lenetcli.experiment.config import Config, DeviceKind, Request
from lenetcli.experiment.run import Run
from lenetcli.words import name_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A run of a sweep: its value, seed and configuration, and the stored run once training has begun."""

    value: Any
    seed: int
    config: Config
    run: Run | None = None

    @property
    def is_done(self) -> bool:
        """Whether the run has reached the epochs of the sweep or has diverged."""
        return self.run is not None and self.run.state.is_finished()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Runs that differ in one parameter (and in the seed) and are trained for the same number of epochs.

    ``cells`` are in the order of the values as requested, and for each value in that of the seeds; the run of
    each cell is cut to ``epochs``. ``dataset_name`` is a label; what identifies the data is in each
    configuration.
    """

    parameter: str
    epochs: int
    dataset_name: str
    cells: tuple[Cell, ...]
    request: Request
    created_at: datetime
    last_requested: datetime

    @property
    def id(self) -> str:
        """The identity of the sweep: a hash of parameter, epochs and the keys of the cells, in any order."""
        plan = [self.parameter, self.epochs, sorted(cell.config.key for cell in self.cells)]
        return hashlib.sha256(json.dumps(plan).encode()).hexdigest()

    @property
    def values(self) -> tuple[Any, ...]:
        """The values of the parameter, in the order requested."""
        return tuple(dict.fromkeys(cell.value for cell in self.cells))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of each value."""
        return tuple(dict.fromkeys(cell.seed for cell in self.cells))

    @property
    def device(self) -> DeviceKind:
        """The kind of device of all cells."""
        return self.cells[0].config.device

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs that have begun, cut to the epochs of the sweep."""
        return tuple(cell.run for cell in self.cells if cell.run is not None)

    @property
    def done(self) -> int:
        """The number of cells that are done."""
        return sum(cell.is_done for cell in self.cells)


def write_command(sweep: Sweep) -> str:
    """The command that requests this sweep; typed again, it trains what is missing."""
    words = ["lenetcli", "sweep", sweep.parameter.replace("_", "-"), *map(name_value, sweep.values)]
    words += ["--epochs", str(sweep.epochs)] if sweep.epochs != Request().epochs else []
    seeds = sweep.seeds
    counted = len(seeds) > 1 and sweep.parameter != "seed"
    words += ["--seeds", str(len(seeds))] if counted else []
    skipped = {"epochs", sweep.parameter} | ({"seed"} if counted else set())
    for option in fields(Request):
        value = getattr(sweep.request, option.name)
        if option.name not in skipped and value != option.default:
            words += [f"--{option.name.replace('_', '-')}", name_value(value)]
    return shlex.join(words)
