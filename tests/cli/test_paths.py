"""Every path that a user gives, bad in every way: a documented exit code, a sentence, nothing new made."""

import os
import shlex
import socket
import subprocess
from pathlib import Path

import pytest
from helpers.command import EXECUTABLE, PATIENCE, Desk
from helpers.fake_training import carry_out
from helpers.fault_workers import LONG
from helpers.small_data import write_idx
from helpers.surroundings import in_namespace, without_rights

from lenetcli.store.store import Store


def make(path, how):
    how(path)
    return path


def bind(path):
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind(str(path))


BAD = {
    "below no folder": lambda path: path.parent / "none" / path.name,
    "below a file": lambda path: make(path, Path.touch) / path.name,
    "too long a name": lambda path: path.with_stem("x" * 260),
    "too long a path": lambda path: Path(*["x" * 99] * 50, path.name),
    "a loop": lambda path: make(path, lambda p: p.symlink_to(p)),
    "a link to nowhere": lambda path: make(path, lambda p: p.symlink_to("none/x")),
    "a folder": lambda path: make(path, Path.mkdir),
    "a socket": lambda path: make(path, bind),
    "a full device": lambda path: make(path, lambda p: p.symlink_to("/dev/full")),
    "a pipe": lambda path: make(path, os.mkfifo),
    "empty": lambda path: "",
    "no home": lambda path: f"~nobodyhere/{path.name}",
    "a null byte": lambda path: f"x\0{path.name}",
}
"""How to make a bad path of a good one."""

OUTPUTS = {  # PATH is the bad one
    "plot lr -o PATH.png": {2},
    "plot lr --terminal --data PATH.csv": {2},
    "report -o PATH.pdf": {2},
    "report -o PATH.typ": {2},
    "report -o PATH.tex": {2},
    "runs save RUN PATH.keras": {2},
    "store backup PATH.db": {2},
    "store backup --overwrite PATH.db": {2},
}
INPUTS = {
    "report --verify PATH.pdf": {2, 3},
    "data --data PATH.npz": {2, 5},
    "train --store new.db --data PATH.npz": {2, 5},
    "reproduce --dry-run --store new.db --data PATH.npz": {2, 5},
}
STORES = {
    f"{words} --store PATH.db": {2, 3, 4}
    for words in (
        *("train", "sweep lr 0.1", "runs list", "runs show ab", "runs save ab x.keras", "sweeps list"),
        *("plot lr", "report", "report --verify x.pdf", "store info", "store check", "store backup copy.db"),
        "store upgrade",
    )
}
COMMANDS = OUTPUTS | INPUTS | STORES
"""The commands, with the exit codes for a bad path."""

VARIABLES = {
    "LENETCLI_STORE": "runs list",
    "LENETCLI_DATA": "data",
    "LENETCLI_CACHE": "data --dataset synthetic",
    "HOME": "data --dataset mnist",
    "XDG_CACHE_HOME": "data --dataset mnist",
    "KERAS_HOME": "data --dataset mnist",
    "TMPDIR": "plot lr -o good.png",
}
"""The environment variables that hold paths, each with a command that uses it."""


def some(kinds, number):
    """All kinds in the long form; a quarter in the short one, another quarter for the next command."""
    kinds = list(kinds)
    return kinds if LONG else kinds[number % 4 :: 4]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A store with a sweep, without weights that could be saved, and data."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    write_idx(desk.folder / "digits", 120, 20)
    desk.environment["LENETCLI_DATA"] = str(desk.folder / "digits")
    store = Store.open(str(desk.folder / "lenetcli.db"), write=True)
    carry_out(store, [0.1, 0.01], 2)
    desk.run_id = store.runs()[0].id
    return desk


def files(*folders):
    """Everything in these folders, with the content of ordinary files."""
    paths = [path for folder in folders for path in folder.rglob("*")]
    return {path: path.read_bytes() if path.is_file() else None for path in paths}


def check_refusal(done, codes):
    assert done.returncode in codes, done.stderr
    assert done.stderr.startswith("Error: ") and done.stderr.endswith(".\n")
    assert "should not" not in done.stderr and "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("words", COMMANDS)
