"""Readers of IDX, IDX.gz and npz files, strict and in bounded memory.

Each file, or member of an npz, becomes the same stream of bytes: its IDX encoding, the header first. So one
checksum serves all containers. No header is trusted: before memory is allocated, the announced size is
compared with what the bytes of the file can hold, and nothing is read beyond it.
"""

import gzip
import hashlib
import io
import math
import os
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast

from lenetcli.errors import DataError, describe_error
from lenetcli.experiment.architecture import CLASSES, IMAGE_SIDE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_IMAGES: Final = 10_000_000
"""The most images in a part, 7.84 GB in memory: the largest set, Infinite MNIST, has 8.1 million."""

KEYS: Final = {
    "train-images-idx3-ubyte": "x_train",
    "train-labels-idx1-ubyte": "y_train",
    "t10k-images-idx3-ubyte": "x_test",
    "t10k-labels-idx1-ubyte": "y_test",
}
"""The names of the parts of a data set, those of the published files, and their names in Keras' npz."""

NAMES: Final = tuple(KEYS)

_BLOCK: Final = 1 << 20  # bytes read at once

# No deflate stream expands to more than 1032 times its length (https://zlib.net/zlib_tech.html), so a small
# file that announces gigabytes is refused before any memory is allocated.
_DEFLATE_LIMIT: Final = 1032

# NumPy's header for an array of numbers has about a hundred bytes; a long one, which the format permits,
# describes something else and need not be searched.
_NPY_HEAD_LIMIT: Final = 4096

_LABELS: Final = bytes(range(CLASSES))

