"""Looking into an index, for tests."""

from sqlalchemy import Engine

from gateway.model import Version
from gateway.store.instances import find_current, find_version


class Instances:
    """Versions by the id of their instance, or by their own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def current(self, instance_id: str) -> Version | None:
        with self._engine.connect() as connection:
            return find_current(connection, instance_id)

    def version(self, version_id: int) -> Version | None:
        with self._engine.connect() as connection:
            return find_version(connection, version_id)
