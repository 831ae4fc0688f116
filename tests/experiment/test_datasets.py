from types import SimpleNamespace

import pytest

from lenetcli.data import digits, published
from lenetcli.data.sources import DataSource
from lenetcli.experiment.datasets import FASHION, MNIST, SYNTHETIC, name_datasets

ONE, OTHER = "1" * 64, "2" * 64
NEAR = "1" * 9 + "3" * 55


@pytest.mark.parametrize(
    ("known", "checksums"),
    [
        (MNIST, published.MNIST.checksums),
        (FASHION, published.FASHION_MNIST.checksums),
        (SYNTHETIC, digits.CHECKSUMS),
    ],
)
def test_the_hashes_are_those_of_the_data(known, checksums):
    assert DataSource.sha256.fget(SimpleNamespace(checksums=checksums)) == known


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (
            [(MNIST, "mnist"), (SYNTHETIC, "synthetic"), (ONE, "digits")],
            ["MNIST", "synthetic digits", "digits"],
        ),
        ([(ONE, "mnist")], ["mnist (11111111)"]),
        ([(ONE, "MNIST")], ["MNIST (11111111)"]),
        ([(ONE, "synthetic")], ["synthetic (11111111)"]),
        ([(ONE, "Synthetic digits")], ["Synthetic digits (11111111)"]),
        ([(ONE, "digits"), (OTHER, "digits")], ["digits (11111111)", "digits (22222222)"]),
        ([(ONE, "digits"), (OTHER, "Digits")], ["digits (11111111)", "Digits (22222222)"]),
        ([(ONE, "digits"), (NEAR, "digits")], ["digits (1111111111)", "digits (1111111113)"]),
        ([(ONE, "here"), (ONE, "there"), (OTHER, "there")], ["here", "there"]),
        ([(ONE, "a"), (OTHER, "b")], ["a", "b"]),
        ([], []),
    ],
)
def test_names(labels, names):
    assert list(name_datasets(labels).values()) == names
