"""The work of a worker, wherever it lives: load, then train what a driver orders and report it."""

import time
from collections.abc import Callable
from queue import SimpleQueue

from lenetcli.errors import LenetError
from lenetcli.experiment.run import RunState
from lenetcli.training.events import Diverged, Loading, Stopped, Trainer
from lenetcli.training.workers.description import describe_worker
from lenetcli.training.workers.messages import (
    Cancel,
    Dataset,
    Failed,
    Finished,
    GoOn,
    LoadEngine,
    MakeTrainer,
    Order,
    Prepared,
    Ready,
    Report,
    Setup,
    Task,
    Tested,
)

Send = Callable[[Report], None]

LONGEST_NOTE = 500
"""The longest note on an exception, in characters."""


class Orders:
    """The orders that have come for a worker; they are put here in a thread of their own."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Order] = SimpleQueue()
        self._cancelled = -1
        self._is_closed = False

    def put(self, order: Order) -> None:
        """Add an order."""
        if isinstance(order, Cancel):
            self._cancelled = order.number
        self._queue.put(order)

    def close(self) -> None:
        """Cancel what is in hand and all that comes."""
        self._is_closed = True
        self._queue.put(GoOn())

    def get(self) -> Order:
        """The next order, which is waited for.

        Raises:
            Stopped: if the orders are closed.
        """
        # Closed while it waits, or before: the order that wakes it can be taken once only.
        if self._is_closed:
            raise Stopped
        order = self._queue.get()
        if self._is_closed:
            raise Stopped
        return order

    def is_cancelled(self, task: Task) -> bool:
        """Whether a task was cancelled."""
        return self._is_closed or self._cancelled == task.number


def load_tensorflow() -> MakeTrainer:
    """Load TensorFlow; returns the class of its trainers."""
    from lenetcli.training.engine.loop import Trainer

    return Trainer


def serve(
    load_engine: LoadEngine, orders: Orders, send: Send, adapt: Callable[[Setup], Setup] = lambda setup: setup
) -> None:
    """Load, then carry out one task after the other until the orders are closed.

    ``adapt`` is what becomes of the setup on this machine.

    Raises:
        Stopped: when the orders are closed.
    """
    try:
        trainer = _load(load_engine, orders, send, adapt)
    except Exception as error:
        send(_describe(error))
        return
    while True:
        order = orders.get()
        if isinstance(order, Task):  # a ``Cancel`` that comes after the end of its task is no order any more
            send(_carry_out(order, trainer, orders, send))


def _load(load_engine: LoadEngine, orders: Orders, send: Send, adapt: Callable[[Setup], Setup]) -> Trainer:
    """Load the engine, which needs no orders, then the data; returns the trainer."""
    send(Loading("Loading TensorFlow"))
    start = time.monotonic()
    make_trainer = load_engine()
    import_seconds = time.monotonic() - start
    setup = orders.get()
    assert isinstance(setup, Setup)
    setup = adapt(setup)
    source, device, threads = setup.source, setup.device, setup.threads
    send(Loading(f"Reading {source.name}"))
    start = time.monotonic()
    arrays = setup.arrays or source.load()
    data_seconds = time.monotonic() - start
    trainer = make_trainer(arrays, device, threads)
    worker = describe_worker(device, threads, data_seconds=data_seconds, import_seconds=import_seconds)
    labels = arrays.validation.labels.tobytes()
    send(Ready(worker, Dataset(source.sha256, labels, source.summary)))
    return trainer


def _carry_out(task: Task, trainer: Trainer, orders: Orders, send: Send) -> Report:
    """Train a task and report each epoch; returns the report of its end."""

    def should_stop() -> bool:
        return orders.is_cancelled(task)

    try:
        send(Prepared(*trainer.prepare(task.config)))
        _wait_for_driver(task, orders)
        if task.epochs:
            for trained in trainer.train(task.config, task.checkpoint, task.epochs, send, should_stop):
                send(trained)
                _wait_for_driver(task, orders)
        else:
            assert task.checkpoint is not None
            send(Tested(trainer.test(task.config, task.checkpoint)))
    except Stopped:
        return Finished(RunState.INTERRUPTED)
    except Diverged:
        return Finished(RunState.DIVERGED)
    except Exception as error:
        return _describe(error)
    return Finished(RunState.COMPLETED)


def _wait_for_driver(task: Task, orders: Orders) -> None:
    """Wait until the driver has recorded what was reported, so that it disturbs no epoch.

    Raises:
        Stopped: if the task is cancelled.
    """
    while not isinstance(orders.get(), GoOn):
        if orders.is_cancelled(task):
            raise Stopped


def _describe(error: Exception) -> Failed:
    note = f"{type(error).__name__}: {error}"[:LONGEST_NOTE]
    return Failed(note, error if isinstance(error, LenetError) else None)
