"""Which sweep is meant, the commands that are advised, and rates that differ in the last digit."""

import json
import re
import shlex

import pytest
import typer
from helpers.command import Desk
from helpers.small_data import write_idx
from pypdf import PdfReader

from lenetcli.cli.app import app
from lenetcli.experiment.exercise import example_values
from lenetcli.experiment.parameters import SWEPT
from lenetcli.words import name_value

STORE = "my store.db"
SETTING = ("--epochs", "2", "--seeds", "2", "--data", "my digits", "--device", "cpu")
SMALL = ("--filters", "2", "--hidden-units", "8", "--batch-size", "32")
ADVISED = r"`lenetcli (.*?)`|This trains it: lenetcli (.*)|(?:Next: |, )lenetcli (.*?)(?=, |$)"
RATES = "0.1", "0.1000001", "0.1234567", "0.1234568", "0.1234569"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with a sweep over five rates, then one over one of them, in a store with a name of its own."""
    desk = Desk(tmp_path_factory.mktemp("choice"))
    write_idx(desk.folder / "my digits", 120, 20)
    desk.ended = [
        desk.run("sweep", "lr", *rates, *SETTING, *SMALL, "--store", STORE) for rates in (RATES, RATES[:1])
    ]
    desk.ids = {len(sweep["values"]): sweep["id"] for sweep in desk.json("sweeps", "list", "--store", STORE)}
    return desk


def read_labels(desk, name):
    """The first column of a CSV file."""
    return {line.split(",")[0] for line in (desk.folder / name).read_text().splitlines()[1:]}


def find_commands(text):
    """The arguments of the commands of lenetcli that a text advises."""
    found = re.findall(ADVISED, text, re.MULTILINE)
    return [shlex.split("".join(groups)) for groups in found]


def parse(arguments):
    """The options of a command as the command line reads them."""
    command = typer.main.get_command(app)
    context = command.make_context("lenetcli", list(arguments))
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)
    return context.params


def test_the_newest_sweep_that_compares_values_is_meant_and_that_is_said(desk):
    one, five = desk.ids[1][:8], desk.ids[5][:8]
    passed = f"Passed over, with one value only, 0.1: the newer sweep {one} over lr. Choose it with --sweep"
    plotted = desk.run("plot", "lr", "--csv", "lr.csv", "--store", STORE)
    assert passed in plotted.stderr
    assert read_labels(desk, "lr.csv") == set(RATES)
    assert passed in desk.run("report", "--store", STORE).stderr
    table = desk.run("sweeps", "list", "--store", STORE).stdout
    assert {line.split()[0]: " yes " in line for line in table.splitlines()[1:3]} == {one: False, five: True}
    for command in (("plot", "lr", "--csv", "one.csv"), ("report", "-o", "one.pdf")):
        assert "Passed over" not in desk.run(*command, "--sweep", one, "--store", STORE).stderr
    assert read_labels(desk, "one.csv") == {"0.1"}


def test_a_report_takes_one_sweep_over_learning_rates(desk):
    ids = [word for id in desk.ids.values() for word in ("--sweep", id)]
    refused = desk.run("report", *ids, "--store", STORE, code=2).stderr
    assert refused.startswith("Error: A report has one sweep over learning rates")
    assert ["sweeps", "list", "--store", STORE] in find_commands(refused)


def test_rates_that_differ_in_the_last_digit_look_different_everywhere(desk):
    shown = desk.run("runs", "list", "--all", "--store", STORE).stdout
    assert {word for word in shown.split() if word in RATES} == set(RATES)
    # Without its commands, which name the rates, too.
    desk.run("report", "-o", "rates.pdf", "--store", STORE)
    reader = PdfReader(desk.folder / "rates.pdf")
    facts = json.loads(reader.attachments["facts.json"][0])
    assert [row[0]["text"] for row in facts["learning_rates"]["table"]["rows"]] == list(RATES)
    assert {run["row"][1] for run in facts["runs"]} == set(RATES)
    text = " ".join(page.extract_text() for page in reader.pages)
    assert all(re.search(rf"(?<!\d){re.escape(rate)}(?!\d)", text) for rate in RATES)
    for run in desk.json("runs", "list", "--all", "--store", STORE):
        again = desk.run("train", "--lr", str(run["lr"]), "--seed", str(run["seed"]), "--store", STORE,
                         *SETTING[:2], *SETTING[4:], *SMALL)  # fmt: skip
        assert "kept" in again.stdout and run["id"][:8] in again.stdout


def test_the_old_name_of_csv_still_writes_it(desk):
    desk.run("plot", "lr", "--data", "old.csv", "--store", STORE)
    desk.run("plot", "lr", "--csv", "new.csv", "--store", STORE)
    assert (desk.folder / "old.csv").read_bytes() == (desk.folder / "new.csv").read_bytes()
    assert "--data" not in desk.run("plot", "--help").stdout
    assert "--csv" in desk.run("plot", "--help").stdout


@pytest.mark.parametrize("parameter", [name for name in SWEPT if name != "lr"])
def test_the_advice_for_a_sweep_has_the_store_data_epochs_and_seeds_in_use(desk, parameter):
    option = SWEPT[parameter].option
    (command,) = find_commands(desk.run("plot", option, "--store", STORE, code=3).stderr)
    assert command[:2] == ["sweep", option]
    options = parse(command)
    assert options["words"] == (option, *map(name_value, example_values(parameter)))
    assert (options["address"], options["epochs"]) == (STORE, 2)
    assert options["data"] == "my digits" and options["device"] == "cpu"
    assert options["seeds"] == (None if parameter == "seed" else 2)


def test_advice_is_a_command_that_does_what_it_says(desk):
    (command,) = find_commands(desk.run("plot", "kernel-size", "--store", STORE, code=3).stderr)
    trained = desk.run(*command)
    drawn, reported = [], find_commands(trained.stderr)
    assert reported == [["plot", "kernel-size", "--store", STORE]]
    for next_command in reported:
        drawn.append(desk.run(*next_command).stderr)
    assert "Wrote kernel-size.png" in drawn[0]


def test_every_advised_command_is_one(desk):
    """After a sweep, for what a report lacks, and in errors."""
    texts = [done.stderr for done in desk.ended]
    texts.append(desk.run("report", "--store", STORE).stderr)
    for words in ("plot runtime", "runs show ffffffff", "runs show x", "runs list --sweep ffff",
                  "report --sweep ffff", "plot lr --runs ffff"):  # fmt: skip
        texts.append(desk.run(*words.split(), "--store", STORE, code=3).stderr)
    commands = [command for text in texts for command in find_commands(text)]
    assert len(commands) >= len(texts)
    for command in commands:
        assert parse(command)["address"] == STORE
    one = desk.ids[1][:12]
    assert ["plot", "lr", "--sweep", one, "--store", STORE] in commands
    assert ["plot", "lr", "--store", STORE] in commands


def test_the_store_is_named_where_it_would_not_be_found(desk):
    for typed, variable, named in (
        ("none.db", "", "none.db"),
        ("lenetcli.db", "", "lenetcli.db"),
        ("lenetcli.db", "none.db", "lenetcli.db"),
    ):
        environment = {"LENETCLI_STORE": variable} if variable else {}
        stderr = desk.run("runs", "list", "--store", typed, code=3, **environment).stderr
        (command,) = find_commands(stderr)
        is_known = typed == (variable or "lenetcli.db")
        assert ("--store" in command) == (not is_known)
        assert is_known or command[-1] == named
