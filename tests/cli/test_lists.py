"""Lists of many runs and sweeps: machine output is whole, a table says what it leaves out."""

import csv
import io
import json
import math
import re
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from helpers.large_stores import make_large
from helpers.made_up import BASE, make_cell, make_sweep
from hypothesis import given
from hypothesis import strategies as st

from lenetcli.cli.app import main
from lenetcli.cli.screen.console import print_json, print_json_list
from lenetcli.cli.screen.sweep_tables import print_sweeps
from lenetcli.experiment.config import Request

COUNT = 130


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """The path of a store of 130 runs on a CPU, of which 120 are completed and 10 have failed."""
    path = tmp_path_factory.mktemp("large") / "s.db"
    make_large(path, COUNT)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE runs SET state = 'failed' WHERE id > 120")
    return path


@pytest.fixture
def ask(large, capsys):
    """What a command says of the store, on stdout and on stderr."""

    def ask(*words):
        with pytest.raises(SystemExit) as ended:
            main([*words, "--store", str(large)])
        assert ended.value.code == 0
        return capsys.readouterr()

    return ask


def test_machine_output_is_whole(ask):
    runs = json.loads(ask("runs", "list", "--json").out)
    assert [run["seed"] for run in runs] == list(reversed(range(COUNT)))
    table = list(csv.DictReader(io.StringIO(ask("runs", "list", "--csv").out)))
    assert [row["id"] for row in table] == [run["id"] for run in runs]
    assert json.loads(ask("runs", "list", "--json", "--all").out) == runs
    assert json.loads(ask("runs", "list", "--json", "--limit", "60").out) == runs[:60]
    assert len(json.loads(ask("runs", "list", "--json", "--state", "completed").out)) == 120
    assert ask("runs", "list", "--json", "--device", "gpu").out == "[]\n"


@pytest.mark.parametrize(
    ("words", "shown", "total"),
    [
        ((), 50, 130),
        (("--state", "completed"), 50, 120),
        (("--device", "cpu", "--limit", "3"), 3, 130),
        (("--state", "failed"), 10, 0),
        (("--all",), 130, 0),
        (("--limit", "130"), 130, 0),
    ],
)
def test_a_table_says_what_it_leaves_out(ask, words, shown, total):
    said = ask("runs", "list", *words)
    assert len(said.out.splitlines()) == 1 + shown
    found = re.search(r"(\d+) of (\d+) runs; --all shows them, --limit N more\.", said.err)
    assert (found and tuple(map(int, found.groups()))) == ((shown, total) if total else None)


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ("best val", "best_val_accuracy"),
        ("Best-Val-Accuracy", "best_val_accuracy"),
        ("runtime", "runtime_seconds"),
        ("learning-rate", "lr"),
        ("kernel", "kernel_size"),
        ("Created", "created_at"),
    ],
)
def test_a_list_is_sorted_by_what_its_columns_are_called(ask, typed, field):
    assert (
        ask("runs", "list", "--csv", "--sort", typed).out == ask("runs", "list", "--csv", "--sort", field).out
    )


@pytest.fixture
def wide(monkeypatch):
    """A console of 200 columns."""
    monkeypatch.setenv("COLUMNS", "200")


def test_sweeps_are_told_apart_by_what_they_hold_fixed(wide, capsys):
    def show(*sweeps):
        print_sweeps(sweeps)
        titles, *rows = capsys.readouterr().out.splitlines()
        place = titles.find("  with")
        end = place + 2 + min(map(titles[place + 2 :].find, ("  seeds", "  epochs")))
        return [row[place:end].strip() for row in rows] if place >= 0 else None

    def over(parameter, *values, shards=None, **fixed):
        base = replace(BASE, **fixed, shards=shards or 4)
        cells = [make_cell(parameter, value, None, base=base) for value in values]
        return make_sweep(parameter, 2, cells, Request(epochs=2, shards=shards))

    rates = over("lr", 0.1, 0.01, filters=8)
    assert show(rates, over("lr", 0.1, 0.01, filters=32)) == ["filters 8", "filters 32"]
    assert show(rates, over("lr", 0.1, filters=8)) is None
    assert show(rates, over("filters", 8, 16, lr=0.5)) is None
    assert show(rates, over("lr", 0.1, filters=8, momentum=0.9)) == ["momentum 0", "momentum 0.9"]
    assert show(rates, over("lr", 1.0, filters=8, shards=2)) == ["", "shards 2"]
    assert show(
        rates, over("filters", 8, 16, batch_size=8), over("lr", 1.0, filters=2, kernel_size=5, batch_size=8)
    ) == ["filters 8, batch 64, kernel 3", "batch 8, kernel 3", "filters 2, batch 8, kernel 5"]


def test_many_values_of_a_sweep_are_a_range_or_a_number_of_them(wide, capsys):
    rates = [round(0.1 + 0.01 * place * place, 4) for place in range(20)]
    for values, written in (
        (rates, "20 from 0.1 to 3.71"),
        (range(1, 201), "1..200"),
        ([0.5, 0.1], "0.5 0.1"),
    ):
        parameter = "filters" if values == range(1, 201) else "lr"
        print_sweeps([make_sweep(parameter, 2, [make_cell(parameter, value, None) for value in values])])
        assert f"  {written}  " in capsys.readouterr().out


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(values, max_size=4))
def test_an_array_that_is_streamed_reads_as_one_that_is_written_at_once(items):
    written = []
    for write in (print_json_list, print_json):
        stream = io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdout", stream)
            write(iter(items) if write is print_json_list else items)
        written.append(stream.getvalue())
    assert written[0] == written[1]


def test_no_array_begins_before_its_first_item_is_there(capsys):
    with pytest.raises(ZeroDivisionError):
        print_json_list(1 // number for number in (0, 1))
    with pytest.raises(ValueError, match="JSON"):
        print_json_list([math.inf])
    assert capsys.readouterr().out == ""
