"""The one table of callbacks: what a script may define, with which arguments, and where it runs.

docs/scripting.md describes each of them; a test fails when one is missing there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.dicom.syntaxes import Family
from gateway.model import EventKind
from gateway.ports import UNKNOWN_SOP_CLASS


class Context(StrEnum):
    """Where a callback runs; it decides which primitives it may call."""

    EVENT = "event"  # in the lane, for one event or heartbeat: its primitives are planned
    FILTER = "filter"  # in runtimes for filters, while somebody waits for the answer
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

RECEIVED_INSTANCE_FILTER = Callback(
    "ReceivedInstanceFilter", ("dicom", "origin", "info"), Context.FILTER
)
RECEIVED_C_STORE_FILTER = Callback(
    "ReceivedCStoreInstanceFilter", ("dicom", "origin", "info"), Context.FILTER
)
INCOMING_HTTP_REQUEST_FILTER = Callback(
    "IncomingHttpRequestFilter",
    ("method", "uri", "ip", "username", "httpHeaders"),
    Context.FILTER,
)
OUTGOING_C_STORE_INSTANCE_FILTER = Callback(
    "OutgoingCStoreInstanceFilter", ("dicom", "destination"), Context.FILTER
)
# What they answer takes the place of the query. Nobody asks them before queries are offered.
INCOMING_FIND_REQUEST_FILTER = Callback(
    "IncomingFindRequestFilter", ("query", "origin"), Context.FILTER
)
INCOMING_WORKLIST_REQUEST_FILTER = Callback(
    "IncomingWorklistRequestFilter", ("query", "origin"), Context.FILTER
)
OUTGOING_FIND_REQUEST_FILTER = Callback(
    "OutgoingFindRequestFilter", ("query", "modality"), Context.FILTER
)
# By the questions of the port Filters: a family of transfer syntaxes, or unknown SOP classes.
ACCEPTANCE: Mapping[str, Callback] = {
    question: Callback(f"Is{what}Accepted", ("aet", "ip"), Context.FILTER)
    for question, what in (
        (Family.DEFLATED, "DeflatedTransferSyntax"),
        (Family.JPEG, "JpegTransferSyntax"),
        (Family.JPEG2000, "Jpeg2000TransferSyntax"),
        (Family.JPEG_LOSSLESS, "JpegLosslessTransferSyntax"),
        (Family.JPIP, "JpipTransferSyntax"),
        (Family.MPEG2, "Mpeg2TransferSyntax"),
        (Family.RLE, "RleTransferSyntax"),
        (UNKNOWN_SOP_CLASS, "UnknownSopClass"),
    )
}
FILTERS: Mapping[str, Callback] = {
    callback.name: callback
    for callback in (
        RECEIVED_INSTANCE_FILTER,
        RECEIVED_C_STORE_FILTER,
        INCOMING_HTTP_REQUEST_FILTER,
        OUTGOING_C_STORE_INSTANCE_FILTER,
        INCOMING_FIND_REQUEST_FILTER,
        INCOMING_WORKLIST_REQUEST_FILTER,
        OUTGOING_FIND_REQUEST_FILTER,
        *ACCEPTANCE.values(),
    )
}

INITIALIZE = Callback("Initialize", (), Context.LIFE)
FINALIZE = Callback("Finalize", (), Context.LIFE)

CALLBACKS: tuple[Callback, ...] = (
    ON_STORED_INSTANCE,
    *_ON_STABLE,
    *_ON_CHANGED,
    *_ON_JOB,
    ON_HEARTBEAT,
    *FILTERS.values(),
    INITIALIZE,
    FINALIZE,
)
