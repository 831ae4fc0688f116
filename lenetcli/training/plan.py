"""The plan of a command: cells with their configurations, data, device, the memory needed, and notes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from lenetcli.data.sources import DataSource
from lenetcli.errors import ClusterError, DataError, DeviceError, UsageError
from lenetcli.experiment.config import AUTO, RECIPE, Config, Request
from lenetcli.experiment.datasets import MNIST, name_datasets
from lenetcli.experiment.parameters import PARAMETERS
from lenetcli.experiment.recipes import RECIPES
from lenetcli.experiment.sweep import Axis, Cell, Sweep, round_request
from lenetcli.machine.devices import Device
from lenetcli.store.store import Store
from lenetcli.training.jobs import Jobs
from lenetcli.training.memory import count_images
from lenetcli.training.older_runs import CHANGED, describe_left, find_finished
from lenetcli.training.plan_notes import (
    Finder,
    begin_notes,
    describe_data,
    describe_stored_data,
    resume_notes,
)
from lenetcli.training.requests import expand, pin, resolve
from lenetcli.training.sites import THIS_MACHINE, Site
from lenetcli.training.stored_runs import find_stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The cells to train, with their data and device, and notes for the user.

    ``source`` and ``device`` are None if nothing is left to train and they were not looked for; the device is
    one of the ``site`` where the runs are trained. With
    ``remeasure``, finished runs are trained again for their timings; with ``measures_alone``, those are at
    the end whose times were taken beside other runs.
    """

    sweep: Sweep
    source: DataSource | None = None
    device: Device | None = None
    site: Site = THIS_MACHINE
    notes: tuple[str, ...] = ()
    remeasure: bool = False
    measures_alone: bool = False

    @property
    def open_cells(self) -> tuple[Cell, ...]:
        """The cells to train: those that are not done, or all of them to ``remeasure``."""
        return tuple(cell for cell in self.sweep.cells if self.remeasure or not cell.is_done)

    def choose_jobs(self, requested: int | None, configs: Sequence[Config]) -> Jobs:
        """The jobs for runs of this plan, of a requested number, if any; see ``Site.choose_jobs``.

        Raises:
            UsageError: if so many jobs cannot be had, or would disturb what is to be measured again.
        """
        if self.remeasure and (requested or 1) > 1:
            raise UsageError("Times that are measured side by side are disturbed.", "Leave out --jobs.")
        assert self.source is not None and self.device is not None
        # Side by side is no gain where everything is measured again, alone, at the end.
        count = 1 if self.remeasure or (requested is None and self.measures_alone) else requested
        images = count_images(self.source)
        return self.site.choose_jobs(count, self.sweep.request, configs, self.device, images)

    def find_disturbed(self) -> list[Config]:
        """The configurations of the runs that are to be measured again, alone; see ``find_disturbed``."""
        return find_disturbed(self.sweep, self.site.host) if self.measures_alone else []


def make_plan(
    request: Request,
    axes: Sequence[Axis],
    store: Store,
    find: Finder,
    *,
    remeasure: bool = False,
    anew: bool = False,
    measure_alone: bool = True,
    site: Site = THIS_MACHINE,
    begin: Callable[[], None] = lambda: None,
) -> Plan:
    """The plan of a run or a sweep: a new one, or the recorded one that the same request began.

    The cells share the settings of ``request`` but for those that are ``axes``; a single run has no axes.
    With ``remeasure``, finished runs are trained again for their timings. A sweep that measures runtimes does
    that at its end with those that were timed beside other runs, unless ``measure_alone`` is False. ``begin``
    is called as soon as it is certain that something is to be trained, before the data is looked for.

    Everything that is trained is of the present recipe. If nothing of the request has begun under it and all
    is finished under an older one, that is the plan, unless it is to be trained ``anew``.

    Raises:
        UsageError: if a value is out of bounds, options contradict each other, or runs of an older recipe are
            to be measured again.
        DataError: if the data cannot be found, or is not that of the recorded sweep.
        DeviceError: if the device cannot be used.
    """
    expand(request, axes)  # checks it as it was typed
    recorded, source, trouble = _find_recorded(request, axes, store, find)
    is_present = recorded is not None and recorded.base.recipe == RECIPE
    is_timed = not remeasure and measure_alone and any(PARAMETERS[axis.name].timed for axis in axes)
    is_shown = recorded is not None and recorded.is_done and not remeasure and (is_present or not anew)
    if recorded is not None and is_shown:
        notes = (*trouble, *describe_stored_data(store, recorded), *([] if is_present else [CHANGED]))
        shown = Plan(sweep=recorded, source=source, site=site, notes=notes)
        return _show(shown, request, store, find, is_timed=is_timed)
    pinned = pin(request, recorded)
    device = _choose_device(request, pinned, site)
    if store.is_missing or (recorded is not None and not recorded.is_done):
        begin()
    try:
        source = source or find(pinned.dataset, pinned.data)
        _check_source(source, recorded, store)
    except DataError as error:
        if axes or remeasure:
            raise
        return _show_without_data(request, store, device, site, error)
    resumed, new = (request, pinned, find, site), (source, request, device, site)
    first = resume_notes(*resumed) if recorded else begin_notes(*new)
    of_recipes = (refresh(store, _lay_out(request, axes, source, device, site, one)) for one in RECIPES)
    present = next(of_recipes)
    # Other requests may have trained a part of a sweep under the present recipe: that does not begin it.
    begun = is_present if recorded else present.is_done if axes else present.runs
    older = [] if begun else list(of_recipes)
    finished = None if anew else find_finished(older, remeasure=remeasure)
    changes = [CHANGED] if finished else describe_left(present, older)
    notes = (*first, *describe_data(source, request), *changes)
    plan = Plan(sweep=finished or present, source=source, device=device, site=site, notes=notes)
    return replace(plan, remeasure=remeasure, measures_alone=is_timed)


