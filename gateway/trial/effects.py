"""What a script that is only tried does outside: shown, and answered as if it had been done."""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from gateway.dicom.identifiers import resource_ids
from gateway.dicom.part10 import read_file_summary
from gateway.errors import StoreError
from gateway.model import Action, Level, Step
from gateway.rest.application import Application
from gateway.rest.later import LATER
from gateway.scripting.runtime import HostFunction, OfBytes
from gateway.scripting.site import HostFunctions

# Posts that change nothing: they are answered by the throw-away gateway.
_ASKING = re.compile(
    r"/tools/(find|lookup|count-resources)/?|/instances/[^/]+/(modify|anonymize)/?"
)
_SECRET = re.compile(r"://[^/@\s]*@")
_MOST_LETTERS = 160
_FUNCTIONS = {"POST": "RestApiPost", "PUT": "RestApiPut", "DELETE": "RestApiDelete"}
_HTTP_FUNCTIONS = {
    "GET": "HttpGet", "POST": "HttpPost", "PUT": "HttpPut", "DELETE": "HttpDelete",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that was shown instead of done. line: `file:line`, "" for what has none."""

    line: str
    what: str
    details: str = ""


Tell = Callable[[Effect], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a script is tried. folder: for what it writes. Effects of a kind may be allowed."""

    application: Application
    folder: Path
    tell: Tell
    allow_http: bool = False
    allow_exec: bool = False


class Rehearsal:
    """What takes the place of host functions; see Site.rehearsal and lua/rehearsal.lua."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._numbers = count(1)

    def __call__(self, functions: HostFunctions) -> HostFunctions:
        """The functions of a script that is only tried."""
        replaced: dict[str, HostFunction | OfBytes] = {**functions}
        rest = functions["rest"]
        assert isinstance(rest, OfBytes)
        replaced["rest"] = OfBytes(lambda *given: self._rest(rest.function, *given))
        if not self._stage.allow_http:
            replaced["http"] = OfBytes(self._http)
        if not self._stage.allow_exec:
            replaced |= {
                "shown": self._shown, "stand_in": self._stand_in, "temporary": self._temporary,
            }  # fmt: skip
        return replaced

    # --- requests --------------------------------------------------------------------------------

    def _rest(self, ask: HostFunction, *given: Any) -> Any:
        line, method, uri, body = (bytes(each) for each in given[:4])
        path = uri.decode("utf-8", "replace").partition("?")[0]
        if not self._changes_something(method.decode(), path):
            return ask(*given)
        details = " ".join((uri.decode("utf-8", "replace"), shown_body(body))).strip()
        self._tell(line.decode("utf-8", "replace"), _FUNCTIONS[method.decode()], details)
        return True, _answer(method.decode(), path, body, self._stage.folder)

    def _changes_something(self, method: str, path: str) -> bool:
        """False as well for what the gateway does not know: it says so itself."""
        if method == "GET" or _ASKING.fullmatch(path):
            return False
        route = self._stage.application.route_of(method, path)
        return route is not None and (method, route) not in LATER

    def _http(self, line: bytes, method: bytes, url: bytes, body: bytes, *_: Any) -> Any:
        where = _SECRET.sub("://...@", url.decode("utf-8", "replace"))
        details = " ".join((where, shown_body(body))).strip()
        self._tell(line.decode("utf-8", "replace"), _HTTP_FUNCTIONS[method.decode()], details)
        return True, b""

    # --- files and commands ----------------------------------------------------------------------

    def _shown(self, line: str, what: str, *words: str) -> None:
        self._tell(line, what, " ".join(words))

    def _stand_in(self, line: str, path: str, mode: str) -> str:
        """The file that a script writes to instead of `path`."""
        if Path(path).is_relative_to(self._stage.folder):
            return path
        self._tell(line, "write", path)
        stand_in = self._temporary()
        if not mode.startswith("w") and Path(path).is_file():
            shutil.copyfile(path, stand_in)
        return stand_in

    def _temporary(self) -> str:
        return str(self._stage.folder / f"file-{next(self._numbers)}")

    def _tell(self, line: str, what: str, details: str) -> None:
        self._stage.tell(Effect(line, what, _in_short(details)))


# --- words ---------------------------------------------------------------------------------------


def shown_body(body: bytes) -> str:
    """The beginning of a text, or how much it is."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return f"({len(body)} bytes)"
    return _in_short(text) if text.isprintable() or "\n" in text else f"({len(body)} bytes)"


def step_effect(step: Step) -> Effect:
    """A step of a plan, for people."""
    subject = step.subject or f"the result of step {step.result_of}"
    parameters = {name: value for name, value in step.parameters.items() if name not in _INNER}
    to = f" to {step.destination}" if step.destination else ""
    told = f" {json.dumps(parameters, ensure_ascii=False)}" if parameters else ""
    return Effect(step.line, _STEPS[step.action], f"{subject}{to}{told}")


_INNER = ("salt", "generation")
_STEPS = {
    Action.TRANSCODE: "Transcode",
    Action.MODIFY: "ModifyInstance",
    Action.FORWARD: "Forward",
    Action.SEND_TO_PEER: "SendToPeer",
    Action.CALL: "CallSystem",
    Action.DELETE: "Delete",
}


def _in_short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_LETTERS else f"{line[:_MOST_LETTERS]}..."


# --- answers -------------------------------------------------------------------------------------


def _answer(method: str, path: str, body: bytes, folder: Path) -> bytes:
    """What the script would have been answered, as far as that can be told beforehand."""
    if method == "PUT":
        return b""
    if method == "POST" and path.rstrip("/") == "/instances":
        return _as_stored(body, folder)
    if method == "POST" and _is_asynchronous(body):
        job = str(uuid4())
        return _json({"ID": job, "Path": f"/jobs/{job}"})
    parts = path.strip("/").split("/")
    if method == "POST" and parts[-1] in ("modify", "anonymize"):
        level, resource_id = parts[0], parts[1]
        return _json({"ID": resource_id, "Path": f"/{level}/{resource_id}"})
    return _json({})


def _as_stored(body: bytes, folder: Path) -> bytes:
    """The answer to an upload: whoever goes on with its ID gets the right one."""
    path = folder / "upload.dcm"
    path.write_bytes(BytesIO(body).getvalue())
    try:
        ids = resource_ids(read_file_summary(path).identifiers)
    except StoreError:
        return _json({})
    finally:
        path.unlink()
    instance = ids[Level.INSTANCE]
    parents = {f"Parent{level}": ids[level] for level in ids if level is not Level.INSTANCE}
    return _json({"ID": instance, "Path": f"/instances/{instance}", "Status": "Success", **parents})


def _is_asynchronous(body: bytes) -> bool:
    try:
        asked = json.loads(body)
    except ValueError:
        return False
    return isinstance(asked, Mapping) and (
        asked.get("Asynchronous") is True or asked.get("Synchronous") is False
    )


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=3).encode()
