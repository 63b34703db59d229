"""DICOM files: the header that we write in front of a received data set, and what we read of it.

Standard: PS3.10 section 7.
"""

import zlib
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset, read_file_meta_info
from pydicom.filewriter import write_file_meta_info
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID

from gateway.dicom import syntaxes
from gateway.dicom.identifiers import instance_id
from gateway.dicom.main_tags import ALL_MAIN_TAGS
from gateway.dicom.syntaxes import TransferSyntax
from gateway.dicom.tags import tags
from gateway.errors import IdentifierMissing, InstanceUnreadable
from gateway.model import Identifiers, Summary

# A UID of our own under PS3.5 B.2's UUID-derived root, so that receivers can tell who wrote a file.
IMPLEMENTATION_CLASS_UID = "2.25.210383637210846286034265104424301402741"
IMPLEMENTATION_VERSION_NAME = "DICOM_LUA_GW_1"

_IDENTIFYING = ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
_IDENTIFYING_TAGS: list[BaseTag | int] = [
    Tag(keyword) for keyword in (*_IDENTIFYING, "SOPClassUID")
]
_LAST_IDENTIFYING = max(_IDENTIFYING_TAGS)
_SPECIFIC_CHARACTER_SET = Tag("SpecificCharacterSet")
_INDEXED_TAGS: list[BaseTag | int] = [
    *_IDENTIFYING_TAGS,
    *ALL_MAIN_TAGS,
    _SPECIFIC_CHARACTER_SET,
]
_LAST_INDEXED = max(_INDEXED_TAGS)
_PIXEL_DATA = {Tag("PixelData"), Tag("FloatPixelData"), Tag("DoubleFloatPixelData")}
_SOP_INSTANCE_UID_ELEMENT = b"\x02\x00\x03\x00UI"
_MAXIMUM_HEADER_BYTES = 1 << 26
_MAXIMUM_UID_LENGTH = 64  # PS3.5 9.1


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What the file meta information says, and where the data set begins (bytes from the start)."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data_set_offset: int
    calling_aet: str
    called_aet: str


def header(
    sop_class_uid: str,
    sop_instance_uid: str,
    transfer_syntax_uid: str,
    *,
    calling_aet: str = "",
    called_aet: str = "",
) -> bytes:
    """Preamble, prefix and file meta information (PS3.10 7.1), ready to put before a data set.

    The AE titles make a file tell who sent it, also when the index has to be made anew.
    """
    uid = sop_instance_uid.encode("ascii")
    uid += b"\x00" * (len(uid) % 2)
    before, after = _around_sop_instance_uid(
        sop_class_uid, transfer_syntax_uid, calling_aet, called_aet, len(uid)
    )
    return before + uid + after


