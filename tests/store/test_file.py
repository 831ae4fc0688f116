"""The file of a store: second names, journals of killed writers, moves, replacements, strange paths."""

import errno
import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from helpers import no_locks
from helpers.command import TESTS, Desk
from helpers.fake_training import FakeTrainer, carry_out, curve_of
from helpers.fault_checks import check_file
from helpers.fault_workers import finish, processes, start
from helpers.made_up import BASE
from helpers.rights import drop_privileges

from lenetcli.errors import LenetError, NotFoundError, StoreChangedError, StoreError
from lenetcli.experiment.run import RunState
from lenetcli.store.store import Store
from lenetcli.store.upkeep import back_up
from lenetcli.training.events import Fate

RATES = [0.1, 0.01]
CONFIGS = [replace(BASE, lr=rate) for rate in RATES]
EVERYWHERE = "runs list", "sweeps list", "plot lr", "report", "store info", "store check"

is_posix = pytest.mark.skipif(sys.platform == "win32", reason="names and rights of POSIX")


@pytest.fixture
def path(tmp_path):
    """A store of two completed runs of 2 epochs, alone in its folder."""
    folder = tmp_path / "home"
    folder.mkdir()
    carry_out(Store.open(str(folder / "s.db"), write=True), RATES, 2)
    return folder / "s.db"


def sweep_disturbed(path, epochs, epoch, act):
    """The error that ends a sweep in a process of its own, in whose ``epoch`` something happens once."""
    ours, theirs = processes.Pipe()
    assert finish(start(_sweep_disturbed, theirs, str(path), epochs, epoch, act)) == [0]
    kind, text = ours.recv()
    assert kind is not None, "nothing was told"
    return kind, text


def _sweep_disturbed(connection, path, epochs, epoch, act):
    pending = [act]

    def hook(_config, number):
        if number == epoch and pending:
            pending.pop()()

    try:
        carry_out(Store.open(path, write=True), RATES, epochs, FakeTrainer(hook=hook))
        connection.send((None, ""))
    except LenetError as error:
        connection.send((type(error), str(error)))


def check_curves(path, epochs):
    """Both runs have all epochs, with the bits of runs that nobody disturbed."""
    runs = Store.open(str(path)).find([config.key for config in CONFIGS])
    for config in CONFIGS:
        run = runs[config.key]
        assert run.state is RunState.COMPLETED
        expected = [point.val_loss for point in curve_of(config, epochs)]
        assert [point.val_loss for point in run.curve] == expected
    check_file(path)


# A file with more than one name


@is_posix
def test_a_file_with_two_names_is_not_written(path, tmp_path):
    os.link(path, tmp_path / "other.db")
    for name in (path, tmp_path / "other.db"):
        with pytest.raises(StoreError, match=r"2 names \(hard links\).*cp -al.*store backup NEW"):
            Store.open(str(name), write=True)
        assert Store.open(str(name)).count() == 2
    back_up(str(path), tmp_path / "new.db")
    assert carry_out(Store.open(str(tmp_path / "new.db"), write=True), RATES, 3).complete
    check_curves(tmp_path / "new.db", 3)


@is_posix
def test_a_backup_with_two_names_is_not_overwritten(path, tmp_path):
    backup = tmp_path / "backup.db"
    back_up(str(path), backup)
    os.link(backup, tmp_path / "other.db")
    content = backup.read_bytes()
    carry_out(Store.open(str(path), write=True), RATES, 3)
    with pytest.raises(StoreError, match="2 names"):
        back_up(str(path), backup, overwrite=True)
    assert backup.read_bytes() == content


@is_posix
def test_a_file_that_gets_a_second_name_while_it_is_in_use(path, tmp_path):
    kind, text = sweep_disturbed(path, 4, 4, partial(os.link, path, tmp_path / "other.db"))
    assert kind is StoreError
    assert "2 names" in text
    (tmp_path / "other.db").unlink()
    assert carry_out(Store.open(str(path), write=True), RATES, 4).complete
    check_curves(path, 4)


