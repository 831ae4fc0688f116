"""The network of the exercise: shapes, initial weights, logits, and the same as a keras.Model.

Two convolutions (stride 1, 'same' padding), each followed by ReLU and 2×2 max pooling, a fully
connected layer and a softmax layer. ``logits`` adds bias and ReLU *after* the pooling: both are
monotonic, so the forward pass is the same to the last bit, at a quarter of the elementwise work.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenetcli.backend import tf
from lenetcli.runs import CLASSES, IMAGE_SIDE, Config, Precision

FLAT_SIDE = IMAGE_SIDE // 4
"""The side of the feature map that the fully connected layer sees."""


def shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """The name and shape of every trainable tensor, in the order of the layers."""
    side, filters, hidden = config.kernel_size, config.filters, config.hidden_units
    kernels = {
        "conv1": (side, side, 1, filters),
        "conv2": (side, side, filters, filters),
        "dense": (FLAT_SIDE**2 * filters, hidden),
        "logits": (hidden, CLASSES),
    }
    return {
        f"{layer}/{part}": shape
        for layer, kernel in kernels.items()
        for part, shape in (("kernel", kernel), ("bias", kernel[-1:]))
    }


def initial_weights(config: Config) -> dict[str, NDArray[np.float32]]:
    """Glorot-uniform kernels (Glorot and Bengio 2010) and zero biases, from the seed alone.

    Drawn from NumPy's raw bit streams, which it guarantees, one stream a layer: the same values on
    every machine and with every version of TensorFlow.
    """
    weights: dict[str, NDArray[np.float32]] = {}
    for number, (name, shape) in enumerate(shapes(config).items()):
        if name.endswith("bias"):
            weights[name] = np.zeros(shape, np.float32)
            continue
        window = int(np.prod(shape[:-2]))
        limit = np.sqrt(6.0 / (window * (shape[-2] + shape[-1])))
        raw = np.random.PCG64(np.random.SeedSequence([config.seed, 0, number])).random_raw(
            int(np.prod(shape))
        )
        unit = (raw >> np.uint64(11)) * 2.0**-53
        weights[name] = ((2.0 * unit - 1.0) * limit).astype(np.float32).reshape(shape)
    return weights


def logits(weights: Mapping[str, Any], images: Any, precision: Precision) -> Any:
    """The network's logits, float32 (n, 10), for uint8 images (n, 28, 28)."""
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


def build_model(config: Config, weights: Mapping[str, NDArray[np.float32]]) -> Any:
    """The network as a plain ``keras.Model`` that ends in the softmax layer.

    It takes images (n, 28, 28, 1), scaled to 0…1, and gives class probabilities (n, 10), float32.
    """
    import keras

    def convolution(name: str) -> Any:
        return keras.layers.Conv2D(
            config.filters, config.kernel_size, padding="same", activation="relu", name=name
        )

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
