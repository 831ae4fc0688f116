"""IDX, IDX.gz and npz, read strictly and in bounded memory.

Each file, or member of an npz, becomes the same stream of bytes: its IDX encoding, the header first. So one
checksum serves all containers. Nothing is allocated on a header's word: a claim is compared with the bytes
that are there (deflate packs at most 1032 to 1), and nothing is read beyond what was announced.
"""

import gzip
import hashlib
import io
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

from lenetcli.errors import DataError
from lenetcli.experiment.architecture import CLASSES, IMAGE_SIDE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_IMAGES: Final = 10_000_000
"""More than any published set of this form (Infinite MNIST has 8.1 million); 7.84 GB once read."""

NAMES: Final = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
"""The parts of a data set, by their published file names."""

KEYS: Final = dict(zip(NAMES, ("x_train", "y_train", "x_test", "y_test"), strict=True))
"""The same parts as Keras names them in an npz."""

_BLOCK: Final = 1 << 20
_DEFLATE_LIMIT: Final = 1032
_NPY_HEAD_LIMIT: Final = 4096
_MAGIC: Final = {True: 2051, False: 2049}
_HEAD: Final = {True: struct.Struct(">4I"), False: struct.Struct(">2I")}
_LABELS: Final = bytes(range(CLASSES))

_AGAIN: Final = "Get the file again from where it came, or give other data with --data."
_FORM: Final = "Data must have MNIST's form: 28 by 28 grey images in unsigned bytes, and labels from 0 to 9."
_TROUBLE: Final = (OSError, EOFError, ValueError, OverflowError, zlib.error, struct.error, zipfile.BadZipFile)
_ZIP_TROUBLE: Final = (
    KeyError,
    RuntimeError,
    NotImplementedError,
)  # no such member, encrypted, packed strangely


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Images or labels on disk: an IDX file (``key`` None), or a member of an npz."""

    name: str
    file: Path
    key: str | None = None

    @property
    def has_images(self) -> bool:
        """Whether these are images rather than labels."""
        return "images" in self.name

    @property
    def kind(self) -> str:
        """What it holds, as a message says it."""
        return "images" if self.has_images else "labels"

    def __str__(self) -> str:
        return f"'{self.file}'" if self.key is None else f"'{self.key}' in '{self.file}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """How many images or labels a part holds, and the SHA-256 of its IDX encoding."""

    count: int
    sha256: str


def digest(part: Part) -> Digest:
    """Read ``part`` once, block by block, keeping nothing.

    Raises:
        DataError: if it cannot be read or is not exactly what it should be.
    """
    with _open(part) as (count, blocks):
        hashed = hashlib.sha256(encode_head(count, images=part.has_images))
        for block in blocks:
            hashed.update(block)
    return Digest(count=count, sha256=hashed.hexdigest())


def read(part: Part) -> "tuple[NDArray[np.uint8], Digest]":
    """The images (n, 28, 28) or labels (n,) of ``part``, uint8, and their digest.

    Raises:
        DataError: as ``digest`` does, and where the memory does not suffice.
    """
    import numpy as np

    with _open(part) as (count, blocks):
        try:
            array = np.empty((count, IMAGE_SIDE, IMAGE_SIDE) if part.has_images else count, np.uint8)
        except MemoryError:
            problem = f"{part} holds {count:,} {part.kind}, more than this machine's memory takes."
            raise DataError(problem, "Use fewer images.") from None
        hashed = hashlib.sha256(encode_head(count, images=part.has_images))
        flat, done = array.reshape(-1), 0
        for block in blocks:
            flat[done : done + len(block)] = np.frombuffer(block, np.uint8)
            done += len(block)
            hashed.update(block)
    return array, Digest(count=count, sha256=hashed.hexdigest())


def encode_head(count: int, *, images: bool) -> bytes:
    """The header of an IDX file of ``count`` images or labels."""
    sides = (IMAGE_SIDE, IMAGE_SIDE) if images else ()
    return _HEAD[images].pack(_MAGIC[images], count, *sides)


def list_keys(file: Path) -> set[str]:
    """The names of the arrays in an npz.

    Raises:
        DataError: if it cannot be read, or is no npz.
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
    """The count of a part, and its values in blocks."""
    with _open_file(part.file, part) as file:
        yield _open_idx(part, file) if part.key is None else _open_member(part, file)


@contextmanager
def _open_file(file: Path, part: Part | None = None) -> Iterator[IO[bytes]]:
    """An ordinary file; what goes wrong in opening or reading it is a DataError."""
    name = str(part or f"'{file}'")
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # a pipe would keep us waiting for ever
            raise DataError(
                f"{name} is not an ordinary file.", "Give a folder with the IDX files, or an npz."
            )
        stream = file.open("rb")
    except (OSError, ValueError) as error:
        problem = f"{name} cannot be read: {_describe(error)}."
        raise DataError(problem, "Check the path and its permissions.") from error
    with stream:
        try:
            yield stream
        except (*_TROUBLE, *_ZIP_TROUBLE) as error:
            raise DataError(f"{name} is damaged: {_describe(error)}.", _AGAIN) from error


def _open_idx(part: Part, file: IO[bytes]) -> tuple[int, Iterator[bytes]]:
    size = os.fstat(file.fileno()).st_size
    zipped = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    stream: IO[bytes] = file
    if zipped:
        stream = cast("IO[bytes]", io.BufferedReader(gzip.GzipFile(fileobj=file)))
    head = stream.read(_HEAD[part.has_images].size)
    if head[:4] != _MAGIC[part.has_images].to_bytes(4):
        raise _refuse(part, _describe_start(part, head))
    if len(head) < _HEAD[part.has_images].size:
        raise _refuse(part, "is cut off within its header")
    _, count, *sides = _HEAD[part.has_images].unpack(head)
    _check_shape(part, (count, *sides))
    length = _measure(part, count)
    _check_room(part, count, length, size * _DEFLATE_LIMIT if zipped else size - len(head))
    return count, _read_values(part, stream, length)


