"""Answers and bodies in the forms that Orthanc's clients expect."""

import json
from typing import Any

from werkzeug import Request, Response

from gateway.rest.errors import ApiError, Fault

# A line for each value, for people who look at it. Indenting would take Python's own encoder, which
# is ten times as slow as the one in C.
_JSON = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",\n", " : "))
# How JSON escapes a surrogate. Two of them are a character; one is none, and no text to be stored.
_HALF_A_CHARACTER = b"\\ud"
# More is not a number that a database could hold.
_MOST_DIGITS = 18


def json_answer(content: Any, status: int = 200) -> Response:
    """Content as JSON."""
    text = _JSON.encode(content)
    return Response(text.encode(), status, content_type="application/json; charset=utf-8")


def text_answer(text: str) -> Response:
    """Plain text, without a line end of ours."""
    return Response(text.encode(), content_type="text/plain; charset=utf-8")


def nothing() -> Response:
    """What is answered to a DELETE or PUT that has nothing to say."""
    return json_answer({})


def json_body(request: Request) -> Any:
    """The body as JSON. Raises ApiError."""
    data = request.get_data()
    try:
        content = json.loads(data)
        if _HALF_A_CHARACTER in data.lower():
            json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise ApiError(Fault.BAD_FILE_FORMAT, "the body is not JSON") from None
    return content


def json_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises ApiError."""
    body = json_body(request)
    if not isinstance(body, dict):
        raise ApiError(Fault.BAD_FILE_FORMAT, "the body is not a JSON object")
    return body


def text_body(request: Request) -> str:
    """The body as text, whatever it is."""
    return request.get_data().decode("utf-8", "replace")


def flag_body(request: Request) -> bool:
    """A body that is true or false, or 1 or 0. Raises ApiError."""
    text = text_body(request)
    if text not in ("1", "true", "0", "false"):
        raise ApiError(Fault.BAD_FILE_FORMAT, "Boolean value expected")
    return text in ("1", "true")


def flag(request: Request, name: str) -> bool:
    """A parameter of the query that is true by being there: ?expand, ?expand=true, ?expand=1."""
    return name in request.args and request.args[name].lower() not in ("0", "false")


def number(request: Request, name: str, default: int) -> int:
    """A whole number of the query, 0 or more. Raises ApiError."""
    text = request.args.get(name)
    if text is None:
        return default
    if not text.isdecimal() or len(text) > _MOST_DIGITS:
        raise ApiError(Fault.BAD_TYPE, f"{name} is not a number: {text!r}")
    return int(text)
