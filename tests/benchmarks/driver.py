"""What many workers cost the driver: ``python tests/benchmarks/driver.py --workers 100 500 --epochs 20``.

The workers are simulated: a thread answers the orders of all of them, and an epoch is over after
``--epoch-seconds``, give or take a tenth. Dispatcher, store and disk are real, and checkpoints and
predictions have their real sizes. What it costs to receive reports of other processes or machines is not part
of it.

``driver_ms_an_epoch`` is the processor time of the thread that records, ``driver_share`` its share of the
time that passed, both while all workers train: from the end of the first epochs to the end of the last but
one. ``wait_ms`` is how long a worker waited from the report of an epoch until it was told to go on.
"""

import argparse
import heapq
import itertools
import json
import os
import platform
import random
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.fake_training import FakeSource, make_plan
from helpers.made_up import BASE, DATA

from lenetcli.experiment.architecture import count_parameters
from lenetcli.experiment.checkpoint import Checkpoint
from lenetcli.experiment.datasets import Counts
from lenetcli.experiment.run import CurvePoint, RunState, Timing, Trained, Worker
from lenetcli.machine import limits
from lenetcli.machine.process import this_process
from lenetcli.machine.processor import this_processor
from lenetcli.store.store import Store
from lenetcli.training.events import Event, Progressed, Stored
from lenetcli.training.interrupts import Stop
from lenetcli.training.pool import Pool
from lenetcli.training.runner import Runner
from lenetcli.training.workers.messages import (
    Cancel,
    Dataset,
    Deliver,
    Finished,
    GoOn,
    Order,
    Prepared,
    Ready,
    Report,
    Setup,
    Task,
)

IMAGES = 10_000
SPREAD = 0.1
"""By what share of their mean the times of epochs differ."""

WEIGHTS = [random.Random(seed).randbytes(4 * count_parameters(BASE)) for seed in (0, 1)]
"""Those after even and odd epochs: what is stored already would cost nothing to write."""

PREDICTIONS = bytes(number % 10 for number in range(IMAGES))


class Clock:
    """Carries out what is to be done later, in a thread of its own."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        threading.Thread(target=self._run, daemon=True, name="clock").start()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        with self._changed:
            entry = (time.monotonic() + seconds, next(self._numbers), action)
            heapq.heappush(self._due, entry)
            if self._due[0] is entry:
                self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._due or self._due[0][0] > time.monotonic():
                    self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
                _, _, action = heapq.heappop(self._due)
            action()


class Simulated:
    """A worker whose epochs take time and nothing else; see ``messages.Handle``."""

    def __init__(self, clock: Clock, worker: Worker, seconds: float, waits: list[float], deliver: Deliver):
        self._clock, self._worker, self._waits, self._deliver = clock, worker, waits, deliver
        self._seconds = seconds
        self._random = random.Random(worker.process)
        self._task: Task | None = None
        self._epoch = 0
        self._reported_at: float | None = None

    def send(self, order: Order) -> None:
        if self._reported_at is not None:
            self._waits.append(time.monotonic() - self._reported_at)
            self._reported_at = None
        self._clock.after(0.0, lambda: self._obey(order))  # in the thread of the clock, as all that it does

    def _obey(self, order: Order) -> None:
        match order:
            case Setup():
                self._report(
                    0.0,
                    Ready(self._worker, Dataset(DATA, PREDICTIONS, FakeSource.summary)),
                )
            case Task():
                self._task, self._epoch = order, order.epochs.start
                self._report(0.0, Prepared(0.1, 0.2))
            case GoOn() if self._task is not None:
                if self._epoch in self._task.epochs:
                    self._begin_epoch(self._task)
                else:
                    self._report(0.0, Finished(RunState.COMPLETED))
            case Cancel():
                self._report(0.0, Finished(RunState.INTERRUPTED))

    def kill(self) -> None:
        self._task = None

    def _begin_epoch(self, task: Task) -> None:
        key, epoch = task.config.key, self._epoch
        self._epoch += 1
        seconds = self._seconds * self._random.uniform(1 - SPREAD, 1 + SPREAD)
        for part in (1, 2, 3):
            progress = Progressed(key=key, epoch=epoch, images=20_000 * part, total=60_000, loss=1.0)
            self._report(seconds * part / 3.5, progress)
        now = datetime.now(UTC)
        trained = Trained(
            point=CurvePoint(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=0.5),
            timing=Timing(epoch=epoch, train_seconds=seconds, eval_seconds=0.1, started_at=now, ended_at=now),
            checkpoint=Checkpoint(epoch, f"{epoch:064x}", WEIGHTS[epoch % 2]),
            predictions=PREDICTIONS,
        )
        self._report(seconds, trained)

    def _report(self, seconds: float, report: Report) -> None:
        def deliver() -> None:
            if isinstance(report, Trained):
                self._reported_at = time.monotonic()
            self._deliver(self, report)

        self._clock.after(seconds, deliver)


class Meter:
    """Reads the clocks of the driver's thread when so many epochs are stored."""

    def __init__(self, first: int, last: int) -> None:
        self._first, self._last, self._stored = first, last, 0
        self.readings: list[tuple[float, float]] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, Stored):
            self._stored += 1
            if self._stored in (self._first, self._last):
                self.readings.append((time.perf_counter(), time.thread_time()))


