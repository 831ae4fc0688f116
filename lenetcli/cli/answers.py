"""What is understood of a command line that is not quite one, and the command that was probably meant."""

import re
from collections.abc import Callable, Sequence

from lenetcli.cli.grid_words import flatten, group_words, is_name, is_value, unclear_comma
from lenetcli.cli.lists import read_list
from lenetcli.cli.names import ambiguous
from lenetcli.cli.typed import Command, CommandLine, Role, Word, read, tidy
from lenetcli.errors import UsageError
from lenetcli.experiment.parameters import PARAMETERS, SWEPT, Parameter, find_meanings
from lenetcli.words import join_words

ID = re.compile(r"(?=.*[0-9])[0-9a-f]{4,64}")
"""The first digits of the id of a run or sweep."""

OTHERS: dict[str, tuple[str, ...]] = {
    "list": ("runs list", "sweeps list"),
    "ls": ("runs list", "sweeps list"),
    "show": ("runs show", "sweeps show"),
    "run": ("train", "runs list"),
    "save": ("runs save",),
    "export": ("runs save",),
    "verify": ("report --verify",),
    "fit": ("train",),
    "start": ("train",),
    "grid": ("sweep",),
    "search": ("sweep",),
    "draw": ("plot",),
    "figure": ("plot",),
    "graph": ("plot",),
    "pdf": ("report",),
    "gpu": ("devices",),
    "dataset": ("data",),
    "mnist": ("data",),
    "info": ("store info",),
    "check": ("store check",),
    "backup": ("store backup",),
    "upgrade": ("store upgrade",),
    "exercise": ("reproduce",),
}
"""The commands that a word may mean that is none."""

_line: CommandLine | None = None
"""The command line of this process, which is one, as ``sys.argv`` is."""


def understand(arguments: Sequence[str], group: Command) -> list[str]:
    """The words to hand to Click for those typed.

    Raises:
        UsageError: if they mean several things, or something else was probably meant; it has the commands.
    """
    global _line
    _line = None
    line = _resolve(list(arguments), group)
    _line = line
    _check_meanings(line)
    if line.unknown is not None:
        return _answer_unknown(line, group)
    if line.arguments == ["help"]:
        return [*line.path, "--help"]
    _check_options(line)
    if line.path in _ANSWERS:
        return _ANSWERS[line.path](line)
    return line.list_words()


def write(words: Sequence[str], options: Sequence[str] = (), command: str = "") -> str:
    """The command of this process with other arguments and options; see ``CommandLine.write``."""
    if _line is None:
        raise RuntimeError("no command line was read")
    return _line.write(words, options, command)


def arguments() -> list[str]:
    """The arguments of the command of this process."""
    return [] if _line is None else _line.arguments


def _resolve(arguments: list[str], group: Command) -> CommandLine:
    """The command line, with ``help`` and ``version`` as the options that they stand for."""
    line = read(arguments, group)
    words = [one.lower() for one in [line.unknown or "", *line.rest] if one]
    if not line.path and words == ["version"]:
        return read(["--version"], group)
    if words[:1] == ["lenetcli"] and not line.words:
        return _resolve(list(line.rest), group)
    if words[:1] == ["help"]:
        return read([*line.path, *line.rest, "--help"], group)
    return line


def _check_meanings(line: CommandLine) -> None:
    """Check that each option has one meaning.

    Raises:
        UsageError: if one has several; it has the command of each.
    """
    for place, word in enumerate(line.words):
        if word.meanings:
            commands = {}
            for field in word.meanings:
                option = Word(f"--{PARAMETERS[field].option}", Role.OPTION)
                words = [*line.words[:place], option, *line.words[place + 1 :]]
                commands[field] = _write_meant(read([one.text for one in words], line.group))
            raise ambiguous(word.text, commands)


def _write_meant(line: CommandLine) -> str:
    """The command; a sweep over an option that has further values behind it."""
    found = _find_stray(line) if line.path in (("train",), ("sweep",)) else None
    if found is None:
        return line.write(line.arguments)
    word, before, values, after = found
    option = word.parameter.opts[0]
    axis = [*before, option.removeprefix("--"), word.text, *values, *after]
    return line.without(option).write(axis, command="sweep")


def _check_options(line: CommandLine) -> None:
    """Check that there are the options.

    Raises:
        UsageError: if there is not, and another one is near; it has the command.
    """
    import difflib

    known = [name for name in line.options if name.startswith("--")]
    for place, word in enumerate(line.words):
        if word.role is not Role.OPTION or word.parameter is not None or word.text in ("--", "--help", "-h"):
            continue
        name, *value = word.text.split("=", 1)
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
        meant = [*near, *value]
        if name.lstrip("-") in ("gpu", "cuda", "cpu") and "--device" in known:
            meant = ["--device", "cpu" if name == "--cpu" else "gpu"]
        if meant[:1] and meant[0] in known:
            words = [one.text for one in line.words]
            again = read([*words[:place], *meant, *words[place + 1 :]], line.group)
            advice = f"Did you mean `{_write_meant(again)}`? See lenetcli {' '.join(line.path)} --help."
            raise UsageError(f"There is no option {name}.", advice)


