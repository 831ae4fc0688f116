"""lenetcli beside Keras and PyTorch on this machine: ``python tests/benchmarks/compare.py --help``.

Every peer lives in a process of its own; they take turns, an epoch each, so that whatever else the
machine does falls on all of them; the first epoch of each is left out and the best of the rest counts.
Ratios are what is to be read: seconds differ from machine to machine.
"""

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil

from lenetcli.data import sources
from lenetcli.experiment.config import Precision
from lenetcli.machine import devices

WORKERS = Path(__file__).with_name("workers.py")
TOLERANCE = 1.3
"""So much worse than the accepted ratio is slower: with nothing changed, ratios have moved by 1.28."""

PEERS = {
    "Keras fit, defaults": ("keras",),
    "Keras fit, oneDNN on": ("keras-onednn",),
    "PyTorch eager, better layout": ("torch", "torch-channels-last"),
}
"""The workers behind each ratio; the faster one counts."""


def make_environment(device: str) -> dict[str, str]:
    """The environment of all that is timed on a device."""
    environment = dict(os.environ)
    environment.pop("TF_ENABLE_ONEDNN_OPTS", None)
    if device == "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = ""
    else:  # or the first TensorFlow takes the whole memory of the GPU
        environment["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
    return environment


class Worker:
    """One peer, waiting for its turn."""

    def __init__(
        self, name: str, path: Path, filters: int, precision: str, device: str, python: str = sys.executable
    ) -> None:
        environment = make_environment(device)
        if python != sys.executable:
            environment.pop("PYTHONPATH", None)  # packages of this interpreter
        if name in ("keras-onednn", "products"):
            environment["TF_ENABLE_ONEDNN_OPTS"] = "1"
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 -- lives as long as the worker
        self.process = subprocess.Popen(
            [python, WORKERS, name, path, str(filters), precision, device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=environment,
        )

    def measure(self) -> dict[str, float]:
        """One epoch."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            self._log.seek(0)
            raise RuntimeError(self._log.read())
        return json.loads(answer)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()


def flops(filters: int, images: int) -> int:
    """Floating-point operations of an epoch: forward, and both gradients of all but the images'."""
    first = 28 * 28 * 9 * filters
    others = 14 * 14 * 9 * filters**2 + 49 * filters * 128 + 1280
    return images * 2 * (2 * first + 3 * others)


def measure_epochs(
    path: Path, filters: int, images: int, rounds: int, precision: str, device: str, torch: str | None
) -> dict:
    names = ["lenetcli", "lenetcli-recorded", "keras"]
    if device == "cpu":
        names += ["keras-onednn", "products"]
    workers = {name: Worker(name, path, filters, precision, device) for name in names}
    if torch:
        for name in ("torch", "torch-channels-last"):
            workers[name] = Worker(name, path, filters, precision, device, torch)
    answers = {name: [] for name in workers}
    try:
        for turn in range(rounds + 1):
            for name, worker in workers.items():
                answer = worker.measure()
                if turn:
                    answers[name].append(answer)
                    print(f"  {filters} filters, round {turn}/{rounds}: {name} {answer}", file=sys.stderr)
    finally:
        for worker in workers.values():
            worker.close()
    best = {
        name: min(answer["train"] for answer in given)
        for name, given in answers.items()
        if name != "products"
    }
    own = best["lenetcli"]
    ratios = {
        peer: own / min(best[name] for name in names if name in best)
        for peer, names in PEERS.items()
        if best.keys() & set(names)
    }
    overhead = {
        key: min(answer[key] for answer in answers["lenetcli-recorded"])
        / min(answer[key] for answer in answers["lenetcli"])
        - 1
        for key in ("whole", "cpu")
    }
    cell = {"seconds": best, "ratios": ratios, "overhead": overhead, "answers": answers}
    if "products" in answers:
        peak = max(answer["flops"] for answer in answers["products"])
        cell |= {"peak_gflops": peak / 1e9, "share_of_peak": flops(filters, images) / own / peak}
    return cell


class MemoryWatch(threading.Thread):
    """The peak of the memory of a process and its children, shared pages counted once, in bytes."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self.peak = 0

    def run(self) -> None:
        with contextlib.suppress(psutil.Error):
            while self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE:
                processes = [self._process, *self._process.children(recursive=True)]
                self.peak = max(self.peak, sum(map(self._measure, processes)))
                time.sleep(0.05)

    @staticmethod
    def _measure(process: psutil.Process) -> int:
        with contextlib.suppress(psutil.Error):
            memory = process.memory_full_info()
            return getattr(memory, "pss", memory.rss)
        return 0


def run_process(command: list, folder: Path, device: str) -> dict[str, float]:
    """A command from start to exit: its seconds, its peak of memory, and its first validation figure."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=make_environment(device),
    )
    memory = MemoryWatch(process.pid)
    memory.start()
    first = float("nan")
    log = []
    for line in process.stderr:
        log.append(line)
        if "val accuracy" in line and first != first:
            first = time.perf_counter() - begun
    if process.wait():
        raise RuntimeError("".join(log))
    seconds = time.perf_counter() - begun
    memory.join()
    return {"seconds": seconds, "bytes": memory.peak, "first_figure": first}


def measure_processes(path: Path, filters: int, rounds: int, device: str) -> dict:
    """``lenetcli train --epochs 1`` beside a Keras script that does the same, and beside an import."""
    folder = path.parent
    own = [sys.executable, "-m", "lenetcli", "train", "--epochs", "1", "--device", device, "--lr", "0.01"]
    own += ["--filters", str(filters), "--data", path, "--store"]
    commands = {
        "lenetcli train": own,
        "Keras script": [sys.executable, WORKERS, "keras-script", path, str(filters)],
        "import tensorflow": [sys.executable, "-c", "import tensorflow"],
    }
    seen = {name: [] for name in commands}
    for turn in range(rounds + 1):
        for name, command in commands.items():
            fresh = [folder / f"process{turn}.db"] if command is own else []
            result = run_process([*command, *fresh], folder, device)
            if turn:
                seen[name].append(result)
                print(f"  process, round {turn}/{rounds}: {name} {result}", file=sys.stderr)
    best = {
        name: {key: min(result[key] for result in given) for key in given[0]} for name, given in seen.items()
    }
    mine, keras = best["lenetcli train"], best["Keras script"]
    return {
        "best": best,
        "ratios": {
            "whole process": mine["seconds"] / keras["seconds"],
            "peak memory": mine["bytes"] / keras["bytes"],
        },
    }


def describe_machine() -> dict:
    cpu, *gpus = devices.list_devices()
    found = {
        "processor": cpu.name,
        "gpus": [gpu.name for gpu in gpus],
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
        lines = {key.strip(): value.strip() for key, value in lines.items()}
        found |= {key: lines[key] for key in ("cpu family", "model") if key in lines}
        found["instructions"] = [
            flag
            for flag in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
            if flag in lines.get("flags", "").split()
        ]
    return found | {"system": platform.platform(), "load": os.getloadavg()}


def list_ratios(result: dict) -> dict[str, float]:
    """What is compared with the accepted state: smaller is better."""
    found = {
        f"{filters} filters: {peer}": ratio
        for filters, cell in result["epochs"].items()
        for peer, ratio in cell["ratios"].items()
    }
    return found | result["process"]["ratios"]


def list_columns(cell: dict) -> dict[str, str]:
    """What the table has of the epochs of one number of filters."""
    best, share = cell["seconds"], cell.get("share_of_peak")
    peers = {peer: names for peer, names in PEERS.items() if peer in cell["ratios"]}
    return (
        {"lenetcli": f"{best['lenetcli']:.2f}"}
        | {peer: f"{min(best[name] for name in names if name in best):.2f}" for peer, names in peers.items()}
        | {f"of {peer}": f"{ratio:.2f}" for peer, ratio in cell["ratios"].items()}
        | ({} if share is None else {"of peak": f"{share:.0%}"})
        | {
            name: f"{cell['overhead'][key]:+.1%}"
            for name, key in (("recording", "whole"), ("its CPU time", "cpu"))
        }
    )


def print_table(result: dict) -> None:
    machine = result["machine"]
    print(
        f"\n{machine['processor']}, {machine['cores']} cores, "
        + ", ".join(f"{key} {machine[key]}" for key in ("cpu family", "model") if key in machine)
    )
    print(
        f"{result['images']:,} images, batches of 64, {result['precision']}, {result['device']}; "
        f"seconds of the best of {result['rounds']} epochs\n"
    )
    for number, (filters, cell) in enumerate(result["epochs"].items()):
        row = {"filters": filters, **list_columns(cell)}
        if not number:
            print(f"| {' | '.join(row)} |\n|{' --: |' * len(row)}")
        print(f"| {' | '.join(row.values())} |")
    print("\n| process, one epoch | seconds | MB |\n| --- | --: | --: |")
    for name, best in result["process"]["best"].items():
        print(f"| {name} | {best['seconds']:.1f} | {best['bytes'] / 1e6:.0f} |")
    best = result["process"]["best"]
    print(
        "\n" + ", ".join(f"{name} {ratio:.2f}" for name, ratio in result["process"]["ratios"].items()),
        end=", ",
    )
    if "first_figure" in result["process"]:
        print(f"first validation figure {result['process']['first_figure']:.2f} of an import and an epoch")


def count_slower(result: dict, accepted: dict) -> int:
    """Print every ratio beside the accepted one; how many are worse than noise."""
    if result["machine"]["processor"] != accepted["machine"]["processor"]:
        print(f"The accepted state was measured on another processor: {accepted['machine']['processor']}.")
    before, slower = list_ratios(accepted), 0
    for name, ratio in list_ratios(result).items():
        if name in before:
            worse = ratio > TOLERANCE * before[name]
            slower += worse
            print(f"{'SLOWER' if worse else 'ok':7} {name}: {ratio:.2f}, accepted {before[name]:.2f}")
    return slower


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--filters", type=int, nargs="+", default=[8, 16, 64])
    parser.add_argument("--precision", choices=list(Precision), default=Precision.FLOAT32)
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--quick", action="store_true", help="a fifth of the images")
    parser.add_argument("--rounds", type=int, default=5, help="epochs of each that count")
    parser.add_argument(
        "--torch", default=os.environ.get("BENCHMARK_TORCH"), help="a Python that has PyTorch and NumPy"
    )
    parser.add_argument("--output", type=Path, help="write what was measured to this JSON file")
    parser.add_argument("--compare", type=Path, help="exit 1 if a ratio is worse than in this JSON file")
    options = parser.parse_args()

    rounds = options.rounds
    arrays = sources.find().load()
    images = np.concatenate([arrays.train.images, arrays.validation.images])
    labels = np.concatenate([arrays.train.labels, arrays.validation.labels])
    count = len(labels) // 5 if options.quick else len(labels)
    result = {
        "machine": describe_machine(),
        "images": count - count // 6,
        "rounds": rounds,
        "precision": options.precision,
        "device": options.device,
        "epochs": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "digits.npz")
        np.savez(
            path,
            x_train=images[:count],
            y_train=labels[:count],
            x_test=arrays.test.images,
            y_test=arrays.test.labels,
        )
        result["process"] = measure_processes(path, 16, 4, options.device)
        best = result["process"]["best"]
        for filters in options.filters:
            cell = measure_epochs(
                path, filters, result["images"], rounds, options.precision, options.device, options.torch
            )
            result["epochs"][str(filters)] = cell
            if filters == 16:
                floor = best["import tensorflow"]["seconds"] + cell["seconds"]["lenetcli"]
                result["process"]["first_figure"] = best["lenetcli train"]["first_figure"] / floor
            if options.output:
                options.output.write_text(json.dumps(result, indent=1))
    print_table(result)
    if options.compare is None:
        return 0
    return int(count_slower(result, json.loads(options.compare.read_text())) > 0)


if __name__ == "__main__":
    sys.exit(main())
