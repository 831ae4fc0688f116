"""How many runs are trained side by side, where, and with how many threads."""

from dataclasses import replace

import pytest
from helpers.made_up import make_config
from hypothesis import assume, given
from hypothesis import strategies as st

from lenetcli.errors import UsageError
from lenetcli.experiment.config import DeviceKind
from lenetcli.machine import limits
from lenetcli.machine.devices import Device
from lenetcli.training.jobs import choose_jobs
from lenetcli.training.memory import estimate_bytes

IMAGES = 70_000
CPU = Device(kind=DeviceKind.CPU, index=0, name="A processor", memory_bytes=None)
GPUS = [
    Device(kind=DeviceKind.GPU, index=index, name="NVIDIA H100", memory_bytes=2**36) for index in range(3)
]


@pytest.fixture
def machine(monkeypatch):
    """Sets the cores and the memory of the machine, at first a lot of the latter."""

    def set_up(cores, memory=2**50):
        monkeypatch.setattr(limits, "usable_cores", lambda: cores)
        monkeypatch.setattr(limits, "memory_bytes", lambda: memory)

    return set_up


def make_configs(count, pieces=4, **values):
    device = values.pop("device", DeviceKind.CPU)
    return [make_config(seed=seed, shards=pieces, device=device, **values) for seed in range(count)]


def choose(requested=None, threads=None, count=30, pieces=4):
    jobs = choose_jobs(requested, threads, make_configs(count, pieces), CPU, IMAGES)
    assert jobs.devices == (CPU,) * jobs.count
    return jobs.count, jobs.threads


@pytest.mark.parametrize(
    ("cores", "jobs"),
    [(1, (1, 1)), (2, (1, 2)), (3, (1, 3)), (4, (1, 4)), (7, (1, 4)), (8, (2, 4)), (16, (4, 4))],
)
def test_more_than_one_job_is_begun_where_one_leaves_cores_for_another(machine, cores, jobs):
    machine(cores)
    assert choose() == jobs


def test_the_largest_number_of_pieces_counts(machine):
    machine(8)
    configs = [*make_configs(5, 2), *make_configs(5, 8)]
    jobs = choose_jobs(None, None, configs, CPU, IMAGES)
    assert (jobs.count, jobs.threads) == (1, 8)
    assert choose(pieces=2) == (4, 2)


def test_no_more_jobs_are_begun_than_runs_are_left(machine):
    machine(16)
    assert choose(count=3) == (3, 4)
    assert choose(count=1) == (1, 4)
    assert choose(requested=8, count=2) == (2, 4)
    assert choose_jobs(None, None, [], CPU, IMAGES).count == 1


@pytest.mark.parametrize(
    ("cores", "requested", "threads"), [(2, 1, 2), (2, 2, 1), (2, 8, 1), (8, 3, 2), (8, 1, 4)]
)
def test_each_job_has_its_share_of_the_cores(machine, cores, requested, threads):
    machine(cores)
    assert choose(requested=requested) == (requested, threads)


def test_threads_as_typed_decide_how_many_jobs_there_are_cores_for(machine):
    machine(8)
    assert choose(threads=2) == (4, 2)
    assert choose(threads=1) == (8, 1)
    assert choose(threads=8) == (2, 8)  # a run uses no more of them than it has pieces
    assert choose(threads=2, requested=1) == (1, 2)
    assert choose(threads=3, requested=8) == (8, 3)


def test_auto_takes_no_more_jobs_than_memory_holds(machine):
    each = estimate_bytes(make_configs(1)[0], IMAGES)
    for memory, jobs in ((each, 1), (2 * each - 1, 1), (2 * each, 2), (3 * each, 3), (2**40, 4)):
        machine(16, memory)
        assert choose() == (jobs, 4)


def test_more_jobs_than_memory_holds_are_refused_with_how_many_it_does(machine):
    machine(16, 3 * estimate_bytes(make_configs(1)[0], IMAGES))
    assert choose(requested=3) == (3, 4)
    with pytest.raises(
        UsageError, match=r"^4 jobs need about 2\.\d\d GB of memory, and this machine has "
    ) as caught:
        choose(requested=4)
    assert caught.value.advice == "Choose --jobs 3 or fewer."
    assert choose(requested=30, count=3) == (3, 4)  # only so many are begun
    machine(16, 1e9)
    with pytest.raises(UsageError) as caught:
        choose(requested=2)
    assert caught.value.advice == "Choose --jobs 1."


def test_the_largest_runs_may_meet(machine):
    small, large = make_configs(1, filters=8)[0], make_configs(1, filters=2000, hidden_units=4000)[0]
    both = estimate_bytes(small, IMAGES) + estimate_bytes(large, IMAGES)
    for memory, jobs in ((both - 1, 1), (both, 2)):
        machine(8, memory)
        assert choose_jobs(None, None, [small, replace(small, seed=7), large], CPU, IMAGES).count == jobs


def test_on_gpus_there_is_a_job_on_each(machine):
    machine(16)
    configs = make_configs(10, 1, device=DeviceKind.GPU)
    jobs = choose_jobs(None, None, configs, GPUS[0], IMAGES, gpus=GPUS)
    assert (jobs.devices, jobs.threads) == (tuple(GPUS), 5)
    assert choose_jobs(2, None, configs, GPUS[0], IMAGES, gpus=GPUS).devices == tuple(GPUS[:2])
    assert choose_jobs(None, 3, configs[:1], GPUS[0], IMAGES, gpus=GPUS).devices == (GPUS[0],)
    alone = choose_jobs(None, None, configs, GPUS[1], IMAGES)
    assert (alone.devices, alone.threads) == ((GPUS[1],), 16)


def test_more_jobs_than_gpus_are_refused(machine):
    machine(16)
    configs = make_configs(10, 1, device=DeviceKind.GPU)
    with pytest.raises(UsageError, match=r"^4 jobs need 4 GPUs of one model, and 3 can be used\.") as caught:
        choose_jobs(4, None, configs, GPUS[0], IMAGES, gpus=GPUS)
    assert caught.value.advice == "Choose --jobs 3 or fewer."
    with pytest.raises(UsageError, match=r"only gpu:1 \(NVIDIA H100\) can be used") as caught:
        choose_jobs(2, None, configs, GPUS[1], IMAGES)
    assert caught.value.advice == "Choose --jobs 1."


@given(
    cores=st.integers(1, 64),
    count=st.integers(1, 40),
    pieces=st.integers(1, 8),
    threads=st.none() | st.integers(1, 16),
    memory=st.integers(1, 40),
)
def test_what_auto_chooses_can_be_had_and_leaves_no_cores_for_another(cores, count, pieces, threads, memory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "usable_cores", lambda: cores)
        patch.setattr(limits, "memory_bytes", lambda: memory * 10**9)
        configs = make_configs(count, pieces)
        jobs = choose_jobs(None, threads, configs, CPU, IMAGES)
        assert choose_jobs(jobs.count, threads, configs, CPU, IMAGES) == jobs  # as if it had been typed
        used = min(jobs.threads, pieces)
        assert jobs.count == 1 or jobs.count * used <= cores
        assume(jobs.count < count and (jobs.count + 1) * 0.8 <= memory)
        assert (jobs.count + 1) * used > cores
