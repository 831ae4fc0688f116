"""Letters that the font of figures lacks, and words that are longer than a line."""

import random

import pytest
from helpers.made_up import CPU_SECONDS, filters_sweep, rates_sweep
from helpers.report_grids import grid_sweep
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from lenetcli.analysis.curves import Metric, sweep_curves
from lenetcli.analysis.grids import grid_series
from lenetcli.analysis.panels import curve_panels
from lenetcli.analysis.runtimes import runtime_series
from lenetcli.experiment.config import DeviceKind
from lenetcli.output.figures import fonts
from lenetcli.output.figures.figure import draw, find_undrawn, render
from lenetcli.output.figures.sheet import TITLE_SIZE, fill, fixed_style
from lenetcli.output.letters import describe_lack, find_rare

RATES = {"lr": (0.1, 0.01), "filters": (8, 16, 32)}
GRID = {(rate, size): 0.9 for rate in RATES["lr"] for size in RATES["filters"]}


def test_few_fonts_are_chosen_the_same_wherever_their_files_lie(machine, tmp_path):
    machine("学习率", "b.ttf", family="Beta")
    machine("学习率", "a.ttf", family="Alpha", style="Bold")
    machine("学习率", "c.ttf", family="Beta", side=600)
    machine("学习率", "d.ttf", family="Gamma")
    machine("学ส", "e.ttf", family="Aleph")
    machine("学习率ส\U00050000", "f.ttf", family="Blank")  # draws a box for everything
    machine("学习率ส", "g.ttf", family="Nothing", side=0)
    (tmp_path / "h.ttf").write_bytes(b"no font")
    machine.files.append(tmp_path / "h.ttf")
    chosen = fonts.find_fonts("率习学สا")
    assert [font.name for font in chosen] == ["DejaVu Sans", "Beta", "Aleph"]
    for seed in range(5):
        random.Random(seed).shuffle(machine.files)
        assert fonts.find_fonts("学习率สا") == chosen
    assert (
        fonts.find_font("Beta", chosen[1].sha256)
        == fonts.find_font("Beta", chosen[1].sha256[:12])
        == chosen[1]
    )
    assert fonts.find_font("Gamma", chosen[1].sha256) is None


def test_a_font_of_images_is_for_text_alone(machine):
    machine("学", "a.ttf", side=0)
    (font,) = fonts.find_fonts("学")
    assert not font.is_drawn
    assert find_undrawn(draw(sweep_curves(rates_sweep(dataset="学")))) == ["学"]


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_figure_takes_a_font_of_the_machine_for_letters_that_its_own_lacks(machine, kind):
    series = sweep_curves(rates_sweep(dataset="学 مرحبا"))
    lacking = draw(series)
    assert find_undrawn(lacking) == ["学"]
    machine("学", "a.ttf")
    figure = draw(series)
    assert find_undrawn(figure) == []
    content = render(figure, kind)
    assert content != render(lacking, kind)
    assert content == render(draw(series), kind) == render(draw(series, fonts=fonts.find_fonts("学")), kind)
    assert render(draw(series, fonts=()), kind) == render(lacking, kind)
    plain = sweep_curves(rates_sweep(dataset="Größe кот"))
    assert render(draw(plain), kind) == render(draw(plain, fonts=()), kind)


def test_a_sentence_names_the_letters_that_no_font_has():
    assert describe_lack("The figure’s", find_rare("สวัส \u200b 学\ufe0f 学")) == (
        "The figure’s 4 letters สวั学 (Thai, Chinese) cannot be set, and boxes stand in place: "
        "this machine has no font that has them. Install one, or write otherwise."
    )


@given(st.text(st.characters(codec="utf-8")))
def test_only_visible_letters_are_ever_missed(text):
    rare = find_rare(text)
    assert set(rare) <= set(text)
    assert find_rare("".join(rare)) == rare
    assert not any(letter.isspace() or letter.isascii() for letter in rare)


@given(st.text(st.sampled_from("Wi数-é. "), max_size=300), st.integers(20, 90), st.floats(150, 500))
def test_lines_have_room_and_lose_no_letter(text, columns, width):
    lines = fill(text, columns, width, TITLE_SIZE).split("\n")
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(len(line) <= columns for line in lines)
    assert all(fonts.measure(line, TITLE_SIZE, bold=True) <= width for line in lines)


@pytest.mark.parametrize("name", ["W" * 200, "数据" * 80, "a long name of words " * 9])
@pytest.mark.parametrize("kind", ["curves", "runtimes", "grid", "panels"])
def test_no_name_runs_off_the_sheet(machine, name, kind):
    grid = grid_sweep(RATES, GRID, dataset_name=name)
    series = {
        "curves": lambda: sweep_curves(rates_sweep(dataset=name)),
        "runtimes": lambda: runtime_series(
            [filters_sweep(device, CPU_SECONDS, device_name=name, dataset=name) for device in DeviceKind]
        ),
        "grid": lambda: grid_series(grid, Metric.VAL_ACCURACY),
        "panels": lambda: curve_panels(grid, "lr", Metric.VAL_ACCURACY),
    }[kind]()
    machine("数据", "a.ttf")
    figure = draw(series)
    with fixed_style():
        FigureCanvasAgg(figure).draw()
        texts = [text for text in figure.findobj(Text) if name[:6] in text.get_text()]
        boxes = [text.get_window_extent() for text in texts]
    assert boxes
    for box in boxes:
        assert box.x0 >= 0 and box.x1 <= figure.bbox.width, box
        assert box.y0 >= 0 and box.y1 <= figure.bbox.height + 1, box
