import os
import re
import signal
import sqlite3
import subprocess
import sys

import pytest
from helpers.small_data import write_idx


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with data, and with files of the user that have the names of modules."""
    folder = tmp_path_factory.mktemp("the exercise")
    write_idx(folder / "my digits", 240, 60)
    for name in ("lenetcli", "random", "csv", "typst", "signal", "struct", "pickle", "numpy"):
        (folder / f"{name}.py").write_text("raise SystemExit(0)")
    return folder


def surroundings(folder):
    return {"LENETCLI_DATA": str(folder / "my digits"), "LENETCLI_CACHE": str(folder / "cache")}


def lenetcli(folder, *arguments, code="from lenetcli.cli.app import main; main()"):
    environment = os.environ | surroundings(folder)
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


IDLE_PARTS = """
from lenetcli.cli import app, reproduce
reproduce.python_command = lambda *arguments: ["true"]
app.main()
"""


WITH_A_GPU = """
from lenetcli.cli import app, reproduce
from lenetcli.experiment.config import DeviceKind
from lenetcli.machine import devices
gpu = devices.Device(kind=DeviceKind.GPU, index=0, name="NVIDIA H100", memory_bytes=None)
devices.choose_device = lambda requested: gpu
reproduce.python_command = lambda *arguments: ["true"]
reproduce._check_sweep = lambda *arguments, **options: None
reproduce.OUTPUTS = ()
app.main()
"""


FAILING_RATES = """
from lenetcli.cli import app, reproduce
reproduce.python_command = lambda *arguments: ["false" if "lr" in arguments else "true"]
app.main()
"""


OUT_OF_TIME = FAILING_RATES.replace(
    "app.main()",
    """
