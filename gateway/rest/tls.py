"""HTTPS, as cheroot asks for it."""

import ssl
from socket import socket
from typing import Any


class TlsAdapter:
    """Wraps connections. The handshake is left to the thread that serves the client."""

    makefile = None  # a Connection makes its own

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    def bind(self, listening: socket) -> socket:
        """The listening socket is a plain one."""
        return listening

    def wrap(self, connected: socket) -> tuple[ssl.SSLSocket, dict[str, Any]]:
        """A connection, and what WSGI has to know of it."""
        wrapped = self._context.wrap_socket(
            connected, server_side=True, do_handshake_on_connect=False
        )
        return wrapped, {"wsgi.url_scheme": "https", "HTTPS": "on"}