def _suggest(line: CommandLine, group: Command) -> list[str]:
    """The commands that an unknown word may mean."""
    import difflib

    name = (line.unknown or "").lower()
    if line.path:
        commands = list(line.command.commands)
        known = {"ls": "list", "all": "list", "info": "show", "view": "show"}
        near = [known[name]] if name in known else difflib.get_close_matches(name, commands)
        return [f"{line.path[0]} {one}" for one in near if one in commands]
    if name in OTHERS:
        return list(OTHERS[name])
    near = difflib.get_close_matches(name, [*group.commands, *OTHERS])
    return list(dict.fromkeys(found for one in near for found in OTHERS.get(one, (one,))))


def _answer_unknown(line: CommandLine, group: Command) -> list[str]:
    word = line.unknown or ""
    common = [one.text for one in line.words if one.role is not Role.COMMAND]
    if line.path in (("runs",), ("sweeps",)) and ID.fullmatch(word):
        return read([*common, *line.path, "show", word, *line.rest], group).list_words()
    suggested = _suggest(line, group)
    rest = list(line.rest)
    if not suggested and (is_name([word]) or "=" in word) and word[:1].isalpha():
        suggested, rest = ["sweep"], [word, *rest]
    if not suggested:
        return line.list_words()
    commands = []
    for one in suggested:
        meant = read([*common, *one.split(), *rest], group)
        if meant.unknown is None:
            commands.append(f"`{meant.write(meant.arguments)}`")
    if not commands:
        return line.list_words()
    name = " ".join((*line.path, word))
    problem = f"There is no command {name!r}. Did you mean {join_words(commands, 'or')}?"
    raise UsageError(problem, f"See {' '.join(('lenetcli', *line.path))} --help.")


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
        commands = [_write_values(line, row, way) for way in ways]
        if not reading.is_certain:
            raise unclear_comma(row, word.text, [one for one in commands if one])
        if commands and commands[0]:
            raise UsageError(f"--{row.option} takes one value.", f"Type `{commands[0]}`.")


def _write_values(line: CommandLine, row: Parameter, values: Sequence[str]) -> str:
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


def _answer_sweep(line: CommandLine) -> list[str]:
    _check_lists(line)
    first = line.arguments[:1]
    if first in (["list"], ["show"], ["ls"]):
        meant = "list" if first == ["ls"] else first[0]
        raise UsageError(
            f"{first[0]!r} is no parameter.",
            f"Type `{line.write(line.arguments[1:], command=f'sweeps {meant}')}`.",
        )
    found = _find_stray(line)
    if found is None:
        return line.list_words()
    word, before, values, after = found
    row = _row(word)
    assert row is not None
    choices = []
    if row.name in SWEPT:
        choices.append(f"`{_write_meant(line)}`")
    if before:
        choices.append(f"`{line.write(line.arguments)}`")
    if row.name not in SWEPT:
        choices.append(f"`{line.write([*before, *after], [f'--{row.option}', values[-1]])}`")
    problem = f"It is not clear what {join_words(values)} behind --{row.option} {word.text} means."
    raise UsageError(problem, f"Type {join_words(choices, 'or')}.")


def _answer_train(line: CommandLine) -> list[str]:
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


def _answer_plot(line: CommandLine) -> list[str]:
    words = line.words
    arguments = line.arguments
    if len(arguments) > 1 and is_name(arguments, len(arguments)):
        first = next(place for place, word in enumerate(words) if word.role is Role.ARGUMENT)
        others = [word for word in words if word.role is not Role.ARGUMENT]
        others.insert(first, Word("-".join(arguments), Role.ARGUMENT))
        return [word.text for word in others]
    if len(arguments) == 1 and ID.fullmatch(arguments[0]) and not find_meanings(arguments[0]):
        return _choose_sweep(line)
    return line.list_words()


def _answer_report(line: CommandLine) -> list[str]:
    ids = line.arguments
    if ids and all(map(ID.fullmatch, map(tidy, ids))) and "--verify" not in line.list_words():
        return _choose_sweep(line)
    return line.list_words()


def _choose_sweep(line: CommandLine) -> list[str]:
    """The words with each argument, which is an id, as that of a sweep."""
    words: list[str] = []
    for word in line.words:
        words += ["--sweep", tidy(word.text)] if word.role is Role.ARGUMENT else [word.text]
    return words


_ANSWERS: dict[tuple[str, ...], Callable[[CommandLine], list[str]]] = {
    ("sweep",): _answer_sweep,
    ("train",): _answer_train,
    ("plot",): _answer_plot,
    ("report",): _answer_report,
}
"""What is understood of each command that has more than Click knows of."""
