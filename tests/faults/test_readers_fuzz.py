"""Fault test 10: fuzzed IDX, gz, npz and zip, and decompression bombs: only DataError, in bounded memory.

500 cases and bombs of 64 MB; with LENETCLI_LONG=1, 10,000 cases and bombs of 10 GB.
"""

import contextlib
import gzip
import io
import os
import random
import re
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lenetcli import files
from lenetcli.data import readers, sources
from lenetcli.data.readers import Part
from lenetcli.errors import DataError

LONG = os.environ.get("LENETCLI_LONG") == "1"
CASES = 10_000 if LONG else 500
BOMB = (10 << 30) if LONG else (64 << 20)
MEMORY = 16 << 20
IMAGES = readers.NAMES[0]
COUNTS = dict(zip(readers.NAMES, (100, 100, 3, 3), strict=True))
NUMBERS = (0, 1, 99, 101, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x900000, 0x7FFFFFFF, 0xFFFFFFFF, 0x08000803)
WORDS = (b"(99999999999, 28, 28)", b"'|O'", b"'<f8'", b"True", b"PK\x01\x02", b"PK\x05\x06", b"<html>")


NPY_CLAIM = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 28, 28), }"
NPY_HEAD = b"\x93NUMPY\x01\x00v\x00" + NPY_CLAIM.ljust(117) + b"\n"


@contextlib.contextmanager
def bounded_memory(limit: int = MEMORY) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit, f"{peak:,} bytes were taken"


def make_parts() -> dict[str, bytes]:
    chance = np.random.default_rng(0)
    return {
        name: readers.encode_head((count, 28, 28) if "images" in name else (count,))
        + chance.integers(0, 10, count * (784 if "images" in name else 1)).astype(np.uint8).tobytes()
        for name, count in COUNTS.items()
    }


