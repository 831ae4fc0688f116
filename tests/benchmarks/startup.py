"""How long commands take to start, as ratios to their floors: python tests/benchmarks/startup.py [REPEATS].

Each floor is a Python process that does no more than import what such a command cannot do without.
Command and floor alternate, so that both meet the same machine; the best and the median count.
"""

import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lenetcli.experiment.architecture import count_parameters
from lenetcli.experiment.config import Config, DeviceKind, Precision
from lenetcli.experiment.datasets import Counts
from lenetcli.machine import limits, processor
from lenetcli.store.store import Store

RUNS = 100_000
EMPTY_PROGRAM = """
import typer
app, runs, sweeps = typer.Typer(no_args_is_help=True), typer.Typer(), typer.Typer()
for at in range(7):
    app.command(f"command{at}")(lambda: None)
for at in range(3):
    runs.command(f"command{at}")(lambda: None)
sweeps.callback()(lambda: None)
sweeps.command("list")(lambda: None)
app.add_typer(runs, name="runs")
app.add_typer(sweeps, name="sweeps")
app(["--help"])
"""
LOOKING = "import typer, rich, sqlalchemy.orm"
DRAWING = "import sqlalchemy.orm, matplotlib.figure, matplotlib.backends.backend_agg"
SWEEP = "sweep lr 0.1 0.01 --epochs 2"
CASES = [
    ("--help", "--help", EMPTY_PROGRAM, 1.3),
    ("runs list", "runs list", LOOKING, 1.4),
    (f"runs list, {RUNS:,} runs", "runs list --store many.db", LOOKING, 1.4),
    ("plot lr", "plot lr", DRAWING, 1.6),
    ("sweep, nothing left", SWEEP, LOOKING, 1.8),
]


def fill_store(path: Path) -> None:
    """Many runs of three epochs in a store that lenetcli made."""
    Store.open(str(path), write=True).add_dataset("d", Counts(1, 1, 1), b"\0")
    with sqlite3.connect(path) as connection:
        known = [row[1] for row in connection.execute("PRAGMA table_info(runs)")]
        rows = []
        for seed in range(RUNS):
            config = Config(
                data="d", filters=16, kernel_size=3, hidden_units=128, lr=0.1, momentum=0.0, batch_size=64,
                seed=seed, precision=Precision.FLOAT32, device=DeviceKind.CPU, shards=2,
            )  # fmt: skip
            values = {name: getattr(config, name) for name in config.__dataclass_fields__} | {
                "id": seed + 1, "key": config.key, "dataset": "d", "parameters": count_parameters(config),
                "state": "completed", "target_epochs": 3, "completed_epochs": 3, "attempt": 1,
                "created_at": f"2026-01-01 00:{seed // 60 % 60:02}:{seed % 60:02}.{seed:06}",
            }  # fmt: skip
            rows.append([values.get(name) for name in known])
        marks = ", ".join("?" * len(known))
        connection.executemany(f"INSERT INTO runs VALUES ({marks})", rows)  # noqa: S608
        epochs = (
            (run, epoch, 0.5, 0.4, 0.9, None, b"\0" * 10) for run in range(1, RUNS + 1) for epoch in (1, 2, 3)
        )
        columns = "run_id, epoch, train_loss, val_loss, val_accuracy, test_accuracy, predictions"
        connection.executemany(f"INSERT INTO epochs ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", epochs)  # noqa: S608
    connection.close()


def measure(folder: Path, command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - begun


def main(repeats: int = 10) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= {"LENETCLI_OFFLINE": "1", "LENETCLI_CACHE": str(folder / "cache")}
        lenetcli = str(Path(sys.executable).with_name("lenetcli"))
        fill_store(folder / "many.db")
        subprocess.run([lenetcli, *SWEEP.split()], cwd=folder, check=True, capture_output=True)
        name, cores = processor.this_processor().name, limits.usable_cores()
        print(f"{name}, {cores} cores, Python {sys.version.split()[0]}")
        for title, typed, floor, goal in CASES:
            pairs = [
                (measure(folder, [lenetcli, *typed.split()]), measure(folder, [sys.executable, "-c", floor]))
                for _ in range(repeats)
            ]
            ours, floors = ([pair[at] for pair in pairs] for at in (0, 1))
            best, median = min(ours) / min(floors), statistics.median(ours) / statistics.median(floors)
            print(
                f"{title:28} best {best:.2f}  median {median:.2f}  goal {goal}  ({min(ours):.2f} s)",
                flush=True,
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
