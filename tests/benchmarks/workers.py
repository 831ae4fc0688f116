"""Those who are compared, each in a process: ``python workers.py NAME DATA.npz FILTERS PRECISION cpu|gpu``.

A worker answers every line on its stdin with a line of JSON on its stdout: the seconds of one more
epoch, or floating-point operations a second for ``products``. All train the same network (same
padding, Glorot-uniform kernels, biases of zero) with plain SGD in shuffled batches of 64.
``keras-script`` answers nobody: it is the script that one would write instead of ``lenetcli train``.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

BATCH = 64
RATE = 0.01
MANY = 10_000  # epochs; the caller hangs up before


def split(path: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images and labels, validation images and labels: the last sixth validates."""
    with np.load(path) as held:
        images, labels = held["x_train"], held["y_train"]
    cut = len(labels) - len(labels) // 6
    return images[:cut], labels[:cut], images[cut:], labels[cut:]


def scale(images: np.ndarray) -> np.ndarray:
    return (images / 255).astype(np.float32)[..., None]


def make_keras_model(filters: int):
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(filters, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(filters, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax", dtype="float32"),
        ]
    )
    model.compile(keras.optimizers.SGD(RATE), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train_keras(path: str, filters: int, precision: str, device: str) -> Iterator[dict[str, float]]:
    import keras

    if precision == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    images, labels, *_ = split(path)
    inputs = scale(images)
    model = make_keras_model(filters)
    while True:
        begun = time.perf_counter()
        model.fit(inputs, labels, batch_size=BATCH, epochs=1, verbose=0)
        yield {"train": time.perf_counter() - begun}


def run_keras_script(path: str, filters: int) -> None:
    images, labels, validation_images, validation_labels = split(path)
    with np.load(path) as held:
        test_images, test_labels = held["x_test"], held["y_test"]
    model = make_keras_model(filters)
    validation = scale(validation_images), validation_labels
    history = model.fit(scale(images), labels, batch_size=BATCH, validation_data=validation, verbose=2)
    print(history.history, model.evaluate(scale(test_images), test_labels, verbose=0))
    model.save_weights("keras.weights.h5")


def train_torch(
    path: str, filters: int, precision: str, device: str, layout: str
) -> Iterator[dict[str, float]]:
    import torch
    from torch import nn

    place = "cuda" if device == "gpu" else "cpu"
    model = nn.Sequential(
        nn.Conv2d(1, filters, 3, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(filters, filters, 3, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(49 * filters, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )
    for layer in model:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    order = torch.channels_last if layout == "channels-last" else torch.contiguous_format
    model = model.to(place, memory_format=order)
    images, labels, *_ = split(path)
    inputs = torch.from_numpy(scale(images)).permute(0, 3, 1, 2).to(place).contiguous(memory_format=order)
    targets = torch.from_numpy(labels.astype(np.int64)).to(place)
    optimizer = torch.optim.SGD(model.parameters(), RATE)
    judge = nn.CrossEntropyLoss()
    while True:
        begun = time.perf_counter()
        total = torch.zeros((), device=place)
        for which in torch.randperm(len(targets), device=place).split(BATCH):
            optimizer.zero_grad()
            with torch.autocast(place, torch.bfloat16, enabled=precision == "bfloat16"):
                loss = judge(model(inputs[which]), targets[which])
            loss.backward()
            optimizer.step()
            total += loss.detach()
        float(total)
        yield {"train": time.perf_counter() - begun}


def train_lenetcli(path: str, filters: int, precision: str, device: str) -> Iterator[dict[str, float]]:
    """The bare trainer: what the epochs cost without progress, store and signals."""
    from lenetcli.data import sources
    from lenetcli.experiment.config import Precision, Request
    from lenetcli.machine import devices, limits
    from lenetcli.training.engine.loop import Trainer
    from lenetcli.training.requests import resolve

    source, place = sources.find(data=path), devices.choose_device(device)
    request = Request(filters=filters, lr=RATE, batch_size=BATCH, epochs=MANY, precision=Precision(precision))
    config = resolve(request, source, place.kind)
    trainer = Trainer(source.load(), place, limits.usable_cores())
    trainer.prepare(config)
    epochs = trainer.train(config, None, range(1, MANY), lambda news: None, lambda: False)
    while True:
        begun, worked = time.perf_counter(), time.process_time()
        trained = next(epochs)
        yield {
            "train": trained.timing.train_seconds,
            "whole": time.perf_counter() - begun,
            "cpu": time.process_time() - worked,
        }


def train_recorded(path: str, filters: int, precision: str, device: str) -> Iterator[dict[str, float]]:
    """The same as ``lenetcli train`` does it: bars on a terminal, a store on the disk, a worker process."""
    import pty
    import queue

    import psutil

    from lenetcli.cli.screen.display import Display
    from lenetcli.data import sources
    from lenetcli.experiment.config import Precision, Request
    from lenetcli.store.store import Store
    from lenetcli.training.events import Began, Stored
    from lenetcli.training.interrupts import Stop
    from lenetcli.training.plan import make_plan
    from lenetcli.training.pool import Pool
    from lenetcli.training.runner import Runner

    screen, terminal = pty.openpty()
    os.dup2(terminal, 2)
    os.environ.setdefault("TERM", "xterm")
    threading.Thread(
        target=lambda: [None for _ in iter(lambda: os.read(screen, 65536), b"")], daemon=True
    ).start()
    asked: queue.Queue[None] = queue.Queue()
    answered: queue.Queue[dict[str, float]] = queue.Queue()

    def processor_seconds() -> float:
        """Of this process and its worker."""
        return time.process_time() + sum(
            sum(child.cpu_times()[:2]) for child in psutil.Process().children(recursive=True)
        )

    class Watched(Display):
        def show(self, event):
            super().show(event)
            if isinstance(event, Stored):
                whole, cpu = time.perf_counter() - self.begun, processor_seconds() - self.worked
                answered.put({"train": event.seconds, "whole": whole, "cpu": cpu})
            if isinstance(event, Began | Stored):
                asked.get()
                self.begun, self.worked = time.perf_counter(), processor_seconds()

    store = Store.open(str(Path(path).with_name("recorded.db")), write=True)
    request = Request(
        filters=filters,
        lr=RATE,
        batch_size=BATCH,
        epochs=MANY,
        device=device,
        data=path,
        precision=Precision(precision),
    )
    plan = make_plan(request, (), store, sources.find)

    def answer() -> None:
        for _ in sys.stdin:
            asked.put(None)
            respond(answered.get())
        os._exit(0)

    threading.Thread(target=answer, daemon=True).start()
    with Pool() as pool, Watched(plan.sweep) as display:
        Runner(store, plan, pool, display.show).run(Stop())
    yield {}


def multiply(path: str, filters: int, precision: str, device: str) -> Iterator[dict[str, float]]:
    """The machine's peak of matrix products in a precision, on all cores."""
    import tensorflow as tf

    side = 2048
    left, right = (tf.cast(tf.random.normal([side, side]), precision) for _ in range(2))
    while True:
        best = float("inf")
        for _ in range(8):
            begun = time.perf_counter()
            tf.matmul(left, right).numpy()
            best = min(best, time.perf_counter() - begun)
        yield {"flops": 2 * side**3 / best}


WORKERS = {
    "keras": train_keras,
    "keras-onednn": train_keras,
    "torch": partial(train_torch, layout="contiguous"),
    "torch-channels-last": partial(train_torch, layout="channels-last"),
    "lenetcli": train_lenetcli,
    "lenetcli-recorded": train_recorded,
    "products": multiply,
}


def respond(answer: dict[str, float]) -> None:
    print(json.dumps(answer), file=ANSWERS, flush=True)


if __name__ == "__main__":
    name, path, filters = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if name == "keras-script":
        run_keras_script(path, filters)
        sys.exit()
    ANSWERS = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    epochs = WORKERS[name](path, filters, sys.argv[4], sys.argv[5])
    if name == "lenetcli-recorded":
        next(epochs)  # it answers by itself, from inside the runner
    for _ in sys.stdin:
        respond(next(epochs))
