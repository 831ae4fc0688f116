"""The published MNIST: its checksums and its download."""

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from typing import Final
from urllib.parse import urlsplit

from lenetcli.data import readers
from lenetcli.errors import DataError, describe_error
from lenetcli.workspaces import ABANDONED_SECONDS, workspace

CHECKSUMS: Final = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""The SHA-256 of each decoded IDX file."""

CONTAINER_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
CONTAINER_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
FILES_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"

CONNECT_SECONDS = 5
ANSWER_SECONDS = 7  # until the first byte: unlike the limit of the connection, it includes the name server
READ_SECONDS = 15
MAX_BYTES = 64 << 20

Report = Callable[[str, int, int], None]
"""A callback for the progress of a download, called about ten times per second.

Its arguments are the name of the file, the number of bytes received, and the number of all (0 if unknown).
"""


def list_places(cache: Path) -> tuple[Path, Path]:
    """The paths at which ``fetch`` leaves MNIST: an npz, or a folder of IDX files."""
    return cache / "mnist.npz", cache / "mnist"


def fetch(cache: Path, report: Report | None = None) -> Path:
    """Download MNIST into the cache, verify it, and return its npz or folder, one of ``list_places``.

    An exception from ``report`` stops the download and leaves nothing behind.

    Raises:
        DataError: if no mirror delivers MNIST, or the cache cannot be written.
    """
    container, folder = list_places(cache)
    mirrors = {
        container: {container: CONTAINER_URL},
        folder: {folder / f"{name}.gz": f"{FILES_URL}{name}.gz" for name in CHECKSUMS},
    }
    reasons = []
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _remove_stale(cache)
        with workspace(folder) as temporary:
            for place, urls in mirrors.items():
                try:
                    files = [_download(url, temporary / file.name, report) for file, url in urls.items()]
                except _MirrorError as error:
                    reasons.append(f"{urlsplit(next(iter(urls.values()))).hostname} {error}")
                    continue
                for file, target in zip(files, urls, strict=True):
                    target.parent.mkdir(exist_ok=True)
                    file.replace(target)
                return place
    except OSError as error:
        reasons.append(f"the cache folder '{cache}' cannot be written ({describe_error(error)})")
    raise DataError(
        f"MNIST could not be downloaded: {'; '.join(reasons)}.",
        "Connect to the network and try again, or give a folder with MNIST's files with --data.",
    )


class _MirrorError(Exception):
    """The reason why a mirror did not deliver MNIST: a sentence without its subject, the host."""


def _download(url: str, file: Path, report: Report | None) -> Path:
    """Download one file of MNIST, verify its content, and return its path."""
    if file.suffix == ".npz":
        return _retrieve(url, file, CONTAINER_SHA256, report)
    part = readers.Part(name=file.stem, file=_retrieve(url, file, None, report))
    try:
        if readers.digest(part).sha256 == CHECKSUMS[part.name]:
            return file
    except DataError as error:
        raise _MirrorError("sent a damaged file") from error
    raise _MirrorError("sent something other than MNIST")


class _Progress:
    """A progress bar as pooch uses it; an exception from ``update`` ends the download."""

    def __init__(self) -> None:
        self.total = 0
        self.done = 0
        self.abandoned = threading.Event()

    def update(self, amount: int) -> None:
        self.done += amount
        if self.abandoned.is_set() or self.done > MAX_BYTES:
            raise _MirrorError("sent more than MNIST")

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        pass


def _retrieve(url: str, file: Path, sha256: str | None, report: Report | None) -> Path:
    """Download a file with this SHA-256 (any, if None) and return its path.

    The download runs in a thread of its own, since the look-up of a host name has no time limit and cannot be
    interrupted by a signal.
    """
    import pooch

    pooch.get_logger().setLevel("ERROR")
    progress = _Progress()
    failures: list[Exception] = []

    def work() -> None:
        downloader = pooch.HTTPDownloader(
            progressbar=progress, chunk_size=1 << 16, timeout=(CONNECT_SECONDS, READ_SECONDS)
        )
        checksum = f"sha256:{sha256}" if sha256 else None
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
        raise _explain(failures[0]) from failures[0]
    return file


def _explain(error: Exception) -> Exception:
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
            return _MirrorError("sent something other than MNIST")
        case OSError() | _MirrorError():
            return error
    return _MirrorError(f"failed ({error})")


def _remove_stale(cache: Path) -> None:
    """Remove what the downloads of earlier versions left that were killed."""
    for folder in cache.glob("download-*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > ABANDONED_SECONDS:
                rmtree(folder)
