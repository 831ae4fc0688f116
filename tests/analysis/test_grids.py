"""What grids say as plain numbers: cells, panels of curves, and effects of a parameter."""

import statistics
from dataclasses import replace

import pytest
from helpers.grid_stores import EPOCHS, LARGE, MIDDLE, SMALL, grid_sweep, holed, make_curve
from helpers.made_up import BASE, rates_sweep

from lenetcli.analysis.curves import Metric, sweep_curves
from lenetcli.analysis.grids import grid_series
from lenetcli.analysis.panels import MOST_PANELS, curve_panels, effect_panels
from lenetcli.errors import NotFoundError, UsageError

ACCURACY = Metric.VAL_ACCURACY


def best(seeds=(0,), **values):
    return [max(make_curve(replace(BASE, seed=seed, **values))) for seed in seeds]


def read(series):
    return [dict(zip(series.HEADER, row, strict=True)) for row in series.rows()]


def marks(series):
    return {cell.mark for row in series.cells for cell in row}


def test_a_cell_is_the_mean_of_the_best_epochs_of_its_seeds():
    series = grid_series(grid_sweep(SMALL, 3), ACCURACY)
    assert (series.rows_axis.name, series.columns_axis.name) == ("lr", "filters")
    rows = read(series)
    assert [(row["lr"], row["filters"]) for row in rows] == [(0.1, 8), (0.1, 16), (0.01, 8), (0.01, 16)]
    for row in rows:
        numbers = best(range(3), lr=row["lr"], filters=row["filters"])
        assert row["mean"] == pytest.approx(statistics.fmean(numbers))
        assert (row["low"], row["high"], row["seeds"]) == (min(numbers), max(numbers), 3)
        assert len(row["runs"].split()) == 3


def test_a_cell_without_a_number_says_why():
    series = grid_series(holed(MIDDLE, 3), ACCURACY)
    rows = read(series)
    assert {(row["lr"], row["filters"]): row["missing"] for row in rows if row["mean"] is None} == {
        (1.0, 2): "diverged",
        (0.001, 32): "unfinished",
        (0.001, 64): "not begun",
    }
    (partial,) = (row for row in rows if row["diverged"] == 1)
    assert (partial["lr"], partial["filters"], partial["seeds"]) == (1.0, 4, 2)
    assert partial["mean"] == pytest.approx(statistics.fmean(best((1, 2), lr=1.0, filters=4)))


@pytest.mark.parametrize(
    ("metric", "choose"),
    [(ACCURACY, max), (Metric.ERROR, min), (Metric.VAL_LOSS, min), (Metric.TRAIN_LOSS, min)],
)
def test_the_best_epoch_is_the_highest_accuracy_and_the_lowest_of_the_others(metric, choose):
    sweep = grid_sweep(SMALL)
    expected = [choose(map(metric.of, cell.run.curve)) for cell in sweep.cells]
    assert [row["mean"] for row in read(grid_series(sweep, metric))] == pytest.approx(expected)


def test_runtimes_are_those_of_all_epochs_and_disturbed_ones_are_in_doubt():
    for contended in (False, True):
        sweep = grid_sweep(SMALL, 2, contended=contended)
        series = grid_series(sweep, Metric.RUNTIME)
        assert {cell.doubt for row in series.cells for cell in row} == {contended}
        assert any("in doubt" in note for note in series.notes) == contended
        expected = [
            statistics.fmean(run.typical_runtime for run in group.runs)
            for group in sweep.groups("lr", "filters")
        ]
        assert [row["mean"] for row in read(series)] == pytest.approx(expected)


def test_a_disturbed_runtime_does_not_count_beside_one_that_is_not():
    calm, busy = grid_sweep(SMALL, 2), grid_sweep(SMALL, 2, contended=True)
    cells = tuple(
        one if one.config.seed else replace(two, run=replace(two.run))
        for one, two in zip(calm.cells, busy.cells, strict=True)
    )
    series = grid_series(replace(calm, cells=cells), Metric.RUNTIME)
    assert [
        (row["seeds"], cell.doubt) for row, cell in zip(read(series), sum(series.cells, ()), strict=True)
    ] == [(1, False)] * 4


def test_finished_runs_without_times_are_no_runtimes():
    sweep = grid_sweep(SMALL)
    first, *others = sweep.cells
    untimed = replace(first, run=replace(first.run, attempts=()))
    assert marks(grid_series(replace(sweep, cells=(untimed, *others)), Metric.RUNTIME)) == {"", "not timed"}


def test_a_grid_has_two_axes_beside_the_seed():
    for sweep in (rates_sweep(seeds=2), grid_sweep(LARGE)):
        with pytest.raises(UsageError) as caught:
            grid_series(sweep, ACCURACY)
        assert f"`lenetcli plot lr --sweep {sweep.id[:8]}`" in caught.value.advice
    assert "lr, filters and batch-size" in caught.value.problem


