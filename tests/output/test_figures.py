"""Figures, as files and in the terminal."""

import csv
import os
import re
import subprocess
import sys
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

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

from lenetcli.analysis.crowds import CROWD
from lenetcli.analysis.curves import Metric, sweep_curves
from lenetcli.analysis.panels import effect_panels
from lenetcli.analysis.runtimes import runtime_series
from lenetcli.errors import UsageError
from lenetcli.experiment.config import DeviceKind
from lenetcli.experiment.run import RunState
from lenetcli.files import check_output, write_output
from lenetcli.output.figures.figure import ENDINGS, draw, render, save
from lenetcli.output.figures.terminal import CROSS, draw_terminal
from lenetcli.output.figures.terminal_marks import MARKS
from lenetcli.output.records import write_csv

MAGIC = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


def read_texts(figure):
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text) if text.get_text() and text.get_visible()]


@pytest.mark.parametrize("ending", MAGIC)
def test_the_ending_says_the_format_and_the_bytes_are_the_same_again(tmp_path, ending):
    paths = [tmp_path / f"Zürich #1 50% ${n}{ending}" for n in range(2)]
    for path in paths:
        save(draw(sweep_curves(rates_sweep(seeds=2))), path)
    first, second = (path.read_bytes() for path in paths)
    assert first.startswith(MAGIC[ending])
    assert first == second


def test_another_ending_is_an_error_that_lists_the_three():
    with pytest.raises(UsageError) as caught:
        check_output(Path("figure.jpg"), ENDINGS)
    assert all(name in caught.value.advice for name in (".png", ".svg", ".pdf"))
    assert caught.value.exit_code == 2


def test_a_place_that_takes_no_file_is_found_before_any_work(tmp_path):
    for path in (tmp_path / "no folder" / "a.png", tmp_path):
        with pytest.raises(UsageError, match="cannot be written"):
            check_output(path, () if path == tmp_path else (".png",))


def test_checking_leaves_everything_as_it_was(tmp_path):
    old, new = tmp_path / "old.png", tmp_path / "new.png"
    old.write_bytes(b"precious")
    check_output(old, ENDINGS)
    check_output(new, ENDINGS)
    assert old.read_bytes() == b"precious"
    assert not new.exists()


def test_links_are_followed_and_kept(tmp_path):
    target, link = tmp_path / "target.png", tmp_path / "link.png"
    link.symlink_to(target)
    check_output(link, ENDINGS)
    assert link.is_symlink()
    assert not target.exists()
    assert write_output(link, b"figure") == f"Wrote {link}"
    assert link.is_symlink()
    assert target.read_bytes() == b"figure"


def test_writing_replaces_the_whole_file_and_leaves_no_other(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"old and longer")
    assert write_output(path, b"new") == f"Wrote {path}, in place of the file that was there"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


DRAW = """
import sys
from pathlib import Path
from helpers.made_up import both_sweeps, rates_sweep
from lenetcli.analysis.curves import sweep_curves
from lenetcli.analysis.runtimes import runtime_series
from lenetcli.output.figures.figure import draw, save
save(draw(sweep_curves(rates_sweep())), Path(sys.argv[1]) / "lr.svg")
save(draw(runtime_series(both_sweeps())), Path(sys.argv[1]) / "runtime.png")
assert not {"matplotlib.pyplot", "tensorflow", "typst"} & set(sys.modules)
"""


def test_neither_backend_nor_matplotlibrc_changes_a_figure(tmp_path):
    plain, odd = tmp_path / "plain", tmp_path / "odd"
    plain.mkdir()
    odd.mkdir()
    (odd / "matplotlibrc").write_text(
        "axes.facecolor: red\ntext.usetex: True\nfont.family: serif\nsvg.fonttype: none\n"
        "savefig.dpi: 37\nbackend: nbagg\nfigure.constrained_layout.use: True\n"
    )
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), str(root / "tests")])
    for folder, backend in ((plain, "agg"), (odd, "module://matplotlib_inline.backend_inline")):
        environment = os.environ | {"MPLBACKEND": backend, "PYTHONPATH": path}
        subprocess.run([sys.executable, "-c", DRAW, str(folder)], check=True, cwd=folder, env=environment)
    for name in ("lr.svg", "runtime.png"):
        assert (plain / name).read_bytes() == (odd / name).read_bytes()


