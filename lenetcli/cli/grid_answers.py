"""What is understood of the words of ``train`` and ``sweep``, and the command that was probably meant."""

import re
from collections.abc import Sequence

from lenetcli.cli.axes import MOST_SEEDS
from lenetcli.cli.grid_words import flatten, group_words, is_name, is_value, unclear_comma
from lenetcli.cli.lists import read_list
from lenetcli.cli.typed import CommandLine, Role, Word, read
from lenetcli.errors import UsageError
from lenetcli.experiment.exercise import example_values
from lenetcli.experiment.parameters import PARAMETERS, SWEPT, Parameter, find_meanings
from lenetcli.words import join_words, name_value

DATASETS = PARAMETERS["dataset"].metavar.split("|")[1:]
"""The names of data sets that ``--dataset`` takes."""


def write_meant(line: CommandLine) -> str:
    """The command; a sweep over an option that has further values behind it."""
    found = _find_stray(line) if line.path in (("train",), ("sweep",)) else None
    if found is None:
        return line.write(line.arguments)
    word, before, values, after = found
    option = word.parameter.opts[0]
    axis = [*before, option.removeprefix("--"), word.text, *values, *after]
    return line.without(option).write(axis, command="sweep")


def _row(word: Word) -> Parameter | None:
    """The parameter of a run that an option is, if it is one."""
    return PARAMETERS.get(word.parameter.name) if word.parameter is not None else None


def _check_lists(line: CommandLine) -> None:
    """Check that each option of a parameter has one value.

    Raises:
        UsageError: if there is a list, or a comma that may be a decimal point; it has the commands.
    """
    for word in line.words:
        row = _row(word)
        if word.role is not Role.VALUE or row is None or row.kind not in (int, float) or "," not in word.text:
            continue
        reading = read_list(word.text, row.kind)
        ways = [way for way in reading.ways if all(is_value(row, value) for value in way)]
        commands = [write_values(line, row, way) for way in ways]
        if not reading.is_certain:
            raise unclear_comma(row, word.text, [one for one in commands if one])
        if commands and commands[0]:
            raise UsageError(f"--{row.option} takes one value.", f"Type `{commands[0]}`.")


def write_values(line: CommandLine, row: Parameter, values: Sequence[str]) -> str:
    """The command with these values of an option: a sweep if there are several; empty if there is none."""
    option = f"--{row.option}"
    if len(values) == 1:
        return line.write(line.arguments, [option, *values])
    if row.name not in SWEPT or line.path not in (("train",), ("sweep",)):
        return ""
    return line.without(option).write([*line.arguments, row.option, *values], command="sweep")


def _find_stray(line: CommandLine) -> tuple[Word, list[str], list[str], list[str]] | None:
    """The value of an option and the arguments before, directly behind and after it, if it may have those."""
    words = line.words
    for place, word in enumerate(words[:-1]):
        row = _row(word)
        if word.role is not Role.VALUE or row is None or words[place + 1].role is not Role.ARGUMENT:
            continue
        before = [one.text for one in words[:place] if one.role is Role.ARGUMENT]
        after = [one.text for one in words[place + 1 :] if one.role is Role.ARGUMENT]
        count = next((n for n, text in enumerate(after) if not is_value(row, text)), len(after))
        # In ``sweep lr --epochs 3 0.1`` the axis has no values yet: they follow.
        if count and not (before and is_name([before[-1]])):
            return word, before, after[:count], after[count:]
    return None


def several_seeds(line: CommandLine, place: int) -> UsageError:
    """The error for a number of seeds of one run, the option at a place of the line."""
    words = [word.text for word in line.words]
    inline = words[place].partition("=")[2:]
    count, *after = [*filter(None, inline), *words[place + 1 :], ""]
    count = count if count.isdecimal() and 0 < int(count) <= MOST_SEEDS else "3"
    others = read([word for word in [*words[:place], *after] if word], line.group)
    commands = (
        others.write([], ["--seed", count]),
        others.write(["seed", f"0..{int(count) - 1}"], command="sweep"),
    )
    return UsageError("A run has one seed.", f"Type `{commands[0]}` or, for {count} seeds, `{commands[1]}`.")


