"""The threads behind the HTTP server: as many as there is work for, up to a bound."""

from collections import deque
from contextlib import suppress
from socket import SHUT_RDWR
from threading import Condition, Thread, current_thread

from cheroot.server import HTTPServer

from gateway.logs import logger
from gateway.rest.connection import Connection

log = logger("rest")

# A client that is slow holds a thread while it is; 200 of them must leave room for others. A thread
# that waits costs some 30 kB.
MOST_THREADS = 300
_IDLE_S = 10.0
# Most clients ask again at once. To wait for that here is faster than to hand the connection to the
# selector and back.
_LINGER_S = 0.002


class Workers:
    """Serves connections that have something to say, each by one thread until it is quiet again.

    Takes the place of cheroot's pool, whose number of threads is fixed.
    """

    def __init__(self, server: HTTPServer, most: int = MOST_THREADS) -> None:
        self._server = server
        self._most = most
        self._changed = Condition()
        self._waiting: deque[Connection] = deque()
        self._served: set[Connection] = set()
        self._threads: set[Thread] = set()
        self._idle = 0
        self._stopping = False

    def start(self) -> None:
        """Nothing: the first connection brings the first thread."""

    def put(self, connection: Connection) -> None:
        """Serve this connection, or close it when we stop."""
        with self._changed:
            if not self._stopping:
                self._waiting.append(connection)
                if self._idle < len(self._waiting) and len(self._threads) < self._most:
                    self._begin()
                self._changed.notify()
                return
        connection.close()

    def stop(self, grace_s: float) -> None:
        """Let requests at hand end, for so long; cut off those that are left."""
        with self._changed:
            self._stopping = True
            abandoned, self._waiting = self._waiting, deque()
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._threads, grace_s)
            cut = list(self._served)
        for connection in abandoned:
            connection.close()
        for connection in cut:
            with suppress(OSError):
                connection.socket.shutdown(SHUT_RDWR)
        with self._changed:
            if not self._changed.wait_for(lambda: not self._threads, grace_s):
                log.warning("requests did not end in time", requests=len(self._served))

    def _begin(self) -> None:
        thread = Thread(target=self._run, name="http-worker", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no more threads are to be had: those that are will do it
            log.warning("no thread for a client", threads=len(self._threads))
        else:
            self._threads.add(thread)

    def _run(self) -> None:
        while connection := self._next():
            try:
                self._serve(connection)
            finally:
                with self._changed:
                    self._served.discard(connection)

    def _next(self) -> Connection | None:
        """The next one to serve; None when this thread is to end: nobody came, or we stop."""
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._waiting or self._stopping, _IDLE_S)
            self._idle -= 1
            if not self._waiting:
                self._threads.discard(current_thread())
                self._changed.notify_all()
                return None
            connection = self._waiting.popleft()
            self._served.add(connection)
            return connection

    def _serve(self, connection: Connection) -> None:
        """This is a border: whatever happens costs this connection, and nothing else."""
        try:
            while connection.communicate():
                if self._stopping or not connection.goes_on(0 if self._waiting else _LINGER_S):
                    self._server.put_conn(connection)
                    return
        except Exception:
            log.exception("a connection failed")
        connection.close()
