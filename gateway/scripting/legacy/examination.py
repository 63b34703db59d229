"""A whole legacy set, looked at: what it defines and uses, and all that is to be said of it."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.config.models import Scripts
from gateway.errors import Fault
from gateway.scripting import header
from gateway.scripting.callbacks import CALLBACKS
from gateway.scripting.check import grammar_faults
from gateway.scripting.legacy import filters, rules, shapes, uris
from gateway.scripting.legacy.findings import Finding, Here, LegacySet, Severity, breaks
from gateway.scripting.legacy.known import NOT_CALLED_YET, ORTHANC_FUNCTIONS
from gateway.scripting.legacy.reading import Call, Place, Reading, read
from gateway.scripting.legacy.text import GAP, shown
from gateway.scripting.runtime import Dialect, without_preamble
from gateway.scripting.sources import Snapshot, by_short_names, snapshot_of

_RULES: tuple[rules.Rule, ...] = (
    rules.functions, rules.unset_globals, rules.callbacks, rules.routes, rules.remotes,
    rules.modules, rules.loops, rules.jobs, rules.commands, rules.sending, shapes.keys,
    filters.answers, filters.shared_globals,
)  # fmt: skip
# As lua/modules.lua has it.
_USUAL_PLACES = (
    "/usr/local/share/lua/5.3/?.lua", "/usr/local/share/lua/5.3/?/init.lua",
    "/usr/local/lib/lua/5.3/?.lua", "/usr/local/lib/lua/5.3/?/init.lua",
    "/usr/share/lua/5.3/?.lua", "/usr/share/lua/5.3/?/init.lua", "./?.lua", "./?/init.lua",
)  # fmt: skip
_OF_THE_SCRIPT_FOLDER = ("{}.lua", "{}/init.lua")
_PLACE = re.compile(r"(.*?):(\d+)")


@dataclass(frozen=True, slots=True)
class Used:
    """Something that scripts use. status: "" when it is there, else what is with it."""

    kind: str  # callback, function, route
    name: str
    places: tuple[str, ...]
    status: str = ""


@dataclass(frozen=True, slots=True)
class Examination:
    """What there is to say of a legacy set. files: modules that it requires among them."""

    files: tuple[str, ...]
    used: tuple[Used, ...]
    findings: tuple[Finding, ...]

    @property
    def would_break(self) -> bool:
        """Whether something of it would not work."""
        return any(finding.severity is Severity.BREAKS for finding in self.findings)


def examine(
    paths: Sequence[Path], settings: Scripts, here: Callable[[Dialect], Here]
) -> Examination:
    """Look at the files, in the order in which they would run. Nothing of them is run.

    here: what scripts of that Lua would find.
    """
    snapshot = snapshot_of(by_short_names(paths))
    lua, faults = _dialect(snapshot, settings)
    findings = [_fault(fault) for fault in (*snapshot.faults.values(), *faults)]
    reader = _Reader(snapshot, lua)
    for name, text in snapshot.files.items():
        reader.add(name, text)
    reader.follow_modules()
    legacy = LegacySet(reader.readings, reader.missing, here(lua))
    findings += reader.findings
    findings += [finding for rule in _RULES for finding in rule(legacy)]
    order = {name: index for index, name in enumerate(reader.readings)}
    findings.sort(key=lambda finding: _sorted_by(finding, order))
    return Examination(tuple(reader.readings), tuple(_used(legacy)), tuple(findings))


def _dialect(snapshot: Snapshot, settings: Scripts) -> tuple[Dialect, Sequence[Fault]]:
    """Which Lua the first file asks for, on behalf of all; and what is wrong with its header."""
    for name, text in snapshot.files.items():
        words = without_preamble(text).decode("utf-8", "replace")
        try:
            return header.parse(name, words, settings).lua, ()
        except header.HeaderInvalid as exc:
            return settings.lua, exc.faults
    return settings.lua, ()


class _Reader:
    """Reads files, and the modules that they require."""

    def __init__(self, snapshot: Snapshot, lua: Dialect) -> None:
        self.readings: dict[str, Reading] = {}
        self.findings: list[Finding] = []
        self.missing: dict[str, tuple[Place, tuple[Path, ...]]] = {}
        self._snapshot = snapshot
        self._lua = lua

    def add(self, name: str, text: bytes) -> None:
        """Read one file."""
        faults = grammar_faults(name, text, self._lua)
        self.findings += [_fault(fault) for fault in faults]
        try:
            reading = read(name, without_preamble(text))
        except RecursionError:
            reading = Reading()
            self.findings.append(breaks(f"{name}:1", "is nested too deeply to be looked at"))
        if faults:  # which words are variables is a guess then
            reading.reads.clear()
        self.readings[name] = reading

    def follow_modules(self) -> None:
        """Read what is required, and what that requires."""
        seen: set[str] = set()
        while wanted := [call for call in self._required() if call.text(0) not in seen]:
            for call in wanted:
                seen.add(call.text(0))
                self._find(call)

    def _required(self) -> Iterator[Call]:
        for reading in self.readings.values():
            for call in reading.calls:
                if call.name == "require" and GAP not in call.text(0):
                    yield call

    def _find(self, call: Call) -> None:
        name = call.text(0)
        stem = name.replace(".", "/")
        if any(place.format(stem) in self._snapshot.files for place in _OF_THE_SCRIPT_FOLDER):
            return
        places = tuple(Path(template.replace("?", stem)) for template in self._templates())
        for path in places:
            if path.is_file():
                found = snapshot_of({str(path): path})
                self.findings += [_fault(fault) for fault in found.faults.values()]
                for file, text in found.files.items():
                    self.add(file, text)
                return
        if name not in _BUILT_IN:
            self.missing[name] = call.place, places

    def _templates(self) -> list[str]:
        """Where require looks; the scripts may have said so with more than we can tell."""
        said = [
            template
            for reading in self.readings.values()
            for path in reading.paths
            for template in path.split(";")
            if "?" in template and GAP not in template
        ]
        return [*_USUAL_PLACES, *said]


_BUILT_IN = frozenset(
    {"_G", "bit", "bit32", "coroutine", "debug", "io", "math", "os", "string", "table", "utf8"}
)


def _fault(fault: Fault) -> Finding:
    return breaks(fault.where, fault.problem, fault.remedy)


def _sorted_by(finding: Finding, order: Mapping[str, int]) -> tuple[int, str, int]:
    place = _PLACE.fullmatch(finding.where)
    file, line = (place[1], int(place[2])) if place else (finding.where, 0)
    return order.get(file, -1), file, line


def _used(legacy: LegacySet) -> Iterator[Used]:
    """Callbacks, then functions of Orthanc's and ours, then routes."""
    for callback in CALLBACKS:
        places = tuple(
            str(each.place)
            for each in legacy.definitions
            if each.name == callback.name and each.parameters is not None
        )
        if places:
            status = "not called yet" if callback.name in NOT_CALLED_YET else ""
            yield Used("callback", callback.name, places, status)
    yield from _functions_used(legacy)
    yield from _routes_used(legacy)


def _functions_used(legacy: LegacySet) -> Iterator[Used]:
    places: dict[str, list[str]] = {}
    for call in legacy.calls:
        if call.name in ORTHANC_FUNCTIONS or call.name in _OURS:
            places.setdefault(call.name, []).append(str(call.place))
    for name in sorted(places):
        status = "" if name in legacy.here.names else "not there"
        yield Used("function", name, tuple(places[name]), status)


_OURS = frozenset({"Forward", "Transcode", "transcode_ladder"})


def _routes_used(legacy: LegacySet) -> Iterator[Used]:
    places: dict[tuple[str, str], list[str]] = {}
    for call in legacy.calls:
        if call.name in uris.METHODS:
            key = uris.METHODS[call.name], uris.path_of(call.text(0))
            places.setdefault(key, []).append(str(call.place))
    for (method, path), where in sorted(places.items()):
        yield Used("route", f"{method} {shown(path)}", tuple(where), _status(method, path, legacy))


def _status(method: str, path: str, legacy: LegacySet) -> str:
    if not uris.is_told(path):
        return "known only when it runs"
    missing = uris.what_is_missing(method, path, legacy.here.missing)
    return "no such route" if missing is None else f"501: no {missing} yet" if missing else ""
