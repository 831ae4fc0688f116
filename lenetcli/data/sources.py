"""Which data a run trains on: found, known by what it holds, verified, split and read."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lenetcli import files
from lenetcli.data import digits, mnist, readers
from lenetcli.data.readers import Digest, Part
from lenetcli.errors import DataError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AUTO: Final = "auto"
MNIST: Final = "mnist"
SYNTHETIC: Final = "synthetic"
DATASETS: Final = (AUTO, MNIST, SYNTHETIC)

IDENTITIES: Final = "identities.json"
"""What the cache calls the digests of files that were read before."""

OFFLINE_VARIABLE: Final = "LENETCLI_OFFLINE"
MIN_IMAGES: Final = 100
VALIDATION_SHARE: Final = 6  # the last sixth of the training images

_PUBLISHED: Final = {MNIST: mnist.CHECKSUMS, SYNTHETIC: digits.CHECKSUMS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrays:
    """Images (n, 28, 28) and labels (n,), C-contiguous uint8, split; no test set is None."""

    train_images: "NDArray[np.uint8]"
    train_labels: "NDArray[np.uint8]"
    validation_images: "NDArray[np.uint8]"
    validation_labels: "NDArray[np.uint8]"
    test_images: "NDArray[np.uint8] | None"
    test_labels: "NDArray[np.uint8] | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """Data that was found and identified, and not yet read.

    ``checksums`` are the SHA-256 of the decoded IDX files, whatever the container; ``sha256`` is one over
    them all, and names the data in a configuration. The counts are those after the split. ``warning`` says
    why this is not the data that was hoped for, and what to do.
    """

    name: str
    sha256: str
    checksums: Mapping[str, str]
    origin: str
    train_images: int
    validation_images: int
    test_images: int
    warning: str | None = None
    parts: tuple[Part, ...] = field(default=(), repr=False)

    def load(self) -> Arrays:
        """Read the data, and verify that it is still what it was.

        Raises:
            DataError: if it has changed, or cannot be read any more.
        """
        try:
            found = _read(self)
        except DataError:
            if self.name != SYNTHETIC:
                raise
            found = _make_synthetic()
        return _split(found)


def find(
    dataset: str = AUTO,
    data: str | None = None,
    *,
    report: mnist.Report | None = None,
    offline: bool = False,
) -> DataSource:
    """Find the data that ``--dataset`` and ``--data`` ask for, reading only what is not known yet.

    ``data`` (else ``LENETCLI_DATA``) comes first, then lenetcli's cache, Keras' copy, and a download, unless
    ``offline`` or ``LENETCLI_OFFLINE`` forbids it. With "auto" the synthetic digits step in at last.

    Args:
        dataset: "auto", "mnist" or "synthetic".
        data: a folder with IDX files, or an npz.
        report: called in this thread while a download runs; raising from it stops the download.
        offline: never use the network.

    Raises:
        UsageError: for an unknown ``dataset``, or "synthetic" with ``data``.
        DataError: if the data is not there, damaged, or not the real MNIST where that was asked for.
    """
    if dataset not in DATASETS:
        raise UsageError(
            f"There is no data set {dataset!r}.",
            f"Choose one of {', '.join(DATASETS)}; give others with --data.",
        )
    if dataset == SYNTHETIC:
        if data is not None:
            raise UsageError(
                "The synthetic digits are made, not read.", "Leave out --data or --dataset synthetic."
            )
        return _describe_synthetic()
    given = data if data is not None else os.environ.get(files.DATA_VARIABLE) or None
    if given is not None:
        source = _describe(_find_given(given))
        if dataset == MNIST and source.name != MNIST:
            raise DataError(
                f"'{source.origin}' is not the real MNIST: its checksums differ from the published ones.",
                "Leave out --dataset mnist to use it under its own name, or give the real one.",
            )
        return source
    try:
        return _find_mnist(report, offline=offline or os.environ.get(OFFLINE_VARIABLE, "0") not in ("", "0"))
    except DataError as error:
        if dataset == MNIST:
            raise
        warning = f"These are the synthetic digits, not MNIST. {error.problem} {error.advice}"
        return replace(_describe_synthetic(), warning=warning)


def _find_given(given: str) -> Path:
    """The path that was typed, absolute; a ``~`` that no shell has seen is understood."""
    place = Path(given)
    if given.startswith("~") and not _exists(place):
        place = files.expand(given)
    if not given or not _exists(place):
        raise DataError(
            f"There is nothing at '{given}'.",
            f"Check --data or {files.DATA_VARIABLE}: a folder with MNIST's files, or an npz.",
        )
    return place.absolute()


def _find_mnist(report: mnist.Report | None, *, offline: bool) -> DataSource:
    """The real MNIST from this machine, else from the network."""
    reasons = []
    cache = files.cache_folder()
    places = list(mnist.list_places(cache))
    with contextlib.suppress(RuntimeError):  # there is no home folder
        places.append(files.keras_container())
    for place in filter(_exists, places):
        try:
            source = _describe(place.absolute())
        except DataError as error:
            reasons.append(error.problem)
            continue
        if source.name == MNIST:
            return source
        reasons.append(f"'{place}' is not the real MNIST.")
    if offline:
        reasons.insert(0, f"MNIST is not on this machine, and {OFFLINE_VARIABLE} forbids the download.")
        raise DataError(" ".join(reasons), f"Give MNIST's files with --data, or unset {OFFLINE_VARIABLE}.")
    try:
        return _describe(mnist.fetch(cache, report).absolute())
    except DataError as error:
        raise DataError(" ".join([error.problem, *reasons]), error.advice) from error


def _describe(place: Path) -> DataSource:
    """What a folder or an npz holds."""
    parts = _list_parts(place)
    found = _identify(parts)
    for images, labels in zip(parts[::2], parts[1::2], strict=True):
        if found[images.name].count != found[labels.name].count:
            counts = [f"{part} holds {found[part.name].count:,} {part.kind}" for part in (images, labels)]
            raise DataError(f"{', but '.join(counts)}.", "Get both files again from one place.")
    total = found[readers.NAMES[0]].count
    if total < MIN_IMAGES:
        raise DataError(
            f"'{place}' holds {total} training images.",
            f"Give at least {MIN_IMAGES}; a sixth of them validates.",
        )
    checksums = {name: digest.sha256 for name, digest in found.items()}
    test = found[readers.NAMES[2]].count if len(parts) > 2 else 0
    return _make_source(_name(place, checksums), checksums, str(place), total, test, parts)


def _describe_synthetic() -> DataSource:
    """The synthetic digits, which are known before they are made."""
    folder = (files.cache_folder() / SYNTHETIC).absolute()
    parts = tuple(Part(name=name, file=folder / name) for name in readers.NAMES)
    counts = digits.TRAIN_IMAGES, digits.TEST_IMAGES
    return _make_source(SYNTHETIC, digits.CHECKSUMS, "made by lenetcli", *counts, parts)


def _make_source(
    name: str, checksums: Mapping[str, str], origin: str, total: int, test: int, parts: tuple[Part, ...]
) -> DataSource:
    validation = total // VALIDATION_SHARE
    return DataSource(
        name=name,
        sha256=hashlib.sha256(json.dumps(dict(checksums), sort_keys=True).encode()).hexdigest(),
        checksums=dict(checksums),
        origin=origin,
        train_images=total - validation,
        validation_images=validation,
        test_images=test,
        parts=parts,
    )


def _name(place: Path, checksums: Mapping[str, str]) -> str:
    for name, published in _PUBLISHED.items():
        if checksums == published:
            return name
    own = place.resolve() if place.name == ".." else place
    name = own.name if own.is_dir() else own.stem
    # File systems take what is no text, and line ends.
    name = " ".join(name.encode("utf-8", "backslashreplace").decode().split()) or "data"
    return f"{name} (other)" if name.casefold() in DATASETS else name


def _list_parts(place: Path) -> tuple[Part, ...]:
    """Images and labels of the training set, then those of the test set if there is one."""
    if place.is_dir():
        held = {name: _list_files(place, name) for name in readers.NAMES}
        parts = {name: Part(name=name, file=files[0]) for name, files in held.items() if files}
    else:
        keys = readers.list_keys(place)
        parts = {
            name: Part(name=name, file=place, key=key) for name, key in readers.KEYS.items() if key in keys
        }
    needed = readers.NAMES if parts.keys() & set(readers.NAMES[2:]) else readers.NAMES[:2]
    missing = [name for name in needed if name not in parts]
    if missing:
        names = [name if place.is_dir() else readers.KEYS[name] for name in missing]
        raise DataError(
            f"'{place}' has no {' and no '.join(names)}.",
            "Wanted are train-images-idx3-ubyte and train-labels-idx1-ubyte, and t10k-images-idx3-ubyte and "
            "t10k-labels-idx1-ubyte if there is a test set; a dot before idx and a final .gz are understood."
            if place.is_dir()
            else "Wanted are x_train and y_train, and x_test and y_test if there is a test set.",
        )
    return tuple(parts[name] for name in needed)


def _list_files(folder: Path, name: str) -> list[Path]:
    """The files there that bear the name as people write it."""
    stems = (name, name.replace("-idx", ".idx"))
    try:
        held = {entry.name for entry in folder.iterdir() if not entry.is_dir()}
    except OSError as error:
        raise DataError(f"'{folder}' cannot be read: {error.strerror}.", "Check its permissions.") from error
    return [folder / (stem + end) for stem in stems for end in ("", ".gz") if stem + end in held]


def _identify(parts: Iterable[Part]) -> dict[str, Digest]:
    """The digests of the parts; those of files that are as they were come from the cache of identities."""
    known = files.read_cache(IDENTITIES)
    fresh = dict(known)
    found = {}
    for part in parts:
        try:
            state = part.file.stat()
        except OSError as error:
            raise DataError(f"{part} cannot be read: {error.strerror}.", "Check the path.") from error
        now = [state.st_size, state.st_mtime_ns]
        held = known.get(_identity_key(part))
        digest = _recognise(held, now) or readers.digest(part)
        found[part.name] = digest
        fresh[_identity_key(part)] = [*now, digest.count, digest.sha256]
    if fresh != known:
        files.write_cache(IDENTITIES, fresh)
    return found


def _recognise(held: object, now: list[int]) -> Digest | None:
    match held:
        case [int() as size, int() as changed, int() as count, str() as sha256] if [size, changed] == now:
            return Digest(count=count, sha256=sha256)
    return None


def _forget(part: Part) -> None:
    known = files.read_cache(IDENTITIES)
    if known.pop(_identity_key(part), None) is not None:
        files.write_cache(IDENTITIES, known)


def _identity_key(part: Part) -> str:
    return f"{part.name} in {part.file}"


def _read(source: DataSource) -> "dict[str, NDArray[np.uint8]]":
    found = {}
    for part in source.parts:
        found[part.name], digest = readers.read(part)
        if digest.sha256 != source.checksums[part.name]:
            _forget(part)
            raise DataError(f"{part} has changed since it was looked at.", "Type the command again.")
    return found


def _make_synthetic() -> "dict[str, NDArray[np.uint8]]":
    """Make the digits, verify them, and keep them for the next time if the cache can be written."""
    found = digits.make_all()
    for name, array in found.items():
        head = readers.encode_head(len(array), images=array.ndim == 3)
        if hashlib.sha256(head + array.tobytes()).hexdigest() != digits.CHECKSUMS[name]:
            raise DataError("The synthetic digits came out wrong on this machine.", "Please report it.")
        files.write_cache_blocks(f"{SYNTHETIC}/{name}", [head, array.data])
    return found


def _split(found: "dict[str, NDArray[np.uint8]]") -> Arrays:
    images, labels, *test = (found[name] for name in readers.NAMES if name in found)
    at = len(images) - len(images) // VALIDATION_SHARE
    return Arrays(
        train_images=images[:at],
        train_labels=labels[:at],
        validation_images=images[at:],
        validation_labels=labels[at:],
        test_images=test[0] if test else None,
        test_labels=test[1] if test else None,
    )


def _exists(place: Path) -> bool:
    try:
        place.stat()
    except (OSError, ValueError):
        return False
    return True
