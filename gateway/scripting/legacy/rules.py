"""The rules: what would break, what would differ, and what could be better."""

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches

from gateway.scripting.callbacks import CALLBACKS
from gateway.scripting.legacy import uris
from gateway.scripting.legacy.findings import Finding, LegacySet, breaks, differs, hint
from gateway.scripting.legacy.known import (
    CLOSED,
    NEVER_WERE,
    NOT_CALLED_YET,
    ORTHANC_FUNCTIONS,
    TRANSCODERS,
)
from gateway.scripting.legacy.reading import Call, Read
from gateway.scripting.legacy.text import GAP, shown

_CALLBACK_NAMES = tuple(callback.name for callback in CALLBACKS)
_LOOKS_LIKE_A_CALLBACK = re.compile(r"(On|Is|Received|Incoming|Outgoing)[A-Z]\w+")
_ON_JOB = ("OnJobSubmitted", "OnJobSuccess", "OnJobFailure")
_SENDING = ("SendToModality", "SendToPeer")
_UPLOADING = ("ModifyInstance",)
_SAYS_ORIGIN = ("RequestOrigin", "ModifiedFrom", "AnonymizedFrom", "RemoteAET", "RemoteAet")
_COMMANDS = ("os.execute", "io.popen", "CallSystem")


def functions(legacy: LegacySet) -> Iterator[Finding]:
    """Functions that are called and are not there."""
    defined = {each.name for each in legacy.definitions}
    for call in legacy.calls:
        owner = call.name.partition(".")[0]
        if call.name in CLOSED:
            yield breaks(call.place, f"{call.name} is closed here", CLOSED[call.name])
        elif owner in defined or call.name in legacy.here.names:
            continue
        elif "." in call.name:
            if owner in legacy.here.names:
                yield breaks(call.place, f"there is no {call.name}", _close(call.name, legacy))
        elif call.name in ORTHANC_FUNCTIONS:
            yield breaks(call.place, f"{call.name} is a function of Orthanc that is not here")
        else:
            yield breaks(
                call.place,
                f"there is no function {call.name}, and never was in Orthanc",
                _meant(call.name, legacy),
            )


def _meant(name: str, legacy: LegacySet) -> str:
    meant = NEVER_WERE.get(name)
    return f"{meant} is meant" if meant else _close(name, legacy)


def _close(name: str, legacy: LegacySet) -> str:
    known = sorted({*legacy.here.names, *legacy.functions})
    close = get_close_matches(name, known, 1, 0.8)
    return f"is {close[0]} meant?" if close else ""


def unset_globals(legacy: LegacySet) -> Iterator[Finding]:
    """Globals that are read and set nowhere, each once in a file; calls are told by functions()."""
    defined = {each.name for each in legacy.definitions} | set(legacy.here.names)
    called = {(str(call.place), call.name) for call in legacy.calls}
    told: set[tuple[str, str]] = set()
    for reading in legacy.readings.values():
        for read in reading.reads:
            where = (read.place.file, read.name)
            if read.name in defined or where in told or (str(read.place), read.name) in called:
                continue
            told.add(where)
            yield _unset(read)


def _unset(read: Read) -> Finding:
    problem = f"the global {read.name} is set nowhere, and reads nil"
    if read.is_needed:
        return breaks(read.place, f"{problem}: that is an error here, as in Orthanc")
    return differs(read.place, problem, "a misspelt variable? Orthanc reads nil, too")


def callbacks(legacy: LegacySet) -> Iterator[Finding]:
    """Callbacks that are never called, or replaced."""
    before: dict[str, str] = {}
    for definition in legacy.definitions:
        name = definition.name
        if definition.parameters is None:
            continue
        if name in before and name in _CALLBACK_NAMES:
            yield differs(
                before[name],
                f"this {name} never runs: it is defined again at {definition.place}",
                "as in Orthanc, the later one counts; in files of the script folder, both would",
            )
        before[name] = str(definition.place)
        if name in NOT_CALLED_YET:
            yield breaks(definition.place, f"{name} is not called yet: queries are not offered")
        elif name not in _CALLBACK_NAMES and _LOOKS_LIKE_A_CALLBACK.fullmatch(name):
            close = get_close_matches(name, _CALLBACK_NAMES, 1, 0.8)
            is_called = any(call.name == name for call in legacy.calls)
            if close and not is_called:
                yield differs(
                    definition.place,
                    f"{name} is never called, neither here nor by Orthanc",
                    f"is {close[0]} meant?",
                )


