"""DICOMDIR: the directory of a file set, built from the headers of its files.

An instance is one record below its patient, study and series; each of those is described by the
first of its instances. Values are copied as they are encoded: nothing is made up for a file that
lacks what a directory should tell. Standard: PS3.3 Annex F, PS3.10 section 8.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.uid import MediaStorageDirectoryStorage, generate_uid

from gateway.dicom import syntaxes
from gateway.dicom.encoding import element_header, encode
from gateway.dicom.part10 import FileMeta, header
from gateway.dicom.tags import text_of

FILE_SET_ID = "GATEWAY_MEDIA"
_STUDY_INSTANCE_UID, _SERIES_INSTANCE_UID, _PATIENT_ID = 0x0020000D, 0x0020000E, 0x00100020
_IN_USE = 0xFFFF
_STORAGE = "1.2.840.10008.5.1.4.1.1."

_KEYS: Mapping[str, tuple[str, ...]] = {
    "PATIENT": ("PatientName", "PatientID"),
    "STUDY": (
        "StudyDate", "StudyTime", "AccessionNumber", "StudyDescription", "StudyInstanceUID",
        "StudyID",
    ),
    "SERIES": ("Modality", "SeriesInstanceUID", "SeriesNumber"),
}  # fmt: skip
_EXTENDED_SERIES_KEYS = (*_KEYS["SERIES"], "SeriesDescription")

_CONTENT = ("InstanceNumber", "ContentDate", "ContentTime")
_LABELLED = (*_CONTENT, "ContentLabel", "ContentDescription", "ContentCreatorName")
_DOCUMENT = (*_CONTENT, "ConceptNameCodeSequence")
# What a record tells of an instance: PS3.3 F.5, keys of type 1 and 2.
_LEAF_KEYS: Mapping[str, tuple[str, ...]] = {
    "IMAGE": ("InstanceNumber",),
    "RT DOSE": ("InstanceNumber", "DoseSummationType"),
    "RT STRUCTURE SET": (
        "InstanceNumber", "StructureSetLabel", "StructureSetDate", "StructureSetTime",
    ),
    "RT PLAN": ("InstanceNumber", "RTPlanLabel", "RTPlanDate", "RTPlanTime"),
    "RT TREAT RECORD": ("InstanceNumber", "TreatmentDate", "TreatmentTime"),
    "PRESENTATION": (
        *_LABELLED, "PresentationCreationDate", "PresentationCreationTime",
        "ReferencedSeriesSequence",
    ),
    "WAVEFORM": _CONTENT,
    "SR DOCUMENT": (*_DOCUMENT, "CompletionFlag", "VerificationFlag"),
    "KEY OBJECT DOC": _DOCUMENT,
    "SPECTROSCOPY": (
        *_CONTENT, "ImageType", "NumberOfFrames", "Rows", "Columns", "DataPointRows",
        "DataPointColumns",
    ),
    "RAW DATA": _CONTENT,
    "REGISTRATION": _LABELLED,
    "FIDUCIAL": _LABELLED,
    "VALUE MAP": _LABELLED,
    "SURFACE": _LABELLED,
    "TRACT": _LABELLED,
    "ENCAP DOC": (*_DOCUMENT, "DocumentTitle", "MIMETypeOfEncapsulatedDocument"),
}  # fmt: skip
# The classes of which each has a record type of its own, by the end of the UID ...
_TYPE_OF_CLASS: Mapping[str, str] = {
    "4.2": "SPECTROSCOPY",
    "66": "RAW DATA",
    "66.1": "REGISTRATION",
    "66.2": "FIDUCIAL",
    "66.3": "REGISTRATION",
    "66.5": "SURFACE",
    "66.6": "TRACT",
    "67": "VALUE MAP",
    "88.59": "KEY OBJECT DOC",
    "481.2": "RT DOSE",
    "481.3": "RT STRUCTURE SET",
    "481.4": "RT TREAT RECORD",
    "481.5": "RT PLAN",
    "481.6": "RT TREAT RECORD",
    "481.7": "RT TREAT RECORD",
    "481.8": "RT PLAN",
    "481.9": "RT TREAT RECORD",
}
# ... and the groups of classes that share one.
_TYPE_OF_GROUP: Mapping[str, str] = {
    "9": "WAVEFORM",
    "11": "PRESENTATION",
    "88": "SR DOCUMENT",
    "104": "ENCAP DOC",
}


@dataclass(slots=True)
class _Record:
    """One directory record: what it tells, encoded, and the records below it."""

    kind: str
    described: bytes
    below: "dict[str, _Record]" = field(default_factory=dict)
    offset: int = 0

    @property
    def size_bytes(self) -> int:
        return _ITEM.size + len(_record_head(self.kind, 0, 0)) + len(self.described)


_ITEM = struct.Struct("<HHI")


class DirectoryBuilder:
    """Collects files, then answers the DICOMDIR that lists them in that order."""

    def __init__(self, *, extended: bool) -> None:
        """extended: describe series for people as well, which some readers of media do not need."""
        self._series_keys = _EXTENDED_SERIES_KEYS if extended else _KEYS["SERIES"]
        self._patients: dict[str, _Record] = {}

    def add(self, file_id: Sequence[str], meta: FileMeta, dataset: Dataset) -> None:
        """Enter a file. file_id: its path, up to eight parts of up to eight characters A-Z 0-9 _.

        dataset: of read_header(). Raises InstanceUnreadable.
        """
        patient = _below(
            self._patients, text_of(dataset, _PATIENT_ID), "PATIENT", dataset, _KEYS["PATIENT"]
        )
        study = _below(
            patient.below, text_of(dataset, _STUDY_INSTANCE_UID), "STUDY", dataset, _KEYS["STUDY"]
        )
        series = _below(
            study.below, text_of(dataset, _SERIES_INSTANCE_UID), "SERIES", dataset,
            self._series_keys,
        )  # fmt: skip
        kind = record_type(meta.sop_class_uid)
        described = _reference(file_id, meta) + _encoded(dataset, _LEAF_KEYS[kind])
        series.below["\\".join(file_id)] = _Record(kind, described)

    def to_bytes(self) -> bytes:
        """The file, whole."""
        meta = header(MediaStorageDirectoryStorage, generate_uid(), syntaxes.EXPLICIT_LE.uid)
        records = list(_all(self._patients))
        before = len(meta) + len(_set_identification(0, 0)) + len(_sequence_header(0))
        end = before
        for record in records:
            record.offset = end
            end += record.size_bytes
        roots = list(self._patients.values())
        first, last = (roots[0].offset, roots[-1].offset) if roots else (0, 0)
        parts = [meta, _set_identification(first, last), _sequence_header(end - before)]
        return b"".join([*parts, *_written(self._patients)])


def record_type(sop_class_uid: str) -> str:
    """The type of the record that lists an instance of this class; images for all others."""
    if not sop_class_uid.startswith(_STORAGE):
        return "IMAGE"
    own = sop_class_uid.removeprefix(_STORAGE)
    return _TYPE_OF_CLASS.get(own) or _TYPE_OF_GROUP.get(own.partition(".")[0], "IMAGE")


def _below(
    records: dict[str, _Record],
    identity: str | None,
    kind: str,
    dataset: Dataset,
    keys: tuple[str, ...],
) -> _Record:
    """The record of this patient, study or series, made for its first instance."""
    known = records.get(identity or "")
    if known is None:
        known = records[identity or ""] = _Record(kind, _encoded(dataset, keys))
    return known


def _encoded(dataset: Dataset, keywords: tuple[str, ...]) -> bytes:
    """These elements, empty where the data set lacks them, in their character set."""
    subset = Dataset()
    for keyword in ("SpecificCharacterSet", *keywords):
        tag = tag_for_keyword(keyword)
        assert tag is not None, keyword
        if tag in dataset:
            subset[tag] = dataset.get_item(tag)
        elif keyword != "SpecificCharacterSet":
            setattr(subset, keyword, None)
    return encode(subset, implicit_vr=False)


def _reference(file_id: Sequence[str], meta: FileMeta) -> bytes:
    return b"".join(
        (
            _element(0x00041500, "CS", "\\".join(file_id)),
            _element(0x00041510, "UI", meta.sop_class_uid),
            _element(0x00041511, "UI", meta.sop_instance_uid),
            _element(0x00041512, "UI", meta.transfer_syntax_uid),
        )
    )


def _all(records: Mapping[str, _Record]) -> Iterator[_Record]:
    """Records in the order of the file: each before those below it."""
    for record in records.values():
        yield record
        yield from _all(record.below)


def _written(siblings: Mapping[str, _Record]) -> Iterator[bytes]:
    for record, following in pairwise([*siblings.values(), None]):
        assert record is not None
        next_offset = following.offset if following else 0
        lower = next((below.offset for below in record.below.values()), 0)
        content = _record_head(record.kind, next_offset, lower) + record.described
        yield _ITEM.pack(0xFFFE, 0xE000, len(content)) + content
        yield from _written(record.below)


def _record_head(kind: str, next_offset: int, lower_offset: int) -> bytes:
    return b"".join(
        (
            _number(0x00041400, next_offset),
            element_header(0x00041410, "US", 2, implicit_vr=False) + struct.pack("<H", _IN_USE),
            _number(0x00041420, lower_offset),
            _element(0x00041430, "CS", kind),
        )
    )


def _set_identification(first: int, last: int) -> bytes:
    return b"".join(
        (
            _element(0x00041130, "CS", FILE_SET_ID),
            _number(0x00041200, first),
            _number(0x00041202, last),
            element_header(0x00041212, "US", 2, implicit_vr=False) + b"\0\0",
        )
    )


def _sequence_header(size_bytes: int) -> bytes:
    return element_header(0x00041220, "SQ", size_bytes, implicit_vr=False)


def _number(tag: int, value: int) -> bytes:
    return element_header(tag, "UL", 4, implicit_vr=False) + struct.pack("<I", value)


def _element(tag: int, vr: str, text: str) -> bytes:
    value = text.encode("ascii")
    value += (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
    return element_header(tag, vr, len(value), implicit_vr=False) + value
