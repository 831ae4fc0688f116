"""What must hold of a store after whatever was done to it."""

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from helpers.fake_training import bits_after, curve_of
from helpers.made_up import BASE

from lenetcli.experiment.run import RunState
from lenetcli.store.store import Store


def reported(path):
    """The epochs that were reported as finished: run and epoch, in the order of the reports."""
    if not Path(path).exists():
        return []
    return [tuple(line.split()) for line in Path(path).read_text().splitlines()]


def check_file(path):
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def check_reported(path, log):
    """What was reported is in the store, and was reported once."""
    counts = Counter(reported(log))
    if not counts:
        return
    assert not [epoch for epoch, times in counts.items() if times > 1]
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        stored = set(
            connection.execute("SELECT key, CAST(epoch AS TEXT) FROM epochs JOIN runs ON runs.id = run_id")
        )
    assert set(counts) <= stored


def check_whole(path, rates, epochs):
    store = Store.open(str(path))
    for rate in rates:
        config = replace(BASE, lr=rate)
        run = store.run(config.key)
        assert (run.state, run.curve) == (RunState.COMPLETED, curve_of(config, epochs))
        assert store.checkpoint(run.key)[1:] == (bits_after(config, epochs).hex(), bits_after(config, epochs))
