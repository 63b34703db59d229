"""The rules for the data set around the pixels when these change their form: pure.

What is not named here stays as it was received: a lossless transcoding is the same instance, with
the same SOP Instance UID. Standard: PS3.3 C.7.6.1.1.5, C.7.6.3.1.2-3; PS3.5 8.2, A.4.
"""

import re
import struct

from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag

from gateway.codecs.image import Image
from gateway.codecs.planning import Recoding
from gateway.codecs.source import PIXEL_DATA
from gateway.dicom.encoding import UNDEFINED_LENGTH
from gateway.dicom.syntaxes import TransferSyntax
from gateway.dicom.tags import text_of
from gateway.errors import TranscodeUnsupported

_PHOTOMETRIC_INTERPRETATION = 0x00280004
_PLANAR_CONFIGURATION = 0x00280006
_BITS_ALLOCATED = 0x00280100
_LOSSY_IMAGE_COMPRESSION = 0x00282110
_ICON_IMAGE_SEQUENCE = 0x00880200
_TRAILING_PADDING = 0xFFFCFFFC
# Extended Offset Table, its Lengths, and Encapsulated Pixel Data Value Total Length: they describe
# the fragments that were.
_FRAGMENT_TABLES = (0x7FE00001, 0x7FE00002, 0x7FE00003)
_ENCAPSULATED_IN_ITEM = re.compile(rb"\xe0\x7f\x10\x00O[BW]\0\0\xff\xff\xff\xff")


def revise(header: Dataset, source: TransferSyntax, recoding: Recoding | None) -> None:
    """Change the elements before Pixel Data as the new transfer syntax demands.

    source: the syntax they come from. recoding: None when the pixels stay as they are, or when
    there are none. Raises TranscodeUnsupported: an item other than the icon has Pixel Data that
    only the source syntax allows.
    """
    _remove(header, *_FRAGMENT_TABLES, _TRAILING_PADDING)
    if source.is_encapsulated:
        _drop_encapsulated_icon(header)
        _refuse_encapsulated_items(header)
    if recoding is not None:
        _describe(header, recoding.result)
        if recoding.lossy:
            # Once lossy, always "01", also when whoever compressed it forgot to say so.
            _put(header, _LOSSY_IMAGE_COMPRESSION, "CS", b"01")


def revise_trailer(trailer: Dataset) -> None:
    """The same for the elements after Pixel Data: padding has no meaning (PS3.10 7.2)."""
    _remove(trailer, _TRAILING_PADDING)


def native_vr(header: Dataset, source_vr: str | None = None) -> str:
    """The VR of native Pixel Data in Explicit VR: as it was if it may be, else PS3.5 A.2's."""
    if source_vr in ("OB", "OW"):
        return source_vr
    return "OB" if text_of(header, _BITS_ALLOCATED) in ("1", "8") else "OW"


def _describe(header: Dataset, result: Image) -> None:
    photometric = result.photometric.encode("ascii")
    _put(header, _PHOTOMETRIC_INTERPRETATION, "CS", photometric + b" " * (len(photometric) % 2))
    if result.samples > 1:
        _put(header, _PLANAR_CONFIGURATION, "US", struct.pack("<H", result.planar))


def _put(header: Dataset, tag: int, vr: str, value: bytes) -> None:
    base_tag = BaseTag(tag)
    header[base_tag] = RawDataElement(
        base_tag, vr, len(value), value, 0, is_implicit_VR=False, is_little_endian=True
    )


def _remove(dataset: Dataset, *tags: int) -> None:
    for tag in tags:
        if tag in dataset:
            del dataset[tag]


def _drop_encapsulated_icon(header: Dataset) -> None:
    """An icon is a convenience (type 3); one in the codestream of another syntax is a fault."""
    if _ICON_IMAGE_SEQUENCE not in header:
        return
    items = header[_ICON_IMAGE_SEQUENCE].value or []
    pixels = (item.get_item(PIXEL_DATA) for item in items if PIXEL_DATA in item)
    if any(getattr(element, "length", 0) == UNDEFINED_LENGTH for element in pixels):
        _remove(header, _ICON_IMAGE_SEQUENCE)


def _refuse_encapsulated_items(header: Dataset) -> None:
    for tag, element in header.items():
        value = element.value if isinstance(element, RawDataElement) else None
        if isinstance(value, bytes) and _ENCAPSULATED_IN_ITEM.search(value):
            raise TranscodeUnsupported(f"an item of {tag} has encapsulated Pixel Data of its own")