def test_names_from_users_are_text_and_none_is_hidden():
    name = "_x$y$ Zürich кот"
    series = sweep_curves(make_sweep("lr", 10, [make_cell("lr", 0.1, RATES[0.1], dataset=name)]))
    curves = tuple(replace(series.curves[0], label=f"_label$ {n}") for n in range(12))
    figure = draw(replace(series, curves=curves))
    texts = read_texts(figure)
    assert f"Validation accuracy by learning rate: {name}" in texts
    assert [text for text in texts if text.startswith("_label")] == [f"_label$ {n}" for n in range(12)]
    assert render(figure, "png").startswith(MAGIC[".png"])


def test_a_broken_formula_in_a_device_name_breaks_no_figure():
    sweep = filters_sweep(DeviceKind.CPU, CPU_SECONDS, device_name="_CPU $\\frac{1$ _x_")
    figure = draw(runtime_series([sweep]))
    assert "CPU (_CPU $\\frac{1$ _x_)" in read_texts(figure)
    assert render(figure, "pdf").startswith(MAGIC[".pdf"])


def test_a_recipe_beside_others_stands_under_the_title():
    for recipes, setting in (((), "16 filters, batch 64"), ((1, 2), "16 filters, batch 64, recipe 2")):
        series = sweep_curves(rates_sweep(base=replace(BASE, recipe=2)), recipes=recipes)
        assert setting in read_texts(draw(series))
        assert draw_terminal(series, 120).splitlines()[0].endswith(f"drawn, {setting}")


def test_labels_of_curves_that_end_together_do_not_overlap():
    from matplotlib.text import Text

    cells = [make_cell("batch_size", 2**n, RATES[0.1]) for n in range(10)]
    figure = draw(sweep_curves(make_sweep("batch_size", 10, cells)))
    names = {str(2**n) for n in range(10)}
    texts = [text for text in figure.findobj(Text) if text.get_text() in names and hasattr(text, "xyann")]
    boxes = sorted((Text.get_window_extent(text) for text in texts), key=lambda box: box.y0)
    assert len(boxes) == 10
    assert all(lower.y1 <= upper.y0 + 1 for lower, upper in pairwise(boxes))
    assert all(box.y0 >= 0 and box.x1 <= figure.bbox.width + 1 for box in boxes)


def test_a_diverged_run_is_marked():
    cells = [
        make_cell("lr", 0.1, RATES[0.1]),
        make_cell("lr", 10.0, (0.2, 0.1), state=RunState.DIVERGED),
    ]
    figure = draw(sweep_curves(make_sweep("lr", 10, cells)))
    assert "10: diverged in epoch 3" in read_texts(figure)
    assert "x" in [line.get_marker() for line in figure.axes[0].lines]


@pytest.mark.parametrize(
    ("metric", "log", "scale"),
    [
        (Metric.VAL_ACCURACY, None, "logit"),
        (Metric.VAL_ACCURACY, False, "linear"),
        (Metric.ERROR, None, "log"),
        (Metric.VAL_LOSS, True, "log"),
    ],
)
def test_the_axis_shows_differences_where_they_are(metric, log, scale):
    figure = draw(sweep_curves(rates_sweep(), metric), log=log)
    assert figure.axes[0].get_yscale() == scale


def test_perfect_accuracy_is_drawn_where_it_is():
    figure = draw(sweep_curves(rates_sweep({0.1: [0.9, 1.0]})))
    assert figure.axes[0].get_yscale() == "linear"
    assert figure.axes[0].get_ylim()[1] >= 1


@pytest.mark.parametrize("accuracies", [(1.0, 1.0), (0.0, 0.0), (0.0, 1.0)])
def test_no_tick_is_an_accuracy_that_there_cannot_be(accuracies):
    sweep = rates_sweep({0.1: accuracies, 0.01: accuracies})
    for series in (sweep_curves(sweep), effect_panels(sweep, "lr", None, Metric.VAL_ACCURACY)):
        axes = draw(series).axes[0]
        ticks = axes.get_yticks()
        assert len(ticks) and all(-1e-9 < tick < 1 + 1e-9 for tick in ticks)
        low, high = axes.get_ylim()
        assert low < max(accuracies) < high


