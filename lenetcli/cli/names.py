"""The names of parameters as typed: which one is meant, which are near, and what is said of several."""

from collections.abc import Callable, Mapping

from lenetcli.errors import UsageError
from lenetcli.experiment.parameters import PARAMETERS, SWEPT, Parameter, find_meanings, squeeze
from lenetcli.words import join_words


def find_parameter(
    name: str, write: Callable[[str], str], among: Mapping[str, Parameter] = SWEPT
) -> str | None:
    """The parameter that a name stands for, in one of its spellings, if it is one.

    Raises:
        UsageError: if it stands for several; it has the command of each, which ``write`` makes of its option.
    """
    meanings = find_meanings(name, among)
    if len(meanings) > 1:
        raise ambiguous(name, {meaning: write(PARAMETERS[meaning].option) for meaning in meanings})
    return meanings[0] if meanings else None


def ambiguous(name: str, commands: Mapping[str, str]) -> UsageError:
    """The error for a name of several parameters, with a command for each of them."""
    choices = [f"`{command}` for the {PARAMETERS[field].meaning}" for field, command in commands.items()]
    return UsageError(f"{name!r} has {len(choices)} meanings.", f"Type {join_words(choices, 'or')}.")


def suggest_parameter(name: str, *others: str) -> str | None:
    """The parameter, or one of ``others``, whose name is nearest to a word; None if none is near."""
    import difflib

    spellings = {squeeze(alias): field for field, row in SWEPT.items() for alias in (*row.aliases, field)}
    spellings |= {other: other for other in others}
    near = difflib.get_close_matches(squeeze(name), spellings, n=1, cutoff=0.7)
    if not near or len(find_meanings(near[0])) > 1:
        return None
    return spellings[near[0]].replace("_", "-")


def parse_parameter(name: str, *others: str, write: Callable[[str], str]) -> str:
    """The field of ``Config`` that a name stands for, or one of ``others``; see ``find_parameter``.

    Raises:
        UsageError: also if the name is unknown; the message suggests the nearest one, the advice lists all.
    """
    if name.strip().lower() in others:
        return name.strip().lower()
    if (field := find_parameter(name, write)) is not None:
        return field
    nearest = suggest_parameter(name, *others)
    question = f" Did you mean {nearest}?" if nearest else ""
    choices = ", ".join((*SWEPT, *others)).replace("_", "-")
    raise UsageError(f"There is no parameter {name!r} to sweep over.{question}", f"Choose one of {choices}.")
