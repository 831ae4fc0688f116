"""The network on a device, traced once: its data, its state, and the steps of plain SGD.

What decides the bits: the batch is split into ``shards`` that are computed side by side in one
graph, each operation on one thread, and their gradients are summed in a fixed order. So the
number of threads changes the speed and nothing else, and neither does it matter where an epoch is
cut into chunks: the loss is summed in a variable on the device over the whole epoch.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lenetcli import lenet, weights
from lenetcli.backend import tf
from lenetcli.data import Arrays
from lenetcli.devices import Device
from lenetcli.runs import Config, DeviceKind

CHUNK_SECONDS = 0.3
"""How long one call into TensorFlow lasts: a signal and the progress bar wait for its end."""

EVALUATION_BLOCK = 500
EVALUATION_PIECES = 4
"""The validation loss is summed over blocks of so many images, each in so many pieces."""

WARMUP_SECONDS = 0.5
WARMUP_STEPS = 12
"""oneDNN builds its primitives once for every thread that meets them: at most so long, at least so many."""


def state_shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Names and shapes of what a run goes on from: weights, and with momentum their velocities."""
    shapes = lenet.shapes(config)
    if config.momentum:
        shapes |= {weights.VELOCITY + name: shape for name, shape in shapes.items()}
    return shapes


class Placed(NamedTuple):
    """A data set on a device: images uint8 (n, 28, 28) and labels int64 (n,) of each part."""

    device: str
    train: tuple[Any, Any]
    validation: tuple[Any, Any]
    test: tuple[Any, Any] | None


