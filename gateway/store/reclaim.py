"""Reclaiming: a file goes when its version is not live and no event and no task needs it."""

from sqlalchemy import Engine, bindparam, select

from gateway.logs import logger
from gateway.model import VersionState
from gateway.store import schema
from gateway.store.attachment_recovery import reclaim_detached
from gateway.store.committer import Committer
from gateway.store.cursors import lanes_now, wanted_by_a_lane
from gateway.store.files import FileStorage
from gateway.store.instances import delete_versions
from gateway.store.plans import wanted_by_a_task

log = logger("store")
_GOING = (VersionState.DERIVED, VersionState.SUPERSEDED, VersionState.DELETED)
_version = schema.version.c
_FIND_GOING = (
    select(_version.version_id, _version.storage_key)
    .where(
        _version.state.in_(_GOING),
        ~wanted_by_a_task(_version.version_id),
        ~wanted_by_a_lane(_version.version_id),
    )
    .order_by(_version.version_id)
    .limit(bindparam("at_most"))
)


class Reclaimer:
    """Removes what nobody needs any more."""

    def __init__(self, engine: Engine, committer: Committer, storage: FileStorage) -> None:
        self._engine = engine
        self._committer = committer
        self._storage = storage
        self._stuck: set[str] = set()

    def reclaim(self, limit: int) -> int:
        """Remove up to `limit` files of instances and their rows, and what is detached; how many.

        The file goes first: after a crash in between, a row that is not live and has no file is
        seen for what it is, while a file without a row would have to be taken for an instance.
        """
        detached = reclaim_detached(self._engine, self._committer, self._storage)
        with self._engine.connect() as connection:
            found = connection.execute(_FIND_GOING, lanes_now() | {"at_most": limit}).all()
        gone = [row for row in found if self._remove(row.storage_key)]
        if gone:
            self._storage.sync_removed(row.storage_key for row in gone)
            version_ids = [row.version_id for row in gone]
            self._committer.commit(lambda connection: delete_versions(connection, version_ids))
            log.debug("reclaimed files", files=len(gone))
        return len(gone) + detached

    def _remove(self, key: str) -> bool:
        """False when the device does not let it go: the others must not wait for that."""
        try:
            self._storage.remove(key)
        except OSError as exc:
            if key not in self._stuck:  # this is tried again and again: say it once
                log.error("a file cannot be removed", key=key, error=str(exc))
            self._stuck.add(key)
            return False
        self._stuck.discard(key)
        return True
