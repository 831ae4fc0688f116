"""How much memory training needs, and the words for more than there is."""

import math

from lenetcli.data.sources import DataSource
from lenetcli.experiment.architecture import IMAGE_SIDE, activation_bytes, count_parameters
from lenetcli.experiment.config import Config

TENSORFLOW_BYTES = 650_000_000
"""The memory of a process that has loaded TensorFlow and no data."""


def estimate_bytes(config: Config, images: int) -> int:
    """An estimate of the memory of a run, in bytes: TensorFlow, data, weights and activations."""
    # Six copies of the parameters: weights, velocities, gradients of shards and their sum, and the export.
    weights = 4 * 6 * count_parameters(config)
    activations = config.batch_size * activation_bytes(config)
    return TENSORFLOW_BYTES + images * IMAGE_SIDE**2 + weights + activations


def count_images(source: DataSource) -> int:
    """The number of images of a data set, which a process that trains holds."""
    return sum(source.counts)


def write_shortage(needed: int, available: int) -> str:
    """The words behind "need": the bytes that are needed, and those that there are, which are fewer."""
    # Rounded apart, so that the two never look the same.
    return (
        f"about {math.ceil(needed / 1e7) / 100:,.2f} GB of memory, and this "
        f"machine has {math.floor(available / 1e7) / 100:,.2f} GB"
    )