def routes(legacy: LegacySet) -> Iterator[Finding]:
    """Requests to the REST interface that would not be answered."""
    for call in legacy.calls:
        method = uris.METHODS.get(call.name)
        uri = call.text(0)
        if method is None or not uri.strip(GAP):
            continue
        if not uri.startswith(("/", GAP)):
            problem = f"{shown(uri)!r} does not begin with /, and no route does not"
            yield breaks(call.place, problem, "Orthanc answers nil, too")
        elif uris.is_told(uri):
            missing = uris.what_is_missing(method, uri, legacy.here.missing)
            path = f"{method} {shown(uris.path_of(uri))}"
            if missing is None:
                yield breaks(call.place, f"there is no route {path}")
            elif missing:
                yield breaks(call.place, f"{path}: {missing} is not offered yet, it answers 501")


def remotes(legacy: LegacySet) -> Iterator[Finding]:
    """Names of modalities and peers that are not configured."""
    kinds = (
        ("modality", "modalities", ("SendToModality", "Forward"), legacy.here.modalities),
        ("peer", "peers", ("SendToPeer",), legacy.here.peers),
    )
    for call in legacy.calls:
        for one, many, senders, configured in kinds:
            name = _remote(call, senders, many)
            if name and configured is not None and name not in configured:
                known = ", ".join(sorted(configured)) or "none"
                problem = f"no {one} is called {name!r}"
                yield breaks(call.place, problem, f"the configuration has {known}")


def _remote(call: Call, senders: tuple[str, ...], kind: str) -> str | None:
    if call.name in senders:
        name = call.text(1)
        return name if GAP not in name else None
    if call.name in ("RestApiGet", "RestApiPost"):
        return uris.remote_of(call.text(0), kind)
    return None


def modules(legacy: LegacySet) -> Iterator[Finding]:
    """Modules that are not found."""
    for name, (place, places) in legacy.missing_modules.items():
        looked = ", ".join(str(path) for path in places if not path.is_relative_to("/usr"))
        yield breaks(
            place,
            f"the module {name!r} is not found",
            f"looked for {looked} and in Lua's own folders; C libraries cannot be loaded",
        )


def loops(legacy: LegacySet) -> Iterator[Finding]:
    """Scripts that answer what they have stored themselves."""
    definition = legacy.functions.get("OnStoredInstance")
    if definition is None:
        return
    reading = legacy.readings[definition.place.file]
    if any(each.name in _SAYS_ORIGIN for each in reading.fields):
        return
    for call in reading.calls:
        is_upload = call.name == "RestApiPost" and call.text(0).rstrip("/") == "/instances"
        if call.place.function == definition.name and (call.name in _UPLOADING or is_upload):
            yield differs(
                call.place,
                f"{call.name} stores an instance, for which OnStoredInstance is called again",
                "look at origin.RequestOrigin, which is 'Lua' then; a loop is cut here after"
                " scripts.loop_limit rounds, and by Orthanc never",
            )
            return


def jobs(legacy: LegacySet) -> Iterator[Finding]:
    """Callbacks of jobs, in scripts that send by primitives."""
    if not any(call.name in _SENDING for call in legacy.calls):
        return
    for name in _ON_JOB:
        if name in legacy.functions:
            yield differs(
                legacy.functions[name].place,
                f"{name} is not called for what SendToModality and its like have asked for",
                "these are tasks of the queue, and are tried again by themselves; jobs are what"
                " RestApiPost has begun",
            )


def commands(legacy: LegacySet) -> Iterator[Finding]:
    """Programs that scripts run, and what the gateway does without them."""
    for call in legacy.calls:
        if call.name not in _COMMANDS:
            continue
        words = set(re.findall(r"[\w.-]+", call.text(1 if call.name == "CallSystem" else 0)))
        if found := sorted(words & TRANSCODERS):
            yield hint(
                call.place,
                f"{found[0]} stops all events of this lane while it runs",
                "Transcode(id, syntax, {replace = true}) does it in the background, verified",
            )
        elif "sleep" in words:
            yield hint(
                call.place,
                "sleep stops all events of this lane",
                "what has to wait for the rest of a study belongs into OnStableStudy",
            )


def sending(legacy: LegacySet) -> Iterator[Finding]:
    """Requests that send, while the callback waits."""
    for call in legacy.calls:
        uri = call.text(0).rstrip("/")
        if call.name != "RestApiPost" or not uri.endswith("/store"):
            continue
        primitive = {"/modalities": "SendToModality", "/peers": "SendToPeer"}
        for prefix, name in primitive.items():
            if uri.startswith(prefix):
                yield hint(
                    call.place,
                    "the callback waits until all is sent, and nobody tries again",
                    f"{name}(id, name) waits in the queue, and is tried again until it arrives",
                )


Rule = Callable[[LegacySet], Iterator[Finding]]
