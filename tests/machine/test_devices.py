import json
import subprocess
import sys

import pytest

from lenetcli.errors import DeviceError, UsageError
from lenetcli.experiment.config import DeviceKind
from lenetcli.machine import devices, nvidia
from lenetcli.machine.devices import (
    choose_device,
    gpu_trouble,
    list_devices,
    tensorflow_sees_gpus,
    usable_like,
)
from lenetcli.machine.processor import this_processor

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the driver is played by a shell script")

H100, L4 = (
    "GPU-1111-aa, 81559, Disabled, 570.1, NVIDIA H100",
    "GPU-1122-bb, 23034, [N/A], 570.1, NVIDIA L4, odd",
)
CUT = "GPU-3333-cc, 40960, Enabled, 570.1, NVIDIA A100-SXM4-40GB"
LISTING = """\
GPU 0: NVIDIA H100 (UUID: GPU-1111-aa)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-3333-cc)
  MIG 3g.20gb     Device  0: (UUID: MIG-7777-a)
  MIG 1g.5gb+me   Device  1: (UUID: MIG-7788-b)
GPU 2: NVIDIA A100-SXM4-40GB (UUID: GPU-4444-dd)
  MIG 1g.5gb      Device  0: (UUID: MIG-9999-c)
"""


@pytest.fixture(autouse=True)
def bare_machine(tmp_path, monkeypatch):
    """No hardware, no driver, no choice among GPUs, a cache of the test's own."""
    monkeypatch.setattr(nvidia, "ROOT", tmp_path / "root")
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("LENETCLI_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    nvidia.query_driver.cache_clear()
    yield
    nvidia.query_driver.cache_clear()


@pytest.fixture
def tensorflow(monkeypatch):
    """Sets the number of GPUs that TensorFlow counts; until then, or without one, it must not be asked."""

    def answer(count=None):
        def count_gpus():
            assert count is not None, "TensorFlow was asked"
            return count

        monkeypatch.setattr(devices, "tensorflow_sees_gpus", count_gpus)

    answer()
    return answer


@pytest.fixture
def answer(monkeypatch):
    """What ``tensorflow_sees_gpus`` returns if TensorFlow counts so many; without a number, nobody asks."""

    def ask(*counts):
        monkeypatch.setattr(devices, "ask_tensorflow", lambda: counts[0])
        return tensorflow_sees_gpus()

    return ask


@pytest.fixture
def driver(tmp_path):
    """Installs an nvidia-smi that prints a table (for -L a listing), or does what a script says."""

    def install(*rows, listing="", script=None):
        (tmp_path / "table").write_text("\n".join(rows) + "\n")
        (tmp_path / "listing").write_text(listing)
        answer = f'if [ "$1" = -L ]; then file=listing; else file=table; fi; /bin/cat "{tmp_path}/$file"'
        program = tmp_path / "bin" / "nvidia-smi"
        program.write_text(f"#!/bin/sh\necho asked >> '{tmp_path}/asked'\n{script or answer}\n")
        program.chmod(0o755)
        nvidia.query_driver.cache_clear()

    return install


@pytest.fixture
def gpu_in_the_machine(tmp_path):
    """A PCI bus that holds an NVIDIA GPU and other cards."""
    cards = {
        "00:01.0": ("0x8086", "0x030000"),
        "00:02.0": ("0x10de", "0x030200"),
        "00:03.0": ("0x10de", "0x040300"),
    }
    for slot, (vendor, kind) in cards.items():
        folder = tmp_path / "root/sys/bus/pci/devices" / slot
        folder.mkdir(parents=True)
        (folder / "vendor").write_text(vendor + "\n")
        (folder / "class").write_text(kind + "\n")


def names_of_gpus():
    return [device.name for device in list_devices() if device.kind is DeviceKind.GPU]


# What there is


def test_without_a_driver_there_is_the_cpu_alone():
    (cpu,) = list_devices()
    assert (cpu.kind, cpu.index, cpu.name) == (DeviceKind.CPU, 0, this_processor().name)
    assert cpu.memory_bytes > 2**20


def test_gpus_carry_the_drivers_names_and_memory(driver):
    driver(H100, L4)
    _, first, second = list_devices()
    assert (first.name, first.index, first.memory_bytes) == ("NVIDIA H100", 0, 81559 * 2**20)
    assert (second.name, second.index, second.memory_bytes) == ("NVIDIA L4, odd", 1, 23034 * 2**20)
    assert str(second) == "gpu:1 (NVIDIA L4, odd)"


def test_memory_may_be_unknown(driver):
    driver("GPU-5555, [N/A], [N/A], 580.1, NVIDIA GB10")
    assert list_devices()[1].memory_bytes is None


def test_the_driver_is_asked_once_a_process(driver, tmp_path):
    driver(H100)
    list_devices()
    list_devices()
    assert (tmp_path / "asked").read_text() == "asked\n"


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        ("0,1", ["NVIDIA H100", "NVIDIA L4, odd"]),
        ("1, 0", ["NVIDIA L4, odd", "NVIDIA H100"]),
        ("GPU-112", ["NVIDIA L4, odd"]),
        ("GPU-11", []),  # means two
        ("1,-1,0", ["NVIDIA L4, odd"]),
        ("1,9,0", ["NVIDIA L4, odd"]),
        ("0,0", []),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
    ],
)
def test_cuda_visible_devices_is_honoured(driver, monkeypatch, visible, names):
    driver(H100, L4)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert names_of_gpus() == names
    assert [device.index for device in list_devices()[1:]] == list(range(len(names)))


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        (None, ["NVIDIA H100", "NVIDIA A100-SXM4-40GB MIG 3g.20gb", "NVIDIA A100-SXM4-40GB MIG 1g.5gb"]),
        ("1", ["NVIDIA A100-SXM4-40GB MIG 3g.20gb"]),
        ("MIG-7788-b", ["NVIDIA A100-SXM4-40GB MIG 1g.5gb+me"]),
        ("MIG-0", []),
    ],
)
def test_an_instance_of_a_gpu_is_not_named_as_the_whole(driver, monkeypatch, visible, names):
    driver(H100, CUT, CUT.replace("3333-cc", "4444-dd"), listing=LISTING)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert names_of_gpus() == names
    if visible == "MIG-7788-b":
        assert list_devices()[1].memory_bytes == 5 * 2**30


