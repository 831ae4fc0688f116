"""Sweeps as grids: identity, groups, the command that requests one."""

import itertools
import shlex
from dataclasses import replace

import pytest
from helpers.made_up import BASE, NOW, make_run
from hypothesis import given
from hypothesis import strategies as st

from lenetcli.experiment.config import Request
from lenetcli.experiment.run import RunState
from lenetcli.experiment.sweep import Axis, Cell, Sweep, write_command

VALUES = {"lr": (0.1, 0.01, 0.001), "filters": (8, 16, 32), "seed": (0, 1, 2), "batch_size": (32, 64)}


def make_grid(*axes, runs=None, epochs=2):
    points = itertools.product(*(axis.values for axis in axes))
    configs = [
        replace(BASE, **dict(zip((axis.name for axis in axes), point, strict=True))) for point in points
    ]
    return Sweep(
        axes=axes,
        epochs=epochs,
        dataset_name="mnist",
        cells=tuple(Cell(config=config, run=(runs or {}).get(config.key)) for config in configs),
        request=Request(epochs=epochs),
        created_at=NOW,
        last_requested=NOW,
    )


@st.composite
def grids(draw):
    """The axes of a grid, and the same in another order of axes and values."""
    names = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=3, unique=True))
    axes = [
        Axis(name, tuple(draw(st.lists(st.sampled_from(VALUES[name]), min_size=1, unique=True))))
        for name in names
    ]
    turned = [Axis(axis.name, tuple(draw(st.permutations(axis.values)))) for axis in axes]
    return axes, draw(st.permutations(turned))


@given(grids())
def test_the_order_of_axes_and_values_does_not_change_the_id(pair):
    axes, turned = pair
    assert make_grid(*axes).id == make_grid(*turned).id


@given(grids())
def test_groups_are_a_partition_of_the_cells(pair):
    sweep = make_grid(*pair[0])
    for names in [(), *((axis.name,) for axis in sweep.axes)]:
        groups = sweep.groups(*names)
        assert sorted(id(cell) for group in groups for cell in group.cells) == sorted(map(id, sweep.cells))
        for group in groups:
            assert set(group.point) == set(names or sweep.parameters)
            for cell in group.cells:
                assert all(getattr(cell.config, name) == value for name, value in group.point.items())


def test_a_value_counts_once():
    assert Axis("lr", (0.1, 0.01, 1e-1)) == Axis("lr", (0.1, 0.01))


def test_the_seed_is_a_repetition_unless_it_is_the_only_axis():
    rates, seeds = Axis("lr", (0.1, 0.01)), Axis("seed", (0, 1))
    sweep = make_grid(rates, seeds)
    assert (sweep.parameters, sweep.seeds, len(sweep.groups())) == (("lr",), (0, 1), 2)
    alone = make_grid(seeds)
    assert (alone.parameters, alone.values, len(alone.groups())) == (("seed",), (0, 1), 2)
    # The same cells, compared by rate or by seed, are two sweeps.
    assert make_grid(Axis("lr", (0.1,)), seeds).id != make_grid(Axis("seed", (0, 1))).id


def test_grids_of_other_parameters_or_epochs_are_other_sweeps():
    rates, filters = Axis("lr", (0.1,)), Axis("filters", (16,))
    ids = {
        make_grid(rates).id,
        make_grid(filters).id,
        make_grid(rates, filters).id,
        make_grid(rates, epochs=3).id,
    }
    assert len(ids) == 4


def test_a_group_tells_whole_runs_from_diverged_and_unfinished_ones():
    seeds = [replace(BASE, lr=0.1, seed=seed) for seed in range(4)]
    runs = {
        seeds[0].key: make_run(seeds[0], [0.5, 0.6]),
        seeds[1].key: make_run(seeds[1], [0.5, 0.6], state=RunState.DIVERGED),
        seeds[2].key: make_run(seeds[2], [0.5], state=RunState.INTERRUPTED),
    }
    (group,) = make_grid(Axis("lr", (0.1,)), Axis("seed", (0, 1, 2, 3)), runs=runs).groups()
    assert [run.config.seed for run in group.runs] == [0, 1, 2]
    assert [run.config.seed for run in group.whole] == [0]
    assert [run.config.seed for run in group.diverged] == [1]
    assert (group.name, len(group.cells)) == ("0.1", 4)


@pytest.mark.parametrize(
    ("axes", "request_", "command"),
    [
        ([Axis("lr", (0.1, 1e-4))], Request(), "lenetcli sweep lr 0.1 0.0001"),
        ([Axis("seed", (3, 4))], Request(seed=3), "lenetcli sweep seed 3 4"),
        (
            [Axis("batch_size", (32,)), Axis("seed", (0, 1))],
            Request(epochs=3, device="cpu", data="a b"),
            "lenetcli sweep batch-size 32 --epochs 3 --seeds 2 --device cpu --data 'a b'",
        ),
        (
            [Axis("lr", (0.1,)), Axis("seed", (5, 6))],
            Request(seed=5),
            "lenetcli sweep lr 0.1 --seeds 2 --seed 5",
        ),
    ],
)
def test_the_command_of_a_sweep(axes, request_, command):
    sweep = replace(make_grid(*axes, epochs=request_.epochs), request=request_)
    assert write_command(sweep) == command
    assert shlex.split(command)[0] == "lenetcli"


def test_the_row_of_a_grid_has_the_cells_at_the_defaults_of_the_others():
    grid = make_grid(Axis("lr", (0.1, 0.01)), Axis("filters", (8, 16)), Axis("seed", (0, 1)))
    grid = replace(grid, request=Request(epochs=2, filters=8))
    row = grid.slice("lr")
    assert row.cells == tuple(cell for cell in grid.cells if cell.config.filters == 16)
    assert (row.parameters, row.row, row.grid) == (("lr",), {"filters": 16}, grid)
    alone = make_grid(Axis("lr", (0.1, 0.01)), Axis("seed", (0, 1)))
    assert row.id == alone.id
    assert write_command(row) == "lenetcli sweep lr 0.1 0.01 --epochs 2 --seeds 2"
    assert alone.slice("lr") is alone
    assert (alone.slice("filters"), grid.slice("seed"), alone.row) == (None, None, {})


def test_a_grid_without_the_defaults_has_no_row():
    grid = make_grid(Axis("lr", (0.1, 0.01)), Axis("filters", (8, 32)))
    assert grid.slice("lr") is None
    assert grid.slice("filters").values == (8, 32)
