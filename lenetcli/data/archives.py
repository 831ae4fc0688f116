"""Members of zip archives, read as streams in bounded memory; nothing is written to disk."""

import io
import re
import zipfile
from typing import IO, Final

from lenetcli.data.refusals import RefusedError

LARGEST_READ: Final = 1 << 20
"""The most bytes that are read at once."""

_MACOS: Final = re.compile(r"(^|/)(__MACOSX/|\._)")
"""The files that macOS adds to an archive."""

_METHODS: Final = {9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "zstd", 95: "xz"}

_UNPACK_ADVICE: Final = "Unpack the archive, and give the folder of its files with --data."


class GuardedFile(io.BufferedReader):
    """A file of which nobody reads more than ``LARGEST_READ`` bytes at once.

    ``zipfile`` reads the list of an archive's files at once, and makes objects of ten times its size of it.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        """As ``io.BufferedReader.read`` does.

        Raises:
            RefusedError: if ``size`` is larger than ``LARGEST_READ``.
        """
        if size is not None and size > LARGEST_READ:
            raise RefusedError("holds thousands of files", "Give the folder of MNIST's four files.")
        return super().read(size)


def list_members(file: IO[bytes]) -> list[str]:
    """The names of the files in a zip, without those that macOS adds and without folders."""
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
    return [name for name in names if not name.endswith("/") and not _MACOS.search(name)]


def open_member(file: IO[bytes], name: str) -> tuple[IO[bytes], int, int]:
    """A file in a zip as a stream, with the lengths of its bytes as packed and as the archive claims them."""
    archive = zipfile.ZipFile(file)
    try:
        member = archive.getinfo(name)
    except KeyError:
        raise RefusedError("is no longer there", "Type the command again.") from None
    if member.flag_bits & 1:
        raise RefusedError("is encrypted", _UNPACK_ADVICE)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = _METHODS.get(member.compress_type, "an unusual method")
        raise RefusedError(f"is packed with {method}, not with deflate", _UNPACK_ADVICE)
    return archive.open(member), member.compress_size, member.file_size
