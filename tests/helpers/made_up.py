"""Made-up evidence: sweeps with the curves and times that a test wants, and predictions that fit them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from lenetcli.analysis.conclusions import conclude_learning_rates
from lenetcli.analysis.ranking import rank
from lenetcli.analysis.statements import Statement
from lenetcli.experiment.architecture import CLASSES, count_parameters
from lenetcli.experiment.config import Config, DeviceKind, Precision, Request
from lenetcli.experiment.datasets import Counts, Dataset, Summary
from lenetcli.experiment.recipes import choose_shards
from lenetcli.experiment.run import Attempt, CurvePoint, Run, RunState, Timing
from lenetcli.experiment.sweep import Axis, Cell, Sweep

DATA = "d" * 64
NOW = datetime(2025, 3, 1, tzinfo=UTC)
IMAGES = 10_000
BASE = Config(
    data=DATA,
    filters=16,
    kernel_size=3,
    hidden_units=128,
    lr=0.1,
    momentum=0.0,
    batch_size=64,
    seed=0,
    precision=Precision.FLOAT32,
    device=DeviceKind.CPU,
    shards=2,
)


def make_config(**values: object) -> Config:
    """``BASE`` with other values."""
    return replace(BASE, **values)


RATES = {
    0.1: (0.9701, 0.9742, 0.9783, 0.9805, 0.9791, 0.9826, 0.9838, 0.9829, 0.9842, 0.9847),
    0.01: (0.9102, 0.9334, 0.9448, 0.9541, 0.9601, 0.9642, 0.9677, 0.9702, 0.9723, 0.9741),
    0.001: (0.3124, 0.7221, 0.8312, 0.8641, 0.8803, 0.8899, 0.8965, 0.9012, 0.9047, 0.9081),
    0.0001: (0.1181, 0.1322, 0.1504, 0.1741, 0.2008, 0.2307, 0.2621, 0.2953, 0.3302, 0.3641),
}
VERSIONS = {"lenetcli": "0.1", "tensorflow": "2.21.0", "python": "3.12.3"}


def make_run(
    config: Config = BASE,
    accuracies: Sequence[float] = RATES[0.1],
    *,
    seconds: Sequence[float] | float = 5.0,
    state: RunState = RunState.COMPLETED,
    target: int | None = None,
    dataset: str = "drawn",
    device_name: str = "AMD EPYC 9654",
    contended: bool = False,
    test_accuracy: float | None = None,
    threads: int = 2,
) -> Run:
    """A run with this curve; seconds are one number an epoch, or one for all (with a tenth of spread)."""
    count = len(accuracies)
    if isinstance(seconds, float):
        seconds = [seconds * (1 + 0.05 * math.sin(3 * epoch)) for epoch in range(count)]
    return Run(
        key=config.key,
        config=config,
        dataset_name=dataset,
        state=state,
        target_epochs=target or count,
        parameters=count_parameters(config),
        created_at=NOW,
        curve=tuple(
            CurvePoint(
                epoch=number,
                train_loss=-math.log(max(accuracy, 0.01)) * 1.1 + 0.01,
                val_loss=-math.log(max(accuracy, 0.01)) * 1.2 + 0.01,
                val_accuracy=accuracy,
                test_accuracy=(test_accuracy or accuracy) if number == count else None,
            )
            for number, accuracy in enumerate(accuracies, 1)
        ),
        attempts=(
            Attempt(
                number=1,
                started_at=NOW,
                host="bench",
                device_name=device_name,
                processor="AMD EPYC 9654" if device_name.startswith("NVIDIA") else device_name,
                threads=threads,
                versions=VERSIONS,
                outcome=state,
                timings=tuple(
                    Timing(epoch=n, train_seconds=s, eval_seconds=0.2, contended=contended)
                    for n, s in enumerate(seconds[:count], 1)
                ),
            ),
        ),
    )


def make_sweep(
    parameters: str | Sequence[str], epochs: int, cells: Sequence[Cell], request: Request | None = None
) -> Sweep:
    """A sweep of these cells, over one parameter or several."""
    dataset_name = next((cell.run.dataset_name for cell in cells if cell.run), "drawn")
    names = [parameters] if isinstance(parameters, str) else list(parameters)
    names += ["seed"] if len({cell.config.seed for cell in cells}) > 1 else []
    return Sweep(
        axes=tuple(
            Axis(name, tuple(getattr(cell.config, name) for cell in cells)) for name in dict.fromkeys(names)
        ),
        epochs=epochs,
        dataset_name=dataset_name,
        cells=tuple(cells),
        request=request or Request(epochs=epochs),
        created_at=NOW,
        last_requested=NOW,
    )


def make_cell(parameter: str, value: object, accuracies: Sequence[float] | None, **options: object) -> Cell:
    """A cell of ``BASE`` with one value of its own; ``accuracies`` None means not started."""
    seed = options.pop("seed", 0)
    base = options.pop("base", BASE)
    config = replace(base, **{"seed": seed, parameter: value})
    run = None if accuracies is None else make_run(config, accuracies, **options)
    return Cell(config=config, run=run)


def rates_sweep(
    curves: dict[float, Sequence[float] | None] | None = None,
    *,
    seeds: int = 1,
    spread: float = 0.002,
    **options,
) -> Sweep:
    """A sweep over learning rates; further seeds stand ``spread`` above or below the first."""
    curves = RATES if curves is None else curves
    cells = []
    for rate, curve in curves.items():
        for seed in range(seeds):
            shift = spread * (0, 1, -1, 0.5, -0.5)[seed % 5]
            shifted = None if curve is None else [round(a + shift * (1 - a) * 10, 4) for a in curve]
            cells.append(make_cell("lr", rate, shifted, seed=seed, **options))
    epochs = max(len(curve) for curve in curves.values() if curve is not None)
    return make_sweep("lr", epochs, cells)


def seeds_sweep(finals: dict[float, Sequence[float | None]], epochs: int = 2) -> Sweep:
    """A sweep in which the seeds of each rate end with these accuracies; None means not started."""
    cells = [
        make_cell("lr", rate, None if final is None else (*(0.5,) * (epochs - 1), final), seed=seed)
        for rate, accuracies in finals.items()
        for seed, final in enumerate(accuracies)
    ]
    return make_sweep("lr", epochs, cells)


CPU_SECONDS = {8: 2.6, 16: 5.0, 32: 13.2, 64: 41.0}
GPU_SECONDS = {8: 0.62, 16: 0.64, 32: 0.71, 64: 1.02, 128: 2.1, 256: 6.3}


def shard(base: Config, filters: int) -> Config:
    """A configuration with the default number of shards for so many filters."""
    shards = choose_shards(filters, base.batch_size, base.device, base.recipe)
    return replace(base, shards=shards)


def filters_sweep(device: DeviceKind, seconds: dict[int, float], *, epochs: int = 5, **options) -> Sweep:
    """A sweep over filters with these seconds an epoch."""
    base = replace(options.pop("base", BASE), device=device)
    options.setdefault(
        "device_name", "NVIDIA H100 80GB HBM3" if device is DeviceKind.GPU else "AMD EPYC 9654"
    )
    seeds = options.pop("seeds", 1)
    cells = [
        make_cell(
            "filters",
            size,
            RATES[0.1][:epochs],
            base=shard(base, size),
            seconds=float(time),
            seed=seed,
            **options,
        )
        for size, time in seconds.items()
        for seed in range(seeds)
    ]
    return make_sweep("filters", epochs, cells, Request(epochs=epochs, device=device.value))


def both_sweeps(**options) -> tuple[Sweep, Sweep]:
    """The exercise's filters sweeps, on a CPU and on a GPU."""
    return (
        filters_sweep(DeviceKind.CPU, CPU_SECONDS, **options),
        filters_sweep(DeviceKind.GPU, GPU_SECONDS, **options),
    )


