"""The results of verifications: one report in sentences, several as a table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lenetcli.cli.screen.console import print_line
from lenetcli.cli.screen.tables import Column, print_table
from lenetcli.output.report.handins import HandIn
from lenetcli.output.report.verification import Verification
from lenetcli.words import NONE, join_words, name_value, plural, write_number


def print_verification(report: HandIn, verification: Verification) -> None:
    """Print what was checked of one report, what was not, and each difference."""
    print_line(f"{report.file} was checked against the store {report.store}.")
    for sentence in (*verification.notes, *verification.checked, *verification.unchecked):
        print_line(sentence)
    for difference in verification.differences:
        print_line(difference)


def print_hand_ins(rows: Sequence[Mapping[str, Any]], shared: Mapping[tuple[Path, ...], int]) -> None:
    """Print a line for each report, the first reason where one is not verified, and which are copies."""
    columns: list[Column[Mapping[str, Any]]] = [
        Column("file", lambda row: row["file"]),
        Column("author", lambda row: row["author"] or NONE, 1),
        Column("complete", _write_completeness, 3),
        Column("best rate", lambda row: _write(row["best_rate"], name_value), 4, right=True),
        Column("hours", lambda row: _write(row["hours"], write_number), 5, right=True),
        Column("host", lambda row: ", ".join(row["hosts"] or ()) or NONE, 2),
        Column("verified", lambda row: row["verified"]),
    ]
    print_table(columns, rows)
    for row in rows:
        if row["error"]:
            print_line(row["error"])
        if reasons := [*row["differences"], *row["unchecked"]]:
            more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
            print_line(f"{row['file']}: {reasons[0]}{more}")
        for note in row["notes"]:
            print_line(f"{row['file']}: {note}")
    for files, count in shared.items():
        times = plural(count, "measured time")
        print_line(f"{join_words([str(file) for file in files])} share {times}: they were measured once.")


def _write_completeness(row: Mapping[str, Any]) -> str:
    """Whether the exercise is complete, or how much is missing."""
    if row["complete"] is None:
        return NONE
    return "yes" if row["complete"] else f"lacks {len(row['missing'])}"


def _write(value: float | None, write: Any) -> str:
    return NONE if value is None else write(value)
