"""``plot``: learning curves, and parameters against runtime."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lenetcli.cli import options
from lenetcli.errors import NotFoundError, UsageError
from lenetcli.files import DEFAULT_STORE

if TYPE_CHECKING:
    from lenetcli.analysis.curves import CurveSeries, Metric
    from lenetcli.analysis.runtimes import RuntimeSeries
    from lenetcli.store.store import Store


def plot(
    what: Annotated[
        str, typer.Argument(metavar="lr|runtime|PARAMETER", help="runtime, or the parameter of a sweep.")
    ],
    output: options.OutputOption = None,
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
    series_file: Annotated[
        str | None, typer.Option("--data", metavar="FILE.csv", help="Write the plotted series.")
    ] = None,
    address: options.StoreOption = DEFAULT_STORE,
) -> None:
    """Draw learning curves, or parameters against runtime (lr.png, runtime.png …; or -o FILE.svg, .pdf)."""
    from lenetcli.analysis.curves import Metric
    from lenetcli.cli.screen import console
    from lenetcli.cli.values import parse_choice, parse_parameter
    from lenetcli.files import check_output
    from lenetcli.output.figures.sheet import ENDINGS
    from lenetcli.store.store import Store

    curve_metric = parse_choice(metric, Metric, "metric")
    field = parse_parameter(what, "runtime")
    if runs and sweep is not None:
        raise UsageError("Both --runs and --sweep were given.", "Choose one.")
    target = options.parse_output(output) if output is not None else Path(f"{field.replace('_', '-')}.png")
    if not terminal or output is not None:
        check_output(target, ENDINGS)
    if series_file is not None:
        check_output(options.parse_output(series_file), (".csv",))
    store = Store.open(address)
    series = (
        _find_runtimes(store, runs, sweep)
        if field == "runtime"
        else _find_curves(store, field, runs, sweep, curve_metric)
    )
    if series_file is not None:
        from lenetcli.output.records import write_csv

        write_csv(series, options.parse_output(series_file))
        console.print_message(f"Wrote {series_file}")
    if terminal:
        _draw_terminal(series)
    if not terminal or output is not None:
        _draw_file(series, log, target)
        console.print_message(f"Wrote {target}")


def _draw_terminal(series: "CurveSeries | RuntimeSeries") -> None:
    from lenetcli.cli.screen import console
    from lenetcli.output.figures.terminal import draw_terminal

    stdout = console.stdout()
    ascii_only = not stdout.encoding.startswith("utf")
    console.print_line(draw_terminal(series, min(stdout.width, 120), 28, ascii_only))


def _draw_file(series: "CurveSeries | RuntimeSeries", log: bool | None, target: Path) -> None:
    from lenetcli.analysis.runtimes import RuntimeSeries
    from lenetcli.output.figures.curves import draw_curves
    from lenetcli.output.figures.runtimes import draw_runtime
    from lenetcli.output.figures.sheet import save

    if isinstance(series, RuntimeSeries):
        save(draw_runtime(series, log=log), target)
    else:
        save(draw_curves(series, linear=log is False), target)


def _find_runtimes(store: "Store", runs: list[str] | None, sweep: str | None) -> "RuntimeSeries":
    from lenetcli.analysis.runtimes import newest_filters, run_runtimes, runtime_series

    if runs:
        return run_runtimes(store.runs(runs))
    return runtime_series([store.sweep(sweep)] if sweep is not None else newest_filters(store.sweeps()))


def _find_curves(
    store: "Store", field: str, runs: list[str] | None, sweep_id: str | None, metric: "Metric"
) -> "CurveSeries":
    from lenetcli.analysis.curves import run_curves, sweep_curves
    from lenetcli.experiment.exercise import LEARNING_RATES_COMMAND

    if runs:
        return run_curves(store.runs(runs), metric)
    if sweep_id is not None:
        return sweep_curves(store.sweep(sweep_id), metric)
    newest = next((sweep for sweep in store.sweeps() if sweep.parameter == field), None)
    if newest is None:
        name = field.replace("_", "-")
        command = LEARNING_RATES_COMMAND if field == "lr" else f"lenetcli sweep {name} VALUE..."
        raise NotFoundError(
            f"There is no sweep over {name} in '{store.name}'.",
            f"`{command}` trains one.",
        )
    return sweep_curves(newest, metric)
