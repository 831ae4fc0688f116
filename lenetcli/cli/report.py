"""``report``: write the report of the exercise, or verify reports against their stores."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lenetcli.cli import options
from lenetcli.errors import (
    LenetError,
    NotFoundError,
    RunFailedError,
    StoreError,
    UncheckedError,
    UsageError,
)
from lenetcli.files import DEFAULT_STORE, locate
from lenetcli.words import join_words, plural

if TYPE_CHECKING:
    from lenetcli.output.report.handins import HandIn

GRAVITY: tuple[type[LenetError], ...] = (
    RunFailedError,
    StoreError,
    UsageError,
    NotFoundError,
    UncheckedError,
)
"""The errors that verifications end with, the gravest first; of several reports it decides the exit code."""


def report(
    context: typer.Context,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE|FOLDER]...", help="The PDFs to --verify."),
    ] = None,
    output: options.OutputOption = None,
    title: Annotated[str | None, options.option("--title", "TEXT", "Stands above the report.")] = None,
    author: Annotated[str | None, options.option("--author", "TEXT", "Stands below the title.")] = None,
    interpretation: Annotated[
        str | None, options.option("--interpretation", "FILE", "A section of your own, in Markdown.")
    ] = None,
    no_conclusions: Annotated[
        bool, typer.Option("--no-conclusions", help="Leave out what lenetcli concludes.")
    ] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Check reports against --store, or the store beside each."),
    ] = False,
    as_json: options.JsonOption = False,
    as_csv: options.CsvOption = False,
    sweeps: Annotated[
        list[str] | None, options.option("--sweep", "ID", "This sweep, not the newest (repeat it).")
    ] = None,
    address: options.StoreOption = DEFAULT_STORE,
) -> None:
    """Write the report of the exercise, computed from the store (report.pdf; -o FILE.tex, .md or .typ)."""
    if verify:
        typed = {
            **{"-o": output, "--title": title, "--author": author, "--interpretation": interpretation},
            **{"--no-conclusions": no_conclusions, "--sweep": sweeps},
        }
        if unused := [name for name, value in typed.items() if value]:
            raise UsageError(f"--verify writes nothing: {join_words(unused)} means nothing.", "Leave it out.")
        source = context.get_parameter_source("address")
        named = address if source and source.name == "COMMANDLINE" else None
        _verify(files or [], named, address, as_json=as_json, as_csv=as_csv)
        return
    if files or as_json or as_csv:
        problem = "Files, --json and --csv are of --verify; a report is written to what -o names."
        raise UsageError(problem, "Add --verify, or leave them out.")
    target = options.parse_output("report.pdf" if output is None else output)
    own = None if interpretation is None else locate(interpretation)
    _write(target, title, author, sweeps or [], address, interpretation=own, conclusions=not no_conclusions)


def _write(
    target: Path,
    title: str | None,
    author: str | None,
    prefixes: Sequence[str],
    address: str,
    *,
    interpretation: Path | None,
    conclusions: bool,
) -> None:
    """Write a report on the sweeps whose ids begin with ``prefixes``, and the newest in place of others."""
    from lenetcli.cli.screen import console
    from lenetcli.output.report import contents, fonts, report
    from lenetcli.output.report.interpretation import read_interpretation
    from lenetcli.store.store import Store

    report.check_target(target)
    text = None if interpretation is None else read_interpretation(interpretation)
    store = Store.open(address)
    choice = contents.choose(store, [store.sweep(prefix) for prefix in prefixes])
    facts = contents.gather(
        store,
        title=title or contents.TITLE,
        author=author,
        sweeps=choice.sweeps,
        interpretation=text,
        conclusions=conclusions,
    )
    is_set = target.suffix.lower() in (".pdf", ".typ")
    chosen = fonts.choose_fonts(facts) if is_set else ()
    document = report.Report(fonts.name_fonts(facts, chosen), chosen)
    console.print_message(document.write(target))
    if note := fonts.describe_fonts(chosen):
        console.print_message(note)
    unset = document.describe_unset(target)
    for sentence in (*unset, *choice.notes, *document.missing(options.name_store())):
        console.print_message(sentence, "yellow")


def _verify(texts: Sequence[str], named: str | None, address: str, *, as_json: bool, as_csv: bool) -> None:
    """Verify reports, and end with the gravest of their results."""
    from lenetcli.cli.screen import console, hand_in_tables
    from lenetcli.output.report import handins
    from lenetcli.store.store import Store

    options.check_formats(as_json, as_csv)
    if not texts:
        raise UsageError("--verify was given no report.", "Name PDFs or folders of them.")
    paths = [locate(text) for text in texts]
    files = handins.find_files(paths)
    is_single = files == paths and len(files) == 1
    default = address if is_single else None
    reports = [handins.check(file, Store.open, named=named, default=default) for file in files]
    shared = handins.find_shared(reports)
    rows = [handins.hand_in_fields(report, shared) for report in reports]
    if as_json:
        console.print_json(rows)
    elif as_csv:
        console.print_csv([_flatten(row) for row in rows], handins.HAND_IN_FIELDS)
    elif not is_single:
        hand_in_tables.print_hand_ins(rows, shared)
    elif verification := reports[0].verification:
        hand_in_tables.print_verification(reports[0], verification)
    errors = [error for report in reports if (error := _judge(report))]
    if is_single and errors:
        raise errors[0]
    for kind in GRAVITY:
        if any(isinstance(error, kind) for error in errors):
            counts = Counter(report.verdict for report in reports)
            verdicts = ", ".join(f"{verdict}: {count}" for verdict, count in counts.items())
            raise kind(f"Of {plural(len(reports), 'report')}, {verdicts}.", "Each is named above.")


def _judge(report: "HandIn") -> LenetError | None:
    """The error that the verification of a report ends with; None if all of it agrees."""
    from lenetcli.output.report.verification import Outcome

    verification = report.verification
    if verification is None:
        return report.error
    if verification.outcome is Outcome.DIFFERS:
        return RunFailedError(
            f"{report.file} differs from the store {report.store} in "
            f"{plural(len(verification.differences), 'place')}.",
            "If it was made of another store, name that one with --store.",
        )
    if verification.unchecked:
        problem = f"{report.file} agrees with the store {report.store} as far as it was checked, not in all."
        return UncheckedError(problem, "The lines above say what was not checked: look at that yourself.")
    return None


def _flatten(row: dict[str, Any]) -> dict[str, Any]:
    """A row in which lists are texts, for CSV."""
    return {name: "; ".join(value) if isinstance(value, list) else value for name, value in row.items()}
