"""Other servers: how far they have been followed, and what of them was left behind"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bookmark",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_bookmark")),
    )
    op.create_table(
        "left_behind",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("instance_id", sa.String(44), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("source", "instance_id", name=op.f("pk_left_behind")),
    )


def downgrade() -> None:
    op.drop_table("left_behind")
    op.drop_table("bookmark")
