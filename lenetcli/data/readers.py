"""Readers of IDX files, plain, packed or in a zip, and of npz files, strict and in bounded memory.

Each file, or array of an npz, becomes the same stream of bytes: its IDX encoding, the header first. So one
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
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Final, cast

from lenetcli.data import archives, contents, conversions, labels, npy
from lenetcli.data.refusals import COPY_ADVICE, DAMAGE, FORM_ADVICE, RefusedError, describe_damage
from lenetcli.errors import DataError, describe_error
from lenetcli.experiment.architecture import IMAGE_SIDE
from lenetcli.words import plural

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

# No deflate stream expands to more than 1032 times its length (https://zlib.net/zlib_tech.html), so a small
# file that announces gigabytes is refused before any memory is allocated.
_DEFLATE_LIMIT: Final = 1032

_NUMBER_KINDS: Final = {"f": "floats", "i": "integers", "u": "unsigned integers"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Images or labels on disk: an IDX file, a ``member`` of a zip that is one, or an array of an npz."""

    name: str
    file: Path
    key: str | None = None
    member: str | None = None

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

    @property
    def label(self) -> str:
        """The name of the file or member that it is."""
        return self.key or self.member or self.file.name

    def __str__(self) -> str:
        inner = self.key or self.member
        return f"'{inner}' in '{self.file}'" if inner else f"'{self.file}'"


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


def list_members(file: Path) -> list[str]:
    """The names of the files in a zip; those of an npz are its arrays, each with ``.npy``.

    Raises:
        DataError: if the file cannot be read or is not a zip.
    """
    with _open_file(file) as stream:
        head = stream.read(contents.START)
        if head.startswith(contents.ZIP):
            return archives.list_members(stream)
        if not head:
            raise RefusedError("is empty")
        packed = head.startswith(contents.GZIP)
        if packed:
            stream.seek(0)
            head = _unpack(stream).read(contents.START)
        if content := contents.describe(head, file.name, packed=packed):
            raise RefusedError(f"is not an npz but {content.words}", content.advice)
        advice = "Give a folder or zip of the IDX files, or an npz with x_train, y_train, x_test and y_test."
        raise RefusedError("is not an npz", advice)


@contextmanager
def _open(part: Part) -> Iterator[tuple[int, Iterator[bytes]]]:
    """Open a part: its count, and an iterator over its values in blocks of bytes, one byte per value."""
    with _open_file(part.file, part) as file:
        if part.key is not None:
            yield _open_array(part, file)
        elif part.member is not None:
            # The archive itself claims the sizes of a member; only that of the file is certain.
            stream, packed, claimed = archives.open_member(file, part.member)
            most = min(packed, _measure(file)) * _DEFLATE_LIMIT
            # What is packed twice, in gzip and then in a zip, is not smaller than what is packed once.
            yield _open_idx(part, stream, min(claimed, most), most)
        else:
            size = _measure(file)
            yield _open_idx(part, file, size, size * _DEFLATE_LIMIT)


def _measure(file: IO[bytes]) -> int:
    """The number of bytes of an open file."""
    return os.fstat(file.fileno()).st_size


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
        stream = archives.GuardedFile(io.FileIO(file))
    except (OSError, ValueError) as error:
        problem = f"{name} cannot be read: {describe_error(error)}."
        raise DataError(problem, "Check the path and its permissions.") from error
    with stream:
        try:
            yield stream
        except RefusedError as error:
            raise DataError(f"{name} {error.predicate}.", error.advice) from error
        except DAMAGE as error:
            raise DataError(f"{name} {describe_damage(error)}.", COPY_ADVICE) from error


def _unpack(file: IO[bytes]) -> IO[bytes]:
    """The stream that a file in gzip's format unpacks to."""
    return cast("IO[bytes]", gzip.GzipFile(fileobj=file))


def _open_idx(part: Part, file: IO[bytes], plain: int, packed: int) -> tuple[int, Iterator[bytes]]:
    """The count and values of an IDX file.

    It has at most ``plain`` bytes as it is, or ``packed`` bytes once unpacked if it is in gzip's format.
    """
    # The content decides, not the ending: downloads are often decompressed, or not, under the wrong name.
    is_gzip = file.read(2) == contents.GZIP
    file.seek(0)
    stream = _unpack(file) if is_gzip else file
    expected = encode_head((0, *part.sides))
    head = stream.read(len(expected))
    if head[:4] != expected[:4]:
        raise _refuse_start(part, head + stream.read(contents.START), packed=is_gzip)
    if len(head) < len(expected):
        raise RefusedError("is cut off within its header")
    shape = struct.unpack(f">{len(head) // 4}I", head)[1:]
    length = _check_shape(part, shape, 1, (packed if is_gzip else plain) - len(head))
    return shape[0], _read_values(part, stream, length)


