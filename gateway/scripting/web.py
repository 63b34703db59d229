"""HTTP to other servers, for one script.

A request is made in a thread of its own, which nobody has to wait for: neither looking up a name
nor a server that answers byte by byte can hold a script beyond its time, or the gateway at its end.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from gateway.errors import AnswerTooLarge, GatewayError, RemoteUnreachable
from gateway.logs import logger
from gateway.ports import HttpAnswer, Patience
from gateway.trust import machine_trust

log = logger("scripting")
# Sent unless a script says otherwise: what Orthanc's clients send, and nothing else.
_ACCEPT = (b"Accept", b"*/*")
_FORM = (b"Content-Type", b"application/x-www-form-urlencoded")
_WITH_BODY = frozenset({"POST", "PUT"})


class Interrupted(Exception):
    """The gateway stops."""


@dataclass(frozen=True, slots=True)
class WebRequest:
    """url: as the script wrote it, also without http:// in front."""

    method: str
    url: str
    body: bytes
    headers: Sequence[tuple[bytes, bytes]]

    @property
    def full_url(self) -> str:
        """With its scheme. Raises RemoteUnreachable for what no URL can be."""
        if not self.url.strip() or any(letter <= " " or letter == "\x7f" for letter in self.url):
            raise RemoteUnreachable("not a URL: it is empty, or has spaces in it")
        return self.url if "://" in self.url else f"http://{self.url}"

    @property
    def server(self) -> str:
        """Scheme, host and port: all that logs may tell."""
        try:
            parts = urlsplit(self.full_url)
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        except (RemoteUnreachable, ValueError):
            return "what is no URL"


class WebClient:
    """Keeps connections between requests; close() it. One request at a time."""

    def __init__(self, timeout_s: float) -> None:
        """timeout_s: for a whole request, unless the script says otherwise."""
        self._usual_timeout_s = self._timeout_s = timeout_s
        self._credentials: tuple[bytes, bytes] | None = None
        self._client: httpx.Client | None = None
        self._errand: _Errand | None = None
        self._is_interrupted = False

    def set_timeout(self, seconds: float) -> None:
        """For the requests from now on; 0 is the usual one."""
        self._timeout_s = seconds or self._usual_timeout_s

    def set_credentials(self, user: bytes, password: bytes) -> None:
        """For the requests from now on, by HTTP Basic."""
        self._credentials = user, password

    def call(self, request: WebRequest, patience: Patience) -> HttpAnswer:
        """Ask, and wait for the whole answer; redirections are followed.

        Raises RemoteUnreachable, AnswerTooLarge, Interrupted.
        """
        limit_s = min(self._timeout_s, patience.seconds_left())
        errand = self._errand = _Errand(self._built(request, limit_s), patience.most_bytes)
        threading.Thread(
            target=errand.run,
            args=(self._connections(),),
            name="http-call",
            daemon=True,
        ).start()
        if not self._is_interrupted:
            errand.is_over.wait(limit_s)
        errand.is_unwanted = True
        if errand.answer is not None:
            return errand.answer
        if self._is_interrupted:
            raise Interrupted
        raise errand.error or RemoteUnreachable(f"no whole answer within {limit_s:g} s")

    def interrupt(self) -> None:
        """From another thread: whoever waits, waits no longer."""
        self._is_interrupted = True
        if (errand := self._errand) is not None:
            errand.is_over.set()

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()

    def _built(self, request: WebRequest, timeout_s: float) -> httpx.Request:
        """Raises RemoteUnreachable."""
        given = {name.lower() for name, _ in request.headers}
        usual = (_ACCEPT, _FORM) if request.method in _WITH_BODY else (_ACCEPT,)
        headers = [each for each in usual if each[0].lower() not in given]
        content = request.body if request.method in _WITH_BODY else None
        try:
            return httpx.Request(
                request.method,
                request.full_url,
                headers=[*headers, *request.headers],
                content=content,
                extensions={"timeout": httpx.Timeout(timeout_s).as_dict()},
            )
        except (httpx.InvalidURL, UnicodeError, ValueError) as error:
            raise RemoteUnreachable(f"not a URL: {error}") from error

    def _connections(self) -> httpx.Client:
        if self._client is None:
            self._client = httpx.Client(verify=machine_trust(), follow_redirects=True)
        if self._credentials is not None:  # else those that the URL names
            self._client.auth = self._credentials
        return self._client


class _Errand:
    """One request on its way. At its end answer or error is there, or neither: it took too long."""

    def __init__(self, request: httpx.Request, most_bytes: int) -> None:
        self._request = request
        self._most_bytes = most_bytes
        self.is_over = threading.Event()
        self.is_unwanted = False
        self.answer: HttpAnswer | None = None
        self.error: GatewayError | None = None

    def run(self, client: httpx.Client) -> None:
        """This is a border: whatever happens becomes the outcome."""
        try:
            response = client.send(self._request, stream=True)
            try:
                self.answer = self._whole(response)
            finally:
                response.close()
        except GatewayError as error:
            self.error = error
        except httpx.TimeoutException:
            pass  # its time is that of whoever waits, who says so
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            self.error = RemoteUnreachable(_told(error))
        except Exception as error:
            if not self.is_unwanted:  # else its connection was closed, and it fails as it may
                log.exception("a request of a script came to grief")
            self.error = RemoteUnreachable(f"internal error {type(error).__name__}")
        finally:
            self.is_over.set()

    def _whole(self, response: httpx.Response) -> HttpAnswer | None:
        """The body as it came: nobody asked for an encoding of it. None when nobody waits."""
        pieces: list[bytes] = []
        left_bytes = self._most_bytes
        for piece in response.iter_raw():
            left_bytes -= len(piece)
            if left_bytes < 0:
                raise AnswerTooLarge(self._most_bytes)
            if self.is_unwanted:
                return None
            pieces.append(piece)
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HttpAnswer(response.status_code, b"".join(pieces), headers)


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
