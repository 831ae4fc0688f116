"""The command line as typed: what each word is, with the characters of pages and other keyboards in ASCII."""

import os
import re
import shlex
import unicodedata
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from lenetcli.experiment.parameters import PARAMETERS, find_meanings, squeeze

Command = Any
"""A command of Click, of which Typer has a copy of its own without public types."""

PAIRS = {"“": "”", "„": "“”", "«": "»", "»": "«", "‘": "’", "‚": "‘’", "‹": "›"}
"""The typographic quotes that begin a text, with those that end it."""

QUOTES = "\"'`“”„‟«»‘’‚‛‹›"
DASHES = "-‐‑‒–—―−﹘﹣－"

UNSEEN = "\u00ad\u200b\u2060\ufeff"
"""Invisible characters of no name: soft hyphen, zero width space, word joiner, byte order mark."""

SPELLINGS = {"--n-seeds": "--seeds", "--num-seeds": "--seeds", "--db": "--store", "--database": "--store"}
"""Other spellings of options that are no parameters of a run."""

_OPTION = re.compile(r"(--?[^\W\d_][\w-]*)(?:=|\s+|$)(.*)", re.DOTALL)
_FOREIGN_DASH = re.compile(rf"(?!--?\w)[{DASHES}]+(?=[^\W\d_])")


class Role(Enum):
    """What a word of the command line is."""

    COMMAND = "command"
    OPTION = "option"
    VALUE = "value of the option before it"
    ARGUMENT = "argument"


@dataclass(frozen=True)
class Word:
    """A word as it is handed on.

    ``parameter`` is that of Click of an option and of its value, if known, and of an argument that is a path.
    """

    text: str
    role: Role
    parameter: Any = None
    meanings: tuple[str, ...] = ()


@dataclass
class CommandLine:
    """The words of a command, and the command of Click in ``group`` that they lead to.

    ``unknown`` is a word in place of a command that is none, and ``rest`` what follows it, as typed.
    """

    group: Command
    command: Command
    words: list[Word] = field(default_factory=list)
    path: tuple[str, ...] = ()
    unknown: str | None = None
    rest: tuple[str, ...] = ()

    @property
    def arguments(self) -> list[str]:
        """The words that are neither commands nor options."""
        return [word.text for word in self.words if word.role is Role.ARGUMENT]

    @property
    def options(self) -> list[str]:
        """The names of the options that there are."""
        return [name for name, _ in _list_options(self.command)]

    def without(self, option: str) -> "CommandLine":
        """The command line without an option and its value."""
        words = [one for one in self.words if one.parameter is None or option not in one.parameter.opts]
        return CommandLine(self.group, self.command, words, self.path)

    def list_words(self) -> list[str]:
        """The words to hand on, in their order."""
        return [word.text for word in self.words] + (
            [] if self.unknown is None else [self.unknown, *self.rest]
        )

    def write(self, arguments: Sequence[str], options: Sequence[str] = (), command: str = "") -> str:
        """The whole command with other arguments, and ``options`` beside or in place of those typed.

        Where it is another ``command``, options that this one does not have are left out.
        """
        path = command.split() or [*self.path]
        target = self.group
        for name in path:
            target = target.commands[name]
        known = {name for name, _ in _list_options(target)}
        first = next((n for n, word in enumerate(self.words) if word.role is Role.COMMAND), 0)
        own = [word for word in self.words[first:] if word.role in (Role.OPTION, Role.VALUE)]
        kept = [
            word.text
            for word in own
            if word.parameter is None
            or (known >= {*word.parameter.opts} and not {*word.parameter.opts} & {*options})
        ]
        common = [word.text for word in self.words[:first]]
        return shlex.join(["lenetcli", *common, *path, *arguments, *kept, *options])


def read(arguments: Sequence[str], group: Command) -> CommandLine:
    """The command line of these words for a group of commands.

    Names, numbers and options are read as ``tidy`` has them; paths and titles stay as they were typed.
    """
    line, waiting = CommandLine(group, group), deque(arguments)
    while waiting:
        typed = waiting.popleft()
        if typed == "--":
            line.words += [Word(typed, Role.OPTION), *(Word(word, Role.ARGUMENT) for word in waiting)]
            break
        free = _is_free(_next_argument(line))
        text = tidy(typed)
        match = _OPTION.fullmatch(text)
        if match and not (
            free and not typed.startswith("-") and _find_option(line.command, match[1]) is None
        ):
            _read_option(line, match, typed, waiting)
        elif hasattr(line.command, "commands"):
            name, *others = text.split() or [text]
            waiting.extendleft(reversed(others))
            found = next((one for one in line.command.commands if squeeze(one) == squeeze(name)), None)
            if found is None:
                line.unknown, line.rest = name, tuple(waiting)
                break
            line.command, line.path = line.command.commands[found], (*line.path, found)
            line.words.append(Word(found, Role.COMMAND))
        elif free or not typed:
            value = _read_quoted(typed, waiting)
            line.words.append(Word(value, Role.ARGUMENT, _next_argument(line)))
        else:
            line.words += [Word(part, Role.ARGUMENT) for part in text.split()]
    return line


def tidy(word: str) -> str:
    """A word as it was meant where characters came from a page or another keyboard.

    Typographic dashes, quotes around it, no-break and other blanks, invisible characters, digits of any
    script and full-width characters become those of ASCII. At the beginning a dash that begins an option
    becomes two.
    """
    word = "".join(c for c in word if unicodedata.category(c) != "Cf")
    dash = _FOREIGN_DASH.match(word)
    if dash:
        word = ("-" if len(word) == dash.end() + 1 else "--") + word[dash.end() :]
    return "".join(map(_plain, word)).strip().strip(QUOTES).strip()


