"""Writers that are killed: what they leave goes with the next write, what the living make stays."""

import os
import signal
import sys
from pathlib import Path

import pytest
from helpers.fault_workers import LONG, PATIENCE, finish, processes, start

from lenetcli import workspaces
from lenetcli.files import write_whole

DAY = 86_400


def write(path, content):
    write_whole(path, lambda temporary: temporary.write_bytes(content))


def write_until_killed(path, begun):
    def write_half(temporary):
        temporary.write_bytes(b"half")
        begun.release()
        signal.pause()

    write_whole(path, write_half)


def write_and_die(path, step):
    """Write a file; before this access to its folder (from 1) the process is killed."""
    left = [step]

    def count(event, arguments):
        if event.startswith(("os.", "open", "fcntl.", "shutil.", "tempfile.")) and str(path.parent) in str(
            arguments
        ):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    write(path, b"new" * 1000)


def write_often(path, count):
    for number in range(count):
        write(path, bytes([number % 256]) * 1000)


def begin(path, count=1):
    """Processes that are in the middle of writing to a path."""
    begun = processes.Semaphore(0)
    writers = [start(write_until_killed, path, begun) for _ in range(count)]
    for _ in writers:
        assert begun.acquire(timeout=PATIENCE)
    return writers


def kill(writers):
    for process in writers:
        process.kill()
    assert set(finish(*writers)) == {-signal.SIGKILL}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def make_old(path):
    """Let a folder or file and its content look as if nothing had been changed for a day and more."""
    before = path.stat().st_mtime - DAY - 60
    for entry in [*path.iterdir(), path] if path.is_dir() else [path]:
        os.utime(entry, (before, before))


def test_what_25_killed_writers_left_goes_with_the_next_write_and_what_the_living_make_stays(tmp_path):
    path, other = tmp_path / "lr.png", tmp_path / "runtime.png"
    writers, others = begin(path, 25), begin(other)
    make_old(next(tmp_path.glob(".*")))  # a living one may be suspended for a day
    write(path, b"first")
    assert len(names(tmp_path)) == 27
    kill(writers)
    kill(others)
    write(path, b"second")
    assert len(names(tmp_path)) == 2  # what is left of the other goal goes with a write to that
    write(other, b"third")
    assert names(tmp_path) == ["lr.png", "runtime.png"]
    assert path.read_bytes() == b"second"


def test_a_kill_before_each_step_leaves_the_old_file_or_the_new_one_and_nothing_else_for_long(tmp_path):
    folder = tmp_path / "reports"
    folder.mkdir()
    path = folder / "a.pdf"
    remains = 0
    for step in range(1, 100):
        write(path, b"old")
        assert names(folder) == ["a.pdf"]
        (code,) = finish(start(write_and_die, path, step))
        assert path.read_bytes() in (b"old", b"new" * 1000)
        remains += len(names(folder)) > 1
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert code == 0
    assert step > 10
    assert remains > 5


def test_writers_of_one_file_do_not_take_each_other_for_dead(tmp_path):
    """One that has just been made is not locked yet: whoever removes it lets its owner make another."""
    writers = [start(write_often, tmp_path / "lr.png", 3000 if LONG else 300) for _ in range(4)]
    assert finish(*writers) == [0] * 4
    assert names(tmp_path) == ["lr.png"]


@pytest.mark.parametrize("cause", ["another kernel", "no locks"])
def test_where_locks_prove_nothing_age_decides(tmp_path, monkeypatch, cause):
    path = tmp_path / "b.db"
    kill(begin(path))
    if cause == "another kernel":
        monkeypatch.setattr(workspaces, "_kernel", lambda: "0" * 8 + "-")
    else:

        def refuse(*_arguments):
            raise OSError(95, "Operation not supported")

        monkeypatch.setattr("fcntl.flock", refuse)
    write(path, b"first")
    (left,) = tmp_path.glob(".*")
    make_old(left)
    write(path, b"second")
    assert names(tmp_path) == ["b.db"]


OLD = {
    ".lenetcli-1a_b2c3d/b.db": True,
    ".lenetcli-1a_b2c3d/b.db-journal": True,
    ".new-abcdefgh/b.db": True,
    ".b.db.25150": True,
    ".lenetcli-1a_b2c3d/c.db": False,
    ".lenetcli-mine/b.db": False,
    ".c.db.25150": False,
    ".b.db.old": False,
    "new-abcdefgh/b.db": False,
}


@pytest.mark.parametrize("name", OLD)
def test_what_earlier_versions_left_goes_when_it_is_a_day_old(tmp_path, name):
    left = tmp_path / name
    left.parent.mkdir(exist_ok=True)
    left.touch()
    top = tmp_path / Path(name).parts[0]
    write(tmp_path / "b.db", b"first")
    assert left.exists()
    make_old(top)
    write(tmp_path / "b.db", b"second")
    assert top.exists() is not OLD[name]


@pytest.mark.parametrize("journal", [True, False])
def test_an_old_backup_that_is_whole_may_be_the_user_s_own(tmp_path, journal):
    left, beside = tmp_path / ".b.db.25150", tmp_path / ".b.db.25150-journal"
    left.write_bytes(b"SQLite format 3\0")
    make_old(left)
    if journal:
        beside.touch()
    write(tmp_path / "b.db", b"")
    assert names(tmp_path) == (["b.db"] if journal else [".b.db.25150", "b.db"])


def test_nothing_is_removed_through_a_link(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "b.db").touch()
    make_old(elsewhere)
    (tmp_path / ".lenetcli-1a_b2c3d").symlink_to(elsewhere)
    write(tmp_path / "b.db", b"")
    assert (elsewhere / "b.db").exists()
