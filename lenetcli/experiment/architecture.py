"""The geometry of the network: shapes, number of parameters, arithmetic. No TensorFlow.

Two convolutions with F filters each (stride 1, 'same' padding), each followed by ReLU and 2×2 max pooling,
a fully connected layer, and a softmax layer. Every count is a polynomial of second degree in F.
"""

import math
from dataclasses import dataclass
from typing import Protocol

IMAGE_SIDE = 28
"""The height and width of an image, in pixels."""

CLASSES = 10

FLAT_SIDE = IMAGE_SIDE // 4
"""The height and width of the feature maps after both poolings."""


class Sizes(Protocol):
    """The sizes that determine the geometry; a ``Config`` has them."""

    @property
    def filters(self) -> int:
        """The filters of each convolution."""

    @property
    def kernel_size(self) -> int:
        """The height and width of a convolution kernel, in pixels."""

    @property
    def hidden_units(self) -> int:
        """The units of the fully connected layer."""


@dataclass(frozen=True, slots=True)
class Quadratic:
    """A polynomial in the number of filters F: ``square F² + linear F + constant``."""

    square: int
    linear: int
    constant: int

    def __call__(self, filters: int) -> int:
        """The value of the polynomial for a number of filters."""
        return self.square * filters**2 + self.linear * filters + self.constant


def shapes(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """The shape of each trainable tensor by name, in the order of the layers.

    Convolution kernels are (height, width, channels in, channels out), dense kernels (inputs, units).
    """
    side, filters, hidden = sizes.kernel_size, sizes.filters, sizes.hidden_units
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


def parameter_law(sizes: Sizes) -> Quadratic:
    """The number of trainable parameters as a polynomial in the filters: 9F² + 6283F + 1418 by default."""
    window, hidden = sizes.kernel_size**2, sizes.hidden_units
    return Quadratic(
        square=window,
        linear=window + 2 + FLAT_SIDE**2 * hidden,
        constant=hidden + (hidden + 1) * CLASSES,
    )


def count_parameters(sizes: Sizes) -> int:
    """The number of trainable parameters."""
    return parameter_law(sizes)(sizes.filters)


def dense_share(sizes: Sizes) -> float:
    """The fraction of the parameters that belongs to the fully connected layer."""
    inputs = FLAT_SIDE**2 * sizes.filters
    return (inputs + 1) * sizes.hidden_units / count_parameters(sizes)


def _arithmetic_law(sizes: Sizes) -> Quadratic:
    window, hidden = sizes.kernel_size**2, sizes.hidden_units
    return Quadratic(
        square=(IMAGE_SIDE // 2) ** 2 * window,
        linear=IMAGE_SIDE**2 * window + FLAT_SIDE**2 * hidden,
        constant=hidden * CLASSES,
    )


def multiply_adds(sizes: Sizes) -> int:
    """The multiply-adds of the forward pass of one image; the backward pass is proportional to it."""
    return _arithmetic_law(sizes)(sizes.filters)


def filters_at(sizes: Sizes, work: float) -> float:
    """The number of filters for which ``multiply_adds`` is ``work``; 0 if no number gives so little."""
    law = _arithmetic_law(sizes)
    if work <= law.constant:
        return 0.0
    root = math.sqrt(law.linear**2 + 4 * law.square * (work - law.constant))
    return (root - law.linear) / (2 * law.square)
