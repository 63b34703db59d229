"""Making a store, and looking into its index, for tests."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Engine

from gateway.metrics import Metrics
from gateway.model import Version
from gateway.store import schema
from gateway.store.ingest import StoreIngest
from gateway.store.instances import as_version, find_current, select_versions
from gateway.store.opened import INDEX_NAME, OnWaiting, Store, open_store


def opened_store(folder: Path, on_waiting: OnWaiting = lambda action, destination: None) -> Store:
    """An open store. A new index is a copy: to migrate one from nothing takes long."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (index := folder / INDEX_NAME).exists():
        make_index(index)
    return open_store(folder, on_waiting)


def make_index(path: Path) -> None:
    """A new index, with the schema that the migrations make."""
    path.write_bytes(_new_index())


@cache
def _new_index() -> bytes:
    with TemporaryDirectory() as folder:
        open_store(Path(folder)).close()
        return (Path(folder) / INDEX_NAME).read_bytes()


def store_ingest(store: Store, **changes: Any) -> StoreIngest:
    """What takes data sets into a store. changes: what is not to be as in most tests."""
    usual = {
        "duplicates": "overwrite", "minimum_free_bytes": 0, "loop_limit": 5,
        "metrics": Metrics(), "on_stored": lambda: None,
    }  # fmt: skip
    return StoreIngest(store.files, store.committer, **usual | changes)


class Instances:
    """Versions by the id of their instance, or by their own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def current(self, instance_id: str) -> Version | None:
        with self._engine.connect() as connection:
            return find_current(connection, instance_id)

    def version(self, version_id: int) -> Version | None:
        with self._engine.connect() as connection:
            row = connection.execute(
                select_versions().where(schema.version.c.version_id == version_id)
            ).first()
        return as_version(row) if row else None
