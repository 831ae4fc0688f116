"""The devices of this machine, the choice among them, and which of them TensorFlow can use."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lenetcli import files
from lenetcli.errors import DeviceError, UsageError
from lenetcli.experiment.config import DeviceKind
from lenetcli.machine.interpreter import python_command, python_environment
from lenetcli.machine.limits import memory_bytes
from lenetcli.machine.nvidia import has_nvidia_gpu, query_driver, visible_gpus
from lenetcli.machine.process import this_process
from lenetcli.machine.processor import this_processor
from lenetcli.machine.system import run_program

TENSORFLOW_SECONDS = 180.0
"""The time limit for TensorFlow to load, from a cold disk, and count its GPUs, in seconds."""

NO_GPU = (
    "To train on a GPU takes one of NVIDIA's that nvidia-smi shows, and its CUDA libraries: "
    "pip install 'lenetcli[cuda]'."
)
"""What a machine lacks of which the driver lists no GPU."""

GUIDE = "docs/gpu.md, beside the code, has the steps, also for WSL and Colab."

ANSWERS = "tensorflow-gpus.json"
REMEMBERED = 32
"""The file of the cache with the answers of TensorFlow, and the number of answers kept there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device to train on; ``index`` is TensorFlow's, ``name`` the manufacturer's name of the model."""

    kind: DeviceKind
    index: int
    name: str
    memory_bytes: int | None

    @property
    def label(self) -> str:
        """The device as a value of ``--device``."""
        return "cpu" if self.kind is DeviceKind.CPU else f"gpu:{self.index}"

    def __str__(self) -> str:
        return f"{self.label} ({self.name})"


def list_devices() -> list[Device]:
    """The CPU, then each NVIDIA GPU that the driver lists and ``CUDA_VISIBLE_DEVICES`` does not hide.

    The order is that of TensorFlow with ``CUDA_DEVICE_ORDER=PCI_BUS_ID``, which ``backend`` sets.
    """
    gpus = (
        Device(kind=DeviceKind.GPU, index=index, name=gpu.name, memory_bytes=gpu.memory_bytes)
        for index, gpu in enumerate(visible_gpus(query_driver()))
    )
    return [_cpu(), *gpus]


def _cpu() -> Device:
    return Device(kind=DeviceKind.CPU, index=0, name=this_processor().name, memory_bytes=memory_bytes())


def choose_device(requested: str) -> Device:
    """The device that a value of ``--device`` selects; ``auto``: the first usable GPU, else the CPU.

    Raises:
        UsageError: if ``requested`` is not ``auto``, ``cpu``, ``gpu:N`` or ``gpu``, which is ``gpu:0``.
        DeviceError: if there is no such GPU, or TensorFlow cannot use it.
    """
    match = re.fullmatch(r"auto|cpu|gpu(?::(0|[1-9][0-9]{0,3}))?", requested.strip().lower())
    if match is None:
        raise UsageError(f"There is no device {requested!r}.", "Use auto, cpu, gpu, or gpu:N with N from 0.")
    label = match[0]
    if label == "cpu":
        return _cpu()
    cpu, *gpus = devices = list_devices()
    usable = gpus[: tensorflow_sees_gpus()] if gpus else []
    if label == "auto":
        return usable[0] if usable else cpu
    index = int(match[1] or 0)
    if index < len(usable):
        return usable[index]
    raise DeviceError(
        f"TensorFlow cannot use {label} here; this machine has {', '.join(map(str, devices))}.",
        f"{gpu_trouble() or ('Use one of these, or auto.' if gpus else NO_GPU)} {GUIDE}",
    )


def usable_like(device: Device, requested: str) -> list[Device]:
    """The usable GPUs of the model of one that a value of ``--device`` selected; that alone if it names one.

    Of a CPU there is one.
    """
    if device.kind is DeviceKind.CPU or ":" in requested:
        return [device]
    gpus = list_devices()[1:]
    return [gpu for gpu in gpus[: tensorflow_sees_gpus()] if gpu.name == device.name]


def gpu_trouble() -> str | None:
    """The reason why an NVIDIA GPU of this machine cannot be used, in one sentence; None if all can be."""
    driver = query_driver()
    if not driver.gpus:
        if not has_nvidia_gpu():
            return None
        if driver.complaint:
            return f"The driver of the NVIDIA GPU does not answer: {driver.complaint}."
        return "An NVIDIA GPU is in this machine, but its driver is not: install it, with nvidia-smi."
    total = len(visible_gpus(driver))
    if not total:
        setting = os.environ.get("CUDA_VISIBLE_DEVICES")
        if setting is None:
            return "The NVIDIA GPU is cut into instances (MIG), but none has been made."
        return f"CUDA_VISIBLE_DEVICES={setting!r} hides every GPU of this machine."
    count = tensorflow_sees_gpus()
    if count == 0:
        return (
            "The driver shows a GPU, but TensorFlow cannot use it, usually for want of its CUDA libraries: "
            "pip install 'lenetcli[cuda]'."
        )
    if count < total:
        return f"The driver shows {total} GPUs, but TensorFlow can use only {count}."
    return None


def tensorflow_sees_gpus() -> int:
    """The number of GPUs that the installed TensorFlow can use; 0 if it is missing or does not answer.

    TensorFlow is not imported into this process. As loading it takes seconds, the answer is kept in the cache
    folder for as long as the driver, the GPUs and their selection, TensorFlow, the folder it is installed in
    and the boot stay the same. If the cache is damaged or cannot be written, each call counts again.
    """
    key = _answer_key()
    if key is None:
        return 0
    answers = files.read_cache(ANSWERS)
    entry = answers.get(key)
    if type(entry) is int and entry >= 0:
        return entry
    answer = ask_tensorflow()
    if answer is not None:
        files.write_cache(ANSWERS, dict([*answers.items(), (key, answer)][-REMEMBERED:]))
    return answer or 0


def _answer_key() -> str | None:
    """Everything that the answer of TensorFlow depends on, as JSON; None if TensorFlow is not installed."""
    from importlib.metadata import PackageNotFoundError, distribution

    driver = query_driver()
    try:
        tensorflow = distribution("tensorflow")
    except PackageNotFoundError:
        return None
    packages = Path(str(tensorflow.locate_file("")))
    variables = [os.environ.get(name) for name in ("CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH")]
    gpus = [gpu.uuid for gpu in visible_gpus(driver)]
    # Installing a package beside TensorFlow, such as a CUDA library, changes the time of the folder.
    state = [str(packages), packages.stat().st_mtime_ns, this_process().boot_id]
    return json.dumps([driver.version, gpus, tensorflow.version, *state, *variables])


def ask_tensorflow() -> int | None:
    """The number of GPUs that TensorFlow counts in a separate process; None if that fails."""
    program = "import tensorflow as tf; print('GPUs:', len(tf.config.list_physical_devices('GPU')))"
    environment = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", **python_environment(), "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        output = run_program(python_command("-c", program), TENSORFLOW_SECONDS, environment)
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"^GPUs: ([0-9]+)$", output, re.MULTILINE)
    return int(match[1]) if match else None
