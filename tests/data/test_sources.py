"""Finding, knowing, splitting and loading data, through the room's front door."""

import dataclasses
import functools
import gzip
import hashlib
import http.server
import json
import os
import socketserver
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from lenetcli import files
from lenetcli.data import digits, downloads, readers, sources
from lenetcli.data.published import FASHION_MNIST, KMNIST, MNIST, PUBLISHED, Mirror
from lenetcli.data.shuffling import shuffle
from lenetcli.errors import DataError, UsageError

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = readers.NAMES
REAL = os.environ.get(files.DATA_VARIABLE)


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch) -> Path:
    """A cache and a Keras of the test's own, no network; returns the cache."""
    cache = tmp_path / "cache"
    monkeypatch.setenv(files.CACHE_VARIABLE, str(cache))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv(sources.OFFLINE_VARIABLE, "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv(files.DATA_VARIABLE, raising=False)
    return cache


def make_arrays(train: int = 120, test: int = 20, seed: int = 0) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(seed)
    made = {}
    for name, count in zip(readers.NAMES, (train, train, test, test), strict=True):
        shape, values = ((count, 28, 28), 256) if "images" in name else ((count,), 10)
        made[name] = chance.integers(0, values, shape).astype(np.uint8)
    return {name: array for name, array in made.items() if len(array)}


def encode(array: np.ndarray) -> bytes:
    return readers.encode_head(array.shape) + array.tobytes()


def write_folder(folder: Path, arrays: dict[str, np.ndarray], form: str = "{}") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        content = encode(array)
        (folder / form.format(name)).write_bytes(
            gzip.compress(content, mtime=0) if form.endswith(".gz") else content
        )
    return folder


def write_npz(file: Path, arrays: dict[str, np.ndarray]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(file, **{readers.KEYS[name]: array for name, array in arrays.items()})
    return file


def alter(monkeypatch, name: str, **facts) -> None:
    """Let other facts hold of a published data set in this test."""
    monkeypatch.setitem(PUBLISHED, name, dataclasses.replace(PUBLISHED[name], **facts))


@pytest.fixture
def published(monkeypatch) -> dict[str, np.ndarray]:
    """Arrays that count as the real MNIST in this test."""
    arrays = make_arrays(seed=99)
    sums = {name: hashlib.sha256(encode(array)).hexdigest() for name, array in arrays.items()}
    alter(monkeypatch, "mnist", checksums=sums)
    return arrays


def refused(**asked) -> DataError:
    with pytest.raises(DataError) as caught:
        sources.find(**asked)
    assert caught.value.problem.endswith(".") and caught.value.advice.endswith(".")
    return caught.value


# What is found


@pytest.mark.parametrize("folder", ["letters", "a b #1 100%", "ü?$HOME", "%20"])
@pytest.mark.parametrize("form", ["{}", "{}.gz", "dot", "dot.gz"])
def test_a_folder_is_found_split_and_loaded(tmp_path, folder, form):
    arrays = make_arrays(123, 7)
    place = tmp_path / folder
    if form.startswith("dot"):
        dotted = {name.replace("-idx", ".idx"): array for name, array in arrays.items()}
        write_folder(place, dotted, form.replace("dot", "{}"))
    else:
        write_folder(place, arrays, form)
    source = sources.find(data=str(place))
    assert (source.name, source.origin, source.warning) == (folder, str(place), None)
    assert (source.counts.train, source.counts.validation, source.counts.test) == (103, 20, 7)
    loaded = source.load()
    np.testing.assert_array_equal(loaded.train.images, arrays[TRAIN_IMAGES][:103])
    np.testing.assert_array_equal(loaded.train.labels, arrays[TRAIN_LABELS][:103])
    np.testing.assert_array_equal(loaded.validation.images, arrays[TRAIN_IMAGES][103:])
    np.testing.assert_array_equal(loaded.validation.labels, arrays[TRAIN_LABELS][103:])
    np.testing.assert_array_equal(loaded.test.images, arrays[TEST_IMAGES])
    np.testing.assert_array_equal(loaded.test.labels, arrays[TEST_LABELS])
    assert all(array.flags.c_contiguous for array in (loaded.train.images, loaded.validation.images))


def test_one_data_set_has_one_hash_whatever_holds_it(tmp_path):
    arrays = make_arrays()
    places = [
        write_folder(tmp_path / "plain", arrays),
        write_folder(tmp_path / "zipped", arrays, "{}.gz"),
        write_npz(tmp_path / "all.npz", arrays),
        write_npz(tmp_path / "wide.npz", arrays | {TRAIN_LABELS: arrays[TRAIN_LABELS].astype(np.int64)}),
    ]
    found = [sources.find(data=str(place)) for place in places]
    assert len({source.sha256 for source in found}) == 1
    assert [source.name for source in found] == ["plain", "zipped", "all", "wide"]
    assert found[0].checksums == {
        name: hashlib.sha256(encode(array)).hexdigest() for name, array in arrays.items()
    }
    other = sources.find(data=str(write_folder(tmp_path / "other", make_arrays(seed=1))))
    assert other.sha256 != found[0].sha256


def test_content_decides_what_is_gzip(tmp_path):
    folder = write_folder(tmp_path / "odd", make_arrays())
    for name in readers.NAMES:
        (folder / name).rename(folder / f"{name}.gz")
    assert sources.find(data=str(folder)).counts.train == 100


@pytest.mark.parametrize("form", ["folder", "npz"])
def test_without_test_files_there_is_no_test_set(tmp_path, form):
    arrays = make_arrays(test=0)
    place = (
        write_folder(tmp_path / "a", arrays) if form == "folder" else write_npz(tmp_path / "a.npz", arrays)
    )
    source = sources.find(data=str(place))
    assert source.counts.test == 0 and set(source.checksums) == {TRAIN_IMAGES, TRAIN_LABELS}
    assert source.load().test is None


def test_the_environment_names_data_and_the_option_comes_first(tmp_path, monkeypatch):
    one, two = (write_folder(tmp_path / name, make_arrays()) for name in ("one", "two"))
    monkeypatch.setenv(files.DATA_VARIABLE, str(one))
    assert sources.find().name == "one"
    assert sources.find(data=str(two)).name == "two"
    assert sources.find("synthetic").name == "synthetic"


def test_a_relative_path_is_named_by_where_it_leads(tmp_path, monkeypatch):
    write_folder(tmp_path / "mine" / "inner", make_arrays())
    write_folder(tmp_path / "mine", make_arrays())
    monkeypatch.chdir(tmp_path / "mine")
    assert sources.find(data=".").name == "mine"
    monkeypatch.chdir(tmp_path / "mine" / "inner")
    assert sources.find(data="..").name == "mine"


@pytest.mark.parametrize("name", ["mnist", "MNIST", "synthetic", "auto"])
def test_other_data_never_goes_by_a_reserved_name(tmp_path, name):
    assert sources.find(data=str(write_folder(tmp_path / name, make_arrays()))).name == f"{name} (other)"
    assert (
        sources.find(data=str(write_npz(tmp_path / f"{name}.npz", make_arrays()))).name == f"{name} (other)"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="names there are bytes")
def test_a_name_that_is_no_text_becomes_one(tmp_path):
    place = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    name = sources.find(data=str(write_folder(Path(place), make_arrays()))).name
    assert name.encode("utf-8") == rb"caf\udce9"


def test_the_real_one_is_known_by_its_content(tmp_path, published):
    place = str(write_folder(tmp_path / "whatever", published))
    assert sources.find(data=place).name == sources.find("mnist", place).name == "mnist"
    tampered = published | {TEST_LABELS: (published[TEST_LABELS] + 1) % 10}
    assert sources.find(data=str(write_folder(tmp_path / "tampered", tampered))).name == "tampered"
    assert "not the real MNIST" in refused(dataset="mnist", data=str(tmp_path / "tampered")).problem


# What is refused


def test_an_unknown_data_set_is_refused():
    with pytest.raises(UsageError, match="auto, mnist, fashion-mnist, kmnist, synthetic"):
        sources.find("cifar")


def test_synthetic_and_a_path_exclude_each_other(tmp_path):
    with pytest.raises(UsageError, match="synthetic"):
        sources.find("synthetic", str(tmp_path))


def test_nothing_there_is_said(tmp_path):
    assert "nowhere" in refused(data=str(tmp_path / "nowhere")).problem
    assert "nothing at ''" in refused(data="").problem
    assert "nothing at" in refused(data="x" * 5000).problem


def test_a_folder_without_the_files_says_which_are_wanted(tmp_path):
    error = refused(data=str(tmp_path))
    assert TRAIN_IMAGES in error.problem and TRAIN_LABELS in error.problem
    assert TEST_IMAGES in error.advice and "gz" in error.advice
    place = write_folder(tmp_path / "half", make_arrays())
    (place / TEST_LABELS).unlink()
    kept = f"{TEST_IMAGES}, {TRAIN_IMAGES} and {TRAIN_LABELS}"
    assert refused(data=str(place)).problem == f"'{place}' has no {TEST_LABELS}; it holds {kept}."


def test_an_npz_without_the_keys_says_which_are_wanted(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros(3))
    error = refused(data=str(tmp_path / "a.npz"))
    assert "x_train" in error.problem and "y_train" in error.problem


def test_what_is_no_npz_is_refused(tmp_path):
    (tmp_path / "page.npz").write_text("<!DOCTYPE html>")
    assert "web page" in refused(data=str(tmp_path / "page.npz")).problem


@pytest.mark.parametrize("name", [TRAIN_LABELS, TEST_LABELS])
def test_different_counts_are_refused(tmp_path, name):
    arrays = make_arrays()
    place = write_folder(tmp_path / "a", arrays | {name: arrays[name][:-1]})
    problem = refused(data=str(place)).problem
    assert str(place / name) in problem and f"{len(arrays[name]) - 1} labels" in problem


def test_a_hundred_images_do_and_fewer_do_not(tmp_path):
    source = sources.find(data=str(write_folder(tmp_path / "enough", make_arrays(100, 1))))
    assert (source.counts.train, source.counts.validation, source.counts.test) == (84, 16, 1)
    assert "99 training images" in refused(data=str(write_folder(tmp_path / "few", make_arrays(99)))).problem


def test_damage_in_any_file_is_named(tmp_path):
    for name in readers.NAMES:
        place = write_folder(tmp_path / f"damaged {name}", make_arrays())
        with (place / name).open("r+b") as file:
            file.truncate(50)
        assert str(place / name) in refused(data=str(place)).problem


# The cache of identities


@pytest.mark.parametrize("form", ["folder", "npz"])
def test_asking_again_reads_no_data_and_imports_no_numpy(tmp_path, form):
    """The first time, NumPy reads the headers of an npz; those of IDX files need none."""
    arrays = make_arrays()
    place = (
        write_folder(tmp_path / "a", arrays) if form == "folder" else write_npz(tmp_path / "a.npz", arrays)
    )
    ask = (
        "import sys; from lenetcli.data import readers, sources;"
        "readers.digest = None if sys.argv[2] == 'cached' else readers.digest;"
        "print(sources.find(data=sys.argv[1]).sha256);"
        "assert not {*sys.argv[3:]} & set(sys.modules)"
    )
    absent = {"first": ["pooch", "requests"], "cached": ["pooch", "requests", "numpy"]}
    absent["first"] += ["numpy"] if form == "folder" else []
    shown = [
        subprocess.run(
            [sys.executable, "-c", ask, place, how, *names], capture_output=True, text=True, check=True
        ).stdout
        for how, names in absent.items()
    ]
    assert shown[0] == shown[1] == sources.find(data=str(place)).sha256 + "\n"


def test_a_changed_file_is_read_again(tmp_path):
    place = write_folder(tmp_path / "a", make_arrays())
    before = sources.find(data=str(place))
    write_folder(place, make_arrays(150))
    after = sources.find(data=str(place))
    assert before.sha256 != after.sha256 and after.counts.train == 125


def test_a_file_in_the_place_of_another_of_the_same_size_and_time_is_read_again(tmp_path):
    place = write_folder(tmp_path / "a", make_arrays())
    source = sources.find(data=str(place))
    write_folder(tmp_path / "b", make_arrays(seed=5))
    for name in readers.NAMES:
        state = (place / name).stat()
        (tmp_path / "b" / name).replace(place / name)
        os.utime(place / name, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert sources.find(data=str(place)).sha256 != source.sha256
    with pytest.raises(DataError, match="changed"):
        source.load()


def test_what_the_file_system_does_not_tell_is_seen_when_all_is_read(tmp_path, surroundings):
    place = write_folder(tmp_path / "a", make_arrays())
    source = sources.find(data=str(place))
    entries = json.loads((surroundings / "identities.json").read_text())
    write_folder(place, make_arrays(seed=5))
    for name in readers.NAMES:  # as on a file system without numbers and times of change
        state = (place / name).stat()
        stamp = [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]
        entries[f"{name} in {place / name}"][0] = stamp
    (surroundings / "identities.json").write_text(json.dumps(entries))
    assert sources.find(data=str(place)).sha256 == source.sha256
    assert sources.find(data=str(place), afresh=True).sha256 != source.sha256
    (surroundings / "identities.json").write_text(json.dumps(entries))
    for _ in range(2):
        with pytest.raises(DataError, match="changed"):
            source.load()
    assert sources.find(data=str(place)).load().train.images.any()


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"a": 1}', "[" * 100_000, "\x00", "half"])
def test_a_damaged_cache_is_ignored(tmp_path, surroundings, content):
    place = write_folder(tmp_path / "a", make_arrays())
    wanted = sources.find(data=str(place))
    file = surroundings / "identities.json"
    known = json.loads(file.read_text())
    file.write_text(json.dumps(known)[:100] if content == "half" else content)
    assert sources.find(data=str(place)) == wanted
    file.write_text(json.dumps({key: [entry[0], "2", None, [], 5] for key, entry in known.items()}))
    assert sources.find(data=str(place)) == wanted
    assert json.loads(file.read_text()) == known


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, surroundings):
    surroundings.write_text("a file where the cache folder belongs")
    place = write_folder(tmp_path / "a", make_arrays())
    assert sources.find(data=str(place)).load().train.images.shape == (100, 28, 28)
    assert "synthetic digits" in sources.find().warning


# MNIST, from this machine or the network


def test_lenetclis_own_copy_comes_before_keras_copy(tmp_path, surroundings, published):
    write_npz(tmp_path / "keras" / "datasets" / "mnist.npz", published)
    assert sources.find().origin == str(tmp_path / "keras" / "datasets" / "mnist.npz")
    write_npz(surroundings / "mnist.npz", published)
    assert sources.find("mnist").origin == str(surroundings / "mnist.npz")


def test_a_copy_that_is_damaged_or_other_data_is_passed_over(tmp_path, surroundings, published):
    surroundings.mkdir()
    (surroundings / "mnist.npz").write_text("<html>")
    write_npz(tmp_path / "keras" / "datasets" / "mnist.npz", make_arrays())
    problem = refused(dataset="mnist").problem
    assert "web page" in problem and "is not the real MNIST" in problem
    write_folder(surroundings / "mnist", published, "{}.gz")
    assert sources.find("mnist").origin == str(surroundings / "mnist")


def test_without_mnist_auto_takes_the_synthetic_digits_and_says_so():
    source = sources.find(offline=True)
    assert source.name == "synthetic" and "not MNIST" in source.warning and "--data" in source.warning
    assert "not on this machine" in refused(dataset="mnist").problem


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A folder that a server on this machine serves as both mirrors, and what was asked of it."""
    monkeypatch.delenv(sources.OFFLINE_VARIABLE)
    folder = tmp_path / "served"
    folder.mkdir()
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, _format, *args):
            asked.append(str(args[0]).split()[1] if " " in str(args[0]) else str(args[0]))

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    npz = Mirror(url=f"{url}/tf/mnist.npz", sha256="0" * 64)
    alter(monkeypatch, "mnist", mirrors=(npz, Mirror(url=f"{url}/idx/")))
    for one in (FASHION_MNIST, KMNIST):
        mirrors = tuple(Mirror(url=f"{url}/{one.name}/{n}/") for n in range(len(one.mirrors)))
        alter(monkeypatch, one.name, mirrors=mirrors)
    yield folder, asked
    server.shutdown()
    thread.join()
    server.server_close()


def list_cache(cache: Path) -> set[str]:
    return {str(file.relative_to(cache)) for file in cache.rglob("*") if file.is_file()} - {"identities.json"}


def test_mnist_is_downloaded_once(surroundings, mirror, published, monkeypatch, capfd):
    folder, asked = mirror
    content = write_npz(folder / "tf" / "mnist.npz", published).read_bytes()
    npz = dataclasses.replace(PUBLISHED["mnist"].mirrors[0], sha256=hashlib.sha256(content).hexdigest())
    alter(monkeypatch, "mnist", mirrors=(npz,))
    reports = []
    source = sources.find("mnist", report=lambda *news: reports.append(news))
    assert source.origin == str(surroundings / "mnist.npz") and source.warning is None
    assert reports[-1] == ("mnist.npz", len(content), len(content))
    assert sources.find() == source and asked == ["/tf/mnist.npz"]
    assert list_cache(surroundings) == {"mnist.npz"}
    assert capfd.readouterr() == ("", "")


def test_the_second_mirror_steps_in(surroundings, mirror, published):
    folder, asked = mirror
    write_npz(folder / "tf" / "mnist.npz", published)  # the checksum of the container is another
    write_folder(folder / "idx", published, "{}.gz")
    assert sources.find().origin == str(surroundings / "mnist")
    assert len(asked) == 5
    assert list_cache(surroundings) == {f"mnist/{name}.gz" for name in readers.NAMES}


def test_wrong_files_from_the_mirrors_never_reach_the_cache(surroundings, mirror, published):
    folder, _ = mirror
    wrong = published | {TEST_LABELS: (published[TEST_LABELS] + 1) % 10}
    write_folder(folder / "idx", wrong, "{}.gz")
    problem = refused(dataset="mnist").problem
    assert "answered 404" in problem and "other than MNIST" in problem
    (folder / "idx" / f"{TRAIN_IMAGES}.gz").write_text("<html>log in to this network</html>")
    source = sources.find()
    assert source.name == "synthetic" and "damaged" in source.warning
    assert list_cache(surroundings) == set()


def test_a_download_can_be_stopped_and_leaves_nothing(surroundings, mirror, published):
    folder, _ = mirror
    write_folder(folder / "idx", published, "{}.gz")

    def stop(*_news):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sources.find(report=stop)
    assert list(surroundings.iterdir()) == []


def test_a_mirror_that_sends_without_end_is_left(surroundings, mirror, published, monkeypatch):
    folder, _ = mirror
    (folder / "tf").mkdir()
    (folder / "tf" / "mnist.npz").write_bytes(bytes(300_000))
    monkeypatch.setattr(downloads, "MAX_BYTES", 200_000)
    assert "more than MNIST" in refused(dataset="mnist").problem
    assert list_cache(surroundings) == set()


def test_a_mirror_that_is_silent_is_left(surroundings, mirror, monkeypatch):
    monkeypatch.setattr(downloads, "ANSWER_SECONDS", 0.3)
    with socketserver.TCPServer(("127.0.0.1", 0), None) as silent:
        url = f"http://127.0.0.1:{silent.server_address[1]}/mnist.npz"
        alter(monkeypatch, "mnist", mirrors=(Mirror(url=url, sha256="0" * 64),))
        assert "did not answer within 0.3 seconds" in refused(dataset="mnist").problem


def test_what_a_killed_download_left_is_removed_in_time(surroundings, mirror):
    for name, age in (("download-old", 100_000), ("download-new", 100)):
        (surroundings / name).mkdir(parents=True)
        (surroundings / name / "tmp1").touch()
        moment = surroundings.stat().st_mtime - age
        os.utime(surroundings / name, (moment, moment))
    sources.find()
    assert {entry.name for entry in surroundings.iterdir()} == {"download-new"}


# Other published data sets


def publish_packed(monkeypatch, name: str, arrays: dict[str, np.ndarray]) -> None:
    """Let the ``.gz`` files of arrays have the published sums of a data set."""
    packed = {part: gzip.compress(encode(array), mtime=0) for part, array in arrays.items()}
    md5 = {part: hashlib.md5(content).hexdigest() for part, content in packed.items()}
    sha256 = {part: hashlib.sha256(content).hexdigest() for part, content in packed.items()}
    alter(monkeypatch, name, md5=md5, sha256=sha256, checksums={})


@pytest.mark.parametrize("name", ["fashion-mnist", "kmnist"])
def test_a_published_set_is_downloaded_verified_and_found_again(surroundings, mirror, monkeypatch, name):
    folder, asked = mirror
    arrays = make_arrays(seed=7)
    publish_packed(monkeypatch, name, arrays)
    write_folder(folder / name / "0", arrays, "{}.gz")
    source = sources.find(name)
    assert (source.name, source.origin, source.notes) == (name, str(surroundings / name), ())
    assert sources.find(name, offline=True) == source and len(asked) == 4
    assert sources.find(data=str(surroundings / name)).name == name
    np.testing.assert_array_equal(source.load().test.images, arrays[TEST_IMAGES])
    other = write_folder(surroundings.parent / name, make_arrays(seed=8), "{}.gz")
    assert sources.find(data=str(other)).name == f"{name} (other)"
    assert "cannot be told" in refused(dataset=name, data=str(other)).problem


def test_a_published_set_from_elsewhere_is_refused_or_doubted(surroundings, mirror, monkeypatch):
    folder, _ = mirror
    arrays = make_arrays(seed=7)
    publish_packed(monkeypatch, "kmnist", arrays)
    write_folder(folder / "kmnist" / "0", make_arrays(seed=8), "{}.gz")
    assert "sent something other than KMNIST" in refused(dataset="kmnist").problem
    assert list_cache(surroundings) == set()
    alter(monkeypatch, "kmnist", sha256=dict.fromkeys(readers.NAMES, "0" * 64))
    write_folder(folder / "kmnist" / "0", arrays, "{}.gz")
    notes = sources.find("kmnist").notes
    assert len(notes) == 4 and "not the SHA-256" in notes[0]


def test_a_published_set_is_found_where_keras_leaves_it(tmp_path, monkeypatch):
    arrays = make_arrays(seed=7)
    publish_packed(monkeypatch, "fashion-mnist", arrays)
    place = write_folder(tmp_path / "keras" / "datasets" / "fashion-mnist", arrays, "{}.gz")
    assert sources.find("fashion-mnist").origin == str(place)


def test_a_set_that_is_named_is_looked_for_beyond_what_the_environment_names(tmp_path, monkeypatch):
    arrays = make_arrays(seed=7)
    publish_packed(monkeypatch, "kmnist", arrays)
    other = write_folder(tmp_path / "other", make_arrays())
    real = write_folder(tmp_path / "real", arrays, "{}.gz")
    monkeypatch.setenv(files.DATA_VARIABLE, str(other))
    problem = refused(dataset="kmnist", offline=True).problem
    assert "KMNIST is not on this machine" in problem and f"'{other}' is not the real KMNIST" in problem
    assert "cannot be told" in refused(dataset="kmnist", data=str(other)).problem
    left = write_folder(tmp_path / "data" / "KMNIST" / "raw", arrays, "{}.gz")
    monkeypatch.chdir(tmp_path)
    source = sources.find("kmnist", offline=True)
    assert source.origin == str(left) and "left aside" in source.notes[0]
    monkeypatch.setenv(files.DATA_VARIABLE, str(tmp_path / "none"))
    assert "left aside" in sources.find("kmnist", offline=True).notes[0]
    monkeypatch.setenv(files.DATA_VARIABLE, str(real))
    source = sources.find("kmnist", offline=True)
    assert source.origin == str(real) and source.notes == ()


def test_of_several_sets_in_a_folder_the_one_that_is_named_is_taken(tmp_path, monkeypatch):
    arrays = make_arrays(seed=7)
    publish_packed(monkeypatch, "kmnist", arrays)
    write_folder(tmp_path / "root" / "MNIST" / "raw", make_arrays())
    place = write_folder(tmp_path / "root" / "KMNIST" / "raw", arrays, "{}.gz")
    root = str(tmp_path / "root")
    assert sources.find("kmnist", root).origin == str(place)
    monkeypatch.setenv(files.DATA_VARIABLE, root)
    assert sources.find("kmnist", offline=True).origin == str(place)
    assert "holds 2 data sets" in refused(data=root).problem
    assert "holds 2 data sets" in refused(dataset="mnist", data=root).problem


def test_an_address_of_the_network_is_no_path():
    assert "is an address of the network" in refused(data="https://example.com/mnist.npz").problem


def test_what_the_images_are_like_is_known(tmp_path):
    arrays = make_arrays(120, 20)
    arrays[TRAIN_LABELS] = np.sort(arrays[TRAIN_LABELS])
    arrays[TEST_IMAGES] //= 255
    for place in (write_folder(tmp_path / "a", arrays), write_npz(tmp_path / "b.npz", arrays)):
        summary = sources.find(data=str(place)).summary
        labels = arrays[TRAIN_LABELS]
        assert summary.train == tuple(np.bincount(labels[:100], minlength=10))
        assert summary.validation == tuple(np.bincount(labels[100:], minlength=10))
        assert summary.test == tuple(np.bincount(arrays[TEST_LABELS], minlength=10))
        assert summary.repeats == 119 - (len(set(labels)) - 1)
        assert summary.pixels == ((0, 255, False), (0, 1, False))


def test_images_that_are_all_alike_are_known(tmp_path):
    arrays = make_arrays(3000, 20)  # more than one block
    arrays[TRAIN_IMAGES][:] = arrays[TRAIN_IMAGES][0]
    assert sources.find(data=str(write_folder(tmp_path / "a", arrays))).summary.pixels[0].is_uniform
    arrays[TRAIN_IMAGES][2999, 27, 27] ^= 1
    assert not sources.find(data=str(write_folder(tmp_path / "b", arrays))).summary.pixels[0].is_uniform


def test_shuffled_data_is_the_same_in_another_order(tmp_path):
    arrays = make_arrays(120, 20)
    arrays[TRAIN_LABELS] = np.sort(arrays[TRAIN_LABELS])
    source = sources.find(data=str(write_folder(tmp_path / "a", arrays)))
    (tmp_path / "b.npz").write_bytes(shuffle(source))
    shuffled = sources.find(data=str(tmp_path / "b.npz"))
    assert shuffled.summary.repeats < 60 and shuffled.counts == source.counts
    one, other = source.load(), shuffled.load()
    np.testing.assert_array_equal(one.test.images, other.test.images)

    def pairs(loaded):
        parts = (loaded.train, loaded.validation)
        return sorted((i.tobytes(), label) for part in parts for i, label in zip(*part, strict=True))

    assert pairs(one) == pairs(other)


# The synthetic digits


def test_the_synthetic_digits_are_made_kept_and_made_again(surroundings, monkeypatch):
    monkeypatch.setattr(digits, "make_all", functools.cache(digits.make_all))  # takes seconds
    source = sources.find("synthetic")
    assert (source.name, source.checksums) == ("synthetic", digits.CHECKSUMS)
    assert (source.counts.train, source.counts.validation, source.counts.test) == (50_000, 10_000, 10_000)
    first = source.load()
    assert first.validation.images.shape == (10_000, 28, 28) and first.test.labels.shape == (10_000,)
    assert list_cache(surroundings) == {f"synthetic/{name}" for name in readers.NAMES}
    found = sources.find(data=str(surroundings / "synthetic"))
    assert (found.name, found.summary) == ("synthetic", source.summary)

    with (surroundings / "synthetic" / TRAIN_IMAGES).open("r+b") as file:
        file.seek(5000)
        file.write(b"damage")
    np.testing.assert_array_equal(sources.find("synthetic").load().train.images, first.train.images)
    (surroundings / "identities.json").unlink(missing_ok=True)
    assert sources.find(data=str(surroundings / "synthetic")).name == "synthetic"


# The real MNIST


@pytest.mark.skipif(not REAL, reason="LENETCLI_DATA does not name the real MNIST")
def test_the_real_mnist(tmp_path):
    try:
        source = sources.find("mnist", REAL)
    except DataError as error:
        pytest.skip(f"LENETCLI_DATA is not the real MNIST: {error.problem}")
    assert source.checksums == MNIST.checksums
    assert (source.counts.train, source.counts.validation, source.counts.test) == (50_000, 10_000, 10_000)
    loaded = source.load()
    assert loaded.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert loaded.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
