"""File storage: immutable files under keys that we make, never under a name from the wire.

A key begins with a letter for what it holds and twelve hex digits of its time, in milliseconds. The
two levels of folders are cut from the time: files that arrive together share a folder, so that
one sync of the folder serves many of them, and old folders empty out as a whole. The key of a
derived file ends with the instance that it was made from, that of a received one that was
transcoded on arrival with the SHA-256 of what came: what is in it may be another one, because
a lossy result has a SOP Instance UID of its own. The key of an attachment ends with what it is
attached to, and as what. Attachments have a place of their own: nothing in them says what they are.
"""

import errno
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gateway.errors import StorageFull, StoreError

RECEIVED = "r"
DERIVED = "d"
ATTACHED = "a"
ATTACHED_COMPRESSED = "z"
_ATTACHMENTS = (ATTACHED, ATTACHED_COMPRESSED)
_SUFFIX = ".dcm"
_ATTACHMENT_SUFFIX = ".bin"
_MADE_FROM = "-"
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def made_from(key: str) -> str:
    """The id of the instance that a derived file was made from, "" for a received one."""
    return key.partition(_MADE_FROM)[2]


def content_sha256_of(key: str) -> str:
    """What was received, where a received file was transcoded before it was kept; else ""."""
    return key.partition(_MADE_FROM)[2] if key.startswith(RECEIVED) else ""


def attached_to(key: str) -> tuple[str, str]:
    """The id of the resource that an attachment belongs to, and its name there."""
    resource_id, _, name = key.partition(_MADE_FROM)[2].rpartition(_MADE_FROM)
    return resource_id, name


def is_compressed(key: str) -> bool:
    """An attachment is kept compressed."""
    return key.startswith(ATTACHED_COMPRESSED)


@contextmanager
def device_errors() -> Iterator[None]:
    """Turn what the operating system says of the device into the store's own errors."""
    try:
        yield
    except OSError as exc:
        if exc.errno in _NO_ROOM:
            raise StorageFull(f"no room on the storage device: {exc.strerror}") from exc
        raise StoreError(f"the storage device failed: {exc}") from exc


class StagedFile:
    """A file that is being written; it has a place in the storage only once it is published."""

    def __init__(self, key: str, path: Path) -> None:
        self.key = key
        self.path = path

    def create(self) -> BinaryIO:
        """Open it for writing and reading. Raises StorageFull, StoreError."""
        with device_errors():
            return self.path.open("w+b", buffering=1 << 18)

    def discard(self) -> None:
        """Forget it."""
        self.path.unlink(missing_ok=True)


class FileStorage:
    """All files of one gateway below one folder of one file system."""

    def __init__(self, folder: Path) -> None:
        self._incoming = folder / "incoming"
        self._files = folder / "files"
        self._attachments = folder / "attachments"
        for made in (self._incoming, self._files, self._attachments):
            made.mkdir(parents=True, exist_ok=True)
        _sync_folder(folder)
        # No folder may go, because it is empty, between its making and the first file in it.
        self._folders = threading.Lock()

    def stage(self, kind: str, *, made_from: str = "") -> StagedFile:
        """A new staged file. kind: RECEIVED or DERIVED; made_from: the end of its key."""
        key = f"{kind}{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
        if made_from:
            key += f"{_MADE_FROM}{made_from}"
        return StagedFile(key, self._incoming / (key + _SUFFIX))

    def stage_attachment(
        self, resource_id: str, name: str, *, compressed: bool = False
    ) -> StagedFile:
        """A new staged file that will be attached to a resource."""
        kind = ATTACHED_COMPRESSED if compressed else ATTACHED
        return self.stage(kind, made_from=f"{resource_id}{_MADE_FROM}{name}")

    def path(self, key: str) -> Path:
        """Where the published file with this key is."""
        if key.startswith(_ATTACHMENTS):
            return self._attachments / key[1:7] / key[7:9] / (key + _ATTACHMENT_SUFFIX)
        return self._files / key[1:7] / key[7:9] / (key + _SUFFIX)

    def publish(self, staged: Iterable[StagedFile]) -> None:
        """Move staged, synced files to their places and sync each folder once.

        Raises StorageFull, StoreError; then some may have been moved: publish() again finds them
        where they belong.
        """
        with device_errors():
            folders = set()
            with self._folders:
                for file in staged:
                    target = self.path(file.key)
                    if target.parent not in folders:
                        self._make_folder(target.parent)
                        folders.add(target.parent)
                    _move(file.path, target)
            for folder in folders:
                _sync_folder(folder)

    def remove(self, key: str) -> None:
        """Remove a published file. No error if it is gone."""
        path = self.path(key)
        path.unlink(missing_ok=True)
        with self._folders:
            for folder in (path.parent, path.parent.parent):
                try:
                    folder.rmdir()
                except OSError:
                    return  # not empty, or somebody else removed it

    def sync_removed(self, keys: Iterable[str]) -> None:
        """Have removals survive a power cut: a file that came back would be an arrival again."""
        folders = {self.path(key).parent for key in keys}
        with self._folders:
            for folder in {_nearest(folder) for folder in folders}:
                _sync_folder(folder)

    def keys(self) -> Iterator[str]:
        """The keys of all published files of instances."""
        for path in self._files.glob(f"*/*/*{_SUFFIX}"):
            yield path.name.removesuffix(_SUFFIX)

    def attachment_keys(self) -> Iterator[str]:
        """The keys of all published attachments."""
        for path in self._attachments.glob(f"*/*/*{_ATTACHMENT_SUFFIX}"):
            yield path.name.removesuffix(_ATTACHMENT_SUFFIX)

    def clear_staged(self) -> int:
        """Remove what a crash left half-written; answer how many that were.

        Codec processes keep folders there for what is on its way to a file.
        """
        left = list(self._incoming.iterdir())
        for path in left:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return len(left)

    def free_bytes(self) -> int:
        """Room on the device for us. Raises StoreError."""
        with device_errors():
            return shutil.disk_usage(self._files).free

    def _make_folder(self, folder: Path) -> None:
        # A folder that could vanish with a power cut takes its files along: sync its parents too.
        if folder.is_dir():
            return
        folder.mkdir(parents=True, exist_ok=True)
        _sync_folder(folder.parent)
        _sync_folder(folder.parent.parent)


def sync_file(file: BinaryIO) -> None:
    """Bring the contents to the device. Raises StorageFull, StoreError."""
    with device_errors():
        file.flush()
        os.fdatasync(file.fileno())


def _move(staged: Path, target: Path) -> None:
    try:
        staged.rename(target)
    except FileNotFoundError:
        if not target.exists():  # else it was moved by an earlier, failed call
            raise


def _nearest(folder: Path) -> Path:
    """The folder, or the first above it that exists."""
    while not folder.exists():
        folder = folder.parent
    return folder


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
