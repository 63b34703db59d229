"""DICOM files: the header that we write in front of a received data set, and what we read of it.

Standard: PS3.10 section 7.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_file_meta_info, read_partial
from pydicom.filewriter import write_file_meta_info
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID

from gateway.dicom.identifiers import instance_id
from gateway.errors import InstanceUnreadable
from gateway.model import Identifiers

# A UID of our own under PS3.5 B.2's UUID-derived root, so that receivers can tell who wrote a file.
IMPLEMENTATION_CLASS_UID = "2.25.210383637210846286034265104424301402741"
IMPLEMENTATION_VERSION_NAME = "DICOM_LUA_GW_1"

_IDENTIFYING = ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
_IDENTIFYING_TAGS: list[BaseTag | int] = [Tag(keyword) for keyword in _IDENTIFYING]
_LAST_IDENTIFYING = max(_IDENTIFYING_TAGS)
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
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
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
    return out.getvalue()


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
        raise InstanceUnreadable(f"not a DICOM file: {exc}") from exc


def read_header(source: Path | BinaryIO) -> Dataset:
    """The data set up to Pixel Data, decoded when asked for. Raises InstanceUnreadable."""
    try:
        return cast(Dataset, dcmread(source, stop_before_pixels=True))
    except Exception as exc:
        raise InstanceUnreadable(f"the data set cannot be parsed: {exc}") from exc


def _is_after_identifiers(tag: BaseTag, vr: str | None, length: int) -> bool:
    return bool(tag > _LAST_IDENTIFYING)


def read_identifiers(file: BinaryIO, *, sop_class_uid: str) -> Identifiers:
    """The identifiers of the instance. Raises InstanceUnreadable.

    PatientID may be absent or empty (PS3.3 C.7.1, type 2); the three instance UIDs may not.
    """
    try:
        dataset = read_partial(
            file, stop_when=_is_after_identifiers, specific_tags=_IDENTIFYING_TAGS
        )
        values = [str(dataset.get(keyword, "") or "") for keyword in _IDENTIFYING]
    except Exception as exc:
        raise InstanceUnreadable(f"the data set cannot be parsed: {exc}") from exc
    for keyword, value in zip(_IDENTIFYING[1:], values[1:], strict=True):
        if not value:
            raise InstanceUnreadable(f"{keyword} is missing or empty")
        if len(value) > _MAXIMUM_UID_LENGTH:
            raise InstanceUnreadable(f"{keyword} has {len(value)} characters, 64 are allowed")
    patient, study, series, sop = values
    return Identifiers(
        instance_id(patient, study, series, sop), patient, study, series, sop, sop_class_uid
    )
