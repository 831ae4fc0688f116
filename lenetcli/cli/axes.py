"""The axes of a grid as typed: parameters with their values and ranges, and the seeds."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lenetcli.cli.grid_words import Write, check_names, group_words, read_lists, write_plainly
from lenetcli.cli.names import suggest_parameter
from lenetcli.cli.values import parse, parse_integer
from lenetcli.errors import UsageError
from lenetcli.experiment.parameters import Parameter
from lenetcli.experiment.ranges import space
from lenetcli.experiment.recipes import round_value
from lenetcli.words import join_words, name_value, name_values, plural

if TYPE_CHECKING:
    from lenetcli.experiment.sweep import Axis

MOST_CELLS = 10_000
"""The largest number of runs of a grid."""

MOST_SEEDS = 1000
"""The largest number of seeds of ``--seeds``."""

MOST_NOTES = 5
"""The largest number of values of an axis of which each gets a note."""

_NUMBER = r"((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
_OTHER_RANGE = re.compile(rf"{_NUMBER}[-:]{_NUMBER}")
_RANGE = re.compile(r"(?P<first>.*?)\.\.(?P<last>[^:]*)(?P<count>:.*)?", re.DOTALL)


def parse_axes(
    words: Sequence[str], seeds: int | None = None, seed: int = 0, write: Write = write_plainly
) -> "tuple[tuple[Axis, ...], tuple[str, ...]]":
    """The axes of a grid as typed, and notes on values that are fewer than were typed.

    A word that names a parameter begins an axis; the words behind it are its values and ranges. With
    ``seeds``, the last axis is so many seeds from ``seed`` upwards. ``write`` writes the commands of errors.

    Raises:
        UsageError: if a word is no value of its axis, an axis has no values or is given twice, or the grid
            has more than ``MOST_CELLS`` runs.
    """
    from lenetcli.experiment.sweep import Axis

    for word in words:
        # ``sweep`` passes unknown options on as words, so that a value may be negative.
        if re.match(r"--|-[A-Za-z]", word):
            raise UsageError(f"There is no option {word.split('=')[0]}.", "See lenetcli sweep --help.")
    axes, notes = [], []
    for parameter, typed in read_lists(check_names(group_words(words), write), write):
        found: list[tuple[str, Any]] = []
        for word in typed:
            values, note = _parse_word(parameter, word)
            found += [(word if len(values) == 1 else name_value(value), value) for value in values]
            notes += [note] if note else []
        notes += _note_same(parameter, found)
        axes.append(Axis(parameter.name, tuple(value for _, value in found)))
    axes += make_seeds(seeds, seed, [axis.name for axis in axes])
    cells = math.prod(len(axis.values) for axis in axes)
    if cells > MOST_CELLS:
        raise UsageError(
            f"This grid has {cells:,} runs, and {MOST_CELLS:,} are the most.",
            "Leave out values, or split it into several sweeps.",
        )
    return tuple(axes), tuple(notes)


def make_seeds(seeds: int | None, seed: int, others: Sequence[str] = ()) -> "list[Axis]":
    """The axis of ``--seeds``, of so many seeds from ``seed`` upwards; none for a single seed.

    Raises:
        UsageError: if the number is not in the range from 1 to ``MOST_SEEDS``, or the seed is among the
            ``others``.
    """
    from lenetcli.experiment.sweep import Axis

    if seeds is None:
        return []
    if not 1 <= seeds <= MOST_SEEDS:
        raise UsageError(f"{seeds} seeds cannot be trained.", f"Choose a number from 1 to {MOST_SEEDS}.")
    if "seed" in others:
        raise UsageError("A sweep over seeds needs no --seeds.", "Leave one of the two out.")
    return [Axis("seed", tuple(range(seed, seed + seeds)))] if seeds > 1 else []


def _note_same(parameter: Parameter, typed: Sequence[tuple[str, Any]]) -> Iterator[str]:
    """Yield a note on each value that was typed several times, in one spelling or in several."""
    spellings: dict[Any, list[str]] = {}
    exact: dict[Any, set[Any]] = {}
    for text, value in typed:
        spellings.setdefault(round_value(value), []).append(text.strip())
        exact.setdefault(round_value(value), set()).add(value)
    same = {value: texts for value, texts in spellings.items() if len(texts) > 1}
    if len(same) > MOST_NOTES:
        count = plural(len(same), "value")
        yield f"{count} of {parameter.option} are given several times, and are trained once."
        return
    for value, texts in same.items():
        if len(set(texts)) == 1:
            yield f"{texts[0]} of {parameter.option} is given {len(texts)} times, and is trained once."
            continue
        where = " in float32" if len(exact[value]) > 1 else ""
        yield f"{join_words(texts)} of {parameter.option} are one value{where}: {name_value(value)}."


def _parse_word(parameter: Parameter, word: str) -> tuple[tuple[Any, ...], str]:
    """The values of an axis that a word stands for, and a note if they are fewer than were asked for."""
    if other := _OTHER_RANGE.fullmatch(word.strip()):
        problem = f"{word!r} is no value of {parameter.option}."
        raise UsageError(problem, f"A range of 4 values is written {other[1]}..{other[2]}:4.")
    match = _RANGE.fullmatch(word.strip())
    if match is None or parameter.kind not in (int, float):
        return (_parse_value(parameter, word),), ""
    if not match["first"].strip() or not match["last"].strip():
        raise UsageError(f"The range {word!r} lacks an end.", "Write both, as in 8..64:4.")
    ends = [_parse_value(parameter, match[end]) for end in ("first", "last")]
    if match["count"] is None:
        return _count_through(parameter, word, *ends), ""
    count = parse_integer(match["count"][1:], f"number of values of {word}")
    if not 2 <= count <= MOST_CELLS:
        raise UsageError(f"{word!r} cannot have {count:,} values.", f"Choose from 2 to {MOST_CELLS:,}.")
    values = tuple(dict.fromkeys(_space(parameter, word, ends, count)))
    if len(values) == count:
        return values, ""
    named = name_values(values) if len(values) <= 12 else plural(len(values), "value")
    return values, f"{word} of {parameter.option} is {named}, fewer than {count} values."


def _parse_value(parameter: Parameter, word: str) -> Any:
    """A value of an axis, in the type of its field."""
    import difflib

    # "The value of precision" and "of lr" would be awkward.
    is_number = parameter.kind in (int, float)
    named = not is_number or parameter.noun != parameter.name.replace("_", " ")
    try:
        return parse(word, parameter.kind, parameter.noun if named else f"value of {parameter.option}")
    except UsageError:
        is_choice = not is_number and difflib.get_close_matches(word.lower(), list(parameter.kind))
        if word[:1].isalpha() and not is_choice and (nearest := suggest_parameter(word)):
            raise UsageError(
                f"{word!r} is neither a value of {parameter.option} nor a parameter. Did you mean {nearest}?",
                "See lenetcli sweep --help.",
            ) from None
        raise


def _count_through(parameter: Parameter, word: str, first: Any, last: Any) -> tuple[int, ...]:
    """Every whole number from the first to the last, up or down."""
    if parameter.kind is float:
        raise UsageError(
            f"The range {word!r} does not say how many values it has.", f"Write it as in {word}:4."
        )
    if abs(last - first) >= MOST_CELLS:
        count = f"{abs(last - first) + 1:,} values, more than {MOST_CELLS:,}"
        raise UsageError(f"The range {word!r} has {count}.", f"Say how many, as in {word}:4.")
    step = 1 if last >= first else -1
    return tuple(range(first, last + step, step))


def _space(parameter: Parameter, word: str, ends: Sequence[Any], count: int) -> Iterator[Any]:
    """So many values from the first to the last, in equal ratios or steps, each rounded."""
    (first, last), low = ends, min(ends)
    if parameter.ratios and low <= 0:
        raise UsageError(
            f"The range {word!r} of {parameter.noun} has equal ratios, and does not begin or end at "
            f"{name_value(low)}.",
            "Choose ends above 0.",
        )
    return space(parameter, first, last, count)
