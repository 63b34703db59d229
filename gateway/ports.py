"""The seams: what a room needs of another room, each with a second implementation or a fake."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from gateway.model import (
    Bookmark,
    Event,
    Facts,
    Identifiers,
    Origin,
    ParkedEvent,
    Step,
    TranscodeOptions,
    TranscodeReport,
    Verdict,
    Version,
)


class Arrival(Protocol):
    """One instance on its way in: the encoded data set is written as it comes, then kept.

    `with ingest.begin(...) as arrival: arrival.write(...); arrival.keep()`. Leaving the block
    without keep() forgets what was written.
    """

    def __enter__(self) -> "Arrival": ...
    def __exit__(self, *exc_info: object) -> None: ...

    def write(self, fragment: bytes | memoryview) -> None:
        """Append to the data set. Raises StorageFull."""

    def keep(self) -> str:
        """Make it survive a power cut, with its event; answer the instance id.

        Raises InstanceUnreadable, InstanceMismatch, DuplicateRefused, StorageFull, StoreError;
        FilteredOut (a script does not want it), FilterFailed: nothing is kept then.
        """

    @property
    def identifiers(self) -> Identifiers:
        """Of what was written; known when keep() was called, also when it raised StoreError."""

    @property
    def was_known(self) -> bool:
        """keep() found that the instance was kept before, and its id still names that."""


class Ingest(Protocol):
    """The way into the store, whatever the protocol."""

    def begin(
        self,
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        origin: Origin,
        metadata: Mapping[str, str] = MappingProxyType({}),
    ) -> Arrival:
        """Begin to receive a data set encoded in `transfer_syntax_uid`, without preamble or meta.

        metadata: noted of the instance before anybody hears of it, such as ModifiedFrom. Raises
        StorageFull, LoopNoticed.
        """

    def check_loop(self, origin: Origin) -> None:
        """Raises LoopNoticed: nothing from there is taken, see Origin.generation."""


class EventQueue(Protocol):
    """The outbox as one lane sees it. A lane is named after its script file.

    May be called from several threads, also for one lane. Numbers of events handled and failed and
    the last error are the queue's own: it sees every settle() and park().
    """

    def opened(self, lane: str) -> None:
        """The lane's script is there, at start or because the file appeared.

        A lane never seen before begins with the events after this moment; one that was closed, or
        that a restart interrupted, goes on where it was.
        """

    def closed(self, lane: str) -> None:
        """The lane's script file was removed (not: the gateway stops).

        When it comes back soon, as when an editor saves it, the lane goes on where it was.
        """

    def status(
        self, lane: str, *, script_version: str, callbacks: Sequence[str], fault: str
    ) -> None:
        """What runs in the lane from now on: the fields of LaneStatus that only the lane knows."""

    def pending(self, lane: str, limit: int) -> Sequence[Event]:
        """Events that the lane has not handled yet, oldest first; replays before them.

        Events that the caller has in hand are answered again: the caller knows which those are.
        """

    def settle(self, lane: str, event: Event, steps: Sequence[Step]) -> None:
        """The callback returned: commit its plan's tasks and the lane's cursor, in one transaction.

        Raises UnknownDestination, NotFound (a step names an instance that does not exist).
        """

    def park(self, parked: ParkedEvent) -> None:
        """The callback failed: keep the event visible, and let the lane go on."""

    def wait(self, lane: str, timeout_s: float) -> None:
        """Return when there may be something new for the lane, or after `timeout_s`."""

    def wake(self) -> None:
        """Have all return that wait: there is something else to look at, such as the end."""

    def beat(self, lane: str, steps: Sequence[Step]) -> None:
        """OnHeartBeat returned, which no event has called: commit what it planned, if anything.

        Raises what settle() raises.
        """


class Tags(Protocol):
    """What a callback is told about an instance, or about what instances are in."""

    def of(self, version: Version) -> Mapping[str, object]:
        """Keyword -> string, or a list of such mappings for a sequence. No pixel data."""

    def of_resource(self, resource_id: str) -> Facts | None:
        """Of a patient, study or series; None when there is no such thing any more.

        The tags are those of its own level, and the patient's.
        """


UNKNOWN_SOP_CLASS = "unknown-sop-class"


class Filters(Protocol):
    """What scripts are asked before something is done; all that define a filter must agree.

    The attributes tell whether any script does: else there is no need to ask, or to read what the
    question is about. Asking takes at most as long as the configuration allows. Raises
    FilterFailed: a script gave no answer.
    """

    @property
    def wants_received(self) -> bool: ...
    @property
    def wants_requests(self) -> bool: ...
    @property
    def wants_sending(self) -> bool: ...
    @property
    def wants_associations(self) -> bool: ...

    def received(
        self,
        tags: Mapping[str, object],
        origin: Origin,
        *,
        transfer_syntax_uid: str,
        has_pixel_data: bool,
    ) -> Verdict:
        """Whether to keep an instance that came. tags: see Tags."""

    def request(
        self, method: str, uri: str, remote_ip: str, username: str, headers: Mapping[str, bytes]
    ) -> bool:
        """Whether to answer a request that came over HTTP. headers: names in lower case."""

    def sending(self, tags: Mapping[str, object], *, aet: str, host: str) -> bool:
        """Whether to send an instance to a modality."""

    def association(
        self, calling_aet: str, remote_ip: str, questions: Set[str]
    ) -> Mapping[str, bool]:
        """What a peer may propose; only what a script has an answer to. Never raises FilterFailed.

        questions: UNKNOWN_SOP_CLASS, or families of transfer syntaxes.
        """


class Unfiltered:
    """The Filters of a gateway without scripts."""

    wants_received = wants_requests = wants_sending = wants_associations = False

    def received(
        self,
        tags: Mapping[str, object],
        origin: Origin,
        *,
        transfer_syntax_uid: str,
        has_pixel_data: bool,
    ) -> Verdict:
        """Keep it."""
        return Verdict(keeps=True)

    def request(
        self, method: str, uri: str, remote_ip: str, username: str, headers: Mapping[str, bytes]
    ) -> bool:
        """Answer it."""
        return True

    def sending(self, tags: Mapping[str, object], *, aet: str, host: str) -> bool:
        """Send it."""
        return True

    def association(
        self, calling_aet: str, remote_ip: str, questions: Set[str]
    ) -> Mapping[str, bool]:
        """Nobody has an answer."""
        return {}


UNFILTERED = Unfiltered()


class Reception(Protocol):
    """What the receiver accepts, to be changed while it runs.

    A change is for the associations that come after it, until the gateway starts anew.
    """

    @property
    def transfer_syntaxes(self) -> Set[str]:
        """The UIDs of the transfer syntaxes that it accepts."""

    def accept_transfer_syntaxes(self, uids: Set[str]) -> None:
        """Accept these, and no others."""

    @property
    def accepts_unknown_sop_classes(self) -> bool:
        """Whether it accepts SOP classes that the standard does not know."""

    def accept_unknown_sop_classes(self, accept: bool) -> None:
        """Accept them, or do not."""


class Codecs(Protocol):
    """Transcoding, done elsewhere: files in, files out."""

    def transcode(
        self, source: Path, target: Path, ladder: Sequence[str], options: TranscodeOptions
    ) -> TranscodeReport:
        """Write `source` to `target` in the first transfer syntax of the ladder that it allows.

        ladder: transfer syntax UIDs, best first. Raises TranscodeError.
        """


@dataclass(frozen=True, slots=True)
class RestRequest:
    """A request to the REST interface. uri: a path, with its query; origin: who asks."""

    method: str
    uri: str
    body: bytes
    headers: Mapping[str, str]
    origin: Origin


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a request over HTTP, or as if over HTTP, came to. headers: by names in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long whoever asks can wait, from now on, and how long an answer it can hold."""

    seconds_left: Callable[[], float]
    most_bytes: int


