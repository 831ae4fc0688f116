import os
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers.made_up import make_config
from helpers.small_data import load, train_both_precisions
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lenetcli.experiment.config import Precision

TESTS = Path(__file__).parents[1]
TRAIN = 500  # of 600 images, the last sixth of which validates


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    return load(tmp_path_factory.mktemp("digits"))[1]


@pytest.fixture
def make_trainer(engine, arrays, monkeypatch):
    from lenetcli.machine.devices import choose_device

    monkeypatch.setattr(engine.network, "WARMUP_SECONDS", 0.0)
    return lambda: engine.loop.Trainer(arrays, choose_device("cpu"), 2)


def train(trainer, config, epochs=range(1, 3), checkpoint=None, on_progress=lambda news: None):
    trainer.prepare(config)
    return list(trainer.train(config, checkpoint, epochs, on_progress, lambda: False))


@pytest.fixture
def run(make_trainer):
    return lambda config, *args, **options: train(make_trainer(), config, *args, **options)


@contextmanager
def keras_in_double_precision():
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        yield keras
    finally:
        keras.config.set_dtype_policy(before)


ONE_IMAGE = 0.01
"""A part of a change of weights. Rounding makes 0.0001 of it; where it puts a unit that stands at zero on the
other side, one image of hundreds counts otherwise there (seen: 0.002); wrong arithmetic makes tenths."""


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_each_batch_changes_the_weights_as_keras_does_in_double_precision(
    engine, arrays, momentum, monkeypatch
):
    """Keras starts each batch from the engine's state: over many steps, rounding grows without bound.

    An image weighs as much in the last, smaller batch as in the others: Keras has sample weights for it.
    """
    from lenetcli.experiment.architecture import shapes
    from lenetcli.experiment.checkpoint import VELOCITY
    from lenetcli.machine.devices import choose_device

    monkeypatch.setattr(engine.network, "WARMUP_SECONDS", 0.0)
    monkeypatch.setattr(engine.network, "CHUNK_SECONDS", 0.0)  # a call for every batch
    size = 150  # three batches, and one of 50 images
    config = make_config(filters=8, lr=0.05, momentum=momentum, batch_size=size, shards=3)
    network = engine.network.Network(config, engine.network.place(arrays, choose_device("cpu")))
    network.load(config, engine.lenet.initial_state(config))
    with keras_in_double_precision() as keras:
        model = engine.lenet.build_model(config, engine.lenet.initial_state(config))
        optimizer = keras.optimizers.SGD(config.lr, momentum)
        model.compile(optimizer, "sparse_categorical_crossentropy")
        optimizer.build(model.trainable_variables)
    names = list(shapes(config))

    states = []
    for epoch in (1, 2, 3):
        order = engine.loop.permutation(config.seed, epoch, TRAIN)
        states[:] = [network.export()]
        train_loss = network.train_epoch(order, lambda images, loss: states.append(network.export()))
        states.append(network.export())
        losses = 0.0
        batches = [order[start : start + size] for start in range(0, TRAIN, size)]
        for batch, (before, after) in zip(batches, pairwise(states), strict=True):
            model.set_weights([before[name] for name in names])
            for name, slot in zip(names, getattr(optimizer, "momentums", ()), strict=False):
                slot.assign(before[VELOCITY + name])
            images, labels = arrays.train.images[batch][..., None] / 255.0, arrays.train.labels[batch]
            weights = np.full(len(batch), len(batch) / size)  # Keras divides by the number of images
            losses += size * model.train_on_batch(images, labels, sample_weight=weights)
            for name, value in zip(names, model.get_weights(), strict=True):
                change = np.linalg.norm(value - before[name])
                assert np.linalg.norm(after[name] - value) < ONE_IMAGE * change, (epoch, len(batch), name)
        assert train_loss == pytest.approx(losses / TRAIN, rel=1e-4)
        val_loss, val_accuracy, predictions = network.evaluate(network.validation, lambda: None)
        model.set_weights([states[-1][name] for name in names])
        scores = model.predict(arrays.validation.images[..., None] / 255.0, verbose=0)
        labels = arrays.validation.labels
        assert val_loss == pytest.approx(-np.log(scores[np.arange(len(labels)), labels]).mean(), rel=1e-4)
        assert val_accuracy == pytest.approx((scores.argmax(1) == labels).mean(), abs=1.01 / len(labels))
        assert len(predictions) == len(labels)


