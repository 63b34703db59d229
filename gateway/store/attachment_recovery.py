"""Attachments at start: files and rows are brought to agree.

- a file that is noted as detached is removed;
- a file without a row is attached again, because the index may have been lost, unless something
  else has its name: then it is a replacement that was never acknowledged, and removed;
- a row without a file, and a file of a resource that does not exist, are reported.
"""

import hashlib

from sqlalchemy import Connection, Engine, delete, exists, select

from gateway.errors import StoreError
from gateway.logs import logger
from gateway.store import schema
from gateway.store.attachments import Attachment, blocks, enter_attachment, uncompressed
from gateway.store.committer import Committer
from gateway.store.files import FileStorage, attached_to, device_errors, is_compressed

log = logger("store")
_attachment, _detached, _resource = schema.attachment, schema.detached_file, schema.resource


def recover_attachments(engine: Engine, committer: Committer, files: FileStorage) -> None:
    """One pass, before anything else runs and after the instances; every case is logged."""
    reclaim_detached(engine, committer, files)
    with engine.connect() as connection:
        rows = set(connection.scalars(select(_attachment.c.storage_key)))
    keys = set(files.attachment_keys())
    for key in sorted(keys - rows):
        _resolve(key, committer, files)
    for key in sorted(rows - keys):
        log.error("the file of an attachment is missing", key=key)


def reclaim_detached(engine: Engine, committer: Committer, files: FileStorage) -> int:
    """Remove the files that are noted as detached; answer how many."""
    with engine.connect() as connection:
        keys = connection.scalars(select(_detached.c.storage_key)).all()
    if not keys:
        return 0
    with device_errors():
        for key in keys:
            files.remove(key)
        files.sync_removed(keys)
    committer.commit(
        lambda connection: connection.execute(
            delete(_detached).where(_detached.c.storage_key.in_(keys))
        )
    )
    return len(keys)


def _resolve(key: str, committer: Committer, files: FileStorage) -> None:
    try:
        found = _read(key, files)
    except StoreError as exc:
        log.error("an attachment cannot be entered again", key=key, error=str(exc))
        return
    outcome = committer.commit(lambda connection: _enter(connection, found))
    if outcome is None:
        log.error("an attachment of a resource that does not exist", key=key)
    elif outcome:
        log.warning("entered an attachment without a row again", key=key)
    else:
        files.remove(key)


def _read(key: str, files: FileStorage) -> Attachment:
    digest, size_bytes = hashlib.md5(usedforsecurity=False), 0
    with device_errors(), files.path(key).open("rb") as file:
        for block in uncompressed(file) if is_compressed(key) else blocks(file):
            digest.update(block)
            size_bytes += len(block)
    return Attachment(*attached_to(key), key, size_bytes, digest.hexdigest(), 0)


def _enter(connection: Connection, found: Attachment) -> bool | None:
    """False when something else has its name, None when its resource does not exist."""
    if not connection.scalar(select(exists().where(_resource.c.resource_id == found.resource_id))):
        return None
    named = (_attachment.c.resource_id == found.resource_id, _attachment.c.name == found.name)
    if connection.scalar(select(exists().where(*named))):
        return False
    enter_attachment(connection, found, revision=0)
    return True
