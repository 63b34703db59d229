"""The two kinds of attachments, seen alike: the DICOM file of an instance, and files of clients."""

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from gateway.model import Version
from gateway.rest.expanded import file_uuid
from gateway.rest.numbered import ATTACHMENTS
from gateway.store.attachments import Attachment, Attachments, blocks
from gateway.store.files import is_compressed
from gateway.store.integrity import is_intact
from gateway.store.opened import Store


class AttachedFile(Protocol):
    """What can be asked of an attachment. stored: as it is on the disk, compressed or not.

    tag: changes with the content; revision: how often it was replaced.
    """

    @property
    def number(self) -> int: ...
    @property
    def uuid(self) -> str: ...
    @property
    def file_name(self) -> str: ...
    @property
    def media_type(self) -> str: ...
    @property
    def revision(self) -> int: ...
    @property
    def tag(self) -> str: ...
    @property
    def md5(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def is_compressed(self) -> bool: ...
    @property
    def stored_md5(self) -> str: ...
    @property
    def stored_bytes(self) -> int: ...

    def content(self) -> Iterator[bytes]:
        """Without compression, by the block."""

    def stored(self) -> Iterator[bytes]:
        """As it is on the disk, by the block."""

    def is_intact(self) -> bool:
        """It is still what it was."""

    def keep_compressed(self, *, compressed: bool) -> None:
        """Have it compressed on the disk, or not."""


class DicomFile:
    """The file of an instance. It is never compressed as a whole: it may be inside."""

    number = ATTACHMENTS["dicom"]
    media_type = "application/dicom"
    revision = 0
    is_compressed = False

    def __init__(self, version: Version, store: Store) -> None:
        self._version, self._store = version, store
        self._path = store.files.path(version.storage_key)
        self.uuid = file_uuid(version.storage_key)
        self.file_name = f"{self.uuid}.dcm"
        self.size_bytes = self.stored_bytes = version.size_bytes
        # Files do not change, so that their names tell contents apart, without reading them.
        self.tag = self.uuid.replace("-", "")

    @property
    def md5(self) -> str:
        """Of the file."""
        return _md5_of(self._path)

    stored_md5 = md5

    def content(self) -> Iterator[bytes]:
        """See AttachedFile."""
        return _blocks_of(self._path)

    stored = content

    def is_intact(self) -> bool:
        """See AttachedFile."""
        return is_intact(self._store.engine, self._store.files, self._version)

    def keep_compressed(self, *, compressed: bool) -> None:
        """Nothing: other parts of the gateway read it as it is."""


class UserFile:
    """A file that a client attached."""

    def __init__(self, attached: Attachment, attachments: Attachments, media_type: str) -> None:
        self._attached = attached
        self._attachments = attachments
        self._path = attachments.path(attached)
        self.media_type = media_type
        self.number = int(attached.name)
        self.uuid = self.file_name = file_uuid(attached.storage_key)
        self.revision = attached.revision
        self.md5 = self.tag = attached.md5
        self.size_bytes = attached.size_bytes
        self.is_compressed = is_compressed(attached.storage_key)

    @property
    def stored_md5(self) -> str:
        """Of the file on the disk."""
        return _md5_of(self._path) if self.is_compressed else self.md5

    @property
    def stored_bytes(self) -> int:
        """Of the file on the disk."""
        return self._path.stat().st_size if self.is_compressed else self.size_bytes

    def content(self) -> Iterator[bytes]:
        """See AttachedFile."""
        return self._attachments.content(self._attached)

    def stored(self) -> Iterator[bytes]:
        """See AttachedFile."""
        return _blocks_of(self._path)

    def is_intact(self) -> bool:
        """See AttachedFile."""
        return self._attachments.is_intact(self._attached)

    def keep_compressed(self, *, compressed: bool) -> None:
        """See AttachedFile."""
        self._attachments.keep_compressed(self._attached, compressed=compressed)


def _blocks_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from blocks(file)


@lru_cache(maxsize=4096)
def _md5_of(path: Path) -> str:
    """Files do not change: each is read once."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
