"""Statements: sentences about runs, with the runs and the numbers that support them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Statement:
    """A conclusion in one or two sentences.

    ``topic`` is a keyword for the kind of conclusion, ``text`` the sentences. ``runs`` are the ids of the
    runs behind them, ``numbers`` the numbers by name, and ``command`` is the command to type next, if any.
    """

    topic: str
    text: str
    runs: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    command: str = ""


class Source(Protocol):
    """What a statement rests on; it has the ids of its runs."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the runs."""


def cite(*sources: Source) -> tuple[str, ...]:
    """The ids of the runs of several sources, without repeats."""
    return tuple(dict.fromkeys(id for source in sources for id in source.ids))
