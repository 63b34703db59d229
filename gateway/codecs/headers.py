"""The rules for the data set around the pixels when these change their form: pure.

What is not named here, or in derivation.py, stays as it was received: a lossless transcoding is the
same instance, with the same SOP Instance UID. Standard: PS3.3 C.7.6.3.1.2-3; PS3.5 8.2, A.4.
"""

import struct
from collections.abc import Sequence

from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag

from gateway.codecs.image import Image
from gateway.dicom.tags import text_of

_PHOTOMETRIC_INTERPRETATION = 0x00280004
_PLANAR_CONFIGURATION = 0x00280006
_BITS_ALLOCATED, _BITS_STORED, _HIGH_BIT = 0x00280100, 0x00280101, 0x00280102
_TRAILING_PADDING = 0xFFFCFFFC
_DIGITAL_SIGNATURES, MAC_PARAMETERS = 0xFFFAFFFA, 0x4FFE0001
_OFFSET_TABLE, _OFFSET_TABLE_LENGTHS = 0x7FE00001, 0x7FE00002
# They describe the fragments that were; the last is Encapsulated Pixel Data Value Total Length.
_FRAGMENT_TABLES = (_OFFSET_TABLE, _OFFSET_TABLE_LENGTHS, 0x7FE00003)


def revise(header: Dataset) -> None:
    """Remove from the elements before Pixel Data what is about how they were encoded."""
    remove(header, *_FRAGMENT_TABLES, _TRAILING_PADDING)


def revise_trailer(trailer: Dataset, *, is_derived: bool) -> None:
    """The same for the elements after Pixel Data: padding has no meaning (PS3.10 7.2).

    is_derived: the pixels are not those any more that somebody signed (PS3.15 C).
    """
    remove(trailer, _TRAILING_PADDING)
    if is_derived:
        remove(trailer, _DIGITAL_SIGNATURES)


def describe(header: Dataset, source: Image, result: Image) -> None:
    """Say what the pixels are now."""
    put(header, _PHOTOMETRIC_INTERPRETATION, "CS", result.photometric)
    if result.samples > 1:
        put_number(header, _PLANAR_CONFIGURATION, int(result.planar))
    depth = (result.bits_allocated, result.bits_stored, result.high_bit)
    if depth != (source.bits_allocated, source.bits_stored, source.high_bit):
        for tag, value in zip((_BITS_ALLOCATED, _BITS_STORED, _HIGH_BIT), depth, strict=True):
            put_number(header, tag, value)


def put_extended_offsets(header: Dataset, offsets: Sequence[int], lengths: Sequence[int]) -> None:
    """Say where frames are that a basic offset table cannot point to (PS3.3 C.7.6.3.1.8)."""
    for tag, values in ((_OFFSET_TABLE, offsets), (_OFFSET_TABLE_LENGTHS, lengths)):
        put_bytes(header, tag, "OV", struct.pack(f"<{len(values)}Q", *values))


def native_vr(header: Dataset, source_vr: str | None = None) -> str:
    """The VR of native Pixel Data in Explicit VR: as it was if it may be, else PS3.5 A.2's."""
    if source_vr in ("OB", "OW"):
        return source_vr
    return "OB" if text_of(header, _BITS_ALLOCATED) in ("1", "8") else "OW"


def put(header: Dataset, tag: int, vr: str, text: str) -> None:
    """Set an element of text in the default repertoire."""
    value = text.encode("ascii")
    padding = b"\0" if vr == "UI" else b" "
    put_bytes(header, tag, vr, value + padding * (len(value) % 2))


def put_number(header: Dataset, tag: int, value: int) -> None:
    """Set an element of VR US."""
    put_bytes(header, tag, "US", struct.pack("<H", value))


def put_bytes(header: Dataset, tag: int, vr: str, value: bytes) -> None:
    """Set an element as it is encoded in Little Endian."""
    base_tag = BaseTag(tag)
    header[base_tag] = RawDataElement(
        base_tag, vr, len(value), value, 0, is_implicit_VR=False, is_little_endian=True
    )


def remove(dataset: Dataset, *tags: int) -> None:
    """Remove elements that are there."""
    for tag in tags:
        if tag in dataset:
            del dataset[tag]
