"""Frames as they are stored, and the content of single elements of a data set."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pydicom import Dataset
from werkzeug import Request, Response

from gateway.codecs.stored import elements_behind_pixels, stored_frames, stored_pieces
from gateway.dicom import syntaxes
from gateway.dicom.content import look_up, name_of, names_of, position
from gateway.dicom.part10 import read_to_pixels
from gateway.errors import NotFound, TranscodeError, UnknownTag
from gateway.model import TranscodeOptions
from gateway.rest.answers import json_answer
from gateway.rest.errors import ApiError, Fault, UnknownId
from gateway.rest.file_answer import slice_of
from gateway.rest.lookup import version_of
from gateway.rest.routes import Route
from gateway.rest.services import Services
from gateway.rest.tags import tag_in_request
from gateway.store.files import DERIVED

_BYTES = "application/octet-stream"
# Of codestreams that browsers, or viewers, know by themselves; other frames are only bytes.
_MEDIA_TYPES = {
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
}


def pixel_routes(services: Services) -> tuple[Route, ...]:
    """/frames and /content."""
    one = "/instances/<resource_id>"
    return (
        Route("GET", f"{one}/frames", partial(_frames, services)),
        Route("GET", f"{one}/frames/<frame>/raw", partial(_raw, services)),
        Route("GET", f"{one}/frames/<frame>/raw.gz", partial(_raw_gz, services)),
        Route("GET", f"{one}/content", partial(_content, services)),
        Route("GET", f"{one}/content/<path:path>", partial(_content, services)),
    )


def _frames(services: Services, request: Request, resource_id: str) -> Response:
    with _opened(services, resource_id) as path, stored_frames(path) as frames:
        return json_answer(list(range(frames.count if frames else 0)))


def _raw(services: Services, request: Request, resource_id: str, frame: str) -> Response:
    data, media_type = _frame(services, resource_id, frame)
    return Response(data, content_type=media_type)


def _raw_gz(services: Services, request: Request, resource_id: str, frame: str) -> Response:
    data, _ = _frame(services, resource_id, frame)
    return Response(gzip.compress(data, mtime=0), content_type="application/gzip")


def _frame(services: Services, instance_id: str, number: str) -> tuple[bytes, str]:
    """A frame, and its media type. Raises ApiError."""
    with _opened(services, instance_id) as path, stored_frames(path) as frames:
        if frames is None:
            raise ApiError(Fault.INEXISTENT_ITEM, "the instance has no frames")
        index = position(number, frames.count)
        if index is None:
            raise ApiError(Fault.OUT_OF_RANGE)
        return frames.read(index), _MEDIA_TYPES.get(frames.syntax_uid, _BYTES)


def _content(services: Services, request: Request, resource_id: str, path: str = "") -> Response:
    steps = [step for step in path.split("/") if step]
    first = tag_in_request(steps[0]) if steps else None
    version = version_of(services, resource_id)
    dataset, pixels = read_to_pixels(services.store.files.path(version.storage_key))
    if pixels is not None and first is not None and first == pixels:
        return _pixel_content(services, resource_id, steps[1:])
    if pixels is not None and (first is None or first > pixels):
        behind = _elements_behind_pixels(services, resource_id)
        if first is None:
            return json_answer([*names_of(dataset), name_of(pixels), *names_of(behind)])
        dataset = behind
    return _found(dataset, steps)


def _found(dataset: Dataset, steps: list[str]) -> Response:
    try:
        found = look_up(dataset, steps)
    except NotFound:
        raise UnknownId from None
    except UnknownTag as exc:
        raise ApiError(Fault.UNKNOWN_TAG, str(exc)) from None
    if isinstance(found, bytes):
        return Response(found, content_type=_BYTES)
    return json_answer(found)


def _elements_behind_pixels(services: Services, instance_id: str) -> Dataset:
    with _opened(services, instance_id) as path:
        return elements_behind_pixels(path)


def _pixel_content(services: Services, instance_id: str, steps: list[str]) -> Response:
    """The numbers of the pieces of Pixel Data, or one of them, streamed."""
    with _opened(services, instance_id) as path:
        pieces = stored_pieces(path)
        if not steps:
            return json_answer([str(number) for number in range(len(pieces))])
        number, *beyond = steps
        index = position(number, len(pieces))
        if beyond or index is None:
            raise UnknownId
        piece = pieces[index]
        content = slice_of(path, piece.offset, piece.length)
        response = Response(content, content_type=_BYTES)
        response.content_length = piece.length
        return response


@contextmanager
def _opened(services: Services, instance_id: str) -> Iterator[Path]:
    """The file of an instance, without deflation. Raises ApiError."""
    version = version_of(services, instance_id)
    stored = services.store.files.path(version.storage_key)
    try:
        if not syntaxes.by_uid(version.transfer_syntax_uid).is_deflated:
            yield stored
            return
        staged = services.store.files.stage(DERIVED, made_from=instance_id)
        try:
            options = TranscodeOptions()
            services.codecs.transcode(stored, staged.path, [syntaxes.EXPLICIT_LE.uid], options)
            yield staged.path
        finally:
            staged.discard()
    except TranscodeError as error:
        raise ApiError(Fault.INTERNAL, str(error)) from error
