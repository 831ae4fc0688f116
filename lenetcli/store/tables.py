"""The schema of the database; ``docs/storage.md`` is generated from the comments of tables and columns.

This uses SQLAlchemy's Core alone: rows become the frozen dataclasses of ``experiment``, and importing the ORM
would delay each command that only reads by a tenth of a second.
"""

from dataclasses import fields
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
)

from lenetcli.experiment.config import Config

SCHEMA_VERSION = max(path.name[:4] for path in Path(__file__).parent.glob("migrations/versions/*.py"))
"""The newest revision of ``migrations/versions``; tests compare the tables here with what those create."""


class UtcDateTime(TypeDecorator[datetime]):
    """The type of a column of aware datetimes; SQLite stores them in UTC, as text without a time zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The datetime in UTC as a naive one."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The stored datetime as an aware one."""
        return None if value is None else value.replace(tzinfo=UTC)


METADATA = MetaData()

column = partial(Column, nullable=False)


def _make_config_columns(*, later: bool) -> list[Column[Any]]:
    """The columns of ``runs`` for fields of ``Config``; ``later`` ones are neutral by default."""
    return [
        column(
            field.name,
            {int: Integer, float: Double}.get(field.type, String),  # type: ignore[arg-type]
            server_default=str(field.default) if later else None,
        )
        for field in fields(Config)
        if field.name != "data" and field.metadata.get("later", False) is later
    ]


