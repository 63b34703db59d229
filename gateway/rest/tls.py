"""HTTPS: our certificate, and what we accept of clients."""

import ssl
from pathlib import Path
from socket import socket
from typing import Any


def server_context(certificate: Path, private_key: Path) -> ssl.SSLContext:
    """TLS 1.2 and newer, as this Python's OpenSSL deems safe. Raises OSError, ssl.SSLError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, private_key, password=_no_passphrase)
    return context


def _no_passphrase() -> str:
    """Instead of OpenSSL's asking for it at the terminal."""
    raise ssl.SSLError("the private key asks for a passphrase")


class TlsAdapter:
    """What cheroot asks of TLS. The handshake is left to the thread that serves the client."""

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

    makefile = None
