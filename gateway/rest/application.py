"""From a request to a response, over the table of routes; errors are answered as Orthanc does.

HTTP and scripts use the same table: `Application` is a WSGI application, and `call()` is the way in
without a socket.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map, MapAdapter, Rule

from gateway.logs import logger
from gateway.model import Origin, OriginKind
from gateway.rest.errors import ApiError, Fault, UnknownId
from gateway.rest.routes import Route

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logger("rest")
_ORIGIN = "gateway.origin"


class _Rule(Rule):
    """A rule that paths are matched with, and none is ever built from.

    To compile what would build them, for hundreds of rules, took most of the time of a start.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        return _not_built


def _not_built(*_: object) -> tuple[str, str]:
    raise NotImplementedError


@cache
def _urls(table: tuple[tuple[str, str], ...]) -> MapAdapter:
    """What finds the number of a route in a table of (method, path); the parsed table is kept."""
    urls = Map(
        [_Rule(path, methods=[method], endpoint=n) for n, (method, path) in enumerate(table)],
        # Answer what was asked for, or 404: no redirects to a path that would have been right.
        strict_slashes=False,
        merge_slashes=False,
    )
    # Once, and not to each request: only its path and method count.
    return urls.bind("")


class Application:
    """A WSGI application over a table of routes."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = tuple(routes)
        self._urls = _urls(tuple((route.method, route.path) for route in self._routes))

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """The WSGI interface."""
        return self.send(self.respond(Request(environ)), environ, start_response)

    @staticmethod
    def send(
        response: Response, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """A response as WSGI wants it. For HEAD, the file that GET would send is closed at once."""
        pieces = response(environ, start_response)
        if environ["REQUEST_METHOD"] == "HEAD":
            response.close()
        return pieces

    def call(
        self,
        method: str,
        uri: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        origin: Origin,
    ) -> Response:
        """The response to a request of a script, without a socket. uri: with its query."""
        return self.respond(Request(_environment(method, uri, body, headers or {}, origin)))

    def route_of(self, method: str, path: str) -> str | None:
        """The path of the route that would answer, as the table has it; None without one."""
        try:
            route, _ = self._match(path, method)
        except (NotFound, MethodNotAllowed):
            return None
        return route.path

    def respond(self, request: Request) -> Response:
        """The response to a request, whatever happens: this is a border for unexpected errors."""
        try:
            route, arguments = self._match(request.path, request.method)
            response = route.handler(request, **arguments)
        except ApiError as error:
            return problem(request, error.fault, error.details)
        except UnknownId:
            return Response(status=404)
        except NotFound:
            return problem(request, Fault.UNKNOWN_RESOURCE)
        except MethodNotAllowed as error:
            return Response(status=405, headers=error.get_headers(request.environ))
        except HTTPException as error:  # werkzeug's own, such as a body that is too large
            return error.get_response(request.environ)
        except Exception:
            log.exception("request failed", method=request.method, path=request.path)
            return problem(request, Fault.INTERNAL, "see the log of the gateway")
        return response

    def _match(self, path: str, method: str) -> tuple[Route, Mapping[str, Any]]:
        """A route, and the variables in its path. Raises NotFound, MethodNotAllowed."""
        number, arguments = self._urls.match(path, method)
        return self._routes[number], arguments


def origin_of(request: Request) -> Origin:
    """Who asks: a script, or a client over HTTP with the name that it signed in with."""
    origin = request.environ.get(_ORIGIN)
    if isinstance(origin, Origin):
        return origin
    return Origin(
        OriginKind.REST,
        remote_ip=request.remote_addr or "",
        username=request.environ.get("REMOTE_USER", ""),
    )


def problem(request: Request, fault: Fault, details: str = "") -> Response:
    """An error as JSON. The names are those that clients of Orthanc know."""
    status = fault.http_status
    content: dict[str, Any] = {
        "HttpError": Response(status=status).status.partition(" ")[2].title(),
        "HttpStatus": status,
        "Message": fault.text,
        "Method": request.method,
        "OrthancError": fault.text,
        "OrthancStatus": fault.number,
        "Uri": request.path,
    }
    if details:
        content["Details"] = details
    text = json.dumps(content, indent="\t", sort_keys=True) + "\n"
    return Response(text, status, content_type="application/json")


def _environment(
    method: str, uri: str, body: bytes, headers: Mapping[str, str], origin: Origin
) -> "WSGIEnvironment":
    """What a WSGI server would hand over (PEP 3333): bytes as Latin-1, the path without escapes."""
    path, _, query = uri.encode("utf-8", "surrogateescape").partition(b"?")
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": "/" + unquote_to_bytes(path).decode("latin-1").removeprefix("/"),
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": origin.remote_ip,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
        "wsgi.input_terminated": True,
        _ORIGIN: origin,
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return environ
