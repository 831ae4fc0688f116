"""``store``: inspect, check, back up and upgrade a store."""

from collections.abc import Iterable
from typing import Annotated

import typer

from lenetcli.cli import options
from lenetcli.errors import RunFailedError
from lenetcli.files import DEFAULT_STORE
from lenetcli.words import plural

app = typer.Typer(no_args_is_help=True, help="Look into a store, check it, copy it, upgrade it.")


@app.command()
def info(as_json: options.JsonOption = False, address: options.StoreOption = DEFAULT_STORE) -> None:
    """Show where the store is, how large, and what it holds."""
    from lenetcli.cli.screen import console
    from lenetcli.store.upkeep import inspect_store

    summary = inspect_store(address)
    path, newest = str(summary.path), summary.newest
    if as_json:
        fields = {"path": path, "bytes": summary.bytes, "schema": summary.schema}
        console.print_json(fields | {"newest_activity": newest, "counts": summary.counts})
    else:
        console.print_pairs(
            [
                ("path", path),
                ("size", f"{summary.bytes:,} bytes"),
                ("schema", summary.schema),
                ("newest activity", f"{newest:%Y-%m-%d %H:%M} UTC" if newest else "none"),
                *((name.replace("_", " "), f"{count:,}") for name, count in summary.counts.items()),
            ]
        )


@app.command()
def check(address: options.StoreOption = DEFAULT_STORE) -> None:
    """Check the file, references, accuracies against predictions, and weights against their hashes."""
    from lenetcli.cli.screen import console
    from lenetcli.store.upkeep import check_store

    with console.show_work("Checking the store"):
        checked = check_store(address)
    _print_faults(checked.faults)
    counts = (
        f"{plural(checked.runs, 'run')}, {checked.recomputed:,} validation accuracies recomputed from "
        f"predictions, {checked.unknown:,} could not be; for the test accuracies "
        f"({checked.tests:,}) no predictions are stored"
    )
    if checked.faults:
        console.print_line(f"Checked {counts}.")
        raise RunFailedError(
            f"This store has {plural(len(checked.faults), 'fault')}.",
            "Do what the lines say, or restore it from a backup.",
        )
    console.print_line(f"The store is sound: {counts}.")


@app.command()
def backup(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to copy the store to.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
    address: options.StoreOption = DEFAULT_STORE,
) -> None:
    """Check and copy the store; safe while others write to it."""
    from lenetcli.cli.screen import console
    from lenetcli.store.upkeep import back_up

    with console.show_work("Checking and copying the store"):
        faults = back_up(address, options.parse_output(file), overwrite=overwrite)
    console.print_message(f"Wrote {file}")
    if faults:
        _print_faults(faults)
        raise RunFailedError(
            f"{file} is the copy of a damaged store, with {plural(len(faults), 'fault')}.",
            "Keep it to rescue what is whole, and keep the backups before it.",
        )


@app.command()
def upgrade(address: options.StoreOption = DEFAULT_STORE) -> None:
    """Bring a store of an older lenetcli to this one's schema; a backup is made first."""
    from lenetcli.cli.screen import console
    from lenetcli.store.upkeep import upgrade_store

    with console.show_work("Checking, copying and upgrading the store"):
        before, now, copy, faults = upgrade_store(address)
    if copy is None:
        console.print_message(f"The store has schema {now} already.")
        return
    console.print_message(f"Upgraded from schema {before} to {now}; the store as it was is in {copy}")
    if faults:
        _print_faults(faults)
        raise RunFailedError(
            f"The store had {plural(len(faults), 'fault')} before the upgrade, and has them still.",
            "Restore it from a backup of an earlier day, or train these runs in another store.",
        )


def _print_faults(faults: Iterable[str]) -> None:
    from lenetcli.cli.screen import console

    for fault in faults:
        console.print_line(fault)
