"""What is understood of a command line that is not quite one, and the command that was probably meant."""

from collections.abc import Callable, Sequence

from lenetcli.cli.grid_answers import answer_sweep, answer_train, several_seeds, write_meant, write_values
from lenetcli.cli.grid_words import COUNTS_OF_SEEDS, is_name
from lenetcli.cli.names import ambiguous
from lenetcli.cli.typed import Command, CommandLine, Role, Word, find_invisible, find_pasted, read
from lenetcli.cli.view_answers import ID, answer_data, answer_plot, answer_report
from lenetcli.errors import UsageError
from lenetcli.experiment.parameters import PARAMETERS, squeeze
from lenetcli.words import join_words

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
    "latex": ("report",),
    "tex": ("report",),
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
    _check_values(line)
    _check_repeated(line)
    _check_pasted(line)
    words = _ANSWERS[line.path](line) if line.path in _ANSWERS else line.list_words()
    _check_arguments(read(words, group))
    return words


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
                commands[field] = write_meant(read([one.text for one in words], line.group))
            raise ambiguous(word.text, commands)


def _check_options(line: CommandLine) -> None:
    """Check that there are the options.

    Raises:
        UsageError: if there is not; it has the command with another one that is near.
    """
    import difflib

    known = {name.lstrip("-"): name for name in line.options if name.startswith("--")}
    for place, word in enumerate(line.words):
        if word.role is not Role.OPTION or word.parameter is not None or word.text in ("--", "--help", "-h"):
            continue
        name, *value = word.text.split("=", 1)
        if not name.startswith("--") and name[:2] in line.options:  # -oFILE
            continue
        if squeeze(name) in ("seeds", *COUNTS_OF_SEEDS) and "seed" in known:
            raise several_seeds(line, place)
        near = difflib.get_close_matches(name.lstrip("-"), known, n=1, cutoff=0.7)
        meant = [known[near[0]], *value] if near else []
        if name.lstrip("-") in ("gpu", "cuda", "cpu") and "device" in known:
            meant = ["--device", "cpu" if name == "--cpu" else "gpu"]
        problem, advice = f"There is no option {name}.", f"See {_name_path(line)} --help."
        if meant:
            words = [one.text for one in line.words]
            again = read([*words[:place], *meant, *words[place + 1 :]], line.group)
            advice = f"Did you mean `{write_meant(again)}`? {advice}"
        raise UsageError(problem, advice)


def _name_path(line: CommandLine) -> str:
    return " ".join(("lenetcli", *line.path))


def _check_values(line: CommandLine) -> None:
    """Check that each option that takes a value has one.

    Raises:
        UsageError: if one has none, or another option in its place.
    """
    for word, following in zip(line.words, [*line.words[1:], None], strict=False):
        if word.role is not Role.OPTION or word.parameter is None or word.parameter.is_flag:
            continue
        if following is None or following.role is not Role.VALUE or following.text in line.options:
            problem = f"The option {word.text} has no value."
            advice = f"Write it behind: {word.text} {word.parameter.metavar}; see {_name_path(line)} --help."
            raise UsageError(problem, advice)


def _check_arguments(line: CommandLine) -> None:
    """Check that there are as many arguments as the command takes.

    Raises:
        UsageError: if there are more or fewer; it has the command that was probably meant, if one is near.
    """
    wanted = [one for one in getattr(line.command, "params", ()) if one.param_type_name == "argument"]
    given = [word for word in line.arguments if not word.startswith("-")]  # -oFILE
    help_text = f"See {_name_path(line)} --help."
    is_group = hasattr(line.command, "commands")
    if is_group or any(one.nargs != 1 for one in wanted) or {"--help", "-h"} & {*line.list_words()}:
        return
    missing = [one for one in wanted[len(given) :] if one.required]
    if missing:
        text = (missing[0].help or "").rstrip(".")
        raise UsageError(f"{missing[0].metavar} is missing: {text[:1].lower()}{text[1:]}.", help_text)
    extra = given[len(wanted) :]
    if not extra:
        return
    commands = []
    if line.path[-1:] == ("list",) and len(given) == 1 and ID.fullmatch(extra[0]):
        commands = [line.write(extra, command=f"{line.path[0]} show")]
    elif len(extra) == 1 and extra[0].endswith(".db") and "--store" in line.options:
        commands = [line.write(given[: len(wanted)], ["--store", *extra])]
    advice = f"Type `{commands[0]}`." if commands else f"Leave {'it' if len(extra) == 1 else 'them'} out."
    named = join_words([repr(word) for word in extra])
    raise UsageError(f"{_name_path(line)} takes no {named}.", f"{advice} {help_text}")


