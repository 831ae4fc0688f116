"""Grids as typed: axes, ranges, seeds; words, axes and words again."""

import math
import shlex
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from helpers.made_up import make_config
from hypothesis import assume, given
from hypothesis import strategies as st

from lenetcli.cli.axes import MOST_CELLS, parse_axes
from lenetcli.errors import UsageError
from lenetcli.experiment.config import Precision, Request
from lenetcli.experiment.parameters import SWEPT
from lenetcli.experiment.recipes import round_value
from lenetcli.experiment.sweep import Axis, Cell, Sweep, write_command, write_words
from lenetcli.training.requests import expand


def read(text):
    return parse_axes(shlex.split(text))[0]


def values(text):
    (axis,) = read(text)
    return axis.values


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("lr 0.1 0.01 filters 8 16", {"lr": (0.1, 0.01), "filters": (8, 16)}),
        ("filters 8 16 lr 0.1 0.01", {"filters": (8, 16), "lr": (0.1, 0.01)}),
        ("Batch-Size 32 learning_rate 1e-3 seeds 2 3", {"batch_size": (32,), "lr": (0.001,), "seed": (2, 3)}),
        ("precision float32 bfloat16 kernel 3", {"precision": tuple(Precision), "kernel_size": (3,)}),
        ("lr 0.1 0.1 0.01", {"lr": (0.1, 0.01)}),
    ],
)
def test_a_parameter_begins_an_axis(typed, expected):
    assert {axis.name: axis.values for axis in read(typed)} == expected
    assert [axis.name for axis in read(typed)] == list(expected)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("lr 0.1..0.0001:4", (0.1, 0.01, 0.001, 0.0001)),
        ("lr 0.0001..0.1:4", (0.0001, 0.001, 0.01, 0.1)),
        ("lr 0.1..0.01:3", (0.1, 0.0316, 0.01)),
        ("lr 0.3 0.1..0.01:2 0.1", (0.3, 0.1, 0.01)),
        ("filters 8..256:6", (8, 16, 32, 64, 128, 256)),
        ("hidden-units 100..5000:5", (100, 266, 707, 1880, 5000)),
        ("batch-size 32..512:3", (32, 128, 512)),
        ("momentum 0..0.9:4", (0.0, 0.3, 0.6, 0.9)),
        ("kernel-size 1..7:4", (1, 3, 5, 7)),
        ("seed 0..4", (0, 1, 2, 3, 4)),
        ("seed 4..0", (4, 3, 2, 1, 0)),
        ("seed 3..3", (3,)),
        ("seed 1000..1010:6", (1000, 1002, 1004, 1006, 1008, 1010)),
        ("filters 8..10 64", (8, 9, 10, 64)),
    ],
)
def test_a_range_stands_for_its_values(typed, expected):
    assert values(typed) == expected


@pytest.mark.parametrize(
    ("typed", "note"),
    [
        ("filters 1..4:8", "1..4:8 of filters is 1, 2, 3 and 4, fewer than 8 values."),
        ("lr 0.1..0.1:3", "0.1..0.1:3 of lr is 0.1, fewer than 3 values."),
    ],
)
def test_values_that_round_to_one_are_told(typed, note):
    _, notes = parse_axes(typed.split())
    assert notes == (note,)


@given(
    name=st.sampled_from(sorted(name for name, row in SWEPT.items() if row.kind is int and name != "seed")),
    ends=st.tuples(*[st.integers(1, 2000)] * 2),
    count=st.integers(2, 60),
)
def test_a_range_of_whole_numbers_goes_from_end_to_end(name, ends, count):
    found = values(f"{SWEPT[name].option} {ends[0]}..{ends[1]}:{count}")
    assert (found[0], found[-1]) == (ends[0], ends[-1])
    assert list(found) == sorted(found, reverse=ends[0] > ends[1])
    assert len(set(found)) == len(found) <= count


@given(st.floats(1e-6, 10), st.floats(1e-6, 10), st.integers(2, 40))
def test_a_range_of_rates_is_in_equal_ratios_to_three_digits(first, last, count):
    first, last = (float(f"{end:.3g}") for end in (first, last))
    found = values(f"lr {first!r}..{last!r}:{count}")
    assert (found[0], found[-1]) == (first, last)
    assert all(float(f"{rate:.3g}") == rate for rate in found)
    if len(found) == count:
        for place, rate in enumerate(found):
            exact = first * (last / first) ** (place / (count - 1))
            assert math.isclose(rate, exact, rel_tol=0.0051)  # half of the third digit of 1.00


AXES = st.fixed_dictionaries(
    {},
    optional={
        "lr": st.lists(st.floats(1e-6, 10).map(round_value), min_size=1, max_size=3, unique=True),
        "filters": st.lists(st.integers(1, 64), min_size=1, max_size=3, unique=True),
        "momentum": st.lists(st.sampled_from([0.0, 0.5, 0.9]), min_size=1, max_size=3, unique=True),
        "precision": st.lists(st.sampled_from(list(Precision)), min_size=1, max_size=2, unique=True),
        "kernel_size": st.lists(st.sampled_from([1, 3, 5]), min_size=1, max_size=2, unique=True),
    },
)


def make_sweep(axes, request, seeds=1):
    repeated = (Axis("seed", tuple(range(seeds))),) if seeds > 1 else ()
    axes = (*axes, *repeated)
    configs = [
        replace(make_config(), **{axis.name: getattr(one, axis.name) for axis in axes})
        for one in expand(request, axes)
    ]
    now = datetime.now(UTC)
    return Sweep(
        axes=axes, epochs=request.epochs, dataset_name="fake", request=request, created_at=now,
        last_requested=now, cells=tuple(Cell(config=config) for config in configs),
    )  # fmt: skip


