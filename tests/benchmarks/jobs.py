"""Several jobs beside one: ``python tests/benchmarks/jobs.py --data FOLDER``.

Whole commands in turn, so that whatever else the machine does falls on all of them; the best of each counts.
Ratios are what is to be read: seconds differ from machine to machine. That the bits of all of them are the
same is checked. ``--sleeping`` trains with workers that only sleep, which shows what the driver costs on a
machine with too few cores.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.fake_training import Listener, load_sleeper, make_plan
from helpers.timed_sweeps import train

from lenetcli.machine.processor import this_processor
from lenetcli.store.store import Store
from lenetcli.training.interrupts import Stop
from lenetcli.training.pool import Pool
from lenetcli.training.runner import Runner
from lenetcli.training.workers.process import WorkerProcess

COMMANDS = {
    "--jobs 1": ["--jobs", "1"],
    "--jobs 2": ["--jobs", "2"],
    "--jobs 1 --threads 1": ["--jobs", "1", "--threads", "1"],
    "--jobs 2 --threads 1": ["--jobs", "2", "--threads", "1"],
}
RATIOS = (("--jobs 2", "--jobs 1"), ("--jobs 2 --threads 1", "--jobs 1 --threads 1"))


def compare_commands(rounds: int, runs: int, epochs: int, data: str) -> dict[str, object]:
    seconds, hashes = {name: [] for name in COMMANDS}, []
    for turn in range(1, rounds + 1):
        for name, options in COMMANDS.items():
            taken, weights = train(options, runs, epochs, data)
            seconds[name].append(taken)
            hashes.append(weights)
            print(f"  round {turn}/{rounds}: {name} {taken:.1f} s", file=sys.stderr)
    assert all(weights == hashes[0] for weights in hashes), "other bits"
    ratios = {f"{one} / {other}": min(seconds[one]) / min(seconds[other]) for one, other in RATIOS}
    return {"seconds": seconds, "ratios": ratios}


def sleep(jobs: int, runs: int, epochs: int) -> tuple[float, float]:
    """The seconds of a sweep whose epochs last for a second, and the processor time of the driver."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(f"{folder}/s.db", write=True)
        plan = make_plan(store, [0.1 / (number + 1) for number in range(runs)], epochs)
        begun, used = time.perf_counter(), time.process_time()
        with Pool(lambda deliver: WorkerProcess(load_sleeper, deliver)) as pool:
            assert Runner(store, plan, pool, Listener(), jobs=jobs).run(Stop()).complete
        return time.perf_counter() - begun, time.process_time() - used


def compare_sleepers(runs: int, epochs: int) -> dict[str, object]:
    one, eight = sleep(1, runs, epochs), sleep(8, runs, epochs)
    return {
        "seconds": {"1 job": one[0], "8 jobs": eight[0]},
        "ratio": eight[0] / one[0],
        "driver_ms_an_epoch": 1000 * eight[1] / (runs * epochs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="a folder with MNIST's files")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--sleeping", action="store_true")
    options = parser.parse_args()
    machine = {
        "processor": this_processor().name,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    if options.sleeping:
        found = compare_sleepers(4 * options.runs, options.epochs)
    elif options.data:
        found = compare_commands(options.rounds, options.runs, options.epochs, options.data)
    else:
        parser.error("give --data or --sleeping")
    print(json.dumps(machine | found, indent=2))


if __name__ == "__main__":
    main()
