"""``plot`` of sweeps over several parameters: which figure is meant, and what cannot be drawn."""

import csv
import re
import shlex
import shutil

import pytest
from helpers.command import Desk
from helpers.fake_training import FakeTrainer
from helpers.grid_stores import LARGE, MIDDLE, SMALL, grid_sweep, train_grid

from lenetcli.store.store import Store


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A store with a sweep over three parameters, one over two, one over one, and one that has not begun."""
    desk = Desk(tmp_path_factory.mktemp("grids"))
    store = Store.open(str(desk.folder / "lenetcli.db"), write=True)
    desk.ids = {
        "three": train_grid(store, LARGE),
        "two": train_grid(store, SMALL, 2, FakeTrainer(diverges={0.01: 2})),
        "one": train_grid(store, {"filters": (4, 8)}, 2),
        "precise": train_grid(store, {"precision": ("float32", "bfloat16")}),
    }
    return desk


@pytest.fixture
def desk(trained, tmp_path):
    """A copy of it."""
    shutil.copy(trained.folder / "lenetcli.db", tmp_path)
    desk = Desk(tmp_path)
    desk.ids = {name: sweep_id[:8] for name, sweep_id in trained.ids.items()}
    return desk


def read(desk, *words, name="out.csv"):
    """The rows of the CSV file of a figure, whose picture is written, too."""
    done = desk.run("plot", *words, "--csv", name)
    (picture,) = re.findall(r"Wrote (\S+\.png)", done.stderr)
    assert (desk.folder / picture).read_bytes().startswith(b"\x89PNG")
    with (desk.folder / name).open() as file:
        return picture, list(csv.DictReader(file))


def test_a_grid_is_that_of_the_newest_sweep_over_two_parameters(desk):
    picture, rows = read(desk, "grid")
    assert picture == "grid.png"
    assert [(row["lr"], row["filters"], row["seeds"]) for row in rows] == [
        ("0.1", "8", "2"),
        ("0.1", "16", "2"),
        ("0.01", "8", "0"),
        ("0.01", "16", "0"),
    ]
    assert [row["missing"] for row in rows] == ["", "", "diverged", "diverged"]
    assert [bool(row["mean"]) for row in rows] == [True, True, False, False]


def test_a_newer_grid_without_a_finished_run_is_passed_over_and_named(desk):
    points = {(lr, filters): "not begun" for lr in MIDDLE["lr"] for filters in MIDDLE["filters"]}
    empty = grid_sweep(MIDDLE, fates=points)
    Store.open(str(desk.folder / "lenetcli.db"), write=True).request_sweep(empty)
    done = desk.run("plot", "grid", "--csv", "out.csv")
    assert f"Choose it with --sweep {empty.id[:8]}" in done.stderr
    assert len((desk.folder / "out.csv").read_text().splitlines()) == 5
    refused = desk.run("plot", "grid", "--sweep", empty.id[:8], code=3).stderr
    assert "no finished run" in refused and "lenetcli sweep lr 1 0.1 0.01 0.001 filters 2 4" in refused


@pytest.mark.parametrize("metric", ["val_loss", "error", "runtime"])
def test_a_grid_of_another_metric(desk, metric):
    _, rows = read(desk, "grid", "--metric", metric)
    assert {row["metric"] for row in rows} == {metric}
    if metric == "runtime":
        assert {row["mean"] for row in rows if not row["missing"]} == {"2.0"}


def test_a_grid_in_the_terminal(desk):
    shown = desk.run("plot", "grid", "--terminal").stdout
    assert "Best validation accuracy by learning rate and filters: drawn" in shown
    assert shown.count("diverged") == 2
    assert not (desk.folder / "grid.png").exists()


def test_curves_of_a_grid_are_panels_and_by_chooses_their_colours(desk):
    two = desk.ids["two"]
    _, rows = read(desk, "lr", "--sweep", two)
    assert {(row["label"], row["filters"]) for row in rows} == {
        (lr, filters) for lr in ("0.1", "0.01") for filters in ("8", "16")
    }
    _, by = read(desk, "lr", "--sweep", two, "--by", "filters")
    assert {(row["label"], row["lr"]) for row in by} == {
        (filters, lr) for lr in ("0.1", "0.01") for filters in ("8", "16")
    }
    assert by == read(desk, "filters", "--sweep", two, "--curves")[1]
    _, three = read(desk, "lr", "--sweep", desk.ids["three"])
    assert len({(row["filters"], row["batch_size"]) for row in three}) == 6


def test_a_number_other_than_the_rate_is_drawn_against_the_best_accuracy(desk):
    picture, rows = read(desk, "filters", "--sweep", desk.ids["one"])
    assert picture == "filters.png"
    assert [(row["filters"], row["seeds"]) for row in rows] == [("4", "2"), ("8", "2")]
    for row in rows:
        runs = desk.json("runs", "list", "--sweep", desk.ids["one"])
        best = [run["best_val_accuracy"] for run in runs if str(run["filters"]) == row["filters"]]
        assert [float(row["low"]), float(row["high"])] == [min(best), max(best)]
        assert float(row["mean"]) == pytest.approx(sum(best) / 2)
    _, curves = read(desk, "filters", "--sweep", desk.ids["one"], "--curves")
    assert {(row["label"], row["epoch"]) for row in curves} == {
        (n, e) for n in ("4", "8") for e in ("1", "2")
    }


def test_rates_have_curves_unless_they_are_left_out(desk):
    assert "epoch" in read(desk, "lr")[1][0]
    rows = read(desk, "lr", "--no-curves", "--sweep", desk.ids["two"])[1]
    assert [(row["label"], row["lr"], row["missing"]) for row in rows] == [
        ("8", "0.01", "diverged"),
        ("8", "0.1", ""),
        ("16", "0.01", "diverged"),
        ("16", "0.1", ""),
    ]


def test_what_is_no_number_has_curves(desk):
    assert {row["label"] for row in read(desk, "precision")[1]} == {"float32", "bfloat16"}


def test_a_parameter_means_the_newest_sweep_that_has_it_among_its_axes(desk):
    assert {row["batch_size"] for row in read(desk, "batch-size")[1]} == {"32", "128"}


@pytest.mark.parametrize(
    ("words", "picture"),
    [
        ("", "precision.png"),
        ("PRECISE", "precision.png"),
        ("ONE", "runtime.png"),
        ("--sweep TWO", "grid.png"),
        ("THREE", "lr.png"),
        ("learning rate --sweep TWO --metric acc", "lr.png"),
    ],
)
def test_a_sweep_alone_is_drawn_as_its_parameters_ask_for(desk, words, picture):
    words = [desk.ids.get(word.lower(), word) if word.isupper() else word for word in words.split()]
    drawn = [desk.run("plot", *words).stderr for _ in range(2)]
    assert all(f"Wrote {picture}" in said for said in drawn)
    assert [", in place of the file that was there" in said for said in drawn] == [False, True]


REFUSED = [
    ("grid --sweep THREE", "is over lr, filters and batch-size", "lenetcli plot lr --sweep"),
    ("grid --sweep ONE", "is over filters", "lenetcli plot filters --sweep"),
    ("lr --sweep ONE", "is over filters, not over lr", "Choose filters"),
    ("lr --sweep TWO --by batch-size", "not over batch-size", "--by lr or filters"),
    ("grid --by lr", "--by does not go with plot grid", "Leave one"),
    ("runtime --by lr", "--by does not go with plot runtime", "Leave one"),
    ("grid --curves", "does not go with plot grid", "Leave one"),
    ("lr --runs ab --no-curves", "does not go with --runs", "Leave one"),
    ("lr --by colour", "'colour'", "filters"),
    ("filter_size", "has 2 meanings", "`lenetcli plot kernel-size` for the side"),
    ("lr --by filter-size", "has 2 meanings", "`lenetcli plot lr --by filters` for"),
    ("lr --metric loss", "has 2 meanings", "`lenetcli plot lr --metric train_loss`"),
    ("filters --by filters", "horizontal axis", "--curves"),
    ("grid --runs ab", "Runs make no grid", "--sweep"),
    ("precision --no-curves", "no numbers", "Leave --no-curves out"),
    ("lr --metric runtime", "no learning curve", "--no-curves"),
    ("lr --runs ab --metric runtime", "no learning curve", "--metric"),
]


@pytest.mark.parametrize(("typed", "problem", "advice"), REFUSED, ids=[typed for typed, _, _ in REFUSED])
def test_what_cannot_be_drawn_is_refused_with_advice(desk, typed, problem, advice):
    words = [desk.ids.get(word.lower(), word) if word.isupper() else word for word in typed.split()]
    refused = desk.run("plot", *words, code=2).stderr
    assert problem in refused
    assert advice in refused
    assert {path.name for path in desk.folder.iterdir()} <= {"lenetcli.db", "cache"}


def test_a_store_without_a_grid_names_the_command_that_trains_one(tmp_path):
    desk = Desk(tmp_path)
    train_grid(Store.open(str(tmp_path / "lenetcli.db"), write=True), {"lr": (0.1, 0.01)}, 2)
    refused = desk.run("plot", "grid", code=3).stderr
    (command,) = re.findall(r"`lenetcli (.*?)`", refused)
    assert shlex.split(command)[:6] == ["sweep", "lr", "0.1", "0.01", "0.001", "0.0001"]
    assert "filters 8 16 32 64 --epochs 2 --seeds 2" in command