@given(AXES, st.integers(1, 3), st.randoms(use_true_random=False))
def test_words_axes_and_words_again(grid, seeds, chance):
    assume(grid)
    names = list(grid)
    chance.shuffle(names)
    axes = tuple(Axis(name, tuple(grid[name])) for name in names)
    sweep = make_sweep(axes, Request(), seeds)
    assert len(sweep.cells) == math.prod(len(axis.values) for axis in sweep.axes)
    words = shlex.split(write_command(sweep))[2:]
    options = words.index("--seeds") if "--seeds" in words else len(words)
    found, notes = parse_axes(words[:options], seeds if seeds > 1 else None)
    assert (found, notes) == (sweep.axes, ())
    # The order in which axes and values are typed is that of training, and no part of the identity.
    turned = tuple(Axis(axis.name, axis.values[::-1]) for axis in axes[::-1])
    assert make_sweep(turned, Request(), seeds).id == sweep.id


@pytest.mark.parametrize(
    ("typed", "problem", "advice"),
    [
        ("lr filters 8", "The axis lr has no values", "lr 0.1 0.01"),
        ("filters 8 lr", "The axis lr has no values", "lr 0.1 0.01"),
        ("lr 0.1 filters 8 lr 0.2", "The axis lr is given twice", "one lr"),
        ("lr 0.1 learning_rate 0.2", "The axis lr is given twice", "one lr"),
        ("lr 0.1 fliters 8", "'fliters' is neither a value of lr nor a parameter", "filters"),
        ("precision bfloat16 fliters 8", "'fliters' is neither a value of precision", "filters"),
        ("precision float", "There is no precision 'float'", "float32"),
        ("lr 0.1..0.01", "does not say how many", "0.1..0.01:4"),
        ("lr 0.1..:3", "lacks an end", "8..64:4"),
        ("lr ..0.1:3", "lacks an end", "8..64:4"),
        ("lr ..", "lacks an end", "8..64:4"),
        ("lr 0..0.1:3", "does not begin or end at 0", "above 0"),
        ("lr -0.1..0.1:3", "does not begin or end at -0.1", "above 0"),
        ("lr 0.1..0.01:1", "cannot have 1 values", "from 2 to 10,000"),
        ("lr 0.1..0.01:0", "cannot have 0 values", "from 2 to 10,000"),
        ("lr 0.1..0.01:-4", "cannot have -4 values", "from 2 to 10,000"),
        ("lr 0.1..0.01:1000000", "cannot have 1,000,000 values", "from 2 to 10,000"),
        ("lr 0.1..0.01:", "''", "digits"),
        ("lr 0.1..0.01:4.5", "'4.5'", "digits"),
        ("lr 0.1..banana:4", "'banana'", "not a number"),
        ("seed 0..99999", "has 100,000 values", "0..99999:4"),
        ("precision float32..bfloat16", "'float32..bfloat16'", "bfloat16"),
        ("filters 1..100 seed 0..100", "10,100 runs", "Leave out values"),
    ],
)
def test_what_is_no_grid_is_one_error(typed, problem, advice):
    with pytest.raises(UsageError) as caught:
        read(typed)
    assert problem in caught.value.problem
    assert advice in f"{caught.value.problem} {caught.value.advice}"


def test_the_largest_grid_is_taken():
    axes, _ = parse_axes(["lr", "0.1..0.001:100"], seeds=100)
    assert math.prod(len(axis.values) for axis in axes) == MOST_CELLS
    with pytest.raises(UsageError, match="10,100 runs"):
        parse_axes(["lr", "0.1..0.001:101"], seeds=100)


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ("lr 0.1 0.01 seed 5", "lr 0.1 0.01 --seed 5"),
        ("lr 0.1 0.01 seed 5 6", "lr 0.1 0.01 --seeds 2 --seed 5"),
        ("lr 0.1 0.01 seed 5 7", "lr 0.1 0.01 seed 5 7"),
        ("seed 0 1", "seed 0 1"),
    ],
)
def test_seeds_of_any_numbers_are_written_as_they_are_meant(axes, words):
    assert write_words(Request(), read(axes)) == words.split()


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("lr 1e-4..1:200", "lr 0.0001..1:200"),
        ("lr 1..0.001:13 filters 8 16", "lr 1..0.001:13 filters 8 16"),
        ("filters 1..200", "filters 1..200"),
        ("seed 40..1", "seed 40..1"),
        ("momentum 0..0.9:31", "momentum 0..0.9:31"),
        ("lr 10 3 1e-4..1:50", "lr 10 3 0.0001..1:50"),
        ("lr 0.1..0.0001:4", "lr 0.1 0.01 0.001 0.0001"),
        ("filters 1..12", "filters 1 2 3 4 5 6 7 8 9 10 11 12"),
    ],
)
def test_many_values_are_written_as_a_range_with_the_same_values(typed, written):
    axes = read(typed)
    assert shlex.join(write_words(Request(), axes)) == written
    assert read(written) == axes


def test_many_values_in_no_range_are_written_one_by_one():
    typed = "lr " + " ".join(str(number / 1000 + 0.1) for number in (*range(20), 99))
    assert shlex.join(write_words(Request(), read(typed))) == typed
