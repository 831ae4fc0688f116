"""The installed command, as a person would use it, on small data: one store, many questions."""

import csv
import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.command import EXECUTABLE, PATIENCE, Desk, server_has_run_operations
from helpers.small_data import write_idx

FIELDS = [
    "id",
    "state",
    "dataset",
    "filters",
    "lr",
    "batch_size",
    "seed",
    "epochs",
    "target_epochs",
    "device",
    "device_name",
    "parameters",
    "val_accuracy",
    "best_val_accuracy",
    "test_accuracy",
    "runtime_seconds",
    "created_at",
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """After a train and three sweeps; what they said is kept."""
    desk = Desk(tmp_path_factory.mktemp("a desk") / "Übung #1 50% für $a?")
    write_idx(desk.folder / "my digits", 600, 100)
    data = ("--data", "my digits")
    desk.trained = desk.run("train", "--lr", "0.1", "--epochs", "2", *data, command=(EXECUTABLE,))
    desk.sweep = desk.run("sweep", "lr", "0.1", "1e-2", "--epochs", "2", *data)
    desk.wider = desk.run("sweep", "lr", "0.1", ".01", "0.001", "--epochs", "2", *data)
    desk.longer = desk.run("sweep", "lr", "0.1", "0.01", "--epochs", "3", *data)
    return desk


def rows(table):
    return [line.split() for line in table.splitlines()[1:]]


def test_training_says_what_it_does_line_by_line(desk):
    made, *lines = desk.trained.stderr.splitlines()
    assert made == f"This makes a new store: {desk.folder / 'lenetcli.db'}"
    assert lines[:2] == ["Loading TensorFlow ...", "Reading my digits ..."]
    assert lines[2].startswith("lr 0.1  epoch 1/2  train loss ")
    assert "test accuracy" not in lines[2]
    assert "test accuracy" in lines[3]
    assert lines[-1].startswith("Next: lenetcli runs show ")
    assert not any(word in desk.trained.stderr for word in ("oneDNN", "cuda", "WARNING", "I0000"))


def test_sweeps_train_only_what_is_new(desk):
    assert "lr 0.1 " not in desk.sweep.stderr
    assert "1 kept, 1 trained" in desk.sweep.stderr
    assert "2 kept, 1 trained" in desk.wider.stderr
    assert "goes on after epoch 2" in desk.longer.stderr
    assert "2 continued" in desk.longer.stderr
    assert "epoch 2/3" not in desk.longer.stderr
    assert desk.longer.stderr.endswith("Next: lenetcli plot lr, lenetcli report\n")


def test_results_stand_best_first_and_without_padding(desk):
    lines = desk.wider.stdout.splitlines()
    assert lines[0].split()[:3] == ["lr", "best", "val"]
    best = [float(row[1]) for row in rows(desk.wider.stdout)]
    assert len(best) == 3
    assert best == sorted(best, reverse=True)
    assert all(line == line.rstrip() for line in lines)


def test_asking_again_trains_nothing(desk):
    before = desk.json("runs", "list")
    again = desk.run("sweep", "lr", "0.001", "0.1", "0.010", "--epochs", "2", "--data", "my digits")
    assert "3 kept" in again.stderr
    assert "Loading" not in again.stderr
    assert desk.json("runs", "list") == before
    shorter = desk.run("train", "--epochs", "1", "--data", "my digits")
    assert "1 kept" in shorter.stderr or "1 trained" in shorter.stderr


def test_runs_as_json_and_csv(desk):
    runs = desk.json("runs", "list")
    assert len(runs) == 3
    for run in runs:
        assert list(run)[: len(FIELDS)] == FIELDS
        assert run["state"] == "completed"
        assert run["dataset"] == "my digits"
        assert run["parameters"] == 104_250
        assert run["runtime_seconds"] > 0
        assert len(run["id"]) == 64
    assert [(run["lr"], run["epochs"]) for run in runs] == [(0.001, 2), (0.01, 3), (0.1, 3)]
    table = list(csv.DictReader(io.StringIO(desk.run("runs", "list", "--csv").stdout)))
    assert [row["id"] for row in table] == [run["id"] for run in runs]
    assert list(table[0]) == list(runs[0])


def test_runs_are_sorted_filtered_and_cut(desk):
    def rates(*arguments):
        return [run["lr"] for run in desk.json("runs", "list", *arguments)]

    assert rates("--sort", "lr") == [0.001, 0.01, 0.1]
    best = [run["best_val_accuracy"] for run in desk.json("runs", "list", "--sort", "best_val_accuracy")]
    assert best == sorted(best, reverse=True)
    assert rates("--limit", "1") == [0.001]
    assert rates("--state", "failed") == []
    assert rates("--device", "cpu", "--all") == [0.001, 0.01, 0.1]


def test_a_sweep_is_seen_through_its_own_epochs(desk):
    sweeps = {(sweep["epochs"], len(sweep["values"])): sweep for sweep in desk.json("sweeps", "list")}
    assert set(sweeps) == {(2, 2), (2, 3), (3, 2)}
    assert all(sweep["done"] == len(sweep["cells"]) for sweep in sweeps.values())
    seen = desk.json("runs", "list", "--sweep", sweeps[2, 3]["id"][:8], "--sort", "lr")
    assert [(run["lr"], run["epochs"]) for run in seen] == [(0.001, 2), (0.01, 2), (0.1, 2)]
    curve = desk.json("runs", "show", seen[2]["id"])["curve"]
    assert seen[2]["val_accuracy"] == curve[1]["val_accuracy"]
    assert len(curve) == 3


def test_one_run_in_full(desk):
    run_id = desk.json("runs", "list", "--sort", "lr")[2]["id"]
    run = desk.json("runs", "show", run_id[:8])
    assert [point["epoch"] for point in run["curve"]] == [1, 2, 3]
    assert {"train_loss", "val_loss", "val_accuracy", "train_seconds"} <= set(run["curve"][0])
    assert run["config"]["lr"] == 0.1
    assert [attempt["outcome"] for attempt in run["attempts"]] == ["completed", "completed"]
    text = desk.run("runs", "show", run_id[:8]).stdout
    assert run["weights_sha256"] in text
    assert f"{run['curve'][2]['val_accuracy']:.4f}" in text


@pytest.mark.parametrize("width", [40, 80, 300])
def test_no_line_feed_breaks_a_command_that_is_advised(desk, width):
    words = (
        "sweep",
        "filter_size",
        "8",
        "16",
        "--epochs",
        "2",
        "--store",
        "a/long/way/to/the/store/of/all.db",
    )
    (message,) = desk.run(*words, code=2).stderr.splitlines()
    terminal = {"COLUMNS": str(width), "TTY_COMPATIBLE": "1", "TERM": "dumb"}
    lines = desk.run(*words, code=2, **terminal).stderr.splitlines()
    assert " ".join(lines) == message
    commands = re.findall("`[^`]+`", message)
    assert len(commands) == 2 and all(any(command in line for line in lines) for command in commands)
    assert all(len(line) <= width or line in commands for line in lines)


def test_narrow_terminals_show_what_matters(desk):
    said = desk.run("runs", "list", COLUMNS="40")
    text = said.stdout
    assert said.stderr.startswith("Left out in 40 columns: data, filters, epochs, device, ")
    assert "Left out" not in desk.run("runs", "list", COLUMNS="200").stderr
    for words in (("sweeps", "list"), ("runs", "show", said.stdout.split()[-4][:8])):
        assert "Left out in 40 columns: " in desk.run(*words, COLUMNS="40").stderr
    assert text.splitlines()[0].split() == ["id", "state", "lr", "best", "val"]
    assert all(len(line) <= 40 for line in text.splitlines())
    assert [row[2] for row in rows(text)] == ["0.001", "0.01", "0.1"]


def test_a_hash_is_not_broken_where_a_line_of_its_own_has_room(desk):
    sha256 = desk.json("data", "--data", "my digits")["sha256"]
    lines = desk.run("data", "--data", "my digits", COLUMNS="80").stdout.splitlines()
    assert lines[lines.index("arrays") + 1] == f"  SHA-256 {sha256}"
    assert all(
        len(line) <= 40 for line in desk.run("data", "--data", "my digits", COLUMNS="40").stdout.splitlines()
    )


def test_shuffled_data_says_what_it_replaces_and_how_to_train_with_it(desk):
    words = ("data", "--data", "my digits", "--shuffle", "in order.npz")
    for place in ("", ", in place of the file that was there"):
        said = desk.run(*words).stderr
        assert f"Wrote in order.npz{place}: " in said and "--data 'in order.npz'" in said
    assert desk.json("data", "--data", "in order.npz")["train_images"] > 0


def test_ascii_where_there_is_nothing_else(desk):
    words = ("sweep", "lr", "0.1", "0.01", "--epochs", "3", "--data", "my digits")
    done = desk.run(*words, PYTHONIOENCODING="ascii")
    assert (done.stdout + done.stderr).isascii()
    assert "2 kept" in done.stderr
    assert "▁" in desk.run(*words, PYTHONIOENCODING="utf-8").stdout


def in_shell(desk, command, **environment):
    return subprocess.run(
        command.replace("lenetcli ", f"'{EXECUTABLE}' "),
        shell=True,
        cwd=desk.folder,
        env=desk.environment | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_who_leaves_early_is_no_error(desk, unbuffered):
    command = "{ lenetcli runs list --json --all; echo $? >&2; } | head -n 1"
    done = in_shell(desk, command, PYTHONUNBUFFERED=unbuffered)
    assert (done.stdout, done.stderr) == ("[\n", "0\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_output_that_cannot_be_written_is_one(desk, unbuffered):
    done = in_shell(desk, "lenetcli runs list > /dev/full", PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("Error: The output cannot be written")
    assert in_shell(desk, "lenetcli runs show xyz 2> /dev/full", PYTHONUNBUFFERED=unbuffered).returncode == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_log_that_is_full_ends_no_training(desk):
    words = "--data 'my digits' --epochs 1 --store logged.db"
    assert in_shell(desk, f"lenetcli train {words} 2> /dev/full").returncode == 0
    (run,) = desk.json("runs", "list", "--store", "logged.db")
    assert run["state"] == "completed"


def test_training_ends_with_the_reader_of_its_progress(desk):
    words = "--data 'my digits' --epochs 1000000 --store piped.db"
    done = in_shell(desk, f"{{ lenetcli train {words} 2>&1; echo $? >&2; }} | head -n 3")
    assert (done.stdout.count("\n"), done.stderr) == (3, "1\n")
    (run,) = desk.json("runs", "list", "--store", "piped.db")
    assert run["state"] == "interrupted" and run["epochs"] >= 1


def test_closed_streams_harm_nothing(desk):
    for closed in (">&-", "2>&-", ">&- 2>&- <&-"):
        command = f"'{EXECUTABLE}' runs list --json {closed}"
        done = subprocess.run(
            command, shell=True, cwd=desk.folder, env=desk.environment, stdout=subprocess.PIPE
        )
        assert done.returncode == 0
    assert len(desk.json("runs", "list")) >= 3


def test_a_saved_run_opens_with_plain_keras(desk):
    run_id = desk.json("runs", "list", "--sort", "lr")[2]["id"]
    desk.run("runs", "save", run_id[:10], "mein Modell #1.keras")
    code = """
import gzip, sys, numpy, keras
assert not any(name.startswith("lenetcli") for name in sys.modules)
model = keras.models.load_model("mein Modell #1.keras")
raw = numpy.frombuffer(open("my digits/t10k-images-idx3-ubyte", "rb").read()[16:], "u1")
images = raw.reshape(-1, 28, 28, 1).astype("float32") / 255
labels = numpy.frombuffer(open("my digits/t10k-labels-idx1-ubyte", "rb").read()[8:], "u1")
answers = model.predict(images, verbose=0)
assert answers.shape == (100, 10) and numpy.allclose(answers.sum(1), 1, atol=1e-5)
print((answers.argmax(1) == labels).mean(), model.count_params())
"""
    accuracy, parameters = desk.run(command=(sys.executable, "-c", code)).stdout.split()[-2:]
    one_image = 0.0101  # of a hundred, where two classes are equal but for rounding
    assert float(accuracy) == pytest.approx(desk.json("runs", "show", run_id)["test_accuracy"], abs=one_image)
    assert parameters == "104250"


WITHOUT = """
import sys
sys.modules.update(dict.fromkeys({names!r}))  # importing one of them fails from here on
from lenetcli.cli.app import main
main()
"""
LAZY = """
import sys
from lenetcli.cli.app import main
try:
    main()
finally:
    slow = ("tensorflow", "keras", "matplotlib", "numpy", "scipy", "typst", "alembic", "pooch", "sqlalchemy")
    print(*[name for name in slow if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize(
    "typed",
    [
        ["--help"],
        ["--version"],
        ["sweep", "--help"],
        ["runs", "list"],
        ["sweeps", "list"],
        ["plot", "lr"],
        ["report"],
        ["data", "--data", "my digits"],
        ["devices"],
        ["sweep", "lr", "0.1", "0.01", "--epochs", "3", "--data", "my digits"],
        ["train", "--epochs", "3", "--data", "my digits"],
    ],
    ids=lambda typed: " ".join(typed[:2]),
)
def test_looking_needs_no_tensorflow_and_only_a_report_needs_scipy(desk, typed):
    names = ["tensorflow", "keras", *(["scipy"] if typed != ["report"] else [])]
    desk.run(*typed, command=(sys.executable, "-c", WITHOUT.format(names=names)))


@pytest.mark.parametrize(
    ("typed", "loaded"),
    [("--help", ""), ("sweep --help", ""), ("runs list", "sqlalchemy"), ("sweeps list", "sqlalchemy")],
)
def test_looking_loads_little(desk, typed, loaded):
    done = desk.run(*typed.split(), command=(sys.executable, "-c", LAZY))
    assert done.stderr.splitlines()[-1] == loaded


def test_figures_and_the_report(desk):
    said = desk.run("plot", "lr", "-o", "Kurven für $lr%20#?.svg").stderr
    assert said.startswith("Wrote Kurven für $lr%20#?.svg")
    assert (desk.folder / "Kurven für $lr%20#?.svg").read_text("utf-8").lstrip().startswith("<?xml")
    desk.run("plot", "lr")
    assert (desk.folder / "lr.png").read_bytes().startswith(b"\x89PNG")
    stderr = desk.run("plot", "runtime", code=3).stderr
    assert "lenetcli sweep filters" in stderr
    report = desk.run("report", "-o", "Bericht #1.pdf", "--title", "Übung $1 #2 _3_", "--author", "Zoë *")
    assert (desk.folder / "Bericht #1.pdf").read_bytes().startswith(b"%PDF")
    assert "lenetcli sweep filters 8 16 32 64" in report.stderr
    desk.run("report", "--verify", "Bericht #1.pdf")


@pytest.mark.parametrize("address", ["Läufe 100% #2?.db", "$HOME.db"])
def test_stores_with_odd_names(desk, address):
    target = desk.folder / address
    target.write_bytes((desk.folder / "lenetcli.db").read_bytes())
    assert len(desk.json("runs", "list", "--store", address)) == len(desk.json("runs", "list"))
    assert desk.json("runs", "list", "--store", str(target))
    words = ("sweep", "lr", "0.1", "0.01", "--epochs", "3", "--data", "my digits", "--store", address)
    said = desk.run(*words).stderr
    assert said.splitlines()[-1].count(f"--store '{address}'") == 2


def test_module_and_command_are_one(desk):
    module = (sys.executable, "-m", "lenetcli")
    for words in (["--version"], ["--help"], ["runs", "list"]):
        by_name = desk.run(*words, command=(EXECUTABLE,)).stdout
        assert desk.run(*words, command=module).stdout == by_name


def test_an_interrupted_run_goes_on(desk):
    words = ["train", "--seed", "7", "--epochs", "100000", "--data", "my digits", "--store", "stopped.db"]
    child = desk.start(*words, stderr=subprocess.PIPE)
    for line in child.stderr:
        if "epoch 3/" in line:
            break
    child.send_signal(signal.SIGINT)
    asked = time.monotonic()
    rest = child.stderr.read()
    assert child.wait(PATIENCE) == 130
    assert "type the same command again" in rest
    assert time.monotonic() - asked < 60
    child.stderr.close()
    (run,) = desk.json("runs", "list", "--store", "stopped.db")
    assert run["state"] == "interrupted"
    assert run["epochs"] >= 3
    again = desk.run("train", "--seed", "7", "--epochs", str(run["epochs"] + 1), *words[5:])
    assert f"goes on after epoch {run['epochs']}" in again.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_second_signal_ends_at_once_and_gives_the_cursor_back(desk):
    import pty

    ours, theirs = pty.openpty()
    words = ["sweep", "lr", "0.1", "0.01", "--seed", "8", "--epochs", "100000", "--data", "my digits"]
    words += ["--store", "dropped.db"]
    child = subprocess.Popen(
        [EXECUTABLE, *words],
        cwd=desk.folder,
        env=desk.environment | {"TERM": "xterm"},
        stderr=theirs,
        stdin=theirs,
    )
    os.close(theirs)
    seen = b""
    # Which epoch is shown, the clock of the screen decides.
    wanted = (rb"epoch +[0-9]+/100000[^\n]* left", rb"run 1 of 2[^\n]* left", rb"images/s")
    while not all(re.search(one, seen) for one in wanted):
        seen += os.read(ours, 4096)
    child.send_signal(signal.SIGTERM)
    child.send_signal(signal.SIGINT)
    try:
        while part := os.read(ours, 4096):
            seen += part
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    assert child.wait(PATIENCE) in (130, 143)
    assert seen.rindex(b"\x1b[?25h") > seen.rindex(b"\x1b[?25l")
    (run,) = desk.json("runs", "list", "--store", "dropped.db")
    assert run["state"] == "interrupted"


def test_a_forked_command_does_what_one_in_a_process_of_its_own_does(desk):
    words = ("sweep", "lr", "0.1", "0.01", "--epochs", "3", "--data", "my digits")
    for name in ("forked.db", "own.db"):
        command = (EXECUTABLE,) if name == "own.db" else None
        desk.run(*words, "--store", name, command=command)
    curves = []
    for name in ("forked.db", "own.db"):
        run_id = desk.json("runs", "list", "--store", name, "--sort", "lr")[0]["id"]
        run = desk.json("runs", "show", run_id, "--store", name)
        curves.append((run["weights_sha256"], [point["val_loss"] for point in run["curve"]]))
    assert curves[0] == curves[1]


def test_the_process_that_forks_has_run_no_operation_of_tensorflow():
    """Its threads would be missing in each child, which would wait for them for ever."""
    assert not server_has_run_operations()
