"""Engines for workers in other processes: fake trainers that die, hang and fail on cue."""

import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from helpers.fake_training import FakeTrainer

from lenetcli.errors import DataError

LAST_WORDS = "F tensorflow/core: Check failed: ret == 0 (11 vs. 0)"
DIVERGING = 100.0
"""The rate at which the second epoch diverges."""

SLOW = 50.0
"""The rate at which an epoch takes a minute, unless it is told to stop."""


@dataclass
class SlowTrainer(FakeTrainer):
    """The fake trainer, slow at one rate; ``at_end`` is called when a run is finished, and nobody told."""

    at_end: object = lambda rate: None

    def train(self, config, *arguments):
        pause, self.pause = self.pause, 60.0 if config.lr == SLOW else self.pause
        try:
            yield from super().train(config, *arguments)
        finally:
            self.pause = pause
        self.at_end(config.lr)


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def abort():
    os.write(2, f"{LAST_WORDS}\n".encode())
    os.abort()


def leave():
    print("I leave.", flush=True)
    sys.exit(3)


def hang():
    """A step that is long, and hears nothing."""
    time.sleep(60)


def fail():
    raise RuntimeError("the fake device is on fire")


def refuse():
    raise DataError("The fake data are damaged.", "Make them again with {}.", "lenetcli data")


@dataclass(frozen=True)
class Meeting:
    """A deed: to wait until so many processes have begun an epoch; then they were all at work together."""

    folder: Path
    processes: int

    def __call__(self):
        deadline = time.monotonic() + 300
        while len({pid for *_, pid in read_begun(self.folder)}) < self.processes:
            if time.monotonic() > deadline:
                raise TimeoutError(f"The others of {self.processes} processes have not begun.")
            time.sleep(0.05)


def read_begun(folder):
    """The epochs that were begun: rate, epoch, process."""
    file = folder / "begun"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(float(rate), int(epoch), int(pid)) for rate, epoch, pid in map(str.split, lines)]


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Loads fake trainers, in whatever process it is sent to.

    ``deeds`` has what happens in an epoch of a rate, ``"end"`` is the moment after the last one; an epoch
    alone is that of any rate, and the key ``"loading"`` has what happens while it loads.
    Each happens ``most`` times in all, whichever process it is. ``folder`` counts them, and has the file
    ``begun``, a line for each epoch that was begun: rate, epoch, process.
    """

    folder: Path
    deeds: dict = field(default_factory=dict)
    most: int = 1_000_000
    pause: float = 0.0

    def __call__(self):
        self.do("loading")
        return lambda *_: SlowTrainer(
            hook=self.begin,
            diverges={DIVERGING: 2},
            pause=self.pause,
            at_end=lambda rate: self.do((rate, "end")),
        )

    def begin(self, config, epoch):
        file = os.open(self.folder / "begun", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{config.lr} {epoch} {os.getpid()}\n".encode())
        os.close(file)
        self.do(epoch)
        self.do((config.lr, epoch))

    def do(self, what):
        if what not in self.deeds:
            return
        for number in range(self.most):
            try:
                os.close(os.open(self.folder / f"{what} {number}", os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                continue
            self.deeds[what]()
            return

    @property
    def begun(self):
        return read_begun(self.folder)