@is_posix
def test_a_symbolic_link_is_no_second_name(path, tmp_path):
    (tmp_path / "link.db").symlink_to(path)
    assert carry_out(Store.open(str(tmp_path / "link.db"), write=True), RATES, 3).complete
    check_curves(path, 3)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts of Linux")
def test_a_file_that_is_mounted_alone_is_not_written(path, tmp_path):
    target = tmp_path / "a folder" / "s.db"
    target.parent.mkdir()
    target.touch()
    script = (
        'mount --bind "$1" "$2" || exit 99; shift; store=$1; shift; '
        '"$@" train --store "$store"; code=$?; "$@" runs list --store "$store"; exit $code'
    )
    python = [sys.executable, "-m", "lenetcli"]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", path, target, *python],
        capture_output=True,
        encoding="utf-8",
        env=Desk(tmp_path).environment,
    )
    if done.returncode in (1, 99) and "Error" not in done.stderr:
        pytest.skip("nothing can be mounted here")
    assert done.returncode == 4, done.stderr
    assert "mounted as a single file" in done.stderr
    assert "completed" in done.stdout
    assert target.read_bytes() == b""


# What a killed writer left


def leave_journal(path):
    """Kill a writer in the middle of a transaction that has reached the file."""
    process = multiprocessing.get_context("spawn").Process(target=_write_and_die, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert Path(f"{path}-journal").stat().st_size


def _write_and_die(path):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA cache_size=1")  # pages go to the file before the commit
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE weights SET tensors = zeroblob(100000)")
    connection.execute("UPDATE runs SET dataset = 'half'")
    os.kill(os.getpid(), signal.SIGKILL)


def without_privileges(command, folder):
    """The exit code of a command of a user to whom the modes of files apply, and what it writes."""
    with (folder / "output").open("w+") as output:
        (code,) = finish(start(_run_without_privileges, command, Path(output.name)))
        return code, output.read()


def _run_without_privileges(command, output):
    from lenetcli.cli.app import main

    with output.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    drop_privileges()
    main(command)


@is_posix
@pytest.mark.parametrize("rights", [(0o444, 0o555), (0o666, 0o555), (0o444, 0o777)])
def test_a_journal_that_the_reader_may_not_roll_back(path, tmp_path, rights):
    leave_journal(path)
    file_mode, folder_mode = rights
    Path(f"{path}-journal").chmod(file_mode)
    path.chmod(file_mode)
    path.parent.chmod(folder_mode)
    try:
        for command in EVERYWHERE:
            code, stderr = without_privileges([*command.split(), "--store", str(path)], tmp_path)
            assert code == 4, stderr
            assert "left half written by a program that was stopped" in stderr
            assert "Change its permissions" not in stderr
    finally:
        path.parent.chmod(0o755)
    # The way out that is told: both files copied, or one command of somebody who may write.
    shutil.copytree(path.parent, tmp_path / "copy")
    for file in (*path.parent.iterdir(), *(tmp_path / "copy").iterdir()):
        file.chmod(0o644)
    for store in (tmp_path / "copy" / "s.db", path):
        check_curves(store, 2)
        assert not Path(f"{store}-journal").exists()


@is_posix
def test_a_folder_that_takes_no_journal(path, tmp_path):
    path.chmod(0o666)
    path.parent.chmod(0o555)
    try:
        code, stderr = without_privileges(["train", "--store", str(path)], tmp_path)
    finally:
        path.parent.chmod(0o755)
    assert code == 4
    assert f"The folder '{path.parent}' of the store cannot be written" in stderr


# A file system without locks


@pytest.mark.skipif(not no_locks.AVAILABLE, reason="needs seccomp")
@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EPERM])
def test_a_file_system_without_locks(path, tmp_path, code):
    environment = Desk(tmp_path).environment
    environment["PYTHONPATH"] = os.pathsep.join([str(TESTS.parent), str(TESTS)])

    def without_locks(*command):
        python = [sys.executable, "-m", "helpers.no_locks", str(code)]
        return subprocess.run([*python, *command], capture_output=True, encoding="utf-8", env=environment)

    for words in ("train", "runs list", f"store backup {tmp_path}/copy.db", "store check"):
        done = without_locks(*words.split(), "--store", path)
        if done.stderr.strip() == no_locks.NO_SECCOMP:
            pytest.skip(no_locks.NO_SECCOMP)
        assert done.returncode == 4
        assert f"The file system of '{path.parent}' grants no locks ({os.strerror(code)})" in done.stderr
    done = without_locks("train", "--store", tmp_path / "new" / ".." / "new.db")
    assert done.returncode == 4
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["home"]
    assert [entry.name for entry in path.parent.iterdir()] == ["s.db"]


