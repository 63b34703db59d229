"""POST /instances: DICOM files that clients send, one or many, streamed into the store."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Protocol
from zipfile import BadZipFile, ZipFile, ZipInfo

from werkzeug import Request, Response
from werkzeug.exceptions import RequestEntityTooLarge

from gateway.dicom import syntaxes
from gateway.dicom.identifiers import resource_ids
from gateway.dicom.incoming import HEAD_BYTES, Follower, look_at
from gateway.errors import (
    DuplicateRefused,
    FilteredOut,
    FilterFailed,
    IdentifierMissing,
    InstanceMismatch,
    InstanceUnreadable,
    StorageFull,
)
from gateway.logs import logger
from gateway.model import Identifiers, Level, Origin
from gateway.rest.answers import json_answer, text_answer
from gateway.rest.application import origin_of
from gateway.rest.errors import ApiError, Fault, fault_of_filter
from gateway.rest.expanded import path_of
from gateway.rest.services import Services
from gateway.store.files import RECEIVED, device_errors

log = logger("rest")
_ALREADY_STORED = "AlreadyStored"
_CHUNK_BYTES = 1 << 18
_ZIP_BEGINNINGS = (b"PK\x03\x04", b"PK\x05\x06")
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
# What is wrong with one member of an archive: damage, a password, a method that nobody knows.
_UNREADABLE_MEMBER = (BadZipFile, RuntimeError, NotImplementedError, EOFError, zlib.error)


class Readable(Protocol):
    """Where a body comes from."""

    def read(self, size: int, /) -> bytes: ...


def upload(services: Services, request: Request) -> Response:
    """Store a DICOM file, or those in a zip archive or a form. Raises ApiError.

    The answer to a form is empty, as Orthanc's is: it comes from a page with a file dialogue.
    """
    origin = origin_of(request)
    if request.mimetype == "multipart/form-data":
        with request:  # which closes the temporary files of its parts
            for _, part in request.files.items(multi=True):
                receive(services, part.stream, origin)
        return text_answer("")
    most_bytes = services.settings.http.maximum_body_mb << 20
    return json_answer(receive(services, _decoded(request, most_bytes), origin))


def receive(services: Services, body: Readable, origin: Origin) -> Any:
    """Store what a body holds; what Orthanc says of it: an object for a file, a list for a zip.

    Raises ApiError.
    """
    rest = _Rest(body)
    if rest.head.startswith(_ZIP_BEGINNINGS):
        return _receive_archive(services, rest.pieces(), origin)
    if not rest.head:
        raise ApiError(Fault.BAD_FILE_FORMAT, "Received an empty DICOM file")
    try:
        return _receive_file(services, rest, origin)
    except IdentifierMissing:
        raise ApiError(Fault.INEXISTENT_TAG) from None
    except (InstanceUnreadable, InstanceMismatch):
        problem = f"Cannot parse an invalid DICOM file (size: {rest.count()} bytes)"
        raise ApiError(Fault.BAD_FILE_FORMAT, problem) from None
    except StorageFull:
        raise ApiError(Fault.FULL_STORAGE) from None


class _Rest:
    """A body of which the beginning has been looked at."""

    def __init__(self, body: Readable) -> None:
        self._body = body
        self.head = b"".join(_pieces(body, HEAD_BYTES))
        self._size_bytes = len(self.head)

    def pieces(self, offset: int = 0) -> Iterator[bytes]:
        """All of it from `offset`, which is in the head."""
        yield self.head[offset:]
        for piece in _pieces(self._body):
            self._size_bytes += len(piece)
            yield piece

    def count(self) -> int:
        """Read to the end; how many bytes there were."""
        for _ in self.pieces():
            pass
        return self._size_bytes


def _pieces(body: Readable, at_most: int | None = None) -> Iterator[bytes]:
    left = at_most
    while left is None or left > 0:
        piece = body.read(_CHUNK_BYTES if left is None else min(left, _CHUNK_BYTES))
        if not piece:
            return
        if left is not None:
            left -= len(piece)
        yield piece


def _receive_file(services: Services, rest: _Rest, origin: Origin) -> dict[str, str]:
    """Raises InstanceUnreadable, InstanceMismatch, StorageFull, StoreError, ApiError."""
    meta = look_at(rest.head)
    follower = Follower(syntaxes.by_uid(meta.transfer_syntax_uid))
    with services.ingest.begin(
        sop_class_uid=meta.sop_class_uid,
        sop_instance_uid=meta.sop_instance_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        origin=origin,
    ) as arrival:
        for piece in rest.pieces(meta.data_set_offset):
            arrival.write(piece)
            follower.feed(piece)
        if not follower.is_whole:
            raise InstanceUnreadable("the data set is cut off")
        try:
            arrival.keep()
        except DuplicateRefused:
            status = _ALREADY_STORED
        except FilteredOut:
            status = "FilteredOut"
        except FilterFailed as failed:
            raise ApiError(fault_of_filter(failed), str(failed)) from failed
        else:
            status = _ALREADY_STORED if arrival.was_known else "Success"
        return _answer(arrival.identifiers, status)


def _receive_archive(
    services: Services, pieces: Iterable[bytes], origin: Origin
) -> list[dict[str, str]]:
    """What is no DICOM file is left out. An archive is read from its end: it needs a file."""
    staged = services.store.files.stage(RECEIVED)
    try:
        with staged.create() as file:
            with device_errors():
                file.writelines(pieces)
            return _receive_members(services, file, origin)
    except StorageFull:
        raise ApiError(Fault.FULL_STORAGE) from None
    finally:
        staged.discard()


def _receive_members(services: Services, file: BinaryIO, origin: Origin) -> list[dict[str, str]]:
    try:
        archive = ZipFile(file)
    except BadZipFile:
        problem = "Cannot open ZIP archive from memory buffer"
        raise ApiError(Fault.BAD_FILE_FORMAT, problem) from None
    answers = []
    with archive:
        for member in archive.infolist():
            try:
                answers += _receive_member(services, archive, member, origin)
            except (InstanceUnreadable, InstanceMismatch, *_UNREADABLE_MEMBER) as exc:
                log.info("a member of an archive is left out", reason=type(exc).__name__)
    return answers


def _receive_member(
    services: Services, archive: ZipFile, member: ZipInfo, origin: Origin
) -> list[dict[str, str]]:
    if member.is_dir() or not member.file_size:
        return []
    with archive.open(member) as body:
        return [_receive_file(services, _Rest(body), origin)]


def _answer(identifiers: Identifiers, status: str) -> dict[str, str]:
    ids = resource_ids(identifiers)
    return {
        "ID": ids[Level.INSTANCE],
        "ParentPatient": ids[Level.PATIENT],
        "ParentSeries": ids[Level.SERIES],
        "ParentStudy": ids[Level.STUDY],
        "Path": path_of(Level.INSTANCE, ids[Level.INSTANCE]),
        "Status": status,
    }


def _decoded(request: Request, most_bytes: int) -> Readable:
    """The body without its Content-Encoding. most_bytes: 0 for no limit."""
    if request.headers.get("Content-Encoding", "").lower() == "gzip":
        return _Gunzipped(request.stream, most_bytes)
    return request.stream


class _Gunzipped:
    """Inflates as it is read, never more than is asked for.

    Raises ApiError; RequestEntityTooLarge when the limit of bodies is passed in disguise.
    """

    def __init__(self, body: Readable, most_bytes: int) -> None:
        self._body = body
        self._most_bytes = most_bytes
        self._read_bytes = 0
        self._inflater = zlib.decompressobj(_GZIP_WINDOW)

    def read(self, size: int, /) -> bytes:
        """Up to so many bytes; none at the end."""
        try:
            piece = self._inflated(size)
        except zlib.error:
            raise ApiError(Fault.BAD_FILE_FORMAT, "the body is not gzip") from None
        self._read_bytes += len(piece)
        if self._most_bytes and self._read_bytes > self._most_bytes:
            raise RequestEntityTooLarge
        return piece

    def _inflated(self, size: int) -> bytes:
        while not self._inflater.eof:
            coded = self._inflater.unconsumed_tail or self._body.read(_CHUNK_BYTES)
            piece = self._inflater.decompress(coded, size)
            if piece:
                return piece
            if not coded:
                raise ApiError(Fault.BAD_FILE_FORMAT, "the gzip body is cut off")
        return b""
