"""The words of a grid as typed: the names, the values of each, and what has several meanings."""

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from lenetcli.cli.lists import Readings, read_list
from lenetcli.cli.names import parse_parameter
from lenetcli.cli.values import parse
from lenetcli.errors import UsageError
from lenetcli.experiment.exercise import example_values
from lenetcli.experiment.parameters import PARAMETERS, SWEPT, Parameter, find_meanings, squeeze
from lenetcli.words import join_words, name_value

Group = tuple[str, list[str]]
"""A name as typed, empty for values before the first name, and the words behind it."""

LONGEST_NAME = 4
"""The largest number of words that make a name: ``number of hidden units``."""

COUNTS_OF_SEEDS = ("numseeds", "nseeds", "numberofseeds", "repeats", "repetitions", "replicates")
"""Names, squeezed, for the number of seeds, which is an option."""


class Write(Protocol):
    """Writes a command with these words, and with these options beside or in place of those typed."""

    def __call__(self, words: Sequence[str], options: Sequence[str] = (), command: str = "sweep") -> str:
        """The whole command, as it can be typed."""
        ...


def write_plainly(words: Sequence[str], options: Sequence[str] = (), command: str = "sweep") -> str:
    """A command of nothing but these words and options; see ``Write``."""
    return shlex.join(["lenetcli", command, *words, *options])


def group_words(words: Sequence[str]) -> list[Group]:
    """The names among words, each with what follows it; ``lr=0.1``, ``lr: 0.1`` and ``learning rate`` too."""
    parts = [part for word in words for part in _separate(word)]
    groups: list[Group] = []
    while parts:
        length = next((n for n in range(LONGEST_NAME, 0, -1) if is_name(parts[:n], n)), 0)
        if length or not groups:
            length = length or (0 if _is_value(parts[0]) else 1)
            groups.append((" ".join(parts[:length]), []))
            del parts[:length]
        else:
            groups[-1][1].append(parts.pop(0))
    return groups


def is_name(parts: Sequence[str], length: int = 1) -> bool:
    """Whether so many words make one name of a parameter, or of the number of seeds."""
    name = "".join(parts)
    known = find_meanings(name, PARAMETERS) or squeeze(name) in COUNTS_OF_SEEDS
    return len(parts) == length and bool(known) and all(re.fullmatch(r"[^\W\d][\w-]*", one) for one in parts)


def _is_value(word: str) -> bool:
    return not word[:1].isalpha()


def _separate(word: str) -> Iterator[str]:
    """Yield the parts of a word: name and value of ``lr=0.1``, ``lr:0.1`` and ``lr(0.1)``, else the word."""
    match = re.fullmatch(r"([^\W\d][\w -]*?)?\s*[=:]\s*(.*)", word, re.DOTALL)
    if match is None or (match[1] and not is_name([match[1].replace(" ", "-")])):
        yield word
        return
    yield from filter(None, (match[1], match[2]))


def flatten(groups: Iterable[tuple[str, Sequence[str]]]) -> list[str]:
    """The words of groups, each name as an axis is typed."""
    words: list[str] = []
    for name, values in groups:
        fields = find_meanings(name)
        words += [PARAMETERS[fields[0]].option if len(fields) == 1 else name, *values]
    return [word for word in words if word]


def check_names(groups: Sequence[Group], write: Write) -> list[tuple[Parameter, list[str]]]:
    """The axes that groups of words name.

    Raises:
        UsageError: if a name is unknown, has several meanings or is that of no axis, or an axis has no
            values or is given twice. It has the commands that were probably meant.
    """
    axes: dict[str, list[str]] = {}
    for place, (name, values) in enumerate(groups):
        others = [*groups[:place], *groups[place + 1 :]]
        if not name:
            raise _nameless(groups, write)
        if not find_meanings(name):
            _refuse_fixed(name, values, others, write)

        def write_as(option: str, place: int = place) -> str:
            return write(flatten([*groups[:place], (option, groups[place][1]), *groups[place + 1 :]]))

        field = parse_parameter(name, write=write_as)
        if squeeze(name) == "seeds" and len(values) == 1 and values[0].isdecimal():
            one, several = write_as("seed"), _write_seeds(others, values[0], write)
            raise UsageError(
                f"'{name} {values[0]}' has 2 meanings.",
                f"Type `{one}` for seed {values[0]} or `{several}` for {values[0]} seeds.",
            )
        option = SWEPT[field].option
        if field in axes:
            raise UsageError(f"The axis {option} is given twice.", f"Write all values behind one {option}.")
        axes[field] = values
    for field, values in axes.items():
        if not values:
            option, examples = SWEPT[field].option, " ".join(map(name_value, example_values(field)))
            raise UsageError(
                f"The axis {option} has no values.", f"Write them behind it: {option} {examples}."
            )
    return [(SWEPT[field], values) for field, values in axes.items()]


