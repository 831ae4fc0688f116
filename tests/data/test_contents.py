"""What is said of files that are not what their names say; the lines of Python in it do what they say."""

import bz2
import dataclasses
import gzip
import hashlib
import io
import lzma
import pickle
import re
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lenetcli.data import readers, sources
from lenetcli.data.published import PUBLISHED
from lenetcli.data.readers import NAMES, Part
from lenetcli.errors import DataError

IMAGES, LABELS = NAMES[:2]
GOOD = readers.encode_head((3, 28, 28)) + bytes(range(1, 148)) * 16
LIBRARIES = re.compile(r"Error -|CRC|end-of-stream|BadZip|magic|\b20(49|51)\b|not a gzip|Traceback", re.I)


def tar() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x"))
    return content.getvalue()


def saved(save, *arrays, **named) -> bytes:
    content = io.BytesIO()
    save(content, *arrays, **named)
    return content.getvalue()


def zipped() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.txt", "x")
    return content.getvalue()


ARRAY = np.arange(9)
FOREIGN = {
    "text": b"It is not here any more.",
    "text ": "Ä bit of tëxt".encode("utf-16"),
    "text  ": ("ä" * 400).encode(),
    "a web page": b"\xef\xbb\xbf\n <html>",
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    "a git-annex pointer": b"/annex/objects/SHA256E-s1--2\n",
    "JSON": b' {"a": [1, 2]}',
    "a table of text (CSV)": b"label,pixel0,pixel1\n5,0,0\n",
    "a zip archive": zipped(),
    "an npz": saved(np.savez, x=ARRAY),
    "one NumPy array (npy)": saved(np.save, ARRAY),
    "a tar archive": tar(),
    "a 7z archive": b"7z\xbc\xaf\x27\x1c" + bytes(20),
    "a RAR archive": b"Rar!\x1a\x07\x01\x00",
    "packed with xz": lzma.compress(GOOD),
    "packed with bzip2": bz2.compress(GOOD),
    "packed with zstd": b"\x28\xb5\x2f\xfd" + bytes(20),
    "a PNG image": b"\x89PNG\r\n\x1a\n" + bytes(20),
    "a JPEG image": b"\xff\xd8\xff\xe0" + bytes(20),
    "an HDF5 file": b"\x89HDF\r\n\x1a\n" + bytes(20),
    "a Parquet table": b"PAR1" + bytes(20),
    "a pickle, which is never opened": pickle.dumps(ARRAY),
    "a pickle, which is never opened ": pickle.dumps((ARRAY, ARRAY), 0),
    "a pickle, which is never opened  ": pickle.dumps([1, 2], 0),
    "an IDX file of labels": readers.encode_head((3,)) + bytes(3),
    "an IDX file of 32-bit integers in two dimensions": bytes([0, 0, 12, 2]) + bytes(100),
    "an IDX file of 16-bit integers in one dimension": bytes([0, 0, 11, 1]) + bytes(100),
    "little-endian": bytes([3, 8, 0, 0]) + bytes(100),
    "zero bytes": bytes(1000),
}


@pytest.mark.parametrize("what", FOREIGN)
@pytest.mark.parametrize("packed", [False, True])
def test_what_a_file_is_instead_is_said(tmp_path, what, packed):
    """Under the name of an IDX file, and under that of an npz."""
    content = gzip.compress(FOREIGN[what]) if packed else FOREIGN[what]
    for name in (IMAGES, "data.npz"):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as as_idx:
        readers.digest(Part(name=IMAGES, file=tmp_path / IMAGES))
    assert f"'{tmp_path / IMAGES}' is not an IDX file of images but " in as_idx.value.problem
    caught = [as_idx.value]
    if packed or not what.startswith(("a zip", "an npz")):
        with pytest.raises(DataError) as as_npz:
            readers.list_members(tmp_path / "data.npz")
        assert f"'{tmp_path / 'data.npz'}' is not an npz but " in as_npz.value.problem
        caught.append(as_npz.value)
    for error in caught:
        assert what.strip() in error.problem
        assert error.advice.endswith(".") and not LIBRARIES.search(error.problem)


