"""Files that clients attach to patients, studies, series and instances.

They are published and synced as instances are. One that is replaced or deleted is noted as detached
in the same transaction; the reclaimer removes it.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Connection, Engine, Row, delete, insert, select, update

from gateway.errors import NotFound, StoreError
from gateway.store import schema
from gateway.store.committer import Committer
from gateway.store.files import FileStorage, StagedFile, device_errors, is_compressed, sync_file
from gateway.store.resource_metadata import Guard
from gateway.store.resources import ChangeKind, detach_files, level_of, log_change

_attachment = schema.attachment
_BLOCK_BYTES = 1 << 18
# A compressed file is its size without compression, in 64 bits, and a zlib stream: as Orthanc's.
_SIZE = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attached file. size_bytes and md5 are those of its content without compression."""

    resource_id: str
    name: str
    storage_key: str
    size_bytes: int
    md5: str
    revision: int


class Attachments:
    """All attachments of one store."""

    def __init__(self, engine: Engine, committer: Committer, files: FileStorage) -> None:
        self._engine = engine
        self._committer = committer
        self._files = files

    def of(self, resource_id: str) -> dict[str, Attachment]:
        """What is attached to a resource, by name."""
        with self._engine.connect() as connection:
            return _of(connection, resource_id)

    def begin(self, resource_id: str, name: str) -> "NewAttachment":
        """Begin to receive a file. Raises StorageFull, StoreError."""
        return NewAttachment(self, resource_id, name)

    def delete(self, resource_id: str, name: str, guard: Guard) -> None:
        """Detach a file. Raises NotFound (the resource, or the file), and what the guard raises."""

        def apply(connection: Connection) -> None:
            level = level_of(connection, resource_id)
            known = _of(connection, resource_id).get(name)
            if known is None:
                raise NotFound(f"there is no attachment {name} of {resource_id}")
            guard(known)
            _detach(connection, known)
            log_change(connection, ChangeKind.UPDATED_ATTACHMENT, level, resource_id)

        self._committer.commit(apply)

    def path(self, attachment: Attachment) -> Path:
        """The file as it is kept."""
        return self._files.path(attachment.storage_key)

    def content(self, attachment: Attachment) -> Iterator[bytes]:
        """The content without compression, by the block. Raises StoreError when it is damaged."""
        with device_errors(), self.path(attachment).open("rb") as file:
            yield from uncompressed(file) if is_compressed(attachment.storage_key) else blocks(file)

    def is_intact(self, attachment: Attachment) -> bool:
        """The file still holds what was attached."""
        digest = hashlib.md5(usedforsecurity=False)
        try:
            for block in self.content(attachment):
                digest.update(block)
        except StoreError:
            return False
        return digest.hexdigest() == attachment.md5

    def keep_compressed(self, attachment: Attachment, *, compressed: bool) -> None:
        """Have the file compressed, or not. Raises StorageFull, StoreError."""
        if is_compressed(attachment.storage_key) == compressed:
            return
        staged = self._files.stage_attachment(
            attachment.resource_id, attachment.name, compressed=compressed
        )
        try:
            with staged.create() as file, device_errors():
                content = self.content(attachment)
                for block in _compress(content, attachment.size_bytes) if compressed else content:
                    file.write(block)
                sync_file(file)
            self._committer.commit(
                lambda connection: _exchange(connection, attachment, staged.key), [staged]
            )
        finally:
            staged.discard()

    def _attach(self, new: Attachment, staged: StagedFile, guard: Guard) -> Attachment:
        def apply(connection: Connection) -> Attachment:
            level = level_of(connection, new.resource_id)
            known = _of(connection, new.resource_id).get(new.name)
            guard(known)
            if known is not None:
                _detach(connection, known)
            entered = enter_attachment(connection, new, 0 if known is None else known.revision + 1)
            log_change(connection, ChangeKind.UPDATED_ATTACHMENT, level, new.resource_id)
            return entered

        return self._committer.commit(apply, [staged])


class NewAttachment:
    """One file on its way in: write(), then keep(); leaving the block without keep() forgets it."""

    def __init__(self, attachments: Attachments, resource_id: str, name: str) -> None:
        self._attachments = attachments
        self._resource_id = resource_id
        self._name = name
        self._staged = attachments._files.stage_attachment(resource_id, name)
        self._digest = hashlib.md5(usedforsecurity=False)
        self._file = self._staged.create()

    def __enter__(self) -> "NewAttachment":
        return self

    def __exit__(self, *exc_info: object) -> None:
        with suppress(OSError):  # closing writes what is buffered, and the device may be full
            self._file.close()
        self._staged.discard()

    def write(self, block: bytes) -> None:
        """Append to the file. Raises StorageFull, StoreError."""
        with device_errors():
            self._file.write(block)
        self._digest.update(block)

    def keep(self, guard: Guard) -> Attachment:
        """Attach it, in place of what has its name; it survives a power cut then.

        Raises NotFound (the resource), StorageFull, StoreError, and what the guard raises.
        """
        sync_file(self._file)
        size_bytes = self._file.tell()
        self._file.close()
        new = Attachment(
            self._resource_id, self._name, self._staged.key, size_bytes, self._digest.hexdigest(), 0
        )
        return self._attachments._attach(new, self._staged, guard)


def enter_attachment(connection: Connection, new: Attachment, revision: int) -> Attachment:
    """Enter a published file."""
    entered = replace(new, revision=revision)
    connection.execute(insert(_attachment), asdict(entered))
    return entered


def blocks(file: BinaryIO) -> Iterator[bytes]:
    """The rest of a file."""
    while block := file.read(_BLOCK_BYTES):
        yield block


def uncompressed(file: BinaryIO) -> Iterator[bytes]:
    """What a compressed file holds. Raises StoreError when it is damaged."""
    file.seek(_SIZE.size)
    inflater = zlib.decompressobj()
    try:
        for block in blocks(file):
            rest = block
            while rest:
                yield inflater.decompress(rest, _BLOCK_BYTES)
                rest = inflater.unconsumed_tail
        yield inflater.flush()
    except zlib.error as exc:
        raise StoreError("a compressed attachment is damaged") from exc
    if not inflater.eof:
        raise StoreError("a compressed attachment is cut off")


def _compress(content: Iterator[bytes], size_bytes: int) -> Iterator[bytes]:
    deflater = zlib.compressobj()
    yield _SIZE.pack(size_bytes)
    for block in content:
        yield deflater.compress(block)
    yield deflater.flush()


def _of(connection: Connection, resource_id: str) -> dict[str, Attachment]:
    rows = connection.execute(
        select(_attachment)
        .where(_attachment.c.resource_id == resource_id)
        .order_by(_attachment.c.name)
    )
    return {row.name: _as_attachment(row) for row in rows}


def _as_attachment(row: Row[Any]) -> Attachment:
    return Attachment(
        row.resource_id, row.name, row.storage_key, row.size_bytes, row.md5, row.revision
    )


def _detach(connection: Connection, known: Attachment) -> None:
    this = _attachment.c.storage_key == known.storage_key
    detach_files(connection, this)
    connection.execute(delete(_attachment).where(this))


def _exchange(connection: Connection, known: Attachment, storage_key: str) -> None:
    """Let an attachment have another file of the same content, if it is still the same."""
    changed = connection.execute(
        update(_attachment)
        .where(_attachment.c.storage_key == known.storage_key)
        .values(storage_key=storage_key)
    ).rowcount
    needless = known.storage_key if changed else storage_key
    connection.execute(insert(schema.detached_file), {"storage_key": needless})
