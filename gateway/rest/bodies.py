"""Bodies of requests, read from the connection as their handler asks for them.

Standard: RFC 9112 section 6.
"""

import io
import re
from abc import abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING

from werkzeug.exceptions import BadRequest, ClientDisconnected, HTTPException, RequestEntityTooLarge

from gateway.rest.pace import Reader

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_LONGEST_LINE = 4096
_MOST_TRAILERS = 100
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[^\r\n]*)?\r?\n")
_DISCARD_BYTES = 64 * 1024


class Body(io.RawIOBase):
    """What a WSGI application reads. Raises werkzeug's HTTP errors for what is wrong with it."""

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self._reader = reader
        self._is_broken = False
        self.is_read = False

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Some of it, or 0 at its end. Raises ClientDisconnected and others."""
        view = memoryview(buffer).cast("B")
        try:
            data = b"" if self.is_read else self._read(len(view))
        except OSError:
            self._is_broken = True
            raise ClientDisconnected from None
        except HTTPException:
            self._is_broken = True
            raise
        view[: len(data)] = data
        return len(data)

    def discard(self, most: int) -> bool:
        """Read on to the end; False when that is further than so many bytes, or never comes."""
        with suppress(HTTPException):
            while not (self.is_read or self._is_broken) and most > 0:
                most -= len(self.read(_DISCARD_BYTES) or b"")
        return self.is_read

    @abstractmethod
    def _read(self, size: int) -> bytes:
        """Up to so many bytes, above 0; none only at the end, and then `is_read` is set."""

    def _received(self, size: int) -> bytes:
        """Raises ClientDisconnected: there has to be more."""
        data = self._reader.read(size)
        if not data:
            raise ClientDisconnected
        return data


class SizedBody(Body):
    """One whose length was said in advance."""

    def __init__(self, reader: Reader, length: int) -> None:
        super().__init__(reader)
        self._left = length
        self.is_read = length == 0

    def _read(self, size: int) -> bytes:
        data = self._received(min(size, self._left))
        self._left -= len(data)
        self.is_read = self._left == 0
        return data


class ChunkedBody(Body):
    """One that comes in chunks, until an empty one."""

    def __init__(self, reader: Reader, limit: int) -> None:
        """limit: bytes altogether; 0 for none."""
        super().__init__(reader)
        self._limit = limit
        self._received_bytes = 0
        self._left_of_chunk = 0

    def _read(self, size: int) -> bytes:
        if not self._left_of_chunk:
            self._begin_chunk()
        if self.is_read:
            return b""
        data = self._received(min(size, self._left_of_chunk))
        self._left_of_chunk -= len(data)
        if not self._left_of_chunk and self._line().strip(b"\r\n"):
            raise BadRequest("a chunk is longer than it said")
        return data

    def _begin_chunk(self) -> None:
        head = _CHUNK.fullmatch(self._line())
        if not head:
            raise BadRequest("the body is not made of chunks")
        self._left_of_chunk = int(head[1], 16)
        self._received_bytes += self._left_of_chunk
        if self._limit and self._received_bytes > self._limit:
            raise RequestEntityTooLarge
        if not self._left_of_chunk:
            self._read_trailers()
            self.is_read = True

    def _read_trailers(self) -> None:
        for _ in range(_MOST_TRAILERS):
            if not self._line().strip(b"\r\n"):
                return
        raise BadRequest("too many trailers")

    def _line(self) -> bytes:
        line = self._reader.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise ClientDisconnected
        return line
