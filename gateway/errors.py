"""The error tree: each type answers what its catcher has to decide.

`kind` is the short name that logs, metrics and `gateway queue list` show. For the errors of a task,
`retryable` says whether trying again can help, and `blames_peer` whether the destination as a whole
is in trouble (then no single instance is charged with an attempt).
"""

from collections.abc import Sequence
from dataclasses import dataclass


class GatewayError(Exception):
    """Anything that the gateway itself reports as wrong."""

    kind = "gateway"
    retryable = False
    blames_peer = False

    @property
    def detail(self) -> str:
        """The message for the queue, which only administrators see; logs get str(self)."""
        return str(self)


# --- configuration and scripts, as the administrator wrote them ---------------------------------


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with what the administrator wrote.

    where: a configuration key (`dicom.port`) or a place in a script (`route.lua:7`).
    problem: what is wrong. remedy: what would be right, or "".
    """

    where: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}" + (f" ({self.remedy})" if self.remedy else "")


class ConfigurationInvalid(GatewayError):
    """The configuration cannot be used; `faults` lists all that is wrong with it."""

    kind = "configuration"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


class DataFolderInUse(GatewayError):
    """Another gateway process holds the data folder."""

    kind = "data-folder-in-use"


class FolderInUse(GatewayError):
    """Another command writes to that folder."""

    kind = "folder-in-use"


class CannotListen(GatewayError):
    """A port of ours cannot be opened: it is taken, forbidden, or the address is not ours."""

    kind = "cannot-listen"

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot listen on {host}:{port}: {reason}")


class ScriptError(GatewayError):
    """A script could not be loaded, or a callback did not come to its end.

    The message begins with `file:line:` where Lua told us; `traceback` holds the Lua stack.
    """

    kind = "script-error"

    def __init__(self, message: str, traceback: str = "") -> None:
        super().__init__(message)
        self.traceback = traceback


class ScriptSyntaxError(ScriptError):
    """The file is not Lua, or its header is not understood."""

    kind = "script-syntax"


class ScriptTimedOut(ScriptError):
    """The callback ran longer than its limit."""

    kind = "script-timeout"


class ScriptOutOfMemory(ScriptError):
    """The callback asked for more memory than its limit."""

    kind = "script-memory"


class FilterFailed(GatewayError):
    """A script's filter gave no answer, or one that is none: nobody knows what it wants.

    is_no_answer: it came to its end, with something that no such filter may say.
    """

    kind = "filter"
    retryable = True

    def __init__(self, message: str, *, is_no_answer: bool = False) -> None:
        super().__init__(message)
        self.is_no_answer = is_no_answer


# --- keeping -----------------------------------------------------------------------------------


class StoreError(GatewayError):
    """An instance could not be kept. The sender is told, and still has it."""

    kind = "store"


class StorageFull(StoreError):
    """No room is left on the device."""

    kind = "storage-full"


class InstanceUnreadable(StoreError):
    """The data set cannot be parsed, or lacks an identifier that PS3.3 C.12.1 requires."""

    kind = "instance-unreadable"


class IdentifierMissing(InstanceUnreadable):
    """The data set can be parsed, but lacks one of those identifiers."""

    def __init__(self, keyword: str) -> None:
        super().__init__(f"{keyword} is missing or empty")


class LoopNoticed(StoreError):
    """A script stores instances again and again because of those that it has stored."""

    kind = "loop"


class InstanceMismatch(StoreError):
    """The data set is not of the SOP class, or not the instance, that its sender announced."""

    kind = "instance-mismatch"


class FilteredOut(StoreError):
    """A script's filter does not want the instance: it is discarded, as somebody meant it to be.

    dimse_status: what a C-STORE is answered with; 0x0000 says success nevertheless.
    """

    kind = "filtered-out"

    def __init__(self, script: str, dimse_status: int = 0) -> None:
        super().__init__(f"a filter of {script} does not want the instance")
        self.dimse_status = dimse_status


class DuplicateRefused(StoreError):
    """The SOP Instance UID is known with other content, and `duplicates = "reject"`."""

    kind = "duplicate-refused"


class NotFound(GatewayError):
    """No such instance, task or parked event."""

    kind = "not-found"


class AnswerTooLarge(GatewayError):
    """What was asked for does not fit into the memory that is left for it."""

    kind = "answer-too-large"

    def __init__(self, most_bytes: int) -> None:
        super().__init__(f"the answer has more than the {most_bytes} bytes that can be held")


class TimeIsOver(GatewayError):
    """Whoever asked cannot wait any longer."""

    kind = "time-is-over"


class InternalFault(GatewayError):
    """A fault of ours, met while working on one task; the log has the stack."""

    kind = "internal"

    def __init__(self, cause: Exception) -> None:
        super().__init__(f"a fault of the gateway ({type(cause).__name__}); the log tells where")


class UnknownTag(GatewayError):
    """A text that should name a tag is no keyword of PS3.6 and no group and element."""

    kind = "unknown-tag"

    def __init__(self, text: str) -> None:
        super().__init__(f"unknown DICOM tag: {text!r}")


class WildcardsRefused(GatewayError):
    """A query has wildcards for an attribute that cannot be compared so (PS3.4 C.2.2.2.4)."""

    kind = "wildcards-refused"

    def __init__(self, name: str) -> None:
        super().__init__(f"wildcards are not allowed on {name}")


# --- other work of tasks -------------------------------------------------------------------------


class ModificationRefused(GatewayError):
    """An instance cannot be modified as a script asks for it."""

    kind = "modification"


class CommandFailed(GatewayError):
    """A command of a script could not be started, or did not end with exit code 0."""

    kind = "command"


class CommandTimedOut(CommandFailed):
    """A command of a script did not end in time and was killed."""

    kind = "command-timeout"


# --- transcoding ---------------------------------------------------------------------------------


class TranscodeError(GatewayError):
    """An instance could not be transcoded. The source file is untouched."""

    kind = "transcode"


class TranscodeUnsupported(TranscodeError):
    """This image cannot be put into that transfer syntax; known before anything is touched."""

    kind = "transcode-unsupported"


class CodecFailed(TranscodeError):
    """The codec said no: a damaged bit stream, or values the target cannot hold."""

    kind = "codec-failed"


class VerificationFailed(TranscodeError):
    """A result called lossless did not decode, by another library, to the same samples."""

    kind = "verification-failed"


class QualityTooLow(TranscodeError):
    """A lossy result is further from its source than was allowed."""

    kind = "quality-too-low"


class CodecProcessDied(TranscodeError):
    """The codec process crashed, or was killed for its memory or CPU time."""

    kind = "codec-process-died"


class CodecTimedOut(TranscodeError):
    """The codec process did not end within its time limit and was killed."""

    kind = "codec-timeout"


# --- forwarding ----------------------------------------------------------------------------------


class RemoteError(GatewayError):
    """A destination did not take an instance."""

    kind = "remote"


class RemoteUnreachable(RemoteError):
    """No TCP connection, no answer in time, or the connection broke."""

    kind = "remote-unreachable"
    retryable = True
    blames_peer = True


class AssociationRejected(RemoteError):
    """The peer answered A-ASSOCIATE-RJ. Standard: PS3.8 9.3.4."""

    kind = "association-rejected"
    retryable = True
    blames_peer = True


class RemoteRefused(RemoteError):
    """The peer answered C-STORE with a failure status. Standard: PS3.4 B.2.3."""

    kind = "remote-refused"

    def __init__(self, called_aet: str, dimse_status: int, comment: str = "") -> None:
        super().__init__(f"{called_aet} refused the instance with status 0x{dimse_status:04X}")
        self.dimse_status = dimse_status
        self.comment = comment
        # 0xA9xx (data set does not match SOP class) and 0xCxxx (cannot understand) speak of this
        # very object, but archives use them for passing trouble as well: try again, then park.
        self.retryable = True

    @property
    def detail(self) -> str:
        """With the peer's Error Comment (PS3.7 C), in which it may say anything."""
        return f"{self}: {self.comment}" if self.comment else str(self)


