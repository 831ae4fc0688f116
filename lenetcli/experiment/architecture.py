"""The geometry of the network: shapes, number of parameters, arithmetic, activations. No TensorFlow.

Two convolutions with F filters each (stride 1, 'same' padding), each followed by ReLU and 2×2 max pooling,
a fully connected layer, and a softmax layer. Every count follows from the shapes, as a polynomial of second
degree in F.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from lenetcli.experiment.config import Config

IMAGE_SIDE = 28
"""The height and width of an image, in pixels."""

CLASSES = 10


@dataclass(frozen=True, slots=True)
class Quadratic:
    """A polynomial in the number of filters F: ``square F² + linear F + constant``."""

    square: int
    linear: int
    constant: int

    def __call__(self, filters: int) -> int:
        """The value of the polynomial for a number of filters."""
        return self.square * filters**2 + self.linear * filters + self.constant


def shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """The shape of each trainable tensor by name, in the order of the layers.

    Convolution kernels are (height, width, channels in, channels out), dense kernels (inputs, units).
    """
    side, filters, hidden = config.kernel_size, config.filters, config.hidden_units
    kernels = {
        "conv1": (side, side, 1, filters),
        "conv2": (side, side, filters, filters),
        "dense": ((IMAGE_SIDE // 4) ** 2 * filters, hidden),
        "logits": (hidden, CLASSES),
    }
    return {
        f"{layer}/{part}": shape
        for layer, kernel in kernels.items()
        for part, shape in (("kernel", kernel), ("bias", kernel[-1:]))
    }


def count_parameters(config: Config) -> int:
    """The number of trainable parameters."""
    return sum(map(math.prod, shapes(config).values()))


def parameter_law(config: Config) -> Quadratic:
    """The number of trainable parameters as a polynomial in the filters: 9F² + 6283F + 1418 by default."""
    return _fit(count_parameters, config)


def dense_share(config: Config) -> float:
    """The fraction of the parameters that belongs to the fully connected layer."""
    tensors = shapes(config)
    return sum(math.prod(tensors[f"dense/{part}"]) for part in ("kernel", "bias")) / count_parameters(config)


def multiply_adds(config: Config) -> int:
    """The multiply-adds of the forward pass of one image; the backward pass is proportional to it."""
    return sum(_layer_multiply_adds(config).values())


def convolution_share(config: Config) -> float:
    """The fraction of the multiply-adds that belongs to the second convolution."""
    return _layer_multiply_adds(config)["conv2"] / multiply_adds(config)


def _layer_multiply_adds(config: Config) -> dict[str, int]:
    """The multiply-adds of each layer: a convolution applies its kernel at each of its positions."""
    positions = {"conv1": IMAGE_SIDE**2, "conv2": (IMAGE_SIDE // 2) ** 2, "dense": 1, "logits": 1}
    tensors = shapes(config)
    return {layer: count * math.prod(tensors[f"{layer}/kernel"]) for layer, count in positions.items()}


def filters_at(config: Config, work: float) -> float:
    """The number of filters for which ``multiply_adds`` is ``work``; 0 if no number gives so little."""
    law = _fit(multiply_adds, config)
    if work <= law.constant:
        return 0.0
    root = math.sqrt(law.linear**2 + 4 * law.square * (work - law.constant))
    return (root - law.linear) / (2 * law.square)


def activation_bytes(config: Config) -> int:
    """The bytes of the activations of one image in training, all float32.

    These are the outputs of both convolutions, of both poolings and of the fully connected layer, and as much
    again for their gradients.
    """
    pixels = sum((IMAGE_SIDE // shrinkage) ** 2 for shrinkage in (1, 2, 2, 4))
    return 4 * 2 * (config.filters * pixels + config.hidden_units)


def _fit(count: Callable[[Config], int], config: Config) -> Quadratic:
    """A count as a polynomial in the filters, through its values for 0, 1 and 2 filters."""
    constant, one, two = (count(replace(config, filters=filters)) for filters in range(3))
    square = (two - 2 * one + constant) // 2
    return Quadratic(square, one - constant - square, constant)
