"""The sections of a report: figure, table and statements on the sweeps over a parameter."""

import statistics
from collections.abc import Collection, Mapping, Sequence

from lenetcli.analysis.comparison import Comparison
from lenetcli.analysis.conclusions import conclude_learning_rates
from lenetcli.analysis.costs import conclude_parameters, conclude_runtimes
from lenetcli.analysis.curves import CurveSeries, sweep_curves
from lenetcli.analysis.images import Predictions
from lenetcli.analysis.ranking import Ranking, rank
from lenetcli.analysis.runtimes import RuntimePoint, RuntimeSeries, runtime_series
from lenetcli.analysis.statements import Statement
from lenetcli.analysis.unfinished import conclude_missing, conclude_unfinished
from lenetcli.experiment.architecture import parameter_law
from lenetcli.experiment.exercise import LEARNING_RATES
from lenetcli.experiment.sweep import Group, Sweep, suggest_command
from lenetcli.output.report.facts import Cell, Figure, Section, Table
from lenetcli.words import (
    NONE,
    count_decimals,
    plural,
    write_accuracy,
    write_difference,
    write_interval,
    write_seconds,
)

MOST_ROWS = 40
"""The largest number of rows of a table in a section; a longer one shows an excerpt."""
BEST, SPREAD = 10, 15
"""How many of the best rows an excerpt shows, and how many spread evenly where nothing is ranked."""
RATES, FILTERS = "Learning rates", "Filters, parameters and runtime"
"""The titles of the sections."""


def describe_rates(
    predictions: Predictions,
    sweeps: Sequence[Sweep],
    names: Mapping[str, str],
    recipes: Collection[int],
    like: Sequence[Sweep] = (),
) -> Section:
    """The section on sweeps over learning rates.

    ``names`` are those of the data sets by hash, ``recipes`` those beside which a figure names its own.
    Without a sweep, the command for one has the setting of the sweeps ``like`` it.
    """
    if not sweeps:
        text = "No sweep over learning rates has been trained."
        command = suggest_command("lr", LEARNING_RATES, like)
        return Section(title=RATES, missing=(Statement("missing", text, command=command),))
    sweep = sweeps[0]
    series = sweep_curves(sweep, names=names, recipes=recipes)
    ranking = rank(sweep, predictions)
    leads = {entry.rate: lead for entry, lead in ranking.pairs}
    decimals = _count_decimals(sweep, ranking)
    rows = tuple(
        _rate_row(group, [lead_cell(leads.get(group.point["lr"]), decimals)] if leads else [], decimals)
        for group in sweep.groups("lr")
    )
    behind, differences = [], ""
    if leads:
        behind = [f"behind {ranking.entries[0].name} by"]
        common = "" if ranking.all_seeds else " over the seeds that all have finished"
        differences = f"; differences after the last epoch{common} with 95% intervals"
    excerpt, choice = _choose_rows(sweep, ranking) if len(rows) > MOST_ROWS else (None, "")
    axis = ""
    if series.scale == "logit":
        axis = " The axis is stretched towards 0 and 1 (log-odds), so that differences near 1 can be seen."
    deviations = any("deviation" in cell.numbers for row in rows for cell in row)
    return Section(
        title=RATES,
        figure=Figure(
            "learning_rates.svg",
            "Validation accuracy after each epoch, a curve for each learning rate; "
            f"{write_setting(series)}.{axis}{write_notes(series.notes)}",
            series,
        ),
        table=Table(
            ("rate", "best", "in epoch", f"after epoch {sweep.epochs}", *behind, "test", "seeds", "state"),
            rows,
            f"Accuracies by learning rate, {series.dataset}"
            f"{'; mean ± standard deviation over the seeds' if deviations else ''}"
            f"{differences}.{choice}",
            excerpt,
        ),
        paragraphs=conclude_learning_rates(sweep, ranking),
    )


