"""The tables. `migrations/` makes them; a test holds both together.

Times are UTC seconds since the epoch: the same on every database, and comparable in SQL.
"""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

instance = Table(
    "instance",
    metadata,
    Column("instance_id", String(44), primary_key=True),
    Column("patient_id", Text, nullable=False),
    Column("study_instance_uid", Text, nullable=False),
    Column("series_instance_uid", Text, nullable=False),
    Column("sop_instance_uid", Text, nullable=False),
    Column("sop_class_uid", Text, nullable=False),
)

version = Table(
    "version",
    metadata,
    Column("version_id", Integer, primary_key=True, autoincrement=True),
    Column("instance_id", ForeignKey("instance.instance_id"), nullable=False, index=True),
    # The received version that a derived one was made from; null for a received one.
    Column("root_version_id", Integer, index=True),
    Column("state", String(16), nullable=False, index=True),
    Column("transfer_syntax_uid", Text, nullable=False),
    Column("storage_key", Text, nullable=False, unique=True),
    Column("size_bytes", Integer, nullable=False),
    # SHA-256 of the data set as it was received: tells a repeated sending from other content. What
    # replaces it inherits it, so that sending the original again changes nothing.
    Column("content_sha256", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("origin_kind", String(16), nullable=False),
    Column("calling_aet", Text, nullable=False),
    Column("called_aet", Text, nullable=False),
    Column("remote_ip", Text, nullable=False),
    Column("username", Text, nullable=False),
    sqlite_autoincrement=True,
)

event = Table(
    "event",
    metadata,
    Column("event_id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(32), nullable=False),
    Column("version_id", ForeignKey("version.version_id"), nullable=False, index=True),
    Column("created_at", Float, nullable=False),
    sqlite_autoincrement=True,
)

lane = Table(
    "lane",
    metadata,
    Column("name", Text, primary_key=True),
    # Every event up to here is settled or parked in this lane.
    Column("cursor", Integer, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("closed_at", Float),
    Column("script_version", Text, nullable=False),
    Column("callbacks", JSON, nullable=False),
    Column("events_handled", Integer, nullable=False),
    Column("events_failed", Integer, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("fault", Text, nullable=False),
)

# What a lane did with single events: those settled ahead of the cursor, those parked, and those
# that a person asked to have handled again.
lane_event = Table(
    "lane_event",
    metadata,
    Column("lane", ForeignKey("lane.name"), primary_key=True),
    Column("event_id", ForeignKey("event.event_id"), primary_key=True, index=True),
    Column("state", String(16), nullable=False),
    Column("error_kind", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("traceback", Text, nullable=False),
    Column("script_version", Text, nullable=False),
    Column("parked_at", Float),
    Index(None, "lane", "state", "event_id"),
)

task = Table(
    "task",
    metadata,
    Column("task_id", Integer, primary_key=True, autoincrement=True),
    Column("lane", Text, nullable=False),
    Column("event_id", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    Column("action", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("instance_id", String(44), nullable=False),
    Column("version_id", Integer, index=True),
    Column("result_of", Integer),
    Column("destination", Text, nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("line", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("run_at", Float, nullable=False),
    Column("error_kind", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float, index=True),
    # A plan is made once, even when its event runs again after a crash.
    UniqueConstraint("lane", "event_id", "step"),
    Index(None, "state", "action", "destination", "run_at"),
    sqlite_autoincrement=True,
)

task_need = Table(
    "task_need",
    metadata,
    Column("task_id", ForeignKey("task.task_id"), primary_key=True),
    Column("needs_task_id", ForeignKey("task.task_id"), primary_key=True, index=True),
)