VERSION = Table(
    "lenetcli_version",
    METADATA,
    column("version_num", String(32), primary_key=True),
    comment="The schema's version: one row, in the form that Alembic keeps it.",
)
DATASETS = Table(
    "datasets",
    METADATA,
    column("sha256", String, primary_key=True),
    column("train_images", Integer),
    column("validation_images", Integer),
    column("test_images", Integer),
    column("validation_labels", LargeBinary, comment="One byte an image."),
    column(
        "summary",
        JSON(none_as_null=True),
        nullable=True,
        comment="Images by class, their order and pixel values (``Summary``); earlier versions had none.",
    ),
    comment="Data that runs were trained on, known by the hash of its arrays.",
)
RUNS = Table(
    "runs",
    METADATA,
    column("id", Integer, primary_key=True),
    column(
        "key",
        String,
        unique=True,
        comment="The identity: ``l1:`` and the SHA-256 of the configuration's canonical JSON.",
    ),
    column("data", String, ForeignKey("datasets.sha256")),
    *_make_config_columns(later=False),
    column("dataset", String, comment="The data set's name: a label."),
    column("parameters", Integer),
    column(
        "state",
        String,
        comment="As last written; a run whose process is gone is not running, whatever stands here.",
    ),
    column("target_epochs", Integer, comment="The most epochs ever asked for."),
    column(
        "completed_epochs",
        Integer,
        default=0,
        comment="The largest requested end that was reached; 0 if none was.",
    ),
    column("attempt", Integer, comment="The number of the attempt that holds the run: its fencing token."),
    column("created_at", UtcDateTime),
    column("note", String, nullable=True, comment="A remark of the user."),
    *_make_config_columns(later=True),
    Index("runs_by_state", "state"),
    sqlite_autoincrement=True,
    comment="One run: its configuration (the names are those of ``Config``), and where it stands.",
)
ATTEMPTS = Table(
    "attempts",
    METADATA,
    column("id", Integer, primary_key=True),
    column("run_id", Integer, ForeignKey("runs.id", ondelete="CASCADE")),
    column("number", Integer),
    column("remeasure", Boolean),
    column(
        "identity",
        String,
        comment="The process that records, as JSON: host, boot, namespace, pid and start time.",
    ),
    column(
        "host", String, comment="The machine that computes, to which device, processor and threads belong."
    ),
    column("device_name", String),
    column("processor", String),
    column("fingerprint", String, comment="What of the processor decides the bits."),
    column("threads", Integer),
    column(
        "versions", JSON, comment="lenetcli (and commit, from a checkout), TensorFlow, and oneDNN's setting."
    ),
    column("started_at", UtcDateTime),
    column(
        "heartbeat",
        Integer,
        default=0,
        comment="A counter: an observer on another host watches whether it moves.",
    ),
    column("seen_at", UtcDateTime, nullable=True, comment="The time of the last heartbeat."),
    column("ended_at", UtcDateTime, nullable=True),
    column("outcome", String, nullable=True),
    column("note", String, nullable=True),
    column("import_seconds", Double, nullable=True),
    column("data_seconds", Double, nullable=True),
    column("trace_seconds", Double, nullable=True),
    column("warmup_seconds", Double, nullable=True),
    column("computer", String, comment="The process that computes, in the form of ``identity``."),
    column("recorder_host", String, comment="The machine of the process that records."),
    Index("attempts_by_run", "run_id", "number", unique=True),
    sqlite_autoincrement=True,
    comment="One process' work on a run.",
)
EPOCHS = Table(
    "epochs",
    METADATA,
    column("run_id", Integer, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    column("epoch", Integer, primary_key=True),
    column("train_loss", Double),
    column("val_loss", Double),
    column("val_accuracy", Double),
    column("test_accuracy", Double, nullable=True, comment="Measured at a requested end only."),
    column(
        "predictions", LargeBinary, comment="The predicted class of each validation image, one byte an image."
    ),
    comment="A point of a run's curve: bits, the same wherever they are computed again.",
)
TIMINGS = Table(
    "timings",
    METADATA,
    column("attempt_id", Integer, ForeignKey("attempts.id", ondelete="CASCADE"), primary_key=True),
    column("epoch", Integer, primary_key=True),
    column("train_seconds", Double, comment="By a clock that cannot be set."),
    column("eval_seconds", Double),
    column("contended", Boolean, comment="Others used the machine, or the process was suspended."),
    column("clock_set", Boolean, comment="``ended_at`` less ``started_at`` is then no duration."),
    column("started_at", UtcDateTime, nullable=True, comment="The start of training, by ``time.time()``."),
    column("ended_at", UtcDateTime, nullable=True, comment="Its end, by ``time.time()``."),
    column(
        "beside", Integer, nullable=True, comment="How many other runs were trained on the machine meanwhile."
    ),
    comment="What an epoch cost an attempt: machines, not bits.",
)
WEIGHTS = Table(
    "weights",
    METADATA,
    column("run_id", Integer, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    column("epoch", Integer),
    column("sha256", String, comment="Over names, shapes and values of the tensors, not over the file."),
    column(
        "tensors", LargeBinary, comment="A safetensors file: the weights and the optimizer's slots, float32."
    ),
    comment="What the next epoch of a run starts from.",
)
SWEEPS = Table(
    "sweeps",
    METADATA,
    column("id", Integer, primary_key=True),
    column("key", String, unique=True),
    column(
        "axes", JSON, comment="The axes of the grid: a list of pairs of a field of ``Config`` and its values."
    ),
    column("epochs", Integer),
    column("dataset", String),
    column("request", JSON, comment="What was typed, with its gaps; numbers as its recipe has them."),
    column(
        "asked",
        String,
        comment="What makes two requests the same: the axes, each sorted, and the rest of the request.",
        index=True,
    ),
    column(
        "sequence", Integer, unique=True, comment="The order of the requests: the newest has the largest."
    ),
    column("created_at", UtcDateTime),
    column("last_requested", UtcDateTime),
    column("note", String, nullable=True, comment="A remark of the user."),
    sqlite_autoincrement=True,
    comment="Runs asked for together.",
)
SWEEP_CELLS = Table(
    "sweep_cells",
    METADATA,
    column("sweep_id", Integer, ForeignKey("sweeps.id", ondelete="CASCADE"), primary_key=True),
    column("position", Integer, primary_key=True),
    column("key", String, index=True),
    column("config", JSON),
    comment="A run that a sweep plans; its row in ``runs`` comes into being when it is claimed.",
)
MEASUREMENTS = Table(
    "measurements",
    METADATA,
    column("key", String, primary_key=True, comment="The key of a run, which may not have begun yet."),
    column("host", String, primary_key=True, comment="The machine that computes."),
    column("epochs", Integer, primary_key=True),
    column(
        "attempt_id",
        Integer,
        ForeignKey("attempts.id", ondelete="SET NULL"),
        nullable=True,
        comment="The newest attempt: its fencing token.",
    ),
    column(
        "epoch", Integer, nullable=True, comment="The last epoch that was measured, and the weights after it."
    ),
    column("sha256", String, nullable=True),
    column("tensors", LargeBinary, nullable=True),
    column("difference", String, nullable=True, comment="How the bits differed first from the stored ones."),
    comment="What commands with ``--remeasure`` have left to measure.",
)