# A store that is moved, deleted, replaced while it is in use


def test_a_store_that_is_moved(path, tmp_path):
    new = tmp_path / "moved.db"
    kind, text = sweep_disturbed(path, 4, 4, partial(os.rename, path, new))
    assert kind is StoreChangedError
    assert f"'{path}' was moved to '{new}' while it was in use" in text
    assert list(path.parent.iterdir()) == []
    result = carry_out(Store.open(str(new), write=True), RATES, 4)
    assert set(result.fates.values()) == {Fate.CONTINUED}
    check_curves(new, 4)


def test_a_folder_that_is_moved(path, tmp_path):
    new = tmp_path / "moved"
    kind, text = sweep_disturbed(path, 4, 4, partial(os.rename, path.parent, new))
    assert kind is StoreChangedError
    assert f"was moved to '{new}/s.db'" in text
    assert not path.parent.exists()
    assert carry_out(Store.open(str(new / "s.db"), write=True), RATES, 4).complete


def test_a_store_that_is_deleted(path):
    kind, text = sweep_disturbed(path, 4, 4, path.unlink)
    assert kind is StoreChangedError
    assert "was deleted while it was in use" in text
    assert list(path.parent.iterdir()) == []


def test_a_new_store_that_is_deleted(tmp_path):
    path = tmp_path / "s.db"
    kind, text = sweep_disturbed(path, 4, 2, path.unlink)
    assert kind is StoreChangedError
    assert "was deleted while it was in use" in text
    assert list(tmp_path.iterdir()) == []


def replace_file(path, content):
    path.unlink()
    path.write_bytes(content)


def test_a_store_that_is_replaced_by_another_file(path):
    """The number of a deleted file is often given to the next one: that must not deceive."""
    copy = path.read_bytes()
    kind, text = sweep_disturbed(path, 4, 4, partial(replace_file, path, copy))
    assert kind is StoreChangedError
    assert "was replaced by another file" in text
    assert path.read_bytes() == copy


def test_a_store_that_is_put_aside_for_another_one(path, tmp_path):
    shutil.copy(path, tmp_path / "other.db")
    aside = path.with_name("aside.db")
    store = Store.open(str(path), write=True)
    path.rename(aside)
    shutil.move(tmp_path / "other.db", path)
    with pytest.raises(StoreChangedError, match=f"moved to '{aside}', and another file put in its place"):
        carry_out(store, RATES, 4)
    assert carry_out(Store.open(str(aside), write=True), RATES, 4).complete


@pytest.mark.parametrize("epoch", [3, 4, 5])
def test_an_older_copy_is_put_over_the_store(path, epoch):
    """As ``cp`` does it: the file stays the same one, its content is of before."""
    copy = path.read_bytes()
    kind, text = sweep_disturbed(path, 5, epoch, partial(path.write_bytes, copy))
    assert kind is StoreChangedError
    assert "was changed while it was in use: it lacks rows of this run" in text
    assert path.read_bytes() == copy
    assert carry_out(Store.open(str(path), write=True), RATES, 5).complete
    check_curves(path, 5)


