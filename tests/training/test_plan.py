"""From a request to configurations: checks, expansion, and what ``auto`` was."""

from dataclasses import replace

import pytest
from helpers.fake_training import DEVICE, LABELS, FakeSource, Listener, carry_out, in_threads
from helpers.made_up import BASE
from hypothesis import given, settings
from hypothesis import strategies as st

from lenetcli.errors import DataError, UsageError
from lenetcli.experiment.config import DeviceKind, Precision, Request
from lenetcli.experiment.datasets import MNIST, Counts
from lenetcli.experiment.parameters import SWEPT
from lenetcli.experiment.sweep import Axis
from lenetcli.machine import limits
from lenetcli.store.store import Store
from lenetcli.training import requests
from lenetcli.training.interrupts import Stop
from lenetcli.training.plan import make_plan
from lenetcli.training.requests import resolve
from lenetcli.training.runner import Runner
from lenetcli.training.workers.description import describe_worker


class Source(FakeSource):
    counts = Counts(6000, 6000, 6000)


@pytest.fixture
def store(tmp_path):
    return Store.open(str(tmp_path / "s.db"), write=True)


def find(*_words, **_options):
    return Source()


class Substitute(Source):
    missing = "There is no network."
    warning = f"These are the synthetic digits, not MNIST. {missing}"


def test_nothing_stands_in_for_mnist_in_a_store_of_runs_on_it(store):
    axes = (Axis("lr", (0.1,)),)

    def find_substitute(*_words, **_options):
        return Substitute()

    assert Substitute.warning in make_plan(Request(), axes, store, find_substitute).notes
    store.add_dataset(MNIST, FakeSource.counts, LABELS)
    store.claim(replace(BASE, data=MNIST), describe_worker(DEVICE, 1), 1, dataset_name="mnist")
    for words in (axes, ()):
        with pytest.raises(DataError, match=r"has runs on MNIST.* There is no network\.") as caught:
            make_plan(Request(), words, store, find_substitute)
        assert "--dataset synthetic" in caught.value.advice
    assert make_plan(Request(), axes, store, find).sweep.cells


def find_nothing(*_words, **_options):
    raise DataError("There is nothing at 'digits'.", "Check --data.")


def train(store, request, axes, find=find):
    with in_threads() as pool:
        Runner(store, make_plan(request, axes, store, find), pool, Listener(), jobs=1).run(Stop())


@pytest.mark.parametrize("axes", [(Axis("lr", (0.1, 0.01)),), ()])
def test_what_is_finished_is_shown_when_its_data_is_gone(store, axes):
    request = Request(data="digits", epochs=1)
    train(store, request, axes)
    shown = make_plan(request, axes, store, find_nothing)
    assert shown.sweep.is_done and not shown.open_cells
    assert shown.notes[0].startswith("There is nothing at 'digits'. ")
    for other in ({"epochs": 2}, {"filters": 8}):
        with pytest.raises(DataError, match="nothing at"):
            make_plan(replace(request, **other), axes, store, find_nothing)


class OtherSource(Source):
    sha256 = "b" * 64


def test_of_two_data_sets_that_are_gone_none_is_shown(store):
    request = Request(data="digits", epochs=1)
    train(store, request, ())
    train(store, request, (), lambda *_words, **_options: OtherSource())
    with pytest.raises(DataError, match="nothing at"):
        make_plan(request, (), store, find_nothing)


def test_no_other_data_set_is_shown_for_one_that_is_named(store):
    train(store, Request(data="digits", epochs=1), ())
    with pytest.raises(DataError, match="nothing at"):
        make_plan(Request(dataset="kmnist", epochs=1), (), store, find_nothing)


def test_gaps_are_filled_from_the_configuration_alone():
    config = resolve(Request(filters=32), Source(), DeviceKind.CPU)
    assert (config.shards, config.data) == (4, Source.sha256)
    assert resolve(Request(shards=3), Source(), DeviceKind.CPU).shards == 3
    with pytest.raises(UsageError, match="larger than"):
        resolve(Request(batch_size=6001), Source(), DeviceKind.CPU)
    with pytest.raises(UsageError, match="memory"):
        resolve(Request(filters=2**31 - 1), Source(), DeviceKind.CPU)


def test_numbers_are_those_of_float32():
    source = Source()
    typed = Request(lr=0.100000001, momentum=0.30000001192092896)
    config = resolve(typed, source, DeviceKind.CPU)
    assert (config.lr, config.momentum) == (0.1, 0.3)
    assert config == resolve(Request(lr=0.1, momentum=0.3), source, DeviceKind.CPU)
    older = resolve(typed, source, DeviceKind.CPU, recipe=1)
    assert (older.lr, older.momentum, older.recipe, older.shards) == (typed.lr, typed.momentum, 1, 2)


def test_values_that_float32_does_not_tell_apart_are_one_cell(store):
    request, axes = Request(device="cpu"), [Axis("lr", (0.1, 0.100000001, 0.2))]
    plan = make_plan(request, axes, store, find)
    assert [cell.config.lr for cell in plan.sweep.cells] == list(plan.sweep.values) == [0.1, 0.2]
    store.request_sweep(plan.sweep)
    for values in ((0.1, 0.2), (0.20000000001, 0.1)):
        assert store.find_request(request, [Axis("lr", values)]).id == plan.sweep.id


