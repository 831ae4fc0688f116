"""What a file is that is not what its name says, told from its first bytes."""

import codecs
from typing import Final, NamedTuple

from lenetcli.data import conversions
from lenetcli.data.refusals import COPY_ADVICE

START: Final = 512
"""The number of first bytes that tell what a file is."""

GZIP: Final = b"\x1f\x8b"
ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")

_UNPACK: Final = "Unpack it, and give the folder of its files with --data."
_SAVE: Final = f"Save its arrays in an npz with {conversions.SAVE}, and give that with --data."

_NAME: Final = "Name each file by what it holds, train-images-idx3-ubyte and train-labels-idx1-ubyte."

_SIGNATURES: Final = (
    (b"PK\x03\x04", "a zip archive", _UNPACK),
    (b"PK\x05\x06", "an empty zip archive", COPY_ADVICE),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"\xfd7zXZ\x00", "packed with xz", _UNPACK),
    (b"BZh", "packed with bzip2", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "packed with zstd", _UNPACK),
    (b"\x04\x22\x4d\x18", "packed with lz4", _UNPACK),
    (b"\x1f\x9d", "packed with compress", _UNPACK),
    (b"\x93NUMPY", "one NumPy array (npy)", _SAVE),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", _SAVE),
    (b"PAR1", "a Parquet table", _SAVE),
    (b"ARROW1", "an Arrow table", _SAVE),
    (b"MATLAB 5.0", "a MATLAB file", _SAVE),
    (b"SQLite format 3\x00", "an SQLite database, as lenetcli's store is", COPY_ADVICE),
    (b"\x89PNG\r\n\x1a\n", "a PNG image", _SAVE),
    (b"\xff\xd8\xff", "a JPEG image", _SAVE),
    (b"GIF8", "a GIF image", _SAVE),
    (b"%PDF", "a PDF", COPY_ADVICE),
    (
        b"version https://git-lfs",
        "a Git LFS pointer",
        "Fetch it with `git lfs pull`.",
    ),
    (b"/annex/objects/", "a git-annex pointer", "Fetch it with `git annex get`."),
    (b"\xff\xfe", "text", COPY_ADVICE),
    (b"\xfe\xff", "text", COPY_ADVICE),
)

_TYPES: Final = {
    0x08: "unsigned bytes",
    0x09: "signed bytes",
    0x0B: "16-bit integers",
    0x0C: "32-bit integers",
    0x0D: "32-bit floats",
    0x0E: "64-bit floats",
}
"""What the third byte of an IDX file says of its values."""

_NUMBERS: Final = ("no", "one", "two", "three", "four", "five")

_OLD_PICKLES: Final = (b"(lp", b"(dp", b"]q", b"}q")
"""How pickles of lists and dictionaries begin that have no number of their protocol."""


class Content(NamedTuple):
    """What a file is, "a PNG image", and what to do with one that is not what was expected."""

    words: str
    advice: str = COPY_ADVICE


def describe(head: bytes, name: str, *, packed: bool) -> Content | None:
    """What a file is, by its first bytes, ``packed`` with gzip or not; None if that is not known.

    Its name is used in the advice only.
    """
    if head.startswith(GZIP):
        twice = Content("packed with gzip twice", "Unpack it once.")
        return twice if packed else Content("packed with gzip", _UNPACK)
    if head.startswith(ZIP) and _first_member(head).endswith(b".npy"):
        return Content("an npz", "Give it with --data.")
    for start, words, advice in _SIGNATURES:
        if head.startswith(start):
            return Content(words, advice)
    if head[257:262] == b"ustar":
        return Content("a tar archive", _UNPACK)
    if _is_pickle(head):
        advice = conversions.convert_pickle(name, packed=packed)
        return Content("a pickle, which is never opened, since it can run any code", advice)
    if idx := _describe_idx(head, name, packed=packed):
        return idx
    if len(head) >= 4 and not any(head):
        return Content("zero bytes, as an interrupted download leaves them")
    return _describe_text(head, name)


def _first_member(head: bytes) -> bytes:
    """The name of the first file in a zip."""
    return head[30 : 30 + int.from_bytes(head[26:28], "little")]


def _is_pickle(head: bytes) -> bool:
    """Whether bytes begin like a pickle: with a protocol from 2 to 5, or with arrays of an older one."""
    known = head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
    return known or head.startswith(_OLD_PICKLES) or b"cnumpy." in head[:64]


def _describe_idx(head: bytes, name: str, *, packed: bool) -> Content | None:
    """What an IDX file holds; None if it is none."""
    if head[:4] in (b"\x03\x08\0\0", b"\x01\x08\0\0"):
        return Content("one whose header has its bytes in reverse order (little-endian)")
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES or not 1 <= head[3] < len(_NUMBERS):
        return None
    kind, dimensions = head[2:4]
    if (kind, dimensions) == (0x08, 3):
        return Content("an IDX file of images", _NAME)
    if (kind, dimensions) == (0x08, 1):
        return Content("an IDX file of labels", _NAME)
    plural = "s" if dimensions > 1 else ""
    words = f"an IDX file of {_TYPES[kind]} in {_NUMBERS[dimensions]} dimension{plural}"
    if (kind, dimensions) == (0x0C, 2):
        advice = conversions.convert_qmnist(name, packed=packed)
        return Content(f"{words}, as QMNIST's labels are", advice)
    return Content(words, _SAVE)


def _describe_text(head: bytes, name: str) -> Content | None:
    """What a text is; None if it is none."""
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)  # the last character may be cut
    except UnicodeDecodeError:
        return None
    text = text.lstrip()
    if not text or not all(character.isprintable() or character.isspace() for character in text):
        return None
    if text.startswith("<"):
        return Content("a web page (HTML or XML)")
    if text[0] in "{[":
        return Content("JSON", _SAVE)
    line = text.splitlines()[0]
    if max(map(line.count, ",;\t")) > 1:
        return Content("a table of text (CSV)", conversions.convert_table(name, line))
    return Content("text")
