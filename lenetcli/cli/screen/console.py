"""Printing: messages, errors, pairs of name and value, JSON, CSV and sparklines.

Data goes to stdout, everything else to stderr.
"""

import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from itertools import chain, islice
from typing import Any

from rich import console as rich_console
from rich.cells import cell_len
from rich.text import Text

GAP = "  "
"""The space between two columns."""

SPARKS = 20
"""The largest number of characters in a sparkline."""

LEAST_ROOM = 24
"""The smallest width, in cells of the terminal, in which a long value is wrapped beside its name."""

COMMAND = re.compile(r"`[^`\n]+`|(?<=[:,] )lenetcli [^,`\n]+")
"""A command in a message: in backticks, or behind a colon or a comma, up to the next one."""
JOINT = "\ue000"
"""A character of no meaning that stands for the blanks of a command while lines are broken."""

SPARE = len("^C")
"""The columns at the end of a line that stay empty.

At Ctrl-C the terminal prints ^C after the last line. In a full line that would wrap, and the next refresh
would miss the display by a line.
"""


class Console(rich_console.Console):
    """A console of rich that leaves the handling of closed pipes to the caller."""

    def on_broken_pipe(self) -> None:
        """Raise the current ``BrokenPipeError`` again; rich itself would end the process with exit code 1."""
        raise


def stdout() -> Console:
    """A console for data on stdout: 200 columns wide if that is a file or a pipe and COLUMNS is not set."""
    console = Console(highlight=False, soft_wrap=False)
    # Otherwise rich would use the width of a terminal on stdin or stderr, or 80 columns.
    if not console.is_terminal and "COLUMNS" not in console._environ:
        console = Console(highlight=False, width=200)
    return console


def print_message(text: str, style: str = "") -> None:
    """Print a message to stderr, without interpreting markup or control characters."""
    _print_to_stderr(Text(clean(text), style=style))


def print_notes(notes: Iterable[str]) -> None:
    """Print notes to stderr that nobody should overlook, a line each; see ``print_message``."""
    for note in notes:
        print_message(note, "bold yellow")


def print_error(problem: str, advice: str) -> None:
    """Print an error to stderr: the problem, then the advice.

    If stderr cannot be written, nothing is raised: the exit code still reports the error.
    """
    with suppress(OSError):
        _print_to_stderr(Text.assemble(("Error: ", "bold red"), f"{clean(problem)} {clean(advice)}"))


def show_work(what: str) -> AbstractContextManager[object]:
    """A context in which a terminal on stderr shows that work is going on, which may take long."""
    return Console(stderr=True, highlight=False).status(Text(clean(what)))


def _print_to_stderr(text: Text) -> None:
    print_wrapped(Console(stderr=True, highlight=False), text)


def print_wrapped(console: rich_console.Console, text: Text) -> None:
    """Print a text in lines that fit a terminal, in one line elsewhere.

    There is no line feed within a command, so that it can be copied: a terminal wraps it where it is longer.
    """
    for line in text.split():
        breaks = _find_breaks(line.plain, console.width) if console.is_terminal else []
        for part in line.divide(breaks):
            part.rstrip()
            console.print(part, soft_wrap=True)


def _find_breaks(line: str, width: int) -> Iterator[int]:
    """Yield where each further line begins that a line is broken into."""
    joined = COMMAND.sub(lambda found: found[0].replace(" ", JOINT), line)
    begin = 0
    for word in re.finditer(r"\S+", joined):
        if word.start() > begin and cell_len(line[begin : word.end()]) > width:
            begin = word.start()
            yield begin


def clean(text: str) -> str:
    """A text in which U+FFFD replaces every character that is neither printable nor a newline.

    Names and notes come from users and from stores that others have written: their control characters must
    not reach the terminal.
    """
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def sparkline(curve: Sequence[float], console: Console, low: float, high: float) -> str:
    """A curve as one line of at most 20 characters, scaled from ``low`` to ``high``.

    Longer curves are sampled at equal distances, with both ends. The line is empty for fewer than two
    points, and in ASCII if the console supports nothing else.
    """
    if len(curve) < 2:
        return ""
    if len(curve) > SPARKS:
        curve = [curve[round(index * (len(curve) - 1) / (SPARKS - 1))] for index in range(SPARKS)]
    ascii_only = console.options.ascii_only or console.legacy_windows
    blocks = "_.-~=*#@" if ascii_only else "▁▂▃▄▅▆▇█"
    step = (high - low) / (len(blocks) - 1) or 1.0  # without a range, the lowest block throughout
    return "".join(blocks[round((point - low) / step)] for point in curve)


def print_pairs(facts: Iterable[tuple[str, Any]]) -> None:
    """Print pairs of name and value in two columns; values that are too long are wrapped.

    If the names leave too little room for wrapping, or for a word, the value starts on the line below.
    """
    console = stdout()
    facts = [(clean(name), clean(str(value))) for name, value in facts]
    name_width = max((cell_len(name) for name, _ in facts), default=0) + len(GAP)
    for name, value in facts:
        room = console.width - name_width
        longest = max(map(cell_len, value.split()), default=0)
        beside = cell_len(value) <= room or (room >= LEAST_ROOM and longest <= room)
        indent = name_width if beside else len(GAP)
        lines = Text(value).wrap(console, max(console.width - indent, 1), overflow="fold") or [Text()]
        heading = Text(name, style="bold")
        if beside:
            heading += Text(" " * (indent - cell_len(name))) + lines.pop(0)
        for line in [heading, *(Text(" " * indent) + line for line in lines)]:
            line.rstrip()
            console.print(line, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a value as JSON, in ASCII unless the encoding of stdout is one of Unicode; times in ISO 8601.

    Raises:
        ValueError: if a number is not finite, since JSON has no ``NaN``.
    """
    sys.stdout.write(f"{_write_json(value)}\n")


def print_json_list(items: Iterable[Any]) -> None:
    """Print items as one JSON array, each as soon as it is there; see ``print_json``."""
    opening = "["
    for item in items:
        indented = _write_json(item).replace("\n", "\n  ")  # a line break inside of a text is written \\n
        sys.stdout.write(f"{opening}\n  {indented}")
        opening = ","
    sys.stdout.write("[]\n" if opening == "[" else "\n]\n")


def _write_json(value: Any) -> str:
    ascii_only = not (sys.stdout.encoding or "").lower().startswith("utf")
    return json.dumps(value, indent=2, allow_nan=False, ensure_ascii=ascii_only, default=datetime.isoformat)


def print_csv(rows: Iterable[Mapping[str, Any]], fields: Sequence[str]) -> None:
    """Print rows as comma-separated values below a header, each as soon as it is there.

    None is an empty field.
    """
    writer = csv.DictWriter(sys.stdout, fields, lineterminator="\n")
    left = iter(rows)
    first = list(islice(left, 1))  # before the header: what fails at once prints nothing
    writer.writeheader()
    writer.writerows(chain(first, left))


def print_line(text: str = "") -> None:
    """Print one line of data, without control characters."""
    sys.stdout.write(clean(text) + "\n")
