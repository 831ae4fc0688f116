import os
import subprocess
import sys
import threading
import time

from lenetcli import contention
from lenetcli.contention import ContentionWatch

BURN = "import time\nend = time.monotonic() + 20\nwhile time.monotonic() < end: pass"


def watch_for(seconds):
    watch = ContentionWatch()
    watch.start()
    time.sleep(seconds)
    return watch.stop()


def test_busy_processes_of_others_are_contention():
    burners = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(len(os.sched_getaffinity(0)))]
    try:
        time.sleep(0.2)
        span = watch_for(0.6)
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    assert span.contended
    assert 0.1 < span.foreign_share <= 1


def test_ones_own_threads_are_not_foreign(monkeypatch):
    """Whatever else runs here, own work counts as own: it would be a half of the processors otherwise."""
    done = threading.Event()

    def burn():
        while not done.is_set():
            sum(range(1000))

    watch = ContentionWatch()
    thread = threading.Thread(target=burn)
    thread.start()
    before = contention._busy_seconds(sorted(os.sched_getaffinity(0)))
    watch.start()
    time.sleep(0.5)
    span = watch.stop()
    busy, cores = contention._busy_seconds(sorted(os.sched_getaffinity(0)))
    done.set()
    thread.join()
    assert span.own_seconds > 0
    allowance = 4 * contention.TICK * cores
    assert (
        span.foreign_share * cores * span.wall_seconds
        <= max(0, busy - before[0] - span.own_seconds) + allowance
    )
