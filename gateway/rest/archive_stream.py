"""Archives as they are made: a zip file in pieces, never whole in memory or on disk."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from gateway.dicom import part10
from gateway.dicom.dicomdir import DirectoryBuilder
from gateway.errors import InstanceUnreadable
from gateway.logs import logger
from gateway.rest.archive_plan import Member
from gateway.rest.instance_files import InstanceFiles, Wanted

log = logger("rest")

_DIRECTORY_NAME = "DICOMDIR"
_PIECE_BYTES = 1 << 18
# Images get hardly smaller with more: level 6 takes three times as long for 2 percent.
_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Form:
    """What an archive is to be.

    media: with a DICOMDIR; extended: that describes more.
    """

    media: bool
    extended: bool
    wanted: Wanted


def archive_pieces(
    members: Sequence[Member],
    files: InstanceFiles,
    form: Form,
    progress: Callable[[int], None] = lambda done: None,
) -> Iterator[bytes]:
    """A zip file. Instances that have been deleted meanwhile are left out, and logged.

    progress: called with the number of members that are done. The zip file has an end only if all
    went well: whatever is raised here leaves one without its directory, which no program takes for
    whole. Raises OSError.
    """
    sink = _Sink()
    directory = DirectoryBuilder(extended=form.extended) if form.media else None
    opened = files.each((member.instance_id for member in members), form.wanted)
    with closing(opened), ZipFile(sink, "w") as archive:
        for done, (member, found) in enumerate(zip(members, opened, strict=True)):
            progress(done)
            if found is None:
                log.warning("instance is not archived: gone", instance=member.instance_id)
                continue
            for _ in _copied(found.file, archive, "/".join(member.path)):
                yield sink.take()
            if directory is not None:
                _enter(directory, member, found.path)
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
