"""A server to be followed that behaves as a test wants: well, or as badly as can be."""

import hashlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Reply = Callable[[BaseHTTPRequestHandler], None]


class FakeOrthanc:
    """files: instance id -> Part 10 file. changes: as the JSON tells them.

    replies: path -> what is done instead of an answer; asked: the paths of all requests.
    credentials: what the header Authorization has to be, if anything.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.metadata: dict[str, str] = {}
        self.changes: list[dict[str, Any]] = []
        self.studies: dict[str, list[str]] = {}
        self.replies: dict[str, Reply] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.credentials = ""
        self.url = ""
        self._number = 0

    def add(self, number: int, file: bytes) -> str:
        """A new instance; answers its id."""
        instance_id = public_id(number)
        self.files[instance_id] = file
        self.tell("NewInstance", instance_id)
        self.tell("NewSeries", public_id(1_000))
        return instance_id

    def tell(self, kind: str, resource_id: str, date: str = "20260102T030405") -> None:
        """One more change."""
        self._number += 1
        self.changes.append(
            {"Seq": self._number, "ChangeType": kind, "ID": resource_id, "Date": date}
        )

    def lose_database(self) -> None:
        """It has nothing, and counts from the beginning."""
        self.files.clear()
        self.changes.clear()
        self._number = 0

    def path(self, instance_id: str) -> str:
        """Of the file of an instance."""
        return f"/instances/{instance_id}/file"

    def requests_for(self, path: str) -> int:
        """How often it was asked for."""
        return self.asked.count(path)

    @contextmanager
    def running(self, certificate: tuple[Path, Path] | None = None) -> Iterator["FakeOrthanc"]:
        """It answers, at `url`. certificate: with its key, for https."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = False
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.url = f"http{'s' * bool(certificate)}://127.0.0.1:{server.server_port}/"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join(5)

    def answer(self, method: str, path: str, query: dict[str, list[str]]) -> bytes | None:
        """None: there is no such thing."""
        parts = path.strip("/").split("/")
        if path == "/changes":
            return json.dumps(self._page(query)).encode()
        if parts[0] == "studies" and parts[1] in self.studies:
            return json.dumps({"Series": [parts[1]]}).encode()
        if parts[0] == "series" and parts[1] in self.studies:
            return json.dumps({"Instances": self.studies[parts[1]]}).encode()
        if parts[0] != "instances" or parts[1] not in self.files:
            return None
        if method == "DELETE":
            del self.files[parts[1]]
            self.changes = [each for each in self.changes if each["ID"] != parts[1]]
            return b"{}"
        return {
            "file": self.files[parts[1]],
            "metadata": json.dumps(self.metadata).encode(),
            "md5": hashlib.md5(self.files[parts[1]]).hexdigest().encode(),
        }[parts[-1]]

    def _page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        since, limit = int(query.get("since", ["0"])[0]), int(query.get("limit", ["100"])[0])
        if "last" in query:
            page, is_done = self.changes[-1:], True
        else:
            behind = [each for each in self.changes if each["Seq"] > since]
            page, is_done = behind[:limit], len(behind) <= limit
        last = page[-1]["Seq"] if page else self._number
        return {"Changes": page, "Done": is_done, "Last": last}


def public_id(number: int) -> str:
    """An id as Orthanc writes it."""
    return "-".join([f"{number:08x}"] * 5)


def status(code: int) -> Reply:
    """Answer with a status, and nothing else."""

    def reply(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return reply


def body(content: bytes, *, announced: int | None = None, **headers: str) -> Reply:
    """Answer with a body. announced: the Content-Length, when that is not its length."""

    def reply(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        length = len(content) if announced is None else announced
        request.send_header("Content-Length", str(length))
        for name, value in {"Connection": "close", **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(content)
        request.close_connection = True

    return reply


def endless_pixels(head: bytes, pixel_bytes: int) -> Reply:
    """Answer with a file that nobody has in memory: `head`, then so many zeros."""

    def reply(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(head) + pixel_bytes))
        request.end_headers()
        request.wfile.write(head)
        piece = bytes(1 << 16)
        for _ in range(pixel_bytes >> 16):
            request.wfile.write(piece)

    return reply


def silence(until: threading.Event) -> Reply:
    """Answer nothing for so long."""

    def reply(request: BaseHTTPRequestHandler) -> None:
        until.wait(60)
        request.close_connection = True

    return reply


def _handler(source: FakeOrthanc) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            source.asked.append(url.path)
            source.headers.append(dict(self.headers))
            if source.credentials and self.headers.get("Authorization") != source.credentials:
                status(401)(self)
                return
            if reply := source.replies.get(url.path):
                reply(self)
                return
            answer = source.answer(
                self.command, url.path, parse_qs(url.query, keep_blank_values=True)
            )
            (status(404) if answer is None else _kept_open(answer))(self)

        do_DELETE = do_GET

        def log_message(self, format: str, *args: object) -> None: ...

    return Handler


def _kept_open(content: bytes) -> Reply:
    def reply(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    return reply
