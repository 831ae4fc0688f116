"""A traced network on a device: its data, its state, and the training and evaluation steps.

A batch is split into ``shards``, which are computed in parallel in one graph. Each operation uses one thread,
and the gradients of the shards are summed in a fixed order, so that the bits do not depend on the number of
threads. Nor do they on the chunks of an epoch: the loss is summed in a variable over the whole epoch.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lenetcli.data.sources import Arrays, Examples
from lenetcli.experiment.architecture import shapes
from lenetcli.experiment.checkpoint import VELOCITY, state_shapes
from lenetcli.experiment.config import Config, DeviceKind
from lenetcli.machine.devices import Device
from lenetcli.training.engine.backend import tf
from lenetcli.training.engine.lenet import cross_entropies, logits

CHUNK_SECONDS = 0.3
"""The duration of one call into TensorFlow, during which neither signals nor the progress bar are served."""

EVALUATION_BLOCK = 500
"""The images of an evaluation step, which is computed in as many pieces as a batch.

The results of a piece may depend on its size in the last bits: a change raises ``RECIPE``.
"""

WARMUP_SECONDS = 0.5
WARMUP_STEPS = 12
"""The least time and number of steps of the warm-up, which ends after four times that time in any case."""


class DeviceData(NamedTuple):
    """A data set on a device: for each part, variables: images (n, 28, 28), uint8, and labels (n,), int64."""

    device: str
    train: tuple[Any, Any]
    validation: tuple[Any, Any]
    test: tuple[Any, Any] | None


def place(arrays: Arrays, device: Device) -> DeviceData:
    """A copy of a data set on a device."""
    name = "/CPU:0" if device.kind is DeviceKind.CPU else "/GPU:0"

    def put(examples: Examples) -> tuple[Any, Any]:
        # A GPU gathers bytes from variables only: a tensor would be copied to the host for each batch. The
        # labels have 64 bits, since TensorFlow keeps integers of 32 in the memory of the host.
        labels = examples.labels.astype(np.int64)
        return tf.Variable(examples.images, trainable=False), tf.Variable(labels, trainable=False)

    with tf.device(name):
        test = put(arrays.test) if arrays.test else None
        return DeviceData(name, put(arrays.train), put(arrays.validation), test)


class Network:
    """A traced network with its state and its data on a device.

    It trains every configuration that differs in the learning rate, the seed or the value of a momentum only.

    Attributes:
        config: the configuration it was traced for.
        images, labels, count: the training data, and the number of its images.
        validation, test: images and labels; ``test`` is None without a test set.
        batches: the number of full batches in an epoch.
        rest: the number of images in its last, smaller batch; 0 if all batches are full.
        trace_seconds, warmup_seconds: the time that tracing and warm-up took.
    """

    def __init__(self, config: Config, data: DeviceData) -> None:
        self.config = config
        self.images, self.labels = data.train
        self.validation, self.test = data.validation, data.test
        self.count = int(self.labels.shape[0])
        self.batches, self.rest = divmod(self.count, config.batch_size)
        start = time.monotonic()
        with tf.device(data.device):
            self.state = {
                name: tf.Variable(tf.zeros(shape), name=name) for name, shape in state_shapes(config).items()
            }
            self.order = tf.Variable(tf.range(self.count, dtype=tf.int64))
            self.lr = tf.Variable(0.0)
            self.momentum = tf.Variable(0.0)
            self.loss_sum = tf.Variable(0.0, dtype=tf.float64)
            self._trace()
        traced = time.monotonic()
        self._warm_up()
        self.trace_seconds = traced - start
        self.warmup_seconds = time.monotonic() - traced

    def fits(self, config: Config) -> bool:
        """Whether the traced network can train a configuration: learning rate and momentum are variables."""
        same = replace(self.config, lr=config.lr, seed=config.seed, momentum=config.momentum)
        return same == config and bool(self.config.momentum) == bool(config.momentum)

    def _read_weights(self) -> dict[str, Any]:
        """The weights as tensors: a tape can watch them, and all shards read the same values."""
        return {name: tf.identity(self.state[name]) for name in shapes(self.config)}

    def _step(self, start: Any, size: int) -> None:
        """One step of SGD on ``size`` images, beginning at position ``start`` of the order of the epoch."""
        weights = self._read_weights()
        batch = tf.slice(self.order, [start], [size])
        # At most as many shards as images: an empty one would abort the process in oneDNN.
        shards = np.array_split(np.arange(size), min(self.config.shards, size))
        losses, gradients = [], []
        for shard in shards:
            indices = batch[int(shard[0]) : int(shard[-1]) + 1]
            images, labels = tf.gather(self.images, indices), tf.gather(self.labels, indices)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(weights)
                scores = logits(weights, images, self.config.precision)
                loss = tf.reduce_sum(cross_entropies(labels, scores))
                # By the size of a full batch: an image has the same weight in a smaller one.
                share = loss * (1.0 / self.config.batch_size)
            losses.append(loss)
            gradients.append(tape.gradient(share, weights))
        self.loss_sum.assign_add(tf.cast(tf.add_n(losses), tf.float64))
        for name in weights:
            gradient = tf.add_n([shard[name] for shard in gradients])
            handle = self.state[name].handle
            if self.config.momentum:
                tf.raw_ops.ResourceApplyKerasMomentum(
                    var=handle,
                    accum=self.state[VELOCITY + name].handle,
                    lr=self.lr,
                    grad=gradient,
                    momentum=self.momentum,
                )
            else:
                tf.raw_ops.ResourceApplyGradientDescent(var=handle, alpha=self.lr, delta=gradient)

    def _trace(self) -> None:
        size = self.config.batch_size
        scalar = tf.TensorSpec([], tf.int32)

        @tf.function(input_signature=[scalar, scalar], autograph=False)  # type: ignore[untyped-decorator]
        def run_batches(first: Any, last: Any) -> Any:
            def body(number: Any) -> tuple[Any]:
                self._step(number * size, size)
                return (number + 1,)

            # One iteration at a time: a step must not read weights while the previous one still writes them.
            tf.while_loop(lambda number: number < last, body, (first,), parallel_iterations=1)
            return self.loss_sum.read_value()

        @tf.function(input_signature=[], autograph=False)  # type: ignore[untyped-decorator]
        def run_rest() -> Any:
            self._step(self.batches * size, self.rest)
            return self.loss_sum.read_value()

        @tf.function(autograph=False)  # type: ignore[untyped-decorator]
        def evaluate_block(images: Any, labels: Any) -> tuple[Any, Any]:
            weights = self._read_weights()
            bounds = np.linspace(0, images.shape[0], self.config.shards + 1).astype(int)
            losses, classes = [], []
            for begin, end in pairwise(np.unique(bounds)):
                scores = logits(weights, images[begin:end], self.config.precision)
                loss = cross_entropies(labels[begin:end], scores)
                losses.append(tf.reduce_sum(tf.cast(loss, tf.float64)))
                classes.append(tf.cast(tf.argmax(scores, axis=1), tf.uint8))
            return tf.add_n(losses), tf.concat(classes, axis=0)

        self._run_batches = run_batches.get_concrete_function()
        self._run_rest = run_rest.get_concrete_function() if self.rest else None
        self._evaluate_block = evaluate_block

    def _warm_up(self) -> None:
        """Run steps at a learning rate of 0, while oneDNN builds primitives for each thread; time one."""
        start, done = time.monotonic(), 0
        while done < WARMUP_STEPS or time.monotonic() - start < WARMUP_SECONDS:
            count = min(self.batches, WARMUP_STEPS // 2)
            now = time.monotonic()
            self._run_batches(tf.constant(0), tf.constant(count)).numpy()
            self.step_seconds = (time.monotonic() - now) / count
            done += count
            if time.monotonic() - start > 4 * WARMUP_SECONDS:
                break
        if self._run_rest:
            self._run_rest().numpy()
        images, labels = self.validation
        self._evaluate_block(images[:EVALUATION_BLOCK], labels[:EVALUATION_BLOCK])

    def load(self, config: Config, state: Mapping[str, NDArray[np.float32]]) -> None:
        """Set weights, velocities, learning rate and momentum for the next epoch."""
        for name, variable in self.state.items():
            variable.assign(state[name])
        self.lr.assign(config.lr)
        self.momentum.assign(config.momentum)

    def train_epoch(self, order: NDArray[np.int64], on_chunk: Callable[[int, float], None]) -> float:
        """Train one epoch in an order of its images, (n,); returns the mean of their losses.

        ``on_chunk`` is called after each chunk with the number of images trained and the sum of their losses;
        an exception from it ends the epoch.
        """
        self.order.assign(order)
        self.loss_sum.assign(0.0)
        done, total = 0, float("nan")
        while done < self.batches:
            count = max(1, min(int(CHUNK_SECONDS / max(self.step_seconds, 1e-6)), self.batches - done))
            start = time.monotonic()
            total = float(self._run_batches(tf.constant(done), tf.constant(done + count)))
            self.step_seconds = (time.monotonic() - start) / count
            done += count
            on_chunk(done * self.config.batch_size, total)
        if self._run_rest:
            total = float(self._run_rest())
        return total / self.count

    def evaluate(self, examples: tuple[Any, Any], on_block: Callable[[], None]) -> tuple[float, float, bytes]:
        """Mean loss, accuracy, and predicted classes, one byte per image, of all examples.

        ``on_block`` is called after each block; an exception from it ends the evaluation.
        """
        images, labels = examples
        count, loss, classes = int(labels.shape[0]), 0.0, []
        for begin in range(0, count, EVALUATION_BLOCK):
            block = slice(begin, begin + EVALUATION_BLOCK)
            block_loss, block_classes = self._evaluate_block(images[block], labels[block])
            loss += float(block_loss)
            classes.append(block_classes.numpy())
            on_block()
        predictions = np.concatenate(classes)
        return loss / count, float(np.mean(predictions == labels.numpy())), predictions.tobytes()

    def export(self) -> dict[str, NDArray[np.float32]]:
        """A copy of the weights and velocities."""
        return {name: variable.numpy() for name, variable in self.state.items()}
