"""3: real training, cut anywhere and resumed, gives the bits of the run that was never cut."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.fault_drivers import end_soon, workers_of
from helpers.fault_workers import LONG, PATIENCE
from helpers.small_data import write_idx

from lenetcli.store.store import Store
from lenetcli.store.upkeep import check_store

PLACES = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
ENVIRONMENT = os.environ | {"LENETCLI_OFFLINE": "1", "PYTHONPATH": os.pathsep.join(PLACES)}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_idx(tmp_path_factory.mktemp("data") / "tiny", 360, 40)


KILLER = """
import sys
from helpers.fault_workers import die_at
from lenetcli.cli.app import main

die_at(int(sys.argv.pop(1)))
main(sys.argv[1:])
"""
"""lenetcli, killed just before its Nth commit."""


def run(data, store, *words, kill_after=None, kill_at=None):
    """lenetcli with its workers in processes, killed when it has reported an epoch, or before a commit."""
    words = [*words, "--data", str(data), "--filters", "4", "--store", str(store)]
    before = ["-P", "-m", "lenetcli"] if kill_at is None else ["-c", KILLER, str(kill_at)]
    process = subprocess.Popen(
        [sys.executable, *before, *words], stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    lines = []
    for line in process.stderr:
        lines.append(line)
        if kill_after is not None and f"epoch {kill_after}/" in line:
            workers = workers_of(process.pid)
            process.send_signal(signal.SIGKILL)
            assert len(workers) == 1 and end_soon(workers)
    code = process.wait(PATIENCE)
    assert code in (0, -signal.SIGKILL), lines
    return code


def results(store):
    """Curves, weights and predictions."""
    held = Store.open(str(store))
    return [
        (run.curve, held.checkpoint(run.key)[:2], held.predictions(run.key, run.epochs))
        for run in held.runs(sort="lr")
    ]


def test_killed_and_resumed_with_other_threads(tmp_path, data):
    whole, cut = tmp_path / "whole.db", tmp_path / "cut.db"
    epochs = 20 if LONG else 4
    words = ["train", "--lr", "0.05", "--momentum", "0.5", "--batch-size", "33", "--epochs", str(epochs)]
    run(data, whole, *words, "--threads", "2")
    kills = 0
    for epoch in range(1, epochs) if LONG else (2,):
        kills += run(data, cut, *words, "--threads", str(1 + epoch % 2), kill_after=epoch) != 0
    run(data, cut, *words, "--threads", "2")
    assert kills
    assert results(cut) == results(whole)
    assert check_store(str(cut)).faults == check_store(str(whole)).faults == ()
    (found,) = Store.open(str(cut)).runs()
    assert {attempt.note for attempt in found.attempts} <= {None, "its process was gone"}


@pytest.mark.skipif(not LONG, reason="loads TensorFlow some thirty times")
def test_a_kill_at_every_commit_of_real_training(tmp_path, data):
    """2: a sweep of two runs, killed before its Nth commit, for every N until it comes to its end."""
    words = ["sweep", "lr", "0.05", "0.02", "--epochs", "2"]
    run(data, tmp_path / "whole.db", *words)
    commit, codes = 0, []
    while 0 not in codes:
        commit += 1
        path = tmp_path / f"{commit}.db"
        codes.append(run(data, path, *words, kill_at=commit))
        assert run(data, path, *words) == 0
        assert results(path) == results(tmp_path / "whole.db")
        assert check_store(str(path)).faults == ()
    print(f"{commit - 1} kills")
    assert commit > 10


SCRIPT = """
import json, sys
from dataclasses import replace
from pathlib import Path
from helpers.fake_training import FakeSource, Listener, carry_out, DEVICE
from helpers.fault_workers import NOBODY, edit_identity
from helpers import fake_training
from lenetcli.data import sources
from lenetcli.experiment.config import Precision
from lenetcli.store.store import Store
from lenetcli.training.engine.loop import Trainer
from lenetcli.training.events import Stored

folder, tiny, epochs = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
source = sources.find("auto", tiny, offline=True)
fake_training.FakeSource = lambda: source
trainer = Trainer(source.load(), DEVICE, 2)

class Cut(BaseException):
    pass

class Scissors(Listener):
    def __call__(self, event):
        if isinstance(event, Stored):
            raise Cut

def cut_at_each_epoch(store, **options):
    for _ in range(epochs):
        try:
            carry_out(store, [0.05], epochs, trainer, listener=Scissors(), base=variant, **options)
        except Cut:
            edit_identity(store.name, pid=NOBODY)

def result(store):
    (run,) = store.runs()
    return repr(run.curve), store.checkpoint(run.key)[1]

base = replace(fake_training.BASE, data=source.sha256, filters=2)
variants = {
    "plain": base,
    "bfloat16": replace(base, precision=Precision.BFLOAT16),
    "momentum": replace(base, momentum=0.9),
    "a rest smaller than the shards": replace(base, batch_size=23, shards=8),
}
for name, variant in variants.items():
    whole = Store.open(str(folder / f"{name}.whole"), write=True)
    carry_out(whole, [0.05], epochs, trainer, base=variant)
    cut = Store.open(str(folder / f"{name}.cut"), write=True)
    cut_at_each_epoch(cut)
    longer = Store.open(str(folder / f"{name}.longer"), write=True)
    carry_out(longer, [0.05], 1, trainer, base=variant)
    carry_out(longer, [0.05], epochs, trainer, base=variant)
    tested = longer.runs()[0].curve[0].test_accuracy is not None
    cut_at_each_epoch(whole, remeasure=True)
    losses = [[point.val_loss for point in store.runs()[0].curve] for store in (longer, whole)]
    same_curve = losses[0] == losses[1]
    print(json.dumps([
        name,
        result(cut) == result(whole),
        longer.checkpoint(longer.runs()[0].key)[1] == result(whole)[1] and same_curve and tested,
        whole.runs()[0].attempts[-1].note is None,
        [len(store.runs()[0].measurement) for store in (cut, whole)],
        [len(store.runs()[0].attempts) for store in (cut, whole)],
    ]))
"""


def test_cut_at_each_epoch_extended_and_measured_again(tmp_path, data):
    """One process for all variants: loading TensorFlow takes longer than training."""
    epochs = 20 if LONG else 3
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), str(data), str(epochs)],
        capture_output=True,
        text=True,
        timeout=1800,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == 4
    for name, *same, measured, attempts in answers:
        assert same == [True, True, True], name
        assert measured == [epochs, epochs]
        assert attempts == [epochs, 1 + epochs]
