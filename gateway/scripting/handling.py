"""Handling one event with one script: ask the script, then settle the event, or park it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from gateway.dicom.series import index_in_series
from gateway.errors import (
    GatewayError,
    NotFound,
    ScriptOutOfMemory,
    ScriptTimedOut,
    UnknownDestination,
)
from gateway.logs import logger
from gateway.model import Event, Facts, Origin, ParkedEvent, Step
from gateway.scripting.callbacks import ON_HEARTBEAT, TOLD_OF_RESOURCE
from gateway.scripting.failures import report_failure
from gateway.scripting.script import LoadedScript, origin_table
from gateway.scripting.surroundings import Stopping, Surroundings
from gateway.scripting.watch import GivenUp

log = logger("scripting")


class Handler:
    """What the workers of one lane do with an event."""

    def __init__(self, lane: str, surroundings: Surroundings) -> None:
        self._lane = lane
        self._around = surroundings

    def handle(self, event: Event, loaded: LoadedScript, give_up: Callable[[], None]) -> bool:
        """Settle or park the event. False: the runtime must not be used again.

        give_up: called by the watch when the script does not come back.
        Raises GivenUp, Stopping: then the event is neither settled nor parked.
        """
        started_s = time.monotonic()
        try:
            steps = self.steps(event, loaded, give_up) if event.kind in loaded.callbacks else ()
            self._around.persist(
                lambda: self._around.queue.settle(self._lane, event, steps),
                final=(NotFound, UnknownDestination),
            )
        except GatewayError as exc:
            self.park(event, exc, loaded.script.version)
            return not isinstance(exc, ScriptTimedOut | ScriptOutOfMemory)
        except (GivenUp, Stopping):
            raise
        except Exception as exc:  # a border: our fault with one event must not end the lane
            log.exception("event could not be handled", script=self._lane)
            self.park(event, _internal(exc), loaded.script.version)
            return False
        (log.info if steps else log.debug)(
            "event handled",
            script=self._lane,
            event_id=event.event_id,
            callback=event.kind,
            subject=event.subject,
            steps=len(steps),
            ms=round((time.monotonic() - started_s) * 1000, 1),
        )
        return True

    def steps(
        self, event: Event, loaded: LoadedScript, give_up: Callable[[], None]
    ) -> Sequence[Step]:
        """What the script, which has that callback, wants done. Raises GatewayError, GivenUp."""
        facts = self._facts(event)
        if facts is None and event.kind in TOLD_OF_RESOURCE:
            log.debug("event is about what is gone", script=self._lane, event_id=event.event_id)
            return ()
        if facts is None:
            return self._call(loaded, event.kind, [event.subject], event.origin, give_up)
        told = (event.subject, facts.tags, facts.metadata, origin_table(facts.origin))
        return self._call(loaded, event.kind, told, facts.origin, give_up)

    def park(self, event: Event, error: GatewayError, script_version: str) -> None:
        """Keep an event that this lane could not handle. Raises Stopping."""
        parked = ParkedEvent(
            lane=self._lane,
            event_id=event.event_id,
            kind=event.kind,
            subject=event.subject,
            error_kind=error.kind,
            error=str(error),
            traceback=getattr(error, "traceback", ""),
            script_version=script_version,
            parked_at=datetime.now(UTC),
        )
        self._around.persist(lambda: self._around.queue.park(parked))
        report_failure(
            self._around.metrics,
            "event parked",
            error,
            script=self._lane,
            event_id=event.event_id,
            callback=event.kind,
            subject=event.subject,
        )

    def beat(self, loaded: LoadedScript, give_up: Callable[[], None]) -> bool:
        """Call OnHeartBeat. False: the runtime must not be used again. Raises as handle() does.

        When it fails there is nothing to keep: the next one comes soon.
        """
        try:
            steps = self._call(loaded, ON_HEARTBEAT.name, (), None, give_up)
            self._around.persist(
                lambda: self._around.queue.beat(self._lane, steps),
                final=(NotFound, UnknownDestination),
            )
        except GatewayError as exc:
            report_failure(
                self._around.metrics,
                "callback failed",
                exc,
                script=self._lane,
                callback=ON_HEARTBEAT.name,
            )
            return not isinstance(exc, ScriptTimedOut | ScriptOutOfMemory)
        return True

    def _facts(self, event: Event) -> Facts | None:
        if event.version is not None:
            tags = self._around.tags.of(event.version)
            metadata = _place(tags) | self._named(event.metadata)
            return Facts(tags, metadata, event.origin)
        if event.kind not in TOLD_OF_RESOURCE:
            return None
        facts = self._around.tags.of_resource(event.subject)
        return facts and replace(facts, metadata=self._named(facts.metadata))

    def _named(self, metadata: Mapping[str, str]) -> dict[str, str]:
        names = self._around.site.metadata_names
        return {names.get(name, name): value for name, value in metadata.items()}

    def _call(
        self,
        loaded: LoadedScript,
        callback: str,
        arguments: Sequence[object],
        cause: Origin | None,
        give_up: Callable[[], None],
    ) -> Sequence[Step]:
        seconds = self._around.metrics.script_seconds.labels(script=self._lane, callback=callback)
        with seconds.time():
            return self._around.watch.run(
                lambda: loaded.handle(callback, *arguments, cause=cause),
                limit_s=loaded.script.settings.timeout_s,
                give_up=give_up,
            )


def _place(tags: Mapping[str, object]) -> dict[str, str]:
    """The metadata of an instance that says its place in the series, where the image tells."""
    index = index_in_series(tags)
    return {} if index is None else {"IndexInSeries": str(index)}


def _internal(error: Exception) -> GatewayError:
    # Its text may hold values of a data set: that is for nobody's eyes but the traceback's reader.
    return GatewayError(f"internal error {type(error).__name__}, see the log")
