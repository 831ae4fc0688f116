"""``sweeps``: list and show sweeps."""

from typing import TYPE_CHECKING, Annotated

import typer

from lenetcli.cli import options
from lenetcli.files import DEFAULT_STORE

if TYPE_CHECKING:
    from lenetcli.experiment.sweep import Sweep

FOLLOW = "Look on while another process trains it, until it is done or nothing of it is running any more."

app = typer.Typer(no_args_is_help=True, help="List and show sweeps.")


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


@app.command("show")
def show_sweep(
    sweep_id: Annotated[str, typer.Argument(metavar="ID", help="The first digits of a sweep's id.")],
    follow: Annotated[bool, typer.Option("--follow", help=FOLLOW)] = False,
    each: options.EachOption = False,
    as_json: options.JsonOption = False,
    address: options.StoreOption = DEFAULT_STORE,
) -> None:
    """Show one sweep: the results of its runs, best first, and how far it is."""
    from lenetcli.cli.screen import console, sweep_tables
    from lenetcli.output import records
    from lenetcli.store.store import Store

    options.choose_one(("--follow", follow), ("--json", as_json))
    options.choose_one(("--each", each), ("--json", as_json))
    store = Store.open(address)
    sweep = store.sweep(sweep_id)
    if as_json:
        console.print_json(records.full_sweep_fields(sweep))
        return
    if follow:
        from lenetcli.cli.follow import Follower

        sweep = Follower(store, sweep).follow()
    sweep_tables.print_stored_sweep(sweep, each=each)
    _say_how_it_stands(sweep, over=follow)


def _say_how_it_stands(sweep: "Sweep", *, over: bool) -> None:
    """Print whether a sweep that was followed is done, and the command that trains what is left of it."""
    from lenetcli.cli.screen import console, sweep_tables
    from lenetcli.experiment.config import RECIPE
    from lenetcli.experiment.sweep import write_command

    if over:
        left = f"Nothing of it is running any more: {sweep.done} of {len(sweep.cells)} runs are done."
        console.print_message("Every run is done." if sweep.is_done else left)
    is_left = not sweep.is_done and (over or not any(map(sweep_tables.is_running, sweep.cells)))
    if is_left and sweep.base.recipe == RECIPE:  # the same command trains other runs by now
        console.print_message(f"To go on: {write_command(sweep)}{options.name_store()}", "dim")