def _open_member(part: Part, file: IO[bytes]) -> tuple[int, Iterator[bytes]]:
    """The same for a member of an npz; labels may be whole numbers of any width."""
    archive = zipfile.ZipFile(file)
    member = archive.getinfo(f"{part.key}.npy")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _refuse(part, "is packed in a way that NumPy does not use")
    stream = archive.open(member)
    order, kind, width, shape = _read_npy_head(part, stream)
    if kind not in "iu" or width not in (1, 2, 4, 8) or (part.has_images and (kind, width) != ("u", 1)):
        what = (
            "Python objects (a pickle, which is never opened)" if kind == "O" else f"the type '{kind}{width}'"
        )
        raise _refuse(
            part, f"holds {what}, not {'unsigned bytes' if part.has_images else 'whole numbers'}", _FORM
        )
    _check_shape(part, shape)
    length = _measure(part, shape[0]) * width
    size = min(
        member.file_size,
        member.compress_size * _DEFLATE_LIMIT,
        os.fstat(file.fileno()).st_size * _DEFLATE_LIMIT,
    )
    _check_room(part, shape[0], length, size)
    return shape[0], _read_values(part, stream, length, width, bigendian=order == ">")


def _read_npy_head(part: Part, stream: IO[bytes]) -> tuple[str, str, int, tuple[int, ...]]:
    """Byte order, kind, width in bytes, and shape, as the header of a .npy says them."""
    start = stream.read(10)
    if start[:8] != b"\x93NUMPY\x01\x00" or len(start) < 10:
        raise _refuse(part, "is not an array as NumPy writes it")
    length = int.from_bytes(start[8:], "little")
    if length > _NPY_HEAD_LIMIT:
        raise _refuse(part, f"has a header of {length:,} bytes", _FORM)
    head = stream.read(length).decode("latin1")
    descr = re.search(r"'descr': *'([<>|=]?)([a-zA-Z])(\d{0,2})'", head)
    order = re.search(r"'fortran_order': *(True|False)", head)
    shape = re.search(r"'shape': *\(([0-9, ]{0,100})\)", head)
    if not (descr and order and shape):
        raise _refuse(part, "is not a plain array of numbers", _FORM)
    sides = tuple(int(side) for side in shape[1].replace(" ", "").split(",") if side)
    if order[1] == "True" and len(sides) > 1:
        raise _refuse(part, "is in Fortran order", "Save it once more, through numpy.ascontiguousarray.")
    return descr[1], descr[2], int(descr[3] or 0), sides


def _read_values(
    part: Part, stream: IO[bytes], length: int, width: int = 1, *, bigendian: bool = False
) -> Iterator[bytes]:
    """``length`` bytes of values, checked, one byte a value; after them the file must end."""
    left = length
    while left:
        block = stream.read(min(left, _BLOCK))
        if not block or len(block) % width:
            raise _refuse(part, f"is cut off: {left:,} of {length:,} bytes are missing")
        left -= len(block)
        if not part.has_images:
            block = _narrow_labels(part, block, width, bigendian=bigendian)
        yield block
    if stream.read(1):
        raise _refuse(part, f"goes on after the last of the {part.kind} it announces")


def _narrow_labels(part: Part, block: bytes, width: int, *, bigendian: bool) -> bytes:
    low = width - 1 if bigendian else 0
    labels = block[low::width]
    wrong = labels.translate(None, _LABELS)
    if wrong or any(any(block[at::width]) for at in range(width) if at != low):
        found = f"the label {wrong[0]}" if wrong and width == 1 else "a label"
        raise _refuse(part, f"has {found} outside 0 to {CLASSES - 1}", _FORM)
    return labels


def _check_shape(part: Part, shape: tuple[int, ...]) -> None:
    wanted = (IMAGE_SIDE, IMAGE_SIDE) if part.has_images else ()
    if len(shape) != 1 + len(wanted):
        raise _refuse(part, f"has the shape {shape}, which is not that of {part.kind}", _FORM)
    if shape[1:] != wanted:
        raise _refuse(
            part, f"has images of {shape[1]} by {shape[2]} pixels, not {IMAGE_SIDE} by {IMAGE_SIDE}", _FORM
        )
    if not 1 <= shape[0] <= MAX_IMAGES:
        raise _refuse(part, f"announces {shape[0]:,} {part.kind}; 1 to {MAX_IMAGES:,} can be used")


def _check_room(part: Part, count: int, length: int, possible: int) -> None:
    if possible < length:
        raise _refuse(part, f"is cut off: it announces {count:,} {part.kind}, more than its bytes can hold")


def _measure(part: Part, count: int) -> int:
    return count * IMAGE_SIDE**2 if part.has_images else count


def _refuse(part: Part, what: str, advice: str = _AGAIN) -> DataError:
    return DataError(f"{part} {what}.", advice)


def _describe(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).rstrip(".")


def _describe_page(start: bytes) -> str:
    return " but a web page (HTML or XML)" if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else ""


def _describe_start(part: Part, head: bytes) -> str:
    if not head:
        return "is empty"
    denial = f"is not an IDX file of {part.kind}"
    if page := _describe_page(head):
        return denial + page
    if len(head) < 4:
        return f"{denial}: it has only {len(head)} bytes"
    found = int.from_bytes(head[:4])
    known = {magic: " (images)" if images else " (labels)" for images, magic in _MAGIC.items()}
    return f"{denial}: its magic number is {found}{known.get(found, '')}, not {_MAGIC[part.has_images]}"
