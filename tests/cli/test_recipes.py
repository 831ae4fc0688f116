"""A store that was begun with one recipe and goes on with another: each is named, and neither is mixed in."""

import csv
import io
import re
from dataclasses import replace

import pytest
from helpers.command import Desk
from helpers.fake_training import DEVICE, FakeSource, Listener, in_threads
from helpers.made_up import BASE, NOW
from pypdf import PdfReader

from lenetcli.experiment.config import Request
from lenetcli.experiment.sweep import Axis, Cell, Sweep
from lenetcli.store.store import Store
from lenetcli.training.interrupts import Stop
from lenetcli.training.plan import Plan
from lenetcli.training.runner import Runner

BASES = {1: replace(BASE, recipe=1, shards=2), 2: replace(BASE, recipe=2, shards=4)}
EPOCHS = 3
LINE = "A recipe is a version of the computation; runs of different recipes are not compared."


def train(folder, recipe, parameter, *values):
    store = Store.open(str(folder / "lenetcli.db"), write=True)
    sweep = Sweep(
        axes=(Axis(parameter, values),),
        epochs=EPOCHS,
        dataset_name="fake",
        cells=tuple(Cell(config=replace(BASES[recipe], **{parameter: value})) for value in values),
        request=Request(epochs=EPOCHS),
        created_at=NOW,
        last_requested=NOW,
    )
    plan = Plan(sweep=sweep, source=FakeSource(), device=DEVICE)
    with in_threads() as pool:
        assert Runner(store, plan, pool, Listener()).run(Stop()).complete


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """A folder with both sweeps of the exercise in recipe 1, and their report."""
    desk = Desk(tmp_path_factory.mktemp("old"))
    train(desk.folder, 1, "lr", 0.1, 0.01)
    train(desk.folder, 1, "filters", 8, 16)
    desk.run("report", "-o", "before.pdf")
    return desk


@pytest.fixture(scope="module")
def both(old, tmp_path_factory):
    """The same, with the sweep over learning rates once more, in recipe 2."""
    desk = Desk(tmp_path_factory.mktemp("both"))
    for name in ("lenetcli.db", "before.pdf"):
        (desk.folder / name).write_bytes((old.folder / name).read_bytes())
    train(desk.folder, 2, "lr", 0.1, 0.01)
    return desk


def read_columns(desk, *words, width):
    header, *lines = desk.run(*words, COLUMNS=str(width)).stdout.splitlines()
    return header.split(), lines


def read_csv(desk, *words):
    desk.run("plot", *words, "-o", "x.svg", "--data", "x.csv")
    return list(csv.DictReader(io.StringIO((desk.folder / "x.csv").read_text("utf-8"))))


def read_words(path):
    return " ".join(" ".join(page.extract_text() for page in PdfReader(path).pages).split())


def find_ids(desk, recipe, **values):
    return [
        run["id"] for run in desk.json("runs", "list") if {"recipe": recipe, **values}.items() <= run.items()
    ]


def options(*ids):
    return [word for id in ids for word in ("--runs", id)]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(
    "words", [("runs", "list"), ("runs", "list", "--limit", "1"), ("sweeps", "list")], ids=" ".join
)
def test_tables_have_a_column_for_it_only_where_the_store_has_two(old, both, words, width):
    names, lines = read_columns(both, *words, width=width)
    place = names.index("recipe")
    assert "recipe" not in read_columns(old, *words, width=width)[0]
    if words == ("runs", "list"):
        assert [line.split()[place] for line in lines] == ["2"] * 2 + ["1"] * 3
        assert "shards" not in names  # which differ by the recipe alone


def test_the_runs_of_a_sweep_have_the_column_too(both):
    recipes = {sweep["recipe"]: sweep["id"] for sweep in both.json("sweeps", "list")}
    for recipe, id in recipes.items():
        names, lines = read_columns(both, "runs", "list", "--sweep", id, width=80)
        assert {line.split()[names.index("recipe")] for line in lines} == {str(recipe)}


