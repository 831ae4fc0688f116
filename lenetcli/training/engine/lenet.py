"""The network: initial weights, logits, and the equivalent ``keras.Model``.

Two convolutions (stride 1, 'same' padding), each followed by ReLU and 2×2 max pooling, a fully connected
layer and a softmax layer. ``logits`` applies bias and ReLU *after* the pooling: both are monotonic, so that
the forward pass has the same bits with a quarter of the elementwise arithmetic.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenetcli.experiment.architecture import CLASSES, IMAGE_SIDE, shapes
from lenetcli.experiment.checkpoint import Checkpoint, state_shapes, unpack
from lenetcli.experiment.config import Config, Precision
from lenetcli.training.engine.backend import tf


def initial_state(config: Config) -> dict[str, NDArray[np.float32]]:
    """Glorot-uniform kernels (Glorot and Bengio, AISTATS 2010), and zero biases and velocities.

    The kernels are drawn from raw PCG64 streams of the seed, one each, which NumPy guarantees: they do not
    depend on the machine or on the versions of NumPy and TensorFlow.
    """
    state = {name: np.zeros(shape, np.float32) for name, shape in state_shapes(config).items()}
    for number, (name, shape) in enumerate(shapes(config).items()):
        if name.endswith("bias"):
            continue
        window = int(np.prod(shape[:-2]))
        limit = np.sqrt(6.0 / (window * (shape[-2] + shape[-1])))
        raw = np.random.PCG64(np.random.SeedSequence([config.seed, 0, number])).random_raw(shape)
        unit = (raw >> np.uint64(11)) * 2.0**-53  # uniform in [0, 1)
        state[name] = ((2.0 * unit - 1.0) * limit).astype(np.float32)
    return state


def logits(weights: Mapping[str, Any], images: Any, precision: Precision) -> Any:
    """The logits (n, 10), float32, of images (n, 28, 28), uint8."""
    dtype = tf.bfloat16 if precision is Precision.BFLOAT16 else tf.float32
    cast = {name: tf.cast(weight, dtype) for name, weight in weights.items()}
    flow = tf.cast(images[..., tf.newaxis], dtype) * tf.cast(1 / 255, dtype)
    for layer in ("conv1", "conv2"):
        flow = tf.nn.conv2d(flow, cast[f"{layer}/kernel"], strides=1, padding="SAME")
        flow = tf.nn.max_pool2d(flow, ksize=2, strides=2, padding="VALID")
        flow = tf.nn.relu(tf.nn.bias_add(flow, cast[f"{layer}/bias"]))
    flow = tf.reshape(flow, [-1, cast["dense/kernel"].shape[0]])
    flow = tf.nn.relu(tf.nn.bias_add(tf.matmul(flow, cast["dense/kernel"]), cast["dense/bias"]))
    flow = tf.nn.bias_add(tf.matmul(flow, cast["logits/kernel"]), cast["logits/bias"])
    return tf.cast(flow, tf.float32)


def cross_entropies(labels: Any, scores: Any) -> Any:
    """The loss of each image: float32 (n,), of labels (n,), int64, and logits (n, 10).

    It is written out, since TensorFlow's sparse form doubles the operations of a step where these have to be
    deterministic, as on a GPU.
    """
    return -tf.reduce_sum(tf.one_hot(labels, CLASSES) * tf.nn.log_softmax(scores), axis=1)


def build_model(config: Config, weights: Mapping[str, NDArray[np.float32]]) -> Any:
    """The ``keras.Model`` from images (n, 28, 28, 1), scaled to 0…1, to probabilities (n, 10), float32."""
    import keras

    def convolution(name: str) -> Any:
        size = config.kernel_size
        return keras.layers.Conv2D(config.filters, size, padding="same", activation="relu", name=name)

    model = keras.Sequential(
        [
            keras.Input((IMAGE_SIDE, IMAGE_SIDE, 1), name="image"),
            convolution("conv1"),
            keras.layers.MaxPooling2D(name="pool1"),
            convolution("conv2"),
            keras.layers.MaxPooling2D(name="pool2"),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(config.hidden_units, activation="relu", name="dense"),
            keras.layers.Dense(CLASSES, activation="softmax", name="logits"),
        ],
        name="lenet",
    )
    model.set_weights([weights[name] for name in shapes(config)])
    return model


def save_model(config: Config, checkpoint: Checkpoint, path: Path) -> None:
    """Save the weights of a checkpoint as a ``.keras`` model.

    Raises:
        StoreError: if the checkpoint is damaged or does not fit the configuration.
        OSError: if the file cannot be written.
    """
    build_model(config, unpack(checkpoint, state_shapes(config))).save(path)
