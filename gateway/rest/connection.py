"""One client's connection and its requests: cheroot's, stricter, and with patience of our own.

Two parties that read the same bytes as different requests can be played off against each other, and
a proxy may be one of them: whatever can be read in two ways is refused (RFC 9112 sections 5 and 6).
"""

import re
import select
import socket
import ssl
import time
from contextlib import suppress
from typing import Any

from cheroot.server import HTTPConnection, HTTPRequest

from gateway.rest.bodies import Body, ChunkedBody, SizedBody
from gateway.rest.pace import Patience, Reader, Writer

_HEADER = re.compile(rb"([!#$%&'*+.^`|~0-9A-Za-z-]+):[ \t]*([^\0\r\n]*?)[ \t]*\r\n")
_ONCE = (b"Content-Length", b"Transfer-Encoding", b"Host", b"Authorization", b"Content-Type")
# Of a body that nobody wants, so much is read, for the sake of the connection; more closes it.
_DISCARDED_BYTES = 256 * 1024
# How long a client that is told off in the middle of its request has to read the answer.
_PARTING_S = 2.0


class Request(HTTPRequest):
    """A request, and its answer."""

    rfile: Any

    def header_reader(self, lines: Any, headers: dict[bytes, bytes]) -> dict[bytes, bytes]:
        """Read the headers. Raises ValueError, for which cheroot answers 400."""
        while (line := lines.readline()) != b"\r\n":
            header = _HEADER.fullmatch(line)
            if not header:
                raise ValueError("Malformed header")
            name, value = header[1].title(), header[2]
            if name in headers:
                if name in _ONCE:
                    raise ValueError(f"{name.decode()} is given twice")
                value = headers[name] + b", " + value
            headers[name] = value
        self._check_length(headers)
        return headers

    def _check_length(self, headers: dict[bytes, bytes]) -> None:
        length = headers.get(b"Content-Length")
        if length is not None and not re.fullmatch(rb"[0-9]{1,18}", length):
            raise ValueError("Malformed Content-Length")
        if b"Transfer-Encoding" not in headers:
            return
        if length is not None:
            raise ValueError("The length of the body is given in two ways")
        if self.response_protocol != "HTTP/1.1":
            raise ValueError("Transfer-Encoding is of HTTP/1.1")

    def respond(self) -> None:
        """Call the application, which reads the body as it comes."""
        self.rfile = self._body()
        with self.conn.wfile.gathering():
            self.server.gateway(self).respond()
            if self.ready:
                self.ensure_headers_sent()
            if self.chunked_write:
                self.conn.wfile.write(b"0\r\n\r\n")

    def _body(self) -> Body:
        reader = self.conn.rfile
        if self.chunked_read:
            return ChunkedBody(reader, self.server.max_request_body_size)
        return SizedBody(reader, int(self.inheaders.get(b"Content-Length", 0)))

    def send_headers(self) -> None:
        """Send them when the body is out of the way, or close the connection after the answer."""
        if not self.rfile.discard(_DISCARDED_BYTES):
            self.close_connection = self.conn.is_cut_short = True
        super().send_headers()

    def simple_response(self, status: str, msg: str = "") -> None:
        """Refuse what is no request; we do not know where another one would begin."""
        self.close_connection = self.conn.is_cut_short = True
        super().simple_response(status, msg)


class Connection(HTTPConnection):
    """A client. is_cut_short: it may still be sending, and we do not listen any more."""

    RequestHandlerClass = Request

    def __init__(self, server: Any, connected: socket.socket, makefile: Any) -> None:
        self._patience = Patience(connected)
        self._is_greeted = not isinstance(connected, ssl.SSLSocket)
        self.is_cut_short = False
        super().__init__(server, connected, self._end_of)
        self._poll = select.poll()
        self._poll.register(connected, select.POLLIN)

    def _end_of(self, connected: socket.socket, mode: str, size: int) -> Reader | Writer:
        return (Reader if "r" in mode else Writer)(connected, self._patience)

    def communicate(self) -> bool:
        """Read a request and answer it; True when another one may follow."""
        self._patience.renew()
        return self._greet() and bool(super().communicate())  # type: ignore[no-untyped-call]

    def goes_on(self, within_s: float) -> bool:
        """True when the client says something more within this time."""
        return self.rfile.has_data() or bool(self._poll.poll(within_s * 1000))

    def close(self) -> None:
        """End it. A client that is still sending gets the time to read what we answered."""
        if self.is_cut_short:
            with suppress(OSError):
                self._part()
        super().close()

    def _greet(self) -> bool:
        """The handshake of TLS, here and not where connections are accepted: it may take long."""
        if not self._is_greeted:
            try:
                self.socket.do_handshake()
            except OSError:
                return False
            self._is_greeted = True
        return True

    def _part(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + _PARTING_S
        while (left_s := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left_s)
            if not self.socket.recv(_DISCARDED_BYTES):
                return
