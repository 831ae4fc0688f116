"""How anything is printed: messages, errors, tables, JSON, CSV. Data goes to stdout, all else to stderr."""

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from rich import console as rich_console
from rich.cells import cell_len
from rich.text import Text

Item = TypeVar("Item")
GAP = "  "
SPARKS = 20
LEAST_ROOM = 24


class Console(rich_console.Console):
    """Rich's, which leaves it to the caller what a closed pipe means."""

    def on_broken_pipe(self) -> None:
        """Raise it again; rich would end the process, with a code of its own."""
        raise


def stdout() -> Console:
    """Where data goes; a file or a pipe gets the whole width that a table wants."""
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal and "COLUMNS" not in console._environ:
        console = Console(highlight=False, width=200)
    return console


def print_message(text: str, style: str = "") -> None:
    """A message to stderr, as it is: no markup, no escapes."""
    _print_message(Text(clean(text), style=style))


def print_error(problem: str, advice: str) -> None:
    """An error: what is wrong, and what to do; where nobody can read it, the exit code has to do."""
    with suppress(OSError):
        _print_message(Text.assemble(("Error: ", "bold red"), f"{clean(problem)} {clean(advice)}"))


def _print_message(text: Text) -> None:
    console = Console(stderr=True, highlight=False)
    console.print(text, soft_wrap=not console.is_terminal)  # a log gets one line, a terminal whole words


def clean(text: str) -> str:
    """Text from users and strangers' stores: control characters lose their power."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def sparkline(curve: Sequence[float], console: Console) -> str:
    """A curve in one line of at most 20 characters, from its lowest point to its highest."""
    if len(curve) < 2:
        return ""
    if len(curve) > SPARKS:
        curve = [curve[round(at * (len(curve) - 1) / (SPARKS - 1))] for at in range(SPARKS)]
    plain = console.options.ascii_only or console.legacy_windows
    blocks = "_.-~=*#@" if plain else "▁▂▃▄▅▆▇█"
    low, high = min(curve), max(curve)
    step = (high - low) / (len(blocks) - 1) or 1.0
    return "".join(blocks[round((point - low) / step)] for point in curve)


def print_pairs(facts: Iterable[tuple[str, Any]]) -> None:
    """Names and what there is to say of them, folded where it is longer than the line.

    Where little room is left beside the names, the rest of a fact stands below its name.
    """
    console = stdout()
    facts = [(clean(name), clean(str(fact))) for name, fact in facts]
    widest = max((cell_len(name) for name, _ in facts), default=0) + len(GAP)
    for name, fact in facts:
        beside = cell_len(fact) <= console.width - widest or console.width - widest >= LEAST_ROOM
        indent = widest if beside else len(GAP)
        lines = Text(fact).wrap(console, max(console.width - indent, 1), overflow="fold") or [Text()]
        heading = Text(name, style="bold")
        if beside:
            heading += Text(" " * (indent - cell_len(name))) + lines.pop(0)
        for line in [heading, *(Text(" " * indent) + line for line in lines)]:
            console.print(line, soft_wrap=True)


def print_json(value: Any) -> None:
    """Strict JSON: a number that is not finite would be an error, not ``NaN``."""
    plain = not (sys.stdout.encoding or "").lower().startswith("utf")
    json.dump(value, sys.stdout, indent=2, allow_nan=False, ensure_ascii=plain)
    sys.stdout.write("\n")


def print_csv(rows: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> None:
    """Comma-separated values with a line of names first; what is missing is empty."""
    writer = csv.DictWriter(sys.stdout, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def print_line(text: str = "") -> None:
    """One line of data."""
    sys.stdout.write(clean(text) + "\n")
