"""What is to become stable is found fast; files that are attached no more are kept in mind"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE resource SET is_stable = true WHERE level = 'Instance'")
    op.create_index(
        "ix_resource_unstable",
        "resource",
        ["last_update"],
        sqlite_where=sa.text("is_stable = 0"),
    )
    op.create_table(
        "detached_file",
        sa.Column("storage_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("storage_key", name=op.f("pk_detached_file")),
    )


def downgrade() -> None:
    op.drop_table("detached_file")
    op.drop_index("ix_resource_unstable", table_name="resource")