def _show(shown: Plan, request: Request, store: Store, find: Finder, *, is_timed: bool) -> Plan:
    """The plan of a finished sweep, in which times that were disturbed are taken again."""
    if request.device != AUTO:
        shown.site.choose_device(request.device)  # an error, although nothing would be trained on it
    if is_timed and find_disturbed(shown.sweep, shown.site.host):
        return _add_measurements(shown, request, store, find)
    return shown


def _show_without_data(request: Request, store: Store, device: Device, site: Site, error: DataError) -> Plan:
    """The plan of the finished run that a request stands for; without one, the error is raised."""
    stored = find_stored(request, store, device.kind)
    if stored is None:
        raise error
    notes = (_describe_lost(error), *describe_stored_data(store, stored))
    return Plan(sweep=stored, site=site, notes=notes)


def _add_measurements(shown: Plan, request: Request, store: Store, find: Finder) -> Plan:
    """The plan of a finished sweep whose times are to be taken again, if its data and device can be had."""
    recorded = shown.sweep
    pinned = pin(request, recorded)
    try:
        device = _choose_device(request, pinned, shown.site)
        source = shown.source or find(pinned.dataset, pinned.data)
        _check_source(source, recorded, store)
    except (ClusterError, DataError, DeviceError) as error:
        note = f"Times that were taken beside other runs stay as they are. {error.problem}"
        return replace(shown, notes=(*shown.notes, note))
    return replace(shown, source=source, device=device, measures_alone=True)


def _check_source(source: DataSource, recorded: Sweep | None, store: Store) -> None:
    """Check that data is that of the recorded sweep, and no substitute in a store of runs on MNIST.

    Raises:
        DataError: if it is not.
    """
    missing = f" {source.missing}" if source.missing else ""
    if recorded is not None and source.sha256 != recorded.base.data:
        names = name_datasets([recorded.dataset, (source.sha256, source.name)])
        raise DataError(
            f"This sweep was begun on {names[recorded.base.data]}, which cannot be had now.{missing}",
            "Give it with --data, or begin afresh with --dataset synthetic.",
        )
    if missing and store.has_runs_on(MNIST):
        raise DataError(
            f"This store has runs on MNIST, which cannot be had now.{missing}",
            "For the synthetic digits, with which these cannot be compared, type --dataset synthetic.",
        )


def find_disturbed(sweep: Sweep, host: str | None) -> list[Config]:
    """The configurations of finished runs whose times were taken on a host beside other runs of the store.

    On any host if it is None.

    Those of an older recipe, which cannot be measured again, are left out.
    """
    whole = [run for group in sweep.groups() for run in group.whole if run.state.is_finished()]
    present = [run for run in whole if run.config.recipe == RECIPE]
    return [run.config for run in present if run.was_timed_beside_others(host)]


def _lay_out(
    request: Request,
    axes: Sequence[Axis],
    source: DataSource,
    device: Device,
    site: Site,
    recipe: int,
) -> Sweep:
    """The sweep that a recipe makes of a checked request, without its runs."""
    rounded, rounded_axes = round_request(request, axes, recipe)
    now, memory = datetime.now(UTC), site.memory_bytes()
    return Sweep(
        axes=rounded_axes,
        epochs=request.epochs,
        dataset_name=source.name,
        cells=tuple(
            Cell(config=resolve(one, source, device.kind, recipe, memory))
            for one in expand(rounded, rounded_axes)
        ),
        request=rounded,
        created_at=now,
        last_requested=now,
    )


def _find_recorded(
    request: Request, axes: Sequence[Axis], store: Store, find: Finder
) -> tuple[Sweep | None, DataSource | None, tuple[str, ...]]:
    """The recorded sweep that the same request began, the data at its path if it names one, and notes.

    If that data cannot be had, and nothing of the sweep is left to train, a note says so.
    """
    recorded = store.find_request(request, axes) if axes else None
    if recorded is None or request.data is None:
        return recorded, None, ()
    try:
        # Where the path leads now may be other data: another sweep.
        source = find(request.dataset, request.data)
    except DataError as error:
        if not recorded.is_done:
            raise
        return recorded, None, (_describe_lost(error),)
    return (recorded if source.sha256 == recorded.base.data else None), source, ()


def _describe_lost(error: DataError) -> str:
    """The note on what is shown although its data cannot be had."""
    return f"{error.problem} This is what was trained when it was there."


def _choose_device(request: Request, pinned: Request, site: Site) -> Device:
    """The device of a pinned request; an error says if the device is that of a recorded sweep."""
    try:
        return site.choose_device(pinned.device)
    except DeviceError as error:
        if pinned.device == request.device:
            raise
        raise DeviceError(
            f"This sweep was begun on a GPU, which cannot be used now. {error.problem}",
            "Begin afresh with --device cpu.",
        ) from error


def refresh(store: Store, sweep: Sweep) -> Sweep:
    """The sweep with its runs as stored now, cut to its epochs."""
    runs = store.find([cell.config.key for cell in sweep.cells])
    cut = {key: run.at(sweep.epochs) for key, run in runs.items()}
    return replace(sweep, cells=tuple(replace(cell, run=cut.get(cell.config.key)) for cell in sweep.cells))
