import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenetcli.machine.contention import ContentionWatch, Reading, compare_readings

BEGIN = Reading(wall=1e9, steady=100, boot=300, own=5, busy=1000, cores=2)

BURN = "import time\nend = time.monotonic() + 20\nwhile time.monotonic() < end: pass"


def later(seconds, foreign=0.0, own=0.0, set_by=0.0, slept=0.0):
    """A reading some seconds after BEGIN, during which this was so."""
    return replace(
        BEGIN,
        wall=BEGIN.wall + seconds + slept + set_by,
        steady=BEGIN.steady + seconds,
        boot=BEGIN.boot + seconds + slept,
        own=BEGIN.own + own,
        busy=BEGIN.busy + own + foreign,
    )


def test_a_quiet_span_is_unmarked_and_its_figures_are_differences():
    span = compare_readings(BEGIN, later(10, own=19, foreign=1))
    assert span.seconds == pytest.approx(10)
    assert not (span.contended or span.clock_set or span.suspended)


@pytest.mark.parametrize(("seconds", "foreign"), [(10, 2.1), (1, 0.3), (0.2, 0.1)])
def test_more_than_a_tenth_of_the_processors_is_contention(seconds, foreign):
    assert compare_readings(BEGIN, later(seconds, foreign=foreign)).contended


@given(st.floats(0, 100), st.floats(0, 2), st.floats(-0.04, 0.04))
def test_the_ticks_of_the_counters_alone_are_no_contention(seconds, cores_used, error):
    assert not compare_readings(BEGIN, later(seconds, own=seconds * cores_used, foreign=error)).contended


def test_a_clock_that_was_set_is_told_from_a_machine_that_slept():
    for step in (3600, -3600, 0.3, -0.3):
        span = compare_readings(BEGIN, later(10, set_by=step))
        assert (span.clock_set, span.suspended) == (True, False)
        assert span.seconds == pytest.approx(10)
        assert span.ended_at - span.started_at == timedelta(seconds=10 + step)
    span = compare_readings(BEGIN, later(10, slept=600))
    assert (span.clock_set, span.suspended) == (False, True)
    assert not compare_readings(BEGIN, later(600, set_by=3)).clock_set  # 0.5 %: a clock that is being slewed


def test_a_gap_of_more_than_a_second_is_a_suspension():
    assert compare_readings(BEGIN, later(10), gap=1.5).suspended
    assert not compare_readings(BEGIN, later(10), gap=0.9).suspended


def watch_for(seconds):
    with ContentionWatch() as watch:
        time.sleep(seconds)
    return watch.span


def foreign_share(seconds):
    """The share of the cores that other processes use in the next seconds."""
    begin = Reading.now()
    time.sleep(seconds)
    end = Reading.now()
    foreign = end.busy - begin.busy - (end.own - begin.own)
    return foreign / (end.cores * (end.steady - begin.steady))


def test_busy_processes_of_others_are_contention():
    burners = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(os.cpu_count())]
    try:
        time.sleep(0.2)
        span = watch_for(0.6)
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    assert span.contended


@contextmanager
def busy_threads():
    """Threads of this process that keep half of the cores busy, outside the interpreter's lock."""
    done = threading.Event()
    block = bytes(2**20)

    def burn():
        while not done.is_set():
            hashlib.sha256(block)

    threads = [threading.Thread(target=burn) for _ in range(max(1, os.cpu_count() // 2))]
    for thread in threads:
        thread.start()
    yield
    done.set()
    for thread in threads:
        thread.join()


def test_the_work_of_ones_own_threads_is_not_foreign():
    added = []
    for _ in range(5):  # others come and go: one fair comparison is enough
        before = foreign_share(0.2)
        with busy_threads():
            added.append(foreign_share(0.3) - before)
        if added[-1] < 0.15:
            return
    pytest.fail(f"threads of one's own were taken for foreign load: {added}")


def test_a_watch_leaves_no_thread_behind_and_can_be_used_again():
    watch = ContentionWatch()
    threads = threading.active_count()
    for _ in range(3):
        with watch:
            time.sleep(0.05)
        assert watch.span.seconds > 0
    with pytest.raises(KeyError), watch:
        raise KeyError
    assert threading.active_count() == threads


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc whether the child has stopped")
def test_a_stopped_process_sees_afterwards_that_it_was_stopped():
    code = """if True:
        import os, signal
        from lenetcli.machine.contention import ContentionWatch
        with ContentionWatch() as watch:
            os.kill(os.getpid(), signal.SIGSTOP)
        print(watch.span.suspended, watch.span.seconds > 1.3)
    """
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    while Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] not in "TZ":
        time.sleep(0.01)
    time.sleep(1.4)
    child.send_signal(signal.SIGCONT)
    assert child.communicate(timeout=20)[0] == "True True\n"
