"""Speaking HTTP to a server that is followed."""

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import httpx

from gateway.config.models import Follow
from gateway.errors import AnswerNotUnderstood, PeerRefused, RemoteUnreachable
from gateway.follow.changes import Page, ids_of, page_of, texts_of
from gateway.trust import machine_trust

PAGE_LENGTH = 100
_LONGEST_CONNECT_S = 10.0
# Orthanc closes a connection that was idle for a second; a request must not meet that.
_IDLE_S = 0.5
_PIECE_BYTES = 1 << 18
# A page has about 20 kB, a list of the instances of a series 50 bytes for each of them.
_MAXIMUM_JSON_BYTES = 1 << 26
_GONE = frozenset((404, 410))
_NEW_SOCKETS = frozenset(("connection.connect_tcp.complete", "connection.start_tls.complete"))


@dataclass(frozen=True, slots=True)
class Download:
    """A file on its way. remote_ip: whom it comes from."""

    pieces: Iterator[bytes]
    remote_ip: str


class Source:
    """One server; close() it. May be used by several threads.

    Everything raises RemoteUnreachable, PeerRefused, AnswerNotUnderstood. What does not exist any
    more is None.
    """

    def __init__(self, settings: Follow) -> None:
        """Raises OSError when the trusted certificates cannot be read."""
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._collecting = threading.Lock()
        self._is_interrupted = False
        connect_s = min(settings.timeout_s, _LONGEST_CONNECT_S)
        self._client = httpx.Client(
            base_url=settings.url,
            auth=_credentials(settings),
            # Files are compressed by their transfer syntax, and how long they are counts.
            headers={"Accept-Encoding": "identity"},
            timeout=httpx.Timeout(settings.timeout_s, connect=connect_s),
            limits=httpx.Limits(keepalive_expiry=_IDLE_S),
            verify=trust(settings),
            trust_env=False,  # the configuration says all there is to know of a source
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def interrupt(self) -> None:
        """End all that goes on, from another thread: whoever waits gets RemoteUnreachable."""
        with self._collecting:
            self._is_interrupted = True
            open_sockets = list(self._sockets)
        for each in open_sockets:
            _shut_down(each)

    def changes(self, since: int) -> Page:
        """The changes whose numbers are above `since`, or the first of them."""
        asked = {"since": since, "limit": PAGE_LENGTH}
        return page_of(self._there("changes", asked), since)

    def newest_change(self) -> Page:
        """The page that the newest change stands on alone; an empty one when there is none."""
        return page_of(self._there("changes", {"last": ""}))

    def instances_of(self, study_id: str) -> Sequence[str] | None:
        """The ids of what is in a study."""
        study = self._get(f"studies/{study_id}")
        if study is None:
            return None
        found: list[str] = []
        for series_id in ids_of(study, "Series"):
            series = self._get(f"series/{series_id}")
            found += ids_of(series, "Instances") if series is not None else ()
        return found

    def metadata(self, instance_id: str) -> Mapping[str, str] | None:
        """What the source knows of an instance, by Orthanc's names."""
        answer = self._get(f"instances/{instance_id}/metadata", {"expand": ""})
        return None if answer is None else texts_of(answer)

    def md5(self, instance_id: str) -> str | None:
        """Of the file of an instance; "" when the source was told to compute none."""
        answer = self._get(f"instances/{instance_id}/attachments/dicom/md5")
        return None if answer is None else answer.decode("ascii", "replace").strip().lower()

    @contextmanager
    def file(self, instance_id: str) -> Iterator[Download | None]:
        """The file of an instance, as it comes."""
        with self._answer("GET", f"instances/{instance_id}/file") as response:
            if response.status_code in _GONE:
                yield None
                return
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise AnswerNotUnderstood("it compresses what was asked for as it is")
            yield Download(_told(response.iter_raw(_PIECE_BYTES)), _remote_ip(response))

    def delete(self, instance_id: str) -> None:
        """Delete an instance, if it is still there."""
        with self._answer("DELETE", f"instances/{instance_id}"):
            pass

    def _there(self, path: str, asked: Mapping[str, Any]) -> bytes:
        answer = self._get(path, asked)
        if answer is None:
            raise AnswerNotUnderstood(f"it knows no /{path}: is that URL an Orthanc's?")
        return answer

    def _get(self, path: str, asked: Mapping[str, Any] | None = None) -> bytes | None:
        with self._answer("GET", path, asked) as response:
            if response.status_code in _GONE:
                return None
            answer = bytearray()
            for piece in _told(response.iter_bytes(_PIECE_BYTES)):
                answer += piece
                if len(answer) > _MAXIMUM_JSON_BYTES:
                    raise AnswerNotUnderstood(f"its answer to /{path} has no end")
            return bytes(answer)

    @contextmanager
    def _answer(
        self, method: str, path: str, asked: Mapping[str, Any] | None = None
    ) -> Iterator[httpx.Response]:
        """An answer of success, or that there is no such thing, before its body has come."""
        request = self._client.build_request(
            method, path, params=asked, extensions={"trace": self._trace}
        )
        with _trouble_told():
            response = self._client.send(request, stream=True)
        try:
            if not response.is_success and response.status_code not in _GONE:
                raise PeerRefused(response.status_code)
            yield response
        finally:
            response.close()

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """httpcore tells of the connections that it makes: interrupt() has to find them."""
        if event not in _NEW_SOCKETS:
            return
        new = info["return_value"].get_extra_info("socket")
        with self._collecting:
            self._sockets.add(new)
            if self._is_interrupted:
                _shut_down(new)


def trust(settings: Follow) -> ssl.SSLContext | bool:
    """Whom to believe to be the source. Raises OSError."""
    if not settings.check_certificate:
        return False
    if settings.trusted_certificates is None:
        return machine_trust()
    return ssl.create_default_context(cafile=str(settings.trusted_certificates))


def _credentials(settings: Follow) -> tuple[str, str] | None:
    if settings.username is None:
        return None
    return settings.username, settings.password.get_secret_value()


def _told(pieces: Iterator[bytes]) -> Iterator[bytes]:
    with _trouble_told():
        yield from pieces


@contextmanager
def _trouble_told() -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise RemoteUnreachable(f"the source was not reached: {reason}") from error


def _remote_ip(response: httpx.Response) -> str:
    address = response.extensions["network_stream"].get_extra_info("server_addr")
    return str(address[0]) if address else ""


def _shut_down(each: socket.socket) -> None:
    """Wakes who waits for it, as closing it would not."""
    with suppress(OSError):
        # Not ssl's own, which takes the session from whoever reads at the moment.
        socket.socket.shutdown(each, socket.SHUT_RDWR)