def test_shards_that_were_chosen_still_have_a_column(both, tmp_path):
    desk = Desk(tmp_path)
    (tmp_path / "lenetcli.db").write_bytes((both.folder / "lenetcli.db").read_bytes())
    train(tmp_path, 2, "shards", 8)
    assert {"recipe", "shards"} <= set(read_columns(desk, "runs", "list", width=120)[0])
    runs = find_ids(desk, 2, lr=0.1) + find_ids(desk, 1, lr=0.1, filters=16)
    labels = {row["label"] for row in read_csv(desk, "lr", *options(*runs))}
    assert labels == {"shards 8, recipe 2", "shards 4, recipe 2", "shards 2, recipe 1"}


def test_records_have_the_field(both):
    assert [run["recipe"] for run in both.json("runs", "list")] == [2, 2, 1, 1, 1]
    assert [run["recipe"] for run in both.json("runs", "list", "--sort", "recipe")] == [1, 1, 1, 2, 2]
    rows = csv.DictReader(io.StringIO(both.run("runs", "list", "--csv").stdout))
    assert [row["recipe"] for row in rows] == ["2", "2", "1", "1", "1"]
    assert [sweep["recipe"] for sweep in both.json("sweeps", "list")] == [2, 1, 1]


def test_figures_name_it_only_where_the_store_has_two(old, both):
    for desk, newest in ((old, ""), (both, ", recipe 2")):
        heading = desk.run("plot", "lr", "--terminal", "--linear").stdout.splitlines()[0]
        assert heading == f"val accuracy by learning rate: fake, 16 filters, batch 64, 12 images{newest}"
    before = next(sweep["id"] for sweep in both.json("sweeps", "list") if sweep["recipe"] == 1)
    heading = both.run("plot", "filters", "--terminal", "--sweep", before).stdout.splitlines()[0]
    assert heading.endswith(", recipe 1")
    heading = both.run("plot", "runtime", "--terminal").stdout.splitlines()[0]
    assert heading.endswith(", recipe 1")


def test_curves_and_points_of_two_recipes_are_two(both):
    ids = [*find_ids(both, 1, lr=0.1, filters=16), *find_ids(both, 2, lr=0.1)]
    curves = read_csv(both, "lr", *options(*ids))
    assert {(row["label"], row["runs"], row["recipe"]) for row in curves} == {
        ("recipe 1", ids[0], "1"),
        ("recipe 2", ids[1], "2"),
    }
    points = read_csv(both, "runtime", *options(*ids))
    assert [(row["runs"], row["recipe"]) for row in points] == [(ids[0], "1"), (ids[1], "2")]
    legend = both.run("plot", "runtime", "--terminal", *options(*ids)).stdout
    assert all(f"({DEVICE.name}), recipe {number}" in legend for number in (1, 2))


def test_the_report_says_which_recipe_is_where(both):
    both.run("report")
    words = read_words(both.folder / "report.pdf")
    assert f"2 for learning rates; 1 for filters (CPU). {LINE}" in words
    assert "fake, 16 filters, batch 64, 12 images, recipe 2." in words
    assert "fake, learning rate 0.1, batch 64, 12 images, recipe 1." in words
    assert "in seconds, recipe (R)." in words
    for recipe, lr, filters in ((1, 0.1, 8), (2, 0.01, 16)):
        (id,) = find_ids(both, recipe, lr=lr, filters=filters)
        row = rf"{id[:8]} {lr} {filters} 0 cpu {EPOCHS} [01]\.\d{{4}} 3\.00 {recipe}\b"
        assert re.search(row, words)
    both.run("report", "--verify", "report.pdf")


def test_a_report_of_one_recipe_stays_as_it_was(old, both):
    assert "recipe" not in read_words(old.folder / "before.pdf").lower()
    verified = both.run("report", "--verify", "before.pdf")
    assert "Rendered again, it has the same bytes." in verified.stdout
