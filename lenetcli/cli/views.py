"""The commands that look at what is there: runs, sweeps, data, devices."""

from pathlib import Path
from typing import Annotated

import typer

from lenetcli.cli import options as o
from lenetcli.errors import NotFoundError, UsageError
from lenetcli.paths import DEFAULT_STORE
from lenetcli.runs import DeviceKind, RunState

runs_app = typer.Typer(no_args_is_help=True, help="List, show and save runs.")
sweeps_app = typer.Typer(no_args_is_help=True, help="List sweeps.")


@runs_app.command("list")
def list_runs(
    as_json: o.JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    sweep: Annotated[
        str | None, typer.Option("--sweep", metavar="ID", help="Only runs of this sweep.")
    ] = None,
    state: Annotated[
        RunState | None,
        typer.Option(
            "--state",
            parser=o.choice(RunState, "state"),
            metavar="STATE",
            help="Only runs in this state.",
        ),
    ] = None,
    device: Annotated[
        DeviceKind | None,
        typer.Option(
            "--device",
            parser=o.choice(DeviceKind, "device"),
            metavar="cpu|gpu",
            help="Only runs on this.",
        ),
    ] = None,
    sort: Annotated[
        str,
        typer.Option(
            "--sort",
            metavar="FIELD",
            help="Order by this field of the JSON: newest, longest and best first, the rest upwards.",
        ),
    ] = "created_at",
    limit: Annotated[int | None, o.number("limit", "At most so many; 50 by default.", "--limit")] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    store: o.StoreOption = DEFAULT_STORE,
) -> None:
    """List runs, the newest first."""
    from lenetcli import printing, records, render
    from lenetcli.store import SORT_FIELDS, Store

    if as_json and as_csv:
        raise UsageError("Both --json and --csv were given.", "Choose one.")
    most = None if every else (50 if limit is None else limit)
    if most is not None and most < 1:
        raise UsageError(f"The limit {most} shows nothing.", "Choose one from 1 up, or --all.")
    if sort not in SORT_FIELDS:
        raise UsageError(f"Runs cannot be sorted by {sort!r}.", f"Choose one of {', '.join(SORT_FIELDS)}.")
    held = Store.open(store)
    found = held.runs(state=state, device=device, sweep=sweep, sort=sort, limit=most)
    if as_json:
        printing.print_json([records.run_fields(run) for run in found])
    elif as_csv:
        printing.print_csv([records.run_fields(run) for run in found], records.RUN_FIELDS)
    else:
        whole = not (state or device or sweep)
        total = held.count() if whole and len(found) == most else None
        render.print_runs(found, total)


@runs_app.command("show")
def show_run(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="The first digits of a run's id.")],
    as_json: o.JsonOption = False,
    store: o.StoreOption = DEFAULT_STORE,
) -> None:
    """Show one run: configuration, curve, attempts and timings."""
    from lenetcli import printing, records, render
    from lenetcli.store import Store

    held = Store.open(store)
    run = held.run(run_id)
    weights = held.weights(run.key)
    sha256 = weights.sha256 if weights else None
    if as_json:
        printing.print_json(records.full_run_fields(run, sha256))
    else:
        render.print_run(run, sha256)


@runs_app.command("save")
def save_run(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="The first digits of a run's id.")],
    file: Annotated[str, typer.Argument(metavar="FILE.keras", help="Where to write the model.")],
    store: o.StoreOption = DEFAULT_STORE,
) -> None:
    """Save a run's newest weights as a model that plain Keras opens."""
    from tempfile import TemporaryDirectory

    from lenetcli import printing
    from lenetcli.outputs import check_output, write_output
    from lenetcli.quiet import silence_stderr
    from lenetcli.store import Store

    target = o.parse_output(file)
    if target.suffix != ".keras":  # in capitals, too
        raise UsageError(f"Keras opens no file named {target}.", "Let it end in .keras.")
    check_output(target, ())
    held = Store.open(store)
    run = held.run(run_id)
    stored = held.weights(run.key)
    if stored is None:
        raise NotFoundError(f"Run {run.short_id} has no weights yet.", "Train it first.")
    printing.tell("Loading TensorFlow ...", "dim")
    with silence_stderr():
        from lenetcli.training import save_model
    with TemporaryDirectory() as folder:
        made = Path(folder, "model.keras")
        save_model(run.config, stored, made)
        write_output(target, made.read_bytes())
    printing.tell(f"Wrote {target} (epoch {stored.epoch} of run {run.short_id})")


@sweeps_app.command("list")
def list_sweeps(as_json: o.JsonOption = False, store: o.StoreOption = DEFAULT_STORE) -> None:
    """List sweeps, the newest request first."""
    from lenetcli import printing, records, render
    from lenetcli.store import Store

    found = Store.open(store).sweeps()
    if as_json:
        printing.print_json([records.sweep_fields(sweep) for sweep in found])
    else:
        render.print_sweeps(found)


def data(
    dataset: o.DatasetOption = "auto",
    path: o.DataOption = None,
    as_json: o.JsonOption = False,
) -> None:
    """Show which data would be used, from where, with counts and checksums."""
    from lenetcli import printing
    from lenetcli.cli.training import find_stoppably

    source = find_stoppably(lambda find: find(dataset, path))
    if source.warning:
        printing.tell(source.warning, "bold yellow")
    if as_json:
        printing.print_json(
            {
                "name": source.name,
                "origin": source.origin,
                "sha256": source.sha256,
                "train_images": source.train_images,
                "validation_images": source.validation_images,
                "test_images": source.test_images,
                "checksums": dict(source.checksums),
            }
        )
        return
    printing.print_facts(
        [
            ("data set", source.name),
            ("from", source.origin),
            ("training images", f"{source.train_images:,}"),
            ("validation images", f"{source.validation_images:,}"),
            ("test images", f"{source.test_images:,}" if source.test_images else "none"),
            ("arrays", f"SHA-256 {source.sha256}"),
            *((name, f"SHA-256 {digest}") for name, digest in source.checksums.items()),
        ]
    )


def devices(as_json: o.JsonOption = False) -> None:
    """List what there is to train on."""
    from lenetcli import devices as room
    from lenetcli import printing

    found = room.list_devices()
    count = len(found) - 1 and room.tensorflow_sees_gpus()
    usable = {device: device.kind is DeviceKind.CPU or device.index < count for device in found}
    trouble = room.gpu_trouble()
    if as_json:
        printing.print_json(
            [
                {
                    "device": device.label,
                    "name": device.name,
                    "memory_bytes": device.memory_bytes,
                    "usable": usable[device],
                }
                for device in found
            ]
        )
    else:
        printing.print_facts(
            (
                device.label,
                f"{device.name}, {(device.memory_bytes or 0) / 2**30:.0f} GiB"
                + ("" if usable[device] else " (TensorFlow cannot use it)"),
            )
            for device in found
        )
    if trouble:
        printing.tell(trouble, "yellow")
