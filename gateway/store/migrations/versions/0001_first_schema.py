"""The first schema"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "instance",
        sa.Column("instance_id", sa.String(length=44), nullable=False),
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("series_instance_uid", sa.Text(), nullable=False),
        sa.Column("sop_instance_uid", sa.Text(), nullable=False),
        sa.Column("sop_class_uid", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("instance_id", name=op.f("pk_instance")),
    )
    op.create_table(
        "lane",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("closed_at", sa.Float(), nullable=True),
        sa.Column("script_version", sa.Text(), nullable=False),
        sa.Column("callbacks", sa.JSON(), nullable=False),
        sa.Column("events_handled", sa.Integer(), nullable=False),
        sa.Column("events_failed", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("fault", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lane")),
    )
    op.create_table(
        "task",
        sa.Column("task_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("instance_id", sa.String(length=44), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=True),
        sa.Column("result_of", sa.Integer(), nullable=True),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("run_at", sa.Float(), nullable=False),
        sa.Column("error_kind", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("finished_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_task")),
        sa.UniqueConstraint("lane", "event_id", "step", name=op.f("uq_task_lane_event_id_step")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_task_state_action_destination_run_at"),
            ["state", "action", "destination", "run_at"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_task_version_id"), ["version_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_task_finished_at"), ["finished_at"], unique=False)

    op.create_table(
        "task_need",
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("needs_task_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["needs_task_id"], ["task.task_id"], name=op.f("fk_task_need_needs_task_id")
        ),
        sa.ForeignKeyConstraint(["task_id"], ["task.task_id"], name=op.f("fk_task_need_task_id")),
        sa.PrimaryKeyConstraint("task_id", "needs_task_id", name=op.f("pk_task_need")),
    )
    with op.batch_alter_table("task_need", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_task_need_needs_task_id"), ["needs_task_id"], unique=False
        )

    op.create_table(
        "version",
        sa.Column("version_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("instance_id", sa.String(length=44), nullable=False),
        sa.Column("root_version_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("transfer_syntax_uid", sa.Text(), nullable=False),
        sa.Column("storage_key", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("origin_kind", sa.String(length=16), nullable=False),
        sa.Column("calling_aet", sa.Text(), nullable=False),
        sa.Column("called_aet", sa.Text(), nullable=False),
        sa.Column("remote_ip", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instance.instance_id"], name=op.f("fk_version_instance_id")
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_version")),
        sa.UniqueConstraint("storage_key", name=op.f("uq_version_storage_key")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("version", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_version_instance_id"), ["instance_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_version_root_version_id"), ["root_version_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_version_state"), ["state"], unique=False)

    op.create_table(
        "event",
        sa.Column("event_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["version.version_id"], name=op.f("fk_event_version_id")
        ),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_event")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_event_version_id"), ["version_id"], unique=False)

    op.create_table(
        "lane_event",
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("error_kind", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("traceback", sa.Text(), nullable=False),
        sa.Column("script_version", sa.Text(), nullable=False),
        sa.Column("parked_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["event_id"], ["event.event_id"], name=op.f("fk_lane_event_event_id")
        ),
        sa.ForeignKeyConstraint(["lane"], ["lane.name"], name=op.f("fk_lane_event_lane")),
        sa.PrimaryKeyConstraint("lane", "event_id", name=op.f("pk_lane_event")),
    )
    with op.batch_alter_table("lane_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_lane_event_event_id"), ["event_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_lane_event_lane_state_event_id"),
            ["lane", "state", "event_id"],
            unique=False,
        )


def downgrade() -> None:

    with op.batch_alter_table("lane_event", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_lane_event_lane_state_event_id"))
        batch_op.drop_index(batch_op.f("ix_lane_event_event_id"))

    op.drop_table("lane_event")
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_event_version_id"))

    op.drop_table("event")
    with op.batch_alter_table("version", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_version_state"))
        batch_op.drop_index(batch_op.f("ix_version_root_version_id"))
        batch_op.drop_index(batch_op.f("ix_version_instance_id"))

    op.drop_table("version")
    with op.batch_alter_table("task_need", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_task_need_needs_task_id"))

    op.drop_table("task_need")
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_task_finished_at"))
        batch_op.drop_index(batch_op.f("ix_task_version_id"))
        batch_op.drop_index(batch_op.f("ix_task_state_action_destination_run_at"))

    op.drop_table("task")
    op.drop_table("lane")
    op.drop_table("instance")
