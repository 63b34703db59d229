"""Scripts without a gateway: an EventQueue in memory, Tags that answer what they are told, and ways
to run Lua as a lane would."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from gateway.config.models import Codecs, Destination, Scripts
from gateway.errors import UnknownDestination
from gateway.model import (
    Action,
    Event,
    EventKind,
    Facts,
    Origin,
    OriginKind,
    ParkedEvent,
    Step,
    Version,
    VersionState,
)
from gateway.scripting.script import LoadedScript, Script, origin_table
from gateway.scripting.site import Site
from gateway.scripting.sources import Snapshot

INSTANCE_ID = "66a662ce-7430e543-bad44d47-0dc5a943-ec7a538d"
PACS = Destination(aet="PACS", host="pacs.example", port=104)
OTHER_ID = "11111111-22222222-33333333-44444444-55555555"


def make_event(number: int = 1, **metadata: str) -> Event:
    version = Version(
        number, INSTANCE_ID, "1.2.840.10008.5.1.4.1.1.2", f"1.2.3.{number}",
        "1.2.840.10008.1.2.1", f"key{number}", 1000, VersionState.CURRENT,
    )  # fmt: skip
    origin = Origin(OriginKind.DICOM, "MODALITY", "GATEWAY", "10.1.2.3")
    return Event(number, EventKind.STORED_INSTANCE, INSTANCE_ID, version, origin, metadata)


class FakeTags:
    def __init__(self, **values: object) -> None:
        self.values: Mapping[str, object] = values
        self.asked = 0

    def of(self, version: Version) -> Mapping[str, object]:
        self.asked += 1
        return self.values

    def of_resource(self, resource_id: str) -> Facts | None:
        self.asked += 1
        return Facts(self.values, {"LastUpdate": "20260101T000000"}, Origin(OriginKind.DICOM, "CT"))


class FakeQueue:
    """Every lane sees every event that came after it was opened."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.events: list[Event] = []
        self.begins: dict[str, int] = {}
        self.open: set[str] = set()
        self.settled: dict[tuple[str, int], tuple[Step, ...]] = {}
        self.order: list[tuple[str, int]] = []
        self.wakes = 0
        self.parked: dict[tuple[str, int], ParkedEvent] = {}
        self.statuses: dict[str, dict[str, object]] = {}
        self.failures: list[Exception] = []
        self.unknown_destinations: set[str] = set()
        self.beats: list[tuple[str, tuple[Step, ...]]] = []

    # --- the port -----------------------------------------------------------------------------

    def opened(self, lane: str) -> None:
        with self.changed:
            self.open.add(lane)
            self.begins.setdefault(lane, len(self.events))
            self.changed.notify_all()

    def closed(self, lane: str) -> None:
        with self.changed:
            self.open.remove(lane)
            self.changed.notify_all()

    def status(
        self, lane: str, *, script_version: str, callbacks: Sequence[str], fault: str
    ) -> None:
        with self.changed:
            self.statuses[lane] = {
                "version": script_version, "callbacks": tuple(callbacks), "fault": fault,
            }  # fmt: skip
            self.changed.notify_all()

    def pending(self, lane: str, limit: int) -> Sequence[Event]:
        with self.changed:
            return [e for e in self.events[self.begins[lane] :] if not self._is_over(lane, e)][
                :limit
            ]

    def settle(self, lane: str, event: Event, steps: Sequence[Step]) -> None:
        with self.changed:
            if self.failures:
                raise self.failures.pop(0)
            for step in steps:
                if step.action is Action.FORWARD and step.destination in self.unknown_destinations:
                    raise UnknownDestination(f"no destination is called {step.destination!r}")
            assert not self._is_over(lane, event), "settled twice"
            self.settled[lane, event.event_id] = tuple(steps)
            self.order.append((lane, event.event_id))
            self.changed.notify_all()

    def park(self, parked: ParkedEvent) -> None:
        with self.changed:
            key = (parked.lane, parked.event_id)
            assert key not in self.settled
            assert key not in self.parked
            self.parked[key] = parked
            self.order.append(key)
            self.changed.notify_all()

    def wait(self, lane: str, timeout_s: float) -> None:
        with self.changed:
            known = len(self.events), self.wakes
            self.changed.wait_for(lambda: (len(self.events), self.wakes) != known, timeout_s)

    def wake(self) -> None:
        with self.changed:
            self.wakes += 1
            self.changed.notify_all()

    def beat(self, lane: str, steps: Sequence[Step]) -> None:
        with self.changed:
            self.beats.append((lane, tuple(steps)))
            self.changed.notify_all()

    # --- for tests ------------------------------------------------------------------------------

    def add(self, event: Event) -> Event:
        with self.changed:
            self.events.append(event)
            self.changed.notify_all()
        return event

    def until(self, predicate, what: str = "", timeout_s: float = 10.0):
        """Wait until `predicate()` is true, and answer it."""
        end = time.monotonic() + timeout_s
        with self.changed:
            while not (found := predicate()):
                # Files change without notice: look again now and then.
                if not self.changed.wait(0.05) and time.monotonic() > end:
                    raise AssertionError(f"never happened: {what or predicate}; {self.statuses}")
            return found

    def until_settled(self, lane: str, event: Event) -> tuple[Step, ...]:
        key = (lane, event.event_id)
        self.until(lambda: key in self.settled or key in self.parked, f"{key} settled")
        assert key in self.settled, self.parked.get(key)
        return self.settled[key]

    def until_parked(self, lane: str, event: Event) -> ParkedEvent:
        key = (lane, event.event_id)
        self.until(lambda: key in self.settled or key in self.parked, f"{key} parked")
        assert key in self.parked, self.settled.get(key)
        return self.parked[key]

    def _is_over(self, lane: str, event: Event) -> bool:
        return (lane, event.event_id) in self.settled or (lane, event.event_id) in self.parked


