"""13: machines, containers and boots that look alike, or cannot see each other's processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import pytest
from helpers.fault_checks import check_file, check_reported, check_whole, reported
from helpers.fault_workers import LONG, PATIENCE, finish, start, sweep_beside_a_twin
from helpers.made_up import BASE

from lenetcli.store.store import Store

EPOCHS = 20
KEY = replace(BASE, lr=0.1).key


def make_machine(folder, boot):
    """The system files of a machine made from an image."""
    for name, text in (("etc/machine-id", "of the image"), ("proc/sys/kernel/random/boot_id", boot)):
        path = folder / boot / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return folder / boot


def check_epochs(store, log, rates, most):
    """Each epoch is stored and was reported once; at most so many were begun."""
    check_file(store)
    check_reported(store, log)
    check_whole(store, rates, EPOCHS)
    assert len(reported(log)) == len(rates) * EPOCHS
    assert len(reported(f"{log}.begun")) <= most


@pytest.mark.parametrize("turn", range(5 if LONG else 1))
def test_cloned_machines_wait_for_each_other(tmp_path, turn):
    """Two machines of one host name and machine-id, of which each would take the other for its last boot."""
    store, log = tmp_path / "s.db", tmp_path / "log"
    machines = [make_machine(tmp_path, boot) for boot in ("first", "second")]
    twins = [start(sweep_beside_a_twin, store, [0.1], EPOCHS, log, machine) for machine in machines]
    assert finish(*twins) == [0, 0]
    check_epochs(store, log, [0.1], EPOCHS)


@pytest.mark.parametrize("turn", range(5 if LONG else 1))
def test_copies_of_a_running_machine_take_a_run_from_each_other_once(tmp_path, turn):
    """They share the boot, and each sees that the process of the other is not in its own process table."""
    store, log, rates = tmp_path / "s.db", tmp_path / "log", [0.1, 0.01]
    twins = [start(sweep_beside_a_twin, store, rates, EPOCHS, log) for _ in range(2)]
    assert finish(*twins) == [0, 0]
    check_epochs(store, log, rates, len(rates) * (EPOCHS + 2))
    attempts = Counter(len(run.attempts) for run in Store.open(str(store)).runs())
    assert max(attempts) <= 3


CONTAINER = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
WORK = """
import sys
from helpers import fault_workers
from lenetcli.machine import process
from lenetcli.training import heartbeats

heartbeats.DEAD_SECONDS = 1.0
fault_workers.sweep_beside_a_twin(sys.argv[1], [0.1], int(sys.argv[3]), sys.argv[2], process.ROOT)
"""


def can_contain():
    try:
        return subprocess.run([*CONTAINER, "true"], capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not can_contain(), reason="may not make pid namespaces")
def test_a_container_that_is_killed_and_made_anew(tmp_path):
    """Who looks from outside, or from a new container, cannot see whether the process lives."""
    store, log = tmp_path / "s.db", tmp_path / "log"
    work = [*CONTAINER, sys.executable, "-c", WORK, str(store), str(log), str(EPOCHS)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(work, env=environment) as container:
        while len(reported(log)) < 2 and container.poll() is None:
            time.sleep(0.05)
        container.kill()
    assert container.returncode == -signal.SIGKILL
    listing = [sys.executable, "-m", "lenetcli", "runs", "list", "--store", str(store)]
    said = subprocess.run(listing, capture_output=True, text=True, env=environment, check=True)
    (run,) = Store.open(str(store)).runs()
    seen_at = run.last_sign_of_life
    assert f"{seen_at:%Y-%m-%d %H:%M} UTC" in said.stdout and "by the clock of the host" in said.stderr
    (fields,) = json.loads(subprocess.run([*listing, "--json"], capture_output=True, env=environment).stdout)
    assert (fields["state"], fields["last_sign_of_life"]) == ("running", seen_at.isoformat())
    assert subprocess.run(work, env=environment, timeout=PATIENCE).returncode == 0
    check_epochs(store, log, [0.1], EPOCHS + 1)
    said = subprocess.run(listing, capture_output=True, text=True, env=environment, check=True)
    assert "sign of life" not in said.stdout + said.stderr
