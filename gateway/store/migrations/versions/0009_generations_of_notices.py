"""Events that are about no file, and jobs, know their generation as instances do"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TABLES = ("event", "job")


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(
            table, sa.Column("generation", sa.Integer(), nullable=False, server_default="0")
        )


def downgrade() -> None:
    for table in _TABLES:
        op.drop_column(table, "generation")