def place(arrays: Arrays, device: Device) -> Placed:
    """Copy a data set to a device; the arrays are not needed any more."""
    where = "/CPU:0" if device.kind is DeviceKind.CPU else "/GPU:0"

    def put(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> tuple[Any, Any]:
        # 64-bit labels, since TensorFlow keeps integers of 32 bits with the host.
        return tf.constant(images), tf.constant(labels.astype(np.int64))

    with tf.device(where):
        return Placed(
            where,
            put(arrays.train_images, arrays.train_labels),
            put(arrays.validation_images, arrays.validation_labels),
            None
            if arrays.test_images is None or arrays.test_labels is None
            else put(arrays.test_images, arrays.test_labels),
        )


class Network:
    """One traced network with its data on the device; rates, seeds and momenta share it.

    Attributes:
        trace_seconds, warmup_seconds: what it cost before the first clock could start.
    """

    def __init__(self, config: Config, placed: Placed) -> None:
        self.config = config
        self.images, self.labels = placed.train
        self.validation, self.test = placed.validation, placed.test
        begun = time.monotonic()
        with tf.device(placed.device):
            self.state = {
                name: tf.Variable(tf.zeros(shape), name=name) for name, shape in state_shapes(config).items()
            }
            self.order = tf.Variable(tf.range(len(self.labels), dtype=tf.int64))
            self.lr = tf.Variable(0.0)
            self.momentum = tf.Variable(0.0)
            self.loss_sum = tf.Variable(0.0, dtype=tf.float64)
            self._trace()
        traced = time.monotonic()
        self._warm_up()
        self.trace_seconds = traced - begun
        self.warmup_seconds = time.monotonic() - traced

    def fits(self, config: Config) -> bool:
        """Whether what is traced computes this configuration: rate and seed are variables."""
        same = replace(self.config, lr=config.lr, seed=config.seed, momentum=config.momentum)
        return same == config and bool(self.config.momentum) == bool(config.momentum)

    @property
    def batches(self) -> int:
        """The number of full batches in an epoch."""
        return len(self.labels) // self.config.batch_size

    @property
    def rest(self) -> int:
        """How many images the last, smaller batch has; 0 if all are full."""
        return len(self.labels) % self.config.batch_size

    def _step(self, start: Any, size: int) -> None:
        """One step of SGD on ``size`` images of the order, from ``start`` on."""
        parameters = {name: tf.identity(self.state[name]) for name in lenet.shapes(self.config)}
        picked = tf.slice(self.order, [start], [size])
        # A shard of no images would abort the process in oneDNN.
        pieces = [list(piece) for piece in np.array_split(np.arange(size), min(self.config.shards, size))]
        losses, gradients = [], []
        for piece in pieces:
            which = picked[int(piece[0]) : int(piece[-1]) + 1]
            images, labels = tf.gather(self.images, which), tf.gather(self.labels, which)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(parameters)
                scores = lenet.logits(parameters, images, self.config.precision)
                loss = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, scores))
                share = loss * (1.0 / size)
            losses.append(loss)
            gradients.append(tape.gradient(share, parameters))
        self.loss_sum.assign_add(tf.cast(tf.add_n(losses), tf.float64))
        for name in parameters:
            gradient = tf.add_n([piece[name] for piece in gradients])
            handle = self.state[name].handle
            if self.config.momentum:
                tf.raw_ops.ResourceApplyKerasMomentum(
                    var=handle,
                    accum=self.state[weights.VELOCITY + name].handle,
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

            # One iteration at a time: a step must not read weights that the one before still writes.
            tf.while_loop(lambda number: number < last, body, (first,), parallel_iterations=1)
            return self.loss_sum.read_value()

        @tf.function(input_signature=[], autograph=False)  # type: ignore[untyped-decorator]
        def run_rest() -> Any:
            self._step(self.batches * size, self.rest)
            return self.loss_sum.read_value()

        @tf.function(autograph=False)  # type: ignore[untyped-decorator]
        def judge(images: Any, labels: Any) -> tuple[Any, Any]:
            parameters = {name: tf.identity(self.state[name]) for name in lenet.shapes(self.config)}
            cut = np.linspace(0, images.shape[0], EVALUATION_PIECES + 1).astype(int)
            losses, guesses = [], []
            for begin, end in pairwise(np.unique(cut)):
                scores = lenet.logits(parameters, images[begin:end], self.config.precision)
                loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels[begin:end], scores)
                losses.append(tf.reduce_sum(tf.cast(loss, tf.float64)))
                guesses.append(tf.cast(tf.argmax(scores, axis=1), tf.uint8))
            return tf.add_n(losses), tf.concat(guesses, axis=0)

        self._run_batches = run_batches.get_concrete_function()
        self._run_rest = run_rest.get_concrete_function() if self.rest else None
        self._judge = judge

    def _warm_up(self) -> None:
        """Train a few steps at rate 0 until the time of a step has settled."""
        begun, done = time.monotonic(), 0
        while done < WARMUP_STEPS or time.monotonic() - begun < WARMUP_SECONDS:
            count = min(self.batches, WARMUP_STEPS // 2)
            now = time.monotonic()
            self._run_batches(tf.constant(0), tf.constant(count)).numpy()
            self.step_seconds = (time.monotonic() - now) / count
            done += count
            if time.monotonic() - begun > 4 * WARMUP_SECONDS:
                break
        if self._run_rest:
            self._run_rest().numpy()
        images, labels = self.validation
        self._judge(images[:EVALUATION_BLOCK], labels[:EVALUATION_BLOCK])

    def load(self, config: Config, state: Mapping[str, NDArray[np.float32]]) -> None:
        """Put a state's values, a rate and a momentum where the traced steps read them."""
        for name, variable in self.state.items():
            variable.assign(state[name])
        self.lr.assign(config.lr)
        self.momentum.assign(config.momentum)

    def train_epoch(self, order: NDArray[np.int64], pause: Callable[[int, float], None]) -> float:
        """One pass over the training images in ``order``; returns their mean loss.

        ``pause`` is called between chunks with the images done and the sum of their losses; what it
        raises ends the epoch.
        """
        self.order.assign(order)
        self.loss_sum.assign(0.0)
        done, total = 0, float("nan")
        while done < self.batches:
            count = max(1, min(int(CHUNK_SECONDS / max(self.step_seconds, 1e-6)), self.batches - done))
            begun = time.monotonic()
            total = float(self._run_batches(tf.constant(done), tf.constant(done + count)))
            self.step_seconds = (time.monotonic() - begun) / count
            done += count
            pause(done * self.config.batch_size, total)
        if self._run_rest:
            total = float(self._run_rest())
        return total / len(order)

    def evaluate(self, examples: tuple[Any, Any], pause: Callable[[], None]) -> tuple[float, float, bytes]:
        """Mean loss, accuracy and the predicted classes (a byte each) over *all* the examples."""
        images, labels = examples
        loss, guesses = 0.0, []
        for begin in range(0, len(labels), EVALUATION_BLOCK):
            block = slice(begin, begin + EVALUATION_BLOCK)
            part, guess = self._judge(images[block], labels[block])
            loss += float(part)
            guesses.append(guess.numpy())
            pause()
        guessed = np.concatenate(guesses)
        return loss / len(labels), float(np.mean(guessed == labels.numpy())), guessed.tobytes()

    def export(self) -> dict[str, NDArray[np.float32]]:
        """A copy of weights and slots."""
        return {name: variable.numpy() for name, variable in self.state.items()}
