"""What people type: understood where it means one thing, else the commands that were probably meant."""

import re
import shlex
import unicodedata

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from lenetcli.cli.answers import understand, write
from lenetcli.cli.app import app
from lenetcli.cli.axes import parse_axes
from lenetcli.cli.typed import find_invisible, read, tidy
from lenetcli.errors import UsageError
from lenetcli.experiment.parameters import PARAMETERS, SWEPT, find_meanings

GROUP = typer.main.get_command(app)


def hand_on(*words):
    """The words that Click gets."""
    return understand(words, GROUP)


def refuse(text):
    """The commands in the error for what is typed; each of them is understood, and as it is written."""
    with pytest.raises(UsageError) as caught:
        parse_axes(read(hand_on(*shlex.split(text)), GROUP).arguments, write=write)
    assert caught.value.exit_code == 2
    commands = re.findall("`lenetcli (.*?)`", str(caught.value))
    for command in commands:
        assert hand_on(*shlex.split(command)) == shlex.split(command)
    return commands


@pytest.mark.parametrize(
    ("typed", "commands"),
    [
        ("sweep filter_size 1 3 5 7", ["sweep filters 1 3 5 7", "sweep kernel-size 1 3 5 7"]),
        ("sweep Filter-Sizes 1 3", ["sweep filters 1 3", "sweep kernel-size 1 3"]),
        ("sweep filter size 1 3", ["sweep filters 1 3", "sweep kernel-size 1 3"]),
        (
            "sweep size 8 lr 0.1",
            [f"sweep {name} 8 lr 0.1" for name in ("filters", "batch-size", "kernel-size", "hidden-units")],
        ),
        (
            "sweep lr 0.1 1 filter_size 3 5 --epochs=2 --store 'a b'",
            [
                "sweep lr 0.1 1 filters 3 5 --epochs 2 --store 'a b'",
                "sweep lr 0.1 1 kernel-size 3 5 --epochs 2 --store 'a b'",
            ],
        ),
        ("sweep lr 0.1 --filter-size 3", ["sweep lr 0.1 --filters 3", "sweep lr 0.1 --kernel-size 3"]),
        ("sweep lr 0.1 --filter-size 3 5", ["sweep lr 0.1 filters 3 5", "sweep lr 0.1 kernel-size 3 5"]),
        ("train --filter_size=3", ["train --filters 3", "train --kernel-size 3"]),
        ("sweep alpha 0.1 0.9", ["sweep lr 0.1 0.9", "sweep momentum 0.1 0.9"]),
        ("sweep seeds 3", ["sweep seed 3", "sweep seed 0..2"]),
        ("sweep lr 0.1 seeds 3", ["sweep lr 0.1 seed 3", "sweep lr 0.1 --seeds 3"]),
        ("sweep lr 0.1 n_seeds 3", ["sweep lr 0.1 --seeds 3"]),
        ("sweep lr 0,1 0,01", ["sweep lr 0.1 0.01"]),
        ("sweep lr 1,5 2", ["sweep lr 1.5 2", "sweep lr 1 5 2"]),
        ("sweep lr 0,1..0,001:4", ["sweep lr 0.1..0.001:4"]),
        ("sweep batch-size 1,024", ["sweep batch-size 1024"]),
        ("sweep hidden-units 64,128", ["sweep hidden-units 64128", "sweep hidden-units 64 128"]),
        ("train --lr 0,1", ["train --lr 0.1"]),
        ("train --lr 0.1,0.01 --epochs 2", ["sweep lr 0.1 0.01 --epochs 2"]),
        ("train --lr 0.1 0.01", ["sweep lr 0.1 0.01"]),
        ("sweep --lr 0.1 0.01", ["sweep lr 0.1 0.01"]),
        (
            "sweep lr 0.1 0.01 --filters 8 16",
            ["sweep lr 0.1 0.01 filters 8 16", "sweep lr 0.1 0.01 16 --filters 8"],
        ),
        ("sweep lr 1 --epochs 2 3", ["sweep lr 1 3 --epochs 2", "sweep lr 1 --epochs 3"]),
        ("sweep epochs 1 2", ["train --epochs 2"]),
        ("sweep epochs 1 2 --jobs 2 --store s.db", ["train --store s.db --epochs 2"]),
        ("sweep lr 0.1 1 epochs 1 2", ["sweep lr 0.1 1 --epochs 2"]),
        ("sweep device cpu gpu", ["train --device cpu", "train --device gpu"]),
        ("sweep lr 1 threads 1 2", ["sweep lr 1 --threads 1", "sweep lr 1 --threads 2"]),
        ("sweep 0.1 0.01", ["sweep lr 0.1 0.01"]),
        ("train lr 0.1 filters=8", ["train --lr 0.1 --filters 8"]),
        ("train lr 0.1 0.01 --epochs 2", ["sweep lr 0.1 0.01 --epochs 2"]),
        ("train 0.1", ["train --lr 0.1"]),
        ("train --gpu", ["train --device gpu"]),
        ("train --dropout 0.5", []),
        ("train --seeds 3 --epochs 2", ["train --epochs 2 --seed 3", "sweep seed 0..2 --epochs 2"]),
        ("train --n-seeds=2", ["train --seed 2", "sweep seed 0..1"]),
        ("train --epochs", []),
        ("report --author --title x", []),
        ("--store a.db sweep lr 0.1", ["sweep lr 0.1 --store a.db"]),
        ("sweep lr 0.1 gpu", ["sweep lr 0.1 --device gpu"]),
        ("sweep lr 0.1 kmnist 0.2", ["sweep lr 0.1 0.2 --dataset kmnist"]),
        ("sweep filters 8-64", []),
        ("sweep lr 1e-3:0.1", []),
        ("runs list 12ab", ["runs show 12ab"]),
        ("store info a.db", ["store info --store a.db"]),
        ("devices gpu", []),
        ("runs show", []),
        ("train --layers 3", []),
        ("train --jobs 3 --dry-run", []),
        ("train -e 3", []),
        ("runs list --lr 0.1", []),
        ("train --lr 1 --lr 0.1 --epochs 2", ["sweep lr 1 0.1 --epochs 2"]),
        ("sweep --lr 1 --lr 0.1", ["sweep lr 1 0.1"]),
        ("train --epochs 3 --epochs 4", []),
        ("plot lr --curves --no-curves", []),
        ("sweep --lr=0.1 --epochs 2", ["train --lr 0.1 --epochs 2", "sweep lr 0.1 --epochs 2"]),
        ("sweep", ["sweep lr 0.1 0.01 0.001 0.0001"]),
        ("sweep layers 1 2", []),
        ("sweep jobs 1 2", []),
        ("plot lr a.svg", ["plot lr -o a.svg"]),
        ("plot a.csv --store s.db", ["plot --store s.db --csv a.csv"]),
        ("plot lr filters", ["plot lr", "plot filters", "plot grid"]),
        ("report a.pdf", ["report -o a.pdf", "report a.pdf --verify"]),
        ("report own.tex -o a.pdf", ["report -o own.tex"]),
        ("report a.db", ["report --store a.db"]),
        ("data mnist", ["data --dataset mnist"]),
        ("data FashionMNIST", ["data --dataset fashion-mnist"]),
        ("data some/folder --json", ["data --json --data some/folder"]),
        ("runs export ab a.keras", ["runs save ab a.keras"]),
        ("runs frobnicate", []),
        ("sweep lr 0.1 --fitlers=8", ["sweep lr 0.1 --filters 8"]),
        ("swep lr 0.1", ["sweep lr 0.1"]),
        ("sweep list", ["sweeps list"]),
        ("sweeps lr 0.1", ["sweep lr 0.1"]),
        ("lr 0.1 0.01", ["sweep lr 0.1 0.01"]),
        ("list", ["runs list", "sweeps list"]),
        ("run", ["train", "runs list"]),
        ("show 12ab", ["runs show 12ab", "sweeps show 12ab"]),
    ],
)  # fmt: skip
def test_what_is_not_certain_is_refused_with_each_command(typed, commands):
    assert refuse(typed) == commands


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("help", "--help"),
        ("help sweep", "sweep --help"),
        ("sweep help", "sweep --help"),
        ("runs help", "runs --help"),
        ("version", "--version"),
        ("Sweep lr 0.1", "sweep lr 0.1"),
        ("train --learning-rate 0.1 --bs 8", "train --lr 0.1 --batch-size 8"),
        ("train --num_filters=8 --kernel 3 --n-epochs 2", "train --filters 8 --kernel-size 3 --epochs 2"),
        ("train -lr 0.1 --dryrun", "train --lr 0.1 --dry-run"),
        ("plot learning rate", "plot learning-rate"),
        ("plot 12ab -o a.svg", "plot --sweep 12ab -o a.svg"),
        ("report 12ab", "report --sweep 12ab"),
        ("report --verify 12ab", "report --verify 12ab"),
        ("report own.tex --author Ada", "report -o own.tex --author Ada"),
        ("report --verify own.md", "report --verify own.md"),
        ("runs 12ab", "runs show 12ab"),
        ("sweep lr --epochs 3 0.1", "sweep lr --epochs 3 0.1"),
        ("sweep lr 0.1 --epochs 3 0.01", "sweep lr 0.1 --epochs 3 0.01"),
        ("sweep lr -0.1", "sweep lr -0.1"),
        ("plot lr -oa.svg", "plot lr -oa.svg"),
        ("train -- --x", "train -- --x"),
        ("train --for=2h --dry-run", "train --for 2h --dry-run"),
        ("train --lr 0.1 --lr=0.1", "train --lr 0.1 --lr 0.1"),
        ("plot --runs ab --runs cd", "plot --runs ab --runs cd"),
        # Pasted from a page, or typed on another keyboard.
        ("train –lr 0.1 —filters 8 −−epochs 2", "train --lr 0.1 --filters 8 --epochs 2"),
        ("sweep batch\u2011size 8 lr “0.1” ‘1e−3’", "sweep batch-size 8 lr 0.1 1e-3"),
        ("sweep lr ０．１ ٠٫٠١ 0.1…0.01:3", "sweep lr 0.1 0.01 0.1..0.01:3"),
        ("report --title “My own report” --author “Me”", "report --title My own report --author Me"),
        ("report --title=“My report” -o „r.pdf“", "report --title My report -o r.pdf"),
        ("data --data “a folder” --json", "data --data a folder --json"),
        ("runs save ab «a model.keras»", "runs save ab a model.keras"),
        ("report --title “open --author x", "report --title “open --author x"),
        ("\ufeffsweep ker\u00adnel-size 3\u200b 5", "sweep kernel-size 3 5"),
    ],
)
def test_what_is_certain_is_understood(typed, meant):
    assert " ".join(hand_on(*typed.split(" "))) == meant


