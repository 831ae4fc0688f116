"""Random stores in memory: sweeps with any curves and times, and predictions and labels that fit them."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from helpers.made_up import BASE, VERSIONS, MadeUpEvidence, make_cell, make_sweep
from hypothesis import strategies as st

from lenetcli.experiment.architecture import CLASSES, count_parameters, multiply_adds
from lenetcli.experiment.config import DeviceKind, Request
from lenetcli.experiment.run import RunState
from lenetcli.experiment.sweep import Axis

RATES = (0.1, 0.01, 0.001, 0.0001, 0.3, 1.0, 0.03, 0.00001, 3.0, 0.25)
SHAPES = (
    *("learned", "learned", "learned", "slow", "flat", "dip", "collapse", "late", "guess", "perfect"),
    *("fall", "noise", "step"),
)
GAPS = (0.0, 0.0001, 0.0003, 0.001, 0.003, 0.0049, 0.0051, 0.008, 0.02, 0.055, 0.2)
FATES = ("done",) * 6 + ("some", "some", "some", "partly", "never", "diverged", "mixed", "stopped at the end")
WEIGHTS = (
    (1.0, 0.3, 0.1),
    (1.0, 0.0, 0.0),
    (0.0, 1.0, 0.3),
    (0.0, 0.0, 1.0),
    (0.0, 1.0, 0.0),
    (1.0, 1.0, 1.0),
)
"""How much the images, the run and the epoch decide which images are right."""
SIZES = (8, 16, 32, 64, 128, 256, 1, 2, 700)
TIMED_FATES = ("done",) * 9 + ("partly", "never", "contended", "diverged", "zero", "clock set", "moved")
MACHINES = (
    {},
    {"host": "lab2"},
    {"threads": 1},
    {"versions": {**VERSIONS, "tensorflow": "2.20.0"}},
    {"host": "lab2", "threads": 16},
)
NAMES = {DeviceKind.CPU: "AMD EPYC 9654", DeviceKind.GPU: "NVIDIA H100 80GB HBM3"}


@dataclass
class RandomStore(MadeUpEvidence):
    """A store whose predictions are random, with as many right ones as the curves say.

    ``weights`` say how alike the right images of runs and epochs are. ``frequent`` is the share of the most
    frequent class, ``lost`` the share of the predictions that are missing.
    """

    seed: int = 0
    weights: tuple[float, float, float] = WEIGHTS[0]
    frequent: float = 0.1
    lost: float = 0.0

    def __post_init__(self):
        self._known = {}
        self._runs = {run.key: (place, run) for place, run in enumerate(r for s in self.made for r in s.runs)}
        self._own = {}

    def __repr__(self):
        lines = [f"{len(self._labels)} images, labels {self.with_labels}, lost {self.lost}, {self.weights}"]
        for sweep in self.made:
            lines.append(f"{sweep.parameter} on {sweep.device}, {sweep.epochs} epochs:")
            for cell in sweep.cells:
                run, config = cell.run, cell.config
                values = (
                    f"  {getattr(config, sweep.parameter)} seed {config.seed} batch {config.batch_size}: "
                )
                lines.append(values + (f"{run.state} {run.val_accuracies}" if run else "not begun"))
        return "\n".join(lines)

    def _repr_pretty_(self, printer, cycle):
        """How Hypothesis shows a store that makes a test fail."""
        printer.text(repr(self))

    @cached_property
    def _labels(self):
        return draw_labels(self.images, self.frequent, self.seed)

    @cached_property
    def _common(self):
        return np.random.default_rng(self.seed).random(self.images)

    def predictions(self, key, epoch):
        if (key, epoch) not in self._known:
            self._known[key, epoch] = self._draw(key, epoch)
        return self._known[key, epoch]

    def _draw(self, key, epoch):
        place, run = self._runs.get(key, (0, None))
        if run is None or epoch > run.epochs:
            return None
        rng = np.random.default_rng([self.seed, place, epoch])
        if rng.random() < self.lost:
            return None
        if key not in self._own:
            self._own[key] = np.random.default_rng([self.seed, place]).random(self.images)
        common, own, changing = self.weights
        scores = common * self._common + own * self._own[key]
        if changing:
            scores = scores + changing * rng.random(self.images)
        false = self.images - round(run.curve[epoch - 1].val_accuracy * self.images)
        predicted = np.frombuffer(self._labels, np.uint8).copy()
        wrong = np.argpartition(scores, false - 1)[:false] if false else []
        predicted[wrong] = (predicted[wrong] + 1 + place % (CLASSES - 1)) % CLASSES
        return predicted.tobytes()


def draw_labels(images, frequent, seed):
    """Labels of which the share ``frequent`` has the class 0; the others are balanced."""
    labels = np.arange(images) % CLASSES
    if frequent > 1 / CLASSES:
        labels = np.where(np.arange(images) < frequent * images, 0, 1 + np.arange(images) % (CLASSES - 1))
    return np.random.default_rng(seed).permutation(labels).astype(np.uint8).tobytes()


def make_curve(rng, shape, epochs, guessing, top, pace):
    """The accuracies of a shape, not yet rounded to images."""
    time = np.arange(1, epochs + 1)
    curve = top - (top - guessing) * np.exp(-time / pace)
    place = int(rng.integers(epochs))
    match shape:
        case "slow":
            curve = guessing + (top - guessing) * time / (20 * pace)
        case "flat":
            curve = np.full(epochs, top)
        case "dip":
            curve[place] -= rng.choice([0.002, 0.01, 0.1, 0.5])
        case "collapse":
            curve[place:] = guessing
        case "late":
            curve = np.where(time <= place, guessing, curve)
        case "guess":
            curve = guessing + rng.choice([0, 0.004, 0.04]) * rng.standard_normal(epochs)
        case "perfect":
            curve = np.where(time > place, 1.0, curve)
        case "fall":
            curve = top - rng.choice([0.0002, 0.001, 0.01]) * time
        case "noise":
            curve = rng.random(epochs)
        case "step":
            curve = np.where(time <= place, top - rng.choice([0.001, 0.05]), top)
    return curve


@st.composite
def random_stores(draw, whole=False):
    """Random stores with a sweep over learning rates, over filters, or (always if ``whole``) both."""
    seed = draw(st.integers(0, 2**20))
    images = draw(st.sampled_from((10_000, 10_000, 100, 7)))
    frequent = draw(st.sampled_from((0.1, 0.1, 0.3, 0.6, 0.95)))
    kinds = draw(st.sampled_from(("lr", "lr", "lr", "both", "filters"))) if not whole else "both"
    made = []
    if kinds != "filters":
        labels = draw_labels(images, frequent, seed)
        guessing = max(map(labels.count, set(labels))) / images
        made.append(draw(rates_sweeps(seed, images, guessing)))
    if kinds != "lr":
        made += draw(filters_sweeps(seed))
    return RandomStore(
        made,
        with_labels=draw(st.sampled_from((True,) * 7 + (False,))),
        images=images,
        seed=seed,
        weights=draw(st.sampled_from(WEIGHTS)),
        frequent=frequent,
        lost=draw(st.sampled_from((0.0,) * 5 + (1.0, 1.0, 0.1))),
    )


@st.composite
def rates_sweeps(draw, seed, images, guessing):
    """A sweep over learning rates, in one of twenty with a second parameter."""
    rng = np.random.default_rng(seed)
    seeds = draw(st.sampled_from((1, 1, 2, 3, 10)))
    epochs = draw(st.integers(1, 20))
    rates = draw(st.lists(st.sampled_from(RATES), min_size=1, max_size=6, unique=True))
    noise = draw(st.sampled_from((0.0003, 0.0, 0.002, 0.02)))
    spread = draw(st.sampled_from((0.001, 0.0, 0.0003, 0.005, 0.03, 0.15)))
    sizes = (64, 128) if draw(st.integers(0, 19)) == 19 else (64,)
    if draw(st.booleans()):
        rates.sort(reverse=True)
    # In every second sweep every rate learns, each more slowly than the one before.
    is_exercise = draw(st.booleans())
    is_whole = draw(st.booleans())
    curves, cells = [], []
    for place, rate in enumerate(rates):
        if is_exercise:
            mean = make_curve(rng, "learned", epochs, guessing, 0.99, 0.3 * 4.0**place)
            shifts = spread * rng.standard_normal(seeds)
            curves.append([mean + shift + noise * rng.standard_normal(epochs) for shift in shifts])
        elif curves and draw(st.booleans()):  # as the one before, but for a gap
            gap = draw(st.sampled_from(GAPS))
            curves.append([np.clip(curve - gap, 0, 1) for curve in curves[-1]])
        else:
            top = draw(st.sampled_from((0.98, 0.99, 0.9, 0.6, 1.0)))
            pace = draw(st.sampled_from((0.5, 2.0, 6.0, 40.0)))
            shape = draw(st.sampled_from(SHAPES))
            # What the seeds have in common is no chance: each has a noise of its own.
            count = seeds if shape == "noise" else 1
            means = [make_curve(rng, shape, epochs, guessing, top, pace) for _ in range(count)]
            means *= seeds // count
            levels = [mean + spread * rng.standard_normal() for mean in means]
            curves.append([level + noise * rng.standard_normal(epochs) for level in levels])
        fate = "done" if is_whole else draw(st.sampled_from(FATES))
        for number, curve in enumerate(curves[-1]):
            accuracies = (np.round(np.clip(curve, 0, 1) * images) / images).tolist()
            for size in sizes:
                base = replace(BASE, batch_size=size)
                cells.append(make_random_cell(rng, fate, rate, accuracies, seed=number, base=base))
    if len(sizes) == 1:
        return make_sweep("lr", epochs, cells)
    sweep = make_sweep("lr", epochs, cells)
    return replace(sweep, axes=(*sweep.axes, Axis("batch_size", sizes)))


def make_random_cell(rng, fate, rate, accuracies, **options):
    """A cell whose run had this fate; if some or mixed, one of several, mixed also that it diverged."""
    epochs = len(accuracies)
    if fate in ("some", "mixed"):
        fate = rng.choice(["done", "done", "partly", "never", *(["diverged"] * (fate == "mixed"))])
    if fate == "never":
        return make_cell("lr", rate, None, **options)
    state = RunState.COMPLETED
    if fate == "diverged":
        state = RunState.DIVERGED
    elif fate != "done":
        state = RunState(rng.choice(["interrupted", "running", "failed"]))
    if fate in ("partly", "diverged"):
        accuracies = accuracies[: rng.integers(epochs)]
    cell = make_cell("lr", rate, accuracies, state=state, target=epochs, **options)
    if state is RunState.COMPLETED or not accuracies:
        return cell
    last = replace(cell.run.curve[-1], test_accuracy=None)
    return replace(cell, run=replace(cell.run, curve=(*cell.run.curve[:-1], last)))


@st.composite
def filters_sweeps(draw, seed):
    """Sweeps over filters on a CPU, on a GPU, or on both."""
    rng = np.random.default_rng([seed, 1])
    sweeps = []
    devices = draw(st.sampled_from((tuple(DeviceKind), (DeviceKind.CPU,), (DeviceKind.GPU,))))
    for device in devices:
        sizes = sorted(draw(st.lists(st.sampled_from(SIZES), min_size=1, max_size=6, unique=True)))
        epochs, seeds = draw(st.integers(1, 5)), draw(st.sampled_from((1, 1, 2, 3)))
        overhead = draw(st.sampled_from((0.5, 0.0, 20.0)))
        noise = draw(st.sampled_from((0.02, 0.0, 0.1, 0.5)))
        power = draw(st.sampled_from((1.0, 1.0, 1.0, 0.3, 2.0, -0.5)))
        count = draw(st.sampled_from((multiply_adds, count_parameters)))
        batch = draw(st.sampled_from((64,) * 9 + (128,)))
        base = replace(BASE, device=device, batch_size=batch, shards=1 if device is DeviceKind.GPU else 4)
        fates = draw(st.sampled_from((TIMED_FATES, TIMED_FATES, ("contended",), ("done",))))
        machines = draw(st.sampled_from((MACHINES[:1],) * 4 + (MACHINES[:2], MACHINES[1:3], MACHINES)))
        cells = []
        for size in sizes:
            work = count(replace(base, filters=size)) / 1e6
            for number in range(seeds):
                times = (overhead + 0.3 * work**power) * np.exp(noise * rng.standard_normal(epochs))
                fate = rng.choice(fates)
                cell = make_timed_cell(rng, fate, size, number, times.tolist(), base)
                cells.append(move_cell(rng, cell, machines, moves=fate == "moved"))
        if any(cell.run and cell.run.epochs for cell in cells):
            sweeps.append(make_sweep("filters", epochs, cells, Request(epochs=epochs, device=device.value)))
    return sweeps


def make_timed_cell(rng, fate, size, number, times, base):
    """A cell of a sweep over filters with the fate and the times of its run."""
    epochs = len(times)
    if fate == "zero":
        times[rng.integers(epochs)] = rng.choice([0.0, -3596.7])
    options = {"seed": number, "base": base, "seconds": times, "target": epochs}
    options |= {"device_name": NAMES[base.device], "contended": fate == "contended"}
    if fate == "never":
        return make_cell("filters", size, None, seed=number, base=base)
    if fate in ("partly", "diverged"):
        state = RunState.DIVERGED if fate == "diverged" else RunState.INTERRUPTED
        return make_cell("filters", size, [0.9] * rng.integers(epochs), state=state, **options)
    cell = make_cell("filters", size, [0.97] * epochs, **options)
    if fate != "clock set":
        return cell
    (attempt,), place = cell.run.attempts, rng.integers(epochs)
    timings = [replace(timing, clock_set=n == place) for n, timing in enumerate(attempt.timings)]
    return replace(cell, run=replace(cell.run, attempts=(replace(attempt, timings=tuple(timings)),)))


def move_cell(rng, cell, machines, *, moves):
    """The cell on one of some machines; if it moves, the last epochs on another one."""
    if cell.run is None:
        return cell
    (attempt,) = cell.run.attempts
    attempts = [replace(attempt, **machines[rng.integers(len(machines))])]
    if moves and len(attempt.timings) > 1:
        other = MACHINES[rng.integers(len(MACHINES))]
        first, last = attempt.timings[:1], attempt.timings[1:]
        attempts = [replace(attempts[0], timings=first), replace(attempt, number=2, timings=last, **other)]
    return replace(cell, run=replace(cell.run, attempts=tuple(attempts)))
