"""``report``: write the report of the exercise, or verify one against the store."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lenetcli.cli import options
from lenetcli.errors import RunFailedError
from lenetcli.files import DEFAULT_STORE

if TYPE_CHECKING:
    from lenetcli.store.store import Store


def report(
    output: options.OutputOption = None,
    title: Annotated[
        str | None, typer.Option("--title", metavar="TEXT", help="Stands above the report.")
    ] = None,
    author: Annotated[
        str | None, typer.Option("--author", metavar="TEXT", help="Stands below the title.")
    ] = None,
    verify: Annotated[
        str | None,
        typer.Option("--verify", metavar="FILE.pdf", help="Recompute a report's facts from the store."),
    ] = None,
    address: options.StoreOption = DEFAULT_STORE,
) -> None:
    """Write the report of the exercise, computed from the store (report.pdf; -o FILE.typ for its source)."""
    from lenetcli.cli.screen import console
    from lenetcli.files import check_output
    from lenetcli.output.report.report import ENDINGS, TITLE, make
    from lenetcli.store.store import Store

    target = options.parse_output(output if output is not None else "report.pdf")
    if verify is not None:
        _verify(Store.open(address), verify)
        return
    check_output(target, ENDINGS)
    document = make(Store.open(address), title=title or TITLE, author=author)
    document.write(target)
    console.print_message(f"Wrote {target}")
    for sentence in document.missing():
        console.print_message(sentence, "yellow")


def _verify(store: "Store", file: str) -> None:
    from lenetcli.cli.screen import console
    from lenetcli.output.report.verification import verify
    from lenetcli.words import plural

    verification = verify(store, Path(file))
    for difference in verification.differences:
        console.print_line(difference)
    if verification.differences:
        raise RunFailedError(
            f"{file} differs from the store in {plural(len(verification.differences), 'place')}.",
            "Make the report again with lenetcli report.",
        )
    rendering = (
        " and renders to the same bytes"
        if verification.rendered
        else "; another version made it, so it was not rendered again"
    )
    console.print_line(f"Every statement of {file} follows from the store{rendering}.")
