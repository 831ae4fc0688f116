"""``plot``: learning curves, and parameters against runtime."""

from typing import TYPE_CHECKING, Annotated

import typer

from lenetcli.cli import options
from lenetcli.cli.values import parse_choice, parse_parameter
from lenetcli.errors import NotFoundError, UsageError
from lenetcli.experiment.exercise import example_values
from lenetcli.files import DEFAULT_STORE

if TYPE_CHECKING:
    from lenetcli.analysis.curves import CurveSeries, Metric
    from lenetcli.analysis.runtimes import RuntimeSeries


METRICS = "val_accuracy, val_loss, train_loss or error."


def plot(
    what: Annotated[
        str, typer.Argument(metavar="lr|runtime|PARAMETER", help="runtime, or the parameter of a sweep.")
    ],
    output: options.OutputOption = None,
    sweep: Annotated[str | None, options.option("--sweep", "ID", "This sweep, not the newest.")] = None,
    runs: Annotated[list[str] | None, options.option("--runs", "ID", "These runs (repeat it).")] = None,
    metric: Annotated[str, options.option("--metric", "NAME", METRICS)] = "val_accuracy",
    log: Annotated[
        bool | None,
        typer.Option("--log/--linear", help="Logarithmic or linear axes; chosen by the data unless set."),
    ] = None,
    terminal: Annotated[bool, typer.Option("--terminal", help="Draw in the terminal, with plotext.")] = False,
    csv: Annotated[str | None, options.option("--csv", "FILE.csv", "Write the plotted series.")] = None,
    data: Annotated[
        str | None, options.option("--data", "FILE.csv", "The old name of --csv.", hidden=True)
    ] = None,
    address: options.StoreOption = DEFAULT_STORE,
) -> None:
    """Draw learning curves, or parameters against runtime (lr.png, runtime.png …; or -o FILE.svg, .pdf)."""
    from lenetcli.analysis.curves import Metric
    from lenetcli.cli.screen import console
    from lenetcli.output.figures.figure import ENDINGS, draw, save
    from lenetcli.output.figures.terminal import draw_terminal
    from lenetcli.output.records import write_csv

    curve_metric = parse_choice(metric, Metric, "metric")
    field = parse_parameter(what, "runtime")
    if runs and sweep is not None:
        raise UsageError("Both --runs and --sweep were given.", "Choose one.")
    if csv is not None and data is not None:
        raise UsageError("Both --csv and its old name --data were given.", "Leave --data out.")
    csv = data if csv is None else csv
    if output is None and not terminal:
        output = f"{field.replace('_', '-')}.png"
    target = None if output is None else options.parse_output(output, ENDINGS)
    table = None if csv is None else options.parse_output(csv, (".csv",))
    series = _find_series(address, field, runs, sweep, curve_metric)
    if table:
        write_csv(series, table)
        console.print_message(f"Wrote {csv}")
    if terminal:
        stdout = console.stdout()
        ascii_only = not stdout.encoding.startswith("utf")
        console.print_line(draw_terminal(series, min(stdout.width, 120), 28, log=log, ascii_only=ascii_only))
    if target:
        save(draw(series, log=log), target)
        console.print_message(f"Wrote {target}")


def _find_series(
    address: str, field: str, runs: list[str] | None, sweep_id: str | None, metric: "Metric"
) -> "CurveSeries | RuntimeSeries":
    """The series of these runs, of this sweep, or of the newest sweep over a field."""
    from lenetcli.analysis.curves import run_curves, sweep_curves
    from lenetcli.analysis.runtimes import run_runtimes, runtime_series
    from lenetcli.cli.screen import console
    from lenetcli.experiment.choice import Choice, choose_sweeps
    from lenetcli.experiment.sweep import suggest_command
    from lenetcli.store.store import Store

    store = Store.open(address)
    recipes = store.recipes()
    if runs:
        found = [store.run(prefix) for prefix in runs]
        store.verify(found)
        if field == "runtime":
            return run_runtimes(found, recipes=recipes)
        return run_curves(found, metric, recipes=recipes)
    timed = field == "runtime"
    sweeps = store.sweeps() if sweep_id is None else [store.sweep(sweep_id)]
    choice = Choice(tuple(sweeps))
    if sweep_id is None:
        choice = choose_sweeps(sweeps, "filters" if timed else field, timed=timed)
    for note in choice.notes:
        console.print_message(note, "yellow")
    if not choice.sweeps:
        parameter = "filters" if timed else field
        raise NotFoundError(
            f"There is no {'timed ' * timed}sweep over {parameter.replace('_', '-')} in '{store.name}'.",
            "Train one with {}.",
            suggest_command(parameter, example_values(parameter), sweeps),
        )
    store.verify(run for sweep in choice.sweeps for run in sweep.runs)
    if timed:
        return runtime_series(choice.sweeps, recipes=recipes)
    return sweep_curves(choice.sweeps[0], metric, recipes=recipes)
