"""``--ray``, as it is typed: clusters that are started here, and those that cannot be had."""

import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
from helpers.command import PATIENCE
from helpers.fault_drivers import ENVIRONMENT, end_soon, type_command, wait_for
from helpers.fault_engines import Engine
from helpers.small_data import tiny_desk

from lenetcli.store.store import Store

SWEEP = ("sweep", "lr", "0.1", "0.01", "--filters", "2", "--batch-size", "20", "--epochs", "2")


@pytest.fixture
def desk(tmp_path):
    return tiny_desk(tmp_path)


def bits(store):
    """What a store has of each run but its times."""
    return {run.key: (run.curve, store.checkpoint(run.key).sha256, run.state) for run in store.runs()}


def test_ray_on_one_machine_leaves_what_jobs_leave(desk, tmp_path):
    """Real training, by the installed command."""
    said = desk.run(*SWEEP, "--ray", "local", "--jobs", "2", "--store", "cluster.db").stderr
    desk.run(*SWEEP, "--jobs", "2", "--store", "jobs.db")
    assert not re.search(r"\bray\b|raylet|INFO|WARN", said)  # Ray's messages stay away
    ray, jobs = Store.open(str(tmp_path / "cluster.db")), Store.open(str(tmp_path / "jobs.db"))
    assert bits(ray) == bits(jobs) and len(bits(ray)) == 2
    assert {a.host for run in ray.runs() for a in run.attempts} == {
        a.host for run in jobs.runs() for a in run.attempts
    }
    again = desk.run(*SWEEP, "--ray", "local", "--store", "cluster.db").stderr
    assert "2 kept" in again and "room" not in again  # no Ray is started for nothing


def closed_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.parametrize(
    ("words", "sentences"),
    [
        (("--ray", "nowhere"), ("There is no Ray cluster 'nowhere'", "Write auto, local, or HOST:PORT")),
        (("--ray", "nowhere:0"), ("There is no Ray cluster 'nowhere:0'", "HOST:PORT")),
        (("--ray", "ray://host:10001"), ("There is no Ray cluster", "HOST:PORT")),
        (("--ray", "local", "--commands"), ("--ray means nothing with --commands", "Leave it out")),
        (("--ray", "local", "--device", "gpu:1"), ("gpu:1 cannot be had", "Choose --device gpu")),
        (("--ray", "local", "--device", "gpu"), ("No machine of the cluster has a GPU", "--device cpu")),
        (("--ray", "local", "--threads", "999"), ("A job needs 999 CPUs", "Choose fewer --threads")),
    ],
)
def test_what_cannot_be_had_is_a_sentence_with_what_to_type(desk, words, sentences):
    if sentences[0].startswith("No machine") and Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    said = desk.run(*SWEEP, *words, code=2).stderr
    assert all(sentence in said for sentence in sentences)
    assert not list(desk.folder.glob("*.db"))


def test_a_cluster_that_does_not_answer_is_left(desk):
    """Where nobody listens, and where somebody does who is no Ray."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        for port in (closed_port(), silent.getsockname()[1]):
            address = f"127.0.0.1:{port}"
            said = desk.run(*SWEEP, "--ray", address, code=2).stderr
            assert f"No Ray cluster answers at {address}." in said
            assert f"`ray start --address={address}`" in said


def test_a_sweep_that_was_begun_is_no_reason_to_speak_of_gpus(desk):
    desk.run(*SWEEP, "--for", "0.001s", code=1)
    said = desk.run(*SWEEP, "--ray", f"127.0.0.1:{closed_port()}", code=2).stderr
    assert "No Ray cluster answers" in said and "GPU" not in said


def test_the_environment_names_the_cluster_of_auto(desk):
    desk.environment["RAY_ADDRESS"] = f"127.0.0.1:{closed_port()}"
    said = desk.run(*SWEEP, "--ray", "auto", code=2).stderr
    assert f"No Ray cluster answers at {desk.environment['RAY_ADDRESS']}" in said
    desk.environment["RAY_ADDRESS"] = "ray://127.0.0.1:10001"
    said = desk.run(*SWEEP, "--ray", "auto", code=2).stderr
    assert "RAY_ADDRESS is 'ray://127.0.0.1:10001'" in said


def test_the_exercise_is_planned_on_a_cluster(desk):
    said = desk.run("reproduce", "--ray", "local", "--threads", "1", "--dry-run").stderr
    assert re.search(r"[0-9]+ runs, [0-9]+ at a time", said)
    said = desk.run("reproduce", "--ray", f"127.0.0.1:{closed_port()}", code=2).stderr
    assert "No Ray cluster answers" in said


def test_without_the_extra_it_is_named(desk, tmp_path):
    program = "import sys; sys.modules['ray'] = None; from lenetcli.cli.app import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", program, *SWEEP, "--ray", "local"]
    ended = subprocess.run(command, cwd=tmp_path, env=desk.environment, capture_output=True, text=True)
    assert ended.returncode == 2
    assert "pip install 'lenetcli[ray]'" in ended.stderr


# With a fake engine

FAKED = (*SWEEP[:6], "--batch-size", "8")
NAMES = ("signal", "struct", "random", "pickle", "lenetcli", "ray", "numpy")


def of_ray(processes):
    """Those of a cluster."""
    return [one for one in processes if any(word in one.name() for word in ("raylet", "gcs_server", "ray::"))]


def ray_processes(pid):
    try:
        return of_ray(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def test_odd_surroundings_do_not_matter(tmp_path):
    """A folder with files named like modules that is deleted meanwhile, and no home."""
    here = tmp_path / "here"
    here.mkdir()
    for name in NAMES:
        (here / f"{name}.py").write_text("raise SystemExit(3)")
    environment = {name: ENVIRONMENT[name] for name in ("PATH", "PYTHONPATH")}
    words = (*FAKED, "--epochs", "2", "--ray", "local", "--store", str(tmp_path / "s.db"))
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    driver = type_command(tmp_path, *words, cwd=here, env=environment, **streams)
    _, said = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 0, said
    driver = type_command(
        tmp_path, *words, "--epochs", "3", cwd=tmp_path, leave=True, env=environment, **streams
    )
    said = driver.communicate(timeout=PATIENCE)[1]
    assert [run.epochs for run in Store.open(str(tmp_path / "s.db")).runs()] == [2, 2], said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_cluster_that_was_started_ends_with_its_command(tmp_path, number):
    engine, temporary = Engine(folder=tmp_path, pause=0.2), Path(tempfile.mkdtemp(dir="/tmp"))
    words = (*FAKED, "--epochs", "1000", "--ray", "local", "--store", str(tmp_path / "s.db"))
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    environment = ENVIRONMENT | {"TMPDIR": str(temporary)}
    driver = type_command(tmp_path, *words, pause=0.2, env=environment, **streams)
    wait_for(lambda: len(engine.begun) > 3)
    started = ray_processes(driver.pid)
    assert started
    driver.send_signal(number)
    said = driver.communicate(timeout=PATIENCE)[1]
    assert driver.returncode == (-number if number == signal.SIGKILL else 128 + number), said
    assert end_soon(started)
    runs = Store.open(str(tmp_path / "s.db")).runs()
    assert sum(run.epochs for run in runs) >= 2
    if number != signal.SIGKILL:
        assert "Stopped. What was finished is kept" in said
    wait_for(lambda: not list(temporary.iterdir()))
    temporary.rmdir()
