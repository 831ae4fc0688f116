"""Runs of an older recipe, whose request is typed again: shown if all of them are finished, else left."""

import threading
from dataclasses import replace

import pytest
from helpers import fake_training
from helpers.fake_training import FakeSource, FakeTrainer, carry_out, in_threads
from helpers.made_up import BASE

from lenetcli.errors import DataError, UsageError
from lenetcli.experiment.config import RECIPE, Request
from lenetcli.experiment.datasets import SYNTHETIC, Counts
from lenetcli.experiment.sweep import Axis
from lenetcli.store.store import Store
from lenetcli.store.upkeep import check_store
from lenetcli.training.events import Stopped
from lenetcli.training.older_runs import CHANGED
from lenetcli.training.plan import make_plan
from lenetcli.training.runner import Runner

OLD = replace(BASE, recipe=1)
"""What recipe 1 made of the default request."""


class Source(FakeSource):
    counts = Counts(6000, 6000, 6000)


def find(*_words, **_options):
    return Source()


@pytest.fixture
def store(tmp_path):
    return Store.open(str(tmp_path / "s.db"), write=True)


def old_id(rate, seed=0):
    return replace(OLD, lr=rate, seed=seed).id[:8]


def rates(*values):
    return (Axis("lr", values),)


def plan(store, axes, epochs=2, find=find, **choices):
    return make_plan(Request(epochs=epochs, lr=0.1), axes, store, find, **choices)


def recipes(found):
    return {cell.config.recipe for cell in found.sweep.cells}


def train(store, found, hook=lambda config, epoch: None):
    with in_threads(FakeTrainer(hook=hook)) as pool:
        return Runner(store, found, pool, lambda event: None, jobs=1).run(lambda: False)


def interrupt(store, *values, epochs=2, after=1, **options):
    """Runs of recipe 1, the last of which was stopped after an epoch."""

    def hook(config, epoch):
        if config.lr == values[-1] and epoch > after:
            raise Stopped

    carry_out(store, values, epochs, FakeTrainer(hook=hook), base=OLD, **options)


def test_a_finished_sweep_is_shown_without_a_search(store):
    def fail(*_words, **_options):
        raise AssertionError("looked for")

    carry_out(store, [0.1, 0.01], 2, base=OLD)
    for axes in (rates(0.1, 0.01), rates(0.01, 0.1)):
        found = plan(store, axes, find=fail)
        assert (found.sweep.id, found.open_cells, found.notes) == (store.sweeps()[0].id, (), (CHANGED,))


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_finished_run_is_shown_as_far_as_it_is_asked_for(store, epochs):
    carry_out(store, [0.1], 2, base=OLD, single=True)
    found = plan(store, (), epochs=epochs)
    assert (recipes(found), found.open_cells, found.notes) == ({1}, (), (CHANGED,))
    assert [run.epochs for run in found.sweep.runs] == [epochs]


def test_diverged_is_finished(store):
    carry_out(store, [0.1, 0.01], 2, FakeTrainer(diverges={0.1: 2}), base=OLD)
    assert plan(store, rates(0.1, 0.01)).notes == (CHANGED,)


def test_a_sweep_that_was_never_typed_is_shown_if_its_runs_are_finished(store):
    carry_out(store, [0.1, 0.01, 0.001], 3, base=OLD)
    found = plan(store, rates(0.01, 0.1))
    assert (recipes(found), found.open_cells, found.notes) == ({1}, (), (CHANGED,))
    assert train(store, found).complete
    assert {sweep.base.recipe for sweep in store.sweeps()} == {1}


