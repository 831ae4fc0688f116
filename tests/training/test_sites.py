"""Where runs are trained: what a plan is told of a cluster, and workers that wait for a machine."""

import pytest
from helpers.fake_training import DEVICE, LABELS, FakeSource, FakeTrainer, Listener, make_plan
from helpers.made_up import BASE, make_config

from lenetcli.errors import ClusterError, DeviceError, UsageError
from lenetcli.experiment.config import DeviceKind, Request
from lenetcli.store.store import Store
from lenetcli.training.crew import Job
from lenetcli.training.events import Fate
from lenetcli.training.interrupts import Stop
from lenetcli.training.jobs import spread_jobs
from lenetcli.training.kinds import choose_job
from lenetcli.training.memory import estimate_bytes
from lenetcli.training.pool import Pool
from lenetcli.training.runner import Runner
from lenetcli.training.sites import OnCluster
from lenetcli.training.workers.cluster import Machine
from lenetcli.training.workers.description import describe_worker
from lenetcli.training.workers.messages import WAITING
from lenetcli.training.workers.thread import WorkerThread

GB = 10**9


def machine(cpus, gpus=0, memory=64 * GB, name="node"):
    return Machine(name=name, cpus=cpus, gpus=gpus, gpu_model="H100" * bool(gpus), memory_bytes=memory)


class Found:
    """A cluster that was connected to."""

    def __init__(self, *machines):
        self._machines = machines

    def connect(self):
        return self._machines


CONFIGS = [make_config(lr=1 / number, shards=4) for number in range(1, 11)]


@pytest.mark.parametrize(
    ("machines", "requested", "typed", "count", "threads", "room"),
    [
        ([machine(32), machine(32)], None, None, 10, 4, 16),  # as many threads as a batch has pieces
        ([machine(2), machine(64)], None, None, 10, 2, 33),  # as many cores as the smallest machine has
        ([machine(0), machine(8)], None, None, 10, 4, 2),  # a head that trains nothing
        ([machine(2)], 2, None, 2, 1, 2),  # a share of all cores
        ([machine(8)], 50, None, 10, 1, 8),  # no more than there are runs
        ([machine(8)], None, 8, 10, 8, 1),
        ([machine(8), machine(2)], None, 4, 10, 4, 2),  # the small one is of no use then
        ([machine(64, memory=2 * GB)], None, None, 10, 4, 2),  # the memory is the bound
    ],
)
def test_a_cluster_gets_a_job_for_each_run(machines, requested, typed, count, threads, room):
    jobs = spread_jobs(requested, typed, CONFIGS, DEVICE, 60_000, machines)
    assert (jobs.count, jobs.threads, jobs.room) == (count, threads, room)
    assert jobs.at_once == min(count, room)
    assert jobs.memory_bytes == max(estimate_bytes(config, 60_000) for config in CONFIGS)


def test_each_gpu_of_a_cluster_has_one_job_at_a_time():
    device = OnCluster(Found(machine(8), machine(32, gpus=4))).choose_device("auto")
    assert (device.kind, device.name) == (DeviceKind.GPU, "H100")
    jobs = spread_jobs(None, None, CONFIGS, device, 60_000, [machine(8), machine(32, gpus=4)])
    assert (jobs.count, jobs.threads, jobs.room) == (10, 8, 4)


@pytest.mark.parametrize(
    ("machines", "threads"),
    [([], None), ([machine(0)], None), ([machine(8)], 9), ([machine(8, memory=GB // 2)], None)],
)
def test_a_job_for_which_no_machine_has_what_it_needs_is_refused(machines, threads):
    with pytest.raises(ClusterError, match="which no machine of the cluster has"):
        spread_jobs(None, threads, CONFIGS, DEVICE, 60_000, machines)


@pytest.mark.parametrize(
    ("requested", "error"), [("gpu", DeviceError), ("gpu:0", UsageError), ("tpu", UsageError)]
)
def test_a_device_that_a_cluster_cannot_give_is_refused(requested, error):
    site = OnCluster(Found(machine(8)))
    with pytest.raises(error):
        site.choose_device(requested)
    assert site.choose_device("auto").kind is site.choose_device("CPU").kind is DeviceKind.CPU


def test_the_memory_that_counts_is_that_of_the_largest_machine():
    assert OnCluster(Found(machine(1, memory=GB), machine(1, memory=3 * GB))).memory_bytes() == 3 * GB
    assert list(OnCluster(Found()).warn(Request(), DEVICE)) == []


# Workers that wait for a machine


class Homeless:
    """A worker that never gets a machine."""

    def __init__(self, deliver):
        deliver(self, WAITING)

    def send(self, order):
        pass

    def kill(self):
        pass


def pool_with_room_for(count):
    """A pool of which so many workers get a machine."""
    started = []

    def begin(deliver):
        started.append(None)
        if len(started) > count:
            return Homeless(deliver)
        return WorkerThread(lambda: lambda *_: FakeTrainer(), deliver)

    return Pool(begin)


def test_runs_in_other_hands_are_not_waited_for_because_some_workers_have_no_machine(tmp_path):
    store = Store.open(str(tmp_path / "s.db"), write=True)
    plan = make_plan(store, [0.1, 0.03, 0.01, 0.003], 2)
    store.add_dataset(BASE.data, FakeSource.counts, LABELS)
    store.claim(BASE, describe_worker(DEVICE, 1), 2, dataset_name="fake")  # of this process, which lives
    with pool_with_room_for(2) as pool:
        result = Runner(store, plan, pool, Listener(), jobs=4, wait=False).run(Stop())
    assert [result.fates[cell.config.key] for cell in plan.sweep.cells] == [Fate.LEFT, *[Fate.TRAINED] * 3]


def test_a_run_that_was_begun_waits_for_a_worker_that_loads_and_not_for_one_without_a_machine():
    other = Job(device=DEVICE, handle=object(), worker=describe_worker(DEVICE, 1), is_placed=True)
    loads, waits = (Job(device=DEVICE, handle=object(), is_placed=placed) for placed in (True, False))
    begun = {BASE.key: {"another kind"}}
    assert choose_job(BASE, [loads, other], begun) is None
    assert choose_job(BASE, [waits, other], begun) is other
    assert choose_job(make_config(seed=7), [loads, other], begun) is other
