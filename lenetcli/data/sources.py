"""The data that a run trains on: its search, its identification by content, and its loading and split."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from lenetcli import files
from lenetcli.data import digits, downloads, folders, readers, summaries
from lenetcli.data.identities import Identity, forget, identify
from lenetcli.data.published import MNIST, PUBLISHED, Published
from lenetcli.data.readers import Part
from lenetcli.errors import DataError, UsageError
from lenetcli.experiment.config import AUTO
from lenetcli.experiment.datasets import Counts, Summary

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SYNTHETIC: Final = "synthetic"
DATASETS: Final = (AUTO, *PUBLISHED, SYNTHETIC)

OFFLINE_VARIABLE: Final = "LENETCLI_OFFLINE"
MIN_IMAGES: Final = 100

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

    ``checksums`` are the SHA-256 of the decoded IDX files, independent of their container. ``summary`` says
    what the images are like. ``missing`` says why MNIST, in whose place this is, cannot be had, and what to
    do; None if it is the requested data. ``notes`` say what was made of its files.
    """

    name: str
    checksums: Mapping[str, str]
    origin: str
    summary: Summary
    missing: str | None = None
    notes: tuple[str, ...] = ()
    parts: tuple[Part, ...]

    @property
    def sha256(self) -> str:
        """One hash over all checksums, which identifies the data in a configuration."""
        return hashlib.sha256(json.dumps(dict(self.checksums), sort_keys=True).encode()).hexdigest()

    @property
    def warning(self) -> str | None:
        """What these digits are, and why; None if they are the requested data."""
        return self.missing and f"These are the synthetic digits, not MNIST. {self.missing}"

    @property
    def counts(self) -> Counts:
        """How many images train, validate and test."""
        return self.summary.counts

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
        split = self.counts.train
        return Arrays(
            Examples(images[:split], labels[:split]),
            Examples(images[split:], labels[split:]),
            Examples(*test) if test else None,
        )


