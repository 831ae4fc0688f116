"""The header of an array of NumPy."""

import io
import warnings
from typing import IO, TYPE_CHECKING, Any, Final

from lenetcli.data.refusals import FORM_ADVICE, RefusedError

if TYPE_CHECKING:
    import numpy as np

# NumPy's header for an array of numbers has about a hundred bytes; a long one, which the format permits,
# describes something else and need not be searched.
_HEAD_LIMIT: Final = 4096


def read_head(stream: IO[bytes]) -> "tuple[np.dtype[Any], tuple[int, ...]]":
    """The type and shape in the header of a .npy file; nothing is evaluated, and no object is unpickled."""
    from numpy.lib.format import read_array_header_1_0

    start = stream.read(10)
    if start[:8] != b"\x93NUMPY\x01\x00" or len(start) < 10:
        raise RefusedError("is not an array as NumPy writes it")
    length = int.from_bytes(start[8:], "little")
    if length > _HEAD_LIMIT:
        raise RefusedError(f"has a header of {length:,} bytes", FORM_ADVICE)
    head = io.BytesIO(start[8:] + stream.read(length))
    try:
        with warnings.catch_warnings(action="ignore"):
            shape, fortran, dtype = read_array_header_1_0(head, max_header_size=_HEAD_LIMIT)
        if dtype.kind == "V" or bool in map(type, shape):
            raise ValueError("records, or a shape of truth values")
    except Exception as error:  # the header is a literal of Python: a damaged one can raise almost anything
        raise RefusedError("is not a plain array of numbers", FORM_ADVICE) from error
    if fortran and len(shape) > 1:
        raise RefusedError("is in Fortran order", "Save it once more, through numpy.ascontiguousarray.")
    return dtype, shape
