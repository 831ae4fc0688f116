"""The training loop: plain SGD, an epoch at a time, with the same bits every time."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lenetcli import backend, lenet, network, weights
from lenetcli.contention import ContentionWatch
from lenetcli.data import Arrays
from lenetcli.devices import Device
from lenetcli.runs import Config, Epoch
from lenetcli.trainers import Diverged, Progress, Stopped, Trained


def initial_state(config: Config) -> dict[str, NDArray[np.float32]]:
    """What a run begins with: the seed's weights, and velocities of zero."""
    state = {name: np.zeros(shape, np.float32) for name, shape in network.state_shapes(config).items()}
    return state | lenet.initial_weights(config)


def permutation(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """The order of the ``count`` images in an epoch, a pure function of seed and epoch; int64 (count,).

    NumPy guarantees its raw bit streams, not what a ``Generator`` makes of them.
    """
    raw = np.random.PCG64(np.random.SeedSequence([seed, epoch])).random_raw(count)
    return np.argsort(raw, kind="stable").astype(np.int64)


class Trainer:
    """Trains runs on one data set and one device; what is traced once is used for every run that fits."""

    def __init__(self, arrays: Arrays, device: Device, threads: int) -> None:
        backend.configure(device.kind, device.index, threads)
        self._placed = network.place(arrays, device)
        self._network: network.Network | None = None

    def prepare(self, config: Config) -> tuple[float, float]:
        """Trace and warm up for a configuration; the seconds of each, 0 where it is traced already."""
        if self._network is not None and self._network.fits(config):
            return 0.0, 0.0
        self._network = None  # its memory first
        self._network = network.Network(config, self._placed)
        return self._network.trace_seconds, self._network.warmup_seconds

    def train(
        self,
        config: Config,
        packed: weights.Packed | None,
        epochs: range,
        on_progress: Callable[[Progress], None],
        should_stop: Callable[[], bool],
    ) -> Iterator[Trained]:
        """Train the epochs of ``epochs`` (counted from 1) and hand each over as it is finished.

        Args:
            config: what to train; ``prepare`` has been called with it.
            packed: the weights to go on from, None for the seed's initial weights.
            epochs: from the first epoch still to do up to the last one asked for, which measures the
                test accuracy too.
            on_progress: called between chunks.
            should_stop: asked between chunks.

        Raises:
            Stopped: as soon as ``should_stop`` says so; the epoch in hand is lost.
            Diverged: when the loss or a weight is not finite.
            StoreError: if the weights are damaged or do not fit the configuration.
        """
        assert self._network is not None
        state = (
            initial_state(config) if packed is None else weights.unpack(packed, network.state_shapes(config))
        )
        yield from train(self._network, config, state, epochs, on_progress, should_stop)

    def test(self, config: Config, packed: weights.Packed) -> float | None:
        """The test accuracy of stored weights; None without a test set."""
        assert self._network is not None
        self._network.load(config, weights.unpack(packed, network.state_shapes(config)))
        return self._network.evaluate(self._network.test, lambda: None)[1] if self._network.test else None


def train(
    traced: network.Network,
    config: Config,
    state: Mapping[str, NDArray[np.float32]],
    epochs: range,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
) -> Iterator[Trained]:
    """The loop itself: train an epoch, validate, at the end test; see ``Trainer.train``."""
    traced.load(config, state)
    watch = ContentionWatch()
    count = len(traced.labels)

    def check() -> None:
        if should_stop():
            raise Stopped

    for epoch in epochs:

        def report(images: int, loss_sum: float, epoch: int = epoch) -> None:
            check()
            if not math.isfinite(loss_sum):
                raise Diverged
            on_progress(Progress(epoch=epoch, images=images, total=count, loss=loss_sum / images))

        check()
        order = permutation(config.seed, epoch, count)
        watch.start()
        try:
            train_loss = traced.train_epoch(order, report)
        finally:
            span = watch.stop()

        begun = time.time()
        val_loss, val_accuracy, predictions = traced.evaluate(traced.validation, check)
        eval_seconds = time.time() - begun
        test_accuracy = None
        if epoch == epochs[-1] and traced.test is not None:
            _, test_accuracy, _ = traced.evaluate(traced.test, check)
        state = traced.export()
        if not (
            math.isfinite(train_loss + val_loss)
            and all(np.isfinite(tensor).all() for tensor in state.values())
        ):
            raise Diverged
        yield Trained(
            epoch=Epoch(
                epoch=epoch,
                train_loss=train_loss,
                val_loss=val_loss,
                val_accuracy=val_accuracy,
                test_accuracy=test_accuracy,
            ),
            weights=weights.pack(epoch, state),
            predictions=predictions,
            train_seconds=span.wall_seconds,
            eval_seconds=eval_seconds,
            contended=span.contended or span.suspended,
            clock_set=span.clock_set,
        )


def save_model(config: Config, packed: weights.Packed, path: Path) -> None:
    """Write stored weights as a ``.keras`` model that ends in the softmax layer.

    Raises:
        StoreError: if the weights are damaged or do not fit the configuration.
        OSError: if the file cannot be written.
    """
    state = weights.unpack(packed, network.state_shapes(config))
    lenet.build_model(config, state).save(path)
