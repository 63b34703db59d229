"""The one table of callbacks: what a script may define, with which arguments, and where it runs.

docs/scripting.md describes each of them; a test fails when one is missing there.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.model import EventKind


class Context(StrEnum):
    """Where a callback runs; it decides which primitives it may call."""

    EVENT = "event"  # in the lane, for one event or heartbeat: its primitives are planned
    LIFE = "life"  # when a runtime begins or ends: there is nothing to plan for


@dataclass(frozen=True, slots=True)
class Callback:
    """A function that a script may define as a global."""

    name: str
    arguments: tuple[str, ...]
    context: Context

    @property
    def signature(self) -> str:
        """As one would write it in a script."""
        return f"{self.name}({', '.join(self.arguments)})"


ON_STORED_INSTANCE = Callback(
    EventKind.STORED_INSTANCE, ("instanceId", "tags", "metadata", "origin"), Context.EVENT
)
# Nothing new came for store.stable_age_s.
_ON_STABLE = tuple(
    Callback(kind, (f"{level}Id", "tags", "metadata", "origin"), Context.EVENT)
    for kind, level in (
        (EventKind.STABLE_SERIES, "series"),
        (EventKind.STABLE_STUDY, "study"),
        (EventKind.STABLE_PATIENT, "patient"),
    )
)
TOLD_OF_RESOURCE = frozenset(callback.name for callback in _ON_STABLE)
# It is gone, or somebody wrote metadata or attachments.
_ON_CHANGED = tuple(
    Callback(kind, (f"{level}Id",), Context.EVENT)
    for kind, level in (
        (EventKind.DELETED_INSTANCE, "instance"),
        (EventKind.DELETED_SERIES, "series"),
        (EventKind.DELETED_STUDY, "study"),
        (EventKind.DELETED_PATIENT, "patient"),
        (EventKind.UPDATED_INSTANCE, "instance"),
        (EventKind.UPDATED_SERIES, "series"),
        (EventKind.UPDATED_STUDY, "study"),
        (EventKind.UPDATED_PATIENT, "patient"),
    )
)
_ON_JOB = tuple(
    Callback(kind, ("jobId",), Context.EVENT)
    for kind in (EventKind.JOB_SUBMITTED, EventKind.JOB_SUCCESS, EventKind.JOB_FAILURE)
)
ON_HEARTBEAT = Callback("OnHeartBeat", (), Context.EVENT)
INITIALIZE = Callback("Initialize", (), Context.LIFE)
FINALIZE = Callback("Finalize", (), Context.LIFE)

CALLBACKS: tuple[Callback, ...] = (
    ON_STORED_INSTANCE,
    *_ON_STABLE,
    *_ON_CHANGED,
    *_ON_JOB,
    ON_HEARTBEAT,
    INITIALIZE,
    FINALIZE,
)