@settings(max_examples=5)
@given(batch_size=st.integers(1, TRAIN), shards=st.integers(1, 6))
@example(batch_size=1, shards=1)
@example(batch_size=TRAIN, shards=4)
@example(batch_size=TRAIN - 1, shards=4)
@example(batch_size=83, shards=5)
def test_every_image_counts_once_whatever_the_batch_size(engine, arrays, batch_size, shards):
    """At a rate that moves no weight, the epoch's loss is the mean over all training images.

    Each of at most 500 additions rounds by 2**-24; an image left out would change it by 1/500 of its loss.
    """
    from lenetcli.machine.devices import choose_device

    config = make_config(filters=2, lr=1e-30, batch_size=batch_size, shards=min(shards, batch_size))
    all_train = arrays._replace(validation=arrays.train)
    before = engine.network.WARMUP_SECONDS
    engine.network.WARMUP_SECONDS = 0.0
    try:
        (trained,) = train(engine.loop.Trainer(all_train, choose_device("cpu"), 2), config, range(1, 2))
    finally:
        engine.network.WARMUP_SECONDS = before
    assert trained.point.train_loss == pytest.approx(trained.point.val_loss, rel=TRAIN * 2.0**-24)


@given(seed=st.integers(0, 2**31 - 1), epoch=st.integers(1, 1000), count=st.integers(1, 3000))
@settings(max_examples=30)
def test_an_epochs_order_is_a_permutation_that_seed_and_epoch_decide(engine, seed, epoch, count):
    order = engine.loop.permutation(seed, epoch, count)
    assert order.dtype == np.int64
    assert sorted(order) == list(range(count))
    assert (order == engine.loop.permutation(seed, epoch, count)).all()
    if count > 20:
        assert (order != engine.loop.permutation(seed, epoch + 1, count)).any()


def test_bits_do_not_depend_on_where_an_epoch_is_cut(engine, run, monkeypatch):
    config = make_config(filters=4, batch_size=7)
    whole = run(config)
    monkeypatch.setattr(engine.network, "CHUNK_SECONDS", 0.0)  # a call for every step
    cut = run(config)
    assert [t.checkpoint.sha256 for t in whole] == [t.checkpoint.sha256 for t in cut]
    assert [t.point for t in whole] == [t.point for t in cut]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"momentum": 0.9},
        {"precision": Precision.BFLOAT16},
        {"batch_size": 83, "shards": 4},  # a rest of 2 images, fewer than the shards
    ],
)
def test_a_run_in_two_halves_is_the_run_in_one(run, values):
    config = make_config(filters=4, **values)
    whole = run(config, range(1, 4))
    first = run(config, range(1, 2))
    rest = run(config, range(2, 4), first[0].checkpoint)
    assert [t.checkpoint.sha256 for t in first + rest] == [t.checkpoint.sha256 for t in whole]
    assert [t.point.train_loss for t in first + rest] == [t.point.train_loss for t in whole]
    assert rest[-1].point == whole[-1].point


def test_each_run_starts_from_its_own_seed_whatever_ran_before(run, make_trainer):
    configs = [make_config(filters=4, seed=seed, lr=lr) for seed, lr in ((0, 0.1), (1, 0.1), (0, 0.01))]
    trainer = make_trainer()
    trainer.prepare(configs[0])
    assert all(trainer.prepare(config) == (0.0, 0.0) for config in configs)  # one network fits them all
    alone = [run(config)[-1].checkpoint.sha256 for config in configs]
    shared = [train(trainer, config)[-1].checkpoint.sha256 for config in reversed(configs)]
    assert alone == shared[::-1]
    assert len(set(alone)) == 3


