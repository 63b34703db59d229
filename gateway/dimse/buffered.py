"""pynetdicom's socket of an association, with a buffer and with deadlines.

Upstream reads 4,096 bytes a call and sends without a limit of time.
"""

import math
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pynetdicom.transport import T_CONNECT, AssociationSocket

if TYPE_CHECKING:
    from gateway.dimse.upstream import DrivenAssociation

_FIRST_BUFFER_BYTES = 1 << 14
_READ_AHEAD_BYTES = 1 << 18
_LINGER_S = 1.0
_LINGER_SILENCE_S = 0.05
_LINGER_BYTES = 1 << 24


class BufferedSocket(AssociationSocket):
    """Reads ahead into one buffer, with a deadline; sends in one write, with a time limit."""

    _assoc: "DrivenAssociation"

    def __init__(self, assoc: "DrivenAssociation", **kwargs: Any) -> None:
        super().__init__(assoc, **kwargs)
        self.deadline = math.inf
        self._buffer = memoryview(bytearray(_FIRST_BUFFER_BYTES))
        self._start = 0  # of what has been received and not been taken
        self._end = 0
        if self._is_connected:
            self._set_options()

    def connect(self, primitive: T_CONNECT) -> None:
        """Connect to the address of `primitive`; its result tells the state machine."""
        try:
            self._raw.settimeout(self.assoc.connection_timeout)
            self._raw.connect(primitive.address_info.as_tuple)
            self._set_options()
        except OSError as exc:
            self._assoc.dul.note(f"no connection: {exc}")
            self._shutdown_socket()
            self.socket = None
            primitive.result = "Evt17"
        else:
            self._is_connected = True
            primitive.result = "Evt2"
        self.provider_queue.put(primitive)
        self._ready.set()

    def _set_options(self) -> None:
        # An answer is one small segment: it must not wait for the peer's delayed acknowledgement.
        self._raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    @property
    def _raw(self) -> socket.socket:
        if self.socket is None:
            raise ConnectionError("the connection is closed")
        return self.socket

    def wait(self, timeout_s: float) -> bool:
        """True when there is something to take, or the end of the connection to find out about."""
        if self._start < self._end:
            return True
        self._start = self._end = 0
        with suppress(TimeoutError):
            self._receive(timeout_s)
            return True
        return False

    @property
    def has_input(self) -> bool:
        """True when the peer has sent something, or closed."""
        if self._start < self._end:
            return True
        try:
            self._raw.settimeout(0)
            self._raw.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def peek(self, size_bytes: int) -> memoryview:
        """The next bytes, left to be taken. Raises OSError: closed, broken, or too slow."""
        if self._start + size_bytes > len(self._buffer):
            self._make_room(size_bytes)
        while self._end - self._start < size_bytes:
            self._receive(self.deadline - time.monotonic())
        return self._buffer[self._start : self._start + size_bytes]

    def take(self, size_bytes: int) -> memoryview:
        """The next bytes; the view is overwritten by the next call. Raises OSError."""
        view = self.peek(size_bytes)
        self._start += size_bytes
        return view

    def recv(self, nr_bytes: int) -> bytearray:
        """What pynetdicom's own reading calls."""
        return bytearray(self.take(nr_bytes))

    def _make_room(self, size_bytes: int) -> None:
        unread = bytes(self._buffer[self._start : self._end])
        if size_bytes > len(self._buffer):
            # Room for more than one PDU: then one call to the kernel brings several short ones.
            self._buffer = memoryview(bytearray(max(size_bytes, _READ_AHEAD_BYTES)))
        self._buffer[: len(unread)] = unread
        self._start, self._end = 0, len(unread)

    def _receive(self, timeout_s: float) -> None:
        if timeout_s <= 0:
            raise TimeoutError("the peer did not finish in time")
        self._raw.settimeout(None if timeout_s == math.inf else timeout_s)
        received = self._raw.recv_into(self._buffer[self._end :])
        if not received:
            raise ConnectionError("the peer closed the connection")
        self._end += received

    def write(self, data: bytes | memoryview) -> None:
        """Send all of it in one call. Raises OSError."""
        self._raw.settimeout(self.assoc.dimse_timeout)
        self._raw.sendall(data)

    def send(self, bytestream: bytes) -> None:
        """What pynetdicom's state machine calls: a failure becomes an event of it."""
        try:
            self.write(bytestream)
        except OSError as exc:
            self._assoc.dul.note(f"the connection broke while sending: {exc}")
            self.event_queue.put("Evt17")

    def _shutdown_socket(self) -> None:
        """Close so that the peer still reads what we sent last.

        Closing a socket with unread input sends RST, upon which the peer may lose our last PDU:
        close our side first, and read what the peer still sends, as long as it does, but for a
        second at most.
        """
        if self.socket is None:
            return
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
            self._discard_input(time.monotonic() + _LINGER_S)
        self.socket.close()
        self._buffer = memoryview(b"")
        self._start = self._end = 0

    def _discard_input(self, deadline: float) -> None:
        discarded = 0
        while discarded < _LINGER_BYTES and (left := deadline - time.monotonic()) > 0:
            self._raw.settimeout(min(left, _LINGER_SILENCE_S))
            received = self._raw.recv_into(self._buffer)
            if not received:
                return
            discarded += received
