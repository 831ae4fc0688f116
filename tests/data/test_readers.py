"""What the readers accept, and in which words they refuse the rest."""

import gzip
import hashlib
import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenetcli.data import readers
from lenetcli.data.readers import Part
from lenetcli.errors import DataError

IMAGES, LABELS = readers.NAMES[:2]


def encode(array: np.ndarray) -> bytes:
    magic = {3: 2051, 1: 2049}[array.ndim]
    return b"".join(number.to_bytes(4) for number in (magic, *array.shape)) + array.tobytes()


def make_images(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, 28, 28)).astype(np.uint8)


def make_labels(count: int) -> np.ndarray:
    return (np.arange(count) % 10).astype(np.uint8)


def idx(file: Path, content: bytes, name: str = IMAGES) -> Part:
    file.write_bytes(content)
    return Part(name=name, file=file)


def member(file: Path, key: str = "x_train", name: str = IMAGES, **arrays: np.ndarray) -> Part:
    np.savez_compressed(file, **arrays)
    return Part(name=name, file=file, key=key)


def refused(part: Part) -> str:
    """The problem, which both doors tell alike, and which names the file."""
    with pytest.raises(DataError) as read:
        readers.read(part)
    with pytest.raises(DataError) as digested:
        readers.digest(part)
    assert read.value.problem == digested.value.problem
    assert str(part.file) in read.value.problem
    assert read.value.advice.endswith(".")
    return read.value.problem


@given(count=st.integers(1, 40), images=st.booleans(), zipped=st.booleans(), seed=st.integers(0, 99))
def test_any_idx_is_read_back(tmp_path_factory, count, images, zipped, seed):
    array = np.random.default_rng(seed).integers(
        0, 256 if images else 10, (count, 28, 28) if images else count
    )
    array = array.astype(np.uint8)
    content = encode(array)
    file = tmp_path_factory.mktemp("idx") / "a file #1 100% ü?"
    part = idx(file, gzip.compress(content) if zipped else content, IMAGES if images else LABELS)
    back, digest = readers.read(part)
    np.testing.assert_array_equal(back, array)
    assert back.dtype == np.uint8 and back.flags.c_contiguous
    assert digest == readers.digest(part)
    assert digest.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("dtype", ["u1", "i1", "<i2", ">i2", "<u4", "<i8", ">i8"])
def test_labels_of_an_npz_may_be_any_whole_numbers(tmp_path, dtype):
    labels = make_labels(3000)
    part = member(tmp_path / "a.npz", "y_train", LABELS, y_train=labels.astype(dtype))
    back, digest = readers.read(part)
    np.testing.assert_array_equal(back, labels)
    assert digest == readers.digest(idx(tmp_path / "same", encode(labels), LABELS))


def test_an_npz_and_an_idx_of_the_same_images_have_one_checksum(tmp_path):
    images = make_images(2000)
    stored = tmp_path / "stored.npz"
    np.savez(stored, x_train=images)
    part = Part(name=IMAGES, file=stored, key="x_train")
    np.testing.assert_array_equal(readers.read(part)[0], images)
    assert readers.digest(part) == readers.digest(idx(tmp_path / "same", encode(images)))
    assert readers.digest(member(tmp_path / "packed.npz", x_train=images)) == readers.digest(part)


GOOD = encode(make_images(3))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\x00\x00", "only 2 bytes"),
        (encode(make_labels(30)), "of images but an IDX file of labels"),
        (b"\x00\x00\x08\x04" + GOOD[4:], "an IDX file of unsigned bytes in four dimensions"),
        (b"\x00\x00\x0d\x03" + GOOD[4:], "an IDX file of 32-bit floats in three dimensions"),
        (b"\x03\x08\x00\x00" + GOOD[4:], "little-endian"),
        (b"\x12\x34\x56\x78" * 9, "is not an IDX file of images"),
        (bytes(600), "but zero bytes"),
        (b"<!DOCTYPE html><html>404</html>", "web page"),
        (b"\xef\xbb\xbf\n <html>", "web page"),
        (GOOD[:10], "cut off within its header"),
        (GOOD[:-1], "cut off"),
        (GOOD + b"\0", "goes on after"),
        (GOOD[:8] + b"\0\0\0\x20" + GOOD[12:], "32 by 28"),
        (GOOD[:4] + b"\0\0\0\0" + GOOD[8:16], "announces 0 images"),
        (GOOD[:4] + b"\xff\xff\xff\xff" + GOOD[8:], "announces 4,294,967,295 images"),
        (GOOD[:4] + b"\x00\x90\x00\x00" + GOOD[8:], "cut off: it announces 9,437,184"),
        (gzip.compress(GOOD)[:-9], "cut off: its packed data ends early"),
        (gzip.compress(GOOD[:-1]), "cut off: 1 of 2,352"),
        (gzip.compress(GOOD + b"\0"), "goes on after"),
        (gzip.compress(GOOD) + b"rubbish", "other bytes follow"),
        (gzip.compress(GOOD)[:-8] + b"\0" * 8, "damaged: its checksum is wrong"),
        (gzip.compress(gzip.compress(GOOD)), "packed with gzip twice"),
        (gzip.compress(GOOD)[:10] + b"\xff" * 100, "cannot be unpacked"),
        (gzip.compress(b"<html>", mtime=0), "web page"),
        (gzip.compress(GOOD[:4] + b"\x00\x90\x00\x00" + GOOD[8:]), "cut off: it announces 9,437,184"),
    ],
)
def test_what_is_wrong_with_an_idx_is_said(tmp_path, content, words):
    assert words in refused(idx(tmp_path / "train-images-idx3-ubyte", content))


