"""A worker: one thread and one runtime of a lane."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from gateway.errors import ScriptError, ScriptTimedOut
from gateway.logs import logger
from gateway.model import Event
from gateway.scripting.callbacks import FINALIZE, ON_HEARTBEAT
from gateway.scripting.failures import report_failure
from gateway.scripting.handling import Handler
from gateway.scripting.inbox import Inbox
from gateway.scripting.script import LoadedScript, Script
from gateway.scripting.surroundings import Stopping, Surroundings
from gateway.scripting.watch import GivenUp

log = logger("scripting")
# How long an idle worker may take to notice that its version is old or that a heartbeat is due.
_IDLE_S = 0.5
# When a version that loaded once does not load again (after a time-out): try again after this.
_LOAD_AGAIN_AFTER_S = 1.0


class Employer(Protocol):
    """What a worker needs of its lane."""

    name: str

    def version_for(self, worker: "Worker") -> Script | None:
        """The version that the worker should run now; None when it should end."""

    def beat_is_due(self) -> bool:
        """Whether it is time for OnHeartBeat; who is told so has to call it."""

    def load(self, script: Script, give_up: Callable[[], None]) -> LoadedScript:
        """A runtime of its own with that version. Raises ScriptError, GivenUp."""

    def load_failed(self, script: Script, error: ScriptError) -> None:
        """The version that runs could not be loaded once more."""

    def lost(self, worker: "Worker", script: Script, event: Event | None) -> None:
        """The worker hangs in a C function and is to be replaced. Called by the watch."""

    def left(self, worker: "Worker") -> None:
        """The worker has ended; the last thing it says."""


class Worker:
    """Takes events from the lane's inbox and handles them, one at a time."""

    def __init__(
        self, lane: Employer, inbox: Inbox, handler: Handler, surroundings: Surroundings
    ) -> None:
        self._lane = lane
        self._inbox = inbox
        self._handler = handler
        self._around = surroundings
        self._loaded: LoadedScript | None = None
        self._to_park: tuple[Event, Script] | None = None
        # A daemon thread of our own can be given up; a pool with a stuck thread could never end,
        # and on the main thread signals would wait for the script.
        self.thread = threading.Thread(target=self._run, name=f"script {lane.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self.thread.start()

    def park_first(self, event: Event, script: Script) -> None:
        """Before anything else, park the event that the worker before hangs in."""
        self._to_park = event, script

    def join_or_abandon(self, timeout_s: float) -> None:
        """The gateway stops: wait for the callback in hand, or give its event back."""
        self.thread.join(timeout_s)
        if self.thread.is_alive():
            self._around.watch.abandon(self.thread)
            loaded = self._loaded
            if loaded is not None:
                loaded.interrupt()
            log.warning("script still running, its event is given back", script=self._lane.name)

    def _run(self) -> None:
        try:
            with suppress(Stopping):
                self._work()
            self._retire()
        except GivenUp:
            log.warning("a call that had been given up came back", script=self._lane.name)
            self._drop()
            return
        except Exception:  # a border: our fault must not cost the lane its worker
            log.exception("script worker failed", script=self._lane.name)
            self._drop()
            self._around.stopping.wait(_LOAD_AGAIN_AFTER_S)
        self._lane.left(self)

    def _work(self) -> None:
        if self._to_park is not None:
            self._park(*self._to_park)
        while (script := self._lane.version_for(self)) is not None:
            loaded = self._load(script)
            if loaded is None:
                self._around.stopping.wait(_LOAD_AGAIN_AFTER_S)
                continue
            if ON_HEARTBEAT.name in loaded.callbacks and self._lane.beat_is_due():
                self._beat(loaded)
                continue
            event = self._around.persist(self._inbox.take)
            if event is None:
                self._around.persist(lambda: self._inbox.wait(_IDLE_S))
            else:
                self._handle(event, loaded)

    def _park(self, event: Event, script: Script) -> None:
        self._handler.park(event, stuck_error(script), script.version)
        self._inbox.done(event)

    def _handle(self, event: Event, loaded: LoadedScript) -> None:
        healthy = self._handler.handle(
            event,
            loaded,
            give_up=lambda: self._lane.lost(self, loaded.script, event),
        )
        self._inbox.done(event)
        if not healthy:
            self._drop()

    def _beat(self, loaded: LoadedScript) -> None:
        if not self._handler.beat(loaded, lambda: self._lane.lost(self, loaded.script, None)):
            self._drop()

    def _load(self, script: Script) -> LoadedScript | None:
        """The runtime, with that version in it; None when it could not be loaded."""
        if self._loaded is not None and self._loaded.script is script:
            return self._loaded
        self._retire()
        try:
            self._loaded = self._lane.load(script, lambda: self._lane.lost(self, script, None))
        except ScriptError as exc:
            self._lane.load_failed(script, exc)
        return self._loaded

    def _retire(self) -> None:
        """End the runtime in good order."""
        if self._loaded is not None:
            loaded = self._loaded
            finalize(loaded, self._around, lambda: self._lane.lost(self, loaded.script, None))
            self._drop()

    def _drop(self) -> None:
        if self._loaded is not None:
            self._loaded.close()
            self._loaded = None


def finalize(loaded: LoadedScript, surroundings: Surroundings, give_up: Callable[[], None]) -> None:
    """Call the script's Finalize; what goes wrong there is only logged. Raises GivenUp."""
    script = loaded.script
    try:
        surroundings.watch.run(loaded.finalize, limit_s=script.settings.timeout_s, give_up=give_up)
    except ScriptError as exc:
        report_failure(
            surroundings.metrics,
            "callback failed",
            exc,
            script=script.name,
            callback=FINALIZE.name,
        )


def stuck_error(script: Script) -> ScriptTimedOut:
    """What to say of a call that no limit could end."""
    return ScriptTimedOut(
        f"{script.name}: ran longer than its limit of {script.settings.timeout_s:g} s inside one"
        " call of a C function, such as a string pattern or a read from a pipe; it could not be"
        " ended and was given up"
    )
