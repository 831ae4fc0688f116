"""A worker in a thread of this process: for tests, and where no other process can be started."""

import threading
from contextlib import suppress

from lenetcli.training.events import Stopped
from lenetcli.training.workers.messages import Deliver, LoadEngine, Order
from lenetcli.training.workers.service import Orders, serve

LAST_SECONDS = 1.0
"""How long the end of the thread is waited for; it may be inside a long step."""


class WorkerThread:
    """A worker in a thread; see ``messages.Handle``. It cannot be killed: it stops at the next occasion."""

    def __init__(self, load_engine: LoadEngine, deliver: Deliver) -> None:
        self._orders = Orders()
        self._thread = threading.Thread(
            target=self._work, args=(load_engine, deliver), daemon=True, name="worker"
        )
        self._thread.start()

    def _work(self, load_engine: LoadEngine, deliver: Deliver) -> None:
        with suppress(Stopped):
            serve(load_engine, self._orders, lambda report: deliver(self, report))

    def send(self, order: Order) -> None:
        """Send an order."""
        self._orders.put(order)

    def kill(self) -> None:
        """Ask the thread to stop, and wait for that a moment."""
        self._orders.close()
        self._thread.join(LAST_SECONDS)