def _choose_rows(sweep: Sweep, ranking: Ranking) -> tuple[tuple[int, ...], str]:
    """The places of the rows of an excerpt, in the order of the table, and the sentence on the choice."""
    names = [group.name for group in sweep.groups("lr")]
    order = [names.index(entry.name) for entry in ranking.entries]
    if len(order) < 2 * BEST:
        return _spread(len(names)), f" {_describe_spread(len(names))}"
    chosen = {*order[:BEST], order[len(order) // 2], order[-1]}
    return tuple(sorted(chosen)), (
        f" Of {len(names)} rates, the {BEST} with the highest accuracy after the last epoch, the middle one "
        "of those that can be compared, and the last; all of them are in the appendix."
    )


def _spread(count: int) -> tuple[int, ...]:
    """Places spread evenly over so many rows, with the first and the last."""
    return tuple(round(place * (count - 1) / (SPREAD - 1)) for place in range(SPREAD))


def _describe_spread(count: int) -> str:
    return f"Of {count} rows, {SPREAD} spread over all; the others are in the appendix."


def _count_decimals(sweep: Sweep, ranking: Ranking) -> int:
    """The decimals of the table, with which means and leads that differ look different."""
    groups = [group.whole for group in sweep.groups("lr") if group.whole]
    bests = [statistics.fmean(run.best_val_accuracy or 0.0 for run in runs) for runs in groups]
    finals = [statistics.fmean(run.val_accuracy or 0.0 for run in runs) for runs in groups]
    leads = (lead.estimate for lead in ranking.leads)
    return max(ranking.decimals, count_decimals([*bests, *finals]), count_decimals(leads))


def _rate_row(group: Group, lead: Sequence[Cell], decimals: int) -> tuple[Cell, ...]:
    """The row of a learning rate in the table: means ± standard deviations over the finished seeds.

    ``lead`` is the cell of the lead over it, if the table has them; accuracies have so many ``decimals``.
    """
    finished, planned = group.whole, len(group.cells)
    states = dict.fromkeys(cell.run.state.value if cell.run else "not begun" for cell in group.cells)
    peaks = [max(run.curve, key=lambda point: point.val_accuracy) for run in finished]
    tests = [run.test_accuracy for run in finished if run.test_accuracy is not None]
    epochs = sorted(peak.epoch for peak in peaks)
    ends = {"first": epochs[0], "last": epochs[-1]} if epochs else {}
    return (
        Cell(group.name, group.point),
        mean_cell([peak.val_accuracy for peak in peaks], decimals),
        Cell("–".join(map(str, dict.fromkeys(ends.values()))) or NONE, ends),
        mean_cell([run.curve[-1].val_accuracy for run in finished], decimals),
        *lead,
        mean_cell(tests if len(tests) == len(finished) else [], decimals),
        Cell(
            f"{len(finished)} of {planned}" if len(finished) < planned else str(planned),
            {"finished": len(finished), "planned": planned},
        ),
        Cell(", ".join(states)),
    )


def mean_cell(accuracies: Sequence[float], decimals: int) -> Cell:
    """The mean ± the sample standard deviation; of one accuracy, the accuracy alone."""
    numbers = {"mean": statistics.fmean(accuracies)} if accuracies else {}
    if len(accuracies) > 1:
        numbers["deviation"] = statistics.stdev(accuracies)
    return Cell(" ± ".join(write_accuracy(number, decimals) for number in numbers.values()) or NONE, numbers)


def lead_cell(lead: Comparison | None, decimals: int) -> Cell:
    """The difference to the first learning rate, with its interval where it has one."""
    if lead is None:
        return Cell(NONE)
    difference = write_difference(lead.estimate, decimals)
    if lead.interval is None:
        return Cell(difference, {"difference": lead.estimate})
    low, high = lead.interval
    numbers = {"difference": lead.estimate, "low": low, "high": high}
    return Cell(f"{difference} ({write_interval(low, high, decimals)})", numbers)


def describe_filters(
    sweeps: Sequence[Sweep],
    names: Mapping[str, str],
    recipes: Collection[int],
    like: Sequence[Sweep] = (),
) -> Section:
    """The section on sweeps over filters; see ``describe_rates``."""
    missing = tuple(conclude_missing(sweeps, like))
    if not sweeps:
        return Section(title=FILTERS, missing=missing)
    unfinished = [statement for sweep in sweeps for statement in conclude_unfinished(sweep)]
    series = runtime_series(sweeps, names=names, recipes=recipes)
    sizes = sorted({point.filters for point in series.points})
    networks = {parameter_law(device.config): device.config for device in series.devices}
    duration = "an epoch" if series.epochs == 1 else plural(series.epochs, "epoch")
    times = "" if series.epochs == 1 else f" times {series.epochs}"
    several = any(len(point.ids) > 1 for point in series.points)
    middle = f"median epoch{times}{', median over the runs' if several else ''}"
    setting = write_setting(series)
    fitted = any(device.law for device in series.devices)
    is_long = len(sizes) > MOST_ROWS
    law = " Lines: overhead plus time in proportion to the arithmetic, fitted." if fitted else ""
    doubt = "; * in doubt, hollow in the figure" if any(point.doubt for point in series.points) else ""
    return Section(
        title=FILTERS,
        introduction=tuple(conclude_parameters(config, sizes) for config in networks.values()),
        figure=Figure(
            "runtime.svg",
            f"Training time of {duration} by number of parameters ({middle}; bars: {series.spread}), "
            f"labelled with the number of filters; {setting}.{law}{write_notes(series.notes)}",
            series,
        ),
        table=Table(
            ("filters", "parameters", *(device.label for device in series.devices)),
            tuple(_filters_row(series, size) for size in sizes),
            f"Training time of {duration} in seconds ({middle}), of training alone, "
            f"by {_name_clock(sweeps)}; in brackets: {series.spread}{doubt}."
            f"{f' {_describe_spread(len(sizes))}' if is_long else ''}",
            _spread(len(sizes)) if is_long else None,
        ),
        paragraphs=tuple(filter(None, (*conclude_runtimes(series, sweeps), tuple(unfinished)))),
        missing=missing,
    )


def _name_clock(sweeps: Sequence[Sweep]) -> str:
    """The clock that has measured the times of sweeps: release 0.1.0 read another one."""
    timings = [timing for sweep in sweeps for run in sweep.runs for timing in run.timings]
    return "a clock that cannot be set" if all(t.started_at for t in timings) else "the clock of the machine"


def _filters_row(series: RuntimeSeries, size: int) -> tuple[Cell, ...]:
    """The row of a number of filters in the table: the parameters, and the runtime on each device."""
    points = [{point.filters: point for point in device.points}.get(size) for device in series.devices]
    parameters = {d.label: p.parameters for d, p in zip(series.devices, points, strict=True) if p}
    return (
        Cell(str(size), {"filters": size}),
        Cell(" / ".join(f"{count:,}" for count in dict.fromkeys(parameters.values())), parameters),
        *map(_runtime_cell, points),
    )


def _runtime_cell(point: RuntimePoint | None) -> Cell:
    """The runtime in seconds with its spread, and an asterisk if it is in doubt."""
    if point is None:
        return Cell(NONE)
    spread = f" ({write_seconds(point.low)}–{write_seconds(point.high)})"
    return Cell(
        write_seconds(point.seconds) + spread + ("*" if point.doubt else ""),
        {"seconds": point.seconds, "low": point.low, "high": point.high},
    )


def write_setting(series: CurveSeries | RuntimeSeries) -> str:
    """The data, the setting and the recipe that a figure shares, as far as it does."""
    return ", ".join(filter(None, (series.dataset, series.setting, series.recipe)))


def write_notes(notes: Sequence[str]) -> str:
    """Notes as sentences of a caption, each after a blank."""
    return "".join(f" {note[:1].upper()}{note[1:]}." for note in notes)
