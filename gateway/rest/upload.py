"""POST /instances: DICOM files that clients send, one or many, streamed into the store."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Protocol
from zipfile import BadZipFile, ZipFile, ZipInfo

from werkzeug import Request, Response
from werkzeug.exceptions import RequestEntityTooLarge

from gateway.dicom.identifiers import resource_ids
from gateway.errors import (
    DuplicateRefused,
    FilteredOut,
    FilterFailed,
    IdentifierMissing,
    InstanceMismatch,
    InstanceUnreadable,
    LoopNoticed,
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
from gateway.work.receiving import IncomingFile, written

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
    file = IncomingFile(_pieces(body))
    if file.head.startswith(_ZIP_BEGINNINGS):
        return _receive_archive(services, file.pieces(), origin)
    if not file.head:
        raise ApiError(Fault.BAD_FILE_FORMAT, "Received an empty DICOM file")
    try:
        return _receive_file(services, file, origin)
    except LoopNoticed as loop:
        raise ApiError(Fault.LOOP, str(loop)) from None
    except IdentifierMissing:
        raise ApiError(Fault.INEXISTENT_TAG) from None
    except (InstanceUnreadable, InstanceMismatch):
        problem = f"Cannot parse an invalid DICOM file (size: {file.count()} bytes)"
        raise ApiError(Fault.BAD_FILE_FORMAT, problem) from None
    except StorageFull:
        raise ApiError(Fault.FULL_STORAGE) from None


def _pieces(body: Readable) -> Iterator[bytes]:
    while piece := body.read(_CHUNK_BYTES):
        yield piece


def _receive_file(services: Services, file: IncomingFile, origin: Origin) -> dict[str, str]:
    """Raises InstanceUnreadable, InstanceMismatch, StorageFull, StoreError, ApiError."""
    with written(services.ingest, file, origin) as arrival:
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
    except LoopNoticed as loop:
        raise ApiError(Fault.LOOP, str(loop)) from None
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
        return [_receive_file(services, IncomingFile(_pieces(body)), origin)]


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
