"""The main program of a worker process: ``python -m lenetcli.training.workers.child``, started by a driver.

It ends when its standard input ends, so that no orphan trains on when the driver is killed.
"""

import os
import pickle
import signal
import threading
from contextlib import suppress
from typing import IO

from lenetcli.training.events import Stopped
from lenetcli.training.workers.messages import LoadEngine, Report
from lenetcli.training.workers.pipes import read_messages, take_streams
from lenetcli.training.workers.service import Orders, serve

NICENESS = 10
"""How much lower than that of the driver the priority of a worker is: a machine in use stays usable."""


def main() -> None:
    """Serve the driver at the other ends of standard input and output."""
    source, target = take_streams()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where a session of its own does not keep Ctrl-C away
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    load_engine: LoadEngine = pickle.load(source)  # noqa: S301 -- the driver started this process
    orders = Orders()
    threading.Thread(target=_listen, args=(source, orders), daemon=True, name="orders").start()

    def send(report: Report) -> None:
        pickle.dump(report, target)
        target.flush()

    with suppress(Stopped, BrokenPipeError):  # BrokenPipeError: the driver is gone
        serve(load_engine, orders, send)
    target.flush()
    os._exit(0)  # the interpreter would spend a second on taking TensorFlow down


def _listen(source: IO[bytes], orders: Orders) -> None:
    """Receive orders until the driver is gone, then end this process, whatever it is doing."""
    for order in read_messages(source):
        orders.put(order)
    os._exit(0)


if __name__ == "__main__":
    main()
