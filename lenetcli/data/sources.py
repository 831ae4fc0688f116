"""The data that a run trains on: its search, its identification by content, and its loading and split."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from lenetcli import files
from lenetcli.data import digits, mnist, readers
from lenetcli.data.readers import Digest, Part
from lenetcli.errors import DataError, UsageError, describe_error
from lenetcli.experiment.config import AUTO

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MNIST: Final = "mnist"
SYNTHETIC: Final = "synthetic"
DATASETS: Final = (AUTO, MNIST, SYNTHETIC)

IDENTITIES: Final = "identities.json"
"""The file of the cache with the digests of files that were read before."""

OFFLINE_VARIABLE: Final = "LENETCLI_OFFLINE"
MIN_IMAGES: Final = 100
VALIDATION_SHARE: Final = 6  # the last sixth of the training images

_exists = os.path.exists  # unlike that of ``Path``, it never raises


class Examples(NamedTuple):
    """Images (n, 28, 28) and their labels (n,), both C-contiguous uint8."""

    images: "NDArray[np.uint8]"
    labels: "NDArray[np.uint8]"


class Arrays(NamedTuple):
    """A data set after the split."""

    train: Examples
    validation: Examples
    test: Examples | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """A data set that has been identified, but not loaded.

    ``checksums`` are the SHA-256 of the decoded IDX files, independent of their container. ``images`` counts
    those for training and validation. ``warning`` explains why this is not MNIST, and what to do; None if it
    is the requested data.
    """

    name: str
    checksums: Mapping[str, str]
    origin: str
    images: int
    test_images: int
    warning: str | None = None
    parts: tuple[Part, ...]

    @property
    def sha256(self) -> str:
        """One hash over all checksums, which identifies the data in a configuration."""
        return hashlib.sha256(json.dumps(dict(self.checksums), sort_keys=True).encode()).hexdigest()

    @property
    def validation_images(self) -> int:
        """The number of images that validate."""
        return self.images // VALIDATION_SHARE

    @property
    def train_images(self) -> int:
        """The number of images that train."""
        return self.images - self.validation_images

    def load(self) -> Arrays:
        """Read the data, verify it against the checksums, and split it.

        Synthetic digits that are missing in the cache or damaged are made again.

        Raises:
            DataError: if the data has changed, or cannot be read any more.
        """
        try:
            arrays = _read(self)
        except DataError:
            if self.checksums != digits.CHECKSUMS:
                raise
            arrays = _make_synthetic()
        images, labels, *test = arrays.values()
        split = self.train_images
        return Arrays(
            Examples(images[:split], labels[:split]),
            Examples(images[split:], labels[split:]),
            Examples(*test) if test else None,
        )


def find(
    dataset: str = AUTO, data: str | None = None, *, report: mnist.Report | None = None, offline: bool = False
) -> DataSource:
    """The data set that ``--dataset`` and ``--data`` select; files that were read before are not read again.

    Without ``data`` and ``LENETCLI_DATA``, MNIST is searched for in lenetcli's cache, then in that of Keras,
    then on the network, unless ``offline`` or ``LENETCLI_OFFLINE`` forbids it. With "auto", the synthetic
    digits are the last resort. ``report`` is called in this thread; an exception from it stops a download.

    Raises:
        UsageError: if ``dataset`` is unknown, or if it is "synthetic" and ``data`` is given.
        DataError: if the data is missing or damaged, or if ``dataset`` is "mnist" and it is another.
    """
    if dataset not in DATASETS:
        raise UsageError(
            f"There is no data set {dataset!r}.",
            f"Choose one of {', '.join(DATASETS)}; give others with --data.",
        )
    if dataset == SYNTHETIC:
        if data is not None:
            problem = "The synthetic digits are made, not read."
            raise UsageError(problem, "Leave out --data or --dataset synthetic.")
        return _describe_synthetic()
    # A path given by the user is the only candidate: if one with a typing error led on to the cache or to the
    # synthetic digits, a run would train on other data than its user believes.
    path = data if data is not None else os.environ.get(files.DATA_VARIABLE) or None
    if path is not None:
        source = _inspect(_locate(path))
        if dataset == MNIST and source.checksums != mnist.CHECKSUMS:
            raise DataError(
                f"'{source.origin}' is not the real MNIST: its checksums differ from the published ones.",
                "Leave out --dataset mnist to use it under its own name, or give the real one.",
            )
        return source
    # The synthetic digits come last, with a warning: they make the program usable without MNIST.
    try:
        return _find_mnist(report, offline=offline or os.environ.get(OFFLINE_VARIABLE, "0") not in ("", "0"))
    except DataError as error:
        if dataset == MNIST:
            raise
        warning = f"These are the synthetic digits, not MNIST. {error.problem} {error.advice}"
        return replace(_describe_synthetic(), warning=warning)


def _locate(path: str) -> Path:
    """The absolute path of data named by the user."""
    advice = f"Check --data or {files.DATA_VARIABLE}: a folder with MNIST's files, or an npz."
    if not path:
        raise DataError("There is nothing at ''.", advice)
    place = files.locate(path)
    try:
        place.stat()
    except PermissionError as error:
        raise DataError(f"'{path}' cannot be read: {describe_error(error)}.", advice) from error
    except (OSError, ValueError) as error:  # ValueError: a null byte
        raise DataError(f"There is nothing at '{path}'.", advice) from error
    return place.absolute()


def _find_mnist(report: mnist.Report | None, *, offline: bool) -> DataSource:
    """The real MNIST from this machine, else from the network."""
    # The own cache comes first, as its files were verified when they were downloaded, and the network last. A
    # copy that is damaged or has other content does not end the search, but the final error mentions it.
    reasons = []
    cache = files.cache_folder()
    keras = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")  # noqa: PTH111 -- never raises
    for place in filter(_exists, (*mnist.list_places(cache), Path(keras, "datasets", "mnist.npz"))):
        try:
            source = _inspect(place.absolute())
        except DataError as error:
            reasons.append(error.problem)
            continue
        if source.checksums == mnist.CHECKSUMS:
            return source
        reasons.append(f"'{place}' is not the real MNIST.")
    if offline:
        reasons.insert(0, f"MNIST is not on this machine, and {OFFLINE_VARIABLE} forbids the download.")
        raise DataError(" ".join(reasons), f"Give MNIST's files with --data, or unset {OFFLINE_VARIABLE}.")
    try:
        return _inspect(mnist.fetch(cache, report).absolute())
    except DataError as error:
        raise DataError(" ".join([error.problem, *reasons]), error.advice) from error


def _inspect(place: Path) -> DataSource:
    """The data set in a folder or an npz."""
    parts = _list_parts(place)
    digests = _identify(parts)
    for images, labels in zip(parts[::2], parts[1::2], strict=True):
        if digests[images.name].count != digests[labels.name].count:
            counts = [f"{part} holds {digests[part.name].count:,} {part.kind}" for part in (images, labels)]
            raise DataError(f"{', but '.join(counts)}.", "Get both files again from one place.")
    total = digests[readers.NAMES[0]].count
    if total < MIN_IMAGES:
        raise DataError(
            f"'{place}' holds {total} training images.",
            f"Give at least {MIN_IMAGES}; a sixth of them validates.",
        )
    checksums = {name: digest.sha256 for name, digest in digests.items()}
    return DataSource(
        name=_choose_name(place, checksums),
        checksums=checksums,
        origin=str(place),
        images=total,
        test_images=digests[readers.NAMES[2]].count if len(parts) > 2 else 0,
        parts=parts,
    )


def _describe_synthetic() -> DataSource:
    """The synthetic digits, whose checksums are known before they are made."""
    folder = (files.cache_folder() / SYNTHETIC).absolute()
    return DataSource(
        name=SYNTHETIC,
        checksums=digits.CHECKSUMS,
        origin="made by lenetcli",
        images=digits.TRAIN_IMAGES,
        test_images=digits.TEST_IMAGES,
        parts=tuple(Part(name=name, file=folder / name) for name in readers.NAMES),
    )


def _choose_name(place: Path, checksums: Mapping[str, str]) -> str:
    """The name of a data set: that of published data, else that of its folder or file."""
    if checksums == mnist.CHECKSUMS:
        return MNIST
    if checksums == digits.CHECKSUMS:
        return SYNTHETIC
    path = place.resolve() if place.name == ".." else place
    name = path.name if path.is_dir() else path.stem
    # A file name may contain bytes that are not text, and line breaks.
    name = " ".join(name.encode("utf-8", "backslashreplace").decode().split()) or "data"
    return f"{name} (other)" if name.casefold() in DATASETS else name


def _list_parts(place: Path) -> tuple[Part, ...]:
    """The images and labels of the training set, then those of the test set if there is one."""
    if place.is_dir():
        found = ((name, _list_files(place, name)) for name in readers.NAMES)
        parts = {name: Part(name=name, file=paths[0]) for name, paths in found if paths}
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
    """The files of a part in a folder, in any spelling: "-idx" or ".idx", with or without ".gz"."""
    stems = (name, name.replace("-idx", ".idx"))
    try:
        entries = {entry.name for entry in folder.iterdir() if not entry.is_dir()}
    except OSError as error:
        problem = f"'{folder}' cannot be read: {describe_error(error)}."
        raise DataError(problem, "Check its permissions.") from error
    return [folder / (stem + end) for stem in stems for end in ("", ".gz") if stem + end in entries]


def _identify(parts: Iterable[Part]) -> dict[str, Digest]:
    """The digest of each part by name; those of unchanged files come from the cache."""
    # Path, size and modification time identify a file without reading it, so that commands start fast. They
    # miss a change that keeps size and time, so ``_read`` verifies the digest when the data is loaded.
    entries = files.read_cache(IDENTITIES)
    updates = dict(entries)
    digests = {}
    for part in parts:
        try:
            state = part.file.stat()
        except OSError as error:
            raise DataError(f"{part} cannot be read: {describe_error(error)}.", "Check the path.") from error
        stamp = [state.st_size, state.st_mtime_ns]
        key = f"{part.name} in {part.file}"
        match entries.get(key):
            case [size, mtime, int() as count, str() as sha256] if [size, mtime] == stamp:
                digest = Digest(count=count, sha256=sha256)
            case _:
                digest = readers.digest(part)
        digests[part.name] = digest
        updates[key] = [*stamp, digest.count, digest.sha256]
    if updates != entries:
        files.write_cache(IDENTITIES, updates)
    return digests


def _read(source: DataSource) -> "dict[str, NDArray[np.uint8]]":
    """The arrays of a data source by the names of their parts, verified."""
    arrays = {}
    for part in source.parts:
        arrays[part.name], digest = readers.read(part)
        if digest.sha256 != source.checksums[part.name]:
            files.write_cache(IDENTITIES, {})  # size and time would lead to the same wrong digest next time
            raise DataError(f"{part} has changed since it was looked at.", "Type the command again.")
    return arrays


def _make_synthetic() -> "dict[str, NDArray[np.uint8]]":
    """Make the synthetic digits, verify them, and store them in the cache if it can be written."""
    arrays = digits.make_all()
    for name, array in arrays.items():
        content = readers.encode_head(array.shape) + array.tobytes()
        if hashlib.sha256(content).hexdigest() != digits.CHECKSUMS[name]:
            raise DataError("The synthetic digits came out wrong on this machine.", "Please report it.")
        files.write_cache_file(f"{SYNTHETIC}/{name}", content)
    return arrays
