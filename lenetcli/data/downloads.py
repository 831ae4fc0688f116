"""The download of published data sets, verified."""

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from urllib.parse import urlsplit

from lenetcli.data import readers
from lenetcli.data.published import Mirror, Published
from lenetcli.errors import DataError, describe_error
from lenetcli.workspaces import ABANDONED_SECONDS, workspace

CONNECT_SECONDS = 5
ANSWER_SECONDS = 7  # until the first byte: unlike the limit of the connection, it includes the name server
READ_SECONDS = 15
MAX_BYTES = 64 << 20

Report = Callable[[str, int, int], None]
"""A callback for the progress of a download, called about ten times per second.

Its arguments are the name of the file, the number of bytes received, and the number of all (0 if unknown).
"""


def fetch(wanted: Published, cache: Path, report: Report | None = None) -> tuple[Path, tuple[str, ...]]:
    """Download a data set into the cache and verify it.

    An exception from ``report`` stops the download and leaves nothing behind.

    Returns:
        Its npz or folder, one of ``Published.list_places``, and warnings.

    Raises:
        DataError: if no mirror delivers it, or the cache cannot be written.
    """
    reasons = []
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _remove_stale(cache)
        with workspace(cache / wanted.name) as temporary:
            for mirror in wanted.mirrors:
                place, warnings = wanted.place(cache, mirror), []
                try:
                    for name, url in mirror.files.items():
                        warnings += _download(wanted, mirror, url, temporary / name, report)
                except _MirrorError as error:
                    reasons.append(f"{urlsplit(mirror.url).hostname} {error}")
                    continue
                for name in mirror.files:
                    target = place if mirror.sha256 is not None else place / name
                    target.parent.mkdir(exist_ok=True)
                    (temporary / name).replace(target)
                return place, tuple(warnings)
    except OSError as error:
        reasons.append(f"the cache folder '{cache}' cannot be written ({describe_error(error)})")
    raise DataError(
        f"{wanted.title} could not be downloaded: {'; '.join(reasons)}.",
        f"Connect to the network and try again, or give a folder with {wanted.title}'s files with --data.",
    )


class _MirrorError(Exception):
    """The reason why a mirror did not deliver a data set: a sentence without its subject, the host."""


def _download(wanted: Published, mirror: Mirror, url: str, file: Path, report: Report | None) -> list[str]:
    """Download one file of a data set and verify its content; returns warnings."""
    name = file.stem
    if mirror.sha256 is not None:
        _retrieve(wanted, url, file, f"sha256:{mirror.sha256}", report)
        return []
    md5 = wanted.md5.get(name)
    _retrieve(wanted, url, file, f"md5:{md5}" if md5 else None, report)
    try:
        sha256 = readers.digest(readers.Part(name=name, file=file)).sha256
    except DataError as error:
        raise _MirrorError("sent a damaged file") from error
    if md5 is None:
        if sha256 != wanted.checksums[name]:
            raise _MirrorError(f"sent something other than {wanted.title}")
        return []
    # Where the makers publish an MD5 sum, other sums come from others, and can only raise a doubt.
    packed = hashlib.sha256(file.read_bytes()).hexdigest()
    if wanted.sha256.get(name, packed) == packed and wanted.checksums.get(name, sha256) == sha256:
        return []
    return [f"{file.name} of {wanted.title} has the published MD5 sum, but not the SHA-256 others report."]


class _Progress:
    """A progress bar as pooch uses it; an exception from ``update`` ends the download."""

    def __init__(self, title: str) -> None:
        self._title = title
        self.total = 0
        self.done = 0
        self.abandoned = threading.Event()

    def update(self, amount: int) -> None:
        self.done += amount
        if self.abandoned.is_set() or self.done > MAX_BYTES:
            raise _MirrorError(f"sent more than {self._title}")

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        pass


def _retrieve(wanted: Published, url: str, file: Path, checksum: str | None, report: Report | None) -> None:
    """Download a file with a checksum as pooch writes it (any, if None).

    The download runs in a thread of its own, since the look-up of a host name has no time limit and cannot be
    interrupted by a signal.
    """
    import pooch

    pooch.get_logger().setLevel("ERROR")
    progress = _Progress(wanted.title)
    failures: list[Exception] = []

    def work() -> None:
        downloader = pooch.HTTPDownloader(
            progressbar=progress, chunk_size=1 << 16, timeout=(CONNECT_SECONDS, READ_SECONDS)
        )
        try:
            pooch.retrieve(url, checksum, fname=file.name, path=file.parent, downloader=downloader)
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    deadline = time.monotonic() + ANSWER_SECONDS
    try:
        while thread.is_alive():
            thread.join(0.1)
            if report:
                report(file.name, min(progress.done, progress.total or progress.done), progress.total)
            if not progress.done and thread.is_alive() and time.monotonic() > deadline:
                raise _MirrorError(f"did not answer within {ANSWER_SECONDS} seconds")
    finally:
        progress.abandoned.set()
        thread.join(0.5)  # time to remove its files; a thread that still waits for the network is left behind
    if failures:
        raise _explain(failures[0], wanted.title) from failures[0]


def _explain(error: Exception, title: str) -> Exception:
    """The error to raise for a failure of pooch: a ``_MirrorError``, or an error of the disk unchanged."""
    import requests

    match error:  # from the special to the general: the errors of requests are OSErrors, too
        case requests.Timeout():
            return _MirrorError("did not answer in time")
        case requests.HTTPError(response=requests.Response(status_code=code)):
            return _MirrorError(f"answered {code}")
        case requests.RequestException():
            return _MirrorError("cannot be reached")
        case ValueError():
            return _MirrorError(f"sent something other than {title}")
        case OSError() | _MirrorError():
            return error
    return _MirrorError(f"failed ({error})")


def _remove_stale(cache: Path) -> None:
    """Remove what the downloads of earlier versions left that were killed."""
    for folder in cache.glob("download-*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > ABANDONED_SECONDS:
                rmtree(folder)
