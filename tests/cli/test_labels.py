"""Data sets in folders of one name, and in folders that have the name of another data set."""

import csv
import re

import pytest
from helpers.command import Desk
from helpers.small_data import write_idx
from pypdf import PdfReader


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with sweeps on two data sets, each of which lies in a folder called digits."""
    desk = Desk(tmp_path_factory.mktemp("labels"))
    write_idx(desk.folder / "one" / "digits", 240, 60)
    write_idx(desk.folder / "other" / "digits", 300, 60)
    common = ("--epochs", "1", "--hidden-units", "8", "--batch-size", "32", "--device", "cpu")
    desk.run("sweep", "lr", "0.1", "--filters", "2", "--data", "one/digits", *common)
    desk.run("sweep", "filters", "2", "--data", "other/digits", *common)
    return desk


@pytest.fixture(scope="module")
def names(desk):
    """The names of both, which have the first digits of their hashes."""
    hashes = [desk.json("data", "--data", f"{folder}/digits")["sha256"] for folder in ("one", "other")]
    return [f"digits ({data[:8]})" for data in hashes]


@pytest.mark.parametrize("command", ["runs", "sweeps"])
def test_tables_tell_them_apart(desk, names, command):
    lines = desk.run(command, "list").stdout
    assert [lines.count(name) for name in names] == [1, 1]
    assert lines.count("digits") == 2


def test_alone_each_has_its_label(desk):
    (line,) = [
        line
        for line in desk.run("runs", "show", desk.json("runs", "list")[0]["id"]).stdout.splitlines()
        if line.startswith("data")
    ]
    assert re.fullmatch(r"data +digits \([0-9a-f]{12}…\)", line.strip())
    assert [run["dataset"] for run in desk.json("runs", "list")] == ["digits", "digits"]


def test_figures_and_reports_tell_them_apart(desk, names):
    ids = [word for run in desk.json("runs", "list") for word in ("--runs", run["id"])]
    desk.run("plot", "lr", *ids, "--data", "curves.csv")
    with (desk.folder / "curves.csv").open() as stream:
        assert sorted(row["label"] for row in csv.DictReader(stream)) == sorted(names)
    desk.run("report")
    text = " ".join(
        " ".join(page.extract_text().split()) for page in PdfReader(desk.folder / "report.pdf").pages
    )
    assert "synthetic" not in text
    first, second = names
    assert f"a curve for each learning rate; {first}," in text
    assert f"labelled with the number of filters; {second}," in text
    for name in names:
        assert re.search(rf"{re.escape(name)}, [\d,]+ training, .{{1,80}} \(SHA-256 of the arrays", text)
    assert "follow from the store" in desk.run("report", "--verify", "report.pdf").stdout


def test_a_folder_called_mnist_is_not_mnist(desk):
    write_idx(desk.folder / "mnist", 360, 60)
    desk.run("train", "--epochs", "1", "--filters", "2", "--data", "mnist", "--store", "third.db")
    shown = desk.run("runs", "list", "--store", "third.db").stdout
    assert "mnist (other)" in shown
    assert "MNIST" not in shown


def test_letters_that_no_font_of_the_machine_has_are_named(tmp_path):
    desk = Desk(tmp_path)
    write_idx(tmp_path / "数字 😀", 240, 60)
    small = ("--epochs", "1", "--hidden-units", "8", "--filters", "2", "--device", "cpu")
    desk.run("sweep", "lr", "0.1", "--data", "数字 😀", *small)
    for command, whose in (("plot", "The figure’s"), ("report", "The set-up’s")):
        done = desk.run(command, MPL_IGNORE_SYSTEM_FONTS="1")
        assert f"{whose} 2 letters 数字 (Chinese) cannot be set" in " ".join(done.stderr.split())
    done = desk.run("report", "--verify", "report.pdf")
    assert "the same bytes" in done.stdout