def _with_options(others: Sequence[Group], options: Sequence[str], write: Write) -> str:
    """The command of the other groups with these options: ``train`` where there are none."""
    return write(flatten(others), options, "sweep" if others else "train")


def _write_seeds(others: Sequence[Group], count: str, write: Write) -> str:
    """The command of the other groups with so many seeds."""
    if others or not count.isdecimal():
        return write(flatten(others), ["--seeds", count])
    return write(["seed", f"0..{max(int(count), 1) - 1}"])


def _nameless(groups: Sequence[Group], write: Write) -> UsageError:
    """The error for values without the name of a parameter."""
    (_, values), *others = groups
    decimal = any(re.search(r"\.|[0-9]e", value, re.IGNORECASE) for value in values)
    problem = f"It is not said which parameter has the value {values[0]!r}."
    if not decimal:
        return UsageError(problem, f"Write its name first, as in `{write_plainly(['filters', '8', '16'])}`.")
    return UsageError(problem, f"For the learning rate type `{write(flatten([('lr', values), *others]))}`.")


def _refuse_fixed(name: str, values: list[str], others: Sequence[Group], write: Write) -> None:
    """Raise the error for an option that is no axis, if the name is that of one."""
    if squeeze(name) in COUNTS_OF_SEEDS:
        command = _write_seeds(others, (values or ["3"])[0], write)
        raise UsageError("The number of seeds is an option.", f"Type `{command}`.")
    fields = find_meanings(name, PARAMETERS)
    if not fields:
        return
    row = PARAMETERS[fields[0]]
    values = [value for word in values for value in read_list(word, row.kind).ways[0]]
    if row.name == "epochs" and values:
        whole = [value for value in values if value.isdecimal()]
        most = max(whole, key=int, default=str(row.default))
        command = _with_options(others, ["--epochs", most], write)
        raise UsageError(
            "Epochs are no axis: the curve of more epochs begins with that of fewer.",
            f"Type `{command}`.",
        )
    shown = values or ["VALUE"]
    commands = [f"`{_with_options(others, [f'--{row.option}', value], write)}`" for value in shown[:6]]
    problem = f"A sweep has one value of {row.option}, not several."
    raise UsageError(problem, f"Type {join_words(commands)}{', ...' * (len(shown) > 6)}.")


def read_lists(
    axes: Sequence[tuple[Parameter, list[str]]], write: Write
) -> list[tuple[Parameter, list[str]]]:
    """The axes with each list in a word taken apart.

    Raises:
        UsageError: if a comma may be a decimal point or stand between thousands; it has the commands.
    """
    readings = [(row, [read_list(word, row.kind) for word in words]) for row, words in axes]
    unclear = [
        (row, word)
        for (row, words), (_, found) in zip(axes, readings, strict=True)
        for word, reading in zip(words, found, strict=True)
        if not reading.is_certain
    ]
    if not unclear:
        return [(row, [value for reading in found for value in reading.ways[0]]) for row, found in readings]
    grids = [[(row, _take(found, which)) for row, found in readings] for which in (0, -1)]
    commands = [
        write(flatten((row.option, values) for row, values in grid))
        for grid in grids
        if all(is_value(row, value) for row, values in grid for value in values)
    ]
    raise unclear_comma(unclear[0][0], unclear[0][1], commands)


def unclear_comma(row: Parameter, word: str, commands: Sequence[str]) -> UsageError:
    """The error for a comma of several readings, with the commands of those that are possible."""
    point = "between thousands" if row.kind is int else "in place of a decimal point"
    typed = [f"`{command}`" for command in dict.fromkeys(commands)]
    advice = f"Type {join_words(typed, 'or')}." if typed else "Write numbers with a decimal point."
    return UsageError(f"In {word!r} the comma may stand {point} or between two values.", advice)


def _take(found: Sequence[Readings], which: int) -> list[str]:
    """The values of the first (0) or the last (-1) way to read each word."""
    return [value for reading in found for value in reading.ways[0 if reading.is_certain else which]]


def is_value(row: Parameter, text: str) -> bool:
    """Whether a text is a value of a parameter, or a range of values, within its bounds."""
    ends = re.sub(r":[0-9]+$", "", text).split("..") if row.kind in (int, float) else [text]
    try:
        for end in ends:
            row.check(parse(end, row.kind, row.noun))
    except UsageError:
        return False
    return not re.match(r"0[0-9]", text)