def _check_repeated(line: CommandLine) -> None:
    """Check that no option is given several times with different values, of which one would be ignored.

    Raises:
        UsageError: if one is; it has the command of a sweep over these values, if there is one.
    """
    given: dict[str, list[str]] = {}
    for word, following in zip(line.words, [*line.words[1:], None], strict=False):
        if word.role is Role.OPTION and word.parameter is not None and not word.parameter.multiple:
            has_value = following is not None and following.role is Role.VALUE
            values = given.setdefault(word.parameter.opts[0], [])
            values.append(following.text if following is not None and has_value else word.text)
    for option, values in given.items():
        if len(set(values)) > 1:
            if values[0].startswith("--"):
                raise UsageError(f"{join_words(values)} contradict each other.", "Leave one of them out.")
            row = PARAMETERS.get(option.removeprefix("--").replace("-", "_"))
            command = write_values(line.without(option), row, values) if row is not None else ""
            advice = f"Type `{command}`." if command else "Give it once."
            raise UsageError(f"{option} takes one value, not {join_words(values)}.", advice)


def _check_pasted(line: CommandLine) -> None:
    """Check that no path to what does not exist yet has an invisible character of a page.

    Raises:
        UsageError: if one has; it names the character, and has the command without it.
    """
    for place, word in enumerate(line.words):
        plain = find_pasted(word)
        if plain is not None:
            words = [one.text for one in line.words]
            again = read([*words[:place], plain, *words[place + 1 :]], line.group)
            hidden = find_invisible([word.text], word.text)
            raise UsageError(hidden, f"Type `{write_meant(again)}`.")


def _suggest(line: CommandLine, group: Command) -> list[str]:
    """The commands that an unknown word may mean."""
    import difflib

    name = (line.unknown or "").lower()
    if line.path:
        commands = list(line.command.commands)
        known = {
            "ls": ["list"],
            "all": ["list"],
            "info": ["info", "show"],
            "view": ["show"],
            "export": ["save"],
        }
        near = known.get(name) or difflib.get_close_matches(name, commands)
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
    commands = []
    for one in suggested:
        meant = read([*common, *one.split(), *rest], group)
        if meant.unknown is None:
            commands.append(f"`{meant.write(meant.arguments)}`")
    options = [one.text for one in line.words if one.role is Role.OPTION and one.parameter is None]
    meant = read([*line.rest, *options, word], group)
    if options and not line.path and meant.unknown is None and meant.path:
        raise UsageError(
            "The options of a command stand behind it.", f"Type `{meant.write(meant.arguments)}`."
        )
    name = " ".join((*line.path, word))
    question = f" Did you mean {join_words(commands, 'or')}?" if commands else ""
    raise UsageError(f"There is no command {name!r}.{question}", f"See {_name_path(line)} --help.")


_ANSWERS: dict[tuple[str, ...], Callable[[CommandLine], list[str]]] = {
    ("sweep",): answer_sweep,
    ("train",): answer_train,
    ("plot",): answer_plot,
    ("report",): answer_report,
    ("data",): answer_data,
}
"""What is understood of each command that has more than Click knows of."""
