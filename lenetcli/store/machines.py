"""The machines that attempts at a run were made on, where the bits may depend on them."""

from sqlalchemy import Connection, select

from lenetcli.experiment.config import DeviceKind
from lenetcli.experiment.run import Worker
from lenetcli.store.tables import ATTEMPTS, RUNS, TIMINGS


def compare_machines(connection: Connection, run_id: int, worker: Worker) -> str | None:
    """Why a worker may compute other bits than the attempts that trained the stored epochs; None if not."""
    # Timings tell which attempts trained epochs. Of the processor the fingerprint counts, whatever its name;
    # the device name counts on a GPU alone.
    rows = connection.execute(
        select(ATTEMPTS.c.fingerprint, ATTEMPTS.c.device_name, ATTEMPTS.c.versions, RUNS.c.device)
        .join(RUNS, RUNS.c.id == ATTEMPTS.c.run_id)
        .where(
            ATTEMPTS.c.run_id == run_id,
            ATTEMPTS.c.remeasure.is_(False),
            ATTEMPTS.c.id.in_(select(TIMINGS.c.attempt_id)),
        )
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