# What is missing


def test_without_a_gpu_nothing_is_missing(tensorflow):
    assert gpu_trouble() is None


def test_a_gpu_without_a_driver_is_told(tensorflow, gpu_in_the_machine):
    assert "driver" in gpu_trouble()
    assert choose_device("auto").kind is DeviceKind.CPU


def test_a_driver_that_is_loaded_shows_a_gpu_too(tmp_path):
    assert not nvidia.has_nvidia_gpu()
    (tmp_path / "root/proc/driver/nvidia/gpus/0000:00:1e.0").mkdir(parents=True)
    assert nvidia.has_nvidia_gpu()


@pytest.mark.parametrize(
    ("script", "word"),
    [
        (
            "echo 'NVIDIA-SMI has failed: no\033[2J communication.'; exit 9",
            "has failed: no [2J communication",
        ),
        ("echo broken >&2; exit 1", "broken"),
        ("exit 3", "exit code 3"),
        ("echo No devices were found", "lists no GPU"),
        ("printf '\\377\\000,,,\\n\\n, , , , \\nGPU-1'", "lists no GPU"),
        ("exec /bin/sleep 30", "more than 0.3 s"),
    ],
)
def test_a_driver_that_fails_shows_no_gpu_and_is_told(
    driver, tensorflow, tmp_path, monkeypatch, gpu_in_the_machine, script, word
):
    monkeypatch.setattr(nvidia, "DRIVER_SECONDS", 0.3)
    driver(script=script)
    assert len(list_devices()) == 1
    trouble = gpu_trouble()
    assert word in trouble
    assert trouble.isprintable()
    monkeypatch.setattr(nvidia, "ROOT", tmp_path / "nowhere")
    assert gpu_trouble() is None


def test_a_program_that_cannot_be_run_is_no_driver(tmp_path, tensorflow, gpu_in_the_machine):
    program = tmp_path / "bin/nvidia-smi"
    program.write_bytes(b"\x7fELF")
    program.chmod(0o755)
    assert len(list_devices()) == 1
    assert "cannot be run" in gpu_trouble()


def test_missing_cuda_libraries_are_told_with_the_command(driver, tensorflow):
    driver(H100, L4)
    tensorflow(0)
    assert "pip install 'lenetcli[cuda]'" in gpu_trouble()
    tensorflow(1)
    assert "only 1" in gpu_trouble()
    tensorflow(2)
    assert gpu_trouble() is None


def test_gpus_that_are_hidden_or_uncut_are_told(driver, tensorflow, monkeypatch):
    driver(CUT, listing="GPU 0: NVIDIA A100 (UUID: GPU-3333-cc)\n")
    assert "MIG" in gpu_trouble()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert "CUDA_VISIBLE_DEVICES='-1'" in gpu_trouble()


# Choosing


