"""The tables. What each column means is said here once; ``docs/storage.md`` is made from it."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, Index, LargeBinary, String, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SCHEMA_VERSION = "0001"


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite keeps it as text without a zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Drop the zone, which is UTC."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Say the zone, which is UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """What all tables share."""

    type_annotation_map = {  # noqa: RUF012 -- SQLAlchemy's own form
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        bytes: LargeBinary,
    }


class VersionRow(Base):
    """The schema's version: one row, in the form that Alembic keeps it."""

    __tablename__ = "lenetcli_version"

    version_num: Mapped[str] = mapped_column(String(32), primary_key=True)


class DatasetRow(Base):
    """Data that runs were trained on, known by the hash of its arrays."""

    __tablename__ = "datasets"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    train_images: Mapped[int]
    validation_images: Mapped[int]
    test_images: Mapped[int]
    validation_labels: Mapped[bytes]
    """One byte an image."""


class RunRow(Base):
    """One run: its configuration in columns (the names are those of ``runs.Config``), and where it stands."""

    __tablename__ = "runs"
    __table_args__ = (Index("runs_by_age", "created_at"), Index("runs_by_state", "state"))

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    """The identity: ``l1:`` and the SHA-256 of the configuration's canonical JSON."""
    data: Mapped[str] = mapped_column(ForeignKey("datasets.sha256"))
    filters: Mapped[int]
    kernel_size: Mapped[int]
    hidden_units: Mapped[int]
    lr: Mapped[float]
    momentum: Mapped[float]
    batch_size: Mapped[int]
    seed: Mapped[int]
    precision: Mapped[str]
    device: Mapped[str]
    shards: Mapped[int]
    recipe: Mapped[int]
    dataset: Mapped[str]
    """The data set's name: a label."""
    parameters: Mapped[int]
    state: Mapped[str]
    """As last written; a run whose process is gone is not running, whatever stands here."""
    target_epochs: Mapped[int]
    """The most epochs ever asked for."""
    completed_epochs: Mapped[int] = mapped_column(default=0)
    """The largest requested end that was reached; 0 if none was."""
    attempt: Mapped[int]
    """The number of the attempt that holds the run: its fencing token."""
    created_at: Mapped[datetime]


class AttemptRow(Base):
    """One process' work on a run."""

    __tablename__ = "attempts"
    __table_args__ = (Index("attempts_by_run", "run_id", "number", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    number: Mapped[int]
    remeasure: Mapped[bool] = mapped_column(default=False)
    identity: Mapped[str]
    """The process, as JSON: host, boot, namespace, pid and start time."""
    host: Mapped[str]
    device_name: Mapped[str]
    processor: Mapped[str]
    fingerprint: Mapped[str]
    """What of the processor decides the bits."""
    threads: Mapped[int]
    versions: Mapped[dict[str, Any]]
    """lenetcli (and commit, from a checkout), Python, TensorFlow, and oneDNN's setting."""
    started_at: Mapped[datetime]
    heartbeat: Mapped[int] = mapped_column(default=0)
    """A counter: an observer on another host watches whether it moves."""
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    note: Mapped[str | None]
    import_seconds: Mapped[float | None]
    data_seconds: Mapped[float | None]
    trace_seconds: Mapped[float | None]
    warmup_seconds: Mapped[float | None]


class EpochRow(Base):
    """A point of a run's curve: bits, the same wherever they are computed again."""

    __tablename__ = "epochs"

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    train_loss: Mapped[float]
    val_loss: Mapped[float]
    val_accuracy: Mapped[float]
    test_accuracy: Mapped[float | None]
    """Measured at a requested end only."""
    predictions: Mapped[bytes]
    """The predicted class of each validation image, one byte an image."""


class TimingRow(Base):
    """What an epoch cost an attempt: machines, not bits."""

    __tablename__ = "timings"

    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempts.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    train_seconds: Mapped[float]
    eval_seconds: Mapped[float]
    contended: Mapped[bool]
    """Others used the machine, or the process was suspended."""
    clock_set: Mapped[bool]


class WeightsRow(Base):
    """What the next epoch of a run starts from."""

    __tablename__ = "weights"

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int]
    sha256: Mapped[str]
    """Over names, shapes and values of the tensors, not over the file."""
    tensors: Mapped[bytes]
    """A safetensors file: the weights and the optimizer's slots, float32."""


class SweepRow(Base):
    """Runs asked for together."""

    __tablename__ = "sweeps"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    parameter: Mapped[str]
    epochs: Mapped[int]
    dataset: Mapped[str]
    request: Mapped[dict[str, Any]]
    """What was typed, with its gaps."""
    asked: Mapped[str]
    """What makes two requests the same question: parameter, values, seeds and request."""
    created_at: Mapped[datetime]
    last_requested: Mapped[datetime] = mapped_column(index=True)


class SweepCellRow(Base):
    """A run that a sweep plans; its row in ``runs`` comes into being when it is claimed."""

    __tablename__ = "sweep_cells"

    sweep_id: Mapped[int] = mapped_column(ForeignKey("sweeps.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(JSON)
    key: Mapped[str] = mapped_column(index=True)
    config: Mapped[dict[str, Any]]
