"""From the body of /modify and /anonymize to what is to be done to data sets.

The rules, and the words in which their breach is told, are Orthanc's.
"""

from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from gateway.dicom import deidentification, syntaxes
from gateway.dicom.deidentification import Profile
from gateway.dicom.modify import Modification, Uids, Value
from gateway.dicom.rates import RATE_OF
from gateway.dicom.replacing import (
    IDENTIFIERS,
    NeedsForce,
    WrongShape,
    WrongType,
    check_force,
    paths,
    replacements,
)
from gateway.dicom.tag_names import tag_name
from gateway.dicom.tag_paths import BadIndex, TagPath, parse_path
from gateway.errors import UnknownTag
from gateway.model import Level, TranscodeOptions
from gateway.rest import fields
from gateway.rest.errors import ApiError, Fault

# With the edition of the standard within the 64 characters of an LO.
_OURS = "DICOM Lua Gateway"
_ABOVE = {Level.SERIES: (Level.PATIENT, Level.STUDY), Level.STUDY: (Level.PATIENT,)}
_PATIENT_NAME = parse_path("PatientName")
_IDENTITY_REMOVED = parse_path("PatientIdentityRemoved")
_METHOD = parse_path("DeidentificationMethod")
_QUALITIES = range(1, 101)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that keeps all rules. level: of the resource that is modified.

    transcode: the UID of a transfer syntax, "" for none. quality: 1 to 100, None when it is not
    said or the transfer syntax knows none.
    """

    level: Level
    replace: Mapping[TagPath, Value]
    remove: frozenset[TagPath]
    keep: frozenset[TagPath]
    remove_private: bool
    private_creator: str
    profile: Profile | None
    transcode: str = ""
    quality: int | None = None

    def options(self, configured: TranscodeOptions) -> TranscodeOptions:
        """How to transcode, where the configuration does not say it for this request."""
        return configured if self.quality is None else replace(configured, quality=self.quality)

    def new_uid(self, level: Level, uid: str, uids: Uids) -> str | None:
        """What becomes of the UID of a study, series or instance; None: this says nothing of it."""
        path = IDENTIFIERS[level]
        if path in self.keep:
            return uid
        replaced = self.replace.get(path)
        if isinstance(replaced, str):
            return replaced
        changes = self.profile is not None or _depth(level) >= self._first_new_depth()
        return uids.new(uid) if changes else None

    def _first_new_depth(self) -> int:
        """From which level on identifiers change; what is put elsewhere is another one, too."""
        replaced = (
            _depth(level) + 1 for level, path in IDENTIFIERS.items() if path in self.replace
        )
        return min(_depth(self.level), *replaced, _depth(Level.INSTANCE))

    def modification(self, uids: Uids) -> Modification:
        """What is to be done to each data set."""
        return Modification(
            replace=self.replace if self.profile is None else self._for_anonymity(uids.salt),
            remove=self.remove,
            keep=self.keep,
            remove_private=self.remove_private,
            private_creator=self.private_creator,
            profile=self.profile,
            uids=uids,
        )

    def _for_anonymity(self, salt: str) -> Mapping[TagPath, Value]:
        assert self.profile is not None
        number = uuid5(NAMESPACE_OID, f"{salt}|patient")
        added: dict[TagPath, Value] = {
            IDENTIFIERS[Level.PATIENT]: str(number),
            _PATIENT_NAME: f"Anonymized{number.int % 10**6}",
            _IDENTITY_REMOVED: "YES",
        }
        # Whoever changes the profile has to answer for the result, and to say what was done.
        if not (self.replace or self.remove or self.keep) and self.remove_private:
            added[_METHOD] = f"{_OURS} - {self.profile.method}"
        return {**added, **self.replace}


def asked_of(body: Mapping[str, Any], level: Level, *, anonymize: bool) -> Asked:
    """Read and check a body. Raises ApiError."""
    force = _flag(body, "Force")
    private = _flag(body, "KeepPrivateTags" if anonymize else "RemovePrivateTags")
    remove = _paths(body, "Remove")
    _check_force(remove, "removed", force=force)
    if remove & set(IDENTIFIERS.values()):
        raise ApiError(Fault.BAD_REQUEST, "an instance needs its identifiers")
    replace = _replacements(body)
    _check_force(replace, "replaced", force=force)
    keep = _paths(body, "Keep")
    _check_force(keep, "kept", force=force)
    transcode = _transfer_syntax(body, level)
    asked = Asked(
        level=level,
        replace=replace,
        remove=remove,
        keep=keep,
        remove_private=private != anonymize,
        private_creator=fields.text(body, "PrivateCreator", ""),
        profile=_profile(body) if anonymize else None,
        transcode=transcode,
        quality=_quality(body) if RATE_OF.get(transcode) == "quality" else None,
    )
    _check_level(asked)
    return asked


def _depth(level: Level) -> int:
    return list(Level).index(level)


# --- the rules -----------------------------------------------------------------------------------


def _check_force(chosen: Container[TagPath], what: str, *, force: bool) -> None:
    if force:
        return
    with _told():
        check_force(chosen, what)


def _check_level(asked: Asked) -> None:
    patient = IDENTIFIERS[Level.PATIENT]
    changes = patient not in asked.keep and (patient in asked.replace or asked.profile is not None)
    if not changes and (asked.level is Level.PATIENT or asked.profile):
        raise ApiError(
            Fault.BAD_REQUEST, "When modifying a patient, her PatientID is required to be modified"
        )
    if asked.profile:
        return
    for above in _ABOVE.get(asked.level, ()):
        if IDENTIFIERS[above] in asked.replace:
            raise ApiError(
                Fault.BAD_REQUEST,
                f"When modifying a {asked.level.lower()}, the parent "
                f"{tag_name(IDENTIFIERS[above].tag)} cannot be manually modified",
            )


# --- the fields ----------------------------------------------------------------------------------


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise ApiError(Fault.BAD_FILE_FORMAT, f'Member "{name}" should be a Boolean value')
    return value


def _paths(body: Mapping[str, Any], name: str) -> frozenset[TagPath]:
    texts = body.get(name, [])
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ApiError(Fault.BAD_REQUEST, f"{name} has to be a list of tags")
    with _told():
        return paths(texts)


def _replacements(body: Mapping[str, Any]) -> dict[TagPath, Value]:
    wanted = body.get("Replace", {})
    if not isinstance(wanted, dict):
        raise ApiError(Fault.BAD_REQUEST, "Replace has to be an object")
    with _told():
        return replacements(wanted)


@contextmanager
def _told() -> Iterator[None]:
    """What is wrong with names and values, as clients are told."""
    try:
        yield
    except UnknownTag as error:
        raise ApiError(Fault.UNKNOWN_TAG, str(error)) from None
    except BadIndex as error:
        raise ApiError(Fault.OUT_OF_RANGE, str(error)) from None
    except WrongType as error:
        raise ApiError(Fault.BAD_TYPE, str(error)) from None
    except (NeedsForce, WrongShape) as error:
        raise ApiError(Fault.BAD_REQUEST, str(error)) from None


def _profile(body: Mapping[str, Any]) -> Profile:
    version = body.get("DicomVersion", deidentification.NEWEST)
    if not isinstance(version, str):
        raise ApiError(Fault.BAD_FILE_FORMAT, "DicomVersion has to be a string")
    profile = deidentification.profile(version)
    if profile is None:
        raise ApiError(
            Fault.OUT_OF_RANGE, f"Unknown specific version of the DICOM standard: {version}"
        )
    return profile


def _transfer_syntax(body: Mapping[str, Any], level: Level) -> str:
    name = fields.text(body, "Transcode", "")
    try:
        return syntaxes.lookup(name).uid if "Transcode" in body else ""
    except syntaxes.UnknownTransferSyntax:
        if level is Level.INSTANCE:
            raise ApiError(Fault.OUT_OF_RANGE, f"Unknown transfer syntax: {name}") from None
        raise ApiError(Fault.BAD_FILE_FORMAT, f"Unknown transfer syntax UID: {name}") from None


def _quality(body: Mapping[str, Any]) -> int | None:
    if "LossyQuality" not in body:
        return None
    quality = fields.integer(body, "LossyQuality", 0)
    if quality not in _QUALITIES:
        raise ApiError(Fault.OUT_OF_RANGE, "LossyQuality has to be from 1 to 100")
    return quality