class PeerRefused(RemoteError):
    """A peer answered with an HTTP status other than success. Standard: RFC 9110 15."""

    kind = "peer-refused"
    _BLAME_PEER = frozenset((401, 403, 407, 502, 503, 504))  # whatever it had been sent
    _MAY_CHANGE = frozenset((408, 425, 429))

    def __init__(self, http_status: int) -> None:
        super().__init__(f"the peer answered with HTTP status {http_status}")
        self.blames_peer = http_status in self._BLAME_PEER
        self.retryable = self.blames_peer or http_status >= 500 or http_status in self._MAY_CHANGE


class AnswerNotUnderstood(RemoteError):
    """What we follow answers something else than an Orthanc would."""

    kind = "answer-not-understood"
    retryable = True
    blames_peer = True


class NoAcceptableSyntax(RemoteError):
    """The peer accepts no transfer syntax in which this instance exists or can be produced."""

    kind = "no-acceptable-syntax"


class NotToBeSent(GatewayError):
    """A script's filter does not want the instance to go there, as somebody meant it."""

    kind = "filtered-out"

    def __init__(self, called_aet: str) -> None:
        super().__init__(f"a script's filter does not want it to be sent to {called_aet}")


class UnknownDestination(RemoteError):
    """The configuration names no such destination."""

    kind = "unknown-destination"