def find(
    dataset: str = AUTO,
    data: str | None = None,
    *,
    report: downloads.Report | None = None,
    offline: bool = False,
    afresh: bool = False,
) -> DataSource:
    """The data set that ``--dataset`` and ``--data`` select; files that were read before are not read again.

    Without ``data``, what ``LENETCLI_DATA`` names is taken. Without both, a published data set, MNIST by
    default, is searched for in lenetcli's cache, then where other programs leave it, then on the network,
    unless ``offline`` or ``LENETCLI_OFFLINE`` forbids it; so is one that ``dataset`` names, where
    ``LENETCLI_DATA`` names other data. With "auto", the synthetic digits are the last resort. ``report`` is
    called in this thread; an exception from it stops a download. All files are read with ``afresh``.

    Raises:
        UsageError: if ``dataset`` is unknown, or if it is "synthetic" and ``data`` is given.
        DataError: if the data is missing or damaged, or if ``dataset`` is a published one and it is another.
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
    variable = os.environ.get(files.DATA_VARIABLE) or None
    path = variable if data is None and dataset == AUTO else data
    if path is not None:
        source = _inspect(folders.locate(path), PUBLISHED.get(dataset), afresh=afresh)
        if dataset not in (AUTO, source.name):
            raise DataError(*_write_difference(source, PUBLISHED[dataset]))
        return source
    # The synthetic digits come last, with a warning: they make the program usable without MNIST.
    wanted = PUBLISHED[MNIST.name if dataset == AUTO else dataset]
    offline = offline or os.environ.get(OFFLINE_VARIABLE, "0") not in ("", "0")
    try:
        return _find_published(wanted, variable, report, offline=offline, afresh=afresh)
    except DataError as error:
        if dataset != AUTO:
            raise
        return replace(_describe_synthetic(), missing=f"{error.problem} {error.advice}")


def _write_difference(source: DataSource, wanted: Published) -> tuple[str, str]:
    """The problem and the advice for data that is not the published set that it should be."""
    name, title = f"'{source.origin}'", wanted.title
    if wanted.checksums:
        problem = f"{name} is not the real {title}: its checksums differ from the published ones."
    else:
        known = "what is published are the checksums of the four .gz files, and these are other files"
        problem = f"{name} cannot be told to be the real {title}: {known}."
    return problem, f"Leave out --dataset {wanted.name} to use it under its own name, or give the real one."


def _find_published(
    wanted: Published, named: str | None, report: downloads.Report | None, *, offline: bool, afresh: bool
) -> DataSource:
    """A published data set from the path in ``LENETCLI_DATA``, else from this machine, else the network."""
    # The own cache comes early, as its files were verified when they were downloaded, and the network last. A
    # copy that is damaged or has other content does not end the search, but the final error mentions it.
    reasons = []
    notes: tuple[str, ...] = ()
    cache = files.cache_folder()
    known = [str(place) for place in wanted.list_places(cache) if _exists(place)]
    for path in [*([] if named is None else [named]), *known]:
        try:
            source = _inspect(folders.locate(path), wanted, afresh=afresh)
        except DataError as error:
            reasons.append(error.problem)
        else:
            if source.name == wanted.name:
                return replace(source, notes=(*source.notes, *notes))
            reasons.append(f"'{path}' is not the real {wanted.title}.")
        if path == named:
            notes = (
                f"{files.DATA_VARIABLE} names other data than --dataset {wanted.name}, and is left aside.",
            )
    if offline:
        problem = f"{wanted.title} is not on this machine, and {OFFLINE_VARIABLE} forbids the download."
        raise DataError(
            " ".join([problem, *reasons]),
            f"Give {wanted.title}'s files with --data, or unset {OFFLINE_VARIABLE}.",
        )
    try:
        place, warnings = downloads.fetch(wanted, cache, report)
        source = _inspect(place.absolute())
    except DataError as error:
        raise DataError(" ".join([error.problem, *reasons]), error.advice) from error
    return replace(source, notes=(*source.notes, *notes, *warnings))


def _inspect(place: Path, wanted: Published | None = None, *, afresh: bool = False) -> DataSource:
    """The data set at a path, of several in a folder the one that is wanted; see ``_identify``."""
    try:
        return _identify(folders.find(place), afresh=afresh)
    except folders.SeveralSetsError as several:
        for one in several.places if wanted else ():
            with suppress(DataError):
                source = _identify(folders.find(one), afresh=afresh)
                if wanted and source.name == wanted.name:
                    return source
        raise


def _identify(found: folders.Found, *, afresh: bool) -> DataSource:
    """The data set of these files; only published ones have their names."""
    parts = found.parts
    identities = identify(parts, afresh=afresh)
    for images, labels in zip(parts[::2], parts[1::2], strict=True):
        counts = {part: identities[part.name].digest.count for part in (images, labels)}
        if len(set(counts.values())) > 1:
            words = [f"{part} holds {count:,} {part.kind}" for part, count in counts.items()]
            raise DataError(f"{', but '.join(words)}.", "Get both files again from one place.")
    total = identities[readers.NAMES[0]].digest.count
    if total < MIN_IMAGES:
        raise DataError(
            f"'{found.place}' holds {total} training images.",
            f"Give at least {MIN_IMAGES}; a sixth of them validates.",
        )
    checksums = {name: identity.digest.sha256 for name, identity in identities.items()}
    md5 = {name: identity.md5 for name, identity in identities.items()}
    published = next((one for one in PUBLISHED.values() if one.is_it(checksums, md5)), None)
    return DataSource(
        name=published.name if published else _choose_name(found.name, checksums),
        checksums=checksums,
        origin=str(found.place),
        summary=summaries.summarize({name: one.values for name, one in identities.items()}),
        notes=(*found.notes, *_compare_copies(found, identities)),
        parts=parts,
    )


def _compare_copies(found: folders.Found, identities: Mapping[str, Identity]) -> Iterable[str]:
    """A note if files of one part, packed and not, differ; those that cannot be read are not compared."""
    used = {part.name: part for part in found.parts}
    pairs = []
    for copy in found.copies:
        with suppress(DataError):
            other = identify([copy], afresh=False)[copy.name]
            if other.digest.sha256 != identities[copy.name].digest.sha256:
                pairs.append(f"{used[copy.name].label} is used, and {copy.label} has another content")
    if pairs:
        yield f"In '{found.place}', {'; '.join(pairs)}. Remove what is not meant."


def _describe_synthetic() -> DataSource:
    """The synthetic digits, whose checksums are known before they are made."""
    folder = (files.cache_folder() / SYNTHETIC).absolute()
    return DataSource(
        name=SYNTHETIC,
        checksums=digits.CHECKSUMS,
        origin="made by lenetcli",
        summary=digits.SUMMARY,
        parts=tuple(Part(name=name, file=folder / name) for name in readers.NAMES),
    )


def _choose_name(name: str, checksums: Mapping[str, str]) -> str:
    """The name of a data set that is no published one: that under which it was found."""
    if checksums == digits.CHECKSUMS:
        return SYNTHETIC
    # A file name may contain bytes that are not text, and line breaks.
    name = " ".join(name.encode("utf-8", "backslashreplace").decode().split()) or "data"
    return f"{name} (other)" if name.casefold() in DATASETS else name


def _read(source: DataSource) -> "dict[str, NDArray[np.uint8]]":
    """The arrays of a data source by the names of their parts, verified."""
    arrays = {}
    for part in source.parts:
        arrays[part.name], digest = readers.read(part)
        if digest.sha256 != source.checksums[part.name]:
            forget()  # what is cached would lead to the same wrong digest next time
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
