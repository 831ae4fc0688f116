"""Bits: whether those of another worker or another time are the stored ones."""

from sqlalchemy import Connection, select

from lenetcli.experiment.config import DeviceKind
from lenetcli.experiment.run import Trained, Worker
from lenetcli.store.tables import ATTEMPTS, EPOCHS, RUNS, TIMINGS, WEIGHTS

_HAS_TRAINED = ATTEMPTS.c.remeasure.is_(False) & ATTEMPTS.c.id.in_(select(TIMINGS.c.attempt_id))
"""Whether an attempt trained stored epochs, which timings tell."""


def compare_epoch(connection: Connection, run_id: int, trained: Trained) -> str | None:
    """How an epoch that was trained again differs from the stored one; None if it does not."""
    point, columns = trained.point, (EPOCHS.c.train_loss, EPOCHS.c.val_loss, EPOCHS.c.val_accuracy)
    this_epoch = (EPOCHS.c.run_id == run_id, EPOCHS.c.epoch == point.epoch)
    results = connection.execute(select(*columns).where(*this_epoch)).one_or_none()
    same_weights = (WEIGHTS.c.run_id == run_id, WEIGHTS.c.epoch == point.epoch)
    sha256 = connection.execute(select(WEIGHTS.c.sha256).where(*same_weights)).scalar_one_or_none()
    # What is not stored differs from nothing: the weights are those of the last epoch alone.
    same = results in (None, tuple(getattr(point, column.name) for column in columns))
    if same and sha256 in (None, trained.checkpoint.sha256):
        return None
    return f"the bits of epoch {point.epoch} are not the stored ones"


def find_kinds(connection: Connection) -> dict[str, set[str]]:
    """The kinds of the machines that trained the stored epochs of runs, by their keys; see ``name_kind``."""
    query = (
        select(RUNS.c.key, RUNS.c.device, ATTEMPTS.c.fingerprint, ATTEMPTS.c.device_name)
        .join(RUNS, RUNS.c.id == ATTEMPTS.c.run_id)
        .where(_HAS_TRAINED)
        .distinct()
    )
    kinds: dict[str, set[str]] = {}
    for row in connection.execute(query):
        kinds.setdefault(row.key, set()).add(name_kind(row.device, row.fingerprint, row.device_name))
    return kinds


def name_kind(device: str, fingerprint: str, device_name: str) -> str:
    """What of a machine decides the bits that it computes on a kind of device."""
    return f"{fingerprint} | {device_name}" if device == DeviceKind.GPU else fingerprint


def compare_machines(connection: Connection, run_id: int, worker: Worker) -> str | None:
    """Why a worker may compute other bits than the attempts that trained the stored epochs; None if not."""
    # Of the processor the fingerprint counts, whatever its name; the device name counts on a GPU alone.
    rows = connection.execute(
        select(ATTEMPTS.c.fingerprint, ATTEMPTS.c.device_name, ATTEMPTS.c.versions, RUNS.c.device)
        .join(RUNS, RUNS.c.id == ATTEMPTS.c.run_id)
        .where(ATTEMPTS.c.run_id == run_id, _HAS_TRAINED)
    ).all()

    def versions_of(name: str) -> tuple[set[str | None], str | None]:
        return {row.versions.get(name) for row in rows}, worker.versions.get(name)

    gpus = {row.device_name for row in rows if row.device == DeviceKind.GPU}
    properties = {
        "kind of processor": ({row.fingerprint for row in rows}, worker.fingerprint),
        "GPU": (gpus, worker.device_name),
        "version of TensorFlow": versions_of("tensorflow"),
        "setting of oneDNN": versions_of("onednn"),
    }
    changes = [name for name, (before, now) in properties.items() if before - {now}]
    return f"bit-identity no longer holds: another {' and '.join(changes)} than before" if changes else None
