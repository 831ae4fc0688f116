"""Workers on a Ray cluster: the contract, nodes that come and go, and drivers that die."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import psutil
import pytest
from helpers.fake_training import DEVICE, FakeSource, Listener
from helpers.fault_checks import check_file, check_reported, check_whole
from helpers.fault_drivers import ENVIRONMENT, end_soon, wait_for
from helpers.fault_engines import SLOW, Engine, Meeting, kill
from helpers.fault_workers import LONG, finish, start
from helpers.made_up import BASE
from helpers.ray_clusters import NODE, CountedSource, DamagedSource, plan_on, ray_cluster, sweep_on_cluster
from helpers.worker_contract import Driver, FakeTrainerContract

from lenetcli.errors import ClusterError, DataError, RunFailedError
from lenetcli.experiment.run import RunState
from lenetcli.machine.devices import choose_device
from lenetcli.store.store import Store
from lenetcli.training.events import Noted
from lenetcli.training.interrupts import Stop
from lenetcli.training.pool import Pool
from lenetcli.training.runner import Runner
from lenetcli.training.workers.cluster import Cluster
from lenetcli.training.workers.messages import Failed, Ready, Refused, Setup

RATES = [0.1, 0.03, 0.01, 0.003]


@pytest.fixture(scope="module")
def nodes():
    with ray_cluster() as cluster:
        yield cluster


class TestWorkerOnCluster(FakeTrainerContract):
    """The contract with a fake trainer on a cluster."""

    hurries = False

    @pytest.fixture(scope="class")
    @classmethod
    def start(cls, nodes, tmp_path_factory):
        with Cluster(nodes.address, Engine(folder=tmp_path_factory.mktemp("ray"))) as cluster:
            yield cluster.start_worker

    @pytest.fixture(scope="class")
    @classmethod
    def device(cls):
        return choose_device("cpu")

    def is_at_home(self, handle, pid):
        return "ray::" in " ".join(psutil.Process(pid).cmdline())


class Screen(Listener):
    """What a user sees, and what happens meanwhile."""

    def __init__(self, act=lambda event: None):
        super().__init__()
        self._act = act

    def __call__(self, event):
        super().__call__(event)
        self._act(event)


def sweep(nodes, folder, engine, rates=RATES, epochs=3, act=lambda event: None, **options):
    """A sweep on a cluster in this process: its result, and the notes for the user."""
    store, screen = Store.open(str(folder / "s.db"), write=True), Screen(act)
    with Cluster(nodes.address, engine) as cluster, Pool(cluster.start_worker) as pool:
        plan = plan_on(cluster, store, rates, epochs, **options)
        result = Runner(store, plan, pool, screen).run(Stop())
    return result, screen


def test_a_sweep_on_two_nodes_is_whole_and_names_the_node_of_each_run(nodes, tmp_path):
    # None goes on before all have begun, so that a worker that is quick leaves the others their runs.
    engine = Engine(folder=tmp_path, deeds={1: Meeting(tmp_path, 4)})
    result, screen = sweep(nodes, tmp_path, engine)
    assert result.complete and screen.notes == []
    check_whole(tmp_path / "s.db", RATES, 3)
    assert len({pid for _, _, pid in engine.begun}) == 4
    (device,) = {a.device_name for run in result.sweep.runs for a in run.attempts}
    assert device == choose_device("cpu").name != DEVICE.name
    # Both nodes are this machine, so that the runs were beside each other.
    assert max(t.beside for run in result.sweep.runs for a in run.attempts for t in a.timings) >= 1


def test_the_data_is_read_once_for_all_workers_of_all_nodes(nodes, tmp_path):
    engine, read = Engine(folder=tmp_path, deeds={1: Meeting(tmp_path, 2)}), tmp_path / "read"
    assert sweep(nodes, tmp_path, engine, source=CountedSource(read))[0].complete
    assert len({pid for _, _, pid in engine.begun}) > 1
    assert read.read_text() == "read\n"


def test_a_worker_that_is_killed_is_replaced_and_the_bits_are_the_same(nodes, tmp_path):
    result, screen = sweep(nodes, tmp_path, Engine(folder=tmp_path, deeds={(0.1, 2): kill}, most=1))
    assert result.complete
    check_whole(tmp_path / "s.db", RATES, 3)
    note, *_ = screen.notes  # perhaps that it waits for room, if all others have ended
    assert "The worker of run" in note and "another one goes on with it" in note


def test_a_run_whose_workers_are_killed_again_fails_and_the_others_go_on(nodes, tmp_path):
    result, screen = sweep(nodes, tmp_path, Engine(folder=tmp_path, deeds={(0.1, 2): kill}))
    assert [run.state for run in result.sweep.runs].count(RunState.FAILED) == 1
    assert any("again in epoch 2" in note for note in screen.notes)
    check_whole(tmp_path / "s.db", RATES[1:], 3)


def test_the_workers_of_a_driver_that_is_killed_end_with_it(nodes, tmp_path):
    engine = Engine(folder=tmp_path)
    driver = start(sweep_on_cluster, nodes.address, tmp_path / "s.db", [SLOW], 1, tmp_path / "log", engine)
    wait_for(lambda: engine.begun)
    workers = [psutil.Process(engine.begun[0][2])]
    driver.kill()
    assert finish(driver) == [-signal.SIGKILL]
    assert end_soon(workers)


def test_data_that_cannot_be_read_ends_the_sweep_with_its_error(nodes, tmp_path):
    with pytest.raises(DataError, match="The fake data are damaged"):
        sweep(nodes, tmp_path, Engine(folder=tmp_path), source=DamagedSource())


def test_workers_that_die_while_they_load_end_the_sweep(nodes, tmp_path):
    with pytest.raises(RunFailedError, match=r"The worker ended on \w+, again"):
        sweep(nodes, tmp_path, Engine(folder=tmp_path, deeds={"loading": kill}), RATES[:1])


def kill_at_random(nodes, folder, engine, chance, most):
    """A sweep of which workers and drivers are killed up to so many times in all."""
    path, log, kills = folder / "s.db", folder / "log", Counter()
    arguments = (sweep_on_cluster, nodes.address, path, RATES, 8, log, engine, True)
    driver = start(*arguments)
    while driver.is_alive() and kills.total() < most:
        time.sleep(chance.uniform(0.1, 1.5))
        living = [pid for _, _, pid in engine.begun[-4:] if psutil.pid_exists(pid)]
        if living and chance.random() < 0.6:
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(living), signal.SIGKILL)
                kills["workers"] += 1
        elif living:
            driver.kill()
            driver.join()
            kills["drivers"] += 1
            driver = start(*arguments)
        if path.exists() and path.stat().st_size:
            check_file(path)
            check_reported(path, log)
    assert finish(driver) == [0]
    check_reported(path, log)
    check_whole(path, RATES, 8)
    for run in Store.open(str(path)).runs():
        epochs = [timing.epoch for attempt in run.attempts for timing in attempt.timings]
        assert epochs == list(range(1, 9))
    return kills


def test_random_kills_of_workers_and_drivers(nodes, tmp_path):
    """21: a sweep on a cluster, of which any process but those of Ray is killed at any moment."""
    chance, kills, wanted = random.Random(5), Counter(), 100 if LONG else 8
    while kills.total() < wanted:
        folder = tmp_path / str(kills.total())
        folder.mkdir()
        some = (chance, wanted - kills.total())
        kills += kill_at_random(nodes, folder, Engine(folder=folder, pause=0.15), *some)
    print(dict(kills))
    assert len(kills) == 2


# Nodes that come and go


def test_nodes_that_come_are_used_and_nodes_that_go_cost_no_more_than_an_epoch(tmp_path):
    """Each node leaves in the same epoch of the same run, which is no fault of the run."""
    engine, rates = Engine(folder=tmp_path, pause=0.3), RATES[:3]
    with ray_cluster(nodes=1) as nodes:
        come = []

        def act(event):
            if len(engine.begun) >= 4 and len(come) < 2:
                (old,) = nodes.worker_nodes
                come.append(nodes.add_node(wait=False, **NODE))
                nodes.remove_node(old, allow_graceful=False)
                os.truncate(tmp_path / "begun", 0)

        result, screen = sweep(nodes, tmp_path, engine, rates, 6, act)
    assert len(come) == 2
    assert result.complete
    check_whole(tmp_path / "s.db", rates, 6)
    assert any("was lost with" in note for note in screen.notes)


def test_where_no_machine_is_left_that_is_said(tmp_path):
    engine, gone = Engine(folder=tmp_path, pause=0.3), []
    with ray_cluster(nodes=1) as nodes:

        def act(event):
            if len(engine.begun) >= 4 and not gone:
                gone.extend(nodes.worker_nodes)
                nodes.remove_node(gone[0], allow_graceful=False)
            if isinstance(event, Noted) and "This waits until a machine" in event.text:
                nodes.add_node(wait=False, **NODE)

        result, screen = sweep(nodes, tmp_path, engine, RATES[:2], 6, act)
    assert result.complete
    assert screen.notes.count("This waits until a machine of the cluster has room.") >= 1
    check_whole(tmp_path / "s.db", RATES[:2], 6)


OTHER = {"version.py": '__version__ = "9.9"', "__init__.py": "", "experiment/__init__.py": ""}


@pytest.mark.parametrize("kind", ["another", "none"])
def test_a_node_with_other_software_is_refused_by_name(nodes, tmp_path, kind):
    package = tmp_path / "path" / "lenetcli"
    (package / "experiment").mkdir(parents=True)
    for name, text in OTHER.items():
        (package / name).write_text(text)
    (package / "experiment" / "config.py").write_text(
        "RECIPE = 2" if kind == "another" else "raise ImportError"
    )
    bad = nodes.add_node(**NODE | {"num_cpus": 8}, env_vars={"PYTHONPATH": str(package.parent)})
    try:
        result, screen = sweep(nodes, tmp_path, Engine(folder=tmp_path, pause=0.1), threads=1)
        with Cluster(nodes.address, Engine(folder=tmp_path)) as cluster:
            driver = Driver(cluster.start_worker)
            driver.handle.send(Setup(FakeSource(), DEVICE, 8))
            *_, refused, failed = driver.collect(Failed, Ready)
    finally:
        nodes.remove_node(bad)
    assert result.complete
    check_whole(tmp_path / "s.db", RATES, 3)
    what = "has lenetcli 9.9, and this machine" if kind == "another" else "has no lenetcli"
    assert isinstance(refused, Refused) and what in refused.reason
    assert all(what in note and refused.machine in note for note in screen.notes)
    assert isinstance(failed.error, ClusterError) and what in failed.error.problem


def test_a_cluster_that_is_lost_ends_the_sweep_with_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "3")  # a minute by default
    engine = Engine(folder=tmp_path, pause=0.3)
    with ray_cluster(nodes=1) as nodes:

        def act(_event):
            if engine.begun:
                nodes.head_node.kill_gcs_server(check_alive=False)

        with pytest.raises(RunFailedError, match="The connection to Ray was lost"):
            sweep(nodes, tmp_path, engine, RATES, 1000, act)
    assert {run.state for run in Store.open(str(tmp_path / "s.db")).runs()} == {RunState.INTERRUPTED}


TOKEN = """
import os, sys
from helpers.ray_clusters import ray_cluster
with ray_cluster(nodes=1) as nodes:
    print(nodes.address, flush=True)
    sys.stdin.read()
"""


def test_a_cluster_that_asks_for_a_token_gets_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    asking = ENVIRONMENT | {"HOME": str(tmp_path), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "a" * 64}
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", TOKEN], env=asking, **streams) as process:
        address = process.stdout.readline().strip()
        with Cluster(address) as cluster, pytest.raises(ClusterError, match="asks for a token"):
            assert cluster.connect()
        monkeypatch.setenv("RAY_AUTH_TOKEN", "b" * 64)
        with Cluster(address) as cluster, pytest.raises(ClusterError, match="none or another one"):
            assert cluster.connect()
        monkeypatch.setenv("RAY_AUTH_TOKEN", "a" * 64)
        with Cluster(address, Engine(folder=tmp_path)) as cluster:
            driver = Driver(cluster.start_worker)
            driver.set_up(FakeSource(), DEVICE, 1)
            assert driver.carry_out(BASE, range(1, 3))[-1].outcome is RunState.COMPLETED
        process.stdin.close()
