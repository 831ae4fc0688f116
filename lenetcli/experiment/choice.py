"""Which sweeps are meant where none is named, and which newer ones were passed over for them."""

from collections.abc import Sequence
from dataclasses import dataclass

from lenetcli.experiment.config import DeviceKind
from lenetcli.experiment.sweep import Sweep
from lenetcli.words import count_digits, name_value

MOST_NAMED = 3
"""The largest number of sweeps passed over that notes name."""
WITHOUT_EPOCH = 2
"""How grave it is that a sweep has no epoch to show; one value alone is less."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The sweeps that are meant, and notes on newer ones that are not."""

    sweeps: tuple[Sweep, ...] = ()
    notes: tuple[str, ...] = ()


def choose_sweeps(sweeps: Sequence[Sweep], parameter: str, *, timed: bool = False) -> Choice:
    """The newest sweep over a parameter that has an epoch and two values, of sweeps newest first.

    Where there is none, it is the newest that has an epoch, else the newest. ``timed`` asks for one for each
    kind of device on which an epoch was timed.
    """
    over = [sweep for sweep in sweeps if parameter in sweep.parameters]
    groups = [[sweep for sweep in over if sweep.device is kind] for kind in DeviceKind] if timed else [over]
    chosen: list[Sweep] = []
    passed: list[tuple[Sweep, str]] = []
    for group in groups:
        faults = [_find_fault(sweep, timed=timed) for sweep in group]
        place = min(range(len(group)), key=lambda index: faults[index][0], default=None)
        if place is not None and not (timed and faults[place][0] == WITHOUT_EPOCH):
            chosen.append(group[place])
            passed += [(sweep, fault) for sweep, (_, fault) in zip(group[:place], faults, strict=False)]
    digits = count_digits({sweep.id for sweep in sweeps})
    notes = [
        f"Passed over, with {fault}: the newer sweep {sweep.id[:digits]} over "
        f"{parameter.replace('_', '-')}. Choose it with --sweep {sweep.id[:digits]}."
        for sweep, fault in passed[:MOST_NAMED]
    ]
    if more := len(passed[MOST_NAMED:]):
        notes.append(f"Passed over as well: {more:,} more, which `lenetcli sweeps list` shows.")
    return Choice(tuple(chosen), tuple(notes))


def _find_fault(sweep: Sweep, *, timed: bool) -> tuple[int, str]:
    """What keeps a sweep from being shown where another one can be, and how grave that is; 0 without one."""
    if not any(run.typical_runtime is not None if timed else run.curve for run in sweep.runs):
        return WITHOUT_EPOCH, "no timed epoch" if timed else "no finished epoch"
    if len(sweep.values) < 2:
        return 1, f"one value only, {name_value(sweep.values[0])}"
    return 0, ""
