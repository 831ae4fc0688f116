"""Sweeps that are timed as whole commands, for benchmarks."""

import subprocess
import sys
import tempfile
import time

from lenetcli.store.store import Store


def train(options: list[str], runs: int, epochs: int, data: str) -> tuple[float, dict[str, str]]:
    """The seconds of a whole command, and the hash of the weights of each run."""
    rates = [f"{0.1 / (number + 1):.6g}" for number in range(runs)]
    with tempfile.TemporaryDirectory() as folder:
        words = ["sweep", "lr", *rates, "--epochs", str(epochs), "--data", data, "--device", "cpu", *options]
        begun = time.perf_counter()
        subprocess.run(
            [sys.executable, "-P", "-m", "lenetcli", *words], cwd=folder, check=True, capture_output=True
        )
        seconds = time.perf_counter() - begun
        store = Store.open(f"{folder}/lenetcli.db")
        return seconds, {run.key: store.checkpoint(run.key).sha256 for run in store.runs()}
