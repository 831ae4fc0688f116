"""The cores and the memory that a process may use."""

import os
import subprocess
import sys

import pytest

from lenetcli.machine import limits

linux = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux' /proc")


@linux
def test_usable_cores_follow_the_affinity():
    one = min(os.sched_getaffinity(0))
    code = f"import os; from lenetcli.machine import limits; os.sched_setaffinity(0, [{one}]);"
    code += "print(limits.usable_cores())"
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
def test_the_tightest_limit_of_the_control_groups_holds(tmp_path, monkeypatch, files, cores, memory):
    write_files(tmp_path, files)
    monkeypatch.setattr(limits, "ROOT", tmp_path)
    assert (limits.core_limit(), limits.memory_limit()) == (cores, memory)
