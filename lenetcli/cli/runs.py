"""``runs``: list, show and save runs."""

from collections.abc import Iterable
from typing import Annotated

import typer

from lenetcli.cli import options
from lenetcli.cli.screen.streams import silence_stderr
from lenetcli.errors import NotFoundError, UsageError
from lenetcli.experiment.config import DeviceKind
from lenetcli.experiment.parameters import find_meanings, squeeze
from lenetcli.experiment.run import RunState
from lenetcli.files import DEFAULT_STORE, check_output, temporary_folder, write_output

TABLE_ROWS = 50
"""The largest number of rows of the table, unless more are asked for."""

TITLES = {
    "bestval": "best_val_accuracy",
    "best": "best_val_accuracy",
    "lastval": "val_accuracy",
    "last": "val_accuracy",
    "test": "test_accuracy",
    "runtime": "runtime_seconds",
    "params": "parameters",
    "data": "dataset",
    "created": "created_at",
}
"""The fields of the titles of columns, and of other short names, squeezed."""

SORTING = "Order by this field of the JSON: newest, longest and best first, the rest upwards."

app = typer.Typer(no_args_is_help=True, help="List, show and save runs.")


@app.command("list")
def list_runs(
    as_json: options.JsonOption = False,
    as_csv: options.CsvOption = False,
    sweep: Annotated[str | None, options.option("--sweep", "ID", "Only runs of this sweep.")] = None,
    state: Annotated[
        RunState | None, options.option("--state", "STATE", "Only runs in this state.", RunState)
    ] = None,
    device: Annotated[
        DeviceKind | None, options.option("--device", "cpu|gpu", "Only runs on this.", DeviceKind)
    ] = None,
    sort: Annotated[str, options.option("--sort", "FIELD", SORTING)] = "created_at",
    limit: Annotated[
        int | None, options.option("--limit", "N", "At most so many; 50 by default in the table.", int)
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="All of them, as --json and --csv do without --limit.")
    ] = False,
    address: options.StoreOption = DEFAULT_STORE,
) -> None:
    """List runs, the newest first."""
    from lenetcli.cli.screen import console, run_tables
    from lenetcli.output import records
    from lenetcli.store.store import SORT_FIELDS, Store

    options.check_formats(as_json, as_csv)
    options.choose_one(("--limit", limit is not None), ("--all", every))
    if limit is not None and limit < 1:
        raise UsageError(f"The limit {limit} shows nothing.", "Choose one from 1 up, or --all.")
    sort = _name_field(sort, SORT_FIELDS)
    store = Store.open(address)
    if as_json or as_csv:
        runs = store.stream_runs(state=state, device=device, sweep=sweep, sort=sort, limit=limit)
        fields = map(records.run_fields, runs)
        if as_json:
            console.print_json_list(fields)
        else:
            console.print_csv(fields, records.RUN_FIELDS)
        return
    most = None if every else TABLE_ROWS if limit is None else limit
    shown = store.runs(state=state, device=device, sweep=sweep, sort=sort, limit=most)
    total = store.count(state=state, device=device, sweep=sweep) if len(shown) == most else len(shown)
    run_tables.print_runs(shown, store.recipes(), total)


def _name_field(typed: str, fields: Iterable[str]) -> str:
    """The field of this name, of the column of this title, or of the parameter with this spelling.

    Raises:
        UsageError: if there is none, or there are several.
    """
    name = squeeze(typed)
    known = {squeeze(field): field for field in fields} | TITLES
    found = [known[name]] if name in known else find_meanings(typed)
    found = found or [field for field in known.values() if name and name in squeeze(field)]
    meanings = [field for field in dict.fromkeys(found) if field in known.values()]
    if len(meanings) == 1:
        return meanings[0]
    choices = ", ".join(meanings or dict.fromkeys(known.values()))
    raise UsageError(f"Runs cannot be sorted by {typed!r}.", f"Choose one of {choices}.")


@app.command("show")
def show_run(
    run_id: options.RunArgument,
    as_json: options.JsonOption = False,
    address: options.StoreOption = DEFAULT_STORE,
) -> None:
    """Show one run: configuration, curve, attempts and timings."""
    from lenetcli.cli.screen import console, run_tables
    from lenetcli.output import records
    from lenetcli.store.store import Store

    store = Store.open(address)
    run = store.run(run_id)
    checkpoint = store.checkpoint(run.key)
    sha256 = checkpoint.sha256 if checkpoint else None
    if as_json:
        console.print_json(records.full_run_fields(run, sha256))
    else:
        run_tables.print_run(run, sha256)


@app.command("save")
def save_run(
    run_id: options.RunArgument,
    file: Annotated[str, typer.Argument(metavar="FILE.keras", help="Where to write the model.")],
    address: options.StoreOption = DEFAULT_STORE,
) -> None:
    """Save a run's newest weights as a model that plain Keras opens."""
    from lenetcli.cli.screen import console
    from lenetcli.store.store import Store

    target = options.parse_output(file)
    if target.suffix != ".keras":  # Keras does not accept capitals
        raise UsageError(f"Keras opens no file named {target}.", "Let it end in .keras.")
    check_output(target, ())
    store = Store.open(address)
    run = store.run(run_id)
    checkpoint = store.checkpoint(run.key)
    if checkpoint is None:
        raise NotFoundError(f"Run {run.short_id} has no weights yet.", "Train it first.")
    console.print_message("Loading TensorFlow ...", "dim")
    with silence_stderr():
        from lenetcli.training.engine.lenet import save_model
    with temporary_folder() as folder:
        model = folder / "model.keras"
        save_model(run.config, checkpoint, model)
        content = model.read_bytes()
    written = write_output(target, content)
    console.print_message(f"{written} (epoch {checkpoint.epoch} of run {run.short_id})")
