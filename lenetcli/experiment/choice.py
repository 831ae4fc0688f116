"""Which sweeps are meant where none is named, and which newer ones were passed over for them."""

from collections.abc import Sequence
from dataclasses import dataclass

from lenetcli.experiment.config import DeviceKind
from lenetcli.experiment.parameters import PARAMETERS
from lenetcli.experiment.sweep import Sweep
from lenetcli.words import count_digits, name_value

MOST_NAMED = 3
"""The largest number of sweeps passed over that notes name."""
WITHOUT_EPOCH = 2
"""How grave it is that a sweep has no epoch to show; one value alone, or a fuller sweep, is less."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The sweeps that are meant, and notes on rows of grids among them and on newer ones that are not."""

    sweeps: tuple[Sweep, ...] = ()
    notes: tuple[str, ...] = ()


def choose_sweeps(
    sweeps: Sequence[Sweep], parameter: str, *, alone: bool = False, timed: bool = False
) -> Choice:
    """The newest sweep over a parameter that has an epoch and two values of it, of sweeps newest first.

    Where there is none, it is the newest that has an epoch, else the newest. ``alone`` asks for a sweep over
    no other parameter: a grid counts as its row (``Sweep.slice``), and only where no other sweep or row is
    fuller, by its values and then by its trained epochs. ``timed`` asks for one such sweep for each kind of
    device on which an epoch was timed.
    """
    alone = alone or timed
    over = [sweep for sweep in sweeps if parameter in sweep.parameters]
    if alone:
        over = _find_rows(over, parameter)
    groups = [[sweep for sweep in over if sweep.device is kind] for kind in DeviceKind] if timed else [over]
    chosen: list[Sweep] = []
    passed: list[tuple[Sweep, str]] = []
    for group in groups:
        faults = _find_faults(group, parameter, timed=timed)
        place = min(range(len(group)), key=lambda index: faults[index][0], default=None)
        if place is not None and not (timed and faults[place][0] == WITHOUT_EPOCH):
            chosen.append(group[place])
            # That a grid has no row to show is no news of the sweeps over the parameter.
            older = zip(group[:place], faults, strict=False)
            passed += [(sweep, fault) for sweep, (_, fault) in older if sweep.grid is None]
    return Choice(tuple(chosen), tuple(_write_notes(sweeps, parameter, chosen, passed)))


def name_row(sweep: Sweep) -> str:
    """What the other parameters of its grid are in a row, as typed: ``filters 16``."""
    return " ".join(f"{PARAMETERS[name].option} {name_value(value)}" for name, value in sweep.row.items())


def _find_rows(sweeps: Sequence[Sweep], parameter: str) -> list[Sweep]:
    """The sweeps over a parameter alone, and the rows of grids that are none of these."""
    rows = [row for sweep in sweeps if (row := sweep.slice(parameter))]
    known = {row.id for row in rows if row.grid is None}
    return [row for row in rows if row.grid is None or row.id not in known]


def _find_faults(sweeps: Sequence[Sweep], parameter: str, *, timed: bool) -> list[tuple[int, str]]:
    """What keeps each sweep from being shown where another one can be, and how grave that is."""
    faults = [_find_fault(sweep, parameter, timed=timed) for sweep in sweeps]
    fullness = [_measure(sweep, parameter) for sweep in sweeps]
    most = max((full for full, (grave, _) in zip(fullness, faults, strict=True) if not grave), default=(0, 0))
    return [
        (1, "fewer results") if sweep.grid and not fault[0] and full < most else fault
        for sweep, full, fault in zip(sweeps, fullness, faults, strict=True)
    ]


def _find_fault(sweep: Sweep, parameter: str, *, timed: bool) -> tuple[int, str]:
    """What is wrong with a sweep by itself, and how grave that is; 0 without anything."""
    if not any(run.typical_runtime is not None if timed else run.curve for run in sweep.runs):
        return WITHOUT_EPOCH, "no timed epoch" if timed else "no finished epoch"
    values = [group.name for group in sweep.groups(parameter)]
    return (1, f"one value only, {values[0]}") if len(values) < 2 else (0, "")


def _measure(sweep: Sweep, parameter: str) -> tuple[int, int]:
    """How full a sweep is: the values of the parameter that have an epoch, and all trained epochs."""
    counts = [sum(run.epochs for run in group.runs) for group in sweep.groups(parameter)]
    return sum(count > 0 for count in counts), sum(counts)


def _write_notes(
    sweeps: Sequence[Sweep], parameter: str, chosen: Sequence[Sweep], passed: Sequence[tuple[Sweep, str]]
) -> list[str]:
    """Sentences on the rows that are shown, and on the sweeps that were passed over with a fault."""
    digits, option = count_digits({sweep.id for sweep in sweeps}), PARAMETERS[parameter].option
    notes = [
        f"The sweep over {option} is a row of the grid {row.grid.id[:digits]}, with {name_row(row)}."
        for row in chosen
        if row.grid
    ]
    notes += [
        f"Passed over, with {fault}: the newer sweep {sweep.id[:digits]} over {option}. "
        f"Choose it with --sweep {sweep.id[:digits]}."
        for sweep, fault in passed[:MOST_NAMED]
    ]
    if more := len(passed[MOST_NAMED:]):
        notes.append(f"Passed over as well: {more:,} more, which sweeps list shows.")
    return notes