def test_blanks_that_a_shell_keeps_separate_words():
    assert hand_on("sweep\xa0lr", "0.1\u202f0.01", "--epochs\xa02") == [
        "sweep",
        "lr",
        "0.1",
        "0.01",
        "--epochs",
        "2",
    ]
    assert hand_on("sweep", "lr", "0.1 0.01", "\u3000") == ["sweep", "lr", "0.1", "0.01"]


@pytest.mark.parametrize("text", ["“Über\xa0– uns”", "سلام\u200c.db", "８.db", "–x", "a,b", "[1]"])
def test_paths_and_titles_stay_as_typed(text):
    typed = ["report", "--title", text, "-o", text, "--store", text]
    assert hand_on(*typed) == typed
    assert hand_on("report", "--title", f"{text}\u200b") == ["report", "--title", f"{text}\u200b"]
    assert hand_on("report", f"--title={text}") == ["report", "--title", text]
    assert hand_on("report", "--verify", text) == ["report", "--verify", text]
    assert hand_on("runs", "save", "ab", text) == ["runs", "save", "ab", text]


@pytest.mark.parametrize("hidden", ["\u200b", "\ufeff", "\u00ad"])
def test_no_new_file_has_a_character_in_its_name_that_nobody_sees(hidden, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for typed in (
        "train --store a{}.db",
        "plot lr -o a{}.png",
        "runs save ab a{}.keras",
        "report a{}.pdf --verify",
    ):
        with pytest.raises(UsageError, match="invisible character") as caught:
            hand_on(*typed.format(hidden).split())
        assert f"Type `lenetcli {typed.format('')}`." in str(caught.value)
    (tmp_path / f"a{hidden}.db").touch()
    typed = ["train", "--store", f"a{hidden}.db"]
    assert hand_on(*typed) == typed


def test_blanks_around_a_path_are_none_of_it_but_those_in_it_are():
    with pytest.raises(UsageError, match=r"no-break space .*after 's.db'"):
        hand_on("train", "--store", "s.db\xa0")
    with pytest.raises(UsageError, match="left-to-right embedding"):
        hand_on("train", "--store", "\u202as.db")
    typed = ["train", "--store", "Screen\u202fshot.db"]
    assert hand_on(*typed) == typed


def test_what_is_in_quotes_of_a_page_is_what_they_hold_unless_a_file_is_called_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert hand_on("train", "--store", "“x.db”") == ["train", "--store", "x.db"]
    (tmp_path / "“x.db”").touch()
    assert hand_on("train", "--store", "“x.db”") == ["train", "--store", "“x.db”"]


def test_an_invisible_character_is_named():
    typed = ["--store", "s.db\xa0"]
    name = "There is an invisible character, no-break space (U+00A0), after 's.db'."
    assert find_invisible(typed, "There is no store at 's.db\xa0'.") == name
    assert find_invisible(typed, "Another problem.") == ""
    assert "zero width space (U+200B)" in find_invisible(["a\u200bb"], "'a\\u200bb'")


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1))
def test_plain_words_stay(word):
    assert tidy(word) == word


