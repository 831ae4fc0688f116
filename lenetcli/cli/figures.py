"""The commands that draw and write: plot, report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lenetcli.cli import options as o
from lenetcli.errors import NotFoundError, RunFailedError, UsageError
from lenetcli.paths import DEFAULT_STORE

if TYPE_CHECKING:
    from lenetcli.runtimes import RuntimeSeries
    from lenetcli.series import CurveSeries, Metric
    from lenetcli.store import Store

OutputOption = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="FILE", help="Where to write; the ending says the kind."),
]


def plot(
    what: Annotated[
        str, typer.Argument(metavar="lr|runtime|PARAMETER", help="runtime, or the parameter of a sweep.")
    ],
    output: OutputOption = None,
    sweep: Annotated[
        str | None, typer.Option("--sweep", metavar="ID", help="This sweep, not the newest.")
    ] = None,
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
    from lenetcli.wording import LEARNING_RATES_COMMAND

    if runs:
        return run_curves(held.runs(runs), metric)
    if sweep is not None:
        return sweep_curves(held.sweep(sweep), metric)
    found = next((one for one in held.sweeps() if one.parameter == field), None)
    if found is None:
        name = field.replace("_", "-")
        command = LEARNING_RATES_COMMAND if field == "lr" else f"lenetcli sweep {name} VALUE..."
        raise NotFoundError(
            f"There is no sweep over {name} in '{held.name}'.",
            f"`{command}` trains one.",
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
