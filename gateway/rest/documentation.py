"""What the OpenAPI description says of each route; a test holds both to the table of routes.

A key is a method and a path as the table has it, with two abbreviations for what patients, studies,
series and instances have in common: `{all}` is each of the four words, `{one}` is one of them with
the id of a resource.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = Mapping[str, Any]
JSON, TEXT, DICOM, ZIP = "application/json", "text/plain", "application/dicom", "application/zip"
ANY = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Body:
    """What a request carries. schema: of JSON; anything goes when it is empty."""

    media_type: str
    schema: Schema = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Doc:
    """One route. query: the parameters that may follow the `?`, and what each means."""

    summary: str
    answer: str = JSON
    query: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None


def _object(**properties: Schema) -> Body:
    return Body(JSON, {"type": "object", "properties": properties})


_BOOLEAN: Schema = {"type": "boolean"}
_NUMBER: Schema = {"type": "integer"}
_NUMBER_FROM_0: Schema = {"type": "integer", "minimum": 0}
_STRING: Schema = {"type": "string"}
_STRINGS: Schema = {"type": "array", "items": _STRING}
_TAGS: Schema = {"type": "object", "additionalProperties": _STRING}
_TEXT = Body(TEXT)
_BYTES = Body(ANY)

_HOW: Mapping[str, Schema] = {
    "Synchronous": _BOOLEAN, "Asynchronous": _BOOLEAN, "Priority": _NUMBER,
}  # fmt: skip
_TRANSCODED: Mapping[str, Schema] = {"Transcode": _STRING, "LossyQuality": _NUMBER_FROM_0}
_FORM = {
    "full": "tags by number, with name and type",
    "short": "tags by number, with their value alone",
    "requestedTags": "tags to add, by name or number, separated by semicolons",
}
_PAGE = {"since": "skip so many", "limit": "answer at most so many"}
_TAG_FORM = {
    "simplify": "tags by name",
    "short": "tags by number, with their value alone",
    "ignore-length": "tags that are shown whatever their length",
}
_ARCHIVED = {
    "transcode": "the transfer syntax to put the images into",
    "lossy-quality": "1 to 100, for JPEG",
}
_SELECTED = {**_ARCHIVED, "resources": "ids, separated by commas"}
_EXTENDED = {**_ARCHIVED, "extended": "describe series in the directory, too"}
_ARCHIVE_BODY = _object(**_HOW, **_TRANSCODED, Extended=_BOOLEAN)
_SELECTION_BODY = Body(
    JSON,
    {
        "anyOf": [
            _STRINGS,
            {
                "type": "object",
                "required": ["Resources"],
                "properties": {
                    "Resources": _STRINGS, **_HOW, **_TRANSCODED, "Extended": _BOOLEAN,
                },
            },
        ]
    },
)  # fmt: skip
_CHANGED: Mapping[str, Schema] = {
    "Replace": {"type": "object"}, "Keep": _STRINGS, "KeepSource": _BOOLEAN, "Force": _BOOLEAN,
    "PrivateCreator": _STRING, "Permissive": _BOOLEAN, **_TRANSCODED, **_HOW,
}  # fmt: skip
_MODIFY_BODY = _object(Remove=_STRINGS, RemovePrivateTags=_BOOLEAN, **_CHANGED)
_ANONYMIZE_BODY = _object(KeepPrivateTags=_BOOLEAN, DicomVersion=_STRING, **_CHANGED)
_FIND: Mapping[str, Schema] = {
    "Level": {"enum": ["Patient", "Study", "Series", "Instance"]},
    "Query": _TAGS, "CaseSensitive": _BOOLEAN, "Labels": _STRINGS,
    "LabelsConstraint": {"enum": ["All", "Any", "None"]},
}  # fmt: skip
_FIND_BODY = _object(
    **_FIND, Expand=_BOOLEAN, Full=_BOOLEAN, Short=_BOOLEAN, Since=_NUMBER_FROM_0,
    Limit=_NUMBER_FROM_0, RequestedTags=_STRINGS,
)  # fmt: skip
_STORE_BODY = Body(
    JSON,
    {
        "anyOf": [
            _STRING,
            _STRINGS,
            {
                "type": "object",
                "required": ["Resources"],
                "properties": {
                    "Resources": _STRINGS, "Permissive": _BOOLEAN, "LocalAet": _STRING,
                    "Timeout": _NUMBER_FROM_0, "Transcode": _STRING, "Compress": _BOOLEAN,
                    "MoveOriginatorAet": _STRING, "MoveOriginatorID": _NUMBER,
                    "StorageCommitment": _BOOLEAN, **_HOW,
                },
            },
        ]
    },
)  # fmt: skip
_MODALITY_BODY = Body(
    JSON,
    {
        "type": "object",
        "required": ["AET", "Host", "Port"],
        "properties": {"AET": _STRING, "Host": _STRING, "Port": _NUMBER_FROM_0},
    },
)
_PEER_BODY = Body(
    JSON,
    {
        "type": "object",
        "required": ["Url"],
        "properties": {"Url": _STRING, "Username": _STRING, "Password": _STRING},
    },
)
_ECHO_BODY = _object(Timeout=_NUMBER_FROM_0, CheckFind=_BOOLEAN)

_SYSTEM = {
    "GET /": Doc("A page that leads to the rest", "text/html"),
    "GET /openapi.json": Doc("This description"),
    "GET /system": Doc("What this gateway is, and which version of Orthanc it speaks like"),
    "GET /statistics": Doc("How many resources there are, and how much they take"),
    "GET /plugins": Doc("An empty list: there are none"),
    "GET /plugins/<plugin>": Doc("404: there are no plugins"),
    "GET /tools": Doc("The names of the tools"),
    "GET /tools/now": Doc("The time in UTC, as 20260131T235959", TEXT),
    "GET /tools/now-local": Doc("The local time, as 20260131T235959", TEXT),
    "GET /tools/generate-uid": Doc(
        "A new identifier", TEXT, {"level": "patient, study, series or instance"}
    ),
    "GET /tools/dicom-conformance": Doc("What the DICOM interface takes and sends", TEXT),
    "POST /tools/reset": Doc("Stop the gateway and start it anew"),
    "POST /tools/shutdown": Doc("Stop the gateway"),
    "POST /tools/execute-script": Doc(
        "Run Lua and answer what it prints; 403 unless the site allows it", TEXT, body=_TEXT
    ),
    "GET /tools/accepted-transfer-syntaxes": Doc("What the DICOM receiver accepts"),
    "PUT /tools/accepted-transfer-syntaxes": Doc(
        "Accept these until the next start; a pattern, or a list of them", body=Body(JSON, _STRINGS)
    ),
    "GET /tools/unknown-sop-class-accepted": Doc("1 or 0", TEXT),
    "PUT /tools/unknown-sop-class-accepted": Doc(
        "Accept SOP classes that nobody knows: 1 or 0", TEXT, body=_TEXT
    ),
    "GET /tools/default-encoding": Doc("Of text in data sets that do not name theirs", TEXT),
    "PUT /tools/default-encoding": Doc("Assume another one until the next start", TEXT, body=_TEXT),
    "GET /tools/log-level": Doc("default, verbose or trace", TEXT),
    "PUT /tools/log-level": Doc("Log more or less until the next start", TEXT, body=_TEXT),
    "POST /tools/reconstruct": Doc("Read all files again, and enter what they say"),
    "POST /tools/invalidate-tags": Doc("Nothing: tags are always read from the files"),
    "GET /tools/metrics": Doc("Whether metrics are shown: 1 or 0", TEXT),
    "PUT /tools/metrics": Doc("Show metrics or do not: 1 or 0", TEXT, body=_TEXT),
    "GET /tools/metrics-prometheus": Doc("Figures for Prometheus, Orthanc's and our own", TEXT),
}

_RESOURCES = {
    "GET /{all}": Doc(
        "The ids of all", query={**_PAGE, "expand": "whole resources, not ids", **_FORM}
    ),
    "GET /{one}": Doc("What the index knows of it", query=_FORM),
    "DELETE /{one}": Doc("Delete it, and what is in it"),
    **{
        f"GET /{{one}}/{name}": Doc(f"The {name} that it belongs to", query=_FORM)
        for name in ("patient", "study")
    },
    **{
        f"GET /{{one}}/{name}": Doc(f"All {name} in it, or the one that it is in", query=_FORM)
        for name in ("studies", "series", "instances")
    },
    "GET /{one}/instances-tags": Doc("The tags of all instances in it", query=_TAG_FORM),
    "GET /{one}/shared-tags": Doc("The tags that all instances in it share", query=_TAG_FORM),
    "GET /{one}/module": Doc("The tags of its module", query=_TAG_FORM),
    "GET /{one}/module-patient": Doc("The tags of its patient's module", query=_TAG_FORM),
    "GET /{one}/statistics": Doc("How many resources are in it, and how much they take"),
    "GET /{one}/protected": Doc("Whether the patient is protected: 1 or 0", TEXT),
    "PUT /{one}/protected": Doc("Protect the patient or do not: 1 or 0", TEXT, body=_TEXT),
    "POST /{one}/reconstruct": Doc("Read its files again, and enter what they say"),
    "POST /{one}/modify": Doc("A modified copy; of an instance, its file", body=_MODIFY_BODY),
    "POST /{one}/anonymize": Doc("An anonymized copy; of an instance, its file",
                                 body=_ANONYMIZE_BODY),
    "GET /{one}/archive": Doc("Its files in a ZIP archive", ZIP, _ARCHIVED),
    "POST /{one}/archive": Doc("The same, or a job that makes it", body=_ARCHIVE_BODY),
    "GET /{one}/media": Doc("Its files as a DICOM file set, in a ZIP archive", ZIP, _EXTENDED),
    "POST /{one}/media": Doc("The same, or a job that makes it", body=_ARCHIVE_BODY),
    "GET /{one}/labels": Doc("Its labels"),
    "GET /{one}/labels/<label>": Doc("Whether it has the label: 200, or 404"),
    "PUT /{one}/labels/<label>": Doc("Give it the label"),
    "DELETE /{one}/labels/<label>": Doc("Take the label off"),
    "GET /{one}/metadata": Doc(
        "The names of its metadata",
        query={"expand": "with their values", "numeric": "with numbers for names"},
    ),
    "GET /{one}/metadata/<name>": Doc("One value", TEXT),
    "PUT /{one}/metadata/<name>": Doc("Set one value", TEXT, body=_TEXT),
    "DELETE /{one}/metadata/<name>": Doc("Remove one value", TEXT),
    "GET /{one}/attachments": Doc("The names of its files", query={"full": "with their numbers"}),
    "GET /{one}/attachments/<name>": Doc("What can be asked of the file"),
    "PUT /{one}/attachments/<name>": Doc("Attach a file", body=_BYTES),
    "DELETE /{one}/attachments/<name>": Doc("Remove a file that was attached"),
    "GET /{one}/attachments/<name>/data": Doc("The file", ANY),
    "GET /{one}/attachments/<name>/compressed-data": Doc("The file as it is kept", ANY),
    **{
        f"GET /{{one}}/attachments/<name>/{name}": Doc(f"Of the file: {name}", TEXT)
        for name in ("compressed-md5", "compressed-size", "is-compressed", "md5", "size", "uuid")
    },
    "GET /{one}/attachments/<name>/info": Doc("Sizes, digests and UUID of the file"),
    "POST /{one}/attachments/<name>/compress": Doc("Keep the file compressed"),
    "POST /{one}/attachments/<name>/uncompress": Doc("Keep the file as it is"),
    "POST /{one}/attachments/<name>/verify-md5": Doc("Whether the file is as it was"),
}  # fmt: skip

_INSTANCES = {
    "POST /{all}": Doc(
        "Store a DICOM file, or a ZIP archive of such files; either may be gzipped",
        body=Body(DICOM),
    ),
    "GET /{one}/file": Doc("The DICOM file", DICOM, _ARCHIVED),
    "GET /{one}/tags": Doc("All tags", query=_TAG_FORM),
    "GET /{one}/simplified-tags": Doc("All tags, by name", query={"ignore-length": "see tags"}),
    "GET /{one}/header": Doc("The tags of the file meta information", query=_TAG_FORM),
    "GET /{one}/content": Doc("The tags that the data set has"),
    "GET /{one}/content/<path:path>": Doc("The value of an element, as it is encoded", ANY),
    "GET /{one}/frames": Doc("The numbers of the frames"),
    "GET /{one}/frames/<frame>": Doc("What can be asked of a frame"),
    "GET /{one}/frames/<frame>/raw": Doc("A frame, as it is encoded", ANY),
    "GET /{one}/frames/<frame>/raw.gz": Doc("The same, gzipped", "application/gzip"),
    "POST /{one}/export": Doc("Write the file to a path of the server", body=_TEXT),
}

_SEARCHING = {
    "POST /tools/find": Doc("Resources whose tags match", body=_FIND_BODY),
    "POST /tools/count-resources": Doc("How many there are of them", body=_object(**_FIND)),
    "POST /tools/lookup": Doc("Resources that have this identifier", body=_TEXT),
    "GET /tools/labels": Doc("All labels in use"),
    "POST /tools/bulk-delete": Doc(
        "Delete several resources",
        body=Body(JSON, {"type": "object", "required": ["Resources"],
                         "properties": {"Resources": _STRINGS}}),
    ),
    **{
        f"{method} /tools/create-{kind}": doc
        for kind, what in (
            ("archive", "The files of several resources in a ZIP archive"),
            ("media", "The files of several resources as a DICOM file set"),
            ("media-extended", "The same, with series described in the directory"),
        )
        for method, doc in (
            ("GET", Doc(what, ZIP, _SELECTED)), ("POST", Doc(what, body=_SELECTION_BODY)),
        )
    },
    "GET /changes": Doc(
        "What happened to resources", query={**_PAGE, "last": "the last change alone"}
    ),
    "DELETE /changes": Doc("Forget the changes"),
    "GET /exports": Doc("What was sent where", query={**_PAGE, "last": "the last one alone"}),
    "DELETE /exports": Doc("Forget what was sent"),
}  # fmt: skip

_JOBS = {
    "GET /jobs": Doc("The ids of all jobs", query={"expand": "whole jobs, not ids"}),
    "GET /jobs/<job_id>": Doc("A job, and how far it is"),
    "GET /jobs/<job_id>/<name>": Doc("A file that the job has made", ANY),
    "DELETE /jobs/<job_id>/<name>": Doc("Remove a file that the job has made"),
    "POST /jobs/<job_id>/cancel": Doc("End the job as a failure"),
    "POST /jobs/<job_id>/pause": Doc("Let the job rest"),
    "POST /jobs/<job_id>/resume": Doc("Go on with a job that rests"),
    "POST /jobs/<job_id>/resubmit": Doc("Try a failed job again"),
}


def _remotes(kind: str, what: str, settings: Body) -> dict[str, Doc]:
    """What modalities and peers have in common."""
    one = f"/{kind}/<{'modality' if kind == 'modalities' else 'peer'}>"
    return {
        f"GET /{kind}": Doc(f"The names of {kind}", query={"expand": "with their settings"}),
        f"GET {one}": Doc(f"What can be asked of {what}"),
        f"PUT {one}": Doc(f"Add {what}, or change it", body=settings),
        f"DELETE {one}": Doc(f"Remove {what}"),
        f"GET {one}/configuration": Doc("Its settings, without passwords"),
        f"POST {one}/store": Doc("Send resources to it", body=_STORE_BODY),
        f"POST {one}/store-straight": Doc(
            "Send it a DICOM file that is not kept", body=Body(DICOM)
        ),
    }


_REMOTES = {
    **_remotes("modalities", "a DICOM modality", _MODALITY_BODY),
    **_remotes("peers", "another gateway or Orthanc", _PEER_BODY),
    "POST /modalities/<modality>/echo": Doc("Whether it answers C-ECHO", body=_ECHO_BODY),
    "POST /tools/dicom-echo": Doc(
        "Whether a modality that nobody configured answers C-ECHO", body=_MODALITY_BODY
    ),
    "GET /peers/<peer>/system": Doc("What the peer says of itself"),
}

DOCS: Mapping[str, Doc] = {
    **_SYSTEM, **_RESOURCES, **_INSTANCES, **_SEARCHING, **_JOBS, **_REMOTES,
}  # fmt: skip