@given(st.integers(0, 10**6), st.sampled_from("０٠०๐𝟎"))
def test_digits_of_any_script_are_read(number, zero):
    assert unicodedata.decimal(zero) == 0
    assert tidy("".join(chr(ord(zero) + int(digit)) for digit in str(number))) == str(number)


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ("filters 8,16,32", (8, 16, 32)),
        ("filters [8, 16, 32]", (8, 16, 32)),
        ("filters (8,16)", (8, 16)),
        ("filters=8 16", (8, 16)),
        ("filters: 8 16", (8, 16)),
        ("filters = 8", (8,)),
        ("filters 8..10,64", (8, 9, 10, 64)),
        ("lr 0.1,0.01,", (0.1, 0.01)),
        ("lr 1,0.1", (1, 0.1)),
        ("lr 1,2,3", (1, 2, 3)),
        ("learning rate 0.1", (0.1,)),
        ("number of hidden units 8", (8,)),
        ("precision float32,bfloat16", ("float32", "bfloat16")),
    ],
)
def test_lists_of_other_languages_are_lists(typed, values):
    ((axis,), _) = parse_axes(typed.split())
    assert axis.values == values


@given(st.floats(1e-6, 10), st.floats(1e-6, 10))
def test_a_decimal_comma_never_becomes_two_values(first, second):
    words = [f"{number:.6f}".replace(".", ",") for number in (first, second)]
    for typed in (words, [",".join(words)]):
        with pytest.raises(UsageError, match="comma"):
            parse_axes(["lr", *typed])


