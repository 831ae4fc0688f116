"""Weights as bytes: what is packed comes back, and what was tampered with does not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lenetcli.errors import StoreError
from lenetcli.experiment import checkpoint

tensors = st.dictionaries(
    st.text("abc/", min_size=1, max_size=5),
    arrays.arrays("f4", arrays.array_shapes(max_dims=3, max_side=4), elements=st.floats(width=32)),
    min_size=1,
    max_size=4,
)


def shapes(given):
    return {name: array.shape for name, array in given.items()}


@given(tensors, st.integers(1, 1000))
def test_what_is_packed_comes_back_bit_for_bit(given, epoch):
    packed = checkpoint.pack(epoch, given)
    assert (packed.epoch, packed.sha256) == (epoch, checkpoint.digest(given))
    found = checkpoint.unpack(packed, shapes(given))
    assert {name: array.tobytes() for name, array in found.items()} == {
        name: array.tobytes() for name, array in given.items()
    }


@given(tensors, st.data())
def test_a_flipped_bit_is_never_trained_on(given, data):
    packed = checkpoint.pack(1, given)
    damaged = bytearray(packed.tensors)
    at = data.draw(st.integers(0, len(damaged) - 1))
    damaged[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = checkpoint.unpack(packed._replace(tensors=bytes(damaged)), shapes(given))
    except StoreError:
        return
    assert checkpoint.digest(found) == packed.sha256  # it was the white space of the header


@given(tensors)
def test_weights_of_other_shapes_are_refused(given):
    for other in (shapes(given) | {"more": (1,)}, {}, dict.fromkeys(given, (7, 7))):
        with pytest.raises(StoreError, match="do not fit"):
            checkpoint.unpack(checkpoint.pack(1, given), other)


@pytest.mark.parametrize("dtype", ["f8", "f2", "i4"])
def test_weights_of_another_type_are_refused(dtype):
    array = {"a": np.ones(3, dtype)}
    with pytest.raises(StoreError):
        checkpoint.unpack(checkpoint.pack(1, array), shapes(array))
