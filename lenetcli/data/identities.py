"""The identity of the parts of data sets: digests, and what the values are like; read once and cached."""

import hashlib
from collections.abc import Iterable
from typing import Final, NamedTuple

from lenetcli import files
from lenetcli.data import readers, summaries
from lenetcli.data.readers import Digest, Part
from lenetcli.errors import DataError, describe_error

IDENTITIES: Final = "identities.json"
"""The file of the cache with the digests of files that were read before."""


class Identity(NamedTuple):
    """What is known of a part: its digest, what its values are like, and the MD5 sum of a ``.gz`` file."""

    digest: Digest
    values: summaries.Values
    md5: str | None


def identify(parts: Iterable[Part], *, afresh: bool) -> dict[str, Identity]:
    """The identity of each part by name; those of unchanged files come from the cache, unless ``afresh``."""
    # What the file system knows of a file identifies it without reading it, so that commands start fast. Its
    # number and the time of change, which no program can set, tell of a file that was put in the place of
    # another of the same size and time. Where a file system has neither, ``_read`` verifies the digest.
    entries = files.read_cache(IDENTITIES)
    updates = dict(entries)
    identities = {}
    for part in parts:
        try:
            state = part.file.stat()
        except OSError as error:
            raise DataError(f"{part} cannot be read: {describe_error(error)}.", "Check the path.") from error
        stamp = [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]
        key = f"{part.name} in {part.file}" + (f" ({part.member})" if part.member else "")
        match None if afresh else entries.get(key):
            case [known, int(count), str(sha256), list(values), md5] if known == stamp:
                identity = Identity(Digest(count=count, sha256=sha256), values, md5)
            case _:
                identity = _examine(part)
        identities[part.name] = identity
        digest = identity.digest
        updates[key] = [stamp, digest.count, digest.sha256, identity.values, identity.md5]
    if updates != entries:
        files.write_cache(IDENTITIES, updates)
    return identities


def _examine(part: Part) -> Identity:
    """The identity of a part, which is read."""
    collector = summaries.observe(part)
    digest = readers.digest(part, collector.add)
    md5 = None
    if part.key is None and part.member is None:
        with part.file.open("rb") as file:
            is_packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            md5 = hashlib.file_digest(file, "md5").hexdigest() if is_packed else None
    return Identity(digest, collector.summarize(), md5)


def forget() -> None:
    """Forget the identities of all files."""
    files.write_cache(IDENTITIES, {})