@pytest.mark.parametrize("cut", [1, 5, 11, 40, 150, -9, -1])
@pytest.mark.parametrize("pack", [gzip.compress, lambda content: content])
def test_a_file_that_ends_early_is_said_to_be_cut_off(tmp_path, cut, pack):
    content = pack(GOOD)[:cut]
    (tmp_path / IMAGES).write_bytes(content)
    with pytest.raises(DataError, match=r"cut off|has only") as caught:
        readers.digest(Part(name=IMAGES, file=tmp_path / IMAGES))
    assert not LIBRARIES.search(caught.value.problem)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (range(1, 27), "1 to 26, as in EMNIST letters"),
        (range(47), "0 to 46, as in EMNIST balanced and bymerge"),
        ((0, 3, 4, 200), "0, 3, 4 and 200"),
        ((3, 10), "3 and 10"),
        ((12,), "12"),
    ],
)
@pytest.mark.parametrize("dtype", [None, "u1", "<i8", ">i2"])
def test_all_labels_that_occur_are_named(tmp_path, labels, words, dtype):
    array = np.resize(np.array(labels), 5000)
    if dtype:
        part = Part(name=LABELS, file=tmp_path / "a.npz", key="y_train")
        np.savez(part.file, y_train=array.astype(dtype))
    else:
        part = Part(name=LABELS, file=tmp_path / "a")
        part.file.write_bytes(readers.encode_head(array.shape) + array.astype(np.uint8).tobytes())
    with pytest.raises(DataError) as caught:
        readers.digest(part)
    assert caught.value.problem.endswith(f"has labels outside 0 to 9: they are {words}.")
    if len(labels) > 10:
        assert "Only 10 classes are supported" in caught.value.advice
    else:
        names = {"np": np, "y": array}
        exec(caught.value.advice.split("\n\n")[1], names)
        np.savez(tmp_path / "a.npz", y_train=names["y"])
        found = readers.read(Part(name=LABELS, file=tmp_path / "a.npz", key="y_train"))[0]
        assert set(found.tolist()) == set(range(len(labels)))


def test_labels_without_end_are_counted_and_not_listed(tmp_path):
    np.savez(tmp_path / "a.npz", y_train=np.arange(-300_000, 300_000))
    with pytest.raises(DataError, match="more than 1,000 different ones"):
        readers.digest(Part(name=LABELS, file=tmp_path / "a.npz", key="y_train"))


# The advice, followed


def advised(part: Part) -> str:
    with pytest.raises(DataError) as caught:
        readers.digest(part)
    return caught.value.advice


@pytest.mark.parametrize("scale", [1, 255.0])
@pytest.mark.parametrize("shape", [(-1, 28, 28), (-1, 784), (-1, 28, 28, 1)])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i8"])
def test_images_of_other_numbers_are_converted_by_the_advice(tmp_path, scale, shape, dtype):
    exact = np.resize(np.arange(256, dtype=np.uint8), (4, 28, 28))
    x = (exact / scale if dtype[0] == "f" else exact).astype(dtype).reshape(shape)
    part = Part(name=IMAGES, file=tmp_path / "a.npz", key="x_train")
    np.savez(part.file, x_train=x)
    names = {"x": x}
    exec(advised(part).split("\n\n")[1], names)
    np.savez(part.file, x_train=names["x"])
    np.testing.assert_array_equal(readers.read(part)[0], exact)


ONE_HOT = np.eye(10)[[3, 1, 4]]


@pytest.mark.parametrize(
    "y", [ONE_HOT, ONE_HOT.astype(int), np.array([[3], [1], [4]]), np.float32([3, 1, 4])]
)
def test_labels_of_other_forms_are_converted_by_the_advice(tmp_path, y):
    part = Part(name=LABELS, file=tmp_path / "a.npz", key="y_train")
    np.savez(part.file, y_train=y)
    names = {"y": y}
    exec(advised(part).split("\n\n")[1], names)
    np.savez(part.file, y_train=names["y"])
    assert readers.read(part)[0].tolist() == [3, 1, 4]