def test_without_a_gpu_no_process_is_started(monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    for asked in ("auto", "cpu", " CPU "):
        assert choose_device(asked).kind is DeviceKind.CPU
    with pytest.raises(DeviceError, match=r"nvidia-smi.*lenetcli\[cuda\].*docs/gpu\.md"):
        choose_device("gpu")


def test_auto_is_the_first_usable_gpu_else_the_cpu(driver, tensorflow):
    driver(H100, L4)
    tensorflow(1)
    assert choose_device("auto").name == "NVIDIA H100"
    tensorflow(0)
    assert choose_device("auto").kind is DeviceKind.CPU


def test_asking_for_the_cpu_does_not_wake_the_driver(driver, tensorflow, tmp_path):
    driver(H100)
    assert choose_device("cpu").kind is DeviceKind.CPU
    assert not (tmp_path / "asked").exists()


def test_a_gpu_is_chosen_by_its_number(driver, tensorflow):
    driver(H100, L4)
    tensorflow(2)
    assert [choose_device(asked).index for asked in ("gpu", "gpu:0", "GPU:1")] == [0, 0, 1]


@pytest.mark.parametrize(("asked", "usable"), [("gpu:2", 2), ("gpu:1", 1), ("gpu", 0)])
def test_a_gpu_that_cannot_be_had_is_an_error_that_lists_the_devices(driver, tensorflow, asked, usable):
    driver(H100, L4)
    tensorflow(usable)
    with pytest.raises(DeviceError) as caught:
        choose_device(asked)
    for text in (asked, this_processor().name, "gpu:0 (NVIDIA H100)", "gpu:1 (NVIDIA L4, odd)"):
        assert text in caught.value.problem
    assert ("lenetcli[cuda]" in caught.value.advice) == (usable == 0)


@pytest.mark.parametrize(
    "asked", ["", "tpu", "gpu:", "gpu:x", "gpu:-1", "gpu:01", "gpu:1:2", "gpu 1", "gpu:¹", "cpu:0"]
)
def test_a_malformed_device_is_a_usage_error_that_quotes_it(tensorflow, asked):
    with pytest.raises(UsageError) as caught:
        choose_device(asked)
    assert not isinstance(caught.value, DeviceError)
    assert repr(asked) in caught.value.problem


def test_the_gpus_of_one_model_can_be_used_side_by_side(driver, tensorflow):
    driver(H100, L4, H100.replace("1111", "5555"), H100.replace("1111", "6666"))
    tensorflow(3)  # not the last one
    for asked in ("auto", "gpu"):
        alike = usable_like(choose_device(asked), asked)
        assert [(one.name, one.index) for one in alike] == [("NVIDIA H100", 0), ("NVIDIA H100", 2)]


def test_a_gpu_that_is_named_is_used_alone(driver, tensorflow, tmp_path):
    driver(H100, H100.replace("1111", "5555"))
    tensorflow(2)
    assert [one.index for one in usable_like(choose_device("gpu:1"), "gpu:1")] == [1]
    assert usable_like(choose_device("cpu"), "cpu") == [choose_device("cpu")]


# What TensorFlow sees


def test_tensorflows_answer_is_remembered(tmp_path, answer):
    assert answer(3) == 3
    assert answer() == 3
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["tensorflow-gpus.json"]


def test_another_driver_or_another_choice_of_gpus_asks_anew(driver, answer, monkeypatch):
    assert answer(0) == 0
    driver(H100)
    assert answer(1) == 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert answer(0) == 0
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert answer() == 1


def test_no_answer_is_none_usable_and_is_not_remembered(answer):
    assert answer(None) == 0
    assert answer(2) == 2


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"\xff", b"[]", b"null", b"[" * 100_000, b'{"%s": "many"}', b'{"%s": -1}']
)
def test_a_damaged_cache_costs_the_question_again(tmp_path, answer, damage):
    answer(1)
    memory = tmp_path / "cache/tensorflow-gpus.json"
    (question,) = json.loads(memory.read_bytes())
    memory.write_bytes(damage.replace(b"%s", json.dumps(question)[1:-1].encode()))
    assert answer(2) == 2
    assert answer() == 2


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, answer):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert answer(1) == 1
    assert answer(2) == 2


def test_the_cache_keeps_only_the_newest_answers(tmp_path, answer, monkeypatch):
    for number in range(devices.REMEMBERED + 3):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", str(number))
        assert answer(number) == number
    kept = json.loads((tmp_path / "cache/tensorflow-gpus.json").read_text())
    assert list(kept.values()) == list(range(3, devices.REMEMBERED + 3))


@pytest.mark.parametrize(("module", "count"), [("", 2), ("raise ImportError", 0)])
def test_tensorflow_is_asked_in_a_process_of_its_own(tmp_path, monkeypatch, module, count):
    """A stand-in on the path of this process answers; a file of that name in the current folder does not."""
    fake = "class config:\n    def list_physical_devices(kind): print('chatter'); return ['a', 'b']\n"
    (tmp_path / "path").mkdir()
    (tmp_path / "path/tensorflow.py").write_text(module + "\n" + fake)
    (tmp_path / "tensorflow.py").write_text("raise SystemExit('imported from the current folder')\n")
    monkeypatch.syspath_prepend(tmp_path / "path")
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    assert tensorflow_sees_gpus() == count
    assert "tensorflow" not in set(sys.modules) - before
