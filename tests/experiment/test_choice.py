"""The sweep that is meant where none is named."""

import itertools
from dataclasses import replace

from helpers.made_up import (
    CPU_SECONDS,
    RATES,
    both_sweeps,
    filters_sweep,
    make_cell,
    make_sweep,
    rates_sweep,
)
from helpers.report_grids import EPOCHS, grid_sweep

from lenetcli.experiment.choice import choose_sweeps
from lenetcli.experiment.config import DeviceKind

GOOD = rates_sweep()
BEGUN = make_sweep("lr", 10, [make_cell("lr", rate, None) for rate in (0.5, 0.05)])
ONE_VALUE = make_sweep("lr", 10, [make_cell("lr", 0.2, RATES[0.1])])


def test_the_newest_with_an_epoch_and_two_values_is_meant_and_newer_ones_are_named():
    choice = choose_sweeps([ONE_VALUE, filters_sweep(DeviceKind.CPU, CPU_SECONDS), BEGUN, GOOD], "lr")
    assert choice.sweeps == (GOOD,)
    one, begun = ONE_VALUE.id[:8], BEGUN.id[:8]
    assert choice.notes == (
        "Passed over, with one value only, 0.2: "
        f"the newer sweep {one} over lr. Choose it with --sweep {one}.",
        "Passed over, with no finished epoch: "
        f"the newer sweep {begun} over lr. Choose it with --sweep {begun}.",
    )


def test_nothing_is_said_of_older_sweeps():
    assert choose_sweeps([GOOD, ONE_VALUE, BEGUN], "lr").notes == ()


def test_where_none_compares_values_it_is_the_newest_with_an_epoch_else_the_newest():
    assert choose_sweeps([BEGUN, ONE_VALUE], "lr").sweeps == (ONE_VALUE,)
    assert choose_sweeps([BEGUN], "lr").sweeps == (BEGUN,)
    assert choose_sweeps([], "lr").sweeps == choose_sweeps([GOOD], "seed").sweeps == ()


def test_many_that_were_passed_over_are_counted():
    sweeps = [make_sweep("lr", 10, [make_cell("lr", rate / 100, RATES[0.1])]) for rate in range(1, 6)]
    notes = choose_sweeps([*sweeps, GOOD], "lr").notes
    assert len(notes) == 4
    assert notes[-1] == "Passed over as well: 2 more, which sweeps list shows."


def test_runtimes_are_those_of_the_newest_timed_sweep_of_each_kind_of_device():
    old, gpu = both_sweeps()
    planned = make_sweep("filters", 5, [make_cell("filters", size, None) for size in (8, 16)])
    newer = filters_sweep(DeviceKind.CPU, {8: 2.0, 16: 4.0})
    one = filters_sweep(DeviceKind.GPU, {8: 2.0})

    def choose(*sweeps):
        return choose_sweeps(sweeps, "filters", timed=True)

    assert choose(planned, rates_sweep(), newer, gpu, old).sweeps == (newer, gpu)
    assert choose(gpu, planned).sweeps == (gpu,)
    assert choose(one, gpu, newer).sweeps == (newer, gpu)  # the CPU first
    passed = choose(one, planned, gpu, newer).notes
    assert [note.split()[-1] for note in passed] == [f"{planned.id[:8]}.", f"{one.id[:8]}."]
    assert choose().sweeps == ()


# Grids

AXES = {"lr": (0.1, 0.01), "filters": (8, 16)}
FINALS = dict.fromkeys(itertools.product(*AXES.values()), 0.95)
GRID = grid_sweep(AXES, FINALS, seeds=2)


def test_a_grid_is_over_each_of_its_parameters():
    assert choose_sweeps([GRID], "lr").sweeps == choose_sweeps([GRID], "filters").sweeps == (GRID,)
    assert choose_sweeps([GRID], "seed").sweeps == ()


def test_alone_a_grid_counts_as_its_row_at_the_defaults_and_that_is_said():
    (row,) = choose_sweeps([GRID], "filters", alone=True).sweeps
    assert {cell.config.lr for cell in row.cells} == {0.1}
    assert (row.parameters, row.values, row.seeds, row.grid) == (("filters",), (8, 16), (0, 1), GRID)
    choice = choose_sweeps([GRID], "lr", alone=True)
    assert choice.notes == (f"The sweep over lr is a row of the grid {GRID.id[:8]}, with filters 16.",)
    assert choose_sweeps([GRID], "filters", timed=True).sweeps == (row,)


def test_a_grid_without_the_row_is_passed_over_in_silence():
    wide = grid_sweep(AXES | {"filters": (32, 64)}, {}, seeds=2)
    assert choose_sweeps([wide], "lr", alone=True).sweeps == ()
    begun = grid_sweep(AXES, {})
    choice = choose_sweeps([wide, begun, GOOD], "lr", alone=True)
    assert (choice.sweeps, choice.notes) == ((GOOD,), ())


def test_the_fullest_row_serves_and_never_before_a_fuller_or_newer_sweep():
    older = grid_sweep({"lr": (0.1, 0.01, 0.001), "filters": (16,)}, {}, epochs=EPOCHS)
    assert choose_sweeps([GRID, GOOD], "lr", alone=True).sweeps == (GOOD,)
    small = rates_sweep({0.1: [0.9], 0.01: [0.8]})
    assert choose_sweeps([small, GRID], "lr", alone=True).sweeps == (small,)
    fuller = grid_sweep(AXES | {"lr": (0.1, 0.01, 0.001)}, dict.fromkeys(FINALS, 0.9), seeds=3)
    for order in ([GRID, fuller, small, older], [fuller, GRID, small], [older, GRID, fuller]):
        (row,) = choose_sweeps(order, "lr", alone=True).sweeps
        assert row.grid is fuller


def test_a_row_that_was_recorded_by_itself_is_that_sweep():
    row = GRID.slice("lr")
    recorded = replace(row, grid=None)
    assert row.id == recorded.id
    assert choose_sweeps([GRID, recorded], "lr", alone=True).sweeps == (recorded,)
