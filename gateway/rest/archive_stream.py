"""Archives as they are made: a zip file in pieces, never whole in memory or on disk."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from gateway.dicom import part10
from gateway.dicom.dicomdir import DirectoryBuilder
from gateway.errors import InstanceUnreadable, TranscodeError
from gateway.logs import logger
from gateway.model import TranscodeOptions
from gateway.ports import Codecs
from gateway.rest.archive_plan import Member
from gateway.store.catalogue import Catalogue
from gateway.store.files import DERIVED, FileStorage

log = logger("rest")

_DIRECTORY_NAME = "DICOMDIR"
_PIECE_BYTES = 1 << 18
# Images get hardly smaller with more: level 6 takes three times as long for 2 percent.
_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Form:
    """What an archive is to be.

    media: with a DICOMDIR; extended: that describes more. transcode: the transfer syntax UID that
    images are put into, where that is possible; None leaves them as they are.
    """

    media: bool
    extended: bool
    transcode: str | None
    options: TranscodeOptions


class InstanceFiles:
    """The files of instances, as stored or transcoded."""

    def __init__(self, catalogue: Catalogue, storage: FileStorage, codecs: Codecs) -> None:
        self._catalogue = catalogue
        self._storage = storage
        self._codecs = codecs

    @contextmanager
    def opened(self, instance_id: str, form: Form) -> Iterator[tuple[BinaryIO, Path] | None]:
        """The file, for as long as it is needed; None when the instance is not there any more."""
        version = self._catalogue.version(instance_id)
        if version is None:
            yield None
            return
        stored = self._storage.path(version.storage_key)
        if form.transcode in (None, version.transfer_syntax_uid):
            with _opened(stored) as file:
                yield file
            return
        staged = self._storage.stage(DERIVED, made_from=instance_id)
        try:
            with _opened(self._transcoded(instance_id, stored, staged.path, form)) as file:
                yield file
        finally:
            staged.discard()

    def _transcoded(self, instance_id: str, stored: Path, target: Path, form: Form) -> Path:
        assert form.transcode is not None
        try:
            self._codecs.transcode(stored, target, [form.transcode], form.options)
        except TranscodeError as error:
            log.warning("instance is archived as stored", instance=instance_id, reason=str(error))
            return stored
        return target


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, Path] | None]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        yield None
        return
    with file:
        yield file, path


def archive_pieces(members: Iterable[Member], files: InstanceFiles, form: Form) -> Iterator[bytes]:
    """A zip file. Instances that have been deleted meanwhile are left out, and logged.

    It has an end only if all went well: whatever is raised here leaves a file without its
    directory, which no program takes for a whole one. Raises OSError.
    """
    sink = _Sink()
    directory = DirectoryBuilder(extended=form.extended) if form.media else None
    with ZipFile(sink, "w") as archive:
        for member in members:
            with files.opened(member.instance_id, form) as found:
                if found is None:
                    log.warning("instance is not archived: gone", instance=member.instance_id)
                    continue
                file, path = found
                for _ in _copied(file, archive, "/".join(member.path)):
                    yield sink.take()
                if directory is not None:
                    _enter(directory, member, path)
        if directory is not None:
            with archive.open(_entry(_DIRECTORY_NAME), "w") as entry:
                entry.write(directory.to_bytes())
    yield sink.take()


class _Sink:
    """The file that zipfile writes: it holds what has not been taken yet, and cannot be sought."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        self._waiting += data
        return len(data)

    def flush(self) -> None:
        """There is nothing to wait for."""

    def close(self) -> None:
        """There is nothing to close."""

    def take(self) -> bytes:
        taken = bytes(self._waiting)
        self._waiting.clear()
        return taken


def _copied(file: BinaryIO, archive: ZipFile, name: str) -> Iterator[None]:
    """Add a file to the archive; stops after each piece of it, and after the last."""
    entry = _entry(name)
    # Tells zipfile whether the entry needs ZIP64: later it could not go back to say so.
    entry.file_size = os.fstat(file.fileno()).st_size
    with archive.open(entry, "w") as target:
        while piece := file.read(_PIECE_BYTES):
            target.write(piece)
            yield
    yield


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name, time.localtime()[:6])
    entry.compress_type = ZIP_DEFLATED
    # It has a public name only since Python 3.13.
    entry._compresslevel = _LEVEL  # type: ignore[attr-defined]
    entry.external_attr = 0o644 << 16
    return entry


def _enter(directory: DirectoryBuilder, member: Member, path: Path) -> None:
    try:
        directory.add(member.path, part10.read_meta(path), part10.read_header(path))
    except InstanceUnreadable as error:
        log.warning(
            "instance is not in the directory of its medium",
            instance=member.instance_id,
            reason=str(error),
        )