@dataclass
class MadeUpEvidence:
    """A store in memory, with as many images of each class as of the others.

    Each run's wrong images are those from ``offset`` on, as many as its curve says.
    """

    made: Sequence[Sweep]
    name: str = "lenetcli.db"
    offsets: dict[str, int] = field(default_factory=dict)
    with_predictions: bool = True
    with_labels: bool = True
    images: int = IMAGES
    test_images: int | None = IMAGES
    faults: Mapping[str, Any] = field(default_factory=dict)

    def recipes(self) -> Sequence[int]:
        return sorted({run.config.recipe for sweep in self.made for run in sweep.runs})

    def sweeps(self) -> Sequence[Sweep]:
        return self.made

    def dataset(self, data: str) -> Dataset | None:
        if self.test_images is None:
            return None
        counts = Counts(5 * self.images, self.images, self.test_images)
        shares = (self.images // CLASSES,) * CLASSES
        facts = {"train": shares, "validation": shares, "test": (), "repeats": 0, "pixels": ()}
        return Dataset(counts=counts, summary=Summary(**facts | self.faults))

    def verify(self, runs: Iterable[Run]) -> None:
        """All of it is sound."""

    def runs(self, ids: Sequence[str]) -> Sequence[Run]:
        known = {run.id: run for sweep in self.made for run in sweep.runs}
        return [known[id] for id in ids if id in known]

    def predictions(self, key: str, epoch: int) -> bytes | None:
        run = self._find_run(key)
        if run is None or not self.with_predictions or epoch > run.epochs:
            return None
        right = round(run.curve[epoch - 1].val_accuracy * self.images)
        offset = self.offsets.get(key, 0)
        predicted = bytearray(self._labels)
        for place in range(self.images - right):
            wrong = (offset + place) % self.images
            predicted[wrong] = (predicted[wrong] + 1) % CLASSES
        return bytes(predicted)

    def validation_labels(self, data_sha256: str) -> bytes | None:
        return self._labels if self.with_labels else None

    def _find_run(self, key: str) -> Run | None:
        return next((run for sweep in self.made for run in sweep.runs if run.key == key), None)

    @property
    def _labels(self) -> bytes:
        return bytes(place % CLASSES for place in range(self.images))


def conclude(sweep: Sweep, **options) -> dict[str, Statement]:
    """The statements about a sweep over learning rates, by topic; ``options`` are of ``MadeUpEvidence``."""
    paragraphs = conclude_learning_rates(sweep, rank(sweep, MadeUpEvidence([sweep], **options)))
    return {statement.topic: statement for paragraph in paragraphs for statement in paragraph}


def shift(sweep: Sweep, place: int, images: int) -> dict[str, object]:
    """Options in which the mistakes of one run lie elsewhere, so that pairs disagree both ways."""
    return {"offsets": {sweep.cells[place].config.key: images}}
