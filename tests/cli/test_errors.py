"""Every mistake that a person can type: its code, a sentence, an advice, and nothing left behind."""

import gzip
import json
import os
import pickle
import shutil
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.command import EXECUTABLE
from helpers.small_data import write_idx

from lenetcli.cli.app import main
from lenetcli.data.published import PUBLISHED
from lenetcli.data.sources import DataSource, find
from lenetcli.experiment.datasets import Counts
from lenetcli.machine import limits
from lenetcli.store.store import Store


def make_empty(path):
    """A store with a data set and without runs."""
    Store.open(str(path), write=True).add_dataset("d" * 64, Counts(6, 1, 1), b"0")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_idx(tmp_path_factory.mktemp("digits"), 120, 20)


@pytest.fixture
def folder(tmp_path, monkeypatch, data):
    for name in [name for name in os.environ if name.startswith("LENETCLI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LENETCLI_DATA", str(data))
    monkeypatch.setenv("LENETCLI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LENETCLI_OFFLINE", "1")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def run(capsys, *arguments):
    """The exit code and what was said on stderr."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert captured.err.startswith("Error: ")
    assert captured.err.count("\n") == 1
    problem, _, advice = captured.err.removeprefix("Error: ").rstrip().partition(" ")
    assert problem
    assert advice.endswith(".")
    return ended.value.code, captured.err


USAGE = [
    ("sweep lrr 0.1", "'lrr'", "Did you mean lr?"),
    ("sweep colour 1", "'colour'", "lr, filters, batch-size, seed, momentum, precision, kernel-size"),
    ("sweep num_filters x", "'x'", "whole number"),
    ("sweep lr 0.1 banana", "'banana'", "not a number"),
    ("sweep lr 1_000", "'1_000'", "not a number"),
    ("sweep lr 0,1", "'0,1'", "`lenetcli sweep lr 0.1`."),
    ("sweep lr 1e999", "'1e999'", "too large"),
    ("sweep lr 1e-999", "'1e-999'", "would be zero"),
    ("sweep lr nan", "'nan'", "not a number"),
    ("sweep lr inf", "'inf'", "not a number"),
    ("sweep lr 1e39", "'1e39'", "too large"),
    ("sweep lr 1e-46", "'1e-46'", "would be zero"),
    ("sweep filters 12345678901234567890", "'12345678901234567890'", "many digits"),
    ("sweep lr -0.1", "-0.1", "positive"),
    ("sweep lr 0", "0", "positive"),
    ("sweep lr 0.1 --fitlers 3", "--fitlers", "--help"),
    ("sweep filters 16 0", "--filters cannot be 0", "from 1"),
    ("sweep filters -8", "-8", "from 1"),
    ("sweep filters 1.5", "'1.5'", "whole number"),
    ("sweep precision int8", "'int8'", "bfloat16"),
    ("sweep seed 0 1 --seeds 2", "--seeds", "Leave one"),
    ("sweep lr 0.1 --seeds 0", "0 seeds", "from 1 to 1000"),
    ("sweep lr", "The axis lr has no values", "lr 0.1 0.01"),
    ("sweep lr filters 8", "The axis lr has no values", "lr 0.1 0.01"),
    ("sweep lr 0.1 fliters 8", "'fliters' is neither a value of lr nor a parameter", "Did you mean filters?"),
    ("sweep lr 0.1 lr 0.2", "The axis lr is given twice", "behind one lr"),
    ("sweep lr 0.1..0.01", "'0.1..0.01'", "0.1..0.01:4"),
    ("sweep lr 0.1..:4", "'0.1..:4' lacks an end", "8..64:4"),
    ("sweep lr 0.1..0.01:0", "cannot have 0 values", "from 2"),
    ("sweep filters 1..200 lr 0.1..0.001:100", "20,000 runs", "Leave out values"),
    ("sweep lr 0.1 --dry-run --commands", "--dry-run and --commands", "Choose one"),
    ("sweep", "a parameter and its values", "`lenetcli sweep lr 0.1 0.01 0.001 0.0001`"),
    ("train --lr 0", "0", "positive"),
    ("train --lr=-1", "-1", "positive"),
    ("train --lr", "--lr", "--help"),
    ("train --epochs 0", "--epochs cannot be 0", "from 1"),
    ("train --epochs 2.5", "'2.5'", "whole number"),
    ("train --batch-size 0", "--batch-size cannot be 0", "from 1"),
    ("train --batch-size 101", "101 is larger than the 100 training images", "smaller --batch-size"),
    ("train --filters 100000", "GB of memory", "--batch-size"),
    ("train --filters 2000 --batch-size 100 --hidden-units 2000000", "GB of memory", "--filters"),
    ("train --kernel-size 29", "29 pixels", "Try 3"),
    ("train --momentum 1", "momentum 1", "below 1"),
    ("train --seed -1", "--seed cannot be -1", "from 0"),
    ("train --threads 0", "0 threads", "from 1"),
    ("train --for yesterday", "'yesterday'", "2h"),
    ("train --for 0", "'0'", "2h"),
    ("train --for=-1h", "'-1h'", "2h"),
    ("train --for 1h --until 8:00", "--for and --until", "Choose one"),
    ("train --until 25:00", "'25:00'", "8:00"),
    ("train --until 2020-01-01T08:00", "'2020-01-01T08:00' has passed", "later"),
    ("train --jobs 2", "--jobs", "lenetcli train --help"),
    ("sweep lr 0.1 --jobs 0", "0 jobs", "from 1, or auto"),
    ("sweep lr 0.1 --jobs many", "'many'", "auto"),
    ("sweep lr 0.1 --jobs 1.5", "'1.5'", "auto"),
    ("sweep lr 0.1 --threads 0", "0 threads", "from 1"),
    ("sweep lr 0.1 --for 2h --until 8:00", "--for and --until", "Choose one"),
    ("sweep lr 0.1 --for -1h", "'-1h'", "2h"),
    ("train --shards 65", "65 shards", "at most"),
    ("train --precision half", "'half'", "float32"),
    ("train --device tpu", "'tpu'", "gpu:N"),
    ("train --device gpu:99", "gpu:99", "cpu"),
    ("train --dataset imagenet", "'imagenet'", "--data"),
    ("train --unknown", "--unknown", "lenetcli train --help"),
    ("train --unknown 0.5", "--unknown", "lenetcli train --help"),
    ("runs list --sort accuracy", "'accuracy'", "val_accuracy, test_accuracy, best_val_accuracy"),
    ("runs list --sort colour", "'colour'", "created_at, id, state"),
    ("plot loss", "'loss' is no parameter", "--metric val_loss` or `lenetcli plot --metric train_loss`"),
    ("plot lr -o a.docx", "a.docx ends in .docx", ".png or .svg"),
    ("data --shuffle a", "a has no ending", ".npz"),
    ("train 5", "5", "lenetcli train --help"),
    ("trian", "'trian'", "Did you mean"),
    ("plot colour", "'colour'", "runtime"),
    ("plot lr --runs ab --sweep cd", "--runs and --sweep", "Choose one"),
    ("plot lr -o lr.gif", "lr.gif", ".png or .svg or .pdf"),
    ("plot lr -o missing/lr.png", "missing/lr.png", "another file"),
    ("plot lr --metric beauty", "'beauty'", "val_accuracy"),
    ("plot lr --data lr.txt", "lr.txt", ".csv"),
    ("report -o report.doc", "report.doc", ".pdf or .typ"),
    ("runs list --json --csv", "--json and --csv", "Choose one"),
    ("runs list --state asleep", "'asleep'", "running, completed, interrupted, failed, diverged"),
    ("runs list --device tpu", "'tpu'", "cpu, gpu"),
    ("runs list --sort beauty", "'beauty'", "created_at"),
    ("runs list --limit 0", "0", "--all"),
    ("runs list --limit many", "'many'", "whole number"),
    ("runs list --limit 5 --all", "--limit and --all", "Choose one"),
    ("sweeps show ab --follow --json", "--follow and --json", "Choose one"),
    ("sweeps show ab --each --json", "--each and --json", "Choose one"),
    ("train --dry-run --no-wait", "--no-wait means nothing with --dry-run", "Leave it out"),
    ("train --dry-run --for 2h", "--for means nothing with --dry-run", "Leave it out"),
    ("sweep lr 0.1 --dry-run --each --until 8:00", "--until and --each mean nothing", "Leave them out"),
    ("sweep lr 0.1 --commands --each", "--each means nothing with --commands", "Leave it out"),
    ("sweep lr 0.1 --commands --no-wait --for 1h", "--no-wait and --for mean nothing", "Leave them out"),
    ("sweep lr 0.1 --commands --jobs auto", "--jobs means nothing with --commands", "Leave it out"),
    ("sweep lr 0.1 --commands --remeasure", "--remeasure means nothing with --commands", "Leave it out"),
    ("sweep lr 0.1 --commands --no-remeasure", "--no-remeasure means nothing", "Leave it out"),
    ("sweep lr 0.1 --remeasure --no-remeasure", "--no-remeasure means nothing with --remeasure", "Leave it"),
    ("sweep lr 0.1 --remeasure --jobs 2 --dry-run", "side by side are disturbed", "Leave out --jobs"),
    ("sweep lr 0.1 0.01 --lr 0.5", "--lr means nothing with the axis lr", "Leave it out"),
    ("sweep lr 0.1 seed 0 1 --seed 5", "--seed means nothing with the axis seed", "Leave it out"),
    ("sweep batch-size 8 16 --batch-size 4", "--batch-size means nothing", "Leave it out"),
    ("reproduce --dry-run --for 2h", "--for means nothing with --dry-run", "Leave it out"),
    ("reproduce --dry-run --until 8:00", "--until means nothing with --dry-run", "Leave it out"),
    ("plot runtime --metric error", "--metric means nothing with plot runtime", "Leave it out"),
    ("plot lr --log", "--log means nothing with --metric val_accuracy", "Leave it out"),
    ("plot grid --metric val_loss --log", "--log means nothing with --metric val_loss", "Leave it out"),
    ("runs save abc model.h5", "model.h5", ".keras"),
    ("runs save abc model.KERAS", "model.KERAS", ".keras"),
    ("runs show", "ID", "lenetcli runs show --help"),
    ("reproduce --seeds 0", "0 seeds", "from 1"),
    ("reproduce --epochs 0", "--epochs cannot be 0", "from 1"),
    ("reproduce --for yesterday", "'yesterday'", "2h"),
    ("reproduce --jobs 0", "0 jobs", "from 1, or auto"),
    ("reproduce --for 2h --until 8:00", "--for and --until", "Choose one"),
]


def test_commands_name_the_data_of_the_environment_where_it_is_the_set_that_is_named(
    folder, data, monkeypatch, capsys
):
    monkeypatch.setitem(
        PUBLISHED, "kmnist", replace(PUBLISHED["kmnist"], checksums=find(data=str(data)).checksums)
    )
    words = ["sweep", "lr", "0.1", "--dataset", "kmnist", "--batch-size", "8", "--commands"]
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
    command, _ = capsys.readouterr().out.splitlines()
    assert f"--dataset kmnist --data {data} " in command
    left = write_idx(folder / "data" / "KMNIST" / "raw", 120, 20)
    monkeypatch.setenv("LENETCLI_DATA", str(folder))  # holds it, but is not where it was found
    write_idx(folder / "other", 130, 20)
    with pytest.raises(SystemExit):
        main(words)
    said = capsys.readouterr()
    assert "left aside" in said.err and left.is_dir()
    assert f"--data {left} " in said.out.splitlines()[0]


@pytest.mark.parametrize(("typed", "problem", "advice"), USAGE, ids=[typed for typed, _, _ in USAGE])
def test_usage(folder, capsys, typed, problem, advice):
    code, stderr = run(capsys, *typed.split())
    assert code == 2
    assert problem in stderr
    assert advice in stderr
    assert list(folder.iterdir()) == []


def test_more_jobs_than_memory_holds(folder, capsys, monkeypatch):
    monkeypatch.setattr(limits, "memory_bytes", lambda: 2 * 10**9)
    code, stderr = run(capsys, "reproduce", "--dry-run", "--jobs", "3")
    assert code == 2
    assert "3 jobs need about 2." in stderr
    assert "this machine has 2.00 GB. Choose --jobs 2 or fewer." in stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "typed", ["plot", "plot lr", "plot runtime", "report", "runs list", "runs show ab", "sweeps list"]
)
def test_nothing_to_look_at(folder, capsys, typed):
    code, stderr = run(capsys, *typed.split())
    assert code == 3
    assert f"There is no store at '{folder}/lenetcli.db'" in stderr
    assert "lenetcli sweep lr" in stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "typed",
    ["plot", "plot lr", "plot lr --sweep ab", "runs show ab", "runs show xyz", "runs list --sweep ab"],
)
def test_a_store_without_it(folder, capsys, typed):
    make_empty("lenetcli.db")
    code, stderr = run(capsys, *typed.split())
    assert code == 3
    assert "lenetcli" in stderr
    assert [path.name for path in folder.iterdir()] == ["lenetcli.db"]


def make_foreign(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    connection.close()


def make_newer(path):
    make_empty(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE lenetcli_version SET version_num = '9999'")
    connection.close()


STORES = {
    "a folder": (Path.mkdir, "is a folder"),
    "no database": (lambda path: path.write_text("Dear diary, " * 500), "not a SQLite database"),
    "of another program": (make_foreign, "of another program"),
    "of a newer schema": (make_newer, "9999"),
    "a pipe": (os.mkfifo, "not an ordinary file"),
}


@pytest.mark.parametrize("command", ["train", "sweep lr 0.1", "runs list", "plot lr", "report"])
@pytest.mark.parametrize("kind", STORES)
def test_stores_that_are_none(folder, capsys, kind, command):
    make, problem = STORES[kind]
    make(folder / "lenetcli.db")
    before = (folder / "lenetcli.db").read_bytes() if (folder / "lenetcli.db").is_file() else None
    code, stderr = run(capsys, *command.split())
    assert code == 4
    assert problem in stderr
    assert [path.name for path in folder.iterdir()] == ["lenetcli.db"]
    assert before is None or (folder / "lenetcli.db").read_bytes() == before


@pytest.mark.parametrize("address", ["sqlite:///s.db?mode=ro", "sqlite+aiosqlite:///s.db"])
def test_addresses_that_are_more_than_a_path(folder, capsys, address):
    code, stderr = run(capsys, "train", "--store", address)
    assert code == 4
    assert "sqlite:///PATH" in stderr
    assert list(folder.iterdir()) == []


def test_what_was_typed_comes_before_the_environment(folder, capsys):
    with pytest.raises(SystemExit) as ended:  # though LENETCLI_DATA is set
        main(["data", "--dataset", "synthetic", "--json"])
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["name"] == "synthetic"
    assert run(capsys, "data", "--dataset", "synthetic", "--data", "elsewhere")[0] == 2


@pytest.mark.parametrize("command", ["train", "sweep lr 0.1"])
def test_a_store_in_no_folder(folder, capsys, command):
    code, stderr = run(capsys, *command.split(), "--store", "nowhere/lenetcli.db")
    assert code == 4
    assert f"There is no folder '{folder}/nowhere'" in stderr


def test_places_that_cannot_be_written(folder, capsys, monkeypatch):
    make_empty("lenetcli.db")
    monkeypatch.delattr(DataSource, "load")  # nothing is read that could not be kept
    (folder / "lenetcli.db").chmod(stat.S_IRUSR)
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        if os.access(folder, os.W_OK):
            pytest.skip("root writes where nobody may")
        assert run(capsys, "train")[0] == 4
        assert run(capsys, "train", "--store", "other.db")[0] == 4
        assert run(capsys, "plot", "lr")[0] == 2
        (folder / "lenetcli.db").chmod(stat.S_IRUSR | stat.S_IWUSR)  # which is no use without its journal
        assert run(capsys, "train")[0] == 4
    finally:
        folder.chmod(stat.S_IRWXU)


def test_addresses_keep_their_secrets(folder, capsys):
    for address in ("postgresql://anna:s3cret@host/db", "mysql://anna:s3cret@"):
        code, stderr = run(capsys, "train", "--store", address)
        assert code == 4
        assert "s3cret" not in stderr


def test_data_that_is_none(folder, capsys, data):
    code, stderr = run(capsys, "train", "--data", "nowhere")
    assert code == 5
    assert "nowhere" in stderr
    code, stderr = run(capsys, "train", "--dataset", "mnist")
    assert code == 5
    assert "MNIST" in stderr or "mnist" in stderr
    (folder / "mine").mkdir()
    for path in data.iterdir():
        (folder / "mine" / path.name).write_bytes(path.read_bytes()[:-5])
    code, stderr = run(capsys, "sweep", "lr", "0.1", "--data", "mine")
    assert code == 5
    assert "mine" in stderr
    assert [path.name for path in folder.iterdir()] == ["mine"]
    (folder / "mnist.pkl.gz").write_bytes(gzip.compress(pickle.dumps([1, 2])))
    for command in ("data", "train"):
        with pytest.raises(SystemExit) as ended:
            main([command, "--data", "mnist.pkl.gz"])
        captured = capsys.readouterr()
        assert ended.value.code == 5 and captured.out == ""
        lines = captured.err.splitlines()  # code stands on lines of its own, as it is typed
        assert "is never opened" in lines[0] and 'file = gzip.open("mnist.pkl.gz", "rb")' in lines


def test_what_was_made_of_a_path_is_a_note(folder, capsys, data):
    (folder / "data" / "MNIST").mkdir(parents=True)
    shutil.copytree(data, folder / "data" / "MNIST" / "raw")
    for command in (["data"], ["train", "--epochs", "1", "--dry-run"]):
        with pytest.raises(SystemExit) as ended:
            main([*command, "--data", "data"])
        captured = capsys.readouterr()
        assert not ended.value.code
        assert f"The data set in '{folder / 'data' / 'MNIST' / 'raw'}' is used" in captured.err
        assert "is used" not in captured.out


def test_the_unexpected_is_told_without_a_traceback(folder, capsys, monkeypatch):
    def fail(*_arguments, **_options):
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(Store, "open", fail)
    code, stderr = run(capsys, "runs", "list")
    assert code == 1
    assert "ZeroDivisionError: a fault" in stderr
    assert "--debug" in stderr
    monkeypatch.delenv("LENETCLI_DEBUG", raising=False)
    with pytest.raises(ZeroDivisionError):
        main(["--debug", "runs", "list"])
    monkeypatch.setenv("LENETCLI_DEBUG", "0")
    assert run(capsys, "runs", "list")[0] == 1
    os.environ.pop("LENETCLI_DEBUG")  # which monkeypatch would bring back


@pytest.mark.parametrize("typed", ["", "runs", "sweeps"])
def test_no_command_shows_the_help(folder, capsys, typed):
    with pytest.raises(SystemExit) as ended:
        main(typed.split())
    assert ended.value.code == 2
    captured = capsys.readouterr()
    assert "Usage: " in captured.out + captured.err
    assert "went wrong" not in captured.out + captured.err


CHECK = """
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None  # importing either fails from here on
from lenetcli.cli.app import main
main()
"""


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("train --batch-size 101", 2),
        ("sweep filters 100000", 2),
        ("train --device gpu:99", 2),
        ("train --data nowhere", 5),
        ("train --store nowhere/x.db", 4),
        ("runs save ab model.keras", 3),
        ("plot lr -o x.gif", 2),
    ],
)
def test_mistakes_are_found_before_tensorflow(folder, typed, code):
    done = subprocess.run([sys.executable, "-c", CHECK, *typed.split()], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("Error: ")
    assert "went wrong" not in done.stderr
    assert list(folder.iterdir()) == []


def test_the_installed_command_ends_with_the_code(folder):
    done = subprocess.run([EXECUTABLE, "sweep", "lr", "-3"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: The learning rate -3 is not a positive number. Try 0.1.\n"
