"""A sweep: the runs of a grid of parameters, requested together; a single run is a grid without axes."""

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from lenetcli.experiment.config import RECIPE, Config, DeviceKind, Request
from lenetcli.experiment.datasets import Counts, add_images
from lenetcli.experiment.exercise import LEARNING_RATES
from lenetcli.experiment.parameters import OPTIONS, PARAMETERS, describe_config
from lenetcli.experiment.ranges import write_values
from lenetcli.experiment.recipes import round_value
from lenetcli.experiment.run import Run, RunState
from lenetcli.words import MOST_VALUES, name_value


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis of a grid: a field of ``Config`` and its values, each once, in the order requested."""

    name: str
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(dict.fromkeys(self.values)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A run of a sweep: its configuration, and the stored run once training has begun."""

    config: Config
    run: Run | None = None

    @property
    def is_done(self) -> bool:
        """Whether the run has reached the epochs of the sweep or has diverged."""
        return self.run is not None and self.run.state.is_finished()


@dataclass(frozen=True, slots=True)
class Group:
    """The cells of a sweep that agree in some parameters: ``point`` has their values by name.

    ``epochs`` is the number of epochs of the sweep.
    """

    point: Mapping[str, Any]
    cells: tuple[Cell, ...]
    epochs: int

    @property
    def config(self) -> Config:
        """The configuration of the first cell, which has the values of the point."""
        return self.cells[0].config

    @property
    def name(self) -> str:
        """The values of the point as text, in the form in which they are typed."""
        return " ".join(map(name_value, self.point.values()))

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs that have begun."""
        return tuple(cell.run for cell in self.cells if cell.run is not None)

    @property
    def diverged(self) -> tuple[Run, ...]:
        """The runs that diverged within the epochs of the sweep."""
        return tuple(run for run in self.runs if run.state is RunState.DIVERGED)

    @property
    def whole(self) -> tuple[Run, ...]:
        """The runs that have all epochs of the sweep and have not diverged."""
        return tuple(
            run for run in self.runs if run.epochs == self.epochs and run.state is not RunState.DIVERGED
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """The runs of a grid, all trained for the same number of epochs; without axes, a single run.

    ``cells`` are in the order of the axes, the last of which varies fastest; the run of each cell is cut to
    ``epochs``. The seed is an axis like any other. ``dataset_name`` is a label; what identifies the data is
    in each configuration. ``grid`` is the recorded sweep of which this one is a row (see ``slice``), if any.
    """

    axes: tuple[Axis, ...]
    epochs: int
    dataset_name: str
    cells: tuple[Cell, ...]
    request: Request
    created_at: datetime
    last_requested: datetime
    grid: "Sweep | None" = None

    @property
    def id(self) -> str:
        """The identity of the sweep: a hash of its parameters, its epochs and the keys of its cells.

        The order of neither counts, and the seed is part of the keys alone, unless it is the only axis.
        """
        keys = sorted(cell.config.key for cell in self.cells)
        plan = [*sorted(self.parameters), self.epochs, keys]
        return hashlib.sha256(json.dumps(plan).encode()).hexdigest()

    @property
    def dataset(self) -> tuple[str, str]:
        """The hash of the data and its label, which says nothing of it."""
        return self.base.data, self.dataset_name

    @property
    def images(self) -> Counts | None:
        """The numbers of images of the data; None if they are not stored, or no run has begun."""
        return next((run.images for run in self.runs if run.images), None)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the axes without the seed, which is a repetition, unless it is the only axis."""
        names = tuple(axis.name for axis in self.axes)
        return names if names == ("seed",) else tuple(name for name in names if name != "seed")

    @property
    def parameter(self) -> str:
        """The first of ``parameters``; a sweep that is recorded has one."""
        return self.parameters[0]

    @property
    def values(self) -> tuple[Any, ...]:
        """The values of ``parameter``, in the order requested."""
        return next(axis.values for axis in self.axes if axis.name == self.parameter)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of all cells, in the order requested."""
        return tuple(dict.fromkeys(cell.config.seed for cell in self.cells))

    @property
    def base(self) -> Config:
        """The configuration of the first cell, which all share but for the axes and the default shards."""
        return self.cells[0].config

    @property
    def device(self) -> DeviceKind:
        """The kind of device of all cells."""
        return self.base.device

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs that have begun, cut to the epochs of the sweep."""
        return tuple(cell.run for cell in self.cells if cell.run is not None)

    @property
    def done(self) -> int:
        """The number of cells that are done."""
        return sum(cell.is_done for cell in self.cells)

    @property
    def is_done(self) -> bool:
        """Whether every cell is done."""
        return self.done == len(self.cells)

    @property
    def row(self) -> dict[str, Any]:
        """What the other parameters of its grid are in a row, by name; empty for a sweep that is none."""
        names = self.grid.parameters if self.grid else ()
        return {name: getattr(self.base, name) for name in names if name not in self.parameters}

    def slice(self, parameter: str) -> "Sweep | None":
        """The row over a parameter in which the other ones have their defaults; None if there is no such row.

        The row of a sweep over this parameter alone is the sweep itself.
        """
        others = {name: PARAMETERS[name].default for name in self.parameters if name != parameter}
        if parameter not in self.parameters or not others:
            return self if parameter in self.parameters else None
        cells = [
            cell
            for cell in self.cells
            if all(getattr(cell.config, name) == value for name, value in others.items())
        ]
        if not cells:
            return None
        axes = tuple(axis for axis in self.axes if axis.name not in others)
        request = replace(self.request, **others)
        return replace(self, axes=axes, cells=tuple(cells), request=request, grid=self)

    def narrow(self, points: Sequence[Mapping[str, Any]]) -> "Sweep":
        """The sweep without the values of which no point is, on axes that have too many for a sentence."""
        axes = []
        for axis in self.axes:
            is_long = len(write_values(PARAMETERS[axis.name], axis.values)) > MOST_VALUES
            if is_long and axis.name in self.parameters:
                kept = {point[axis.name] for point in points}
                axis = replace(axis, values=tuple(value for value in axis.values if value in kept))
            axes.append(axis)
        known = {axis.name: set(axis.values) for axis in axes}
        cells = (
            cell for cell in self.cells if all(getattr(cell.config, name) in known[name] for name in known)
        )
        return replace(self, axes=tuple(axes), cells=tuple(cells))

    def groups(self, *by: str) -> tuple[Group, ...]:
        """The cells that agree in the fields ``by`` (default: ``parameters``), in the order of the cells."""
        names = by or self.parameters
        cells: dict[tuple[Any, ...], list[Cell]] = {}
        for cell in self.cells:
            cells.setdefault(tuple(getattr(cell.config, name) for name in names), []).append(cell)
        return tuple(
            Group(dict(zip(names, values, strict=True)), tuple(members), self.epochs)
            for values, members in cells.items()
        )