def _plain(character: str) -> str:
    """A character in ASCII, if that means the same."""
    if character.isascii() and character.isprintable():
        return character
    if unicodedata.category(character) in ("Zs", "Cc"):
        return " "
    if character in DASHES:
        return "-"
    if unicodedata.category(character) == "Nd":
        return str(unicodedata.decimal(character))
    if "！" <= character <= "～":  # the full-width forms
        return chr(ord(character) - 0xFEE0)
    return {"…": "..", "‥": "..", "٫": ".", "،": ",", "、": ","}.get(character, character)


def find_invisible(arguments: Sequence[str], text: str) -> str:
    """A sentence on the first invisible character in words that are quoted in a text; empty without one."""
    for word in arguments:
        for place, character in enumerate(word):
            kind = unicodedata.category(character)
            if (kind == "Cf" or (kind == "Zs" and character != " ")) and (word in text or repr(word) in text):
                name = unicodedata.name(character, "invisible character").lower()
                where = f"after {word[:place]!r}" if place else f"before {word[1:]!r}"
                return f"There is an invisible character, {name} (U+{ord(character):04X}), {where}."
    return ""


def _is_free(parameter: Any) -> bool:
    """Whether a parameter takes any text: a path, a title."""
    metavar = getattr(parameter, "metavar", None) or ""
    return "FILE" in metavar or "FOLDER" in metavar or metavar in ("PATH", "TEXT")


def _next_argument(line: CommandLine) -> Any:
    """The parameter of Click for the next argument."""
    wanted = [one for one in getattr(line.command, "params", ()) if one.param_type_name == "argument"]
    return wanted[min(len(line.arguments), len(wanted) - 1)] if wanted else None


def _list_options(command: Command) -> Iterator[tuple[str, Any]]:
    for parameter in getattr(command, "params", ()):
        if parameter.param_type_name == "option":
            for name in (*parameter.opts, *parameter.secondary_opts):
                yield name, parameter
    yield from (("--help", None), ("-h", None))


def _find_option(command: Command, typed: str) -> tuple[str, tuple[str, ...]] | None:
    """The name of an option, and the parameters of a run that it may mean if there are several.

    None if there is no such option.
    """
    known = dict(_list_options(command))
    if typed in known:
        return typed, ()
    name = typed.lstrip("-")
    if len(name) < 2 or (not typed.startswith("--") and typed[:2] in known):  # -oFILE is -o FILE
        return None
    same = [one for one in known if one.startswith("--") and squeeze(one) == squeeze(name)]
    if same or SPELLINGS.get(f"--{name}") in known:
        return (same or [SPELLINGS[f"--{name}"]])[0], ()
    if squeeze(name) == "seeds":  # a number of seeds is none of them
        return None
    meanings = tuple(one for one in find_meanings(name, PARAMETERS) if f"--{PARAMETERS[one].option}" in known)
    if len(meanings) > 1:
        return typed, meanings
    return (f"--{PARAMETERS[meanings[0]].option}", ()) if meanings else None


def _read_option(line: CommandLine, match: re.Match[str], typed: str, waiting: deque[str]) -> None:
    """Add an option and its value, if it takes one, to a command line."""
    found = _find_option(line.command, match[1])
    if found is None:
        line.words.append(Word(match[0], Role.OPTION))
        return
    name, meanings = found
    parameter = dict(_list_options(line.command)).get(
        f"--{PARAMETERS[meanings[0]].option}" if meanings else name
    )
    line.words.append(Word(name, Role.OPTION, parameter, meanings))
    begun = len(match[1]) < len(match[0])
    if parameter is None or parameter.is_flag:
        if begun and "=" in match[0]:
            line.words[-1] = Word(match[0], Role.OPTION, parameter)
        elif begun:
            waiting.extendleft(reversed(match[2].split()))
        return
    if not begun and not waiting:
        return
    value = re.split(r"=|\s", typed, maxsplit=1)[1] if begun else waiting.popleft()
    value = _read_quoted(value, waiting) if _is_free(parameter) else tidy(value)
    line.words.append(Word(value, Role.VALUE, parameter))


def _read_quoted(typed: str, waiting: deque[str]) -> str:
    """A path or title as typed, without the typographic quotes around it.

    A shell takes these for letters, so that the text may go on in the next words. What has blanks was in
    quotes of the shell, and stays.
    """
    if typed[:1] not in PAIRS or len(typed.split()) > 1 or os.path.exists(typed):  # noqa: PTH110 -- never raises
        return typed
    words = [typed[1:], *waiting]
    ends = (place for place, word in enumerate(words) if word and word[-1] in PAIRS[typed[0]])
    if (last := next(ends, None)) is None:
        return typed
    for _ in range(last):
        waiting.popleft()
    return " ".join(words[: last + 1])[:-1]


def find_pasted(word: Word) -> str | None:
    """A path without its invisible characters, if it has some and there is nothing at it; else None."""
    metavar = getattr(word.parameter, "metavar", None) or ""
    if word.role not in (Role.VALUE, Role.ARGUMENT) or not re.search("FILE|FOLDER|PATH", metavar):
        return None
    ends = "".join({c for c in word.text if unicodedata.category(c) in ("Cf", "Zs")})
    plain = word.text.translate(dict.fromkeys(map(ord, UNSEEN))).strip(ends)
    is_there = os.path.exists(os.path.expanduser(word.text))  # noqa: PTH110, PTH111 -- never raise
    return None if plain == word.text.strip(" ") or is_there else plain
