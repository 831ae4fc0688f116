"""Every command that is advised can be carried out where it is advised."""

import re
import shlex

import pytest
from helpers.command import Desk
from helpers.small_data import write_idx

SMALL = ("--data", "digits", "--epochs", "1", "--hidden-units", "4", "--batch-size", "64")
HUGE = ("--lr", "1e38")
STORE = ("--store", "its own.db")


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    desk = Desk(tmp_path_factory.mktemp("desk"))
    write_idx(desk.folder / "digits", 200, 40)
    return desk


def find_commands(text):
    """The commands behind "Next:" and between backquotes, as words without the first."""
    typed = re.findall("`(lenetcli [^`]+)`", text)
    typed += [part for line in re.findall("^Next: (.*)$", text, re.M) for part in line.split(", ")]
    return [shlex.split(command)[1:] for command in typed]


SWEEPS = {
    "rates": (("lr", "0.1", "0.01"), True),
    "one rate": (("lr", "0.1"), True),
    "sizes": (("filters", "2", "3"), True),
    "a grid": (("lr", "0.1", "0.01", "filters", "2", "3"), True),
    "some that diverge": (("lr", "0.1", "1e38"), True),
    "rates that diverge": (("lr", "1e38", "3e38"), False),
    "sizes that diverge": (("filters", "2", "3", *HUGE), False),
    "a grid that diverges": (("lr", "1e38", "3e38", "filters", "2", "3"), False),
    "a momentum that diverges": (("momentum", "0", "0.9", "--filters", "2", *HUGE), False),
}


@pytest.mark.parametrize(("words", "shows"), SWEEPS.values(), ids=SWEEPS)
def test_what_is_advised_after_a_sweep_can_be_done(desk, words, shows):
    (desk.folder / STORE[1]).unlink(missing_ok=True)
    last = desk.run("sweep", *words, *SMALL, *STORE).stderr.splitlines()[-1]
    commands = find_commands(last)
    assert last.startswith("Next: ") == shows
    assert commands
    assert all(command[-2:] == [*STORE] for command in commands)
    if shows:
        for command in commands:
            desk.run(*command)
        return
    assert "Every run diverged: train with smaller learning rates" in last
    assert all(float(rate) < 1 for rate in re.findall(r"--lr (\S+)", last))
    (smaller,) = commands
    figures = ["grid"] if "filters" in words[1:] else [words[0]]
    for figure in [*(("plot", figure) for figure in figures), *[("report",)] * (words[0] != "momentum")]:
        said = desk.run(*figure, *STORE, code=3).stderr
        assert "Every run diverged" in said
        assert find_commands(said) == [smaller]
    trained = desk.run(*smaller).stderr
    assert trained.splitlines()[-1].startswith("Next: lenetcli plot ")


def test_a_sweep_that_has_another_figure_names_it(desk):
    desk.run("sweep", "lr", "0.1", "0.01", *SMALL, "--store", "other.db")
    (sweep,) = desk.json("sweeps", "list", "--store", "other.db")
    said = desk.run("plot", "grid", "--sweep", sweep["id"][:8], "--store", "other.db", code=2).stderr
    (command,) = find_commands(said)
    desk.run(*command)
