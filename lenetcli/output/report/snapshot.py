"""The store as a report knew it: what was trained or measured since is cut off."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from lenetcli.experiment.config import Request
from lenetcli.experiment.datasets import Dataset
from lenetcli.experiment.run import Attempt, Run, RunState
from lenetcli.experiment.sweep import Cell, Sweep
from lenetcli.output.report.contents import Evidence, find_sweeps
from lenetcli.output.report.facts import Shown
from lenetcli.words import plural

OPEN = {"data", "dataset", "device", "shards", "threads"}
"""What may be typed otherwise for the same sweep: where the data lies, and what follows from the machine."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the facts of a report state of a run, by which its later state is told from that of the report.

    ``timed`` is the last epoch that each attempt had timed, by the number of the attempt; None in facts of
    older formats, which have the runtimes alone.
    """

    epochs: int
    state: RunState
    has_test: bool
    runtimes: tuple[object, object]
    timed: Mapping[int, int] | None

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """What a record in ``RunFacts`` states.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: if it is not one.
        """
        timed = None
        if "attempts" in record:
            timed = {
                int(attempt["number"]): max(int(timing[0]) for timing in attempt["timings"])
                for attempt in record["attempts"]
            }
        return cls(
            epochs=int(record["epochs"]),
            state=RunState(record["state"]),
            has_test=record["test_accuracy"] is not None,
            runtimes=(record["runtime_seconds"], record["typical_runtime"]),
            timed=timed,
        )

    def cut(self, run: Run) -> Run:
        """A run as it was when it was like this.

        Only what can have come later is cut off: epochs, attempts that are newer, and the end of a run that
        was under way. A state that the run cannot have had stays a difference.
        """
        curve, state = run.curve, run.state
        if self.epochs <= run.epochs and not self.state.is_finished():
            curve, state = run.curve[: self.epochs], self.state
            if curve and not self.has_test:
                curve = (*curve[:-1], replace(curve[-1], test_accuracy=None))
        cut = replace(run, curve=curve, state=state)
        if self.timed is not None:
            return replace(cut, attempts=tuple(self._cut_attempts(cut.attempts)))
        for count in range(len(run.attempts), 0, -1):
            before = replace(cut, attempts=run.attempts[:count])
            if (before.runtime_seconds, before.typical_runtime) == self.runtimes:
                return before
        return cut

    def _cut_attempts(self, attempts: Sequence[Attempt]) -> Iterable[Attempt]:
        """The attempts that are known, without the epochs that they timed later."""
        timed = self.timed or {}
        for attempt in attempts:
            if attempt.number in timed:
                timings = (t for t in attempt.timings if t.epoch <= timed[attempt.number])
                yield replace(attempt, timings=tuple(timings))


class Snapshot:
    """An ``Evidence`` that shows the sweeps of a report in another one, as the report knew them.

    ``shown`` are its sweeps (see ``Options``), ``records`` those of its runs, ``requests`` those of its
    sweeps by id. ``began``, ``went_on`` and ``measured`` are the ids of the runs that were begun, trained
    further and measured again since.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: if the records are none.
    """

    def __init__(
        self,
        evidence: Evidence,
        shown: Sequence[Shown],
        records: Iterable[Mapping[str, Any]],
        requests: Mapping[str, Request | None],
    ) -> None:
        self._evidence = evidence
        self._shown = shown
        self._requests = requests
        self._known = {
            (str(record["id"]), int(record["asked_epochs"])): Known.from_record(record) for record in records
        }
        self.began: set[str] = set()
        self.went_on: set[str] = set()
        self.measured: set[str] = set()

    @property
    def name(self) -> str:
        """The path of the store."""
        return self._evidence.name

    def recipes(self) -> Collection[int]:
        """The recipes of all runs."""
        return self._evidence.recipes()

    def sweeps(self) -> Sequence[Sweep]:
        """The sweeps of the report as they were, in its order; of one in several parameters maybe a row.

        Raises:
            NotFoundError: if one of them is not in the store.
        """
        recorded = [self._restore_request(sweep) for sweep in self._evidence.sweeps()]
        sweeps = find_sweeps(self.name, recorded, self._shown)
        stored = {(run.id, sweep.epochs) for sweep in sweeps for run in sweep.runs}
        # A report that names a run which the store has not is of another store, not of an earlier time.
        is_earlier = self._known.keys() <= stored
        return [self._cut_sweep(sweep, is_earlier) for sweep in sweeps]

    def dataset(self, data: str) -> Dataset | None:
        """What is known of a data set."""
        return self._evidence.dataset(data)

    def verify(self, runs: Iterable[Run]) -> None:
        """Raise ``StoreError`` if what runs have measured contradicts what else is known of them."""
        self._evidence.verify(runs)

    def predictions(self, key: str, epoch: int) -> bytes | None:
        """The predicted class of each validation image after an epoch."""
        return self._evidence.predictions(key, epoch)

    def validation_labels(self, data: str) -> bytes | None:
        """The class of each validation image of a data set."""
        return self._evidence.validation_labels(data)

    def describe_later(self) -> str:
        """A sentence on what the store has beyond the report; empty if it has nothing."""
        parts = [
            f"{plural(len(runs), 'run')} {verb}"
            for runs, verb in (
                (self.began, "begun"),
                (self.went_on, "trained further"),
                (self.measured, "measured again (their runtimes only)"),
            )
            if runs
        ]
        return f"The store went on after the report: {', '.join(parts)}." if parts else ""

    def _cut_sweep(self, sweep: Sweep, is_earlier: bool) -> Sweep:
        cells = tuple(self._cut_cell(cell, sweep.epochs, is_earlier) for cell in sweep.cells)
        return replace(sweep, cells=cells)

    def _restore_request(self, sweep: Sweep) -> Sweep:
        typed = self._requests.get(sweep.id)
        return replace(sweep, request=typed) if typed and _mean_the_same(typed, sweep) else sweep

    def _cut_cell(self, cell: Cell, epochs: int, is_earlier: bool) -> Cell:
        if cell.run is None:
            return cell
        known, now = self._known.get((cell.run.id, epochs)), cell.run
        if known is None and not is_earlier:
            return cell
        if known is None:
            self.began.add(now.id)
            return replace(cell, run=None)
        then = known.cut(now)
        if (then.curve, then.state) != (now.curve, now.state):
            self.went_on.add(now.id)
        elif then.timings != now.timings:
            self.measured.add(now.id)
        return replace(cell, run=then)


def _mean_the_same(request: Request, sweep: Sweep) -> bool:
    """Whether a request may be what was typed for a sweep at another time."""
    free = {*OPEN, "seed", *(axis.name for axis in sweep.axes)}
    mine, others = request.to_mapping(), sweep.request.to_mapping()
    return {name: mine[name] for name in mine.keys() - free} == {
        name: others[name] for name in others.keys() - free
    }
