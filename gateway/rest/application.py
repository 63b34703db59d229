"""From a request to a response, over the table of routes; errors are answered as JSON."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.routing import Map, Rule

from gateway.logs import logger
from gateway.rest.routes import Route

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logger("rest")


def json_response(content: Any, status: int = 200) -> Response:
    """A response that holds `content` as JSON."""
    return Response(json.dumps(content, indent=2) + "\n", status, mimetype="application/json")


class Application:
    """A WSGI application over a table of routes."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._urls = Map(
            [Rule(r.path, methods=[r.method], endpoint=r.handler) for r in routes],
            # Answer what was asked for, or 404: no redirects to a path that would have been right.
            strict_slashes=False,
            merge_slashes=False,
        )

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """The WSGI interface."""
        return self.respond(Request(environ))(environ, start_response)

    def respond(self, request: Request) -> Response:
        """The response to a request, whatever happens: this is a border for unexpected errors."""
        try:
            handler, arguments = self._urls.bind_to_environ(request.environ).match()
            response: Response = handler(request, **arguments)
        except HTTPException as exc:
            return _problem(request, exc)
        except Exception:
            log.exception("request failed", method=request.method, path=request.path)
            return _problem(request, InternalServerError("see the log of the gateway"))
        return response


def _problem(request: Request, error: HTTPException) -> Response:
    """An error as JSON. The names are those that clients of Orthanc know."""
    status = error.code or 500
    response = json_response(
        {
            "HttpStatus": status,
            "HttpError": error.name,
            "Message": error.description,
            "Method": request.method,
            "Uri": request.path,
        },
        status,
    )
    for name, value in error.get_headers(request.environ):
        if name.lower() != "content-type":  # the others matter: Allow, Retry-After
            response.headers[name] = value
    return response