class RestApi(Protocol):
    """The REST interface without a socket, as scripts call it. Thread-safe."""

    def call(self, request: RestRequest, patience: Patience) -> HttpAnswer:
        """Ask, and wait for the answer. Raises AnswerTooLarge, TimeIsOver."""


class KeyValues(Protocol):
    """What scripts keep for good, in stores that they name. Thread-safe.

    Each may raise StorageFull, StoreError.
    """

    def get(self, store: str, key: str) -> bytes | None:
        """The value; None when there is none."""

    def put(self, store: str, key: str, value: bytes) -> None:
        """Keep it, in place of what was there."""

    def delete(self, store: str, key: str) -> None:
        """Forget it, if it is there."""


class Bookmarks(Protocol):
    """What is remembered for good of servers that are followed. Thread-safe.

    Each may raise StorageFull, StoreError.
    """

    def get(self, source: str) -> Bookmark | None:
        """How far it has been followed; None when that has not begun."""

    def put(self, source: str, bookmark: Bookmark) -> None:
        """It has been followed so far."""

    def left_behind(self, source: str) -> Sequence[str]:
        """The ids of instances that are still to be taken although the bookmark is past them."""

    def leave_behind(self, source: str, instance_id: str, reason: str) -> None:
        """An instance could not be taken."""

    def settle(self, source: str, instance_id: str) -> None:
        """An instance is not left behind any more."""


class StableStatus(Protocol):
    """Whether a patient, study or series is stable, as somebody says who knows more."""

    def declare(self, resource_id: str, *, stable: bool) -> bool:
        """Make it so now, as if its time had come, or begun anew; False when it was so before.

        Raises NotFound, StorageFull, StoreError.
        """
