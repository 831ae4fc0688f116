"""Figures of many values: from how many on not each has a label, and which of them are named instead."""

from collections.abc import Mapping, Sequence

from lenetcli.experiment.parameters import PARAMETERS
from lenetcli.words import join_words

CROWD = 13
"""The number of values from which on a figure does not label each of them."""
ROLES = ("best", "median", "worst")
"""What the named curves of a crowd are."""


def pick_extremes(numbers: Mapping[int, float], *, highest: bool) -> dict[int, str]:
    """The role of the best, the median and the worst of numbers, by their place.

    ``highest`` says whether the highest is the best; of equal ones it is the first. Of fewer than three
    numbers, one has the first of its roles.
    """
    order = sorted(numbers, key=lambda place: -numbers[place] if highest else numbers[place])
    roles: dict[int, str] = {}
    for place, role in zip((0, len(order) // 2, len(order) - 1), ROLES, strict=True):
        if order:
            roles.setdefault(order[place], role)
    return roles


def has_scale(parameter: str) -> bool:
    """Whether the values of a parameter are colours on a scale: numbers, but for seeds, which say nothing."""
    return parameter in PARAMETERS and PARAMETERS[parameter].kind in (int, float) and parameter != "seed"


def describe_colours(parameter: str) -> str:
    """What the colours of the curves of a parameter stand for, after a comma; nothing if they are grey."""
    return f", coloured by {PARAMETERS[parameter].noun}" if has_scale(parameter) else ""


def note_crowd(names: Sequence[str], count: int, epoch: int, parameter: str, *, bands: bool) -> str:
    """A note on a figure of so many curves: which are named, and what the others look like.

    ``names`` are those of the named ones, as after an epoch, with their roles. ``parameter`` has the values
    of the curves; it is empty for those of any runs. ``bands`` says whether there are some.
    """
    colour = describe_colours(parameter)
    if not names:
        return f"all {count:,} curves are thin{colour}"
    alone = ", and bands are those of the named" if bands else ""
    others = f"the {count - len(names):,} others are thin{colour}{alone}"
    return f"named by what they reach after epoch {epoch}: {join_words(names)}; {others}"
