"""A worker in a process of its own on this machine, as its driver sees it."""

import threading

from lenetcli.training.workers.messages import Deliver, Gone, LoadEngine, Order
from lenetcli.training.workers.pipes import Child

LAST_SECONDS = 5.0
"""How long it may take to deliver what a process reported before it was killed."""


class WorkerProcess:
    """A worker in a child process; see ``messages.Handle``.

    Raises:
        RunFailedError: if none can be started.
    """

    def __init__(self, load_engine: LoadEngine, deliver: Deliver) -> None:
        self._child = Child("lenetcli.training.workers.child")
        self._was_killed = False
        self._child.send(load_engine)
        self._listener = threading.Thread(target=self._listen, args=(deliver,), daemon=True, name="worker")
        self._listener.start()

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._child.pid

    def send(self, order: Order) -> None:
        """Send an order; the process reads it even while it trains."""
        self._child.send(order)

    def kill(self) -> None:
        """End the process at once; what it has reported by then is delivered, and nothing later."""
        self._was_killed = True
        self._child.kill()
        self._listener.join(LAST_SECONDS)

    def _listen(self, deliver: Deliver) -> None:
        """Deliver the reports of the process until it ends."""
        for report in self._child.receive():
            deliver(self, report)
        code, last_words = self._child.wait()
        if not self._was_killed:
            deliver(self, Gone(code, last_words))
        self._child.close()
