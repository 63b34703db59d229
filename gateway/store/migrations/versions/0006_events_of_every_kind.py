"""Events are about more than instances that were stored; instances know their generation"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# As it was then: a migration must not follow what becomes of gateway.store.schema.
_version = sa.table("version", sa.column("version_id"), sa.column("instance_id"))
_event = sa.table(
    "event", sa.column("event_id"), sa.column("version_id"), sa.column("subject", sa.String)
)
_AUTOINCREMENT = {"sqlite_autoincrement": True}


def upgrade() -> None:
    op.add_column(
        "version", sa.Column("generation", sa.Integer(), nullable=False, server_default="0")
    )
    last = _last_event()
    with op.batch_alter_table("event", table_kwargs=_AUTOINCREMENT) as event:
        event.add_column(
            sa.Column("subject", sa.String(length=44), nullable=False, server_default="")
        )
        event.alter_column("version_id", existing_type=sa.Integer(), nullable=True)
    op.execute(
        sa.update(_event).values(
            subject=sa.select(_version.c.instance_id)
            .where(_version.c.version_id == _event.c.version_id)
            .scalar_subquery()
        )
    )
    with op.batch_alter_table("event", table_kwargs=_AUTOINCREMENT) as event:
        event.alter_column("subject", existing_type=sa.String(length=44), server_default=None)
    _go_on_after(last)


def downgrade() -> None:
    last = _last_event()
    op.execute(sa.delete(_event).where(_event.c.version_id.is_(None)))
    with op.batch_alter_table("event", table_kwargs=_AUTOINCREMENT) as event:
        event.drop_column("subject")
        event.alter_column("version_id", existing_type=sa.Integer(), nullable=False)
    _go_on_after(last)
    with op.batch_alter_table("version", table_kwargs=_AUTOINCREMENT) as version:
        version.drop_column("generation")


# Lanes remember how far they are: a number must not be given twice, also when all rows are gone.


def _last_event() -> int:
    row = op.get_bind().execute(sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'event'"))
    return int(row.scalar() or 0)


def _go_on_after(last: int) -> None:
    numbers = {"last": last}
    connection = op.get_bind()
    connection.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = 'event'"))
    connection.execute(sa.text("INSERT INTO sqlite_sequence VALUES ('event', :last)"), numbers)
