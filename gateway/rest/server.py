"""The HTTP server: threads in front of the application."""

import logging
from socket import socket
from threading import Thread

from cheroot import wsgi

from gateway.config.certificate import server_context
from gateway.config.models import Http
from gateway.errors import CannotListen
from gateway.logs import logger
from gateway.ports import UNFILTERED, Filters
from gateway.rest.application import Application
from gateway.rest.connection import Connection
from gateway.rest.front import Front
from gateway.rest.pace import SILENCE_S
from gateway.rest.tls import TlsAdapter
from gateway.rest.workers import Workers

log = logger("rest")

_BACKLOG = 512
# Connections that rest between two requests; beyond, each is closed after its answer.
_MOST_RESTING = 1000
# How soon the end of the server, or of a client's time, is noticed.
_LOOK_EVERY_S = 0.1
_SHUTDOWN_TIMEOUT_S = 2
_MAXIMUM_HEADER_BYTES = 64 * 1024


class HttpServer:
    """Serves an application from start() to stop(). Not to be started twice."""

    def __init__(
        self, settings: Http, application: Application, filters: Filters = UNFILTERED
    ) -> None:
        self._settings = settings
        self._server = _Server(settings, application, filters)
        self._thread = Thread(target=self._server.serve, name="http", daemon=True)

    def start(self) -> int:
        """Listen and serve; answer the port. Raises CannotListen."""
        host, port = self._settings.host, self._settings.port
        try:
            self._server.use_tls(self._settings)
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
    keep_alive_conn_limit = _MOST_RESTING
    expiration_interval = _LOOK_EVERY_S
    ConnectionClass = Connection

    def __init__(self, settings: Http, application: Application, filters: Filters) -> None:
        super().__init__(
            (settings.host, settings.port),
            Front(settings, application, filters),
            server_name="gateway",
            request_queue_size=_BACKLOG,
            timeout=SILENCE_S,
            shutdown_timeout=_SHUTDOWN_TIMEOUT_S,
        )
        self.requests = Workers(self)
        self.max_request_body_size = settings.maximum_body_mb << 20
        self.bind_problem = ""

    def use_tls(self, settings: Http) -> None:
        """Speak HTTPS, if there is a certificate. Raises OSError."""
        if settings.certificate and settings.private_key:
            self.ssl_adapter = TlsAdapter(
                server_context(settings.certificate, settings.private_key)
            )

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

    def process_conn(self, conn: Connection) -> None:
        """Give no thread to a client before it says something: it may never do."""
        is_new = conn.last_used is None
        if is_new:
            self.put_conn(conn)
        else:
            super().process_conn(conn)

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """What cheroot has to say. Clients that go away are nobody's error."""
        if level >= logging.WARNING:
            # With an exception, the words are its own, which may quote a data set.
            about = {"exc_info": True} if traceback else {"problem": msg}
            log.warning("http server trouble", **about)
