"""A web server for what scripts send: it tells what it got, and answers in every unfriendly way."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BINARY = bytes(range(256))
LARGE_BYTES = 40 << 20


@dataclass(frozen=True)
class Asked:
    """One request that came. headers: in their order, names in lower case."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Web:
    """`web.url("/echo")`. asked: what came, as "METHOD path body"; requests: the same in full."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[str] = []
        self.requests: list[Asked] = []
        self.is_asked = threading.Event()
        self.is_over = threading.Event()  # servers that wait do so until then

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    web: Web

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.web.asked.append(f"{self.command} {self.path} {body.decode('latin-1')}".rstrip())
        headers = tuple((name.lower(), value) for name, value in self.headers.items())
        self.web.requests.append(Asked(self.command, self.path, headers, body))
        self.web.is_asked.set()
        kind, _, rest = self.path[1:].partition("?")[0].partition("/")
        getattr(self, f"answer_{kind}", self.answer_echo)(body, rest)

    do_GET = do_POST = do_PUT = do_DELETE = handle_any

    def answer_echo(self, body: bytes, rest: str) -> None:
        self._answer(200, f"{self.command} {self.path} ".encode() + body)

    def answer_headers(self, body: bytes, rest: str) -> None:
        lines = sorted(
            f"{name}: {value}"
            for name, value in self.headers.items()
            if name.lower() not in ("host", "expect")
        )
        self._answer(200, "\n".join(lines).encode())

    def answer_status(self, body: bytes, rest: str) -> None:
        self._answer(int(rest), b"why", {"X-Why": "because"})

    def answer_redirect(self, body: bytes, rest: str) -> None:
        self._answer(int(rest), b"", {"Location": "/echo"})

    def answer_loop(self, body: bytes, rest: str) -> None:
        self._answer(302, b"", {"Location": "/loop"})

    def answer_binary(self, body: bytes, rest: str) -> None:
        self._answer(200, BINARY)

    def answer_large(self, body: bytes, rest: str) -> None:
        self._answer(200, bytes(LARGE_BYTES))

    def answer_silent(self, body: bytes, rest: str) -> None:
        self.web.is_over.wait(60)
        self.close_connection = True

    def answer_drip(self, body: bytes, rest: str) -> None:
        """Never silent for long, and never done."""
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        while not self.web.is_over.wait(0.05):
            self.wfile.write(b"x")
            self.wfile.flush()
        self.close_connection = True

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status == 204:
            self.end_headers()
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Tell nobody."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are what is tested."""


@contextmanager
def web_running() -> Iterator[Web]:
    """The server on a free port."""
    handler = type("Handler", (_Handler,), {})
    with _Server(("127.0.0.1", 0), handler) as server:
        handler.web = web = Web(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield web
        finally:
            web.is_over.set()
            server.shutdown()
            thread.join()
