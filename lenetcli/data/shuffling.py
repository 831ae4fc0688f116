"""Data with its training images in random order: the last sixth, which validates, is then like the others."""

import io
from typing import Final

from lenetcli.data.readers import KEYS
from lenetcli.data.sources import DataSource

SEED: Final = 0
"""The seed of the order, which is the same on every machine."""


def shuffle(source: DataSource) -> bytes:
    """An npz of a data set, the training and validation images in one random order.

    Raises:
        DataError: if the data cannot be read.
    """
    import numpy as np

    arrays = source.load()
    images = np.concatenate([arrays.train.images, arrays.validation.images])
    labels = np.concatenate([arrays.train.labels, arrays.validation.labels])
    # NumPy guarantees the raw stream of a generator, not what its methods make of it.
    order = np.argsort(np.random.PCG64(SEED).random_raw(len(labels)), kind="stable")
    parts = [images[order], labels[order], *(arrays.test or ())]
    stream = io.BytesIO()
    np.savez_compressed(stream, **dict(zip(KEYS.values(), parts, strict=False)))
    return stream.getvalue()
