"""The commands that look at what is there: plot, report, runs, sweeps, data, devices."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lenetcli.cli import options as o
from lenetcli.errors import NotFoundError, RunFailedError, UsageError
from lenetcli.paths import DEFAULT_STORE
from lenetcli.runs import DeviceKind, RunState

if TYPE_CHECKING:
    from lenetcli.runtimes import RuntimeSeries
    from lenetcli.series import CurveSeries, Metric
    from lenetcli.store import Store

runs_app = typer.Typer(no_args_is_help=True, help="List, show and save runs.")
sweeps_app = typer.Typer(no_args_is_help=True, help="List sweeps.")

OutputOption = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="FILE", help="Where to write; the ending says the kind."),
]
SweepOption = Annotated[str | None, typer.Option("--sweep", metavar="ID", help="This sweep, not the newest.")]


def plot(
    what: Annotated[
        str, typer.Argument(metavar="lr|runtime|PARAMETER", help="runtime, or the parameter of a sweep.")
    ],
    output: OutputOption = None,
    sweep: SweepOption = None,
    runs: Annotated[
        list[str] | None, typer.Option("--runs", metavar="ID", help="These runs (repeat it).")
    ] = None,
    metric: Annotated[
        str, typer.Option("--metric", metavar="NAME", help="val_accuracy, val_loss, train_loss or error.")
    ] = "val_accuracy",
    log: Annotated[
        bool | None,
        typer.Option("--log/--linear", help="Logarithmic or linear axes; chosen by the data unless set."),
    ] = None,
    terminal: Annotated[bool, typer.Option("--terminal", help="Draw in the terminal, with plotext.")] = False,
    data: Annotated[
        str | None, typer.Option("--data", metavar="FILE.csv", help="Write the plotted series.")
    ] = None,
    store: o.StoreOption = DEFAULT_STORE,
) -> None:
    """Draw learning curves, or parameters against runtime (lr.png, runtime.png …; or -o FILE.svg, .pdf)."""
    from lenetcli import printing
    from lenetcli.outputs import check_output
    from lenetcli.parsing import parse_choice, parse_parameter
    from lenetcli.runtimes import RuntimeSeries
    from lenetcli.series import Metric
    from lenetcli.store import Store

    measure = parse_choice(metric, Metric, "metric")
    field = parse_parameter(what, "runtime")
    if runs and sweep is not None:
        raise UsageError("Both --runs and --sweep were given.", "Choose one.")
    target = o.parse_output(output) if output is not None else Path(f"{field.replace('_', '-')}.png")
    if not terminal or output is not None:
        check_output(target)
    if data is not None:
        check_output(o.parse_output(data), (".csv",))
    held = Store.open(store)
    series = (
        _find_runtimes(held, runs, sweep)
        if field == "runtime"
        else _find_curves(held, field, runs, sweep, measure)
    )
    if data is not None:
        from lenetcli.canvas import write_csv

        write_csv(series, o.parse_output(data))
        printing.tell(f"Wrote {data}")
    if terminal:
        from lenetcli.terminal import draw_terminal

        console = printing.stdout()
        ascii_only = not console.encoding.startswith("utf")
        printing.print_line(draw_terminal(series, min(console.width, 120), 28, ascii_only))
    if not terminal or output is not None:
        from lenetcli.canvas import save
        from lenetcli.plots import draw_curves, draw_runtime

        if isinstance(series, RuntimeSeries):
            save(draw_runtime(series, log=log), target)
        else:
            save(draw_curves(series, linear=log is False), target)
        printing.tell(f"Wrote {target}")


def _find_runtimes(held: "Store", runs: list[str] | None, sweep: str | None) -> "RuntimeSeries":
    from lenetcli.runtimes import newest_filters, run_runtimes, runtime_series

    if runs:
        return run_runtimes(held.runs(runs))
    return runtime_series([held.sweep(sweep)] if sweep is not None else newest_filters(held.sweeps()))


def _find_curves(
    held: "Store", field: str, runs: list[str] | None, sweep: str | None, metric: "Metric"
) -> "CurveSeries":
    from lenetcli.series import run_curves, sweep_curves

    if runs:
        return run_curves(held.runs(runs), metric)
    if sweep is not None:
        return sweep_curves(held.sweep(sweep), metric)
    found = next((one for one in held.sweeps() if one.parameter == field), None)
    if found is None:
        name = field.replace("_", "-")
        example = "0.1 0.01 0.001 0.0001" if field == "lr" else "VALUE..."
        raise NotFoundError(
            f"There is no sweep over {name} in '{held.name}'.",
            f"`lenetcli sweep {name} {example}` trains one.",
        )
    return sweep_curves(found, metric)


def report(
    output: OutputOption = None,
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
    store: o.StoreOption = DEFAULT_STORE,
) -> None:
    """Write the report of the exercise, computed from the store (report.pdf; -o FILE.typ for its source)."""
    from lenetcli import printing, reports
    from lenetcli.outputs import REPORTS, check_output
    from lenetcli.store import Store
    from lenetcli.wording import plural

    target = o.parse_output(output if output is not None else "report.pdf")
    if verify is None:
        check_output(target, REPORTS)
    held = Store.open(store)
    if verify is not None:
        verification = reports.verify(held, Path(verify))
        for difference in verification.differences:
            printing.print_line(difference)
        if verification.differences:
            raise RunFailedError(
                f"{verify} differs from the store in {plural(len(verification.differences), 'place')}.",
                "Make the report again with lenetcli report.",
            )
        told = (
            " and renders to the same bytes"
            if verification.rendered
            else "; another version made it, so it was not rendered again"
        )
        printing.print_line(f"Every statement of {verify} follows from the store{told}.")
        return
    made = reports.make(held, title=title or reports.TITLE, author=author)
    made.write(target)
    printing.tell(f"Wrote {target}")
    for command in made.missing():
        printing.tell(command, "yellow")


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
