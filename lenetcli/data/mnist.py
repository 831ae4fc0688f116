"""The published MNIST: its checksums, and how it is downloaded."""

import contextlib
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from typing import Final
from urllib.parse import urlsplit

from lenetcli.data import readers
from lenetcli.errors import DataError

CHECKSUMS: Final = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""SHA-256 of the decoded IDX files."""

CONTAINER_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
CONTAINER_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
FILES_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"

CONNECT_SECONDS = 5
ANSWER_SECONDS = 7  # for the first byte, so that a name server that is silent counts too
READ_SECONDS = 15
MAX_BYTES = 64 << 20
_STALE_SECONDS = 86_400

Report = Callable[[str, int, int], None]
"""Called about ten times a second with the file's name, the bytes that came, and all of them (0: unknown)."""


def list_places(cache: Path) -> tuple[Path, Path]:
    """Where ``fetch`` leaves what it gets: an npz, or a folder of IDX files."""
    return cache / "mnist.npz", cache / "mnist"


def fetch(cache: Path, report: Report | None = None) -> Path:
    """Download MNIST into ``cache`` and return the file or folder; only what was verified ever gets there.

    Whatever ``report`` raises stops the download and leaves nothing behind.

    Raises:
        DataError: if no mirror could be had, or the cache not be written.
    """
    container, folder = list_places(cache)
    reasons = []
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _remove_stale(cache)
        with tempfile.TemporaryDirectory(prefix="download-", dir=cache, ignore_cleanup_errors=True) as name:
            for url, get, goal in (
                (CONTAINER_URL, _fetch_container, container),
                (FILES_URL, _fetch_files, folder),
            ):
                try:
                    get(Path(name), goal, report or (lambda *_: None))
                    return goal
                except _MirrorError as error:
                    reasons.append(f"{urlsplit(url).hostname} {error}")
    except OSError as error:
        reasons.append(f"the cache folder '{cache}' cannot be written ({error.strerror or error})")
    raise DataError(
        f"MNIST could not be downloaded: {'; '.join(reasons)}.",
        "Connect to the network and try again, or give a folder with MNIST's files with --data.",
    )


class _MirrorError(Exception):
    """Why a mirror did not serve."""


def _fetch_container(temporary: Path, goal: Path, report: Report) -> None:
    file = _retrieve(CONTAINER_URL, temporary / goal.name, CONTAINER_SHA256, report)
    file.replace(goal)


def _fetch_files(temporary: Path, goal: Path, report: Report) -> None:
    files = {}
    for name, checksum in CHECKSUMS.items():
        file = _retrieve(f"{FILES_URL}{name}.gz", temporary / f"{name}.gz", None, report)
        try:
            found = readers.digest(readers.Part(name=name, file=file)).sha256
        except DataError as error:
            raise _MirrorError("sent a damaged file") from error
        if found != checksum:
            raise _MirrorError("sent something other than MNIST")
        files[name] = file
    goal.mkdir(exist_ok=True)
    for file in files.values():
        file.replace(goal / file.name)


class _Progress:
    """What pooch takes for a progress bar; an exception raised here ends the download."""

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


def _retrieve(url: str, file: Path, sha256: str | None, report: Report) -> Path:
    """Download one file in a thread of its own: a look-up of a name has no time limit and hears no signal."""
    import pooch

    pooch.get_logger().setLevel("ERROR")
    progress = _Progress()
    failures: list[Exception] = []

    def work() -> None:
        downloader = pooch.HTTPDownloader(
            progressbar=progress, chunk_size=1 << 16, timeout=(CONNECT_SECONDS, READ_SECONDS)
        )
        known = f"sha256:{sha256}" if sha256 else None
        try:
            pooch.retrieve(url, known, fname=file.name, path=file.parent, downloader=downloader)
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    limit = time.monotonic() + ANSWER_SECONDS
    try:
        while thread.is_alive():
            thread.join(0.1)
            report(file.name, min(progress.done, progress.total or progress.done), progress.total)
            if not progress.done and thread.is_alive() and time.monotonic() > limit:
                raise _MirrorError(f"did not answer within {ANSWER_SECONDS} seconds")
    finally:
        progress.abandoned.set()
        thread.join(0.5)  # so that it can tidy up; one that waits for the network is left to itself
    if failures:
        raise _explain(failures[0]) from failures[0]
    return file


def _explain(error: Exception) -> Exception:
    """The failure in words, or an error of the disk as it is."""
    import requests

    match error:
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
    """What a download left that was killed."""
    for folder in cache.glob("download-*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > _STALE_SECONDS:
                rmtree(folder)
