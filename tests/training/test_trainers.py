"""The trainer of the product and the fake one of the tests, under one contract."""

import pytest
from helpers.fake_training import IMAGES, FakeTrainer
from helpers.made_up import BASE, make_config
from helpers.small_data import load
from helpers.trainer_contract import TrainerContract

from lenetcli.machine.devices import choose_device


class TestFakeTrainer(TrainerContract):
    @pytest.fixture
    def trainer(self):
        return FakeTrainer(diverges={100.0: 2})

    @pytest.fixture
    def config(self):
        return BASE

    @pytest.fixture
    def diverging(self):
        return make_config(lr=100.0)

    @pytest.fixture
    def images(self):
        return IMAGES


@pytest.fixture(scope="module")
def tensorflow_trainer(engine, tmp_path_factory):
    """One for all tests: a network that is traced once is used again."""
    _, arrays = load(tmp_path_factory.mktemp("digits"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.network, "WARMUP_SECONDS", 0.0)
        yield engine.loop.Trainer(arrays, choose_device("cpu"), 2)


class TestTensorFlowTrainer(TrainerContract):
    @pytest.fixture
    def trainer(self, tensorflow_trainer):
        return tensorflow_trainer

    @pytest.fixture
    def config(self):
        return make_config(filters=4)

    @pytest.fixture
    def diverging(self):
        return make_config(filters=4, lr=1e8)

    @pytest.fixture
    def images(self):
        return 100
