"""What is said in front of people: statements, numbers, names of parameters and data sets, commands."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence or two: what they are about, the runs (ids) and numbers behind them, what to type next."""

    topic: str
    text: str
    runs: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    command: str = ""