def test_an_older_copy_of_the_same_attempt_is_put_over_the_store(path):
    """Of the copy, only the number of epochs tells that it is older."""
    copies = []

    def hook(_config, number):
        if number == 4:
            copies.append(path.read_bytes())
        if number == 6:
            path.write_bytes(copies[0])

    with pytest.raises(StoreChangedError, match="lacks epochs of this run"):
        carry_out(Store.open(str(path), write=True), RATES, 6, FakeTrainer(hook=hook))


def test_an_older_copy_is_put_over_the_store_while_runs_are_measured_again(path):
    copy = path.read_bytes()

    def hook(_config, number):
        if number == 2:
            path.write_bytes(copy)

    with pytest.raises(StoreChangedError, match="lacks rows of this run"):
        carry_out(Store.open(str(path), write=True), RATES, 2, FakeTrainer(hook=hook), remeasure=True)
    assert path.read_bytes() == copy


def test_runs_that_were_stored_are_missing_at_the_end(path):
    """The run in hand is not concerned; the one before it is."""

    def forget(config, number):
        if config.lr == RATES[1] and number == 4:
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute("PRAGMA foreign_keys=ON")
                connection.execute("DELETE FROM runs WHERE lr = 0.1")

    result = carry_out(Store.open(str(path), write=True), RATES, 4, FakeTrainer(hook=forget))
    assert [result.fates[cell.config.key] for cell in result.sweep.cells] == [Fate.LOST, Fate.CONTINUED]
    assert not result.complete
    assert [cell.run is None for cell in result.sweep.cells] == [True, False]
    assert carry_out(Store.open(str(path), write=True), RATES, 4).complete
    check_curves(path, 4)


# Paths and addresses


def test_what_is_not_there_is_named_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotFoundError, match=f"There is no store at '{tmp_path}/lenetcli.db'"):
        Store.open("lenetcli.db")


@is_posix
def test_a_link_to_nothing_names_both_paths(tmp_path):
    link, target = tmp_path / "link.db", tmp_path / "gone" / "s.db"
    link.symlink_to(target)
    for write, error in ((False, NotFoundError), (True, StoreError)):
        with pytest.raises(error, match=rf"\(a link to '{target}'\)"):
            Store.open(str(link), write=write)
    target.parent.mkdir()
    carry_out(Store.open(str(link), write=True), RATES, 1)
    assert link.is_symlink()
    check_curves(target, 1)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("sqlite:///var/x.db", r"There is no folder '{here}/var'.*sqlite:////var/x.db, mean '/var/x.db'"),
        ("sqlite:x.db", "neither a path nor an SQLAlchemy URL.*--store 'x.db'"),
        ("sqlite:/x.db", "neither a path nor an SQLAlchemy URL.*--store '/x.db'"),
        ("sqlite3:x.db", "--store 'x.db'"),
        ("file:x.db", "--store 'x.db'"),
        ("file:///x.db", "not a SQLite file"),
        ("postgresql:runs", "neither a path nor an SQLAlchemy URL"),
        (":memory:", "not a SQLite file"),
        ("C:\\Users\\x\\s.db", "a path of Windows.*'/mnt/c/Users/x/s.db'"),
        ("c:/data/s.db", "'/mnt/c/data/s.db'"),
        ("\\\\server\\share\\s.db", "a path of Windows"),
    ],
)
@is_posix
def test_an_address_that_means_another_path(tmp_path, monkeypatch, address, told):
    monkeypatch.chdir(tmp_path)
    for write in (True, False):
        with pytest.raises((StoreError, NotFoundError)) as caught:
            Store.open(address, write=write)
        if write:
            assert caught.match(told.format(here=tmp_path))
    assert list(tmp_path.iterdir()) == []


@is_posix
@pytest.mark.parametrize("name", ["sqlite:x.db", "C:\\x.db", "run:1.db"])
def test_a_strange_name_that_is_there_is_opened(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    carry_out(Store.open(f"./{name}", write=True), RATES, 1)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    assert Store.open(name).count() == 2
