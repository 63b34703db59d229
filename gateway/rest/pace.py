"""The two ends of a client's socket, made for clients that are slow, on purpose or not."""

import errno
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import socket

# A client may keep a thread waiting for so long altogether, and a second more for every so many
# bytes that go over the line meanwhile. One that is silent for SILENCE_S is cut off at once.
GRACE_S = 20.0
SILENCE_S = 10
SLOWEST_BYTES_PER_S = 1024
# What our answer to that may take.
_TO_BE_TOLD_S = 1.0
_RECEIVE_BYTES = 64 * 1024
_HELD_BYTES = 16 * 1024


class Patience:
    """What is left of our patience with one client."""

    def __init__(self, connected: socket) -> None:
        self._socket = connected
        self._left_s = GRACE_S

    def renew(self) -> None:
        """Another request begins."""
        self._left_s = GRACE_S

    def wait(self, transfer: Callable[[], int]) -> int:
        """Do one transfer, answer how many bytes it moved. Raises OSError, TimeoutError."""
        if self._left_s <= 0:
            self._left_s = _TO_BE_TOLD_S
            raise TimeoutError("timed out")
        self._socket.settimeout(min(SILENCE_S, self._left_s))
        began = time.monotonic()
        try:
            moved = transfer()
        except ssl.SSLError as exc:  # one end of the conversation has lost its thread
            raise ConnectionResetError(errno.ECONNRESET, str(exc)) from exc
        waited_s = time.monotonic() - began
        self._left_s = min(GRACE_S, self._left_s - waited_s + moved / SLOWEST_BYTES_PER_S)
        return moved


class Reader:
    """What a client sends, as cheroot reads it."""

    def __init__(self, connected: socket, patience: Patience) -> None:
        self._socket = connected
        self._patience = patience
        self._chunk = bytearray(_RECEIVE_BYTES)
        self._buffer = b""
        self.closed = False

    def has_data(self) -> bool:
        """True when something is here already that no selector would tell of."""
        if self._buffer:
            return True
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def readline(self, limit: int | None = -1) -> bytes:
        """Up to the next line feed, the limit, or the end of what the client sends."""
        most = _RECEIVE_BYTES if limit is None or limit < 0 else limit
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0 and len(self._buffer) < most:
            searched = len(self._buffer)
            if not (received := self._receive()):
                break
            self._buffer += received
        return self._take(min(most, end + 1 if end >= 0 else len(self._buffer)))

    def read(self, size: int) -> bytes:
        """Up to so many bytes; fewer than that when they are here, none at the end."""
        if not self._buffer:
            self._buffer = self._receive()
        return self._take(size)

    def close(self) -> None:
        """Read no more."""
        self.closed = True
        self._buffer = b""

    def _receive(self) -> bytes:
        size = self._patience.wait(lambda: self._socket.recv_into(self._chunk))
        return bytes(memoryview(self._chunk)[:size])

    def _take(self, size: int) -> bytes:
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken


class Writer:
    """What we send to a client: at once, unless it is held back to go with what follows."""

    def __init__(self, connected: socket, patience: Patience) -> None:
        self._socket = connected
        self._patience = patience
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._holds = False

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Let small pieces gather in here: an answer in one packet is the fastest.

        Raises OSError.
        """
        self._holds = True
        try:
            yield
        finally:
            self._holds = False
            self._send_held()

    def write(self, data: bytes) -> int:
        """Send it, now or soon. Raises OSError."""
        self._held.append(data)
        self._held_bytes += len(data)
        if not self._holds or self._held_bytes >= _HELD_BYTES:
            self._send_held()
        return len(data)

    def _send_held(self) -> None:
        held, self._held, self._held_bytes = self._held, [], 0
        left = memoryview(held[0] if len(held) == 1 else b"".join(held))
        while left:
            left = left[self._patience.wait(lambda: self._socket.send(left)) :]  # noqa: B023