def make_workers(beside: int) -> Callable[[], Worker]:
    """A function that describes one worker after the other, so many on each machine."""
    numbers, boots = itertools.count(), {}

    def make() -> Worker:
        machine, number = divmod(next(numbers), beside)
        boot = boots.setdefault(machine, str(uuid.UUID(int=random.Random(machine).getrandbits(128))))
        host = f"node{machine}"
        process = replace(this_process(), host=host, machine=host, boot_id=boot, pid=1000 + number)
        return Worker(
            process=process.to_json(),
            host=host,
            device_name="A fake processor",
            processor="A fake processor",
            fingerprint="f" * 64,
            threads=1,
            versions={"lenetcli": "0.2", "tensorflow": "2.21.0", "python": "3.12.3", "onednn": "1"},
        )

    return make


def measure(workers: int, epochs: int, seconds: float, beside: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(f"{folder}/s.db", write=True)
        store.add_dataset(DATA, FakeSource.counts, PREDICTIONS)
        plan = make_plan(store, [0.1 / (number + 1) for number in range(workers)], epochs)
        clock, waits, describe = Clock(), [], make_workers(beside)
        meter = Meter(workers, workers * (epochs - 1))
        with Pool(lambda deliver: Simulated(clock, describe(), seconds, waits, deliver)) as pool:
            result = Runner(store, plan, pool, meter, jobs=workers).run(Stop())
        assert result.complete, result
        assert all(run.epochs == epochs for run in store.runs())
    (begun, used), (ended, used_at_end) = meter.readings
    counted = workers * (epochs - 2)
    return {
        "workers": workers,
        "driver_ms_an_epoch": 1000 * (used_at_end - used) / counted,
        "driver_share": (used_at_end - used) / (ended - begun),
        "epochs_a_second": counted / (ended - begun),
        "wait_ms": {
            "mean": 1000 * statistics.mean(waits),
            "95 %": 1000 * statistics.quantiles(waits, n=20)[-1],
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[100, 500])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--epoch-seconds", type=float, default=1.0)
    parser.add_argument("--beside", type=int, default=1, help="how many workers each machine has")
    options = parser.parse_args()
    if options.epochs < 3:
        parser.error("--epochs must be at least 3")
    FakeSource.counts = Counts(IMAGES, IMAGES, IMAGES)
    limits.memory_bytes = lambda: 2**50  # the workers are elsewhere
    machine = {
        "processor": this_processor().name,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    found = [
        measure(workers, options.epochs, options.epoch_seconds, options.beside) for workers in options.workers
    ]
    print(json.dumps(machine | {"beside": options.beside, "measured": found}, indent=2))


if __name__ == "__main__":
    main()