@pytest.mark.parametrize(
    ("axes", "epochs", "told"),
    [
        (rates(0.1, 0.01), 2, f"2 runs of recipe 1 are left as they are: {old_id(0.01)} (1 of 2 epochs) and "
         f"{old_id(0.1)} (completed); lenetcli 0.1 can finish 1 of them, in the backup"),
        (rates(0.1, 0.5), 2, f"Run {old_id(0.1)} of recipe 1 is left as it is: completed."),
        (rates(0.1, 0.01), 3, f"2 runs of recipe 1 are left as they are: {old_id(0.1)} (2 of 3 epochs) and "
         f"{old_id(0.01)} (1 of 3 epochs); lenetcli 0.1 can finish them, in the backup"),
        ((), 3, f"Run {old_id(0.1)} of recipe 1 is left as it is: 2 of 3 epochs; lenetcli 0.1 can finish it"),
    ],
    ids=["unfinished", "wider", "more epochs", "a single run"],
)  # fmt: skip
def test_everything_else_is_trained_under_the_present_recipe(store, axes, epochs, told):
    interrupt(store, 0.1, 0.01)
    before = {run.key: run for run in store.runs()}
    found = plan(store, axes, epochs)
    (note,) = found.notes
    assert note.startswith(f"The recipe has changed: this trains anew, under recipe {RECIPE}. {told}")
    assert recipes(found) == {RECIPE} and len(found.open_cells) == len(found.sweep.cells)
    assert train(store, found).complete
    assert store.find(list(before)) == before
    again = plan(store, axes, epochs)
    assert (recipes(again), again.open_cells, again.notes) == ({RECIPE}, (), ())


def test_a_note_names_a_few_of_many_runs(store):
    interrupt(store, 0.1, 0.01, epochs=3, after=2, seeds=(0, 1, 2))
    (note,) = plan(store, (*rates(0.1, 0.01), Axis("seed", (0, 1, 2))), epochs=3).notes
    named = f"{old_id(0.01)} (2 of 3 epochs), {old_id(0.1)} (completed), {old_id(0.1, 1)} (completed)"
    assert f"4 runs of recipe 1 are left as they are: {named} and 1 more; lenetcli 0.1 can" in note
    assert note.count("(") == 3


def test_a_run_with_its_own_shards_is_left_too(store):
    carry_out(store, [0.1], 1, base=replace(OLD, shards=3), single=True)
    (note,) = make_plan(Request(epochs=2, shards=3), (), store, find).notes
    assert f"Run {replace(OLD, shards=3).id[:8]} of recipe 1" in note
    assert make_plan(Request(epochs=2, shards=4), (), store, find).notes == ()


@pytest.mark.parametrize("axes", [(), rates(0.1, 0.01)], ids=["run", "sweep"])
def test_anew_trains_what_is_finished_once(store, axes):
    carry_out(store, [0.1, 0.01], 2, base=OLD)
    found = plan(store, axes, anew=True)
    assert recipes(found) == {RECIPE} and len(found.open_cells) == len(found.sweep.cells)
    assert f"{old_id(0.1)}" in found.notes[0]
    assert train(store, found).complete
    for anew in (True, False):
        again = plan(store, axes, anew=anew)
        assert (recipes(again), again.open_cells, again.notes) == ({RECIPE}, (), ())


@pytest.mark.parametrize("axes", [(), rates(0.1, 0.01)], ids=["run", "sweep"])
def test_what_was_begun_anew_goes_on(store, axes):
    carry_out(store, [0.1, 0.01], 2, base=OLD)

    def hook(config, epoch):
        if epoch == 2:
            raise Stopped

    assert not train(store, plan(store, axes, anew=True), hook).complete
    again = plan(store, axes)
    assert (recipes(again), again.notes) == ({RECIPE}, ())
    assert [cell.run and cell.run.epochs for cell in again.open_cells][:1] == [1]


def test_a_shared_run_does_not_begin_a_sweep(store):
    carry_out(store, [0.1, 0.01], 2, base=OLD)
    train(store, plan(store, (), anew=True))
    assert plan(store, rates(0.1, 0.01)).notes == (CHANGED,)
    with pytest.raises(UsageError, match="cannot be measured again"):
        plan(store, rates(0.1, 0.01), remeasure=True)
    wider = plan(store, rates(0.1, 0.01, 0.5))
    assert recipes(wider) == {RECIPE}
    assert f"Run {old_id(0.01)} of recipe 1 is left" in wider.notes[0]


def test_a_sweep_that_is_done_under_both_recipes_is_that_of_the_present_one(store):
    carry_out(store, [0.1, 0.01], 2, base=OLD)
    for rate in (0.1, 0.01):
        train(store, make_plan(Request(epochs=2, lr=rate), (), store, find, anew=True))
    request = Request(epochs=2, device="cpu")  # typed otherwise than the recorded sweep
    found = make_plan(request, rates(0.1, 0.01), store, find)
    assert (recipes(found), found.open_cells, found.notes) == ({RECIPE}, (), ())


