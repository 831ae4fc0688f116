"""How costs grow: python tests/benchmarks/growth.py FIGURE.png [--output FILE.json] or --runs 1000 100000.

Of training: time an image over filters, batch size and number of images, on one thread and on all cores, in
turns; each the best of two rounds of two epochs after the first. Of lists (``--runs``): the time and the peak
memory of ``runs list`` in stores of so many runs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.large_stores import make_large

from lenetcli.data import sources
from lenetcli.data.sources import Arrays, Examples
from lenetcli.experiment.config import Request
from lenetcli.machine import devices, limits, processor
from lenetcli.output.figures.sheet import fixed_style
from lenetcli.training.requests import resolve
from lenetcli.words import plural

ROUNDS, EPOCHS = 2, 3
STEPS = {8: 100, 16: 100, 32: 60, 64: 30, 128: 12, 256: 8}
PANELS = {
    "filters": ("filters (batch 64)", STEPS),
    "batch_size": ("batch size (16 filters)", [16, 32, 64, 128, 256, 512, 1024]),
    "images": ("images an epoch (16 filters)", [1_000, 3_000, 10_000, 30_000, 60_000]),
}


def describe(panel: str, value: int) -> tuple[Request, int]:
    """The configuration of a point, and with how many images it is measured."""
    match panel:
        case "filters":
            return Request(filters=value), 64 * STEPS[value]
        case "batch_size":
            return Request(batch_size=value), max(6_400, 8 * value)
        case _:
            return Request(), value


def measure(threads: int) -> None:
    """Print a line of JSON for each point."""
    from lenetcli.training.engine.loop import Trainer

    source, device = sources.find(), devices.choose_device("cpu")
    arrays = source.load()
    images = np.concatenate([arrays.train.images, arrays.validation.images])
    labels = np.concatenate([arrays.train.labels, arrays.validation.labels])
    for panel, (_, values) in PANELS.items():
        for value in values:
            request, count = describe(panel, value)
            train = Examples(images[:count], labels[:count])
            part = Arrays(train=train, validation=Examples(images[-500:], labels[-500:]), test=None)
            config = resolve(replace(request, lr=0.01, device="cpu"), source, device.kind)
            trainer = Trainer(part, device, threads)
            trainer.prepare(config)
            epochs = trainer.train(config, None, range(1, EPOCHS + 1), lambda news: None, lambda: False)
            seconds = min([trained.timing.train_seconds for trained in epochs][1:])
            point = {"panel": panel, "value": value, "threads": threads, "seconds": seconds / count}
            print(json.dumps(point), flush=True)


def measure_all() -> list[dict]:
    """The best of all rounds for each point."""
    best: dict[tuple, dict] = {}
    for _ in range(ROUNDS):
        for threads in sorted({1, limits.usable_cores()}):
            worker = subprocess.run(
                [sys.executable, __file__, "--threads", str(threads)], stdout=subprocess.PIPE, check=True
            )
            for point in map(json.loads, worker.stdout.splitlines()):
                known = best.setdefault((point["panel"], point["value"], threads), point)
                known["seconds"] = min(known["seconds"], point["seconds"])
    return list(best.values())


LISTS = (
    "list",
    "list --state completed",
    "list --json",
    "list --csv",
    "list --json --sort runtime_seconds",
)


def measure_lists(count: int) -> None:
    """Print the seconds and the peak memory of each list of a store with so many runs."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.db"
        make_large(path, count)
        for words in LISTS:
            command = [sys.executable, "-m", "lenetcli", "runs", *words.split(), "--store", str(path)]
            start = time.perf_counter()
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _, status, usage = os.wait4(child.pid, 0)
            seconds, code = time.perf_counter() - start, os.waitstatus_to_exitcode(status)
            child.returncode = code
            megabytes = usage.ru_maxrss / 1000  # of kilobytes, on Linux
            print(f"{count:>9,} runs  {seconds:6.1f} s  {megabytes:6.0f} MB  runs {words}", flush=True)
            assert code == 0


def draw(points: list[dict], title: str, path: Path) -> None:
    """One panel for each thing that grows, microseconds an image, a line for each number of threads."""
    with fixed_style():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 3.2), layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(title, x=0.01, ha="left", fontsize=9)
        panels = figure.subplots(1, len(PANELS), sharey=True)
        for axes, (panel, (name, values)) in zip(panels, PANELS.items(), strict=True):
            for style, threads in zip(
                ("o-", "s--"), sorted({point["threads"] for point in points}), strict=False
            ):
                mine = [p for p in points if p["panel"] == panel and p["threads"] == threads]
                label = plural(threads, "thread")
                axes.plot([p["value"] for p in mine], [1e6 * p["seconds"] for p in mine], style, label=label)
            axes.set_xscale("log", base=2 if panel != "images" else 10)
            axes.set_yscale("log")
            axes.set_xlabel(name)
            if panel != "images":
                axes.set_xticks(list(values), [str(value) for value in values])
            else:
                axes.set_xticks(list(values), [f"{value:,}" for value in values], rotation=20)
            ticks = [50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000]
            axes.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
            axes.minorticks_off()
        panels[0].set_ylabel("training time, µs an image")
        panels[0].legend()
        figure.savefig(path, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("figure", type=Path, nargs="?")
    parser.add_argument("--output", type=Path, help="write the points to this JSON file")
    parser.add_argument("--input", type=Path, help="draw the points of this JSON file")
    parser.add_argument("--runs", type=int, nargs="+", help="measure lists of stores with so many runs")
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.threads:
        return measure(options.threads)
    if options.runs:
        for count in options.runs:
            measure_lists(count)
        return None
    points = json.loads(options.input.read_text()) if options.input else measure_all()
    if options.output:
        options.output.write_text(json.dumps(points, indent=1))
    if options.figure:
        title = f"One epoch of training, {processor.this_processor().name}, {limits.usable_cores()} cores"
        draw(points, title, options.figure)
    return None


if __name__ == "__main__":
    main()
