"""The texts of the display: names of runs, results of epochs, and times."""

from collections.abc import Sequence

from lenetcli.cli.screen.console import Console, sparkline
from lenetcli.experiment.run import CurvePoint
from lenetcli.experiment.sweep import Sweep, name_axes
from lenetcli.training.events import Held
from lenetcli.words import (
    name_value,
    write_accuracy,
    write_duration,
    write_loss,
    write_runtime,
    write_time,
)


def name_cells(sweep: Sweep, *, aligned: bool) -> dict[str, str]:
    """The name of each run by key: its values on the axes, padded to one width if ``aligned``."""
    names: dict[str, str] = {cell.config.key: "" for cell in sweep.cells}
    for axis in name_axes(sweep):
        values = {cell.config.key: name_value(getattr(cell.config, axis)) for cell in sweep.cells}
        width = max(map(len, values.values())) if aligned else 0
        for key, value in values.items():
            names[key] += f" {axis.replace('_', ' ')} {value:<{width}}"
    return {key: name.removeprefix(" ") for key, name in names.items()}


def write_epoch(point: CurvePoint, last: int, seconds: float | None) -> str:
    """The results of an epoch, of so many at last, with its training time in seconds; None if not known."""
    test = "" if point.test_accuracy is None else f"  test accuracy {write_accuracy(point.test_accuracy)}"
    return (
        f"epoch {point.epoch}/{last}"
        f"  train loss {write_loss(point.train_loss)}  val loss {write_loss(point.val_loss)}"
        f"  val accuracy {write_accuracy(point.val_accuracy)}{test}  {write_runtime(seconds)}"
    )


def write_best(accuracies: Sequence[float], console: Console) -> str:
    """The best accuracy of a run that has ended, with its curve as a console shows it; empty without any.

    The runs still to come are not known: each curve has a scale of its own, and says it.
    """
    if not accuracies:
        return ""
    low, high = min(accuracies), max(accuracies)
    spark = sparkline(accuracies, console, low, high)
    return f"  best {write_accuracy(high)}" + f"  {spark} from {write_accuracy(low)}" * bool(spark)


def write_position(done: int, cells: int, jobs: int) -> str:
    """How far a sweep is: the number of the only run in training, or of the runs that are done."""
    return f"run {min(done + 1, cells)} of {cells}" if jobs == 1 else f"{done} of {cells} runs done"


def write_held(event: Held) -> str:
    """Where a run is trained and, if it is waited for, when it is taken over."""
    last = f" (the last one at {write_time(event.seen_at)} by its clock)" if event.seen_at else ""
    process = f"another process on {event.host}"
    if event.left is None:
        return f"is in the hands of {process}"
    return f"is taken over in {write_duration(event.left)} unless {process} gives a sign of life{last}"


def write_remaining(seconds: float | None) -> str:
    """The seconds that are left, in words; empty if they are not known."""
    return "" if seconds is None else f"{write_duration(seconds)} left"
