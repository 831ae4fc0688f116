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

from lenetcli.machine import limits, processor, system
from lenetcli.machine.process import ProcessIdentity, is_alive, this_process
from lenetcli.machine.processor import Processor

linux = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux' /proc")

SLEEPER = (
    "import sys, time; from lenetcli.machine import this_process; print(this_process().to_json(), flush=True)"
)


@pytest.fixture
def sleeper():
    """A live process that has told its identity, and that identity."""
    child = subprocess.Popen(
        [sys.executable, "-c", f"{SLEEPER}; time.sleep(60)"], stdout=subprocess.PIPE, text=True
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


# The processor

EPYC = """\
processor	: 0
vendor_id	: AuthenticAMD
cpu family	: 26
model		: 2
model name	: AMD  EPYC 9B45   Processor
flags		: fpu sse4_1 fma avx avx2 avx512f avx512_bf16

processor	: 1
vendor_id	: AuthenticAMD
model name	: another
"""

GRAVITON = """\
processor	: 0
Features	: fp asimd asimdhp sve bf16 i8mm
CPU implementer	: 0x41
CPU part	: 0xd40
"""

RASPBERRY = """\
processor	: 0
Features	: fp asimd
CPU implementer	: 0x41
CPU part	: 0xd08

Hardware	: BCM2835
Model		: Raspberry Pi 4 Model B Rev 1.4
"""

MACBOOK = """\
machdep.cpu.brand_string: Apple M2
hw.l1dcachesize: 65536
hw.l2cachesize: 4194304
hw.optional.floatingpoint: 1
hw.optional.arm.FEAT_BF16: 1
hw.optional.arm.FEAT_SME: 0
"""


def test_a_processor_of_linux_has_name_fingerprint_and_bfloat16():
    epyc = Processor.from_cpuinfo(EPYC, ("48K", "1024K"))
    assert epyc.name == "AMD EPYC 9B45 Processor"
    assert epyc.fingerprint == "AuthenticAMD-26 | sse4_1 avx fma avx2 avx512f avx512_bf16 | 48K 1024K"
    assert epyc.has_bfloat16
    assert not Processor.from_cpuinfo(EPYC.replace("avx512_bf16", "")).has_bfloat16


def test_the_fingerprint_tells_apart_what_decides_the_bits_and_nothing_else():
    epyc = Processor.from_cpuinfo(EPYC)
    same = (
        EPYC.replace("fpu sse4_1", "sse4_1 sgx"),
        EPYC.replace("9B45", "9655"),
        EPYC.replace("model		: 2", "model : 3"),
    )
    other = (EPYC.replace("avx512f", ""), EPYC.replace("AMD", "INTEL"), EPYC.replace(": 26", ": 25"))
    assert {Processor.from_cpuinfo(text).fingerprint for text in same} == {epyc.fingerprint}
    assert epyc.fingerprint not in {Processor.from_cpuinfo(text).fingerprint for text in other}
    assert Processor.from_cpuinfo(EPYC, ("32K",)).fingerprint != epyc.fingerprint


def test_arm_processors_have_the_best_name_there_is():
    graviton, raspberry = Processor.from_cpuinfo(GRAVITON), Processor.from_cpuinfo(RASPBERRY)
    assert graviton.name.endswith("processor 0x41-0xd40")
    assert graviton.fingerprint == "0x41-0xd40 | asimd asimdhp sve i8mm bf16"
    assert graviton.has_bfloat16
    assert raspberry.name == "Raspberry Pi 4 Model B Rev 1.4"
    assert not raspberry.has_bfloat16


def test_a_processor_of_macos_is_read_from_sysctl():
    apple = Processor.from_sysctl(MACBOOK)
    assert apple.name == "Apple M2"
    assert apple.has_bfloat16
    assert apple.fingerprint == "Apple M2 | bf16 | 65536 4194304"


KEYS = (
    "model name",
    "vendor_id",
    "CPU part",
    "flags",
    "machdep.cpu.brand_string",
    "hw.optional.",
    "hw.l2cachesize",
    "",
)


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.text()).map(": ".join), max_size=6).map("\n".join))
def test_no_text_breaks_the_readers(text):
    for processor in (Processor.from_cpuinfo(text), Processor.from_sysctl(text)):
        assert processor.name
        assert processor.fingerprint


def test_a_limit_set_for_onednn_is_part_of_the_fingerprint(monkeypatch):
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.delenv("DNNL_MAX_CPU_ISA", raising=False)
    whole = processor.processor_fingerprint()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "avx2")
    assert processor.processor_fingerprint() == f"{whole} | at most AVX2"


def test_the_fingerprint_and_name_of_this_machine_are_one_line_and_the_same_in_another_process():
    code = "from lenetcli import machine as m; print(m.processor_name()); print(m.processor_fingerprint())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == [processor.processor_name(), processor.processor_fingerprint()]


# Cores and memory


@linux
def test_usable_cores_follow_the_affinity():
    one = min(os.sched_getaffinity(0))
    code = f"import os; from lenetcli import machine; os.sched_setaffinity(0, [{one}]);"
    code += "print(machine.usable_cores())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "1\n"
    assert 1 <= limits.usable_cores() <= len(os.sched_getaffinity(0))


def test_memory_is_at_most_the_machines():
    import psutil

    assert 0 < limits.memory_bytes() <= psutil.virtual_memory().total


def write_files(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("files", "cores", "memory"),
    [
        ({}, None, None),
        ({"proc/self/cgroup": "0::/\n"}, None, None),
        (
            {
                "proc/self/cgroup": "0::/slurm/job7\n",
                "sys/fs/cgroup/slurm/cpu.max": "150000 100000\n",
                "sys/fs/cgroup/slurm/job7/cpu.max": "max 100000\n",
                "sys/fs/cgroup/slurm/job7/memory.max": "2147483648\n",
                "sys/fs/cgroup/slurm/memory.max": "max\n",
            },
            1.5,
            2**31,
        ),
        (
            {  # a container of version 1: the path is the host's, the mount its own
                "proc/self/cgroup": "4:memory:/docker/f00\n2:cpu,cpuacct:/docker/f00\n0::/docker/f00\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824\n",
            },
            2.0,
            2**30,
        ),
        (
            {
                "proc/self/cgroup": "2:cpu:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            None,
            None,
        ),
        ({"proc/self/cgroup": "0::/../other\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"}, 1.0, None),
        ({"proc/self/cgroup": "nonsense\n0::/\n", "sys/fs/cgroup/cpu.max": "1 0\n"}, None, None),
    ],
)
def test_the_tightest_limit_of_the_control_groups_holds(tmp_path, files, cores, memory):
    write_files(tmp_path, files)
    assert limits.cgroup_limits(tmp_path) == limits.Limits(cores=cores, memory_bytes=memory)


# Identity and liveness

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
        from lenetcli.machine import this_process
        parent = this_process()
        child = os.fork()
        if child == 0:
            os._exit(0 if this_process().pid == os.getpid() != parent.pid else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "0\n"


@linux
def test_what_another_boot_of_this_machine_ran_is_dead():
    assert is_alive(replace(this_process(), boot_id="another")) is False


@linux
@pytest.mark.parametrize(
    "elsewhere",
    [
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


@given(identities)
def test_an_identity_from_anywhere_is_never_taken_for_alive(identity):
    assert is_alive(identity) is not True


def test_importing_the_room_loads_no_heavy_library():
    code = "import sys, lenetcli.machine, lenetcli.devices, lenetcli.contention; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"tensorflow", "numpy", "psutil"} & set(said.split())