@pytest.mark.parametrize(
    ("typed", "notes"),
    [
        ("lr 0.1 .1 1e-1 0.10", ["0.1, .1, 1e-1 and 0.10 of lr are one value: 0.1."]),
        ("lr 0.1 0.100000001", ["0.1 and 0.100000001 of lr are one value in float32: 0.1."]),
        ("lr 0.1 0.1 0.01", ["0.1 of lr is given 2 times, and is trained once."]),
        ("seed 1..3 02", ["2 and 02 of seed are one value: 2."]),
        ("seed 0..9 0..9", ["10 values of seed are given several times, and are trained once."]),
        ("lr 0.1 0.01", []),
    ],
)
def test_spellings_of_one_value_are_told(typed, notes):
    assert parse_axes(typed.split())[1] == tuple(notes)


def test_each_alias_leads_to_its_parameter_or_to_several():
    for row in PARAMETERS.values():
        assert find_meanings(row.name, PARAMETERS) == (row.name,)
        for alias in row.aliases:
            assert row.name in find_meanings(alias, PARAMETERS)
    one = {"conv_size", "filter_width", "kernel", "num_filters", "n_filters", "hidden", "bs", "eta", "dtype"}
    several = {"filter_size", "filter-size", "Size", "width", "k", "kernels", "alpha"}
    assert {name for name in one | several if len(find_meanings(name, SWEPT)) == 1} == one
