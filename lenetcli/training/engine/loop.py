"""The training loop: plain SGD, one epoch at a time, with reproducible bits."""

import math
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from lenetcli.data.sources import Arrays
from lenetcli.experiment.checkpoint import Checkpoint, pack, state_shapes, unpack
from lenetcli.experiment.config import Config
from lenetcli.experiment.run import CurvePoint, Timing, Trained
from lenetcli.machine.contention import ContentionWatch
from lenetcli.machine.devices import Device
from lenetcli.training.engine import backend
from lenetcli.training.engine.lenet import initial_state
from lenetcli.training.engine.network import Network, place
from lenetcli.training.events import Diverged, Progressed, Stopped


def permutation(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """The order of the training images in an epoch: int64 (count,), determined by seed and epoch.

    It is the stable order of a raw PCG64 stream, which NumPy guarantees, unlike the methods of ``Generator``.
    """
    raw = np.random.PCG64(np.random.SeedSequence([seed, epoch])).random_raw(count)
    return np.argsort(raw, kind="stable").astype(np.int64)


class Trainer:
    """Trains runs on one data set and one device; see ``training.events.Trainer``.

    A traced network is reused for each run that it fits.
    """

    def __init__(self, arrays: Arrays, device: Device, threads: int) -> None:
        backend.configure(device.kind, device.index, threads)
        self._placed = place(arrays, device)
        self._network: Network | None = None

    def prepare(self, config: Config) -> tuple[float, float]:
        """Trace and warm up the network of a configuration; returns the seconds that each took."""
        if self._network is not None and self._network.fits(config):
            return 0.0, 0.0
        self._network = None  # frees its memory first
        self._network = Network(config, self._placed)
        return self._network.trace_seconds, self._network.warmup_seconds

    def train(
        self,
        config: Config,
        checkpoint: Checkpoint | None,
        epochs: range,
        on_progress: Callable[[Progressed], None],
        should_stop: Callable[[], bool],
    ) -> Iterator[Trained]:
        """Train the epochs of a prepared configuration and yield each when it is finished."""
        network = self._load(config, checkpoint)
        key, count = config.key, network.count

        def check() -> None:
            if should_stop():
                raise Stopped

        for epoch in epochs:

            def report(images: int, loss_sum: float, epoch: int = epoch) -> None:
                check()
                if not math.isfinite(loss_sum):
                    raise Diverged
                loss = loss_sum / images
                on_progress(Progressed(key=key, epoch=epoch, images=images, total=count, loss=loss))

            check()
            order = permutation(config.seed, epoch, count)
            with ContentionWatch() as watch:
                train_loss = network.train_epoch(order, report)
            start = time.monotonic()
            val_loss, val_accuracy, predictions = network.evaluate(network.validation, check)
            eval_seconds = time.monotonic() - start
            test_accuracy = None
            if epoch == epochs[-1] and network.test is not None:
                _, test_accuracy, _ = network.evaluate(network.test, check)
            state = network.export()
            has_finite_state = all(np.isfinite(tensor).all() for tensor in state.values())
            if not (has_finite_state and math.isfinite(train_loss + val_loss)):
                raise Diverged
            yield Trained(
                point=CurvePoint(
                    epoch=epoch,
                    train_loss=train_loss,
                    val_loss=val_loss,
                    val_accuracy=val_accuracy,
                    test_accuracy=test_accuracy,
                ),
                timing=Timing(
                    epoch=epoch,
                    train_seconds=watch.span.seconds,
                    eval_seconds=eval_seconds,
                    contended=watch.span.contended or watch.span.suspended,
                    clock_set=watch.span.clock_set,
                    started_at=watch.span.started_at,
                    ended_at=watch.span.ended_at,
                ),
                checkpoint=pack(epoch, state),
                predictions=predictions,
            )

    def test(self, config: Config, checkpoint: Checkpoint) -> float | None:
        """The test accuracy of a checkpoint of a prepared configuration; None without a test set."""
        network = self._load(config, checkpoint)
        return network.evaluate(network.test, lambda: None)[1] if network.test else None

    def _load(self, config: Config, checkpoint: Checkpoint | None) -> Network:
        """The prepared network in the state of a checkpoint, or in the initial one."""
        assert self._network is not None
        state = initial_state(config) if checkpoint is None else unpack(checkpoint, state_shapes(config))
        self._network.load(config, state)
        return self._network
