"""The names of runs and sweeps: kept in every store that there is, so they never change."""

import json
from dataclasses import asdict, dataclass, fields, replace

import pytest
from helpers.made_up import BASE, make_cell, make_sweep
from hypothesis import given
from hypothesis import strategies as st

from lenetcli.experiment.config import Config, DeviceKind, Precision, Request, parameter

RELEASED = replace(BASE, recipe=1, shards=2)
"""A configuration of release 0.1.0."""

KEYS = {
    "l1:b7d9f0925d88a4445c7d8bad2369aef5528a6eae23f1a74e9fa6be83008831de": (
        {},
        '{"batch_size":64,"data":"dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd","device":"cpu",'
        '"filters":16,"hidden_units":128,"kernel_size":3,"lr":0.1,"momentum":0.0,"precision":"float32","recipe":1,'
        '"seed":0,"shards":2}',
    ),
    "l1:280b69e2f640b25226f2aecff52838d1168fca3e16e0528002e140289a7f59ad": (
        {"lr": 1e-4, "seed": 3},
        '{"batch_size":64,"data":"dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd","device":"cpu",'
        '"filters":16,"hidden_units":128,"kernel_size":3,"lr":0.0001,"momentum":0.0,"precision":"float32","recipe":1,'
        '"seed":3,"shards":2}',
    ),
    "l1:61026f984837e4592a6bf50644c6f2283b20a812de72b10a629e2dbf73ed1ac0": (
        {"filters": 256, "device": DeviceKind.GPU, "shards": 1},
        '{"batch_size":64,"data":"dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd","device":"gpu",'
        '"filters":256,"hidden_units":128,"kernel_size":3,"lr":0.1,"momentum":0.0,"precision":"float32","recipe":1,'
        '"seed":0,"shards":1}',
    ),
    "l1:c4ab1e8af447890a202542bd3ad1452a785434eb2291e77055ea61287cc74639": (
        {
            "data": "0123456789abcdef" * 4,
            "momentum": 0.9,
            "precision": Precision.BFLOAT16,
            "batch_size": 128,
            "kernel_size": 5,
            "hidden_units": 64,
            "shards": 3,
        },
        '{"batch_size":128,"data":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","device":"cpu",'
        '"filters":16,"hidden_units":64,"kernel_size":5,"lr":0.1,"momentum":0.9,"precision":"bfloat16","recipe":1,'
        '"seed":0,"shards":3}',
    ),
    "l1:3bb5831d509ce11f515a715034366da9596e2d25d4e0419c31b66554f9f6bfcb": (
        {"recipe": 2, "shards": 4},
        '{"batch_size":64,"data":"dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd","device":"cpu",'
        '"filters":16,"hidden_units":128,"kernel_size":3,"lr":0.1,"momentum":0.0,"precision":"float32","recipe":2,'
        '"seed":0,"shards":4}',
    ),
}


@pytest.mark.parametrize("key", KEYS)
def test_keys_and_their_canonical_json(key):
    changes, canonical = KEYS[key]
    config = replace(RELEASED, **changes)
    assert config.to_json() == canonical
    assert config.key == key


SWEEPS = {
    "2c6cf8ef669ecc196cf83076d37492528a37e5c4e6f3147e8a13f633a6dbe754": (
        "lr",
        10,
        (0.1, 0.01, 0.001, 0.0001),
        1,
    ),
    "65b57cde6c5f3ad753cf80006967764f262d7909afd695bae7b9613f66211180": (
        "lr",
        10,
        (0.1, 0.01, 0.001, 0.0001),
        3,
    ),
    "eedafd43dbefa3af145e78db0d92878713278cd1470df230a7bf7bb5b234dcd6": ("filters", 5, (8, 16, 32, 64), 1),
    "9b3895dc6f2b6bfe56959659f75d25e50fed5c424a395e1b4c81d1ebe8540a74": ("precision", 2, tuple(Precision), 1),
}


@pytest.mark.parametrize("sweep_id", SWEEPS)
def test_sweep_ids(sweep_id):
    parameter, epochs, values, seeds = SWEEPS[sweep_id]
    cells = [
        make_cell(parameter, value, None, seed=seed, base=RELEASED)
        for value in values
        for seed in range(seeds)
    ]
    assert make_sweep(parameter, epochs, cells).id == sweep_id
    assert make_sweep(parameter, epochs, cells[::-1]).id == sweep_id


def test_the_id_of_a_sweep_over_seeds():
    cells = [make_cell("momentum", 0.0, None, seed=seed, base=RELEASED) for seed in range(3)]
    sweep = make_sweep("seed", 2, cells)
    assert sweep.id == "d1cdd87ace35c449d002d371f36c3f57ba6e58326279e78b63ea28ca6a041703"


def test_every_field_of_a_configuration_is_part_of_its_key():
    other = Config.from_mapping(
        {field.name: field.default + 1 for field in fields(Config) if field.metadata.get("later")}
        | {
            "data": "e" * 64,
            "filters": 8,
            "kernel_size": 5,
            "hidden_units": 64,
            "lr": 0.01,
            "momentum": 0.5,
            "batch_size": 32,
            "seed": 1,
            "precision": "bfloat16",
            "device": "gpu",
            "shards": 1,
            "recipe": BASE.recipe + 1,
        }
    )
    names = [field.name for field in fields(Config)]
    changed = {replace(BASE, **{name: getattr(other, name)}).key for name in names}
    assert len(changed | {BASE.key}) == len(names) + 1


@given(order=st.permutations(list(asdict(BASE).items())))
def test_a_key_does_not_depend_on_the_order_of_fields(order):
    assert Config.from_mapping(dict(order)).key == BASE.key
    assert Config.from_mapping(json.loads(BASE.to_json())) == BASE


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterConfig(Config):
    """A configuration with a parameter that came after the first release."""

    noise: float = parameter(0.0, "How noisy images are.", later=True)


def test_a_later_parameter_is_left_out_of_the_canonical_json_at_its_neutral_value():
    neutral = LaterConfig(**asdict(BASE))
    assert (neutral.to_json(), neutral.key) == (BASE.to_json(), BASE.key)
    other = replace(neutral, noise=0.5)
    assert json.loads(other.to_json()) == {**json.loads(BASE.to_json()), "noise": 0.5}
    assert LaterConfig.from_mapping(json.loads(other.to_json())) == other


def test_a_configuration_stored_before_a_parameter_came_has_its_neutral_value():
    assert LaterConfig.from_mapping(json.loads(BASE.to_json())) == LaterConfig(**asdict(BASE))


@pytest.mark.parametrize("kind", [Config, LaterConfig])
@pytest.mark.parametrize("name", json.loads(BASE.to_json()))
def test_a_stored_configuration_without_a_field_of_the_first_release_is_an_error(kind, name):
    stored = json.loads(BASE.to_json())
    del stored[name]
    with pytest.raises(KeyError, match=name):
        kind.from_mapping(stored)


def test_a_stored_configuration_with_an_unknown_field_is_an_error():
    with pytest.raises(TypeError, match="noise"):
        Config.from_mapping({**json.loads(BASE.to_json()), "noise": 0.5})


def test_a_request_comes_back_as_it_was_stored():
    request = Request(precision=Precision.BFLOAT16, device="gpu:1", data="a folder", threads=2, lr=1e-4)
    assert Request.from_mapping(json.loads(json.dumps(request.to_mapping()))) == request