@pytest.mark.parametrize("fate", ["not begun", "unfinished", "diverged"])
def test_nothing_to_draw_is_an_error_that_says_what_to_do(fate):
    points = [(lr, filters) for lr in SMALL["lr"] for filters in SMALL["filters"]]
    sweep = grid_sweep(SMALL, fates=dict.fromkeys(points, fate))
    for draw in (
        lambda: grid_series(sweep, ACCURACY),
        lambda: effect_panels(sweep, "filters", None, ACCURACY),
    ):
        with pytest.raises(NotFoundError) as caught:
            draw()
        command = f"lenetcli sweep lr 0.1 0.01 filters 8 16 --epochs {EPOCHS}"
        assert ("smaller" if fate == "diverged" else command) in caught.value.advice


def test_a_panel_of_curves_for_each_combination_of_the_other_axes_in_the_order_of_the_sweep():
    series = curve_panels(grid_sweep(LARGE), "lr", ACCURACY)
    assert [panel.title for panel in series.panels] == [
        f"{filters} filters, batch {batch}" for filters in (8, 16, 32) for batch in (32, 128)
    ]
    assert series.columns == 2
    assert series.labels == {"0.1": 0.1, "0.01": 0.01, "0.001": 0.001}
    for panel in series.panels:
        assert [curve.value for curve in panel.series.curves] == [0.1, 0.01, 0.001]
    row = read(series)[-1]
    config = replace(BASE, lr=0.001, filters=32, batch_size=128)
    assert (row["label"], row["filters"], row["batch_size"], row["epoch"]) == ("0.001", 32, 128, EPOCHS)
    assert row["mean"] == make_curve(config)[-1]


def test_curves_of_one_axis_are_those_of_the_sweep_without_panels():
    sweep = rates_sweep(seeds=2)
    assert curve_panels(sweep, "lr", ACCURACY) == sweep_curves(sweep)


def test_notes_of_panels_name_the_place_and_there_are_not_too_many():
    notes = curve_panels(holed(MIDDLE, 3), "lr", ACCURACY).whole.notes
    assert "left out, since it diverged: 1 with 4 filters (seed 0)" in notes
    assert "not yet trained: 0.001 with 64 filters" in notes
    fates = {(lr, filters, 0): "diverged" for lr in MIDDLE["lr"] for filters in MIDDLE["filters"]}
    notes = curve_panels(grid_sweep(MIDDLE, 2, fates), "lr", ACCURACY).whole.notes
    (note,) = notes
    assert note.startswith("left out, since it diverged: 1 with 2 filters (seed 0), ")
    assert note.endswith("1 with 32 filters (seed 0) and 19 more")


def test_an_effect_has_a_line_for_each_value_of_the_other_axis():
    series = effect_panels(grid_sweep(MIDDLE, 2), "filters", None, ACCURACY)
    (panel,) = series.panels
    assert list(series.labels) == ["1", "0.1", "0.01", "0.001"]
    for line in panel.series.lines:
        assert [value for value, _ in line.points] == [2, 4, 8, 16, 32, 64]
        for value, outcome in line.points:
            numbers = best((0, 1), lr=line.value, filters=value)
            assert (outcome.low, outcome.high) == (min(numbers), max(numbers))
    assert (series.whole.spread, series.whole.scale) == ("log", "logit")


def test_a_third_axis_divides_an_effect_and_by_chooses_the_lines():
    for by, label, title in ((None, "0.1", "batch 32"), ("batch_size", "32", "learning rate 0.1")):
        series = effect_panels(grid_sweep(LARGE), "filters", by, ACCURACY)
        first = series.panels[0]
        assert (first.series.lines[0].label, first.title) == (label, title)
        assert len(series.panels) * len(first.series.lines) == 6


def test_an_effect_of_one_axis_is_one_line_without_a_label():
    series = effect_panels(grid_sweep({"momentum": (0.9, 0.0, 0.5)}, 2), "momentum", None, ACCURACY)
    ((line,),) = (panel.series.lines for panel in series.panels)
    assert (line.label, [value for value, _ in line.points]) == ("", [0.0, 0.5, 0.9])
    assert series.whole.spread == "linear"


def test_more_panels_than_can_be_read_are_refused_with_what_helps():
    values = {"lr": (0.1, 0.01), "filters": tuple(range(1, MOST_PANELS + 2))}
    sweep = grid_sweep(values)
    with pytest.raises(UsageError, match=r"13 panels.*12 can be read.*--by filters"):
        curve_panels(sweep, "lr", ACCURACY)
    assert len(curve_panels(sweep, "filters", ACCURACY).panels) == 2
    wide = {"lr": tuple(10.0**-n for n in range(13)), "filters": tuple(range(1, 14))}
    with pytest.raises(UsageError, match=r"plot grid --sweep \w{8}.*--no-curves"):
        curve_panels(grid_sweep(wide), "lr", ACCURACY)
    assert effect_panels(grid_sweep(wide), "lr", None, ACCURACY).is_crowd
    with pytest.raises(UsageError, match="fewer values"):
        effect_panels(grid_sweep(wide | {"batch_size": tuple(range(16, 29))}), "lr", None, ACCURACY)
