"""Paths as typed, and files of output where a file cannot simply be replaced."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from helpers.surroundings import in_namespace, without_rights

from lenetcli import files
from lenetcli.errors import UsageError
from lenetcli.files import cache_folder, check_output, expand, locate, read_cache, write_cache, write_output

WRITE = """
import sys
from pathlib import Path
from lenetcli.files import check_output, write_output
path = Path(sys.argv[1])
check_output(path, ())
write_output(path, b"new")
"""


def write_elsewhere(path, *prefix):
    """Check and write a file in a process of its own; what it said."""
    command = [*prefix, sys.executable, "-c", WRITE, str(path)]
    return subprocess.run(command, capture_output=True, encoding="utf-8").stderr


def test_a_file_that_may_be_written_in_a_folder_that_may_not_is_written_in_place(tmp_path):
    path = tmp_path / "lr.png"
    path.write_bytes(b"old and longer")
    number = path.stat().st_ino
    tmp_path.chmod(0o555)
    try:
        assert write_elsewhere(path, *without_rights()) == ""
        said = write_elsewhere(tmp_path / "new.png", *without_rights())
    finally:
        tmp_path.chmod(0o755)
    assert (path.read_bytes(), path.stat().st_ino) == (b"new", number)
    assert f"no file can be made in the folder '{tmp_path}'" in said
    assert "in check_output" in said  # before any work is done
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_mounted_is_written_in_place(tmp_path):
    path, mounted = tmp_path / "lr.png", tmp_path / "elsewhere.png"
    path.write_bytes(b"below the mount")
    mounted.write_bytes(b"old and longer")
    done = in_namespace('mount --bind "$1" "$2" && "$3" -c "$4" "$2"', mounted, path, sys.executable, WRITE)
    assert done.stderr == ""
    assert (mounted.read_bytes(), path.read_bytes()) == (b"new", b"below the mount")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_full_disk_never_costs_the_old_file(tmp_path):
    script = """
mount -t tmpfs -o size=64k none "$1"
printf old > "$1/a"
dd if=/dev/zero of="$1/b" bs=1k count=64 2> /dev/null
"$2" -c "$3" "$1/a"
cat "$1/a"
ls -A "$1"
"""
    code = WRITE.replace('b"new"', "bytes(20_000)")
    done = in_namespace(script, tmp_path, sys.executable, code)
    assert "No space left on device" in done.stderr
    assert done.stdout == "olda\nb\n"


def test_a_pipe_is_written_directly_and_not_opened_before(tmp_path):
    pipe = tmp_path / "lr.png"
    os.mkfifo(pipe)
    check_output(pipe, (".png",))  # without a reader
    found = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    write_output(pipe, b"figure")
    reader.join()
    assert found == [b"figure"]
    assert pipe.is_fifo()


def test_a_home_folder_that_does_not_exist_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text in ("~nobodyhere", "~nobodyhere/x.db"):
        with pytest.raises(UsageError, match="home folder that does not exist"):
            expand(text)
    Path("~mine").touch()
    assert expand("~mine") == Path("~mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expand("~/x") == tmp_path / "x"


def test_a_cache_that_leads_nowhere_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(files.CACHE_VARIABLE, "~nobodyhere")
    write_cache("x.json", {"a": 1})
    assert read_cache("x.json") == {}
    with pytest.raises(UsageError, match="nobodyhere"):
        cache_folder()
    assert list(tmp_path.iterdir()) == []


def test_a_current_folder_that_was_deleted(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert locate(str(tmp_path / "a")) == tmp_path / "a"
    with pytest.raises(UsageError, match="the current folder was deleted"):
        locate("a")