def round_request(
    request: Request, axes: Sequence[Axis], recipe: int = RECIPE
) -> tuple[Request, tuple[Axis, ...]]:
    """A request and its axes with the decimal numbers as a recipe has them."""
    values = {one.name: round_value(getattr(request, one.name), recipe) for one in fields(request)}
    rounded = (Axis(axis.name, tuple(round_value(value, recipe) for value in axis.values)) for axis in axes)
    return Request(**values), tuple(rounded)


def describe_setting(sweep: Sweep) -> str:
    """The settings that the runs of a sweep share, and how many images train, for a title."""
    return add_images(describe_config(sweep.base, *sweep.parameters), [sweep.images])


def name_axes(sweep: Sweep) -> tuple[str, ...]:
    """The parameters that name a run of a sweep: those of the axes, and the learning rate of a single run."""
    return tuple(axis.name for axis in sweep.axes) or ("lr",)


def write_command(sweep: Sweep, *, values: Sequence[Any] = (), seeds: int | None = None) -> str:
    """The command that requests this sweep; typed again, it trains what is missing.

    ``values`` are requested before those of the first parameter, ``seeds`` is a number of seeds in place of
    its own.
    """
    axes = [
        replace(axis, values=(*values, *axis.values)) if axis.name == sweep.parameter else axis
        for axis in sweep.axes
        if axis.name in sweep.parameters or seeds is None
    ]
    return _write(replace(sweep.request, epochs=sweep.epochs), [*axes, *_repeat(sweep, seeds)])


def advise_training(sweep: Sweep) -> tuple[str, str]:
    """The advice for a sweep that has nothing to show, and the command in place of its ``{}``.

    It is to train what is missing or, where every run diverged, smaller learning rates.
    """
    if not all(cell.run is not None and cell.run.state is RunState.DIVERGED for cell in sweep.cells):
        return "Train it with {}.", write_command(sweep)
    least = min(cell.config.lr for cell in sweep.cells)
    rates = [rate for rate in LEARNING_RATES if rate < least] or [least / 10, least / 100]
    if "lr" in sweep.parameters:
        axes = tuple(Axis("lr", tuple(rates)) if axis.name == "lr" else axis for axis in sweep.axes)
        smaller = replace(sweep, axes=axes)
    else:
        smaller = replace(sweep, request=replace(sweep.request, lr=rates[0]))
    return "Every run diverged: train with smaller learning rates, with {}.", write_command(smaller)


def suggest_command(
    parameter: str,
    values: Sequence[Any],
    like: Sequence[Sweep],
    device: DeviceKind | None = None,
    *others: Axis,
) -> str:
    """The command that sweeps over a parameter, with the data, device, epochs, seeds and setting in use.

    These are those of the first sweep of ``like``, without one the defaults; ``device`` goes before its own.
    ``others`` are further axes.
    """
    request, repeated = Request(), []
    for sweep in like[:1]:
        request = replace(sweep.request, epochs=sweep.epochs)
        # The only axis that is no parameter is that of the seeds.
        repeated = [axis for axis in sweep.axes if axis.name not in sweep.parameters and parameter != "seed"]
    if device is not None:
        request = replace(request, device=device.value)
    return _write(request, [Axis(parameter, tuple(values)), *others, *repeated])


def _repeat(sweep: Sweep, seeds: int | None) -> list[Axis]:
    """The axis of so many seeds from the first one of a sweep; none without a number."""
    first = sweep.seeds[0]
    return [] if seeds is None else [Axis("seed", tuple(range(first, first + seeds)))]


def _write(request: Request, axes: Sequence[Axis]) -> str:
    """The command that requests a grid."""
    return shlex.join(["lenetcli", "sweep", *write_words(request, axes)])


def write_words(request: Request, axes: Sequence[Axis] = ()) -> list[str]:
    """The words that request a grid, or without axes a run; an option that has its default is left out."""
    words, seeds, names = [], 1, {"epochs"}
    for axis in axes:
        first, count = axis.values[0], len(axis.values)
        if axis.name == "seed" and len(axes) > 1 and axis.values == tuple(range(first, first + count)):
            request, seeds = replace(request, seed=first), count
        else:
            words += [axis.name.replace("_", "-"), *write_values(PARAMETERS[axis.name], axis.values)]
            names.add(axis.name)
    words += ["--epochs", str(request.epochs)] if request.epochs != Request().epochs else []
    words += ["--seeds", str(seeds)] if seeds > 1 else []
    for parameter in OPTIONS:
        value = getattr(request, parameter.name)
        if parameter.name not in names and value != parameter.default:
            words += [f"--{parameter.option}", name_value(value)]
    return words
