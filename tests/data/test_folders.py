"""Where the files of a data set are found, and what is said where they are not."""

import gzip
import zipfile
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lenetcli import files
from lenetcli.data import file_sets, listings, readers, sources
from lenetcli.data.readers import NAMES
from lenetcli.errors import DataError

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = NAMES
CONTENT = {
    name: readers.encode_head((count, 28, 28)) + bytes(range(196)) * 4 * count
    if "images" in name
    else readers.encode_head((count,)) + bytes(n % 10 for n in range(count))
    for name, count in zip(NAMES, (120, 120, 6, 6), strict=True)
}
DIGITS = {name: f"emnist-digits-{name.replace('t10k', 'test')}" for name in NAMES}
DOTTED = {name: name.replace("-idx", ".idx") for name in NAMES}
WRAPPED = {name: f"{name}/{name}" for name in NAMES}


@pytest.fixture(autouse=True)
def surroundings(tmp_path_factory, monkeypatch):
    monkeypatch.setenv(files.CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv(files.DATA_VARIABLE, raising=False)


def pack(path: str, content: bytes) -> bytes:
    return gzip.compress(content) if path.endswith(".gz") else content


def write(folder: Path, names: dict[str, str] | None = None, ending: str = "", **changed: bytes) -> Path:
    """Write a set in a folder, each file by its part under a name of its own."""
    for part, path in (names or dict(zip(NAMES, NAMES, strict=True))).items():
        file = folder / (path + ending)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pack(file.name, CONTENT[part]))
    return folder


def write_zip(file: Path, paths: dict[str, str], extra: dict[str, bytes] | None = None, **how) -> Path:
    with zipfile.ZipFile(file, "w", **{"compression": zipfile.ZIP_DEFLATED, **how}) as archive:
        for part, path in paths.items():
            archive.writestr(path, pack(path, CONTENT[part]))
        for path, content in (extra or {}).items():
            archive.writestr(path, content)
    return file


def find(place: Path) -> sources.DataSource:
    source = sources.find(data=str(place))
    assert source.load().test is not None
    return source


