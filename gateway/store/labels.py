"""Words that clients put on resources."""

from sqlalchemy import Connection, Engine, delete, exists, insert, select

from gateway.store import schema
from gateway.store.committer import Committer
from gateway.store.resources import level_of

_label = schema.label


class Labels:
    """All labels of one store."""

    def __init__(self, engine: Engine, committer: Committer) -> None:
        self._engine = engine
        self._committer = committer

    def of(self, resource_id: str) -> list[str]:
        """The labels of a resource, by name."""
        statement = select(_label.c.name).where(_label.c.resource_id == resource_id)
        with self._engine.connect() as connection:
            return list(connection.scalars(statement.order_by(_label.c.name)))

    def in_use(self) -> list[str]:
        """Every label that some resource has, by name."""
        statement = select(_label.c.name).distinct().order_by(_label.c.name)
        with self._engine.connect() as connection:
            return list(connection.scalars(statement))

    def add(self, resource_id: str, name: str) -> None:
        """Put a label on a resource; it may have it already. Raises NotFound (the resource)."""

        def apply(connection: Connection) -> None:
            level_of(connection, resource_id)
            has = exists().where(_label.c.resource_id == resource_id, _label.c.name == name)
            if not connection.scalar(select(has)):
                connection.execute(insert(_label), {"resource_id": resource_id, "name": name})

        self._committer.commit(apply)

    def remove(self, resource_id: str, name: str) -> None:
        """Take a label off; it need not be there."""
        statement = delete(_label).where(_label.c.resource_id == resource_id, _label.c.name == name)
        self._committer.commit(lambda connection: connection.execute(statement))
