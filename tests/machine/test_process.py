"""The identity of processes, and whether they are alive."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenetcli.machine import process, system
from lenetcli.machine.process import ProcessIdentity, is_alive, this_process

linux = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux' /proc")

SLEEPER = """import time
from lenetcli.machine.process import this_process
print(this_process().to_json(), flush=True)
"""


@pytest.fixture
def sleeper():
    """A live process that has printed its identity, and that identity."""
    child = subprocess.Popen(
        [sys.executable, "-c", f"{SLEEPER}time.sleep(60)"], stdout=subprocess.PIPE, text=True
    )
    yield child, ProcessIdentity.from_json(child.stdout.readline())
    child.kill()
    child.wait()
    child.stdout.close()


def wait_for_state(pid, letter):
    for _ in range(500):
        if Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0] == letter:
            return
        time.sleep(0.01)
    pytest.fail(f"process {pid} never came into state {letter}")


texts = st.text(max_size=system.MAX_TEXT).filter(str.isprintable)
identities = st.builds(
    ProcessIdentity,
    host=texts,
    machine=texts,
    boot_id=texts,
    pid_namespace=texts,
    pid=st.integers(1, 2**31 - 1),
    started=texts,
)


@given(identities)
def test_an_identity_survives_json(identity):
    assert ProcessIdentity.from_json(identity.to_json()) == identity
    assert identity.to_json().isascii()


GOOD = {"host": "h", "machine": "m", "boot_id": "b", "pid_namespace": "n", "pid": 1, "started": "5"}


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{}", "[" * 100_000, "1" * 5000, json.dumps({**GOOD, "more": 1})]
    + [json.dumps({**GOOD, "pid": pid}) for pid in (0, -1, 2**31, True, 1.0, "1", None)]
    + [json.dumps({**GOOD, "host": host}) for host in (None, 1, "\x1b[2J", "a\nb", "\ud800", "x" * 256)],
)
def test_what_is_no_identity_is_refused(text):
    assert ProcessIdentity.from_json(json.dumps(GOOD)).pid == 1
    with pytest.raises(ValueError):
        ProcessIdentity.from_json(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda c: st.dictionaries(st.sampled_from(list(GOOD)), c),
    )
)
def test_any_other_json_is_refused_or_read_whole(value):
    text = json.dumps(value)
    try:
        identity = ProcessIdentity.from_json(text)
    except ValueError:
        return
    assert json.loads(identity.to_json()) == value


def test_this_process_is_alive_and_keeps_its_identity():
    assert this_process() == this_process()
    assert this_process().pid == os.getpid()
    assert is_alive(this_process()) is True


def test_a_child_is_alive_until_it_is_killed_and_reaped(sleeper):
    child, identity = sleeper
    assert identity.pid == child.pid
    assert identity.started != this_process().started
    assert is_alive(identity) is True
    child.kill()
    child.wait()
    assert is_alive(identity) is False


@linux
def test_a_stopped_process_is_alive_and_a_zombie_is_dead(sleeper):
    child, identity = sleeper
    child.send_signal(signal.SIGSTOP)
    wait_for_state(child.pid, "T")
    assert is_alive(identity) is True
    child.kill()
    wait_for_state(child.pid, "Z")
    assert is_alive(identity) is False


def test_a_reused_pid_is_another_process():
    assert is_alive(replace(this_process(), started="1")) is False


@linux
def test_a_fork_has_an_identity_of_its_own():
    code = """if True:
        import os
        from lenetcli.machine.process import this_process
        parent = this_process()
        child = os.fork()
        if child == 0:
            os._exit(0 if this_process().pid == os.getpid() != parent.pid else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "0\n"


@linux
@pytest.mark.parametrize(
    "elsewhere",
    [
        {"boot_id": "another"},  # of this machine, or of one that was cloned from the same image
        {"boot_id": ""},
        {"boot_id": "another", "host": "elsewhere"},
        {"boot_id": "another", "machine": "of the same name"},
        {"pid_namespace": "pid:[1]"},
    ],
)
def test_nothing_is_known_of_other_machines_and_containers(elsewhere):
    assert is_alive(replace(this_process(), **elsewhere)) is None


@linux
def test_a_machine_that_was_renamed_is_the_same_machine():
    renamed = replace(this_process(), host="renamed")
    assert is_alive(renamed) is True
    assert is_alive(replace(renamed, started="1")) is False


def test_a_system_without_boot_ids_knows_its_own_boot_by_its_time(sleeper, monkeypatch):
    import psutil

    child, _ = sleeper
    monkeypatch.setattr(sys, "platform", "darwin")
    here = this_process()
    identity = replace(here, pid=child.pid, started=process._start(child.pid))
    assert is_alive(here) is is_alive(identity) is True
    child.kill()
    child.wait()
    assert is_alive(identity) is False
    assert ProcessIdentity.from_json(here.to_json()) == here
    booted = psutil.boot_time()
    monkeypatch.setattr(psutil, "boot_time", lambda: booted + 3600)  # another boot, or the clock was set
    assert is_alive(here) is None
    monkeypatch.setattr(psutil, "boot_time", lambda: booted)
    assert is_alive(here) is True
    monkeypatch.setattr(process, "host_name", lambda: "elsewhere")
    assert is_alive(here) is None


@given(identities)
def test_an_identity_from_anywhere_is_never_taken_for_alive(identity):
    assert is_alive(identity) is not True


def test_importing_the_room_loads_no_heavy_library():
    code = (
        "import sys, lenetcli.machine.process, lenetcli.machine.devices, lenetcli.machine.contention;"
        "print(*sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"tensorflow", "numpy", "psutil"} & set(said.split())
