"""Figures of grids, as pictures and in the terminal."""

import functools
import sys
from itertools import combinations

import pytest
from helpers.grid_stores import LARGE, MIDDLE, SMALL, grid_sweep, holed
from hypothesis import given
from hypothesis import strategies as st

from lenetcli.analysis.curves import Metric
from lenetcli.analysis.grids import grid_series
from lenetcli.analysis.panels import curve_panels, effect_panels
from lenetcli.output.figures.axes import choose_ticks, thin_labels
from lenetcli.output.figures.figure import draw, render
from lenetcli.output.figures.sheet import fixed_style
from lenetcli.output.figures.terminal import draw_terminal
from lenetcli.words import write_accuracy

ACCURACY = Metric.VAL_ACCURACY
FIGURES = {
    f"{name} {kind}": make
    for name, values in (("2 x 2", SMALL), ("4 x 6", MIDDLE), ("3 x 3 x 2", LARGE))
    for kind, make in {
        "grid": lambda values=values: grid_series(holed(values, 3), ACCURACY),
        "runtimes": lambda values=values: grid_series(holed(values, 3), Metric.RUNTIME),
        "curves": lambda values=values: curve_panels(holed(values, 3), "lr", ACCURACY),
        "curves by filters": lambda values=values: curve_panels(holed(values, 3), "filters", ACCURACY),
        "effect": lambda values=values: effect_panels(holed(values, 3), "filters", None, ACCURACY),
        "effect of one seed": lambda values=values: effect_panels(holed(values, 1), "lr", None, ACCURACY),
    }.items()
    if values is not LARGE or kind not in ("grid", "runtimes")
}
MANY = {"lr": tuple(count / 100 for count in range(1, 41)), "filters": tuple(range(8, 11))}
SEVERAL = {"lr": tuple(count / 1000 for count in range(1, 15)), "filters": tuple(range(1, 15))}
FIGURES |= {
    "40 curves": lambda: curve_panels(holed({"lr": MANY["lr"]}, 3), "lr", ACCURACY),
    "40 curves by 3 filters": lambda: curve_panels(holed(MANY, 1), "lr", ACCURACY),
    "effect of 40": lambda: effect_panels(holed(MANY, 3), "lr", None, ACCURACY),
    "40 x 3 grid": lambda: grid_series(holed(MANY, 3), ACCURACY),
    "3 x 40 grid": lambda: grid_series(holed(dict(reversed(MANY.items())), 1), Metric.RUNTIME),
    "14 effects": lambda: effect_panels(holed(SEVERAL, 1), "filters", None, ACCURACY),
}


