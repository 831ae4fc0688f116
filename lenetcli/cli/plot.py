"""``plot``: learning curves, effects of parameters, grids, and parameters against runtime."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lenetcli.cli import answers, options
from lenetcli.cli.names import parse_parameter
from lenetcli.cli.values import parse_choice
from lenetcli.errors import LenetError, NotFoundError, UsageError
from lenetcli.experiment.exercise import example_values
from lenetcli.experiment.parameters import PARAMETERS, find_meanings, squeeze
from lenetcli.files import DEFAULT_STORE
from lenetcli.words import join_words

if TYPE_CHECKING:
    from lenetcli.analysis.curves import Metric
    from lenetcli.experiment.choice import Choice
    from lenetcli.experiment.sweep import Sweep
    from lenetcli.output.figures.figure import Series
    from lenetcli.store.store import Store


RUNTIME, GRID = "runtime", "grid"
"""The figures that are not named after a parameter."""
METRIC_SPELLINGS = {
    "val_accuracy": ("accuracy", "acc", "valacc", "validationaccuracy", "validationacc"),
    "val_loss": ("loss", "validationloss"),
    "train_loss": ("loss", "trainingloss"),
    "error": ("err", "errorrate", "valerror", "validationerror"),
    "runtime": ("time", "seconds", "duration", "trainingtime"),
}
"""Other spellings of the metrics, squeezed; one of several metrics is ambiguous."""

METRICS = "val_accuracy, val_loss, train_loss, error, or (without curves) runtime."


@dataclass(frozen=True)
class Wish:
    """What is to be drawn: a parameter, ``runtime`` or ``grid``, of these runs, of a sweep, or the newest."""

    what: str
    metric: "Metric"
    by: str | None
    curves: bool
    runs: tuple[str, ...]
    sweep: str | None


def plot(
    context: typer.Context,
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[lr|runtime|grid|PARAMETER]",
            help="runtime, grid, or the parameter of a sweep; that of the newest sweep unless given.",
        ),
    ] = None,
    output: options.OutputOption = None,
    sweep: Annotated[str | None, options.option("--sweep", "ID", "This sweep, not the newest.")] = None,
    runs: Annotated[list[str] | None, options.option("--runs", "ID", "These runs (repeat it).")] = None,
    metric: Annotated[str, options.option("--metric", "NAME", METRICS)] = "val_accuracy",
    by: Annotated[
        str | None, options.option("--by", "PARAMETER", "Of several axes, the one that colours stand for.")
    ] = None,
    curves: Annotated[
        bool | None,
        typer.Option(
            "--curves/--no-curves",
            help="Learning curves, or the best epochs against PARAMETER; curves for lr, seed and precision.",
        ),
    ] = None,
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
    """Draw curves, effects, a grid or runtimes (lr.png, grid.png, runtime.png …; or -o FILE.svg, .pdf)."""
    from lenetcli.cli.screen import console
    from lenetcli.output.figures.figure import ENDINGS
    from lenetcli.output.figures.terminal import draw_terminal
    from lenetcli.output.records import write_csv

    what = _choose_figure(address, runs, sweep) if what is None else what
    wish = _parse_wish(what, metric, by, curves, tuple(runs or ()), sweep)
    _check_unused(context, wish, log)
    if csv is not None and data is not None:
        raise UsageError("Both --csv and its old name --data were given.", "Leave --data out.")
    csv = data if csv is None else csv
    if output is None and not terminal:
        output = f"{wish.what.replace('_', '-')}.png"
    target = None if output is None else options.parse_output(output, ENDINGS)
    table = None if csv is None else options.parse_output(csv, (".csv",))
    series = _find_series(address, wish)
    if table:
        console.print_message(write_csv(series, table))
    if terminal:
        stdout = console.stdout()
        ascii_only = not stdout.encoding.startswith("utf")
        console.print_line(draw_terminal(series, min(stdout.width, 120), 28, log=log, ascii_only=ascii_only))
    if target:
        _save(series, log, target)


def _save(series: "Series", log: bool | None, target: Path) -> None:
    """Draw a series and write it, and name the letters that no font has."""
    from lenetcli.cli.screen import console
    from lenetcli.output.figures.figure import draw, find_undrawn, save
    from lenetcli.output.letters import describe_lack

    figure = draw(series, log=log)
    console.print_message(save(figure, target))
    if undrawn := find_undrawn(figure):
        console.print_message(describe_lack("The figure’s", undrawn), "yellow")


def _parse_wish(
    what: str, metric: str, by: str | None, curves: bool | None, runs: tuple[str, ...], sweep: str | None
) -> Wish:
    """What is to be drawn, of the options as typed.

    Raises:
        UsageError: if an option is invalid, or does not go with another one.
    """
    from lenetcli.analysis.curves import Metric

    if squeeze(what) != RUNTIME and not find_meanings(what) and (metrics := _find_metrics(what)):
        commands = [f"`{answers.write([], ['--metric', name])}`" for name in metrics]
        raise UsageError(f"{what!r} is no parameter but a metric.", f"Type {join_words(commands, 'or')}.")
    field = parse_parameter(what, RUNTIME, GRID, write=lambda option: answers.write([option]))
    known = parse_choice(_name_metric(metric), Metric, "metric")
    by = (
        None
        if by is None
        else parse_parameter(by, write=lambda option: answers.write([what], ["--by", option]))
    )
    is_parameter = field not in (RUNTIME, GRID)
    if runs and sweep is not None:
        raise UsageError("Both --runs and --sweep were given.", "Choose one.")
    if runs and field == GRID:
        raise UsageError("Runs make no grid.", "Choose a sweep over two parameters with --sweep.")
    for option, is_given in (("--by", by is not None), ("--curves or --no-curves", curves is not None)):
        if is_given and (runs or not is_parameter):
            other = "--runs" if runs else f"plot {field}"
            raise UsageError(f"{option} does not go with {other}.", "Leave one of the two out.")
    is_number = is_parameter and PARAMETERS[field].kind in (int, float)
    if curves is False and not is_number:
        raise UsageError(
            f"The values of {PARAMETERS[field].option} are no numbers to draw against.",
            "Leave --no-curves out.",
        )
    # A seed is a number that says nothing: the best epochs against it would be no effect.
    default = not is_number or field in ("lr", "seed") or bool(runs)
    shows_curves = is_parameter and (default if curves is None else curves)
    if by == field and not shows_curves:
        raise UsageError(
            f"--by {what} names the parameter of the horizontal axis.", "Choose another one, or add --curves."
        )
    if shows_curves and known is Metric.RUNTIME:
        raise UsageError(
            "A runtime has no learning curve.",
            "Choose another --metric" + (", or leave --runs out." if runs else ", or add --no-curves."),
        )
    return Wish(field, known, by, shows_curves, runs, sweep)


def _find_metrics(typed: str) -> list[str]:
    """The metrics that a text is a spelling of."""
    name = squeeze(typed)
    return [metric for metric, others in METRIC_SPELLINGS.items() if name in (squeeze(metric), *others)]


def _name_metric(typed: str) -> str:
    """The name of a metric for one of its common spellings; any other text as it is.

    Raises:
        UsageError: if it is that of several.
    """
    found = _find_metrics(typed)
    if len(found) > 1:
        commands = [f"`{answers.write(answers.arguments(), ['--metric', name])}`" for name in found]
        raise UsageError(f"{typed!r} has {len(found)} meanings.", f"Type {join_words(commands, 'or')}.")
    return found[0] if found else typed


def _choose_figure(address: str, runs: list[str] | None, prefix: str | None) -> str:
    """What to draw of a sweep, the newest unless one is named: ``grid`` if it has two parameters.

    Raises:
        NotFoundError: if there is no sweep.
    """
    from lenetcli.experiment.sweep import suggest_command
    from lenetcli.store.store import Store

    if runs:
        return "lr"  # runs are drawn alike under the name of any parameter
    store = Store.open(address)
    sweeps = [one for one in store.sweeps() if one.axes] if prefix is None else [store.sweep(prefix)]
    if not sweeps:
        command = suggest_command("lr", example_values("lr"), [])
        raise NotFoundError(f"There is no sweep in '{store.name}'.", "Train one with {}.", command)
    if len(sweeps[0].parameters) == 2:
        return GRID
    return RUNTIME if sweeps[0].parameter == "filters" else sweeps[0].parameter


def _check_unused(context: typer.Context, wish: Wish, log: bool | None) -> None:
    """Check that no option was typed that would be ignored: only runtimes have logarithmic axes by request.

    Raises:
        UsageError: if one was.
    """
    from lenetcli.analysis.curves import Metric

    if wish.what == RUNTIME:
        options.check_unused(context, "plot runtime", "metric")
    elif log and wish.metric is not Metric.RUNTIME:
        options.check_unused(context, f"--metric {wish.metric}", "log")


def _find_series(address: str, wish: Wish) -> "Series":
    """The series of the runs or the sweep that is meant."""
    from lenetcli.analysis.curves import run_curves
    from lenetcli.analysis.runtimes import run_runtimes
    from lenetcli.store.store import Store

    store = Store.open(address)
    recipes = store.recipes()
    if wish.runs:
        found = [store.run(prefix) for prefix in wish.runs]
        store.verify(found)
        if wish.what == RUNTIME:
            return run_runtimes(found, recipes=recipes)
        return run_curves(found, wish.metric, recipes=recipes)
    sweeps = _find_sweeps(store, wish)
    store.verify(run for sweep in sweeps for run in sweep.runs)
    return _compute_series(sweeps, wish, recipes)


def find_fault(sweep: "Sweep", what: str) -> LenetError | None:
    """What keeps a figure of a sweep (a parameter, ``runtime`` or ``grid``) from being drawn, if anything."""
    try:
        _compute_series((sweep,), _parse_wish(what, "val_accuracy", None, None, (), None), ())
    except LenetError as error:
        return error
    return None


def _compute_series(sweeps: "Sequence[Sweep]", wish: Wish, recipes: Collection[int]) -> "Series":
    """The series of sweeps in a store with these recipes."""
    from lenetcli.analysis.grids import grid_series
    from lenetcli.analysis.panels import curve_panels, effect_panels
    from lenetcli.analysis.runtimes import runtime_series

    if wish.what == RUNTIME:
        return runtime_series(sweeps, recipes=recipes)
    if wish.what == GRID:
        return grid_series(sweeps[0], wish.metric, recipes=recipes)
    _check_axes(sweeps[0], wish)
    if wish.curves:
        return curve_panels(sweeps[0], wish.by or wish.what, wish.metric, recipes=recipes)
    return effect_panels(sweeps[0], wish.what, wish.by, wish.metric, recipes=recipes)


def _find_sweeps(store: "Store", wish: Wish) -> "tuple[Sweep, ...]":
    """The sweep that was named, else the newest of the kind, for runtimes one for each kind of device."""
    from lenetcli.cli.screen import console
    from lenetcli.experiment.choice import choose_sweeps
    from lenetcli.experiment.sweep import Axis, advise_training, suggest_command

    if wish.sweep is not None:
        return (store.sweep(wish.sweep),)
    sweeps, timed = store.sweeps(), wish.what == RUNTIME
    parameter = "filters" if timed else wish.what
    if wish.what == GRID:
        choice = _choose_grid(sweeps, wish.metric)
    else:
        choice = choose_sweeps(sweeps, parameter, timed=timed)
    for note in choice.notes:
        console.print_message(note, "yellow")
    if choice.sweeps:
        return choice.sweeps
    if wish.what == GRID:
        filters = Axis("filters", example_values("filters"))
        raise NotFoundError(
            f"There is no sweep over two parameters in '{store.name}'.",
            "Train one with {}.",
            suggest_command("lr", example_values("lr"), sweeps, None, filters),
        )
    begun = next((sweep for sweep in sweeps if parameter in sweep.parameters), None)
    first = "Train one with {}.", suggest_command(parameter, example_values(parameter), sweeps)
    raise NotFoundError(
        f"There is no {'timed ' * timed}sweep over {parameter.replace('_', '-')} in '{store.name}'.",
        *(advise_training(begun) if begun else first),
    )


def _choose_grid(sweeps: "list[Sweep]", metric: "Metric") -> "Choice":
    """The newest sweep over two parameters with a finished run that has the metric, else the newest."""
    from lenetcli.analysis.outcomes import has_numbers
    from lenetcli.experiment.choice import Choice
    from lenetcli.words import count_digits

    grids = [sweep for sweep in sweeps if len(sweep.parameters) == 2]
    place = next((place for place, sweep in enumerate(grids) if has_numbers(sweep, metric)), 0)
    digits = count_digits({sweep.id for sweep in sweeps})
    notes = [
        f"Passed over, with no finished run: the newer sweep {sweep.id[:digits]}. "
        f"Choose it with --sweep {sweep.id[:digits]}."
        for sweep in grids[:place]
    ]
    return Choice(tuple(grids[place : place + 1]), tuple(notes))


def _check_axes(sweep: "Sweep", wish: Wish) -> None:
    """Check that a sweep is over the parameters that are to be drawn.

    Raises:
        UsageError: if it is not; it says what it is over.
    """
    names = [PARAMETERS[name].option for name in sweep.parameters]
    for name, option in ((wish.what, ""), (wish.by, "--by ")):
        if name is not None and name not in sweep.parameters:
            wanted = PARAMETERS[name].option
            raise UsageError(
                f"The sweep {sweep.id[:8]} is over {join_words(names)}, not over {wanted}.",
                f"Choose {option}{join_words(names, 'or')}"
                + (", or leave --by out." if option else ", or another sweep."),
            )