def _refuse_start(part: Part, head: bytes, *, packed: bool) -> RefusedError:
    """The error for a file that does not begin like an IDX file of this part."""
    if not head:
        return RefusedError("is empty" if not packed else "is empty, packed with gzip")
    denial = f"is not an IDX file of {part.kind}"
    content = contents.describe(head, PurePosixPath(part.member or part.file.name).name, packed=packed)
    if content:
        return RefusedError(f"{denial} but {content.words}", content.advice)
    return RefusedError(f"{denial}: it has only {plural(len(head), 'byte')}" if len(head) < 4 else denial)


def _open_array(part: Part, file: IO[bytes]) -> tuple[int, Iterator[bytes]]:
    """The count and values of an array in an npz; labels may be integers of any width."""
    stream, packed, claimed = archives.open_member(file, f"{part.key}.npy")
    dtype, shape = npy.read_head(stream)
    if dtype.kind not in "iu" or (part.has_images and dtype.str != "|u1"):
        raise _refuse_type(part, dtype, shape)
    limit = min(claimed, min(packed, _measure(file)) * _DEFLATE_LIMIT)
    length = _check_shape(part, shape, dtype.itemsize, limit)
    return shape[0], _read_values(part, stream, length, dtype)


def _refuse_type(part: Part, dtype: "np.dtype[Any]", shape: tuple[int, ...]) -> RefusedError:
    """The error for an array of other numbers, or of none, with the lines that convert numbers."""
    wanted = "unsigned bytes" if part.has_images else "whole numbers"
    if dtype.hasobject:
        words = f"holds Python objects (a pickle, which is never opened), not {wanted}"
        return RefusedError(words, f"Save it again as an array of {wanted}, if you trust where it came from.")
    if dtype.kind == "b":
        words = f"holds truth values, not {wanted}"
    elif dtype.kind in _NUMBER_KINDS:
        words = f"holds {dtype.itemsize * 8}-bit {_NUMBER_KINDS[dtype.kind]}, not {wanted}"
    else:
        return RefusedError(f"holds the type '{dtype.str[1:]}', not {wanted}", FORM_ADVICE)
    return RefusedError(words, _advise(part, shape, converted=True))


def _advise(part: Part, shape: tuple[int, ...], *, converted: bool = False) -> str:
    """How to give an array of this shape the form of its part; its numbers may have to be ``converted``."""
    if part.has_images:
        return conversions.convert_images(shape, grey=converted) or FORM_ADVICE
    return conversions.convert_labels(shape, whole=not converted) or FORM_ADVICE


def _read_values(
    part: Part, stream: IO[bytes], length: int, dtype: "np.dtype[Any] | None" = None
) -> Iterator[bytes]:
    """Yield the values in blocks, one byte per value, checked; the stream must end after ``length`` bytes."""
    remaining = length
    found: set[int] = set()
    while remaining and len(found) <= labels.MOST:
        block = stream.read(min(remaining, archives.LARGEST_READ))
        if not block or (dtype is not None and len(block) % dtype.itemsize):
            raise RefusedError(f"is cut off: {remaining:,} of {length:,} bytes are missing")
        remaining -= len(block)
        if not part.has_images:
            values, block = labels.decode(block, dtype)
            found |= values
        if found <= labels.USABLE:  # otherwise the rest is read for its labels alone
            yield block
    if not found <= labels.USABLE:
        raise labels.refuse(found)
    # At the end of the stream, gzip and zipfile also verify their checksums.
    if stream.read(1):
        raise RefusedError(f"goes on after the last of the {part.kind} it announces")


def _check_shape(part: Part, shape: tuple[int, ...], width: int, limit: int) -> int:
    """Check the shape that a header announces, and return the number of bytes of its values.

    A value has ``width`` bytes, and the file can hold ``limit`` bytes at most.
    """
    if len(shape) != 1 + len(part.sides):
        raise RefusedError(f"has the shape {shape}, which is not that of {part.kind}", _advise(part, shape))
    if shape[1:] != part.sides:
        sides = f"{shape[1]} by {shape[2]} pixels, not {IMAGE_SIDE} by {IMAGE_SIDE}"
        raise RefusedError(f"has images of {sides}", FORM_ADVICE)
    announced = f"{shape[0]:,} {part.kind}"
    if not 1 <= shape[0] <= MAX_IMAGES:
        raise RefusedError(f"announces {announced}; 1 to {MAX_IMAGES:,} can be used")
    length = math.prod(shape) * width
    if limit < length:
        raise RefusedError(f"is cut off: it announces {announced}, more than its bytes can hold")
    return length
