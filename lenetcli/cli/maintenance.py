"""``lenetcli store``: look into a store, check it, copy it, upgrade it."""

from typing import Annotated

import typer

from lenetcli.cli import options as o
from lenetcli.errors import RunFailedError
from lenetcli.paths import DEFAULT_STORE

app = typer.Typer(no_args_is_help=True, help="Look into a store, check it, copy it, upgrade it.")


@app.command()
def info(as_json: o.JsonOption = False, store: o.StoreOption = DEFAULT_STORE) -> None:
    """Show where the store is, how large, and what it holds."""
    from lenetcli import printing
    from lenetcli.store.maintenance import inspect_store

    facts = inspect_store(store)
    if as_json:
        printing.print_json(
            {
                "path": str(facts.path),
                "bytes": facts.bytes,
                "schema": facts.schema,
                "newest_activity": facts.newest.isoformat() if facts.newest else None,
                "counts": facts.counts,
            }
        )
        return
    printing.print_facts(
        [
            ("path", str(facts.path)),
            ("size", f"{facts.bytes:,} bytes"),
            ("schema", facts.schema),
            ("newest activity", f"{facts.newest:%Y-%m-%d %H:%M} UTC" if facts.newest else "none"),
            *((name.replace("_", " "), f"{count:,}") for name, count in facts.counts.items()),
        ]
    )


@app.command()
def check(store: o.StoreOption = DEFAULT_STORE) -> None:
    """Check the file, its references, its curves, and the weights against their hashes."""
    from lenetcli import printing
    from lenetcli.store.maintenance import check_store
    from lenetcli.wording import plural

    found = check_store(store)
    for trouble in found:
        printing.print_line(trouble)
    if found:
        raise RunFailedError(
            f"This store has {plural(len(found), 'fault')}.",
            "Restore it from a backup, or train these runs in another store.",
        )
    printing.print_line("The store is sound.")


@app.command()
def backup(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to copy the store to.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
    store: o.StoreOption = DEFAULT_STORE,
) -> None:
    """Copy the store; safe while others write to it."""
    from lenetcli import printing
    from lenetcli.store.maintenance import back_up

    back_up(store, o.parse_output(file), overwrite=overwrite)
    printing.tell(f"Wrote {file}")


@app.command()
def upgrade(store: o.StoreOption = DEFAULT_STORE) -> None:
    """Bring a store of an older lenetcli to this one's schema; a backup is made first."""
    from lenetcli import printing
    from lenetcli.store.maintenance import upgrade_store

    before, now, kept = upgrade_store(store)
    if kept is None:
        printing.tell(f"The store has schema {now} already.")
    else:
        printing.tell(f"Upgraded from schema {before} to {now}; the store as it was is in {kept}")
