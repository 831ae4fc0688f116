"""A trainer that keeps the contract of ``events.Trainer`` in microseconds, and plans for it."""

import hashlib
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

import numpy as np
from helpers.made_up import BASE, DATA, NOW

from lenetcli.data.sources import Arrays, Examples
from lenetcli.experiment.checkpoint import Checkpoint
from lenetcli.experiment.config import DeviceKind, Request
from lenetcli.experiment.datasets import Pixels, Summary, count_classes
from lenetcli.experiment.run import CurvePoint, Timing, Trained
from lenetcli.experiment.sweep import Axis, Cell, Sweep
from lenetcli.machine.devices import Device
from lenetcli.training.events import Diverged, Held, Noted, Progressed, Stopped
from lenetcli.training.interrupts import Stop
from lenetcli.training.plan import Plan, refresh
from lenetcli.training.pool import Pool
from lenetcli.training.runner import Runner
from lenetcli.training.workers.thread import WorkerThread

DEVICE = Device(kind=DeviceKind.CPU, index=0, name="A fake processor", memory_bytes=2**34)
IMAGES = 12
LABELS = bytes(number % 10 for number in range(IMAGES))
SHARES = count_classes(LABELS)


class FakeSource:
    """Stands where a ``DataSource`` stands."""

    name, origin, warning, missing, notes, sha256 = "fake", "nowhere", None, None, (), DATA
    summary = Summary(
        train=SHARES, validation=SHARES, test=SHARES, repeats=0, pixels=(Pixels(0, 255, False),) * 2
    )
    counts = summary.counts

    def load(self):
        images, labels = np.zeros((IMAGES, 28, 28), np.uint8), np.frombuffer(LABELS, np.uint8)
        return Arrays(*[Examples(images, labels)] * 3)


def start_bits(config):
    return hashlib.sha256(config.key.encode()).digest()


def next_bits(bits, epoch):
    return hashlib.sha256(bits + bytes([epoch])).digest()


def bits_after(config, epochs):
    """The weights of a run that was never interrupted."""
    bits = start_bits(config)
    for epoch in range(1, epochs + 1):
        bits = next_bits(bits, epoch)
    return bits


def accuracy_of(bits):
    return bits[0] % (IMAGES + 1) / IMAGES


def predictions_of(bits):
    """Right for as many of the images as the accuracy says."""
    right = bits[0] % (IMAGES + 1)
    return LABELS[:right] + bytes((label + 1) % 10 for label in LABELS[right:])


def point(bits, epoch, *, last):
    accuracy = accuracy_of(bits)
    return CurvePoint(
        epoch=epoch,
        train_loss=bits[1] / 255,
        val_loss=bits[2] / 255,
        val_accuracy=accuracy,
        test_accuracy=accuracy if last else None,
    )


def curve_of(config, epochs):
    return tuple(point(bits_after(config, n), n, last=n == epochs) for n in range(1, epochs + 1))


@dataclass
class FakeTrainer:
    """Each epoch's weights are a hash of the ones before; ``hook(config, epoch)`` may raise on the way."""

    hook: object = lambda config, epoch: None
    diverges: dict = field(default_factory=dict)
    seconds: float = 1.0
    contended: bool = False
    pause: float = 0.0  # seconds that an epoch takes in truth, unless it is told to stop
    twist: bytes = b""
    trained: list = field(default_factory=list)
    tested: list = field(default_factory=list)

    def prepare(self, config):
        return 0.1, 0.2

    def train(self, config, checkpoint, epochs, on_progress, should_stop):
        bits = start_bits(config) + self.twist if checkpoint is None else checkpoint.tensors
        for epoch in epochs:
            if should_stop():
                raise Stopped
            started_at = datetime.now(UTC)
            self.hook(config, epoch)
            end = time.monotonic() + self.pause
            while time.monotonic() < end:
                if should_stop():
                    raise Stopped
                time.sleep(0.01)
            if self.diverges.get(config.lr) == epoch:
                raise Diverged
            on_progress(Progressed(key=config.key, epoch=epoch, images=IMAGES, total=IMAGES, loss=1.0))
            bits = next_bits(bits, epoch)
            self.trained.append((config.key, epoch))
            yield Trained(
                point=point(bits, epoch, last=epoch == epochs[-1]),
                checkpoint=Checkpoint(epoch, bits.hex(), bits),
                predictions=predictions_of(bits),
                timing=Timing(
                    epoch=epoch,
                    train_seconds=self.seconds,
                    eval_seconds=0.1,
                    contended=self.contended,
                    started_at=started_at,
                    ended_at=datetime.now(UTC),
                ),
            )

    def test(self, config, checkpoint):
        self.tested.append(config.key)
        return accuracy_of(checkpoint.tensors)


def load_sleeper():
    """An engine whose epochs last for a second and cost nothing, for worker processes."""
    return lambda *_: FakeTrainer(pause=1.0)


class Listener:
    """Records the events of a runner."""

    def __init__(self):
        self.events = []

    def __call__(self, event):
        self.events.append(event)

    @property
    def held(self):
        return [event for event in self.events if isinstance(event, Held)]

    @property
    def notes(self):
        return [event.text for event in self.events if isinstance(event, Noted)]


def make_plan(store, rates, epochs, *, single=False, remeasure=False, seeds=(0,), base=BASE):
    cells = tuple(Cell(config=replace(base, lr=rate, seed=seed)) for rate in rates for seed in seeds)
    grid = [Axis("lr", tuple(rates)), *([Axis("seed", tuple(seeds))] if len(seeds) > 1 else [])]
    sweep = Sweep(
        axes=() if single else tuple(grid),
        epochs=epochs,
        dataset_name="fake",
        cells=cells,
        request=Request(epochs=epochs),
        created_at=NOW,
        last_requested=NOW,
    )
    return Plan(
        sweep=refresh(store, sweep),
        source=FakeSource(),
        device=DEVICE,
        remeasure=remeasure,
    )


class MortalPool(Pool):
    """A pool of threads; what a trainer raises that is no error ends the driver, too, as a power cut does."""

    def __init__(self, trainer):
        self.deaths = []
        super().__init__(partial(Mortal, trainer, self.deaths))

    def receive(self, seconds=0.0):
        received = super().receive(seconds)
        if received is None and self.deaths:
            raise self.deaths[0]
        return received


class Mortal(WorkerThread):
    def __init__(self, trainer, deaths, deliver):
        self._deaths = deaths
        super().__init__(lambda: lambda *_: trainer, deliver)

    def _work(self, load_engine, deliver):
        try:
            super()._work(load_engine, deliver)
        except BaseException as death:
            self._deaths.append(death)


def in_threads(trainer=None):
    """A pool whose workers are threads of this process, all with one trainer."""
    return MortalPool(trainer or FakeTrainer())


def carry_out(store, rates, epochs, trainer=None, *, wait=True, stop=None, listener=None, jobs=1, **options):
    """Plan and run; returns the result."""
    plan = make_plan(store, rates, epochs, **options)
    with in_threads(trainer) as pool:
        return Runner(store, plan, pool, listener or Listener(), jobs=jobs, wait=wait).run(stop or Stop())
