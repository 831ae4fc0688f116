from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import BASE

from lenetcli.experiment.config import Precision

pytestmark = pytest.mark.usefixtures("room")

GOLDEN_PARAMETERS = {8: 52_258, 16: 104_250, 32: 211_690, 64: 440_394, 128: 953_098, 256: 2_199_690}


def make_config(**values):
    return replace(BASE, **values)


@pytest.mark.parametrize("filters", GOLDEN_PARAMETERS)
def test_parameters_follow_the_closed_form(filters):
    config = make_config(filters=filters)
    assert config.parameters == GOLDEN_PARAMETERS[filters] == 9 * filters**2 + 6283 * filters + 1418


@settings(max_examples=10, deadline=None)
@given(filters=st.integers(1, 40), kernel=st.integers(1, 7), hidden=st.integers(1, 200))
def test_parameters_are_those_of_the_keras_model(filters, kernel, hidden):
    from lenetcli.experiment import architecture
    from lenetcli.training.engine import lenet

    config = make_config(filters=filters, kernel_size=kernel, hidden_units=hidden)
    model = lenet.build_model(config, lenet.initial_weights(config))
    assert model.count_params() == config.parameters
    assert sum(int(np.prod(shape)) for shape in architecture.shapes(config).values()) == config.parameters


@pytest.mark.parametrize("kernel", [1, 3, 4])
def test_logits_are_those_of_the_keras_model(kernel):
    import tensorflow as tf

    from lenetcli.experiment import architecture
    from lenetcli.training.engine import lenet

    config = make_config(filters=8, kernel_size=kernel, seed=3)
    weights = lenet.initial_weights(config)
    random = np.random.default_rng(1)
    weights = {
        name: value + random.normal(0, 0.05, value.shape).astype("f4") for name, value in checkpoint.items()
    }
    images = random.integers(0, 256, (50, 28, 28), dtype=np.uint8)
    ours = tf.nn.softmax(lenet.logits(checkpoint, tf.constant(images), Precision.FLOAT32)).numpy()
    theirs = lenet.build_model(config, checkpoint).predict(images[..., None] / 255.0, verbose=0)
    assert ours.shape == (50, 10)
    rounding = 49 * config.filters * 2.0**-24  # the longest sum, each addition of which rounds
    np.testing.assert_allclose(ours, theirs, atol=10 * rounding)
    np.testing.assert_allclose(ours.sum(axis=1), 1, atol=rounding)


def test_initial_weights_are_glorot_uniform_and_depend_on_the_seed_alone():
    from lenetcli.experiment import architecture, checkpoint
    from lenetcli.training.engine import lenet

    first, again = (lenet.initial_weights(make_config(lr=lr)) for lr in (0.1, 0.01))
    other = lenet.initial_weights(make_config(seed=1))
    assert checkpoint.digest(first) == checkpoint.digest(again) != checkpoint.digest(other)
    for name, value in first.items():
        if name.endswith("bias"):
            assert not value.any()
            continue
        window = int(np.prod(value.shape[:-2]))
        limit = np.sqrt(6 / (window * (value.shape[-2] + value.shape[-1])))
        assert np.abs(value).max() <= limit
        assert abs(value.mean()) < 5 * limit / np.sqrt(value.size)
        np.testing.assert_allclose(value.std(), limit / np.sqrt(3), rtol=0.25)


def test_initial_weights_are_the_same_bits_on_every_machine():
    from lenetcli.experiment import architecture, checkpoint
    from lenetcli.training.engine import lenet

    assert checkpoint.digest(lenet.initial_weights(make_config())) == (
        "789646240a5cb0c18e7158c79900f5e8cc325a0f3e9baaf17874cfd5cf894e43"
    )