@pytest.mark.parametrize("zipped", [False, True])
def test_a_label_above_nine_is_refused(tmp_path, zipped):
    content = encode(np.array([3, 10, 2], np.uint8))
    part = idx(tmp_path / "labels", gzip.compress(content) if zipped else content, LABELS)
    assert "labels outside 0 to 9: they are 2, 3 and 10" in refused(part)


@pytest.mark.parametrize("wrong", [-1, 10, 256, 2**40])
def test_a_wide_label_outside_zero_to_nine_is_refused(tmp_path, wrong):
    part = member(tmp_path / "a.npz", "y_train", LABELS, y_train=np.array([1, wrong, 2], np.int64))
    assert "outside 0 to 9" in refused(part)


class Trap:
    """An object whose unpickling would leave a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def test_a_pickle_is_refused_unopened(tmp_path):
    trace = tmp_path / "opened"
    file = tmp_path / "a.npz"
    np.savez(file, x_train=np.array([Trap(trace)], dtype=object), allow_pickle=True)
    assert "pickle" in refused(Part(name=IMAGES, file=file, key="x_train"))
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x_train.npy", pickle.dumps(Trap(trace)))
    assert "not an array" in refused(Part(name=IMAGES, file=file, key="x_train"))
    assert not trace.exists()


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((3, 28, 28), np.float32), "32-bit floats"),
        (np.zeros((3, 28, 28), np.int64), "64-bit integers"),
        (np.zeros((3, 784), np.uint8), "shape (3, 784)"),
        (np.zeros((3, 32, 32), np.uint8), "32 by 32"),
        (np.zeros((0, 28, 28), np.uint8), "announces 0"),
        (np.asfortranarray(make_images(3)), "Fortran"),
        (np.zeros(3, [("a", "u1")]), "not a plain array"),
        (np.uint8(3), "shape ()"),
    ],
)
def test_what_is_wrong_with_an_array_is_said(tmp_path, array, words):
    assert words in refused(member(tmp_path / "a.npz", x_train=array))


def claim(shape: str, descr: str = "'|u1'") -> bytes:
    return npy(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}", bytes(784))


def npy(claim: str, content: bytes) -> bytes:
    head = claim.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + content


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            npy("{'descr': '|u1', 'fortran_order': False, 'shape': (9000000, 28, 28), }", bytes(784)),
            "cut off",
        ),
        (npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 28, 28), }", bytes(783)), "cut off"),
        (
            npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 28, 28), }", bytes(785)),
            "goes on after",
        ),
        (
            npy("{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999, 28, 28), }", b""),
            "announces",
        ),
        (npy("print('ha')", bytes(784)), "not a plain array"),
        (npy("(" * 4000, bytes(784)), "not a plain array"),
        (npy("-" * 4000 + "1", bytes(784)), "not a plain array"),
        (npy("{1: 2, 'shape': 3}", bytes(784)), "not a plain array"),
        (claim("(1, 28, 28)", "'|O'"), "Python objects (a pickle, which is never opened)"),
        (claim("(1, 28, 28)", "__import__('os').sep"), "not a plain array"),
        (claim("(1, 28, 28)", "'u1,u1'"), "not a plain array"),
        (claim("(1, 28, 28)", "('|u1', (9999999, 9999999))"), "not a plain array"),
        (claim("(1, 28, 28)", "'M8[ns]'"), "holds the type 'M8[ns]'"),
        (claim("(True, 28, 28)"), "not a plain array"),
        (claim("(-1, 28, 28)"), "announces -1 images"),
        (claim("(1, 28, 28)")[:40], "not a plain array"),
        (b"\x93NUMPY\x03\x00\xff\xff\xff\xff" + bytes(100_000), "not an array"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(100_000), "not an array"),
        (b"\x93NUMPY\x01\x00\xff\xff" + bytes(100_000), "header of 65,535 bytes"),
    ],
)
@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_that_lies_is_refused(tmp_path, content, words, packing):
    file = tmp_path / "a.npz"
    with zipfile.ZipFile(file, "w", packing) as archive:
        archive.writestr("x_train.npy", content)
    assert words in refused(Part(name=IMAGES, file=file, key="x_train"))


def test_a_member_packed_by_other_means_is_refused(tmp_path):
    file = tmp_path / "a.npz"
    content = io.BytesIO()
    np.save(content, make_images(3))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x_train.npy", content.getvalue())
    assert "packed" in refused(Part(name=IMAGES, file=file, key="x_train"))


def test_a_flipped_bit_in_an_npz_is_found(tmp_path):
    file = tmp_path / "a.npz"
    np.savez(file, x_train=make_images(3))
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    file.write_bytes(content)
    assert "damaged" in refused(Part(name=IMAGES, file=file, key="x_train"))


def test_a_folder_a_pipe_and_nothing_are_refused(tmp_path):
    assert "not an ordinary file" in refused(Part(name=IMAGES, file=tmp_path))
    assert "No such file" in refused(Part(name=IMAGES, file=tmp_path / "none"))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert "not an ordinary file" in refused(Part(name=IMAGES, file=tmp_path / "pipe"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_refused(tmp_path):
    part = idx(tmp_path / "a", GOOD)
    part.file.chmod(0)
    assert "Permission" in refused(part)


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04 and then nothing", GOOD])
def test_what_is_no_npz_is_refused(tmp_path, content):
    file = tmp_path / "mnist.npz"
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"mnist\.npz") as caught:
        readers.list_members(file)
    assert ("web page" in caught.value.problem) == (content == b"<html>")