def test_a_network_fits_only_what_it_was_traced_for(make_trainer):
    trainer = make_trainer()
    for other in ({"filters": 5}, {"batch_size": 32}, {"momentum": 0.9}, {"shards": 1}):
        trainer.prepare(make_config(filters=4))
        assert trainer.prepare(make_config(**({"filters": 4} | other))) > (0.0, 0.0)


def test_progress_counts_images_and_their_loss(run):
    news = []
    (trained,) = run(make_config(filters=4), range(1, 2), on_progress=news.append)
    assert [n.images for n in news] == sorted({n.images for n in news})
    assert news[-1].images == TRAIN // 64 * 64
    assert news[-1].total == TRAIN
    assert news[-1].loss == pytest.approx(trained.point.train_loss, rel=0.2)


SCRIPT = """
import os, sys
from pathlib import Path
if cores := int(sys.argv[3]):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
from helpers.small_data import load, train_both_precisions
from lenetcli.machine.devices import choose_device
from lenetcli.training.engine.loop import Trainer
arrays = load(Path(sys.argv[1]))[1]
print(train_both_precisions(Trainer(arrays, choose_device("cpu"), int(sys.argv[2]))))
"""


def test_bits_do_not_depend_on_the_number_of_threads_or_cores(engine, arrays, tmp_path, monkeypatch):
    """With the cores of a ``taskset``, where there is one; 0 stands for all."""
    from lenetcli.machine.devices import choose_device

    monkeypatch.setattr(engine.backend, "configure", lambda *setting: None)  # done already, with 2 threads
    here = train_both_precisions(engine.loop.Trainer(arrays, choose_device("cpu"), 2))
    one_core = int(hasattr(os, "sched_setaffinity"))
    combinations = {(1, 0), (2, one_core)}
    if os.environ.get("LENETCLI_LONG"):
        combinations |= {(3, 0), (5, 2 * one_core), (4, one_core), (os.cpu_count() or 1, 0)}
    for threads, cores in combinations:
        there = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path / "digits"), str(threads), str(cores)],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])},
        )
        assert there.stdout.splitlines()[-1] == str(here), (threads, cores)


def require_mnist():
    from lenetcli import files
    from lenetcli.data import sources

    if not os.environ.get(files.DATA_VARIABLE):
        pytest.skip("LENETCLI_DATA does not name the real MNIST")
    source = sources.find()
    if source.name != sources.MNIST:
        pytest.skip("LENETCLI_DATA is not the real MNIST")
    return source.load()


@pytest.mark.parametrize(
    ("lr", "epochs", "low", "high"),
    [(0.1, 1, 0.95, 1.0)]
    if not os.environ.get("LENETCLI_LONG")
    else [
        (0.1, 10, 0.983, 1.0),
        (0.1, 5, 0.975, 1.0),
        (0.01, 5, 0.95, 0.99),
        (0.001, 5, 0.82, 0.93),
        (0.0001, 5, 0, 0.45),
    ],
)
def test_mnist_is_learned_as_far_as_the_rate_allows(engine, lr, epochs, low, high):
    from lenetcli.machine.devices import choose_device

    trainer = engine.loop.Trainer(require_mnist(), choose_device("cpu"), 2)
    trained = train(trainer, make_config(lr=lr), range(1, epochs + 1))
    assert low <= max(t.point.val_accuracy for t in trained) <= high


def test_training_starts_without_keras_and_saving_can_still_have_it():
    code = (
        "import sys, lenetcli.training.engine.loop\n"
        "assert not {'keras', 'matplotlib'} & {*sys.modules}\n"
        "import keras"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)


def test_a_clock_that_is_set_in_an_epoch_changes_no_duration(run, monkeypatch):
    right, shift = time.time, [0]
    monkeypatch.setattr(time, "time", lambda: right() + shift[0])

    def set_clock(progress):
        shift[0] = -3600

    first, second = run(make_config(filters=2, hidden_units=4), on_progress=set_clock)
    assert 0 < first.timing.train_seconds < 3000 and 0 < second.timing.train_seconds < 3000
    assert (first.timing.clock_set, second.timing.clock_set) == (True, False)
    assert first.timing.ended_at < first.timing.started_at
