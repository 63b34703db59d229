"""What stands between the network and the application: who may ask, filters, compression, headers.

Scripts call the application itself, and meet none of it.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from werkzeug import Request

from gateway.config.models import Http
from gateway.ports import Filters
from gateway.rest.access import Access
from gateway.rest.application import Application
from gateway.rest.compression import compress
from gateway.rest.filtering import refusal

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# Nothing of a DICOM file may be taken for a page of this site, or be framed by another.
_PROTECTION = [
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("Referrer-Policy", "no-referrer"),
]


class Front:
    """A WSGI application around ours."""

    def __init__(self, settings: Http, application: Application, filters: Filters) -> None:
        self._filters = filters
        self._access = Access(settings)
        self._compresses = settings.compression
        self._application = application

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """The WSGI interface."""
        request = Request(environ)
        response = (
            self._access.refusal(request)
            or refusal(self._filters, request)
            or self._application.respond(request)
        )
        if self._compresses:
            response = compress(request, response)

        def start(status: str, headers: list[tuple[str, str]], /, *error: Any) -> Any:
            return start_response(status, headers + _PROTECTION, *error)

        return self._application.send(response, environ, start)
