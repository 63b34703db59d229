"""Planned transcodings name a ladder of transfer syntaxes, and keep their options apart."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# As it was then: a migration must not follow what becomes of gateway.store.schema.
_task = sa.table(
    "task",
    sa.column("task_id", sa.Integer),
    sa.column("action", sa.String),
    sa.column("parameters", sa.JSON),
)
Parameters = dict[str, Any]


def upgrade() -> None:

    _rewrite(_with_ladder)


def downgrade() -> None:

    _rewrite(_with_syntax)


def _rewrite(change: Callable[[Parameters], Parameters]) -> None:
    connection = op.get_bind()
    of_transcodings = sa.select(_task.c.task_id, _task.c.parameters).where(
        _task.c.action == "transcode"
    )
    for task_id, parameters in connection.execute(of_transcodings).all():
        connection.execute(
            sa.update(_task).where(_task.c.task_id == task_id).values(parameters=change(parameters))
        )


def _with_ladder(parameters: Parameters) -> Parameters:
    changed = {name: parameters[name] for name in parameters.keys() - {"syntax", "verify"}}
    changed["ladder"] = [parameters["syntax"]]
    if "verify" in parameters:
        changed["options"] = {"verify": parameters["verify"]}
    return changed


def _with_syntax(parameters: Parameters) -> Parameters:
    """What earlier versions know: the best rung, verified or not."""
    changed = {name: parameters[name] for name in parameters.keys() - {"ladder", "options"}}
    changed["syntax"] = parameters["ladder"][0]
    if "verify" in parameters.get("options", {}):
        changed["verify"] = parameters["options"]["verify"]
    return changed