@pytest.mark.parametrize("axes", [(), rates(0.1, 0.01), rates(0.1, 0.5)], ids=["run", "sweep", "part"])
def test_an_older_recipe_is_not_measured_again(store, axes):
    carry_out(store, [0.1, 0.01], 2, base=OLD)
    with pytest.raises(
        UsageError, match="of recipe 1, which this lenetcli no longer computes, and cannot be"
    ):
        plan(store, axes, remeasure=True)
    assert recipes(plan(store, axes, remeasure=True, anew=True)) == {RECIPE}
    train(store, plan(store, axes, anew=True))
    again = plan(store, axes, remeasure=True)
    assert recipes(again) == {RECIPE} and len(again.open_cells) == len(again.sweep.cells)


def test_times_beside_other_runs_stay_as_they_are(store):
    both = threading.Barrier(2, timeout=300)
    carry_out(store, [0.1, 0.01], 2, FakeTrainer(hook=lambda *_: both.wait()), base=OLD, jobs=2)
    assert any(timing.beside for run in store.runs() for _, timing in run.measurement)
    found = plan(store, (Axis("filters", (OLD.filters,)),))
    assert recipes(found) == {1}
    assert train(store, found).complete
    assert {len(run.attempts) for run in store.runs()} == {1}


def test_the_newer_recipe_is_found_whichever_was_asked_for_last(store):
    old = carry_out(store, [0.1, 0.01], 2, base=OLD).sweep
    request, axes = Request(epochs=2), rates(0.1, 0.01)
    assert store.find_request(request, axes).id == old.id
    new = plan(store, axes, anew=True).sweep
    store.request_sweep(new)
    store.request_sweep(old)
    assert [sweep.id for sweep in store.sweeps()] == [old.id, new.id]
    assert store.find_request(request, axes).id == new.id


def test_a_sweep_over_numbers_that_float32_does_not_tell_apart_is_found_as_it_was_recorded(store):
    old = carry_out(store, [0.1, 0.100000001], 2, base=OLD).sweep
    typed = rates(0.1, 0.100000001)
    assert plan(store, typed).sweep.id == old.id and plan(store, typed).notes == (CHANGED,)
    assert plan(store, rates(0.1, 0.1000000011)).sweep.base.recipe == RECIPE
    found = plan(store, typed, anew=True)
    assert [cell.config.lr for cell in found.sweep.cells] == list(found.sweep.values) == [0.1]
    assert "2 runs of recipe 1" in found.notes[0]
    train(store, found)
    assert plan(store, typed).sweep.id == plan(store, rates(0.1)).sweep.id == found.sweep.id


def test_the_data_are_those_that_the_older_sweep_was_begun_on(store):
    store.request_sweep(fake_training.make_plan(store, [0.1], 2, base=replace(OLD, data=SYNTHETIC)).sweep)

    class Synthetic(Source):
        sha256 = SYNTHETIC

    def look(dataset, data, **options):
        if options or dataset != "synthetic":
            raise DataError("MNIST cannot be had.", "Go online.")
        return Synthetic()

    found = plan(store, rates(0.1), find=look)
    assert recipes(found) == {RECIPE} and {cell.config.data for cell in found.sweep.cells} == {SYNTHETIC}
    assert found.notes[0] == "This sweep goes on with the synthetic digits it was begun on, not MNIST."


def test_a_recorded_sweep_means_the_same_runs_when_it_is_measured(store):
    """Others that were trained under the present recipe by another sweep do not take their place."""
    carry_out(store, [0.1, 0.01], 2, base=OLD)
    train(store, plan(store, rates(0.1, 0.01, 0.5), anew=True))
    assert plan(store, rates(0.1, 0.01)).notes == (CHANGED,)
    with pytest.raises(UsageError, match="These runs are of recipe 1"):
        plan(store, rates(0.1, 0.01), remeasure=True)


def test_cells_of_two_recipes_are_no_sweep(store):
    new = plan(store, rates(0.1, 0.01)).sweep
    older = replace(new.cells[0], config=replace(new.cells[0].config, recipe=1))
    store.request_sweep(replace(new, cells=(older, new.cells[1])))
    assert store.find_request(new.request, new.axes) is None
    assert recipes(plan(store, rates(0.1, 0.01))) == {RECIPE}
    assert any("its cells are of several recipes" in fault for fault in check_store(store.name).faults)