def test_every_point_carries_its_filters_and_doubtful_ones_are_hollow():
    clean, gpu = both_sweeps()
    busy = filters_sweep(DeviceKind.CPU, CPU_SECONDS, contended=True)
    texts = read_texts(draw(runtime_series([clean, gpu])))
    assert all(texts.count(str(filters)) == 2 for filters in CPU_SECONDS)
    figure = draw(runtime_series([busy]))
    assert "white" in [line.get_markerfacecolor() for line in figure.axes[0].lines]
    assert any("others used the machine" in text for text in read_texts(figure))


def test_of_many_sizes_some_are_labelled_and_no_two_labels_overlap():
    from matplotlib.text import Text

    seconds = {size: 2 + size**2 / 400 for size in range(1, 201)}
    series = runtime_series([filters_sweep(kind, seconds) for kind in DeviceKind])
    axes = draw(series).axes[0]
    assert len(axes.containers) == 2
    boxes = [Text.get_window_extent(text) for text in axes.texts if text.get_text().isdigit()]
    assert 10 < len(boxes) < 60
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    texts = [text.get_text() for text in axes.texts]
    assert texts.count("1") == texts.count("200") == 2
    busy = runtime_series([filters_sweep(DeviceKind.CPU, seconds, contended=True)])
    assert busy.notes == (
        "hollow, in no fit or comparison: others used the machine (1 to 200 filters, CPU (AMD EPYC 9654))",
    )


def test_a_legend_of_many_devices_has_at_most_half_of_the_sheet():
    sweeps = [filters_sweep(DeviceKind.CPU, CPU_SECONDS, device_name=f"Number {n}") for n in range(30)]
    for size in (None, (6.69, 2.2)):
        figure = draw(runtime_series(sweeps), size=size)
        legend = figure.axes[0].get_legend()
        texts = [text.get_text() for text in legend.get_texts()]
        assert texts[-1] == f"and {30 - len(texts) + 1} more"
        assert texts[:-1] == [f"CPU (Number {n})" for n in range(len(texts) - 1)]
        assert legend.get_window_extent().height < 0.55 * figure.bbox.height


@pytest.mark.parametrize(("log", "scale"), [(None, "log"), (True, "log"), (False, "linear")])
def test_the_axes_of_runtimes_are_logarithmic_by_choice_or_where_the_range_is_wide(log, scale):
    axes = draw(runtime_series(both_sweeps()), log=log).axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == (scale, scale)


