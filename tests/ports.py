"""Ports that a server of a test can have, and keep over restarts."""

import os
import socket
from itertools import count

# Below those that systems give to whoever asks for any (from 32768 on, or 49152): what another test
# connects from is never one of these. Processes that test side by side begin at different places.
_FIRST, _LAST = 20_000, 31_999
_next = count(os.getpid() * 97)


def free_port() -> int:
    """A port of this machine that nobody listens on, and that nobody else here is told soon."""
    while True:
        port = _FIRST + next(_next) % (_LAST + 1 - _FIRST)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
