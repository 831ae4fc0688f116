"""The network beside the same one in Keras, and its initial weights."""

import numpy as np
import pytest
from helpers.made_up import make_config

from lenetcli.experiment.checkpoint import digest
from lenetcli.experiment.config import Precision


@pytest.mark.parametrize("kernel", [1, 3, 4])
def test_logits_are_those_of_the_keras_model(engine, kernel):
    config = make_config(filters=8, kernel_size=kernel, seed=3)
    weights = engine.lenet.initial_state(config)
    random = np.random.default_rng(1)
    weights = {
        name: value + random.normal(0, 0.05, value.shape).astype("f4") for name, value in weights.items()
    }
    images = random.integers(0, 256, (50, 28, 28), dtype=np.uint8)
    ours = engine.backend.tf.nn.softmax(
        engine.lenet.logits(weights, engine.backend.tf.constant(images), Precision.FLOAT32)
    ).numpy()
    theirs = engine.lenet.build_model(config, weights).predict(images[..., None] / 255.0, verbose=0)
    assert ours.shape == (50, 10)
    rounding = 49 * config.filters * 2.0**-24  # the longest sum, each addition of which rounds
    np.testing.assert_allclose(ours, theirs, atol=10 * rounding)
    np.testing.assert_allclose(ours.sum(axis=1), 1, atol=rounding)


def test_initial_weights_are_glorot_uniform_and_depend_on_the_seed_alone(engine):
    first, again = (engine.lenet.initial_state(make_config(lr=lr)) for lr in (0.1, 0.01))
    other = engine.lenet.initial_state(make_config(seed=1))
    assert digest(first) == digest(again) != digest(other)
    for name, value in first.items():
        if name.endswith("bias"):
            assert not value.any()
            continue
        window = int(np.prod(value.shape[:-2]))
        limit = np.sqrt(6 / (window * (value.shape[-2] + value.shape[-1])))
        assert np.abs(value).max() <= limit
        assert abs(value.mean()) < 5 * limit / np.sqrt(value.size)
        np.testing.assert_allclose(value.std(), limit / np.sqrt(3), rtol=0.25)


def test_initial_weights_are_the_same_bits_on_every_machine(engine):
    assert digest(engine.lenet.initial_state(make_config())) == (
        "789646240a5cb0c18e7158c79900f5e8cc325a0f3e9baaf17874cfd5cf894e43"
    )