def test_the_plotted_numbers_as_csv(tmp_path):
    series = sweep_curves(rates_sweep())
    write_csv(series, tmp_path / "lr.csv")
    with (tmp_path / "lr.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 40
    assert [float(row["mean"]) for row in rows if row["label"] == "0.1"] == list(RATES[0.1])
    write_csv(runtime_series(both_sweeps()), tmp_path / "runtime.csv")
    with (tmp_path / "runtime.csv").open() as file:
        assert [row["filters"] for row in csv.DictReader(file) if row["device"] == "cpu"] == [
            "8",
            "16",
            "32",
            "64",
        ]


def test_no_two_of_many_curves_or_devices_look_the_same():
    cells = [make_cell("lr", count / 1000, (0.5, 0.6)) for count in range(1, CROWD)]
    lines = draw(sweep_curves(make_sweep("lr", 2, cells))).axes[0].lines
    styles = {(line.get_marker(), str(line._unscaled_dash_pattern)) for line in lines}
    assert len(styles) == len(lines) == CROWD - 1
    assert len(set(MARKS) - {CROSS}) == len(MARKS) > CROWD
    for kind, seconds in ((DeviceKind.CPU, CPU_SECONDS), (DeviceKind.GPU, GPU_SECONDS)):
        sweeps = [filters_sweep(kind, seconds, device_name=f"Number {count}") for count in range(20)]
        handles = draw(runtime_series(sweeps)).axes[0].get_legend().get_lines()
        assert len({(line.get_color(), line.get_marker()) for line in handles}) == 20


@pytest.mark.parametrize(
    ("log", "names"),
    [
        (None, {"validation accuracy\n(log-odds axis)", "training time of 5 epochs / s\n(logarithmic)"}),
        (False, {"validation accuracy", "training time of 5 epochs / s"}),
    ],
)
def test_an_axis_that_is_not_linear_says_so(log, names):
    drawn = (sweep_curves(rates_sweep()), runtime_series(both_sweeps()))
    assert {draw(series, log=log).axes[0].get_ylabel() for series in drawn} == names
    texts = [draw_terminal(series, log=log) for series in drawn]
    assert ["(log-odds axis)" in text or "parameters (logarithmic)" in text for text in texts] == [
        log is None
    ] * 2


def test_the_terminal_keeps_what_a_picture_marks():
    cells = [make_cell("lr", rate, RATES[0.1], seed=seed) for rate in (0.1, 0.01) for seed in (0, 1)]
    cells += [make_cell("lr", 3.0, (0.5, 0.4), seed=seed, state=RunState.DIVERGED) for seed in (0, 1)]
    series = sweep_curves(make_sweep("lr", 10, cells))
    text = draw_terminal(series, 100)
    assert "o 3: diverged with 2 seeds" in text and "X" in text.split("3: diverged")[1]
    assert text.splitlines()[-3:] == [*series.notes, "in the terminal there are no bands"]
    busy = runtime_series([filters_sweep(DeviceKind.CPU, CPU_SECONDS, contended=True)])
    text = draw_terminal(busy, 120)
    assert all(f"*{filters}?" in text for filters in CPU_SECONDS)
    assert text.splitlines()[-2:] == [
        *busy.notes,
        "in the terminal ? marks the hollow points, and there are no bars",
    ]


@pytest.mark.parametrize(("width", "count"), [(40, 13), (80, 200), (120, 1000)])
def test_of_many_curves_three_have_names_in_the_terminal(width, count):
    curves = {n / 1000: (0.1 + 0.7 * n / count, 0.1 + 0.8 * n / count) for n in range(1, count + 1)}
    lines = draw_terminal(sweep_curves(rates_sweep(curves)), width).splitlines()
    text = " ".join(lines)
    legend = [f"* {count / 1000:g} (best)", "(median)", "o 0.001 (worst)", f"· the {count - 3:,} others"]
    assert all(part in text for part in legend)
    assert "thin" not in text
    drawn = [line for line in lines if "│" in line]
    assert len(drawn) > 15 and max(map(len, lines)) <= width
    assert all(any(mark in line for line in drawn) for mark in "*+o·")


@pytest.mark.parametrize("width", [60, 100])
def test_of_many_sizes_some_are_labelled_in_the_terminal(width):
    seconds = {size: 2 + size**2 / 400 for size in range(1, 201)}
    text = draw_terminal(runtime_series([filters_sweep(DeviceKind.CPU, seconds, contended=True)]), width)
    drawn = "".join(line for line in text.splitlines() if "│" in line)
    labels = re.findall(r"\*(\d+)\?", drawn)
    assert {"1", "200"} <= set(labels) and 4 < len(labels) < 20
    names = [f"A long name of a processor {number}" for number in range(60)]
    sweeps = [filters_sweep(DeviceKind.CPU, CPU_SECONDS, device_name=name) for name in names]
    lines = draw_terminal(runtime_series(sweeps), width).splitlines()
    assert len(lines) <= 26 and any(re.search(r"and \d+ more$", line) for line in lines)


@pytest.mark.parametrize("width", [40, 60])
@pytest.mark.parametrize("make", [lambda: sweep_curves(rates_sweep()), lambda: runtime_series(both_sweeps())])
def test_the_terminal_shows_a_figure_of_the_size_asked(make, width):
    lines = draw_terminal(make(), width=width, height=16, ascii_only=True).splitlines()
    assert len(lines) == 16
    assert max(map(len, lines)) <= width
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert "drawn" in "".join(lines)


def test_a_terminal_without_plotext_is_told_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "plotext", None)
    with pytest.raises(UsageError, match=r"pip install 'lenetcli\[terminal\]'"):
        draw_terminal(sweep_curves(rates_sweep()))


def test_long_names_stand_above_the_figure_and_leave_it_its_width():
    series = sweep_curves(rates_sweep())
    curves = tuple(replace(curve, label=f"{curve.label}, " + "a long name " * 4) for curve in series.curves)
    figure = draw(replace(series, curves=curves))
    render(figure, "png")
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [c.label.strip() for c in curves]
    assert axes.get_position().width > 0.8
