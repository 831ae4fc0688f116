"""The geometry of the network, beside the Keras model and the numbers of the exercise."""

import math

import numpy as np
import pytest
from helpers.made_up import make_config
from hypothesis import given, settings
from hypothesis import strategies as st

from lenetcli.experiment import architecture

GOLDEN_PARAMETERS = {8: 52_258, 16: 104_250, 32: 211_690, 64: 440_394, 128: 953_098, 256: 2_199_690}


@pytest.mark.parametrize("filters", GOLDEN_PARAMETERS)
def test_parameters_follow_the_closed_form(filters):
    config = make_config(filters=filters)
    counted = architecture.count_parameters(config)
    assert counted == GOLDEN_PARAMETERS[filters] == 9 * filters**2 + 6283 * filters + 1418


@given(filters=st.integers(1, 400), kernel=st.integers(1, 7), hidden=st.integers(1, 500))
def test_the_law_counts_what_the_layers_hold(filters, kernel, hidden):
    config = make_config(filters=filters, kernel_size=kernel, hidden_units=hidden)
    convolutions = (kernel**2 + 1) * filters + (kernel**2 * filters + 1) * filters
    counted = architecture.count_parameters(config)
    assert counted == convolutions + (49 * filters + 1) * hidden + (hidden + 1) * 10
    assert counted == sum(map(math.prod, architecture.shapes(config).values()))
    assert architecture.parameter_law(config)(filters) == counted
    assert architecture.dense_share(config) == (49 * filters + 1) * hidden / counted


@settings(max_examples=10)
@given(filters=st.integers(1, 40), kernel=st.integers(1, 7), hidden=st.integers(1, 200))
def test_parameters_and_activations_are_those_of_the_keras_model(engine, filters, kernel, hidden):
    config = make_config(filters=filters, kernel_size=kernel, hidden_units=hidden)
    model = engine.lenet.build_model(config, engine.lenet.initial_state(config))
    assert model.count_params() == architecture.count_parameters(config)
    layers = ("conv1", "pool1", "conv2", "pool2", "dense")
    values = sum(math.prod(model.get_layer(name).output.shape[1:]) for name in layers)
    assert architecture.activation_bytes(config) == 2 * values * np.dtype(np.float32).itemsize


@given(filters=st.integers(1, 400), kernel=st.integers(1, 7), hidden=st.integers(1, 500))
def test_multiply_adds_are_those_of_the_layers_and_can_be_inverted(filters, kernel, hidden):
    config = make_config(filters=filters, kernel_size=kernel, hidden_units=hidden)
    shapes = architecture.shapes(config)
    positions = {"conv1": 28 * 28, "conv2": 14 * 14, "dense": 1, "logits": 1}
    work = sum(count * int(np.prod(shapes[f"{layer}/kernel"])) for layer, count in positions.items())
    assert architecture.multiply_adds(config) == work
    assert architecture.filters_at(config, work) == pytest.approx(filters)
    assert architecture.filters_at(config, 0) == 0