from lenetcli.training.time_limit import TimeLimit
TimeLimit.seconds_left = lambda limit: 1e-6
app.main()
""",
)


RAISED_RECIPE = """
from lenetcli.cli import reproduce
reproduce.RECIPE += 1
"""


def test_the_whole_exercise(folder):
    planned = lenetcli(folder, "reproduce", "--dry-run", "--epochs", "2")
    assert planned.returncode == 0, planned.stderr
    assert len(planned.stdout.splitlines()) == 8  # four rates, three more sizes, a heading
    assert "440,394" in planned.stdout
    assert not (folder / "lenetcli.db").exists()

    done = lenetcli(folder, "reproduce", "--epochs", "2")
    assert done.returncode == 0, done.stderr
    for name in ("lr.png", "runtime.png", "report.pdf"):
        assert (folder / name).stat().st_size > 5000
    assert "$ lenetcli sweep filters --device cpu 8 16 32 64 --epochs 2" in done.stderr
    rates = "$ lenetcli sweep lr --device auto 0.1 0.01 0.001 0.0001 --epochs 2"
    assert done.stderr.index("sweep filters --device cpu") < done.stderr.index(rates)
    assert "1 kept, 3 trained" in done.stderr  # both sweeps share the cell of 16 filters and rate 0.1

    again = lenetcli(folder, "reproduce", "--epochs", "2")
    assert again.returncode == 0, again.stderr
    assert "Loading TensorFlow" not in again.stderr
    assert "Nothing is left" in lenetcli(folder, "reproduce", "--dry-run", "--epochs", "2").stderr
    longer = lenetcli(folder, "reproduce", "--dry-run", "--epochs", "5", "--jobs", "1")
    assert "7 runs, about" in longer.stderr
    beside = lenetcli(folder, "reproduce", "--dry-run", "--epochs", "5", "--jobs", "2")
    assert "7 runs, 2 at a time, about" in beside.stderr
    assert "may then be measured again" not in beside.stderr  # their first epochs were measured alone

    # What its parts leave counts, not that they end well.
    undone = lenetcli(folder, "reproduce", "--epochs", "2", code=IDLE_PARTS)
    assert undone.returncode == 1
    assert undone.stderr.endswith(
        f"Error: lenetcli plot lr -o lr.png --store lenetcli.db has not written {folder / 'lr.png'}. "
        "Type the same command again to go on.\n"
    )
    undone = lenetcli(folder, "reproduce", "--epochs", "3", code=IDLE_PARTS)
    assert undone.returncode == 1
    assert f"has left no sweep in {folder}/lenetcli.db. Type" in undone.stderr
    undone = lenetcli(folder, "reproduce", "--epochs", "2", "--anew", code=RAISED_RECIPE + IDLE_PARTS)
    assert undone.returncode == 1
    assert "--anew has left no sweep in" in undone.stderr
    database = sqlite3.connect(folder / "lenetcli.db")
    with database:
        database.execute("UPDATE runs SET completed_epochs = 0, state = 'interrupted' WHERE lr < 0.1")
    database.close()
    undone = lenetcli(folder, "reproduce", "--epochs", "2", code=IDLE_PARTS)
    assert undone.returncode == 1
    assert f"has left 3 runs unfinished in {folder}/lenetcli.db. Type" in undone.stderr

    # A part that ends with 1 and has failed at nothing had no time, if little of it is left.
    words = ("reproduce", "--epochs", "2", "--jobs", "1")
    for limit, goes_on in (
        (("--for", "1h30m"), "--for 1h30m"),
        (("--until", "2999-01-01 8:00"), "--until 08:00"),
    ):
        early = lenetcli(folder, *words, *limit, code=FAILING_RATES)
        assert (early.returncode, "Error" in early.stderr) == (1, False)
        over = lenetcli(folder, *words, *limit, code=OUT_OF_TIME)
        assert over.returncode == 1
        assert over.stderr.endswith(
            "Error: The time is over before the exercise is finished. What was finished is kept; go on with "
            f"`lenetcli reproduce --epochs 2 --data '{folder}/my digits' --jobs 1 {goes_on}`.\n"
        )
    assert "Error" not in lenetcli(folder, *words, code=FAILING_RATES).stderr
    database = sqlite3.connect(folder / "lenetcli.db")
    with database:
        database.execute("UPDATE runs SET state = 'failed' WHERE lr = 0.01")
    database.close()
    failed = lenetcli(folder, *words, "--for", "1h30m", code=OUT_OF_TIME)
    assert (failed.returncode, "Error" in failed.stderr) == (1, False)


def test_a_dry_run_does_not_load_tensorflow(folder):
    code = (
        "import sys, lenetcli.cli.app\n"
        "try:\n    lenetcli.cli.app.main()\n"
        "finally:\n    print('tensorflow' in sys.modules, file=sys.stderr)"
    )
    done = lenetcli(folder, "reproduce", "--dry-run", "--seeds", "3", code=code)
    assert done.returncode == 0
    assert done.stderr.endswith("False\n")


def test_the_seed_is_free(folder):
    planned = lenetcli(folder, "reproduce", "--dry-run", "--seed", "7", "--seeds", "2", "--store", "seven.db")
    assert planned.returncode == 0, planned.stderr
    assert "14 runs" in planned.stderr
    titles, *rows = (line.split() for line in planned.stdout.splitlines())
    assert {row[titles.index("seed")] for row in rows} == {"7", "8"}
    words = ("reproduce", "--seed", "7", "--epochs", "1", "--store", "seven.db")
    commanded = lenetcli(folder, *words, code=IDLE_PARTS).stderr.splitlines()[0]
    assert commanded.startswith("$ lenetcli sweep filters --device ")
    assert commanded.endswith(" --seed 7")


def test_the_sweeps_whose_result_is_a_runtime_come_first(folder):
    done = lenetcli(folder, "reproduce", "--store", "idle.db", code=WITH_A_GPU)
    assert done.returncode == 0, done.stderr
    begun = [line.split()[2:6] for line in done.stderr.splitlines()]
    assert begun == [
        ["sweep", "filters", "--device", "gpu"],
        ["sweep", "filters", "--device", "cpu"],
        ["sweep", "lr", "--device", "auto"],
    ]


@pytest.mark.parametrize(
    ("typed", "handed_on"),
    [
        (("--jobs", "2", "--no-remeasure"), r"--jobs 2 --no-remeasure"),
        (("--jobs", "auto", "--threads", "1"), r"--threads 1"),
        (("--for", "2h"), r"--for (2h|1h59m\d+s)"),
        (("--for", "0.2s"), r"--for 1s"),  # what has nothing to train needs no time
        (("--until", "2999-01-01 8:00"), r"--until 2999-01-01T08:00[+-]\d\d:\d\d"),
    ],
)
def test_its_parts_have_its_jobs_and_what_is_left_of_its_time(folder, typed, handed_on):
    said = lenetcli(folder, "reproduce", "--store", "idle.db", *typed, code=IDLE_PARTS).stderr
    assert re.search(rf" --data '[^']+' {handed_on}\n", said), said


def test_a_part_that_fails_after_the_time_had_too_little_of_it(folder):
    code = FAILING_RATES.replace('"lr"', '"filters"')
    words = ("reproduce", "--store", "idle.db", "--for")
    assert "Error: The time is over before" in lenetcli(folder, *words, "0.001s", code=code).stderr
    assert "Error" not in lenetcli(folder, *words, "1h", code=code).stderr


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (("--jobs", "0"), "0 jobs cannot be had"),
        (("--for", "yesterday"), "'yesterday'"),
        (("--for", "2h", "--until", "8:00"), "Both --for and --until were given."),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_begun(folder, typed, sentence):
    done = lenetcli(folder, "reproduce", "--store", "refused.db", *typed)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (folder / "refused.db").exists()


def test_a_dry_run_tells_what_is_measured_again_alone(folder):
    timed = ("train", "--epochs", "1", "--device", "cpu", "--seed", "3", "--store", "timed.db")
    assert lenetcli(folder, *timed).returncode == 0
    words = ("reproduce", "--dry-run", "--seed", "4", "--epochs", "9", "--store", "timed.db")
    beside = lenetcli(folder, *words, "--jobs", "2").stderr
    assert "7 runs, 2 at a time, about " in beside
    assert "4 runs may then be measured again, alone: about " in beside
    for choice in (("--jobs", "1"), ("--jobs", "2", "--no-remeasure")):
        assert "measured again" not in lenetcli(folder, *words, *choice).stderr


EIGHT_CORES = """
from lenetcli.cli import app
from lenetcli.machine import limits
limits.usable_cores = lambda: 8
app.main()
"""


def test_a_dry_run_counts_on_the_jobs_that_the_sweeps_will_have(folder):
    """Those over filters have one job at a time: they are timed."""
    timed = ("train", "--epochs", "1", "--device", "cpu", "--seed", "3", "--store", "timed.db")
    assert lenetcli(folder, *timed).returncode == 0
    words = ("reproduce", "--dry-run", "--seed", "4", "--store", "timed.db")
    said = lenetcli(folder, *words, code=EIGHT_CORES).stderr
    assert "7 runs, 2 at a time, about " in said  # those over rates
    assert "measured again" not in said
    assert "2 at a time" in lenetcli(folder, *words, "--no-remeasure", code=EIGHT_CORES).stderr


def test_a_failing_part_ends_the_whole_with_its_code(folder, tmp_path):
    write_idx(tmp_path / "my digits", 240, 60)
    done = lenetcli(tmp_path, "reproduce", "--store", str(tmp_path / "nowhere" / "lenetcli.db"))
    assert done.returncode == 4
    assert "Traceback" not in done.stderr


def test_an_interrupt_without_a_terminal_stops_the_part_in_hand(tmp_path):
    write_idx(tmp_path / "my digits", 240, 60)
    process = subprocess.Popen(
        [sys.executable, "-m", "lenetcli", "reproduce", "--epochs", "100000"],
        cwd=tmp_path,
        env=os.environ | surroundings(tmp_path),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # no terminal that would tell the part as well
    )
    for line in process.stderr:
        if "epoch 2/" in line:
            break
    process.send_signal(signal.SIGINT)
    try:
        _, rest = process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130
    assert rest.count("Stopped.") == 1
    assert "Traceback" not in rest
