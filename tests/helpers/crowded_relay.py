"""A relay whose workers live in a few actors, a hundred in each: more than a machine has room for.

The driver, the relay, Ray and each message are those of the product; the workers sleep.
"""

import time
from types import SimpleNamespace

import ray
from helpers.fake_training import FakeTrainer

from lenetcli.training.workers import actor, relay

CROWD = 100
"""How many workers live in an actor."""


class Sleeper(FakeTrainer):
    """A trainer that sleeps through an epoch in one piece."""

    def train(self, config, checkpoint, epochs, on_progress, should_stop):
        self.hook = lambda *_: time.sleep(self.pause_of_hook)
        return super().train(config, checkpoint, epochs, on_progress, should_stop)

    pause_of_hook = 1.0


class Load:
    """Loads sleepers whose epochs last so many seconds."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __call__(self):
        def make(*_):
            sleeper = Sleeper()
            sleeper.pause_of_hook = self.seconds
            return sleeper

        return make


class Crowd:
    """Many workers in one process."""

    def __init__(self):
        self._workers = [actor.Actor() for _ in range(CROWD)]

    def call(self, number, method, *arguments):
        return getattr(self._workers[number], method)(*arguments)


class CrowdedRelay(relay.Relay):
    """A relay whose actors stand for one worker of a crowd each."""

    def __init__(self, target, folder):
        super().__init__(target, folder)
        self._started = 0

    def start_actor(self, options):
        number = self._started % CROWD
        if number == 0:
            groups = {actor.ORDERS: 1, actor.REPORTS: CROWD}
            self._crowd = ray.remote(concurrency_groups=groups)(Crowd).options(num_cpus=0).remote()
        self._started += 1
        call = self._crowd.call

        def seat(method, group=None):
            chosen = call.options(concurrency_group=group) if group else call
            return SimpleNamespace(remote=lambda *arguments: chosen.remote(number, method, *arguments))

        return SimpleNamespace(
            describe=seat("describe"),
            begin=seat("begin"),
            order=seat("order", actor.ORDERS),
            fetch=seat("fetch", actor.REPORTS),
        )


if __name__ == "__main__":
    ray.kill = lambda _seat: None
    relay.main(CrowdedRelay)
