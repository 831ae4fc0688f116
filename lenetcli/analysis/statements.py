"""Statements: sentences about runs, with the runs and the numbers that support them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

TRAINS = "This trains it:"
"""What the command of a statement does, unless the statement says otherwise."""
REMEASURES = "This measures again:"
"""What a command with ``--remeasure`` does."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A conclusion in one or more sentences.

    ``topic`` is a keyword for the kind of conclusion, ``text`` the sentences. ``runs`` are the ids of the
    runs behind them, ``numbers`` the numbers by name, to nine digits: the last ones of a test depend on the
    processor. ``command`` is the command to type next, if any, and ``purpose`` what it does,
    the words before it.
    """

    topic: str
    text: str
    runs: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    command: str = ""
    purpose: str = TRAINS

    def __post_init__(self) -> None:
        rounded = {name: float(f"{number:.9g}") for name, number in self.numbers.items()}
        object.__setattr__(self, "numbers", rounded)


Paragraph = tuple[Statement, ...]
"""Statements that follow one another."""


class Source(Protocol):
    """What a statement rests on; it has the ids of its runs."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the runs."""


def cite(*sources: Source) -> tuple[str, ...]:
    """The ids of the runs of several sources, without repeats."""
    return tuple(dict.fromkeys(id for source in sources for id in source.ids))
