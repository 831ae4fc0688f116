"""Letters that the fonts of a report lack, words longer than a line, and tables longer than a page."""

import sys
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import typst
from helpers.made_up import MadeUpEvidence, both_sweeps, rates_sweep
from helpers.pdfs import detach, forge_text
from PIL import Image
from pypdf import PdfReader

from lenetcli.experiment.config import Request
from lenetcli.output.report.contents import gather
from lenetcli.output.report.document import Document
from lenetcli.output.report.fonts import choose_fonts, describe_fonts, describe_unset, name_fonts, open_fonts
from lenetcli.output.report.report import Report
from lenetcli.output.report.texts import compare_texts, find_headers
from lenetcli.output.report.verification import Outcome, verify

SMALL = MadeUpEvidence([rates_sweep({0.1: [0.9]}, dataset="数据")])
FOREIGN = "学习率数据"


def make(evidence=SMALL, **options):
    """A report with the fonts that its letters need."""
    facts = gather(evidence, **options)
    fonts = choose_fonts(facts)
    return Report(name_fonts(facts, fonts), fonts)


def read(content):
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(content)).pages).split())


def test_a_report_is_set_in_a_font_of_the_machine_that_it_names_and_verified_with_it(machine):
    machine(FOREIGN, "a.ttf")
    report = make(title="学习率", interpretation="学 `习` **率**")
    (font,) = report.fonts
    assert report.facts.versions["font Test Sans"] == font.sha256
    content = report.pdf()
    text = read(content)
    assert f"lack are set in Test Sans (SHA-256 {font.sha256[:12]}…). The facts" in text
    assert "学习率 Network" in text
    assert "学 习 率" in text
    assert describe_unset(report.facts, report.fonts) == []
    assert "Test Sans" in describe_fonts(report.fonts)
    assert verify(SMALL, Document(content), "a.pdf").outcome is Outcome.AGREES
    lost = verify(SMALL, Document(detach(make(title="学习率").pdf())), "a.pdf")
    assert lost.outcome is Outcome.TEXT_UNCHECKED
    assert lost.unchecked[0].startswith("The numbers behind its text")


def test_where_the_font_is_missing_the_text_is_compared_and_that_is_said(machine):
    file = machine(FOREIGN, "a.ttf", family="Absent Sans")
    report = make(title="学习率")
    content = report.pdf()
    forged = forge_text(report.facts, "数据", "率据", report.fonts).content
    plain = forge_text(report.facts, "0.9", "0.8", report.fonts).content
    machine.files.remove(file)
    name = f"Absent Sans (SHA-256 {report.fonts[0].sha256[:12]}…)"

    without = verify(SMALL, Document(content), "a.pdf")
    assert without.outcome is Outcome.TEXT_UNCHECKED
    said = f"Figures and 5 letters (Chinese) were not compared: {name} is not on this machine."
    assert without.unchecked == (said,)
    assert verify(SMALL, Document(plain), "a.pdf").outcome is Outcome.DIFFERS

    machine(FOREIGN, "b.ttf", family="Absent Sans", side=500)  # another font of this name
    other = verify(SMALL, Document(content), "a.pdf")
    assert other.outcome is Outcome.FIGURES_UNCHECKED
    assert name in other.unchecked[0]
    assert verify(SMALL, Document(forged), "a.pdf").outcome is Outcome.TEXT_UNCHECKED
    assert verify(SMALL, Document(plain), "a.pdf").outcome is Outcome.DIFFERS


def test_a_report_made_without_a_font_agrees_where_there_is_one(machine):
    content = make(title="学习率").pdf()
    machine(FOREIGN, "a.ttf")
    assert verify(SMALL, Document(content), "a.pdf").outcome is Outcome.AGREES


def test_a_report_that_needs_no_font_is_the_same_on_every_machine(machine):
    evidence = MadeUpEvidence([rates_sweep({0.1: [0.9]})])
    before = make(evidence, title="Größe −5 ± 1, кот, λ").pdf()
    machine(FOREIGN + "Größekotλ", "a.ttf")
    report = make(evidence, title="Größe −5 ± 1, кот, λ")
    assert report.pdf() == before
    needless = replace(report.facts, versions={**report.facts.versions, "font Test Sans": "0" * 64})
    differs = verify(evidence, Document(Report(needless).pdf()), "a.pdf")
    assert differs.outcome is Outcome.DIFFERS
    assert differs.differences[0].startswith("versions: ")


@pytest.mark.parametrize("named", [{"font A (b). 0.1 works best": "0" * 64}, {"font A": "0.1 works best"}])
def test_a_sentence_in_place_of_a_font_is_a_difference(machine, named):
    facts = make().facts
    facts = replace(facts, versions={**facts.versions, **named})
    assert verify(SMALL, Document(Report(facts).pdf()), "a.pdf").outcome is Outcome.DIFFERS


