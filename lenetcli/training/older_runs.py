"""What becomes of the runs of older recipes when their request is typed again: shown if finished, or left."""

from collections.abc import Iterator, Sequence

from lenetcli.errors import UsageError
from lenetcli.experiment.config import RECIPE
from lenetcli.experiment.recipes import RELEASES, round_value
from lenetcli.experiment.run import Run
from lenetcli.experiment.sweep import Sweep
from lenetcli.words import join_words, plural

CHANGED = f"The recipe has changed since this was trained: --anew trains it under recipe {RECIPE}."
"""The note on a sweep that is shown as an older recipe has finished it."""

MOST_NAMED = 3
"""The largest number of runs that a note names."""


def find_finished(older: Sequence[Sweep], *, remeasure: bool) -> Sweep | None:
    """The first sweep that is done, of those that a request means under older recipes; None if none is.

    Raises:
        UsageError: if finished runs among them are to be measured again.
    """
    for sweep in older:
        if remeasure and sweep.done:
            these, them = ("This run is", "it") if sweep.done == 1 else ("These runs are", "them")
            raise UsageError(
                f"{these} of recipe {sweep.base.recipe}, which this lenetcli no longer computes, "
                "and cannot be measured again.",
                f"Train {them} under recipe {RECIPE} with --anew.",
            )
    return next((sweep for sweep in older if sweep.is_done), None)


def describe_left(sweep: Sweep, older: Sequence[Sweep]) -> Iterator[str]:
    """The note on a sweep that is trained beside those of older recipes: which of their runs are left.

    A run whose place in the grid has begun under the present recipe, too, is not named.
    """
    begun = {_find_point(sweep, run) for run in sweep.runs}
    left = [([run for run in one.runs if _find_point(sweep, run) not in begun], one.epochs) for one in older]
    sentences = [_name_left(runs, epochs) for runs, epochs in left if runs]
    if sentences:
        yield " ".join([f"The recipe has changed: this trains anew, under recipe {RECIPE}.", *sentences])


def _find_point(sweep: Sweep, run: Run) -> tuple[object, ...]:
    """The place of a run in the grid of a sweep."""
    return tuple(round_value(getattr(run.config, axis.name)) for axis in sweep.axes)


def _name_left(runs: Sequence[Run], epochs: int) -> str:
    """A sentence on runs of one recipe: names, unfinished ones first, progress, and what can finish them."""
    recipe = runs[0].config.recipe
    finished = [run for run in runs if run.state.is_finished()]
    unfinished = [run for run in runs if not run.state.is_finished()]
    progress = [(run.short_id, f"{run.epochs} of {plural(epochs, 'epoch')}") for run in unfinished]
    progress += [(run.short_id, str(run.state)) for run in finished]
    end = "."
    if unfinished:
        which = "it" if len(runs) == 1 else f"{len(unfinished)} of them" if finished else "them"
        # Since then the schema has changed: the release cannot read the store as it is now.
        end = f"; lenetcli {RELEASES[recipe]} can finish {which}, in the backup that store upgrade made."
    if len(runs) == 1:
        ((name, how_far),) = progress
        return f"Run {name} of recipe {recipe} is left as it is: {how_far}{end}"
    words = [f"{name} ({how_far})" for name, how_far in progress[:MOST_NAMED]]
    if len(runs) > MOST_NAMED:
        words.append(f"{len(runs) - MOST_NAMED:,} more")
    return f"{len(runs):,} runs of recipe {recipe} are left as they are: {join_words(words)}{end}"
