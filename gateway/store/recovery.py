"""Recovery at start: files and rows are brought to agree, and nothing acknowledged is removed.

- staged files were never acknowledged: removed;
- a received file without a row was synced before its row, or its row is lost: entered again, with
  its event;
- a derived file without a row is a step that will be done again, and removed, as long as a file of
  the instance that it was made from is there; else the index is lost and this is the only copy:
  entered again too, a lossy one as the instance that its own UID makes it;
- the same goes for an instance that a task of a script is about to make: the task makes it again,
  and tells scripts then where it comes from;
- a row without a file: forgotten when it was on its way out and nothing waits for it, else reported
  as damage, which sending the instance again makes good.
"""

import hashlib
from dataclasses import dataclass

from sqlalchemy import Engine, select

from gateway.dicom import part10
from gateway.errors import GatewayError
from gateway.logs import logger
from gateway.model import Origin, OriginKind, Summary, VersionState
from gateway.store import schema
from gateway.store.attachment_recovery import recover_attachments
from gateway.store.committer import Committer
from gateway.store.cursors import lanes_now, wanted_by_a_lane
from gateway.store.files import (
    RECEIVED,
    FileStorage,
    content_sha256_of,
    device_errors,
    made_from,
)
from gateway.store.instances import (
    LIVE,
    DuplicatePolicy,
    NewVersion,
    Outcome,
    add_arrival,
    delete_versions,
)
from gateway.store.plans import uids_to_be_made, wanted_by_a_task
from gateway.store.repetition import keep_one_file

log = logger("store")


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
        self._duplicates: DuplicatePolicy = (
            "keep" if duplicates in ("reject", "discard") else duplicates
        )

    def run(self) -> Recovered:
        """Bring files and rows to agree; every case is logged."""
        staged = self._storage.clear_staged()
        rows = self._rows()
        files = set(self._storage.keys())
        # Received files first: a derived one has to know whether its source is there.
        orphans = sorted(files - rows.keys(), key=lambda key: (not key.startswith(RECEIVED), key))
        outcomes = [self._resolve_file(key) for key in orphans]
        rows = self._rows() if orphans else rows
        damaged = [self._resolve_row(key, rows[key]) for key in sorted(rows.keys() - files)]
        recover_attachments(self._engine, self._committer, self._storage)
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
        try:
            with device_errors():
                return self._enter(key)
        except GatewayError as exc:
            log.error("a stored file cannot be entered again", key=key, error=str(exc))
            return "unreadable"

    def _enter(self, key: str) -> str:
        path = self._storage.path(key)
        meta = part10.read_meta(path)
        with path.open("rb") as file:
            file.seek(meta.data_set_offset)
            summary = part10.read_summary(
                file,
                sop_class_uid=meta.sop_class_uid,
                transfer_syntax_uid=meta.transfer_syntax_uid,
            )
            if self._is_made_again(summary.identifiers.sop_instance_uid):
                self._storage.remove(key)
                return "removed"
            source_id = made_from(key) or summary.identifiers.instance_id
            if not key.startswith(RECEIVED) and self._has_file(source_id):
                self._storage.remove(key)
                return "removed"
            file.seek(meta.data_set_offset)
            digest = content_sha256_of(key) or hashlib.file_digest(file, "sha256").hexdigest()
        new = NewVersion(key, meta.transfer_syntax_uid, path.stat().st_size, digest)
        origin = Origin(OriginKind.DICOM, meta.calling_aet, meta.called_aet)
        return self._adopt(summary, new, origin)

    def _adopt(self, summary: Summary, new: NewVersion, origin: Origin) -> str:
        arrived = self._committer.commit(
            lambda connection: add_arrival(connection, summary, new, origin, self._duplicates)
        )
        if arrived.outcome is Outcome.IDENTICAL:
            kept = keep_one_file(self._storage, self._committer, arrived, new)
            return "adopted" if kept else "removed"
        log.warning(
            "entered a file without a row again", key=new.storage_key, version=arrived.version_id
        )
        return "adopted"

    def _is_made_again(self, sop_instance_uid: str) -> bool:
        with self._engine.connect() as connection:
            return sop_instance_uid in uids_to_be_made(connection)

    def _has_file(self, instance_id: str) -> bool:
        version = schema.version.c
        with self._engine.connect() as connection:
            keys = connection.scalars(
                select(version.storage_key).where(version.instance_id == instance_id)
            ).all()
        return any(self._storage.path(key).exists() for key in keys)

    def _resolve_row(self, key: str, row: tuple[int, VersionState]) -> bool:
        """Answer True for damage, False when the row was on its way out."""
        version_id, state = row
        if state in LIVE or self._is_wanted(version_id):
            log.error("the file of a stored instance is missing", key=key, version=version_id)
            return True
        self._committer.commit(lambda connection: delete_versions(connection, [version_id]))
        return False

    def _is_wanted(self, version_id: int) -> bool:
        with self._engine.connect() as connection:
            return bool(
                connection.scalar(
                    select(wanted_by_a_task(version_id) | wanted_by_a_lane(version_id)),
                    lanes_now(),
                )
            )


def _found(recovered: Recovered) -> dict[str, int]:
    return {name: count for name in Recovered.__slots__ if (count := getattr(recovered, name))}
