"""The HTTP server: threads in front of the application."""

import logging
from socket import socket
from threading import Thread

from cheroot import wsgi
from cheroot.server import HTTPConnection

from gateway.config.models import Http
from gateway.errors import CannotListen
from gateway.logs import logger
from gateway.rest.application import Application

log = logger("rest")

_THREADS = 10
_BACKLOG = 128
# A client that is silent for so long, within a request or between two, is cut off. One that stops
# within a request holds a thread until then.
_CLIENT_TIMEOUT_S = 10
_SHUTDOWN_TIMEOUT_S = 2
_MAXIMUM_HEADER_BYTES = 64 * 1024
_MAXIMUM_BODY_BYTES = 1024 * 1024


class HttpServer:
    """Serves an application from start() to stop(). Not to be started twice."""

    def __init__(self, settings: Http, application: Application) -> None:
        self._settings = settings
        self._server = _Server(settings, application)
        self._thread = Thread(target=self._server.serve, name="http", daemon=True)

    def start(self) -> int:
        """Listen and serve; answer the port. Raises CannotListen."""
        host, port = self._settings.host, self._settings.port
        try:
            self._server.prepare()
        except OSError as exc:
            reason = self._server.bind_problem or str(exc)
            raise CannotListen(host, port, reason) from exc
        self._thread.start()
        return int(self._server.bind_addr[1])

    def stop(self) -> None:
        """Finish the requests at hand, cut off clients that hang, close the port."""
        self._server.stop()
        if self._thread.is_alive():
            self._thread.join()


class _Server(wsgi.Server):
    """cheroot's server, with limits, and with our log instead of its writing to standard error."""

    max_request_header_size = _MAXIMUM_HEADER_BYTES
    max_request_body_size = _MAXIMUM_BODY_BYTES
    keep_alive_conn_limit = _BACKLOG

    def __init__(self, settings: Http, application: Application) -> None:
        super().__init__(
            (settings.host, settings.port),
            application,
            numthreads=_THREADS,
            server_name="gateway",
            request_queue_size=_BACKLOG,
            timeout=_CLIENT_TIMEOUT_S,
            shutdown_timeout=_SHUTDOWN_TIMEOUT_S,
        )
        self.bind_problem = ""

    def bind(self, family: int, type: int, proto: int = 0) -> socket:
        """Remember why it failed: prepare() tells only in a sentence of its own."""
        try:
            bound: socket = super().bind(family, type, proto)
        except OSError as exc:
            self.bind_problem = exc.strerror or str(exc)
            raise
        return bound

    @staticmethod
    def bind_socket(socket_: socket, bind_addr: tuple[str, int]) -> socket:
        """Close what cannot be bound: cheroot leaves it open."""
        try:
            bound: socket = wsgi.Server.bind_socket(socket_, bind_addr)  # type: ignore[no-untyped-call]
        except OSError:
            socket_.close()
            raise
        return bound

    def process_conn(self, conn: HTTPConnection) -> None:
        """Give no thread to a client before it says something: it may never do."""
        is_new = conn.last_used is None
        if is_new:
            self.put_conn(conn)
        else:
            super().process_conn(conn)

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """What cheroot has to say. Clients that go away are nobody's error."""
        if level >= logging.WARNING:
            log.warning("http server trouble", problem=msg, exc_info=traceback)
