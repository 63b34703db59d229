"""What the rooms hand to each other: frozen data, no behaviour beyond what the data itself says.

An *instance* is one DICOM SOP Instance. It has one or more *versions*: immutable files. What was
received is a version; a transcoded result is another. An *event* says that something happened to
a version. A *lane* (one script) answers an event with a *plan*: *steps*, which become *tasks*.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class OriginKind(StrEnum):
    """Where an instance came from; the values are Orthanc's `RequestOrigin`."""

    DICOM = "DicomProtocol"
    REST = "RestApi"
    LUA = "Lua"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who handed us an instance, and how.

    generation: 0 for what came from outside, else one more than that of the instance whose event
    made a script hand it to us: a script that answers its own work forever is noticed by it.
    """

    kind: OriginKind
    calling_aet: str = ""
    called_aet: str = ""
    remote_ip: str = ""
    username: str = ""
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Identifiers:
    """The UIDs that place an instance (PS3.3 C.7.1, C.7.2, C.7.3, C.12.1).

    `instance_id` is Orthanc's public identifier: the SHA-1 of
    `PatientID|StudyInstanceUID|SeriesInstanceUID|SOPInstanceUID` in five groups of eight digits.
    """

    instance_id: str
    patient_id: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What scripts say of an instance that came in.

    script: which one does not want it. dimse_status: what a C-STORE is answered with then.
    """

    keeps: bool
    script: str = ""
    dimse_status: int = 0


class Level(StrEnum):
    """The four kinds of resources of PS3.3 7.2; the values are Orthanc's words for them."""

    PATIENT = "Patient"
    STUDY = "Study"
    SERIES = "Series"
    INSTANCE = "Instance"


@dataclass(frozen=True, slots=True)
class Summary:
    """What is kept in the index of one instance. main_tags: of all its levels, by keyword."""

    identifiers: Identifiers
    main_tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resource:
    """A patient, study, series or instance in the index.

    parent_id: "" for a patient. main_tags: those of its own level, by keyword. Times are UTC.
    """

    resource_id: str
    level: Level
    parent_id: str
    main_tags: Mapping[str, str]
    last_update: datetime
    is_stable: bool
    is_protected: bool


class VersionState(StrEnum):
    """Why a file is on disk."""

    CURRENT = "current"  # what the instance's id names
    KEPT = "kept"  # other content under the same id, by duplicates = "keep"
    DERIVED = "derived"  # made by a task, for the tasks after it
    SUPERSEDED = "superseded"  # replaced; goes when no event and no task needs it
    DELETED = "deleted"  # a script deleted it; goes when no event and no task needs it


@dataclass(frozen=True, slots=True)
class Version:
    """One immutable Part 10 file of one instance."""

    version_id: int
    instance_id: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    storage_key: str
    size_bytes: int
    state: VersionState


class EventKind(StrEnum):
    """What happened; the values name the Lua callback that is called."""

    STORED_INSTANCE = "OnStoredInstance"
    STABLE_SERIES = "OnStableSeries"
    STABLE_STUDY = "OnStableStudy"
    STABLE_PATIENT = "OnStablePatient"
    DELETED_INSTANCE = "OnDeletedInstance"
    DELETED_SERIES = "OnDeletedSeries"
    DELETED_STUDY = "OnDeletedStudy"
    DELETED_PATIENT = "OnDeletedPatient"
    UPDATED_INSTANCE = "OnUpdatedInstance"
    UPDATED_SERIES = "OnUpdatedSeries"
    UPDATED_STUDY = "OnUpdatedStudy"
    UPDATED_PATIENT = "OnUpdatedPatient"
    JOB_SUBMITTED = "OnJobSubmitted"
    JOB_SUCCESS = "OnJobSuccess"
    JOB_FAILURE = "OnJobFailure"


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the outbox, as a lane sees it.

    subject: the id of the instance, series, study, patient or job that it is about. version,
    origin, metadata: of the instance that was stored; of other events the version is None, the
    origin tells the generation of what led to it, and the rest is asked for when it is handled.
    """

    event_id: int
    kind: EventKind
    subject: str
    version: Version | None = None
    origin: Origin = Origin(OriginKind.LUA)
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a callback is told of a resource. tags: keyword -> string, or a list of such mappings.

    metadata: by Orthanc's names. origin: of the instance; of what came last below a resource.
    """

    tags: Mapping[str, object]
    metadata: Mapping[str, str]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Bookmark:
    """How far the changes of another server have been followed.

    number: of the last change, 0 before the first. entry: what it said, to know it again; "" when
    it was never seen.
    """

    number: int
    entry: str


