"""The synthetic digits: the same bytes everywhere, and digits."""

import hashlib

import numpy as np
import pytest

from lenetcli.data import digits, readers


@pytest.fixture(scope="module")
def made() -> dict[str, np.ndarray]:
    return digits.make_all()


def test_the_bytes_are_the_published_ones(made):
    golden = {
        "train-images-idx3-ubyte": "afdbbe0824580f610b7871f4480a32aa9a4def67888a850e5925358e73c1e812",
        "train-labels-idx1-ubyte": "dd58065c0824eaaacedd8c93dea67488255ecf0d2fa5a58e5185ce221db4285a",
        "t10k-images-idx3-ubyte": "0061d32c8ca13cfcdd4f14c08227900202d61c6984f2c3998e02810247981067",
        "t10k-labels-idx1-ubyte": "b87c152bd4cc79a1dd058df90632a43e3a396dea79d2aaa76a477a50a2da8406",
    }
    found = {
        name: hashlib.sha256(readers.encode_head(array.shape) + array.tobytes()).hexdigest()
        for name, array in made.items()
    }
    assert found == golden == digits.CHECKSUMS


def test_there_are_as_many_as_in_mnist_and_of_every_digit_alike(made):
    images, labels, test_images, test_labels = made.values()
    assert images.shape == (60_000, 28, 28) and test_images.shape == (10_000, 28, 28)
    for some in (labels, test_labels):
        counts = np.bincount(some, minlength=10) / len(some)
        assert len(counts) == 10 and counts.min() > 0.08 and counts.max() < 0.12


def test_no_image_is_empty_full_or_seen_twice(made):
    images = np.concatenate([made["train-images-idx3-ubyte"], made["t10k-images-idx3-ubyte"]])
    ink = (images > 127).mean(axis=(1, 2))
    assert images.max(axis=(1, 2)).min() > 60
    assert 0.05 < ink.mean() < 0.25 and ink.max() < 0.8
    assert len({image.tobytes() for image in images}) == len(images)


def test_a_digit_can_be_told_from_its_pixels(made):
    """The nearest class mean, a poor judge, does far better than chance and far from perfectly."""
    images, labels, test_images, test_labels = made.values()
    means = np.stack([images[labels == digit].mean(axis=0).ravel() for digit in range(10)])
    seen = test_images.reshape(len(test_images), -1).astype(np.float32)
    distances = (means**2).sum(axis=1) - 2 * seen @ means.T
    assert 0.4 < (distances.argmin(axis=1) == test_labels).mean() < 0.9


def test_the_first_images_do_not_depend_on_the_count(made):
    images, labels = digits.make(333, 0)
    np.testing.assert_array_equal(images, made["train-images-idx3-ubyte"][:333])
    np.testing.assert_array_equal(labels, made["train-labels-idx1-ubyte"][:333])
