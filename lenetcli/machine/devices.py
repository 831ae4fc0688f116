"""What this machine can train on, and the choice: the CPU, and the NVIDIA GPUs that TensorFlow can use."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lenetcli import files
from lenetcli.errors import DeviceError, UsageError
from lenetcli.experiment.config import DeviceKind
from lenetcli.machine.limits import memory_bytes
from lenetcli.machine.nvidia import has_nvidia_gpu, query_driver, run_program, visible_gpus
from lenetcli.machine.process import this_process
from lenetcli.machine.processor import processor_name
from lenetcli.machine.system import ROOT

TENSORFLOW_SECONDS = 180.0
"""How long TensorFlow may take to load and count its GPUs, from a cold disk."""

ANSWERS = "tensorflow-gpus.json"
REMEMBERED = 32
"""What the cache calls the answers of TensorFlow, and how many are kept."""

COUNT_GPUS = "import tensorflow as tf; print('GPUs:', len(tf.config.list_physical_devices('GPU')))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Something to train on; ``index`` counts as TensorFlow does, ``name`` is the maker's."""

    kind: DeviceKind
    index: int
    name: str
    memory_bytes: int | None

    @property
    def label(self) -> str:
        """What ``--device`` calls it."""
        return "cpu" if self.kind is DeviceKind.CPU else f"gpu:{self.index}"

    def __str__(self) -> str:
        return f"{self.label} ({self.name})"


def list_devices() -> list[Device]:
    """The CPU, then every NVIDIA GPU that the driver shows and ``CUDA_VISIBLE_DEVICES`` leaves.

    The order is that of ``CUDA_DEVICE_ORDER=PCI_BUS_ID``, which must be set before TensorFlow is
    imported if unequal GPUs are to carry their own names.
    """
    gpus = (
        Device(kind=DeviceKind.GPU, index=index, name=gpu.name, memory_bytes=gpu.memory_bytes)
        for index, gpu in enumerate(visible_gpus(query_driver()))
    )
    return [_cpu(), *gpus]


def _cpu() -> Device:
    return Device(kind=DeviceKind.CPU, index=0, name=processor_name(), memory_bytes=memory_bytes())


def choose_device(asked: str, count_gpus: Callable[[], int] | None = None) -> Device:
    """The device that ``auto`` (the first usable GPU, else the CPU), ``cpu``, ``gpu`` or ``gpu:N`` means.

    Args:
        asked: what was typed; ``gpu`` is ``gpu:0``.
        count_gpus: says how many GPUs TensorFlow can use (``tensorflow_sees_gpus``); asked only
            where the driver shows one.

    Raises:
        UsageError: for anything else.
        DeviceError: for a GPU that is not there, or that TensorFlow cannot use.
    """
    form = re.fullmatch(r"auto|cpu|gpu(?::(0|[1-9][0-9]{0,3}))?", asked.strip().lower())
    if form is None:
        raise UsageError(f"There is no device {asked!r}.", "Use auto, cpu, gpu, or gpu:N with N from 0.")
    wanted = form[0]
    if wanted == "cpu":
        return _cpu()
    cpu, *gpus = devices = list_devices()
    usable = gpus[: (count_gpus or tensorflow_sees_gpus)()] if gpus else []
    if wanted == "auto":
        return usable[0] if usable else cpu
    index = int(form[1] or 0)
    if index < len(usable):
        return usable[index]
    raise DeviceError(
        f"TensorFlow cannot use {wanted} here; this machine has {', '.join(map(str, devices))}.",
        gpu_trouble(count_gpus) or "Use one of these, or auto.",
    )


def gpu_trouble(count_gpus: Callable[[], int] | None = None, root: Path = ROOT) -> str | None:
    """What is missing where an NVIDIA GPU is in the machine but cannot be used: one sentence; else None."""
    driver = query_driver()
    if not driver.gpus:
        if not has_nvidia_gpu(root):
            return None
        if driver.complaint:
            return f"The driver of the NVIDIA GPU does not answer: {driver.complaint}."
        return "An NVIDIA GPU is in this machine, but its driver is not: install it, with nvidia-smi."
    seen = len(visible_gpus(driver))
    if not seen:
        shown = os.environ.get("CUDA_VISIBLE_DEVICES")
        if shown is None:
            return "The NVIDIA GPU is cut into instances (MIG), but none has been made."
        return f"CUDA_VISIBLE_DEVICES={shown!r} hides every GPU of this machine."
    usable = (count_gpus or tensorflow_sees_gpus)()
    if usable == 0:
        return (
            "The driver shows a GPU, but TensorFlow cannot use it, usually for want of its CUDA libraries: "
            "pip install 'lenetcli[cuda]'."
        )
    if usable < seen:
        return f"The driver shows {seen} GPUs, but TensorFlow can use only {usable}."
    return None


def tensorflow_sees_gpus(ask: Callable[[], int | None] | None = None) -> int:
    """How many GPUs the installed TensorFlow can use, without importing it here.

    Loading TensorFlow takes seconds, so the answer is remembered in the cache folder, for as long
    as the driver, the GPUs and their choice, TensorFlow, the folder it is installed in and the boot
    stay the same. A cache that is damaged or cannot be written costs the question again.

    Args:
        ask: asks TensorFlow, and gives None where it did not answer; by default in a process of its own.
    """
    question = _question()
    if question is None:
        return 0
    answers = files.read_cache(ANSWERS)
    known = answers.get(question)
    if type(known) is int and known >= 0:
        return known
    answer = (ask or _ask_tensorflow)()
    if answer is None:
        return 0
    answers[question] = answer
    files.write_cache(ANSWERS, dict(list(answers.items())[-REMEMBERED:]))
    return answer


def _question() -> str | None:
    """All that the answer depends on; None without TensorFlow.

    Installing a package, such as a CUDA library, beside TensorFlow changes the time of that folder.
    """
    from importlib.metadata import PackageNotFoundError, distribution

    driver = query_driver()
    try:
        tensorflow = distribution("tensorflow")
    except PackageNotFoundError:
        return None
    packages = Path(str(tensorflow.locate_file("")))
    surroundings = [os.environ.get(name) for name in ("CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH")]
    gpus = [gpu.uuid for gpu in visible_gpus(driver)]
    where = [str(packages), packages.stat().st_mtime_ns, this_process().boot_id]
    return json.dumps([driver.version, gpus, tensorflow.version, *where, *surroundings])


def _ask_tensorflow() -> int | None:
    environment = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", **os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:  # -P: a file of the current folder that is named like a module is not imported
        said = run_program([sys.executable, "-P", "-c", COUNT_GPUS], TENSORFLOW_SECONDS, environment)
    except (OSError, subprocess.SubprocessError):
        return None
    counted = re.search(r"^GPUs: ([0-9]+)$", said, re.MULTILINE)
    return int(counted[1]) if counted else None