def load(
    source: str | bytes,
    *,
    name: str = "test.lua",
    destinations: Sequence[str] | Mapping[str, Destination] = ("archive",),
    peers: Sequence[str] = (),
    codecs: Mapping[str, object] | None = None,
    modules: Mapping[str, str] | None = None,
    **settings: object,
) -> LoadedScript:
    """A script in a runtime, as a lane would have it.

    destinations: their names, or with their settings. peers: their names. settings, codecs: keys of
    those sections.
    """
    content = source if isinstance(source, bytes) else source.encode()
    files = {name: content, **{k: v.encode() for k, v in (modules or {}).items()}}
    script = Script.of(name, Snapshot(files), Scripts.model_validate(settings))
    named = destinations if isinstance(destinations, Mapping) else dict.fromkeys(destinations, PACS)
    transcoding = Codecs.model_validate(codecs or {}).options()
    return LoadedScript(script, Site(named, transcoding, peers=peers))


def on_stored_instance(
    loaded: LoadedScript, event: Event, tags: Mapping[str, object]
) -> Sequence[Step]:
    """What the callback of a loaded script plans."""
    told = (event.subject, tags, event.metadata, origin_table(event.origin))
    return loaded.handle("OnStoredInstance", *told, cause=event.origin)


def steps_of(body: str, event: Event | None = None, **options: Any) -> Sequence[Step]:
    """What `body`, as the body of OnStoredInstance, plans."""
    source = f"function OnStoredInstance(instanceId, tags, metadata, origin) {body}\nend"
    tags = options.pop("tags", {})
    loaded = load(source, **options)
    try:
        return on_stored_instance(loaded, event or make_event(), tags)
    finally:
        loaded.close()


def said(body: str, **options: Any) -> list[str]:
    """What `body` prints."""
    with capture_logs() as logs:
        steps_of(body, **options)
    return [entry["says"] for entry in logs if entry["event"] == "script says"]


@dataclass
class Survival:
    """What a process said that ran a hostile script, and then a harmless one."""

    kind: str  # of the error that ended the script, or "fine"
    message: str
    seconds: float
    longest_pause_s: float  # of another thread of the process


_DRIVER = """
import json, os, sys, threading, time
import structlog
from gateway.errors import ScriptError
from scripting_support import load, make_event, on_stored_instance

structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), processors=[lambda *_: ""])
# What scripts write goes elsewhere.
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)

def attempt(source, events, settings):
    loaded = None
    try:
        loaded = load(source, **settings)
        for number in range(events):
            tags = {"PatientName": "A", "Items": [{"CodeValue": "B"}]}
            on_stored_instance(loaded, make_event(number), tags)
        loaded.finalize()
    except ScriptError as exc:
        return {"kind": exc.kind, "message": str(exc)}
    finally:
        if loaded:
            loaded.close()
    return {"kind": "fine", "message": ""}

def survive(source, events, settings):
    print("running", source, file=sys.stderr, flush=True)
    paused.clear()
    began = time.monotonic()
    result = attempt(source, events, settings)
    result["seconds"] = time.monotonic() - began
    result["longest_pause_s"] = max(paused, default=0)
    harmless = load("function OnStoredInstance(id) Forward(id, 'archive') end")
    assert len(on_stored_instance(harmless, make_event(), {})) == 1
    harmless.close()
    return result

def tick():
    last = time.monotonic()
    while not over.wait(0.01):
        now = time.monotonic()
        paused.append(now - last)
        last = now

def run():
    try:
        for line in sys.stdin:
            answers.write(json.dumps(survive(**json.loads(line))) + "\\n")
    finally:
        over.set()
        answers.close()

paused, over = [], threading.Event()
threads = [threading.Thread(target=run, daemon=True), threading.Thread(target=tick)]
for thread in threads:
    thread.start()
"""


class Survivor:
    """A process of its own for scripts that may take theirs down; close() it.

    The scripts of many tests follow each other in it, and after each a harmless one has to run. One
    that has died fails the test whose script that was, and the next test gets another.
    """

    def __init__(self, log: Path) -> None:
        """log: what the process says beside its answers."""
        self._log = log
        self._process: subprocess.Popen[str] | None = None

    def run(self, source: str, *, events: int = 1, **settings: Any) -> Survival:
        """What a script does in a process that has to live.

        A bare body becomes the body of OnStoredInstance. settings: those of load().
        """
        order = {"source": _as_script(source), "events": events,
                 "settings": {"timeout_s": 5, **settings}}  # fmt: skip
        try:
            return self._answer(json.dumps(order))
        except BaseException:  # also pytest's own, for a test that took too long
            self.close()
            raise

    def run_all(self, sources: Sequence[str], **settings: Any) -> list[Survival]:
        """As run(), one after the other."""
        return [self.run(source, **settings) for source in sources]

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _answer(self, order: str) -> Survival:
        if self._process is None:
            self._process = self._started()
        assert self._process.stdin
        assert self._process.stdout
        # Of a process that has died the end of its answers tells more than the broken pipe.
        with suppress(BrokenPipeError):
            self._process.stdin.write(order + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the process died: {self._process.wait(10)}\n{self._said()}"
        return Survival(**json.loads(answer))

    def _started(self) -> "subprocess.Popen[str]":
        here = Path(__file__).parent
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-c", _DRIVER],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join([str(here), str(here.parent)])},
            )  # fmt: skip

    def _said(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


def _as_script(source: str) -> str:
    if "function OnStoredInstance" in source:
        return source
    return f"function OnStoredInstance(instanceId, tags, metadata, origin)\n{source}\nend"