def find_texts(figure):
    """All texts that are drawn, but for blank ones, with their boxes in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    with fixed_style():
        FigureCanvasAgg(figure).draw()
        texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
        return [
            (text.get_text(), text.get_window_extent())
            for text in texts
            if id(text) not in find_unseen(figure)
        ]


def find_unseen(figure):
    """The labels of ticks beyond the ends of their axis, which are never drawn."""
    axes = [axis for one in figure.axes for axis in (one.xaxis, one.yaxis)]
    ticks = [
        tick
        for axis in axes
        for tick in axis.get_major_ticks()
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    ]
    return {id(label) for tick in ticks for label in (tick.label1, tick.label2)}


@pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES)
def test_no_text_of_a_figure_runs_into_another_one_or_out_of_it(make):
    figure = draw(make())
    texts = find_texts(figure)
    width, height = figure.bbox.size
    for text, box in texts:
        assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1, text
    for (one, first), (two, second) in combinations(texts, 2):
        across = min(first.x1, second.x1) - max(first.x0, second.x0)
        up = min(first.y1, second.y1) - max(first.y0, second.y0)
        # The setting stands in the last line of the title, which is blank.
        is_setting = one.endswith("\n ") or two.endswith("\n ")
        assert is_setting or across <= 1 or up <= 1, (one, two)


@pytest.mark.parametrize("kind", ["pdf", "svg"])
@pytest.mark.parametrize("name", ["4 x 6 grid", "4 x 6 curves", "3 x 3 x 2 effect"])
def test_the_same_figure_has_the_same_bytes(name, kind):
    assert render(draw(FIGURES[name]()), kind) == render(draw(FIGURES[name]()), kind)


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_cell_shows_its_number_its_seeds_and_why_there_is_none(seeds):
    series = grid_series(holed(MIDDLE, seeds), ACCURACY)
    texts = [text for text, _ in find_texts(draw(series))]
    in_terminal = draw_terminal(series, 120)
    for cell in (cell for row in series.cells for cell in row):
        text = cell.mark or write_accuracy(cell.mean)
        assert any(shown.split("\n")[0] == text for shown in texts)
        assert text in in_terminal
    for shown in ("n = 3", "n = 2 of 3\n1 diverged"):
        assert any(text.endswith(shown) for text in texts) == (seeds == 3)
        assert all(line in in_terminal for line in shown.split("\n")) == (seeds == 3)
    assert "Best validation accuracy by learning rate and filters: drawn" in in_terminal


def test_a_runtime_in_doubt_is_marked_in_its_cell():
    series = grid_series(grid_sweep(SMALL, contended=True), Metric.RUNTIME)
    texts = [text for text, _ in find_texts(draw(series))]
    assert sum(text.endswith(" s*") for text in texts) == 4
    assert "11.1 s*" in draw_terminal(series, 80)


def test_a_grid_without_differences_is_drawn():
    for metric in (ACCURACY, Metric.RUNTIME):
        series = grid_series(grid_sweep({"lr": (0.1,), "filters": (8,)}), metric)
        assert render(draw(series), "png")
        assert "█" in draw_terminal(series, 40)


def test_cells_too_many_for_texts_have_colours_alone():
    series = grid_series(grid_sweep({"lr": (0.1, 0.01), "filters": tuple(range(1, 20))}), ACCURACY)
    texts = [text for text, _ in find_texts(draw(series))]
    assert not any(write_accuracy(cell.mean) in texts for row in series.cells for cell in row)
    assert any("grey: no finished run" in text for text in texts)


def test_the_best_of_many_cells_is_framed_and_named():
    series = grid_series(grid_sweep(MANY), ACCURACY)
    figure = draw(series)
    row, column = series.best
    best = ["0.4", "10 filters"]
    assert (row, column) == (39, 2)
    frames = [(patch.get_x(), patch.get_y()) for patch in figure.axes[0].patches]
    assert set(frames) == {(1.5, 38.5)}
    name = f"best: {write_accuracy(series.cells[row][column].mean)}, with learning rate {' and '.join(best)}"
    assert any(f"framed: the {name}" in text for text, _ in find_texts(figure))
    assert name in draw_terminal(series, 80)
    assert figure.get_figheight() <= 9
    losses = grid_series(grid_sweep(MANY), Metric.VAL_LOSS)
    assert losses.best == series.best


@functools.cache
def wide_grid():
    rates, filters = tuple(count / 100 for count in range(1, 81)), tuple(range(1, 61))
    return grid_series(grid_sweep({"lr": rates, "filters": filters}), ACCURACY)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_many_cells_are_one_table_of_shades_in_the_terminal(width):
    lines = draw_terminal(wide_grid(), width).splitlines()
    assert max(map(len, lines)) <= width
    table = [line for line in lines if line.endswith(("░", "▒", "▓", "█"))]
    assert len(table) == 40
    assert [line.split("│")[0].strip() for line in table[:2]] == ["0.01", "0.03"]
    # Accuracies grow with rate and filters, so that no shade is darker than one below or to the right.
    marks = [["░▒▓█".index(mark) for mark in line.split("│")[1]] for line in table]
    assert all(row == sorted(row) for row in [*marks, *map(list, zip(*marks, strict=True))])


def test_panels_share_their_axes_and_name_their_values():
    figure = draw(curve_panels(holed(LARGE, 3), "lr", ACCURACY))
    assert [axes.get_title() or axes.get_title("left") for axes in figure.axes] == [
        f"{filters} filters, batch {batch}" for filters in (8, 16, 32) for batch in (32, 128)
    ]
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in figure.axes}) == 1
    (legend,) = figure.legends
    assert legend.get_title().get_text() == "learning rate"
    assert [text.get_text() for text in legend.get_texts()] == ["0.1", "0.01", "0.001"]
    for axes in figure.axes:
        by_label = dict(zip(("0.1", "0.01", "0.001"), legend.get_lines(), strict=True))
        colours = {
            line.get_color() if isinstance(line.get_color(), str) else tuple(line.get_color())
            for line in axes.lines
        }
        assert colours <= {tuple(line.get_color()) for line in by_label.values()} | {"#b00020"}


def test_a_panel_without_a_curve_says_so():
    fates = {(lr, 8): "not begun" for lr in SMALL["lr"]}
    figure = draw(curve_panels(grid_sweep(SMALL, fates=fates), "lr", ACCURACY))
    assert [bool(axes.texts) for axes in figure.axes] == [True, False]
    assert figure.axes[0].texts[0].get_text() == "no finished epoch"


def test_the_cross_of_a_diverged_value_is_below_all_lines():
    figure = draw(effect_panels(holed(MIDDLE, 3), "filters", None, ACCURACY))
    (axes,) = figure.axes
    (cross,) = (line for line in axes.lines if line.get_marker() == "x")
    assert list(cross.get_xdata()) == [2]
    heights = [
        axes.transAxes.inverted().transform(axes.transData.transform((x, y)))[1]
        for line in axes.lines
        if line is not cross
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    ]
    assert cross.get_ydata()[0] < min(height for height in heights if height == height)


@pytest.mark.parametrize(("log", "scales"), [(None, ("log", "logit")), (False, ("linear", "linear"))])
def test_the_axes_of_an_effect_follow_parameter_and_metric(log, scales):
    (axes,) = draw(effect_panels(grid_sweep(MIDDLE), "filters", None, ACCURACY), log=log).axes
    assert (axes.get_xscale(), axes.get_yscale()) == scales
    assert [int(tick) for tick in axes.get_xticks()] == [2, 4, 8, 16, 32, 64]


def test_the_colours_of_many_curves_are_those_of_a_bar():
    figure = draw(curve_panels(grid_sweep({"lr": MANY["lr"]}), "lr", ACCURACY))
    axes, bar = figure.axes
    assert bar.get_ylabel() == "learning rate (logarithmic)"
    assert [text.get_text() for text in axes.texts if " (" in text.get_text()] == [
        "0.4 (best)",
        "0.2 (median)",
        "0.01 (worst)",
    ]
    (thin,) = axes.collections
    assert len(thin.get_segments()) == 37
    darkness = [-sum(colour[:3]) for colour in thin.get_colors()]
    assert darkness == sorted(darkness)
    assert not figure.legends


def test_panels_of_many_curves_name_the_best_of_each():
    figure = draw(curve_panels(grid_sweep(MANY), "lr", ACCURACY))
    titles = [axes.get_title() or axes.get_title("left") for axes in figure.axes]
    assert titles == [f"{filters} filters: best 0.4" for filters in (8, 9, 10)] + [""]


def test_an_axis_of_many_values_has_round_ticks():
    assert choose_ticks([count / 100 for count in range(1, 41)], "log") == [0.01, 0.02, 0.05, 0.1, 0.2]
    assert choose_ticks([*range(3, 25)], "linear") == [5, 10, 15, 20]
    assert choose_ticks([1.0, 7.0], "log") == [1.0, 7.0]


@given(
    st.lists(st.floats(0.001, 1000), min_size=2, max_size=40, unique=True), st.sampled_from(["log", "linear"])
)
def test_ticks_lie_between_the_values(values, kind):
    ticks = choose_ticks(sorted(values), kind)
    assert 2 <= len(ticks) <= 40 and ticks == sorted(set(ticks))
    assert min(values) <= ticks[0] and ticks[-1] <= max(values)


def test_a_label_that_would_run_into_the_one_before_is_left_out():
    assert thin_labels(["0.1", "0.2", "0.3"], [0.0, 1.0, 10.0], 1) == ["0.1", "", "0.3"]
    assert thin_labels(["1", "2"], [0.0, 5.0], 1) == ["1", "2"]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES)
def test_the_terminal_keeps_its_width_and_ascii(make, width):
    lines = draw_terminal(make(), width, 28, ascii_only=True).splitlines()
    assert max(map(len, lines)) <= width
    assert all(line.isascii() for line in lines)
    assert "?" not in "".join(lines)


def test_a_grid_wider_than_the_terminal_is_several_tables_with_all_cells():
    series = grid_series(grid_sweep(MIDDLE), ACCURACY)
    text = draw_terminal(series, 40)
    assert max(map(len, text.splitlines())) <= 40
    assert all(write_accuracy(cell.mean) in text for row in series.cells for cell in row)


def test_a_grid_in_the_terminal_needs_no_plotext(monkeypatch):
    monkeypatch.setitem(sys.modules, "plotext", None)
    assert "0.9376" in draw_terminal(grid_series(grid_sweep(SMALL), ACCURACY))
