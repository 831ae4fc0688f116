"""``sweeps``: list sweeps."""

import typer

from lenetcli.cli import options
from lenetcli.files import DEFAULT_STORE

app = typer.Typer(no_args_is_help=True, help="List sweeps.")


@app.command("list")
def list_sweeps(as_json: options.JsonOption = False, address: options.StoreOption = DEFAULT_STORE) -> None:
    """List sweeps, the newest request first."""
    from lenetcli.cli.screen import console, sweep_tables
    from lenetcli.output import records
    from lenetcli.store.store import Store

    store = Store.open(address)
    sweeps = store.sweeps()
    if as_json:
        console.print_json([records.sweep_fields(sweep) for sweep in sweeps])
    else:
        sweep_tables.print_sweeps(sweeps, store.recipes())
