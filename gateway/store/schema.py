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
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
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
    Column("generation", Integer, nullable=False, server_default="0"),
    sqlite_autoincrement=True,
)

# --- patients, studies, series and instances: what the REST API shows ----------------------------

resource = Table(
    "resource",
    metadata,
    Column("resource_id", String(44), primary_key=True),
    Column("level", String(8), nullable=False),
    Column("parent_id", ForeignKey("resource.resource_id"), index=True),
    Column("main_tags", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
    # When an instance came below it last.
    Column("last_update", Float, nullable=False),
    # Nothing came for a while. An instance is stable from the start: nothing comes below it.
    Column("is_stable", Boolean, nullable=False),
    Column("is_protected", Boolean, nullable=False),
    Index(None, "level", "created_at"),
    Index(
        "ix_resource_unstable",
        "last_update",
        sqlite_where=text("is_stable = 0"),
    ),
)

# The few tags that resources are looked up by, normalized as PS3.4 C.2.2.2 compares them.
identifier = Table(
    "identifier",
    metadata,
    Column("resource_id", ForeignKey("resource.resource_id"), primary_key=True),
    Column("keyword", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    Index(None, "keyword", "value"),
)

resource_metadata = Table(
    "resource_metadata",
    metadata,
    Column("resource_id", ForeignKey("resource.resource_id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("revision", Integer, nullable=False),
)

# Files that somebody attached. "dicom" is not among them: it is the instance's current version.
attachment = Table(
    "attachment",
    metadata,
    Column("resource_id", ForeignKey("resource.resource_id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("storage_key", Text, nullable=False, unique=True),
    Column("size_bytes", Integer, nullable=False),
    Column("md5", String(32), nullable=False),
    Column("revision", Integer, nullable=False),
)

# Files of attachments that were replaced or deleted; they are to be removed.
detached_file = Table("detached_file", metadata, Column("storage_key", Text, primary_key=True))

label = Table(
    "label",
    metadata,
    Column("resource_id", ForeignKey("resource.resource_id"), primary_key=True),
    Column("name", Text, primary_key=True, index=True),
)

change = Table(
    "change",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(32), nullable=False),
    Column("level", String(8), nullable=False),
    Column("resource_id", String(44), nullable=False, index=True),
    Column("created_at", Float, nullable=False),
    sqlite_autoincrement=True,
)

export = Table(
    "export",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("level", String(8), nullable=False),
    Column("resource_id", String(44), nullable=False),
    Column("remote", Text, nullable=False),
    Column("patient_id", Text, nullable=False),
    Column("study_instance_uid", Text, nullable=False),
    Column("series_instance_uid", Text, nullable=False),
    Column("sop_instance_uid", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    sqlite_autoincrement=True,
)

# Modalities and peers that were put over REST.
remote = Table(
    "remote",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("name", Text, primary_key=True),
    # JSON of its own kind.
    Column("settings", JSON, nullable=False),
)

# What scripts keep for good.
key_value = Table(
    "key_value",
    metadata,
    Column("store", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

# How far the changes of another server have been followed.
bookmark = Table(
    "bookmark",
    metadata,
    Column("source", Text, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("entry", Text, nullable=False),
)

# Instances of other servers that could not be taken, and are tried again now and then.
left_behind = Table(
    "left_behind",
    metadata,
    Column("source", Text, primary_key=True),
    Column("instance_id", String(44), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)

# What was asked for over REST and takes time; kept until the history is full.
job = Table(
    "job",
    metadata,
    Column("job_id", String(36), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("priority", Integer, nullable=False),
    # What it is to do, and what it has found so far: JSON of its own kind.
    Column("request", JSON, nullable=False),
    Column("content", JSON, nullable=False),
    Column("progress", Integer, nullable=False),
    Column("error_code", Integer, nullable=False),
    Column("error_details", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("completed_at", Float),
    Column("run_seconds", Float, nullable=False),
    Column("generation", Integer, nullable=False, server_default="0"),
)

# --- what happened, who has to handle it, and what is to be done ---------------------------------

event = Table(
    "event",
    metadata,
    Column("event_id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(32), nullable=False),
    # The id of what it is about: an instance, series, study, patient or job.
    Column("subject", String(44), nullable=False),
    # The file that was stored; null for events of other kinds.
    Column("version_id", ForeignKey("version.version_id"), index=True),
    Column("created_at", Float, nullable=False),
    # Of what led to an event without a file; that of a file is the file's.
    Column("generation", Integer, nullable=False, server_default="0"),
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