def make_npz(parts: dict[str, bytes], save: Callable[..., None]) -> bytes:
    arrays = {}
    for name, content in parts.items():
        values = np.frombuffer(content, np.uint8, offset=16 if "images" in name else 8)
        values = values.reshape(-1, 28, 28) if "images" in name else values.astype(np.int64)
        arrays[readers.KEYS[name]] = values
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def make_zip(parts: dict[str, bytes], packing: int, ending: str = "") -> bytes:
    """The files in a zip, as they are or packed with gzip."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name, content in parts.items():
            archive.writestr(f"a/{name}{ending}", gzip.compress(content, 1) if ending else content)
    return file.getvalue()


def mutate(content: bytes, chance: random.Random) -> bytes:
    """Harm a file, mostly near its ends, where the headers are."""
    harmed = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        size = len(harmed)
        near_end = max(0, size - chance.randrange(300))
        at = chance.choice((chance.randrange(size + 1), min(chance.randrange(200), size), near_end))
        match chance.randrange(8):
            case 0:
                harmed[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del harmed[at:]
            case 2:
                del harmed[at : at + chance.randrange(1, 64)]
            case 3:
                harmed[at:at] = chance.randbytes(chance.randrange(1, 64))
            case 4:
                harmed[at : at + 4] = chance.choice(NUMBERS).to_bytes(4, chance.choice(("big", "little")))
            case 5:
                word = chance.choice(WORDS)
                harmed[at : at + len(word)] = word
            case 6:
                start = chance.randrange(len(harmed) + 1)
                harmed[at:at] = harmed[start : start + chance.randrange(1, 2000)]
            case 7 if harmed.startswith(b"\x93NUMPY"):
                harmed = bytearray(re.sub(rb"\((\d+),(.*\}) {6}", rb"(9\g<1>999,\2", harmed))
            case 7:
                harmed[4:8] = chance.choice(NUMBERS).to_bytes(4)
    return bytes(harmed)


def mutate_member(archive: bytes, chance: random.Random) -> bytes:
    """The same npz or zip with one member harmed before it was packed."""
    packed = io.BytesIO()
    old = zipfile.ZipFile(io.BytesIO(archive))
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        victim = chance.choice(old.namelist())
        for name in old.namelist():
            new.writestr(name, mutate(old.read(name), chance) if name == victim else old.read(name))
    return packed.getvalue()


def write_case(folder: Path, parts: dict[str, bytes], archives: list[bytes], chance: random.Random) -> Path:
    """One harmed data set: an archive or a folder; the packed bytes are harmed, or those that are packed."""
    if chance.random() < 0.5:
        file = folder / "harmed.npz"
        harm = chance.choice((mutate, mutate_member))
        file.write_bytes(harm(chance.choice(archives), chance))
        return file
    victim, outside = chance.choice(readers.NAMES), chance.random() < 0.5
    for name, content in parts.items():
        inner = mutate(content, chance) if name == victim and not outside else content
        packed = gzip.compress(inner, 1) if chance.random() < 0.5 else inner
        (folder / name).write_bytes(mutate(packed, chance) if name == victim and outside else packed)
    return folder


def list_parts(place: Path) -> list[Part]:
    if place.is_dir():
        return [Part(name=name, file=place / name) for name in readers.NAMES]
    arrays = [Part(name=name, file=place, key=key) for name, key in readers.KEYS.items()]
    files = [
        Part(name=name, file=place, member=f"a/{name}{end}") for name in readers.NAMES for end in ("", ".gz")
    ]
    return arrays + files


def test_harmed_files_give_data_errors_or_data(tmp_path, monkeypatch):
    (tmp_path / "cache").touch()  # no folder: nothing is remembered from case to case
    monkeypatch.setenv(files.CACHE_VARIABLE, str(tmp_path / "cache"))
    parts = make_parts()
    archives = [make_npz(parts, np.savez), make_npz(parts, np.savez_compressed)]
    archives += [make_zip(parts, zipfile.ZIP_DEFLATED), make_zip(parts, zipfile.ZIP_STORED, ".gz")]
    refused = 0
    for case in range(CASES):
        place = write_case(tmp_path, parts, archives, random.Random(case))
        for part in list_parts(place):  # not identified before: what deflate can pack is the bound
            size = part.file.stat().st_size
            with bounded_memory(MEMORY + 1032 * size), contextlib.suppress(DataError):
                readers.read(part)
        with bounded_memory():
            try:
                source = sources.find(data=str(place))
                loaded = source.load()
            except DataError as error:
                refused += 1
                assert str(place) in error.problem, f"case {case}: {error}"
            except BaseException as error:
                error.add_note(f"case {case}")
                raise
            else:
                assert loaded.train.images.shape == (source.counts.train, 28, 28), f"case {case}"
                assert loaded.train.labels.max() <= 9, f"case {case}"
    assert CASES * 0.5 < refused < CASES


def write_gzip_bomb(file: Path, head: bytes) -> None:
    """Many members of zeros in a row, which unpack as one stream."""
    member = gzip.compress(bytes(64 << 20))
    with file.open("wb") as stream:
        stream.write(gzip.compress(head))
        for _ in range(BOMB // (64 << 20)):
            stream.write(member)


@pytest.mark.parametrize("claim", [1, 100, min(BOMB // 784 // 2, readers.MAX_IMAGES), 2**32 - 1])
def test_a_gzip_bomb_does_not_go_off(tmp_path, claim):
    head = readers.encode_head((claim, 28, 28))
    write_gzip_bomb(tmp_path / "bomb.gz", head)
    with bounded_memory(), pytest.raises(DataError, match=r"bomb\.gz"):
        readers.digest(Part(name=IMAGES, file=tmp_path / "bomb.gz"))


def test_a_bomb_without_a_header_does_not_go_off(tmp_path):
    write_gzip_bomb(tmp_path / "bomb.gz", b"")
    with bounded_memory(), pytest.raises(DataError, match="zero bytes"):
        readers.read(Part(name=IMAGES, file=tmp_path / "bomb.gz"))


@pytest.mark.parametrize(
    "head",
    [
        NPY_HEAD,
        b"\x93NUMPY\x01\x00\xff\xff",
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
        b"",
    ],
)
def test_a_bomb_in_an_npz_does_not_go_off(tmp_path, head):
    file = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("x_train.npy", "w", force_zip64=True) as stream,
    ):
        stream.write(head)
        for _ in range(BOMB >> 20):
            stream.write(bytes(1 << 20))
    with bounded_memory(), pytest.raises(DataError, match=r"bomb\.npz"):
        readers.read(Part(name=IMAGES, file=file, key="x_train"))


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("claim", [100, min(BOMB // 784 // 2, readers.MAX_IMAGES)])
def test_a_bomb_in_a_zip_does_not_go_off(tmp_path, ending, claim):
    """Packed once, or with gzip and then with deflate, which makes a thousandth of a thousandth of zeros."""
    file, name = tmp_path / "bomb.zip", f"{IMAGES}{ending}"
    if ending:
        write_gzip_bomb(tmp_path / name, readers.encode_head((claim, 28, 28)))
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(name, "w", force_zip64=True) as stream,
    ):
        if ending:
            stream.write((tmp_path / name).read_bytes())
        else:
            stream.write(readers.encode_head((claim, 28, 28)))
            for _ in range(BOMB >> 20):
                stream.write(bytes(1 << 20))
    for read in (readers.digest, readers.read)[: 2 if claim == 100 else 1]:
        with bounded_memory(), pytest.raises(DataError, match=r"bomb\.zip"):
            read(Part(name=IMAGES, file=file, member=name))


def test_an_archive_of_many_files_takes_no_memory(tmp_path):
    """Its list of 46 bytes a file would become objects of ten times its size."""
    file = tmp_path / "many.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(70_000):  # from 65,536 on, the archive has another kind of end
            archive.writestr(str(number), b"")
    with bounded_memory(), pytest.raises(DataError, match="thousands of files"):
        readers.list_members(file)
