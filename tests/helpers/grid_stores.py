"""Made-up sweeps over several parameters, with holes, runs that diverged and runs that were not finished."""

import itertools
import math
from dataclasses import replace

from helpers.fake_training import DEVICE, FakeSource, Listener, in_threads
from helpers.made_up import BASE, make_run, make_sweep

from lenetcli.experiment.run import RunState
from lenetcli.experiment.sweep import Cell
from lenetcli.training.interrupts import Stop
from lenetcli.training.plan import Plan, refresh
from lenetcli.training.runner import Runner

EPOCHS = 5
SMALL = {"lr": (0.1, 0.01), "filters": (8, 16)}
MIDDLE = {"lr": (1.0, 0.1, 0.01, 0.001), "filters": (2, 4, 8, 16, 32, 64)}
LARGE = {"lr": (0.1, 0.01, 0.001), "filters": (8, 16, 32), "batch_size": (32, 128)}
FATES = {"done", "unfinished", "diverged", "not begun"}


def make_curve(config, epochs=EPOCHS):
    """Accuracies that rise with the rate and the filters, and differ a little between seeds."""
    pace = (
        math.log10(config.lr) + 0.4 * math.log2(config.filters / 16) - 0.3 * math.log2(config.batch_size / 64)
    )
    top = 1 - 0.6 / (1 + math.exp(1.2 * (pace + 3))) - 0.012 - 0.002 * (config.seed % 3)
    return [round(top - (top - 0.1) * math.exp(-1.5 * epoch), 4) for epoch in range(1, epochs + 1)]


def grid_sweep(values, seeds=1, fates=None, **options):
    """A sweep over these values by parameter; ``fates`` has those of some points (with seed), else done."""
    fates = fates or {}
    epochs = options.pop("epochs", EPOCHS)
    values = values | ({"seed": range(seeds)} if seeds > 1 else {})
    cells = []
    for point in itertools.product(*values.values()):
        config = replace(BASE, **dict(zip(values, point, strict=True)))
        cells.append(Cell(config=config, run=_run(config, fates.get(point, "done"), options)))
    return make_sweep([name for name in values if name != "seed"], epochs, cells)


def train_grid(store, values, seeds=1, trainer=None, epochs=2):
    """Train a sweep over these values in a store, with a trainer that takes no time; its id."""
    points = itertools.product(*values.values(), *([range(seeds)] if seeds > 1 else []))
    sweep = grid_sweep(values, seeds, dict.fromkeys(points, "not begun"), epochs=epochs)
    plan = Plan(sweep=refresh(store, sweep), source=FakeSource(), device=DEVICE)
    with in_threads(trainer) as pool:
        Runner(store, plan, pool, Listener()).run(Stop())
    return sweep.id


def _run(config, fate, options):
    assert fate in FATES
    curve = make_curve(config)
    seconds = 0.2 * config.filters + 40 / config.batch_size
    match fate:
        case "not begun":
            return None
        case "unfinished":
            return make_run(config, curve[:2], state=RunState.INTERRUPTED, target=EPOCHS, **options)
        case "diverged":
            return make_run(config, curve[:1], state=RunState.DIVERGED, target=EPOCHS, **options)
    return make_run(config, curve, seconds=seconds, **options)


def holed(values, seeds):
    """A sweep with a diverged cell, one without a seed, an unfinished one, one not begun."""
    points = list(itertools.product(*values.values()))
    of = [[(*point, *([seed] if seeds > 1 else [])) for seed in range(seeds)] for point in points]
    fates = dict.fromkeys(of[0], "diverged") | {of[-1][-1]: "not begun"}
    fates |= dict.fromkeys(of[-2], "unfinished")
    if len(points) > 4:
        fates |= {of[1][0]: "diverged"} | dict.fromkeys(of[-1], "not begun")
    return grid_sweep(values, seeds, fates)