def answer_sweep(line: CommandLine) -> list[str]:
    """The words of ``sweep`` to hand on.

    Raises:
        UsageError: if something else was probably meant; it has the commands.
    """
    _check_lists(line)
    first = line.arguments[:1]
    if first in (["list"], ["show"], ["ls"]):
        meant = "list" if first == ["ls"] else first[0]
        raise UsageError(
            f"{first[0]!r} is no parameter.",
            f"Type `{line.write(line.arguments[1:], command=f'sweeps {meant}')}`.",
        )
    if option := _find_option_word(line):
        others = [word for word in line.arguments if word != option[1]]
        raise UsageError(f"{option[1]!r} is the value of an option.", f"Type `{line.write(others, option)}`.")
    found = _find_stray(line)
    if found is None:
        if not line.arguments and not {"--help", "-h"} & {*line.list_words()}:
            raise _no_axis(line)
        return line.list_words()
    word, before, values, after = found
    row = _row(word)
    assert row is not None
    choices = []
    if row.name in SWEPT:
        choices.append(f"`{write_meant(line)}`")
    if before:
        choices.append(f"`{line.write(line.arguments)}`")
    if row.name not in SWEPT:
        choices.append(f"`{line.write([*before, *after], [f'--{row.option}', values[-1]])}`")
    verb = "means" if len(values) == 1 else "mean"
    problem = f"It is not clear what {join_words(values)} behind --{row.option} {word.text} {verb}."
    raise UsageError(problem, f"Type {join_words(choices, 'or')}.")


def _find_option_word(line: CommandLine) -> list[str]:
    """The option of an argument that is a device or a data set, with that; empty if there is none."""
    if any(find_meanings(word, PARAMETERS) in (("device",), ("dataset",)) for word in line.arguments):
        return []
    for word in line.arguments[1:]:
        if re.fullmatch("cpu|gpu(:[0-9]+)?", word):
            return ["--device", word]
        if word in DATASETS:
            return ["--dataset", word]
    return []


def _no_axis(line: CommandLine) -> UsageError:
    """The error for a sweep without a parameter and values; it has the commands that were probably meant."""
    options = [row for row in map(_row, line.words) if row is not None and row.name in SWEPT]
    if not options:
        command = line.write(["lr", *map(name_value, example_values("lr"))])
        return UsageError("A sweep takes a parameter and its values.", f"Type them as in `{command}`.")
    sweep = line
    words = []
    for word in line.words:
        row = _row(word)
        if word.role is Role.VALUE and row in options:
            words += [row.option, word.text]
            sweep = sweep.without(f"--{row.option}")
    one = line.write([], command="train")
    commands = [f"`{one}`", f"`{sweep.write(words)}`"]
    problem = "A sweep takes a parameter and its values, which are no options."
    return UsageError(problem, f"Type {join_words(commands, 'or')}.")


def answer_train(line: CommandLine) -> list[str]:
    """The words of ``train`` to hand on; see ``answer_sweep``."""
    _check_lists(line)
    if not line.arguments:
        return line.list_words()
    found = _find_stray(line)
    groups = group_words(line.arguments)
    if found is not None:
        word, before, values, after = found
        row = _row(word)
        assert row is not None
        line = line.without(f"--{row.option}")
        groups = group_words([*before, row.option, word.text, *values, *after])
    options, axes = [], []
    for name, words in groups:
        fields = find_meanings(name, PARAMETERS)
        if not fields or not words:
            break
        values = [value for one in words for value in read_list(one, PARAMETERS[fields[0]].kind).ways[0]]
        if len(values) > 1:
            axes.append((name, values))
        else:
            options += [f"--{PARAMETERS[fields[0]].option if len(fields) == 1 else name}", *values]
    else:
        command = line.write(flatten(axes), options, "sweep" if axes else "train")
        what = "A sweep trains several values" if axes else "A parameter of train is an option"
        raise UsageError(f"{what}.", f"Type `{command}`.")
    typed = line.arguments[0] if line.arguments else groups[0][0]
    if re.fullmatch(r"[0-9]*[.,]?[0-9]+(e-?[0-9]+)?", typed) and len(line.arguments) == 1:
        option = "--epochs" if typed.isdecimal() else "--lr"
        command = line.write([], [option, typed.replace(",", ".")])
        advice = f"Write the option before it, as in `{command}`; see lenetcli train --help."
        raise UsageError(f"It is not said which parameter has the value {typed!r}.", advice)
    return line.list_words()