def refused(place: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        sources.find(data=str(place))
    assert caught.value.problem.endswith(".") and caught.value.advice.endswith(".")
    return caught.value


@pytest.mark.parametrize(
    ("names", "folder", "asked", "name"),
    [
        (None, "data/MNIST/raw", "data", "MNIST (other)"),
        (None, "data/MNIST/raw", "data/MNIST", "MNIST (other)"),
        (None, "data/FashionMNIST/raw", "data/FashionMNIST/raw", "FashionMNIST"),
        (DIGITS, "data/gzip", "data", "emnist-digits"),
        (WRAPPED, "data", "data", "data"),
        (WRAPPED, "data", f"data/{TRAIN_IMAGES}", "data"),
        (WRAPPED, "data", f"data/{TEST_LABELS}/{TEST_LABELS}", "data"),
        (WRAPPED, "data/archive", "data", "archive"),
        ({part: f"{path}/{path}" for part, path in DOTTED.items()}, "data", "data", "data"),
        (None, "data", f"data/{TEST_IMAGES}", "data"),
        (DIGITS, "data/gzip", f"data/gzip/{DIGITS[TRAIN_LABELS]}", "emnist-digits"),
    ],
)
def test_the_only_set_is_found_where_others_have_it(tmp_path, names, folder, asked, name):
    write(tmp_path / folder, names)
    source = find(tmp_path / asked)
    assert (source.name, source.origin) == (name, str(tmp_path / folder))
    assert source.checksums == sources.find(data=str(write(tmp_path / "same"))).checksums
    is_below = folder != asked and not (tmp_path / asked).is_file() and asked.count("/") < folder.count("/")
    notes = " ".join(source.notes)
    assert (f"The data set in '{tmp_path / folder}' is used" in notes) == is_below
    assert ("is one file of a data set" in notes) == ("idx" in asked)
    assert ("transposed" in notes) == (names == DIGITS)


def test_of_several_sets_each_is_offered_as_it_is_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    letters = {part: name.replace("digits", "letters") for part, name in DIGITS.items()}
    for folder, names in (("a b/raw", None), ("gzip", DIGITS), ("gzip", letters)):
        write(tmp_path / folder, names)
    error = refused(tmp_path)
    assert "holds 3 data sets" in error.problem
    options = error.advice.removeprefix("Choose one, as with ").removesuffix(".")
    assert options.replace(" or ", ", ").split(", ") == [
        f"--data gzip/{DIGITS[TRAIN_IMAGES]}",
        f"--data gzip/{letters[TRAIN_IMAGES]}",
        "--data 'a b/raw'",
    ]
    assert find(tmp_path / "gzip" / DIGITS[TRAIN_IMAGES]).name == "emnist-digits"
    write(tmp_path)  # what lies at the top is meant
    assert find(tmp_path).origin == str(tmp_path)


def test_files_of_one_part_that_differ_are_told_of(tmp_path):
    write(tmp_path, ending=".gz")
    write(tmp_path)
    assert find(tmp_path).notes == ()
    (tmp_path / TRAIN_IMAGES).write_bytes(CONTENT[TRAIN_IMAGES][:-1] + b"\x77")
    source = find(tmp_path)
    (note,) = source.notes
    assert f"{TRAIN_IMAGES} is used, and {TRAIN_IMAGES}.gz has another content" in note
    assert source.load().validation.images[-1, -1, -1] == 0x77
    named = find(tmp_path / f"{TRAIN_IMAGES}.gz")  # the file that was named is used
    assert named.load().validation.images[-1, -1, -1] == 195
    assert f"{TRAIN_IMAGES}.gz is used, and {TRAIN_IMAGES} has another content" in named.notes[-1]


def test_what_a_folder_holds_is_listed(tmp_path):
    assert "it is empty." in refused(tmp_path).problem
    for number in range(8):
        (tmp_path / f"file{number}").touch()
    (tmp_path / ".hidden").touch()
    (tmp_path / "some").mkdir()
    assert refused(tmp_path).problem.endswith("it holds file0, file1, file2, file3, file4 and 5 others.")
    archive = write_zip(tmp_path / "archive 1.zip", dict(zip(NAMES, NAMES, strict=True)))
    assert f"type --data '{archive}'." in refused(tmp_path).advice
    assert find(archive).name == "archive 1"
    write(tmp_path / "some", {TRAIN_IMAGES: TRAIN_IMAGES})
    error = refused(tmp_path)
    assert error.problem == f"'{tmp_path / 'some'}' has no {TRAIN_LABELS}; it holds {TRAIN_IMAGES}."


def test_a_search_below_a_folder_ends(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    for number in range(40):
        (tmp_path / "a" / str(number)).touch()
    write(tmp_path / "b")
    write(tmp_path / ".cache")
    write(tmp_path, {name: f"._{path}" for name, path in DIGITS.items()})
    write(tmp_path / "c" / "d" / "e")
    assert find(tmp_path).origin == str(tmp_path / "b")
    monkeypatch.setattr(listings, "MOST_ENTRIES", 20)
    assert "it holds .cache/" not in refused(tmp_path).problem
    monkeypatch.setattr(listings, "MOST_ENTRIES", 2)
    write(tmp_path)  # the folder itself is seen in full
    assert find(tmp_path).origin == str(tmp_path)


@pytest.mark.parametrize(
    ("asked", "words", "advice"),
    [
        ("mnits/raw", "holds data.npz and mnist/.", "Did you mean mnist/raw?"),
        ("MNIST/raw", "", "Did you mean mnist/raw?"),
        ("mnist/rawe", "/mnist' holds raw/.", "Did you mean mnist/raw?"),
        ("else", "holds data.npz and mnist/.", "Check --data"),
        ("data.npz/raw", "data.npz' is a file.", "Check --data"),
        ("link", "is a link to 'nowhere', which does not exist.", "Check --data"),
        ("x\0y", "There is nothing at", "Check --data"),
    ],
)
def test_a_path_that_does_not_exist_is_explained(tmp_path, monkeypatch, asked, words, advice):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist" / "raw").mkdir(parents=True)
    (tmp_path / "data.npz").touch()
    if asked == "link":
        (tmp_path / "link").symlink_to("nowhere")
    if asked.startswith("MNIST") and (tmp_path / "MNIST").exists():
        pytest.skip("names do not differ by case here")
    error = refused(Path(asked))
    assert words in error.problem and error.advice.startswith(advice)


# Zip archives


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("form", ["{}", "archive/{}", "MNIST/raw/{}", "{0}/{0}", "emnist-mnist-{}"])
def test_a_zip_of_the_files_is_the_data_set_of_the_files(tmp_path, ending, form):
    paths = {name: form.format(name) + ending for name in NAMES}
    junk = {
        f"__MACOSX/{path.rpartition('/')[0]}/._{path.rpartition('/')[2]}": b"junk" for path in paths.values()
    }
    file = write_zip(tmp_path / "mine.zip", paths, junk | {"readme.txt": b"", "archive/": b""})
    source = find(file)
    is_emnist = form.startswith("emnist")
    assert (source.name, source.origin) == ("emnist-mnist" if is_emnist else "mine", str(file))
    assert ["transposed" in note for note in source.notes] == [True] * is_emnist
    assert source.checksums == find(write(tmp_path / "same")).checksums
    assert [entry.name for entry in tmp_path.iterdir() if entry.name != "same"] == ["mine.zip"]


def test_a_zip_with_each_file_twice_as_kaggle_has_it(tmp_path):
    twice = {name: CONTENT[name] for name in NAMES}
    twice = {f"{name}/{name}": content for name, content in twice.items()}
    assert find(write_zip(tmp_path / "archive.zip", DOTTED, twice)).notes == ()
    twice[f"{TEST_LABELS}/{TEST_LABELS}"] = CONTENT[TEST_LABELS][:-1] + b"\x07"
    (note,) = find(write_zip(tmp_path / "other.zip", DOTTED, twice)).notes
    assert f"{DOTTED[TEST_LABELS]} is used, and {TEST_LABELS}/{TEST_LABELS} has another content" in note


def test_a_zip_that_changes_is_read_again(tmp_path):
    file = write_zip(tmp_path / "a.zip", {name: name for name in NAMES})
    before = find(file)
    changed = {TRAIN_IMAGES: CONTENT[TRAIN_IMAGES][:-1] + b"\x77"}
    write_zip(file, {name: name for name in NAMES[1:]}, changed)
    assert find(file).sha256 != before.sha256
    with pytest.raises(DataError, match="changed"):
        before.load()
    write_zip(file, {name: f"b/{name}" for name in NAMES})
    with pytest.raises(DataError, match="no longer there"):
        before.load()


def encrypt(content: bytes) -> bytes:
    harmed = bytearray(content)
    for start, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = -1
        while (at := harmed.find(start, at + 1)) >= 0:
            harmed[at + offset] |= 1
    return bytes(harmed)


def flip(content: bytes) -> bytes:
    return content[:5000] + bytes([content[5000] ^ 1]) + content[5001:]


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (encrypt, "is encrypted"),
        (flip, "is damaged: its checksum is wrong"),
        (lambda content: content[: len(content) // 2], "is cut off"),
        (lambda content: content[:2], "is not an npz"),
        (lambda content: b"", "is empty"),
    ],
)
def test_what_is_wrong_with_a_zip_is_said(tmp_path, harm, words):
    file = write_zip(tmp_path / "a.zip", {name: name for name in NAMES}, compression=zipfile.ZIP_STORED)
    file.write_bytes(harm(file.read_bytes()))
    assert words in refused(file).problem


@pytest.mark.parametrize(
    ("members", "words", "advice"),
    [
        (["mnist_train.csv", "mnist_test.csv"], "it holds mnist_test.csv and mnist_train.csv.", "Wanted"),
        (["mnist.npz", "__MACOSX/._mnist.npz", "a/"], "it holds mnist.npz.", "Unpack it"),
        (
            ["archive/data.pkl", "archive/version"],
            "a file of PyTorch, a pickle, which is never opened",
            "Save",
        ),
        (
            ["images.npy", "labels.npy"],
            "no x_train and no y_train; it holds images and labels.",
            "Wanted",
        ),
        ([f"{part}/{name}" for part in "ab" for name in NAMES], "holds 2 data sets, as a and b", "Unpack it"),
        ([f"{number}.png" for number in range(30_000)], "holds thousands of files", "Give the folder"),
    ],
)
def test_what_a_zip_holds_instead_is_said(tmp_path, members, words, advice):
    file = write_zip(tmp_path / "a.zip", {}, dict.fromkeys(members, b""))
    error = refused(file)
    assert words in error.problem and error.advice.startswith(advice)


def test_a_zip_packed_by_other_means_is_refused(tmp_path):
    file = write_zip(tmp_path / "a.zip", {name: name for name in NAMES}, compression=zipfile.ZIP_BZIP2)
    assert "is packed with bzip2" in refused(file).problem


# Names


WORDS = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), max_size=4)


@settings(max_examples=50)
@given(
    prefix=WORDS,
    folder=st.lists(WORDS.filter(lambda word: word.strip(".")), max_size=2).map("/".join),
    part=st.sampled_from(NAMES),
    dotted=st.booleans(),
    ending=st.sampled_from(["", ".gz"]),
    test=st.sampled_from(["t10k", "test"]),
)
def test_the_parts_of_any_name_are_understood(prefix, folder, part, dotted, ending, test):
    name = (f"{prefix}-" if prefix else "") + part.replace("t10k", test) + ending
    name = name.replace("-idx", ".idx") if dotted and "idx" not in prefix else name
    path = f"{folder}/{name}" if folder else name
    assume("\n" not in prefix and not prefix.startswith("._"))
    (found,) = file_sets.group([path, f"{folder}/other"])
    assert (found.folder, found.prefix, found.paths) == (folder, prefix, {part: [path]})
    assert file_sets.belongs(name)
    assert not file_sets.belongs(f"{name}.txt") and not file_sets.belongs(f"._{name}")
