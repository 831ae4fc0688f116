"""Why data cannot be used: the end of a sentence of which a file is the subject, and what to do."""

import gzip
import struct
import zipfile
import zlib
from typing import Final

from lenetcli.errors import describe_error

COPY_ADVICE: Final = "Get the file again from where it came, or give other data with --data."
FORM_ADVICE: Final = (
    "Data must have MNIST's form: 28 by 28 grey images in unsigned bytes, and labels from 0 to 9."
)

DAMAGE: Final = (
    *(OSError, EOFError, ValueError, OverflowError, KeyError, RuntimeError),
    *(zlib.error, struct.error, zipfile.BadZipFile),
)
"""What the standard library raises for damaged files; KeyError stands for a member that is missing."""

_WORDS: Final = (
    (EOFError, "", "is cut off: its packed data ends early"),
    (gzip.BadGzipFile, "Not a gzipped file", "is damaged: other bytes follow its packed data"),
    (gzip.BadGzipFile, "CRC", "is damaged: its checksum is wrong"),
    (gzip.BadGzipFile, "Incorrect length", "is damaged: its checksum is wrong"),
    (gzip.BadGzipFile, "", "is damaged: its gzip header is wrong"),
    (zipfile.BadZipFile, "File is not a zip", "is cut off: the list of files at its end is missing"),
    (zipfile.BadZipFile, "Bad CRC", "is damaged: its checksum is wrong"),
    (zipfile.BadZipFile, "", "is damaged: its list of files is wrong"),
    (zlib.error, "", "is damaged: its packed data cannot be unpacked"),
)


class RefusedError(Exception):
    """Data that cannot be used; ``predicate`` completes a sentence, without its full stop."""

    def __init__(self, predicate: str, advice: str = COPY_ADVICE) -> None:
        super().__init__(predicate)
        self.predicate = predicate
        self.advice = advice


def describe_damage(error: BaseException) -> str:
    """The predicate for an error of ``DAMAGE``: the libraries' own words mean little to a user."""
    for kind, start, words in _WORDS:
        if isinstance(error, kind) and str(error).startswith(start):
            return words
    return f"cannot be read: {describe_error(error)}" if isinstance(error, OSError) else "is damaged"
