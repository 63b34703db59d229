"""What can be changed while the gateway runs; a new start brings back what is configured."""

import json
from collections.abc import Callable, Set
from typing import Literal

from werkzeug import Request, Response

from gateway import logs
from gateway.dicom import charsets, syntaxes
from gateway.rest.answers import flag_body, json_answer, text_answer, text_body
from gateway.rest.errors import ApiError, Fault
from gateway.rest.routes import Route
from gateway.rest.services import Services

LogLevel = Literal["debug", "info", "warning", "error"]
_LONGEST_PATTERN = 256


def tuning_routes(services: Services) -> tuple[Route, ...]:
    """GET and PUT of single settings under /tools."""
    reception = services.reception
    verbosity = _Verbosity(services.settings.log.level)

    def get_syntaxes(request: Request) -> Response:
        return json_answer(sorted(reception.transfer_syntaxes, key=_numbers_of))

    def put_syntaxes(request: Request) -> Response:
        reception.accept_transfer_syntaxes(_syntaxes_named(request))
        return get_syntaxes(request)

    def get_unknown(request: Request) -> Response:
        return text_answer("1" if reception.accepts_unknown_sop_classes else "0")

    def put_unknown(request: Request) -> Response:
        reception.accept_unknown_sop_classes(flag_body(request))
        return text_answer("")

    return (
        *_setting("/tools/accepted-transfer-syntaxes", get_syntaxes, put_syntaxes),
        *_setting("/tools/unknown-sop-class-accepted", get_unknown, put_unknown),
        *_setting("/tools/default-encoding", _get_encoding, _put_encoding),
        *_setting("/tools/log-level", verbosity.get, verbosity.put),
    )


Handler = Callable[[Request], Response]


def _setting(path: str, get: Handler, put: Handler) -> tuple[Route, Route]:
    return Route("GET", path, get), Route("PUT", path, put)


class _Verbosity:
    """Orthanc's words for how much is logged. "default" is what the configuration says."""

    def __init__(self, configured: LogLevel) -> None:
        verbose: LogLevel = "debug" if configured == "debug" else "info"
        self._levels: dict[str, LogLevel] = {
            "default": configured, "verbose": verbose, "trace": "debug",
        }  # fmt: skip
        self._current = "default"

    def get(self, request: Request) -> Response:
        """The word that was set."""
        return text_answer(self._current)

    def put(self, request: Request) -> Response:
        """Log more, or less, from now on."""
        word = text_body(request)
        if word not in self._levels:
            raise ApiError(
                Fault.OUT_OF_RANGE, f'Verbosity can be "default", "verbose" or "trace": {word}'
            )
        logs.set_level(self._levels[word])
        self._current = word
        return text_answer("")


def _get_encoding(request: Request) -> Response:
    return text_answer(charsets.default_encoding())


def _put_encoding(request: Request) -> Response:
    try:
        charsets.set_default_encoding(text_body(request))
    except LookupError:
        raise ApiError(Fault.OUT_OF_RANGE, "no such encoding") from None
    return _get_encoding(request)


def _syntaxes_named(request: Request) -> Set[str]:
    """The UIDs that the body's patterns match: a JSON list or string, or one pattern as it is."""
    text = text_body(request)
    try:
        patterns = json.loads(text)
    except (ValueError, RecursionError):
        patterns = text
    if isinstance(patterns, str):
        patterns = [patterns]
    if not isinstance(patterns, list) or not all(isinstance(each, str) for each in patterns):
        raise ApiError(Fault.BAD_FILE_FORMAT, "expected a list of transfer syntaxes")
    # Comparing takes the square of its length, and no name is that long.
    patterns = [each for each in patterns if len(each) <= _LONGEST_PATTERN]
    return {syntax.uid for syntax in syntaxes.matching(patterns)}


def _numbers_of(uid: str) -> list[int]:
    return [int(number) for number in uid.split(".")]
