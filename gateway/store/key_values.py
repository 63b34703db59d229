"""What scripts keep for good: values by a key, in stores that they name."""

from sqlalchemy import Connection, Delete, Engine, bindparam, delete, insert, select

from gateway.store.committer import Committer
from gateway.store.schema import key_value

_GET = select(key_value.c.value).where(
    key_value.c.store == bindparam("store"), key_value.c.key == bindparam("key")
)


class KeyValueTable:
    """Implements KeyValues over the index."""

    def __init__(self, engine: Engine, committer: Committer) -> None:
        self._engine = engine
        self._committer = committer

    def get(self, store: str, key: str) -> bytes | None:
        """See KeyValues."""
        with self._engine.connect() as connection:
            return connection.scalar(_GET, {"store": store, "key": key})

    def put(self, store: str, key: str, value: bytes) -> None:
        """See KeyValues."""
        row = {"store": store, "key": key, "value": value}

        def replace(connection: Connection) -> None:
            connection.execute(_delete(store, key))
            connection.execute(insert(key_value), row)

        self._committer.commit(replace)

    def delete(self, store: str, key: str) -> None:
        """See KeyValues."""
        self._committer.commit(lambda connection: connection.execute(_delete(store, key)))


def _delete(store: str, key: str) -> Delete:
    return delete(key_value).where(key_value.c.store == store, key_value.c.key == key)
