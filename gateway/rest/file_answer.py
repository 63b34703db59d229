"""Answers that are files: streamed, whole or in part."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from werkzeug import Request, Response
from werkzeug.wsgi import FileWrapper

_CHUNK_BYTES = 1 << 18
_NOT_MODIFIED = 304


class _FileToItsEnd(FileWrapper):
    """Blocks of a file, which is closed behind the last one: scripts do not close answers."""

    def __next__(self) -> bytes:
        try:
            return super().__next__()
        except StopIteration:
            self.close()
            raise


def whole_file(path: Path, media_type: str) -> Response:
    """A file, which is opened at once and needs no name any more. Raises FileNotFoundError."""
    file = path.open("rb")
    response = Response(_FileToItsEnd(file, _CHUNK_BYTES), content_type=media_type)
    response.content_length = os.fstat(file.fileno()).st_size
    return response


def file_answer(request: Request, path: Path, media_type: str, *, name: str, tag: str) -> Response:
    """A file that does not change. name: for those who save it; tag: tells it from all others.

    It is opened at once. Raises FileNotFoundError; RequestedRangeNotSatisfiable.
    """
    response = whole_file(path, media_type)
    size_bytes = response.content_length
    response.headers["Content-Disposition"] = f'filename="{name}"'
    response.set_etag(tag)
    try:
        response.make_conditional(request, accept_ranges=True, complete_length=size_bytes)
    except BaseException:
        response.close()
        raise
    if response.status_code == _NOT_MODIFIED:
        response.close()
    return response


def slice_of(path: Path, offset: int, length: int) -> Iterator[bytes]:
    """A part of a file, by the block; it is opened at once. Raises FileNotFoundError."""
    return _blocks(path.open("rb"), offset, length)


def _blocks(file: BinaryIO, offset: int, length: int) -> Iterator[bytes]:
    with file:
        file.seek(offset)
        while length and (block := file.read(min(length, _CHUNK_BYTES))):
            length -= len(block)
            yield block
