"""What is understood of the words of ``plot``, ``report`` and ``data``, and what was probably meant."""

import re
from collections.abc import Callable, Sequence
from pathlib import PurePath

from lenetcli.cli.grid_words import is_name
from lenetcli.cli.typed import CommandLine, Role, tidy
from lenetcli.cli.values import parse_dataset
from lenetcli.errors import UsageError
from lenetcli.experiment.parameters import PARAMETERS, find_meanings
from lenetcli.words import join_words

ID = re.compile(r"(?=.*[0-9])[0-9a-f]{4,64}")
"""The first digits of the id of a run or sweep."""

OPTIONS = {".png": "-o", ".svg": "-o", ".pdf": "-o", ".csv": "--csv", ".db": "--store"}
"""The options of ``plot`` that a file of such a name may be meant for."""

SOURCES = (".tex", ".md", ".typ")
"""The endings of reports that cannot be verified: their names say where to write."""

FIGURES = ("runtime", "grid")
"""The figures that are not named after a parameter."""


def answer_plot(line: CommandLine) -> list[str]:
    """The words of ``plot`` to hand on.

    Raises:
        UsageError: if something else was probably meant; it has the commands.
    """
    words = line.words
    arguments = [word for word in line.arguments if not word.startswith("-")]  # -oFILE
    if len(arguments) > 1 and is_name(arguments, len(arguments)):
        first = next(place for place, word in enumerate(words) if word.role is Role.ARGUMENT)
        kept = [word.text for word in words if word.role is not Role.ARGUMENT]
        return [*kept[:first], "-".join(arguments), *kept[first:]]
    if len(arguments) == 1 and ID.fullmatch(arguments[0]) and not find_meanings(arguments[0]):
        return _choose_sweep(line)
    options = [[OPTIONS[ending], word] for word in arguments if (ending := PurePath(word).suffix) in OPTIONS]
    if options:
        others = [word for word in arguments if PurePath(word).suffix not in OPTIONS]
        raise _refuse(arguments, line.write(others, [part for pair in options for part in pair]))
    if len(arguments) > 1:
        names = [word for word in arguments if is_name([word]) or word in FIGURES]
        raise _refuse(arguments[1:], *[line.write([one]) for one in [*names, *["grid"] * (len(names) > 1)]])
    return line.list_words()


def answer_report(line: CommandLine) -> list[str]:
    """The words of ``report`` to hand on; see ``answer_plot``."""
    words = [word for word in line.arguments if not word.startswith("-")]  # -oFILE
    if not words or "--verify" in line.list_words():
        return line.list_words()
    if all(map(ID.fullmatch, map(tidy, words))):
        return _choose_sweep(line)
    is_source = len(words) == 1 and words[0].lower().endswith(SOURCES)
    if is_source and not {"-o", "--output"} & {*line.list_words()}:
        return _name_arguments(line, "-o", str)
    if [PurePath(word).suffix for word in words] == [".db"]:
        raise _refuse(words, line.write([], ["--store", *words]))
    written = [line.write([], ["-o", words[0]])] * (len(words) == 1)
    verified = [line.without("-o").write(words, ["--verify"])] * (not is_source)
    raise _refuse(words, *written, *verified)


def answer_data(line: CommandLine) -> list[str]:
    """The words of ``data`` to hand on; see ``answer_plot``."""
    words = line.arguments
    if not words:
        return line.list_words()
    name = parse_dataset(words[0])
    is_set = name in PARAMETERS["dataset"].metavar.split("|")
    raise _refuse(words, line.write([], ["--dataset", name] if is_set else ["--data", words[0]]))


def _refuse(words: Sequence[str], *commands: str) -> UsageError:
    """The error for arguments that a command does not take, with what was probably meant."""
    problem = (
        f"It is not said what {join_words(list(map(repr, words)))} {'is' if len(words) == 1 else 'are'} for."
    )
    typed = [f"`{command}`" for command in dict.fromkeys(commands)]
    return UsageError(problem, f"Type {join_words(typed, 'or')}." if typed else "Leave it out.")


def _choose_sweep(line: CommandLine) -> list[str]:
    """The words with each argument, which is an id, as that of a sweep."""
    return _name_arguments(line, "--sweep", tidy)


def _name_arguments(line: CommandLine, option: str, correct: Callable[[str], str]) -> list[str]:
    """The words with each argument, corrected, as a value of an option."""
    words: list[str] = []
    for word in line.words:
        words += [option, correct(word.text)] if word.role is Role.ARGUMENT else [word.text]
    return words