def test_a_bad_path_is_refused_in_words_and_nothing_is_made(desk, tmp_path, words):
    for kind in some(BAD, list(COMMANDS).index(words)):
        if kind in ("a pipe", "a full device") and words in OUTPUTS and not words.startswith("store"):
            continue  # these can be written
        folder = tmp_path / kind
        folder.mkdir()
        (name,) = [word for word in words.split() if word.startswith("PATH")]
        path = str(BAD[kind](folder / name))
        arguments = [{name: path, "RUN": desk.run_id}.get(word, word) for word in words.split()]
        before = files(desk.folder, tmp_path)
        done = desk.attempt(*arguments)
        check_refusal(done, COMMANDS[words])
        assert files(desk.folder, tmp_path) == before


@pytest.mark.parametrize("name", VARIABLES)
def test_a_bad_path_in_the_environment(desk, tmp_path, name):
    for kind in some([kind for kind in BAD if kind != "a null byte"], list(VARIABLES).index(name)):
        folder = tmp_path / kind
        folder.mkdir()
        environment = {name: str(BAD[kind](folder / "x"))}
        if name in ("HOME", "XDG_CACHE_HOME", "KERAS_HOME"):
            environment |= {"LENETCLI_CACHE": "", "LENETCLI_DATA": ""}
        done = desk.attempt(*VARIABLES[name].split(), **environment)
        if done.returncode:
            check_refusal(done, {2, 3, 4, 5})
        assert not list(desk.folder.glob("~*"))


def test_a_full_device_is_told(desk, tmp_path):
    (tmp_path / "lr.png").symlink_to("/dev/full")
    check_refusal(desk.attempt("plot", "lr", "-o", str(tmp_path / "lr.png")), {2})


PLACES = {
    "plot lr -o PATH/lr.png": 2,
    "report -o PATH/r.typ": 2,
    "report -o PATH/r.md": 2,
    "store backup PATH/b.db": 2,
    "train --store PATH/new.db": 4,
}


@pytest.mark.parametrize("place", ["a read-only file system", "a folder of others"])
def test_a_folder_that_takes_no_file_is_named_before_any_work(desk, tmp_path, place):
    folder = tmp_path / "closed"
    folder.mkdir()
    words = [w.replace("PATH", str(folder)) for w in PLACES]
    commands = [f'{shlex.quote(str(EXECUTABLE))} {line}; echo "= $?" >&2' for line in words]
    script = "\n".join([f"cd {shlex.quote(str(desk.folder))}", *commands])
    before = files(desk.folder, tmp_path)
    if place == "a read-only file system":
        mount = f'mount --bind "{folder}" "{folder}" && mount -o remount,bind,ro "{folder}"'
        done = in_namespace(f"{mount}\n{script}", environment=desk.environment)
    else:
        folder.chmod(0o555)
        command = [*without_rights(), "sh", "-c", script]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", env=desk.environment)
        folder.chmod(0o755)
    codes = [int(line[2:]) for line in done.stderr.splitlines() if line.startswith("= ")]
    assert codes == list(PLACES.values())
    assert done.stderr.count("Error: ") == done.stderr.count(f"'{folder}'") == len(PLACES)
    assert "should not" not in done.stderr
    assert files(desk.folder, tmp_path) == before


GONE = {
    "--help": 0,
    "--version": 0,
    "runs list --store STORE": 0,
    "data": 0,
    "devices": 0,
    "plot lr --store STORE -o FOLDER/lr.png": 0,
    "train": 4,
    "reproduce --store STORE": 2,
    "plot lr --store STORE": 2,
    "store backup --store STORE b.db": 2,
    "data --data .": 2,
}
"""Commands in a folder that was deleted, and their exit codes."""


def test_a_current_folder_that_was_deleted_is_missed_only_where_it_is_needed(desk, tmp_path):
    values = {"STORE": str(desk.folder / "lenetcli.db"), "FOLDER": str(tmp_path)}
    for words, code in GONE.items():
        for name, value in values.items():
            words = words.replace(name, value)
        command = f"mkdir gone && cd gone && rmdir ../gone && exec {shlex.quote(str(EXECUTABLE))} {words}"
        done = subprocess.run(
            ["sh", "-c", command],
            capture_output=True,
            encoding="utf-8",
            cwd=tmp_path,
            env=desk.environment,
            timeout=PATIENCE,
        )
        assert done.returncode == code, (words, done.stderr)
        if code:
            check_refusal(done, {code})
            assert "the current folder was deleted" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["lr.png"]