_COPY_ADVICE: Final = "Get the file again from where it came, or give other data with --data."
_FORM_ADVICE: Final = (
    "Data must have MNIST's form: 28 by 28 grey images in unsigned bytes, and labels from 0 to 9."
)
# What the standard library raises for damaged files; KeyError stands for a member that is missing,
# RuntimeError for one that is encrypted or packed in an unknown way.
_DAMAGE: Final = (
    *(OSError, EOFError, ValueError, OverflowError, KeyError, RuntimeError),
    *(zlib.error, struct.error, zipfile.BadZipFile),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Images or labels on disk: an IDX file if ``key`` is None, else a member of an npz."""

    name: str
    file: Path
    key: str | None = None

    @property
    def has_images(self) -> bool:
        """Whether the part has images, not labels."""
        return "images" in self.name

    @property
    def kind(self) -> str:
        """The word for its content in messages."""
        return "images" if self.has_images else "labels"

    @property
    def sides(self) -> tuple[int, ...]:
        """The shape of an image, or of a label."""
        return (IMAGE_SIDE, IMAGE_SIDE) if self.has_images else ()

    def __str__(self) -> str:
        return f"'{self.file}'" if self.key is None else f"'{self.key}' in '{self.file}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """The number of images or labels in a part, and the SHA-256 of its IDX encoding."""

    count: int
    sha256: str


def digest(part: Part, watch: Callable[[bytes], None] = lambda block: None) -> Digest:
    """The digest of a part, read block by block in constant memory; ``watch`` gets each block of values.

    Raises:
        DataError: if the part cannot be read, is damaged, or does not have MNIST's form.
    """
    with _open(part) as (count, blocks):
        return _digest(part, count, _watch(blocks, watch))


def read(part: Part) -> "tuple[NDArray[np.uint8], Digest]":
    """The images (n, 28, 28) or labels (n,) of a part, uint8, and their digest.

    Raises:
        DataError: as for ``digest``, and if the memory does not suffice.
    """
    import numpy as np

    with _open(part) as (count, blocks):
        try:
            array = np.empty((count, *part.sides), np.uint8)
        except MemoryError:
            problem = f"{part} holds {count:,} {part.kind}, more than this machine's memory takes."
            raise DataError(problem, "Use fewer images.") from None
        values, start = array.reshape(-1).data, 0
        for block in blocks:
            values[start : start + len(block)] = block
            start += len(block)
        return array, _digest(part, count, [values])


def _watch(blocks: Iterable[bytes], watch: Callable[[bytes], None]) -> Iterator[bytes]:
    for block in blocks:
        watch(block)
        yield block


def _digest(part: Part, count: int, blocks: Iterable[bytes | memoryview]) -> Digest:
    total = hashlib.sha256(encode_head((count, *part.sides)))
    for block in blocks:
        total.update(block)
    return Digest(count=count, sha256=total.hexdigest())


def encode_head(shape: tuple[int, ...]) -> bytes:
    """The header of an IDX file of unsigned bytes: the magic number with the dimensions, then the shape."""
    return struct.pack(f">{1 + len(shape)}I", 0x0800 + len(shape), *shape)


def list_keys(file: Path) -> set[str]:
    """The names of the arrays in an npz.

    Raises:
        DataError: if the file cannot be read or is not an npz.
    """
    with _open_file(file) as stream:
        start = stream.read(16)
        if not start.startswith(b"PK"):
            advice = "Give the folder of the IDX files, or an npz with x_train, y_train, x_test and y_test."
            raise DataError(f"'{file}' is not an npz{_describe_page(start)}.", advice)
        with zipfile.ZipFile(stream) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}


@contextmanager
def _open(part: Part) -> Iterator[tuple[int, Iterator[bytes]]]:
    """Open a part: its count, and an iterator over its values in blocks of bytes, one byte per value."""
    with _open_file(part.file, part) as file:
        yield _open_idx(part, file) if part.key is None else _open_member(part, file)


@contextmanager
def _open_file(file: Path, part: Part | None = None) -> Iterator[IO[bytes]]:
    """Open a regular file; every failure, of the body of the ``with`` statement as well, is a DataError.

    The body reads the file, and most kinds of damage appear only then.
    """
    name = str(part or f"'{file}'")
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # to open a pipe could block forever
            problem = f"{name} is not an ordinary file."
            raise DataError(problem, "Give a folder with the IDX files, or an npz.")
        stream = file.open("rb")
    except (OSError, ValueError) as error:
        problem = f"{name} cannot be read: {describe_error(error)}."
        raise DataError(problem, "Check the path and its permissions.") from error
    with stream:
        try:
            yield stream
        except _DAMAGE as error:
            raise DataError(f"{name} is damaged: {describe_error(error)}.", _COPY_ADVICE) from error


def _open_idx(part: Part, file: IO[bytes]) -> tuple[int, Iterator[bytes]]:
    """The count and values of an IDX file."""
    size = os.fstat(file.fileno()).st_size
    # The content decides, not the ending: downloads are often decompressed, or not, under the wrong name.
    is_gzip = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    stream = cast("IO[bytes]", gzip.GzipFile(fileobj=file)) if is_gzip else file
    expected = encode_head((0, *part.sides))
    head = stream.read(len(expected))
    if head[:4] != expected[:4]:
        raise _refuse(part, _describe_start(part, head, expected))
    if len(head) < len(expected):
        raise _refuse(part, "is cut off within its header")
    shape = struct.unpack(f">{len(head) // 4}I", head)[1:]
    length = _check_shape(part, shape, 1, size * _DEFLATE_LIMIT if is_gzip else size - len(head))
    return shape[0], _read_values(part, stream, length)


def _open_member(part: Part, file: IO[bytes]) -> tuple[int, Iterator[bytes]]:
    """The count and values of a member of an npz; labels may be integers of any width."""
    archive = zipfile.ZipFile(file)
    member = archive.getinfo(f"{part.key}.npy")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _refuse(part, "is packed in a way that NumPy does not use")
    stream = archive.open(member)
    dtype, shape = _read_npy_head(part, stream)
    if dtype.kind not in "iu" or (part.has_images and dtype.str != "|u1"):
        pickle = "Python objects (a pickle, which is never opened)"
        content = pickle if dtype.hasobject else f"the type '{dtype.str[1:]}'"
        wanted = "unsigned bytes" if part.has_images else "whole numbers"
        raise _refuse(part, f"holds {content}, not {wanted}", _FORM_ADVICE)
    # The archive itself claims the sizes of the member; only that of the file is certain.
    packed = min(member.compress_size, os.fstat(file.fileno()).st_size)
    limit = min(member.file_size, packed * _DEFLATE_LIMIT)
    length = _check_shape(part, shape, dtype.itemsize, limit)
    return shape[0], _read_values(part, stream, length, dtype.itemsize, bigendian=dtype.str[0] == ">")


def _read_npy_head(part: Part, stream: IO[bytes]) -> "tuple[np.dtype[Any], tuple[int, ...]]":
    """The type and shape in the header of a .npy file; nothing is evaluated, and no object is unpickled."""
    from numpy.lib.format import read_array_header_1_0

    start = stream.read(10)
    if start[:8] != b"\x93NUMPY\x01\x00" or len(start) < 10:
        raise _refuse(part, "is not an array as NumPy writes it")
    length = int.from_bytes(start[8:], "little")
    if length > _NPY_HEAD_LIMIT:
        raise _refuse(part, f"has a header of {length:,} bytes", _FORM_ADVICE)
    head = io.BytesIO(start[8:] + stream.read(length))
    try:
        with warnings.catch_warnings(action="ignore"):
            shape, fortran, dtype = read_array_header_1_0(head, max_header_size=_NPY_HEAD_LIMIT)
        if dtype.kind == "V" or bool in map(type, shape):
            raise ValueError("records, or a shape of truth values")
    except Exception as error:  # the header is a literal of Python: a damaged one can raise almost anything
        raise _refuse(part, "is not a plain array of numbers", _FORM_ADVICE) from error
    if fortran and len(shape) > 1:
        raise _refuse(part, "is in Fortran order", "Save it once more, through numpy.ascontiguousarray.")
    return dtype, shape


def _read_values(
    part: Part, stream: IO[bytes], length: int, width: int = 1, *, bigendian: bool = False
) -> Iterator[bytes]:
    """Yield the values in blocks, one byte per value, checked; the stream must end after ``length`` bytes."""
    remaining = length
    while remaining:
        block = stream.read(min(remaining, _BLOCK))
        if not block or len(block) % width:
            raise _refuse(part, f"is cut off: {remaining:,} of {length:,} bytes are missing")
        remaining -= len(block)
        if not part.has_images:
            block = _narrow_labels(part, block, width, bigendian=bigendian)
        yield block
    # At the end of the stream, gzip and zipfile also verify their checksums.
    if stream.read(1):
        raise _refuse(part, f"goes on after the last of the {part.kind} it announces")


def _narrow_labels(part: Part, block: bytes, width: int, *, bigendian: bool) -> bytes:
    """The labels in a block of integers, one byte per label; their higher bytes must be zero."""
    lowest = width - 1 if bigendian else 0
    labels = block[lowest::width]
    outliers = labels.translate(None, _LABELS)
    if outliers or any(any(block[offset::width]) for offset in range(width) if offset != lowest):
        subject = f"the label {outliers[0]}" if outliers and width == 1 else "a label"
        raise _refuse(part, f"has {subject} outside 0 to {CLASSES - 1}", _FORM_ADVICE)
    return labels


def _check_shape(part: Part, shape: tuple[int, ...], width: int, limit: int) -> int:
    """Check the shape that a header announces, and return the number of bytes of its values.

    A value has ``width`` bytes, and the file can hold ``limit`` bytes at most.
    """
    if len(shape) != 1 + len(part.sides):
        raise _refuse(part, f"has the shape {shape}, which is not that of {part.kind}", _FORM_ADVICE)
    if shape[1:] != part.sides:
        sides = f"{shape[1]} by {shape[2]} pixels, not {IMAGE_SIDE} by {IMAGE_SIDE}"
        raise _refuse(part, f"has images of {sides}", _FORM_ADVICE)
    announced = f"{shape[0]:,} {part.kind}"
    if not 1 <= shape[0] <= MAX_IMAGES:
        raise _refuse(part, f"announces {announced}; 1 to {MAX_IMAGES:,} can be used")
    length = math.prod(shape) * width
    if limit < length:
        raise _refuse(part, f"is cut off: it announces {announced}, more than its bytes can hold")
    return length


def _refuse(part: Part, predicate: str, advice: str = _COPY_ADVICE) -> DataError:
    """The error for a part, with the predicate of the sentence of which the part is the subject."""
    return DataError(f"{part} {predicate}.", advice)


def _describe_page(start: bytes) -> str:
    """A supplement to a message if a file begins like a web page, as a failed download does; else empty."""
    return " but a web page (HTML or XML)" if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else ""


def _describe_start(part: Part, head: bytes, expected: bytes) -> str:
    """The predicate of the message that a file does not begin like an IDX file of this part."""
    if not head:
        return "is empty"
    denial = f"is not an IDX file of {part.kind}"
    if page := _describe_page(head):
        return denial + page
    if len(head) < 4:
        return f"{denial}: it has only {len(head)} bytes"
    magic = int.from_bytes(head[:4])
    kind = {2051: " (images)", 2049: " (labels)"}.get(magic, "")
    return f"{denial}: its magic number is {magic}{kind}, not {int.from_bytes(expected[:4])}"
