"""A real HTTP server over routes of a test, for the length of a block."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.config.models import Http
from gateway.rest.application import Application
from gateway.rest.routes import Route
from gateway.rest.server import HttpServer

# Who speaks plain HTTP needs no certificates, and all that httpx knows take 30 ms to load.
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@contextmanager
def http_server(routes: Iterable[Route] | Application, **settings: Any) -> Iterator[int]:
    """Serve; answers the port. Afterwards no thread is left."""
    before = set(threading.enumerate())
    application = routes if isinstance(routes, Application) else Application(routes)
    server = HttpServer(Http(port=0, **settings), application)
    try:
        yield server.start()
    finally:
        server.stop()
        left = set(threading.enumerate()) - before
        for thread in left:
            thread.join(10)
        assert not [thread.name for thread in left if thread.is_alive()]


def http_client(port: int, **settings: Any) -> httpx.Client:
    """A well-behaved client of a server of this machine, without TLS."""
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", verify=_NO_CERTIFICATES, **settings)


def connect(port: int, timeout_s: float = 10) -> socket.socket:
    """A client that speaks for itself."""
    return socket.create_connection(("127.0.0.1", port), timeout=timeout_s)


def exchange(port: int, request: bytes) -> bytes:
    """Send bytes, and answer all that comes until the server closes."""
    with connect(port) as client:
        client.sendall(request)
        return read_to_end(client)


def read_to_end(client: socket.socket) -> bytes:
    """What comes until the other side closes, also when it does so harshly."""
    received = b""
    try:
        while piece := client.recv(65536):
            received += piece
    except ConnectionError:
        pass
    return received


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost and its key, made by the openssl of this machine."""
    certificate, key = folder / "gateway.crt", folder / "gateway.key"
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-days", "2", "-subj", "/CN=localhost",
        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-keyout", str(key), "-out", str(certificate),
    ]  # fmt: skip
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl to make a certificate with")
    return certificate, key
