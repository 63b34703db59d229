"""Recovery at start: files and rows are brought to agree, and nothing acknowledged is removed.

- staged files were never acknowledged: removed;
- a derived file without a row is a step that will be done again: removed;
- a received file without a row was synced before its row, or its row is lost: entered again, with
  its event;
- a row without a file: forgotten when it was on its way out, else reported as damage.
"""

import hashlib
from dataclasses import dataclass

from sqlalchemy import Engine, select

from gateway.dicom import part10
from gateway.errors import GatewayError
from gateway.logs import logger
from gateway.model import Origin, OriginKind, VersionState
from gateway.store import schema
from gateway.store.committer import Committer
from gateway.store.files import RECEIVED, FileStorage
from gateway.store.instances import (
    Arrived,
    DuplicatePolicy,
    NewVersion,
    Outcome,
    add_arrival,
    delete_versions,
)

log = logger("store")
_LIVE = (VersionState.CURRENT, VersionState.KEPT)


@dataclass(frozen=True, slots=True)
class Recovered:
    """What recovery found."""

    staged_removed: int
    derived_removed: int
    adopted: int
    unreadable: int
    rows_forgotten: int
    rows_damaged: int


class Recovery:
    """One pass over storage and index, before anything else runs."""

    def __init__(
        self,
        engine: Engine,
        committer: Committer,
        storage: FileStorage,
        duplicates: DuplicatePolicy,
    ) -> None:
        self._engine = engine
        self._committer = committer
        self._storage = storage
        # An orphan can be the second of two contents: refusing it would be losing it.
        self._duplicates: DuplicatePolicy = "keep" if duplicates == "reject" else duplicates

    def run(self) -> Recovered:
        """Bring files and rows to agree; every case is logged."""
        staged = self._storage.clear_staged()
        rows = self._rows()
        files = set(self._storage.keys())
        outcomes = [self._resolve_file(key) for key in sorted(files - rows.keys())]
        damaged = [self._resolve_row(key, rows[key]) for key in sorted(rows.keys() - files)]
        recovered = Recovered(
            staged_removed=staged,
            derived_removed=outcomes.count("removed"),
            adopted=outcomes.count("adopted"),
            unreadable=outcomes.count("unreadable"),
            rows_forgotten=damaged.count(False),
            rows_damaged=damaged.count(True),
        )
        log.info("recovery done", files=len(files), rows=len(rows), **_found(recovered))
        return recovered

    def _rows(self) -> dict[str, tuple[int, VersionState]]:
        version = schema.version.c
        with self._engine.connect() as connection:
            return {
                row.storage_key: (row.version_id, VersionState(row.state))
                for row in connection.execute(
                    select(version.storage_key, version.version_id, version.state)
                )
            }

    def _resolve_file(self, key: str) -> str:
        if not key.startswith(RECEIVED):
            self._storage.remove(key)
            return "removed"
        try:
            arrived = self._adopt(key)
        except GatewayError as exc:
            log.error("a stored file cannot be entered again", key=key, error=str(exc))
            return "unreadable"
        if arrived.outcome is Outcome.IDENTICAL:
            self._storage.remove(key)
            return "removed"
        log.warning("entered a file without a row again", key=key, version=arrived.version_id)
        return "adopted"

    def _adopt(self, key: str) -> Arrived:
        path = self._storage.path(key)
        meta = part10.read_meta(path)
        with path.open("rb") as file:
            file.seek(meta.data_set_offset)
            identifiers = part10.read_identifiers(
                file,
                sop_class_uid=meta.sop_class_uid,
                transfer_syntax_uid=meta.transfer_syntax_uid,
            )
            file.seek(meta.data_set_offset)
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
        new = NewVersion(key, meta.transfer_syntax_uid, path.stat().st_size, digest.hexdigest())
        origin = Origin(OriginKind.DICOM, meta.calling_aet, meta.called_aet)
        return self._committer.commit(
            lambda connection: add_arrival(connection, identifiers, new, origin, self._duplicates)
        )

    def _resolve_row(self, key: str, row: tuple[int, VersionState]) -> bool:
        """Answer True for damage, False when the row was on its way out."""
        version_id, state = row
        if state in _LIVE:
            log.error("the file of a stored instance is missing", key=key, version=version_id)
            return True
        self._committer.commit(lambda connection: delete_versions(connection, [version_id]))
        return False


def _found(recovered: Recovered) -> dict[str, int]:
    return {name: count for name in Recovered.__slots__ if (count := getattr(recovered, name))}