@settings(max_examples=30)
@given(
    values=st.lists(st.sampled_from([0.1, 0.01, 0.001, 0.0001, 0.5]), min_size=1, max_size=8),
    seeds=st.none() | st.integers(1, 3).map(range),
)
def test_a_sweep_has_a_cell_for_each_value_and_seed_once(tmp_path_factory, values, seeds):
    store = Store.open(str(tmp_path_factory.mktemp("x") / "s.db"), write=True)
    request = Request(device="cpu")
    axes = [Axis("lr", tuple(values)), Axis("seed", tuple(seeds))] if seeds else [Axis("lr", tuple(values))]
    plan = make_plan(request, axes, store, find)
    different = list(dict.fromkeys(values))
    expected = [(value, seed) for value in different for seed in (seeds or [0])]
    assert [(cell.config.lr, cell.config.seed) for cell in plan.sweep.cells] == expected
    assert len({cell.config.key for cell in plan.sweep.cells}) == len(expected)
    store.request_sweep(plan.sweep)
    turned = [Axis(axis.name, axis.values[::-1]) for axis in axes[::-1]]
    assert make_plan(request, turned, store, find).sweep.id == plan.sweep.id
    assert store.find_request(request, turned).id == plan.sweep.id


@pytest.mark.parametrize("parameter", SWEPT)
def test_every_parameter_can_be_swept_and_asked_for_again(store, parameter):
    of_kind = {float: [0.1, 0.2], int: [1, 2], Precision: list(Precision)}
    values = of_kind[SWEPT[parameter].kind]
    request = Request(device="cpu")
    plan = make_plan(request, [Axis(parameter, tuple(values))], store, find)
    assert [getattr(cell.config, parameter) for cell in plan.sweep.cells] == values
    store.request_sweep(plan.sweep)
    again = make_plan(request, [Axis(parameter, tuple(values))], store, find)
    assert (again.sweep.id, len(store.sweeps())) == (plan.sweep.id, 1)


def test_the_swept_field_of_the_base_does_not_matter(store):
    plans = [
        make_plan(Request(device="cpu", lr=rate), [Axis("lr", (0.1,))], store, find) for rate in (0.1, 0.2)
    ]
    assert plans[0].sweep.id == plans[1].sweep.id


def test_sweeps_share_their_common_cell(store):
    rates = make_plan(Request(device="cpu"), [Axis("lr", (0.1, 0.01))], store, find)
    filters = make_plan(Request(device="cpu"), [Axis("filters", (8, 16))], store, find)
    keys = [{cell.config.key for cell in plan.sweep.cells} for plan in (rates, filters)]
    assert len(keys[0] & keys[1]) == 1


def test_auto_stays_what_it_was(store, monkeypatch):
    request = Request(device="auto", dataset="auto")
    plan = make_plan(request, [Axis("lr", (0.1,))], store, find)
    store.request_sweep(plan.sweep)

    class Other(Source):
        sha256 = "e" * 64

    with pytest.raises(DataError, match=r"begun on fake \(dddddddd\), which"):
        make_plan(request, [Axis("lr", (0.1,))], store, lambda *_, **__: Other())
    again = make_plan(request, [Axis("lr", (0.1,))], store, find)
    assert again.sweep.cells[0].config == plan.sweep.cells[0].config


def test_nothing_is_looked_for_when_nothing_is_left(store, monkeypatch):
    def fail(*_words, **_options):
        raise AssertionError("looked for")

    carry_out(store, [0.1, 0.01], 2)
    monkeypatch.setattr("lenetcli.machine.devices.choose_device", fail)
    plan = make_plan(Request(epochs=2), [Axis("lr", (0.01, 0.1))], store, fail)
    assert (plan.open_cells, plan.source, plan.device) == ((), None, None)
    assert plan.sweep.id == store.sweeps()[0].id
    with pytest.raises(AssertionError, match="looked for"):
        make_plan(Request(epochs=3), [Axis("lr", (0.01, 0.1))], store, fail)


def test_a_wider_sweep_has_the_finished_runs_of_the_narrower_one(store):
    request = Request(device="cpu", epochs=1)
    narrow = make_plan(request, [Axis("lr", (0.1,))], store, find)
    wide = make_plan(request, [Axis("lr", (0.1, 0.01)), Axis("seed", (0, 1))], store, find)
    assert narrow.sweep.base in [cell.config for cell in wide.sweep.cells]
    assert [(cell.config.lr, cell.config.seed) for cell in wide.sweep.cells] == [
        (0.1, 0),
        (0.1, 1),
        (0.01, 0),
        (0.01, 1),
    ]


def test_what_is_needed_and_what_there_is_never_look_the_same(monkeypatch):
    for available, shown in ((2e9, "2.00"), (1.0049e9, "1.00")):
        monkeypatch.setattr(limits, "memory_bytes", lambda available=available: available)
        monkeypatch.setattr(requests, "estimate_bytes", lambda *_, available=available: available + 1)
        with pytest.raises(UsageError) as caught:
            resolve(Request(), Source(), DeviceKind.CPU)
        needed = f"{float(shown) + 0.01:.2f}"
        assert f"need about {needed} GB of memory, and this machine has {shown} GB." in caught.value.problem
