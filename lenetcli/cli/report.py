"""``report``: write the report of the exercise, or verify one against the store."""

from typing import Annotated

from lenetcli.cli import options
from lenetcli.errors import RunFailedError
from lenetcli.files import DEFAULT_STORE, locate
from lenetcli.words import plural


def report(
    output: options.OutputOption = None,
    title: Annotated[str | None, options.option("--title", "TEXT", "Stands above the report.")] = None,
    author: Annotated[str | None, options.option("--author", "TEXT", "Stands below the title.")] = None,
    verify: Annotated[
        str | None, options.option("--verify", "FILE.pdf", "Recompute a report's facts from the store.")
    ] = None,
    sweeps: Annotated[
        list[str] | None, options.option("--sweep", "ID", "This sweep, not the newest (repeat it).")
    ] = None,
    address: options.StoreOption = DEFAULT_STORE,
) -> None:
    """Write the report of the exercise, computed from the store (report.pdf; -o FILE.typ for its source)."""
    from lenetcli.cli.screen import console
    from lenetcli.output.report import contents, report, verification
    from lenetcli.store.store import Store

    if verify is None:
        target = options.parse_output("report.pdf" if output is None else output)
        report.check_target(target)
        store = Store.open(address)
        choice = contents.choose(store, [store.sweep(prefix) for prefix in sweeps or ()])
        ids = [sweep.id for sweep in choice.sweeps]
        facts = contents.gather(store, title=title or contents.TITLE, author=author, ids=ids)
        document = report.Report(facts)
        document.write(target)
        console.print_message(f"Wrote {target}")
        for sentence in (*choice.notes, *document.missing(options.name_store())):
            console.print_message(sentence, "yellow")
        return
    verified = verification.verify(Store.open(address), locate(verify))
    if verified.older:
        compared = "its tables, set-up and runs are compared"
        console.print_message(f"An older lenetcli made {verify}: {compared}.")
    for difference in verified.differences:
        console.print_line(difference)
    if verified.differences:
        raise RunFailedError(
            f"{verify} differs from the store in {plural(len(verified.differences), 'place')}.",
            "Make the report again with lenetcli report.",
        )
    unlike = "; another version made it, so it was not rendered again"
    rendering = " and renders to the same bytes" if verified.rendered else unlike
    subject = "All that was compared in" if verified.older else "Every statement of"
    console.print_line(f"{subject} {verify} follows from the store{rendering}.")
