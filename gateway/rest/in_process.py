"""The REST interface for scripts: the same table of routes as over HTTP, without a socket."""

import json

from werkzeug import Response

from gateway.errors import AnswerTooLarge, TimeIsOver
from gateway.ports import HttpAnswer, Patience, RestRequest
from gateway.rest.application import Application
from gateway.rest.errors import Fault
from gateway.rest.generations import asking_in
from gateway.rest.patience import patience_of

_BAD_URI = HttpAnswer(
    Fault.BAD_URI.http_status, json.dumps({"Message": Fault.BAD_URI.text}).encode(), {}
)


class InProcessApi:
    """Implements RestApi."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def call(self, request: RestRequest, patience: Patience) -> HttpAnswer:
        """See RestApi."""
        path = request.uri.partition("?")[0]
        if not path.startswith("/") or "//" in path:
            return _BAD_URI
        with patience_of(patience.seconds_left), asking_in(request.origin.generation):
            response = self._application.call(
                request.method,
                request.uri,
                body=request.body,
                headers=request.headers,
                origin=request.origin,
            )
            try:
                body = _body_of(response, patience)
            finally:
                response.close()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HttpAnswer(response.status_code, body, headers)


def _body_of(response: Response, patience: Patience) -> bytes:
    """All of it, files and what is made as it is read included."""
    size_bytes = response.content_length or 0
    if size_bytes > patience.most_bytes:
        raise AnswerTooLarge(patience.most_bytes)
    pieces: list[bytes] = []
    left_bytes = patience.most_bytes
    for piece in response.iter_encoded():
        left_bytes -= len(piece)
        if left_bytes < 0:
            raise AnswerTooLarge(patience.most_bytes)
        if patience.seconds_left() <= 0:
            raise TimeIsOver("the time of the script is over")
        pieces.append(piece)
    return b"".join(pieces)
