"""A script, tried on real files: stored in a throw-away gateway, its callback called for each."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

from gateway.app import Inside
from gateway.config.models import Configuration, Destination
from gateway.errors import GatewayError, ScriptError, ScriptOutOfMemory, ScriptTimedOut
from gateway.logs import logger
from gateway.metrics import Metrics
from gateway.model import Event, EventKind, Level, Origin, OriginKind
from gateway.ports import EventQueue
from gateway.routing.events import LaneEvents
from gateway.routing.signal import Signal
from gateway.scripting.filters import ScriptFilters
from gateway.scripting.handling import Handler
from gateway.scripting.script import LoadedScript, Script
from gateway.scripting.sources import Snapshot, by_short_names, snapshot_of, take_snapshot
from gateway.scripting.surroundings import Surroundings
from gateway.scripting.watch import GivenUp, Watch
from gateway.scripting.worker import stuck_error
from gateway.store.catalogue import Catalogue
from gateway.store.file_tags import FileTags
from gateway.store.stability import Stability
from gateway.trial.effects import Effect, Rehearsal, Stage, step_effect
from gateway.trial.house import throw_away_gateway

log = logger("trial")
_LANE = "try"
_GRACE_S = 2.0
_MOST_EVENTS = 1_000_000
_ORIGIN = Origin(OriginKind.DICOM, "MODALITY", "GATEWAY", "127.0.0.1")
_ANYWHERE = Destination(aet="ANYWHERE", host="localhost", port=104)
_LEVEL_OF = {
    EventKind.STABLE_SERIES: Level.SERIES,
    EventKind.STABLE_STUDY: Level.STUDY,
    EventKind.STABLE_PATIENT: Level.PATIENT,
}


@dataclass(frozen=True, slots=True)
class Trial:
    """What is to be tried.

    is_legacy: the script is one of Orthanc's LuaScripts, with the limits of those.
    knows_remotes: the configuration is the one to run with; else every name of a modality or peer
    is taken for one that is there. allow_http, allow_exec: really call other servers; really run
    commands and write files.
    """

    script: Path
    files: Sequence[Path]
    event: EventKind
    configuration: Configuration
    is_legacy: bool = False
    knows_remotes: bool = False
    allow_http: bool = False
    allow_exec: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """A callback is called. subject: what it is about."""

    callback: str
    subject: str


@dataclass(frozen=True, slots=True)
class Said:
    """The script has printed this."""

    text: str


@dataclass(frozen=True, slots=True)
class Failure:
    """The script failed, or a file could not be stored. traceback: "" where there is none."""

    about: str
    error: str
    traceback: str = ""


Told = Begun | Said | Effect | Failure


def rehearse(trial: Trial) -> Iterator[Told]:
    """Try it; tells all that happens, as it does. Raises GatewayError, OSError."""
    with (
        throw_away_gateway(trial.configuration) as gateway,
        TemporaryDirectory(prefix="gateway-try-") as folder,
    ):
        inside = gateway.inside
        queue = _queue(inside)
        queue.opened(_LANE)
        for path in trial.files:
            if not _is_stored(inside, path):
                yield Failure(str(path), "is not a DICOM file that can be stored")
        _settle(inside, trial.event)
        events = [each for each in queue.pending(_LANE, _MOST_EVENTS) if each.kind is trial.event]
        if not events:
            yield Failure(trial.event, "there is nothing to call it for")
            return
        yield from _Performance(trial, inside, Path(folder), gateway.metrics).run(events)


def _is_stored(inside: Inside, path: Path) -> bool:
    """As if a modality had sent it."""
    response = inside.application.call("POST", "/instances", body=path.read_bytes(), origin=_ORIGIN)
    return response.status_code == HTTPStatus.OK


def _queue(inside: Inside) -> EventQueue:
    return LaneEvents(inside.store.outbox, Signal(), {})


def _settle(inside: Inside, kind: EventKind) -> None:
    """What can be stable is so at once, as if its time had come."""
    store = inside.store
    if level := _LEVEL_OF.get(kind):
        stability = Stability(store.engine, store.committer, age_s=0)
        for resource_id in Catalogue(store.engine).ids(level):
            stability.declare(resource_id, stable=True)


class _Performance:
    """The script in its runtime, called for one event after the other.

    In a thread of its own: a script that never comes back must not hold whoever waits for it.
    """

    def __init__(self, trial: Trial, inside: Inside, folder: Path, metrics: Metrics) -> None:
        self._trial = trial
        self._inside = inside
        self._metrics = metrics
        self._told: SimpleQueue[Told | None] = SimpleQueue()
        stage = Stage(
            inside.application,
            folder,
            self._told.put,
            allow_http=trial.allow_http,
            allow_exec=trial.allow_exec,
        )
        self._site = replace(inside.site, rehearsal=Rehearsal(stage))
        if not trial.knows_remotes:
            self._site = replace(self._site, destinations=_Any(), peers=_Any())

    def run(self, events: Sequence[Event]) -> Iterator[Told]:
        """All that happens."""
        threading.Thread(target=self._play, args=(events,), name="try", daemon=True).start()
        while (told := self._told.get()) is not None:
            yield told

    # --- its own thread --------------------------------------------------------------------------

    def _play(self, events: Sequence[Event]) -> None:
        """A border: whatever happens is told, and nothing after the end."""
        watch = Watch(_GRACE_S)
        watch.start()
        try:
            self._call_for_all(events, watch)
        except GatewayError as error:
            self._failed(self._trial.script.name, error)
        except GivenUp:
            return
        except Exception as error:
            log.exception("the trial came to grief")
            self._told.put(Failure(_LANE, f"internal error {type(error).__name__}"))
        finally:
            watch.stop()
            self._told.put(None)

    def _call_for_all(self, events: Sequence[Event], watch: Watch) -> None:
        script = _script(self._trial)
        give_up = partial(self._give_up, script)
        handler = Handler(_LANE, self._surroundings(watch))
        loaded: LoadedScript | None = None
        try:
            for event in events:
                loaded = loaded or self._loaded(script, watch, give_up)
                if event.kind not in loaded.callbacks:
                    problem = f"does not define {event.kind}"
                    self._told.put(Failure(script.name, problem))
                    return
                if not self._call(handler, event, loaded, give_up):
                    loaded.close()
                    loaded = None
            if loaded:
                watch.run(loaded.finalize, limit_s=script.settings.timeout_s, give_up=give_up)
        finally:
            if loaded:
                loaded.close()

    def _loaded(self, script: Script, watch: Watch, give_up: Callable[[], None]) -> LoadedScript:
        def load() -> LoadedScript:
            return LoadedScript(script, self._site, lambda text: self._told.put(Said(text)))

        return watch.run(load, limit_s=script.settings.timeout_s, give_up=give_up)

    def _call(
        self, handler: Handler, event: Event, loaded: LoadedScript, give_up: Callable[[], None]
    ) -> bool:
        """False: the runtime must not be used again."""
        self._told.put(Begun(event.kind, event.subject))
        try:
            steps = handler.steps(event, loaded, give_up)
        except GatewayError as error:
            self._failed(event.kind, error)
            return not isinstance(error, ScriptTimedOut | ScriptOutOfMemory)
        for step in steps:
            self._told.put(step_effect(step))
        return True

    def _give_up(self, script: Script) -> None:
        self._failed(script.name, stuck_error(script))
        self._told.put(None)

    def _failed(self, about: str, error: GatewayError) -> None:
        traceback = error.traceback if isinstance(error, ScriptError) else ""
        self._told.put(Failure(about, str(error), traceback))

    def _surroundings(self, watch: Watch) -> Surroundings:
        store = self._inside.store
        return Surroundings(
            _queue(self._inside),
            FileTags(store.files, store.engine),
            self._site,
            self._metrics,
            watch,
            ScriptFilters(self._trial.configuration.scripts, self._metrics),
        )


class _Any(Mapping[str, Destination]):
    """Where nobody has said which modalities and peers there are: every one is."""

    def __getitem__(self, name: str) -> Destination:
        return _ANYWHERE

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _script(trial: Trial) -> Script:
    """As the gateway would run it. Raises ScriptSyntaxError."""
    settings = trial.configuration.scripts
    if trial.is_legacy:
        named = by_short_names([trial.script])
        return Script.legacy(_LANE, snapshot_of(named), tuple(named), settings)
    return Script.of(trial.script.name, _around(trial.script, settings.folder), settings)


def _around(script: Path, folder: Path) -> Snapshot:
    """The script folder, if the script is in it; else the script and what is close to it."""
    if script.parent.resolve() == folder.resolve():
        return take_snapshot(folder)
    # Not all that is below: it may lie in a home folder.
    near = [*script.parent.glob("*.lua"), *script.parent.glob("*/*.lua")]
    named = {str(path.relative_to(script.parent)): path for path in near}
    return snapshot_of(named | {script.name: script})