class Action(StrEnum):
    """What a task does."""

    TRANSCODE = "transcode"
    MODIFY = "modify"
    FORWARD = "forward"
    SEND_TO_PEER = "peer"
    CALL = "call"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Step:
    """One primitive that a script called; carried out after its callback has returned.

    number: 1-based place in the plan. subject: the id of the instance that it works on, or of the
    series, study or patient whose instances; "" when it works on the result of step `result_of`.
    destination: the remote's name, for FORWARD and SEND_TO_PEER, else "".
    parameters: the action's own options, JSON values only. line: `file:line` of the call.
    """

    number: int
    action: Action
    subject: str = ""
    result_of: int | None = None
    destination: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    line: str = ""


@dataclass(frozen=True, slots=True)
class TranscodeOptions:
    """How to transcode; what a script, a destination or a command may ask for beyond the target.

    A target that may be lossy or not (JPEG-LS .81, JPEG 2000 .91, HTJ2K .203) is filled without
    loss unless ratio or max_error asks for it.

    verify: decode a lossless result with another library and compare before it may be used.
    quality: 1 to 100, for JPEG and lossy JPEG XL. ratio: native bytes / coded bytes, above 1, for
    JPEG 2000 and HTJ2K. max_error: largest difference of a sample, 1 or more, for JPEG-LS.
    photometric: the photometric interpretation that the result shall have, "" for the usual one.
    keep_uid: a lossy result keeps its SOP Instance UID, instead of getting a new one.
    unused_bits: "refuse" an image with bits set above High Bit in a syntax that cannot hold them,
    or "clear" them.
    measure: compute PSNR and largest error of a lossy result. minimum_psnr_db: a lossy result
    that is worse is not used: the image is compressed without loss instead.
    """

    verify: bool = True
    quality: int | None = None
    ratio: float | None = None
    max_error: int | None = None
    photometric: str = ""
    keep_uid: bool = False
    unused_bits: str = "refuse"
    measure: bool = False
    minimum_psnr_db: float | None = None


@dataclass(frozen=True, slots=True)
class TranscodeReport:
    """What a transcoding did. Seconds are wall time inside codec processes, added up.

    changed is False when the file was copied byte for byte: it has the target syntax already, or
    no pixels that the target would compress. sop_instance_uid is the result's: a lossy one has a
    new one. verified_by: the library that read the result back and found the same, "" if none had
    to. lossy: this transcoding lost something; then psnr_db (infinite: None) and max_error say how
    much, if that was asked. native_bytes: size of all frames without compression, 0 when no frame
    went through a codec. refusals: for each better rung of the ladder, why it was not taken.
    """

    source_syntax_uid: str
    target_syntax_uid: str
    sop_instance_uid: str
    source_bytes: int
    target_bytes: int
    codec_seconds: float
    verified_by: str
    changed: bool
    lossy: bool = False
    psnr_db: float | None = None
    max_error: int | None = None
    frames: int = 0
    native_bytes: int = 0
    refusals: tuple[str, ...] = ()


class TaskState(StrEnum):
    """Where a task is. Only DONE and DROPPED are ends; a PARKED task waits for a person."""

    BLOCKED = "blocked"  # a task it needs is not done
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    PARKED = "parked"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task as planned: its step, the version it works on, and the step numbers it needs done.

    version_id is None while the version is still to be made by step `step.result_of`.
    """

    step: Step
    instance_id: str
    version_id: int | None
    needs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """A task as claimed by a worker, with the version it works on."""

    task_id: int
    lane: str
    event_id: int
    action: Action
    version: Version
    destination: str
    parameters: Mapping[str, Any]
    attempts: int
    line: str = ""


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task as `gateway queue list` shows it: also while its version does not exist yet."""

    task_id: int
    state: TaskState
    action: Action
    lane: str
    event_id: int
    instance_id: str
    destination: str
    attempts: int
    run_at: datetime | None
    error_kind: str
    error: str
    line: str


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """An event whose callback failed in one lane: nothing it planned was done.

    subject: as of Event.
    """

    lane: str
    event_id: int
    kind: EventKind
    subject: str
    error_kind: str
    error: str
    traceback: str
    script_version: str
    parked_at: datetime


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """A script as `gateway scripts` shows it.

    script_version: the first twelve hex digits of the SHA-256 of the sources that run, "" when the
    script has never loaded. fault: why the file on disk is not what runs, "" when it is.
    """

    lane: str
    script_version: str
    callbacks: tuple[str, ...]
    events_handled: int
    events_failed: int
    events_waiting: int
    last_error: str
    fault: str
    active: bool