@lru_cache(maxsize=1024)
def _around_sop_instance_uid(
    sop_class_uid: str, transfer_syntax_uid: str, calling_aet: str, called_aet: str, uid_length: int
) -> tuple[bytes, bytes]:
    """A header before and after a SOP Instance UID of that length: one encoding serves a series."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID("9" * uid_length)  # stands in for the real one
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    if calling_aet:
        meta.SendingApplicationEntityTitle = calling_aet
    if called_aet:
        meta.ReceivingApplicationEntityTitle = called_aet
    out = DicomBytesIO()
    out.write(b"\x00" * 128 + b"DICM")
    write_file_meta_info(out, meta)
    encoded = out.getvalue()
    start = encoded.index(_SOP_INSTANCE_UID_ELEMENT) + 8  # behind tag, VR and two bytes of length
    return encoded[:start], encoded[start + uid_length :]


def read_meta(path: Path) -> FileMeta:
    """Read the file meta information. Raises InstanceUnreadable."""
    try:
        meta = read_file_meta_info(path)
        return FileMeta(
            str(meta.MediaStorageSOPClassUID),
            str(meta.MediaStorageSOPInstanceUID),
            str(meta.TransferSyntaxUID),
            # 128 bytes of preamble, the prefix, the group length element, the group (PS3.10 7.1).
            128 + 4 + 12 + int(meta.FileMetaInformationGroupLength),
            str(meta.get("SendingApplicationEntityTitle", "")),
            str(meta.get("ReceivingApplicationEntityTitle", "")),
        )
    except Exception as exc:
        raise InstanceUnreadable(f"not a DICOM file: {_in_short(exc)}") from exc


def read_meta_elements(path: Path) -> Dataset:
    """The file meta information, element by element. Raises InstanceUnreadable."""
    try:
        return read_file_meta_info(path)
    except Exception as exc:
        raise InstanceUnreadable(f"not a DICOM file: {_in_short(exc)}") from exc


def read_to_pixels(path: Path) -> tuple[Dataset, BaseTag | None]:
    """The data set up to its pixels, and the tag of the element that holds them, None without.

    Nothing is decoded, and there is no file meta information. Raises InstanceUnreadable.
    """
    dataset, pixels, _ = _up_to_pixels(path, read_meta(path))
    return dataset, pixels


def pixel_data_offset(path: Path) -> int | None:
    """Where the element with the pixels begins, in bytes from the start of the file.

    None without pixels, and in a deflated data set. Raises InstanceUnreadable.
    """
    meta = read_meta(path)
    if syntaxes.by_uid(meta.transfer_syntax_uid).is_deflated:
        return None
    _, pixels, offset = _up_to_pixels(path, meta, only=[_SPECIFIC_CHARACTER_SET])
    return None if pixels is None else offset


def _up_to_pixels(
    path: Path, meta: FileMeta, only: list[BaseTag | int] | None = None
) -> tuple[Dataset, BaseTag | None, int]:
    """The data set up to its pixels, their tag, and where it ends. only: of these elements."""
    found: list[BaseTag] = []

    def is_pixel_data(tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag in _PIXEL_DATA:
            found.append(tag)
        return bool(found)

    syntax = syntaxes.by_uid(meta.transfer_syntax_uid)
    try:
        with path.open("rb") as file:
            file.seek(meta.data_set_offset)
            dataset = read_dataset(
                inflated(file) if syntax.is_deflated else file,
                is_implicit_VR=syntax.is_implicit_vr,
                is_little_endian=syntax.is_little_endian,
                stop_when=is_pixel_data,
                specific_tags=only,
            )
            return dataset, found[0] if found else None, file.tell()
    except InstanceUnreadable:
        raise
    except Exception as exc:
        raise InstanceUnreadable(f"the data set cannot be parsed: {_in_short(exc)}") from exc


def read_header(path: Path) -> Dataset:
    """The data set up to Pixel Data, decoded when asked for. Raises InstanceUnreadable."""
    meta = read_meta(path)
    try:
        with path.open("rb") as file:
            if not syntaxes.by_uid(meta.transfer_syntax_uid).is_deflated:
                return cast(Dataset, dcmread(file, stop_before_pixels=True))
            file.seek(meta.data_set_offset)
            return read_dataset(
                inflated(file),
                is_implicit_VR=False,
                is_little_endian=True,
                stop_when=_is_pixel_data,
            )
    except InstanceUnreadable:
        raise
    except Exception as exc:
        raise InstanceUnreadable(f"the data set cannot be parsed: {_in_short(exc)}") from exc


def read_summary(file: BinaryIO, *, sop_class_uid: str, transfer_syntax_uid: str) -> Summary:
    """What the index keeps of the instance whose data set begins at the file's position.

    sop_class_uid: taken when the data set does not say its own. PatientID may be absent or
    empty (PS3.3 C.7.1, type 2); the three instance UIDs may not. Raises InstanceUnreadable. What
    follows the identifiers need not be readable: main tags are missing then.
    """
    syntax = syntaxes.by_uid(transfer_syntax_uid)
    data_set = inflated(file) if syntax.is_deflated else file
    head = _read_indexed(data_set, syntax, _LAST_IDENTIFYING)
    identifiers = _identifiers(head, sop_class_uid)
    with suppress(InstanceUnreadable):
        head.update(_read_indexed(data_set, syntax, _LAST_INDEXED))
    found = {name: text for name, text in tags(head).items() if isinstance(text, str)}
    return Summary(identifiers, found)


def read_file_summary(path: Path) -> Summary:
    """The same, of a file. Raises InstanceUnreadable, OSError."""
    meta = read_meta(path)
    with path.open("rb") as file:
        file.seek(meta.data_set_offset)
        return read_summary(
            file,
            sop_class_uid=meta.sop_class_uid,
            transfer_syntax_uid=meta.transfer_syntax_uid,
        )


def _read_indexed(file: BinaryIO, syntax: TransferSyntax, last: BaseTag | int) -> Dataset:
    """The tags that the index wants, from the file's position to `last`."""

    def is_behind(tag: BaseTag, vr: str | None, length: int) -> bool:
        return bool(tag > last)

    try:
        return read_dataset(
            file,
            is_implicit_VR=syntax.is_implicit_vr,
            is_little_endian=syntax.is_little_endian,
            stop_when=is_behind,
            specific_tags=_INDEXED_TAGS,
        )
    except Exception as exc:
        raise InstanceUnreadable(f"the data set cannot be parsed: {_in_short(exc)}") from exc


def _identifiers(dataset: Dataset, sop_class_uid: str) -> Identifiers:
    try:
        values = [_text(dataset.get(keyword)) for keyword in _IDENTIFYING]
        sop_class_uid = _text(dataset.get("SOPClassUID")) or sop_class_uid
    except Exception as exc:
        raise InstanceUnreadable(f"the data set cannot be parsed: {_in_short(exc)}") from exc
    for keyword, value in zip(_IDENTIFYING[1:], values[1:], strict=True):
        if not value:
            raise IdentifierMissing(keyword)
        if len(value) > _MAXIMUM_UID_LENGTH:
            raise InstanceUnreadable(f"{keyword} has {len(value)} characters, 64 are allowed")
    patient, study, series, sop = values
    return Identifiers(
        instance_id(patient, study, series, sop), patient, study, series, sop, sop_class_uid
    )


def _text(value: object) -> str:
    """An identifier as Orthanc reads it: several values are one with backslashes, a NUL ends it."""
    whole = "\\".join(map(str, value)) if isinstance(value, MultiValue) else str(value or "")
    return whole.partition("\0")[0]


def _is_pixel_data(tag: BaseTag, vr: str | None, length: int) -> bool:
    return bool(tag in _PIXEL_DATA)


def inflated(file: BinaryIO) -> BytesIO:
    """The beginning of a deflated data set (PS3.5 A.5): what a header takes, and not a bomb.

    Raises InstanceUnreadable.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = inflater.decompress(file.read(_MAXIMUM_HEADER_BYTES), _MAXIMUM_HEADER_BYTES)
    except zlib.error as exc:
        raise InstanceUnreadable("the deflated data set is damaged") from exc
    return BytesIO(data)


def _in_short(exc: Exception) -> str:
    """What is said of a library's error: its kind. Its text may quote the data set."""
    return exc.strerror or "input/output error" if isinstance(exc, OSError) else type(exc).__name__
