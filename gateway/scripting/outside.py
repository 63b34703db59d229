"""What a script reaches outside of its runtime at once: REST, other servers, what is kept for it.

The host functions behind `lua/outside.lua`. Each answers True and its result, or False, an HTTP
status (0 without one), what went wrong, and the headers of the answer as name, value, name, value.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from gateway.errors import GatewayError
from gateway.logs import logger
from gateway.model import Origin
from gateway.ports import HttpAnswer, Patience, RestRequest
from gateway.scripting.runtime import HostFunction, OfBytes, Refused
from gateway.scripting.site import Outside
from gateway.scripting.web import Interrupted, WebClient, WebRequest

log = logger("scripting")

SIGNATURES = (
    "RestApiGet(uri, builtin, headers)",
    "RestApiPost(uri, body, builtin, headers)",
    "RestApiPut(uri, body, builtin, headers)",
    "RestApiDelete(uri, builtin, headers)",
    "HttpGet(url, headers)",
    "HttpPost(url, body, headers)",
    "HttpPut(url, body, headers)",
    "HttpDelete(url, headers)",
    "SetHttpTimeout(seconds)",
    "SetHttpCredentials(user, password)",
    "GetOrthancConfiguration()",
    "StoreKeyValue(store, key, value)",
    "GetKeyValue(store, key)",
    "DeleteKeyValue(store, key)",
    "SetStableStatus(id, stable)",
)
_SUCCESSES = range(200, 300)
_MOST_LETTERS = 200  # of what our REST interface says of an error
Outcome = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Runner:
    """The script that reaches out. origin: of what it hands to the gateway at this moment."""

    name: str
    origin: Callable[[], Origin]
    seconds_left: Callable[[], float]


class OutsideCalls:
    """The host functions of one runtime. close() it."""

    def __init__(self, runner: Runner, outside: Outside | None) -> None:
        """outside: None where there is no gateway around the script."""
        self._runner = runner
        self._outside = outside
        self._web = WebClient(outside.http_timeout_s if outside else 0.0)
        self._is_interrupted = False

    def functions(self) -> dict[str, HostFunction | OfBytes]:
        """By the names under which lua/outside.lua asks for them."""
        return {
            "outside_refused": self._refused,
            "rest": OfBytes(self._rest),
            "http": OfBytes(self._http),
            "http_timeout": self._web.set_timeout,
            "http_credentials": OfBytes(self._web.set_credentials),
            "orthanc_configuration": self._configuration,
            "store_key_value": OfBytes(self._store_key_value),
            "get_key_value": OfBytes(self._get_key_value),
            "delete_key_value": OfBytes(self._delete_key_value),
            "set_stable_status": self._set_stable_status,
        }

    def interrupt(self) -> None:
        """From another thread: wait for nothing any more, and begin nothing."""
        self._is_interrupted = True
        self._web.interrupt()

    def close(self) -> None:
        """Close the connections."""
        self._web.close()

    # --- the REST interface ----------------------------------------------------------------------

    def _rest(self, line: bytes, method: bytes, uri: bytes, body: bytes, *rest: Any) -> Outcome:
        room_bytes, *words = rest
        path = uri.decode("utf-8", "surrogateescape")
        request = RestRequest(
            method.decode(),
            path,
            body,
            {_latin(name): _latin(value) for name, value in _paired(words)},
            self._runner.origin(),
        )
        api = self._around.rest_api
        about = f"{request.method} {path.partition('?')[0]}"
        outcome = self._answered(line, about, lambda: api.call(request, self._patience(room_bytes)))
        if outcome[:2] == (False, HTTPStatus.LOOP_DETECTED):
            # Legacy scripts go on and delete the original, whose successor was just refused.
            raise Refused(outcome[2])
        return outcome

    # --- other servers ---------------------------------------------------------------------------

    def _http(self, line: bytes, method: bytes, url: bytes, body: bytes, *rest: Any) -> Outcome:
        room_bytes, *words = rest
        _ = self._around
        request = WebRequest(method.decode(), _url(url), body, tuple(_paired(words)))
        patience = self._patience(room_bytes)
        about = f"{request.method} {request.server}"  # paths of others may name a patient
        return self._answered(line, about, lambda: self._web.call(request, patience))

    # --- what is kept ----------------------------------------------------------------------------

    def _configuration(self) -> str:
        return json.dumps(self._around.configuration(), ensure_ascii=False)

    def _store_key_value(self, line: bytes, store: bytes, key: bytes, value: bytes) -> Outcome:
        kept = self._around.key_values

        def put() -> Outcome:
            kept.put(_name(store), _name(key), value)
            return True, True

        return self._tried(line, "StoreKeyValue", put)

    def _get_key_value(self, line: bytes, store: bytes, key: bytes, room_bytes: float) -> Outcome:
        kept = self._around.key_values

        def get() -> Outcome:
            value = kept.get(_name(store), _name(key))
            if value is not None and len(value) > room_bytes:
                raise GatewayError("the value is larger than the memory that the script has left")
            return True, value

        return self._tried(line, "GetKeyValue", get)

    def _delete_key_value(self, line: bytes, store: bytes, key: bytes) -> Outcome:
        kept = self._around.key_values

        def delete() -> Outcome:
            kept.delete(_name(store), _name(key))
            return True, True

        return self._tried(line, "DeleteKeyValue", delete)

    def _set_stable_status(self, line: str, resource_id: str, stable: bool) -> Outcome:
        status = self._around.stable_status

        def declare() -> Outcome:
            return True, status.declare(resource_id, stable=stable)

        return self._tried(line.encode(), "SetStableStatus", declare)

    # --- what all of them do ---------------------------------------------------------------------

    @property
    def _around(self) -> Outside:
        """Raises Refused."""
        if self._outside is None:
            raise Refused("there is no gateway around this script to be reached")
        if self._is_interrupted:
            raise Refused("the gateway stops")
        return self._outside

    def _patience(self, room_bytes: float) -> Patience:
        return Patience(self._seconds_left, int(room_bytes))

    def _seconds_left(self) -> float:
        return 0.0 if self._is_interrupted else self._runner.seconds_left()

    def _answered(self, line: bytes, about: str, ask: Callable[[], HttpAnswer]) -> Outcome:
        def asked() -> Outcome:
            answer = ask()
            if answer.status in _SUCCESSES:
                return True, answer.body
            problem, details = _problem(answer)
            # Details may quote what was asked for, which may be of a patient: not into the log.
            self._log(line, about, problem, status=answer.status)
            words = (word for header in answer.headers.items() for word in header)
            return False, answer.status, f"{problem}: {details}" if details else problem, *words

        return self._tried(line, about, asked)

    def _tried(self, line: bytes, about: str, action: Callable[[], Outcome]) -> Outcome:
        """Raises Refused when the gateway stops: a script must not take that for an outcome."""
        try:
            outcome = action()
        except Interrupted:
            raise Refused("the gateway stops") from None
        except GatewayError as error:
            self._log(line, about, str(error), kind=error.kind)
            outcome = False, 0, str(error)
        if self._is_interrupted:
            raise Refused("the gateway stops")
        return outcome

    def _refused(self, line: str, signature: str) -> None:
        self._log(line.encode(), signature, "bad parameters")

    def _log(self, line: bytes, about: str, problem: str, **fields: Any) -> None:
        log.warning(
            "a script was not answered as it hoped",
            script=self._runner.name,
            line=line.decode("utf-8", "replace"),
            about=about.encode("utf-8", "replace").decode(),
            reason=problem,
            **fields,
        )


def _problem(answer: HttpAnswer) -> tuple[str, str]:
    """What went wrong, in the words of our REST interface, or of the standard; and its details."""
    try:
        said = json.loads(answer.body) if answer.body[:1] == b"{" else {}
    except ValueError:
        said = {}
    if message := said.get("Message"):
        return str(message)[:_MOST_LETTERS], str(said.get("Details", ""))[:_MOST_LETTERS]
    return HTTPStatus(answer.status).phrase if answer.status in _STATUSES else "no success", ""


_STATUSES = frozenset(HTTPStatus)


def _paired(words: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return zip(words[::2], words[1::2], strict=True)


def _latin(word: bytes) -> str:
    """As WSGI has headers (PEP 3333)."""
    return word.decode("latin-1")


def _name(word: bytes) -> str:
    """Raises GatewayError."""
    try:
        return word.decode()
    except UnicodeDecodeError:
        raise GatewayError("names of stores and keys have to be UTF-8") from None


def _url(word: bytes) -> str:
    return word.decode("utf-8", "replace")