def run_lines(advice: str, folder: Path, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    exec(advice.split("\n\n")[1], {})


def make_sets() -> dict[str, np.ndarray]:
    chance = np.random.default_rng(0)
    made = {}
    for name, count in zip(NAMES, (120, 120, 20, 20), strict=True):
        shape, values = ((count, 28, 28), 256) if "images" in name else ((count,), 10)
        made[name] = chance.integers(0, values, shape).astype(np.uint8)
    return made


@pytest.mark.parametrize("white", [255, 256])
@pytest.mark.parametrize("ending", [".pkl", ".pkl.gz"])
def test_the_pickle_of_the_course_is_converted_by_the_advice(tmp_path, monkeypatch, white, ending):
    """The published one has 256 for white; both forms give the bytes of the original files back."""
    images, labels, test_images, test_labels = make_sets().values()
    pairs = (images[:100], labels[:100]), (images[100:], labels[100:]), (test_images, test_labels)
    sets = tuple(((x.reshape(-1, 784) / white).astype("f4"), y.astype("i8")) for x, y in pairs)
    file = tmp_path / f"mnist{ending}"
    content = pickle.dumps(sets, 2)
    file.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    with pytest.raises(DataError, match="pickle, which is never opened, since it can run any code") as caught:
        sources.find(data=str(file))
    run_lines(caught.value.advice, tmp_path, monkeypatch)
    checksums = {
        name: hashlib.sha256(readers.encode_head(array.shape) + array.tobytes()).hexdigest()
        for name, array in make_sets().items()
    }
    monkeypatch.setitem(PUBLISHED, "mnist", dataclasses.replace(PUBLISHED["mnist"], checksums=checksums))
    assert sources.find("mnist", str(tmp_path / "converted.npz")).checksums == checksums


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_qmnists_labels_are_converted_by_the_advice(tmp_path, monkeypatch, ending):
    arrays = make_sets()
    for name, array in arrays.items():
        name = f"qmnist-{name.replace('t10k', 'test')}"
        content = readers.encode_head(array.shape) + array.tobytes()
        if "labels" in name:
            name = name.replace("idx1-ubyte", "idx2-int")
            table = np.full((len(array), 8), 77, ">i4")
            table[:, 0] = array
            content = bytes([0, 0, 12, 2]) + np.array(table.shape, ">u4").tobytes() + table.tobytes()
        (tmp_path / f"{name}{ending}").write_bytes(gzip.compress(content) if ending else content)
    for _ in range(2):
        with pytest.raises(DataError, match="QMNIST") as caught:
            sources.find(data=str(tmp_path))
        run_lines(caught.value.advice, tmp_path, monkeypatch)
    source = sources.find(data=str(tmp_path))
    assert source.name == "qmnist" and source.notes == ()
    loaded = source.load()
    assert [*loaded.train.labels, *loaded.validation.labels] == arrays[LABELS].tolist()
    for file in tmp_path.glob("*-idx1-ubyte"):  # what was converted comes first, packed, too
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    assert sources.find(data=str(tmp_path)).checksums == source.checksums


@pytest.mark.parametrize("head", ["", "label," + ",".join(f"pixel{n}" for n in range(784)) + "\n"])
def test_a_table_is_converted_by_the_advice(tmp_path, monkeypatch, head):
    images, labels = list(make_sets().values())[:2]
    rows = np.column_stack([labels, images.reshape(-1, 784)])
    (tmp_path / "train.csv").write_text(head + "\n".join(",".join(map(str, row)) for row in rows.tolist()))
    with pytest.raises(DataError, match="CSV") as caught:
        sources.find(data=str(tmp_path / "train.csv"))
    monkeypatch.chdir(tmp_path)
    names = {"numpy": np}
    exec(re.search(r"with (t = .*?\));", caught.value.advice)[1], names)
    t = names["t"]
    np.testing.assert_array_equal(t[:, 1:].reshape(-1, 28, 28), images)
    np.testing.assert_array_equal(t[:, 0], labels)
