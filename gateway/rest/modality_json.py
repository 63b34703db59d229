"""Modalities as clients write and read them: a list of four, or an object with Orthanc's keys."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gateway.config.manufacturers import GENERIC, MANUFACTURERS
from gateway.config.models import Destination
from gateway.config.values import LONGEST_S, AeTitle
from gateway.rest import fields
from gateway.rest.errors import ApiError, Fault
from gateway.store.modalities import Modalities, Modality, modality_destination

# What a modality may ask for; Orthanc shows a key "Allow..." for each.
_OPERATIONS = (
    "Echo", "EventReport", "Find", "FindWorklist", "Get", "Move", "NAction", "Store",
)  # fmt: skip
# One word for the two halves of storage commitment.
_COMMITMENT = ("EventReport", "NAction")
_SHORTEST, _LONGEST = 3, 4
_HIGHEST_PORT = 65535
_AE_TITLE: TypeAdapter[str] = TypeAdapter(AeTitle)


def modality_of(body: Any) -> Modality:
    """What a client wrote. Raises ApiError."""
    if isinstance(body, list):
        body = _as_object(body)
    if not isinstance(body, dict):
        raise ApiError(Fault.BAD_FILE_FORMAT, "a modality is a list or an object")
    if fields.boolean(body, "UseDicomTls", False):
        raise ApiError(Fault.NOT_IMPLEMENTED, "DICOM over TLS is not offered yet")
    timeout_s = fields.unsigned(body, "Timeout", 0)
    try:
        destination = modality_destination(
            fields.text(body, "AET"),
            fields.text(body, "Host"),
            _port(body.get("Port")),
            calling_aet=fields.text(body, "LocalAet", ""),
            timeout_s=timeout_s,
        )
    except ValidationError as error:
        raise ApiError(Fault.BAD_FILE_FORMAT, _in_words(error)) from None
    return Modality(
        destination,
        _manufacturer(fields.text(body, "Manufacturer", GENERIC)),
        fields.boolean(body, "AllowTranscoding", True),
        _forbidden(body),
        timeout_s,
    )


def modality_json(modality: Modality) -> dict[str, Any]:
    """What clients are shown of it."""
    destination = modality.destination
    return {
        "AET": destination.aet,
        **{f"Allow{name}": name not in modality.forbidden for name in _OPERATIONS},
        "AllowTranscoding": modality.may_transcode,
        "Host": destination.host,
        "LocalAet": destination.calling_aet or "",
        "Manufacturer": modality.manufacturer,
        "Port": destination.port,
        "Timeout": modality.timeout_s,
        "UseDicomTls": False,
    }


def known_modality(modalities: Modalities, name: str) -> Modality:
    """The modality of this name. Raises ApiError."""
    modality = modalities.get(name)
    if modality is None:
        raise ApiError(Fault.INEXISTENT_ITEM, f"there is no modality {name!r}")
    return modality


def with_timeout(destination: Destination, timeout_s: int) -> Destination:
    """The same, with a limit for each step of speaking to it; 0 leaves the usual ones."""
    if not timeout_s:
        return destination
    seconds = float(min(timeout_s, LONGEST_S))
    steps = ("connect_timeout_s", "acse_timeout_s", "dimse_timeout_s")
    return destination.model_copy(update=dict.fromkeys(steps, seconds))


def aet_asked(options: Mapping[str, Any], name: str) -> str:
    """An AE title of the body, "" when it names none. Raises ApiError."""
    title = options.get(name, "")
    if not isinstance(title, str):
        raise ApiError(Fault.BAD_TYPE, f"{name} has to be a string")
    if not title:
        return ""
    try:
        return _AE_TITLE.validate_python(title)
    except ValidationError as error:
        raise ApiError(Fault.BAD_FILE_FORMAT, f"{name} {_in_words(error)}") from None


def _as_object(body: list[Any]) -> dict[str, Any]:
    if not _SHORTEST <= len(body) <= _LONGEST:
        raise ApiError(
            Fault.BAD_FILE_FORMAT,
            "a modality is [AET, host, port] or [AET, host, port, manufacturer]",
        )
    return dict(zip(("AET", "Host", "Port", "Manufacturer"), body, strict=False))


def _port(value: Any) -> int:
    """A number, or one in quotes. Raises ApiError."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ApiError(Fault.BAD_FILE_FORMAT, "Port has to be a whole number")
    if not 1 <= value <= _HIGHEST_PORT:
        raise ApiError(Fault.OUT_OF_RANGE, f"Port has to be from 1 to {_HIGHEST_PORT}")
    return value


def _manufacturer(name: str) -> str:
    if name not in MANUFACTURERS:
        raise ApiError(Fault.OUT_OF_RANGE, f"{name!r} is no known manufacturer")
    return MANUFACTURERS[name]


def _forbidden(body: Mapping[str, Any]) -> frozenset[str]:
    asked = {name: fields.boolean(body, f"Allow{name}", True) for name in _OPERATIONS}
    if "AllowStorageCommitment" in body:
        allowed = fields.boolean(body, "AllowStorageCommitment", True)
        asked |= dict.fromkeys(_COMMITMENT, allowed)
    return frozenset(name for name, allowed in asked.items() if not allowed)


def _in_words(error: ValidationError) -> str:
    return "; ".join(" ".join([*map(str, fault["loc"]), fault["msg"]]) for fault in error.errors())
