"""A Ray cluster beside processes: ``python tests/benchmarks/clusters.py --data FOLDER``.

Whole commands in turn on this machine, two workers of one thread each, and the bare start and end of Ray;
the best of each counts. That the bits of all are the same is checked. ``--sleeping N`` has a cluster of N
workers that only sleep, a hundred in a process: what the driver, and the process between it and Ray, cost.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
from helpers.crowded_relay import Load
from helpers.fake_training import Listener, make_plan
from helpers.timed_sweeps import train

from lenetcli.machine.processor import this_processor
from lenetcli.store.store import Store
from lenetcli.training.interrupts import Stop
from lenetcli.training.jobs import Jobs
from lenetcli.training.pool import Pool
from lenetcli.training.runner import Runner
from lenetcli.training.sites import OnCluster
from lenetcli.training.workers.cluster import Cluster

COMMANDS = {"processes": ["--jobs", "2", "--threads", "1"]}
COMMANDS["Ray"] = [*COMMANDS["processes"], "--ray", "local"]

BARE = "import ray; ray.init('local', num_cpus=2, include_dashboard=False, log_to_driver=False)"


def start_ray() -> float:
    """The seconds until Ray has started on this machine."""
    begun = time.perf_counter()
    environment = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    subprocess.run([sys.executable, "-P", "-c", BARE], check=True, capture_output=True, env=environment)
    return time.perf_counter() - begun


def compare_commands(rounds: int, runs: int, epochs: int, data: str) -> dict[str, object]:
    seconds, hashes = {name: [] for name in (*COMMANDS, "start of Ray")}, []
    for turn in range(1, rounds + 1):
        for name, options in COMMANDS.items():
            taken, weights = train(options, runs, epochs, data)
            seconds[name].append(taken)
            hashes.append(weights)
        seconds["start of Ray"].append(start_ray())
        newest = ", ".join(f"{name} {each[-1]:.1f} s" for name, each in seconds.items())
        print(f"  round {turn}/{rounds}: {newest}", file=sys.stderr)
    assert all(weights == hashes[0] for weights in hashes), "other bits"
    best = {name: min(each) for name, each in seconds.items()}
    ratio = (best["Ray"] - best["start of Ray"]) / best["processes"]
    return {"seconds": seconds, "ratio beyond the start of Ray": ratio}


class Crowded(Cluster):
    """A cluster with a hundred workers in a process."""

    relay = "helpers.crowded_relay"


class Everywhere(OnCluster):
    """A site with room for all."""

    def __init__(self, cluster: Cluster, count: int) -> None:
        super().__init__(cluster)
        self._count = count

    def choose_jobs(self, requested, request, configs, device, images) -> Jobs:
        return Jobs((device,) * self._count, 1)


class Meter(Listener):
    """Counts epochs, and measures from the moment on at which all workers are busy."""

    def __init__(self, workers: int, pid: int) -> None:
        super().__init__()
        self._busy, self._workers = set(), workers
        self._relay = psutil.Process(pid)
        self.begun: tuple[float, float, float, float] | None = None
        self.epochs = 0

    def read(self) -> tuple[float, float, float, float]:
        times = self._relay.cpu_times()
        return time.perf_counter(), time.thread_time(), time.process_time(), times.user + times.system

    def __call__(self, event: object) -> None:
        if type(event).__name__ == "Stored":
            self._busy.add(event.key)
            if self.begun is not None:
                self.epochs += 1
            elif len(self._busy) == self._workers:
                self.begun = self.read()


def sleep(workers: int, epochs: int, seconds: float) -> dict[str, float]:
    """What the driver costs while so many workers train epochs of so many seconds."""
    with tempfile.TemporaryDirectory() as folder, Crowded("local", Load(seconds)) as cluster:
        store = Store.open(f"{folder}/s.db", write=True)
        plan = make_plan(store, [0.1 / (number + 1) for number in range(workers)], epochs)
        plan = replace(plan, site=Everywhere(cluster, workers))
        assert cluster.connect()
        meter, stop = Meter(workers, cluster._child.pid), Stop()
        end = threading.Timer(60 + epochs * seconds, stop.request, [15])
        end.start()
        with Pool(cluster.start_worker) as pool:
            Runner(store, plan, pool, meter).run(stop)
        end.cancel()
        assert meter.begun is not None
        wall, thread, process, relay = (
            now - then for now, then in zip(meter.read(), meter.begun, strict=True)
        )
    return {
        "workers": workers,
        "seconds of an epoch": seconds,
        "epochs a second": meter.epochs / wall,
        "of those that would be without a driver": meter.epochs / wall / (workers / seconds),
        "cores of the thread that records": thread / wall,
        "cores of the driver": process / wall,
        "cores of the process between it and Ray": relay / wall,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="a folder with MNIST's files")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--sleeping", type=int, nargs="+", metavar="WORKERS")
    parser.add_argument("--seconds", type=float, default=1.0, help="of an epoch that is slept through")
    options = parser.parse_args()
    machine = {
        "processor": this_processor().name,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    if options.sleeping:
        found = {"sleeping": [sleep(count, options.epochs, options.seconds) for count in options.sleeping]}
    elif options.data:
        found = compare_commands(options.rounds, options.runs, options.epochs, options.data)
    else:
        parser.error("give --data or --sleeping")
    print(json.dumps(machine | found, indent=2))


if __name__ == "__main__":
    main()