def test_letters_that_no_font_has_are_named_with_their_place(machine, tmp_path):
    found = describe_unset(gather(SMALL, title="สวัส 😀", author="Größe кот"), ())
    assert [sentence.partition(" cannot")[0] for sentence in found] == [
        "The title’s 4 letters สวั😀 (Thai, symbols)",
        "The set-up’s 2 letters 数据 (Chinese)",
        "The figures’ 2 letters 数据 (Chinese)",
    ]
    (drawn,) = make().describe_unset(tmp_path / "a.md")  # what is text there the reader sets
    assert drawn == found[-1]
    assert make().describe_unset(tmp_path / "a.tex")[-1] == drawn
    machine("数据", "a.ttf")
    assert make().describe_unset(tmp_path / "a.md") == []
    assert make(title="😀", author="مرحبا").fonts[0].name == "DejaVu Sans"  # comes with matplotlib


OWN = "{0} `{0}`\n\n    {0}\n\n| {0} | b |\n| --- | --- |\n| {0} | c |\n\n# {0}"
WORDS = {
    "title": lambda word: {"title": word},
    "author": lambda word: {"author": word},
    "store": lambda word: {"store": word},
    "text": lambda word: {"interpretation": OWN.format(word)},
}


@pytest.mark.parametrize("place", WORDS)
@pytest.mark.parametrize("word", ["W" * 300, "-very/long_path" * 15, "学" * 300])
def test_a_word_without_an_end_stays_on_the_page(machine, place, word, tmp_path):
    machine("学", "a.ttf")
    check_margins(make(MadeUpEvidence([rates_sweep({0.1: [0.9]})]), **WORDS[place](word)), word, tmp_path)


def test_the_names_of_data_and_devices_and_paths_stay_on_the_page(machine, tmp_path):
    word = "W" * 200
    sweep = replace(rates_sweep(dataset=word, device_name=word), request=Request(epochs=10, data=word))
    report = make(MadeUpEvidence([sweep, *both_sweeps(dataset=word, device_name=word)]))
    check_margins(report, word, tmp_path)


def check_margins(report, word, folder):
    """Check that the pages of a report show a word as a whole, and nothing in their right margins."""
    assert word in "".join(read(report.pdf()).split())
    report.write(folder / "a.typ")
    with open_fonts(report.fonts) as (known, _):
        compiler = typst.Compiler(folder / "a.typ", font_paths=known, ignore_system_fonts=True)
        images = compiler.compile(format="png", ppi=50)
    for image in images if isinstance(images, list) else [images]:
        pixels = np.asarray(Image.open(BytesIO(image)).convert("L"))
        margin = pixels[:, int(pixels.shape[1] * (1 - 18 / 210)) :]
        assert margin.min() == 255


def test_headers_that_are_repeated_elsewhere_are_no_difference():
    table = "| one thing | b |\n| --- | --- |\n| 1 | 2 |"
    facts = gather(MadeUpEvidence([rates_sweep(seeds=3), *both_sweeps()]), interpretation=table)
    headers = find_headers(facts)
    runs = "run rate F seed on ep. accuracy runtime"
    for header in (" ".join(facts.learning_rates.table.header), runs, f"{runs} mom. R", "one thing b"):
        stated, computed = f"a {header} 1 2 b\n3 4 end", f"a {header} 1 2\n{header} b 3 4 end"
        assert compare_texts([stated], [computed], headers) == []
        assert compare_texts([computed], [stated], headers) == []
        assert compare_texts([stated.replace("1", "9")], [computed], headers)
        assert compare_texts([stated.replace(header, "")], [computed], headers)


@pytest.mark.parametrize("count", [60, 200])
@pytest.mark.parametrize("change", [("bottom: 14mm", "bottom: 60mm"), ("size: 9.6pt", "size: 10.3pt")])
def test_a_report_whose_pages_end_elsewhere_has_the_same_text(monkeypatch, count, change):
    rates = {round(0.0005 * number, 4): [0.5, 0.6 + 0.001 * number] for number in range(1, count + 1)}
    evidence = MadeUpEvidence([rates_sweep(rates), *both_sweeps()])
    own = "| one thing | b |\n| --- | --- |\n" + "| 1 | 2 |\n" * 80
    facts = gather(evidence, interpretation=own)
    module = sys.modules[Report.__module__]
    source = module._write_typst
    with monkeypatch.context() as patch:
        patch.setattr(module, "_write_typst", lambda *parts: source(*parts).replace(*map(str.encode, change)))
        content = Report(facts).pdf()
    assert verify(evidence, Document(content), "a.pdf").outcome is Outcome.FIGURES_UNCHECKED
