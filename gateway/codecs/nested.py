"""Pixel Data in items, such as icons: encapsulated, it exists in its own transfer syntax only.

When the syntax changes it becomes native, which every syntax allows. Standard: PS3.5 A.4;
PS3.3 C.7.6.1.1.6.
"""

import re
import struct
from io import BytesIO
from typing import Any

from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.sequence import Sequence

from gateway.codecs import coded, headers
from gateway.codecs.image import describe
from gateway.codecs.limits import Limits
from gateway.codecs.planning import recoding, refuse_too_large
from gateway.codecs.source import PIXEL_DATA
from gateway.dicom.encoding import UNDEFINED_LENGTH
from gateway.dicom.syntaxes import EXPLICIT_LE, TransferSyntax
from gateway.errors import TranscodeError, TranscodeUnsupported
from gateway.model import TranscodeOptions

_ICON_IMAGE_SEQUENCE = 0x00880200
_ENCAPSULATED = re.compile(rb"\xe0\x7f\x10\x00O[BW]\0\0\xff\xff\xff\xff")
_SEQUENCE_DELIMITER = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def make_native(header: Dataset, syntax: TransferSyntax, limits: Limits) -> None:
    """Decode encapsulated Pixel Data in all items of a data set in `syntax`.

    An icon that cannot be decoded is removed: it is a convenience (type 3). Raises
    TranscodeUnsupported for anything else.
    """
    for tag in [tag for tag, element in header.items() if _may_hold_encapsulated(element)]:
        try:
            for item in header[tag].value:
                _make_item_native(item, syntax, limits)
        except Exception as exc:
            if tag != _ICON_IMAGE_SEQUENCE:
                reason = exc if isinstance(exc, TranscodeError) else type(exc).__name__
                raise TranscodeUnsupported(
                    f"an item of {tag} has encapsulated Pixel Data of its own: {reason}"
                ) from exc
            headers.remove(header, tag)


def _may_hold_encapsulated(element: Any) -> bool:
    """Sequences of known length are looked at as they are encoded: most need not be parsed.

    Those with delimiters pydicom has parsed already.
    """
    if not isinstance(element, RawDataElement):
        return isinstance(element.value, Sequence)
    value = element.value
    return element.VR == "SQ" and value is not None and _ENCAPSULATED.search(value) is not None


def _make_item_native(item: Dataset, syntax: TransferSyntax, limits: Limits) -> None:
    make_native(item, syntax, limits)
    element: Any = item.get_item(PIXEL_DATA) if PIXEL_DATA in item else None
    if getattr(element, "length", None) == UNDEFINED_LENGTH:
        _decode(item, element.value + _SEQUENCE_DELIMITER, syntax, limits)


def _decode(item: Dataset, value: bytes, syntax: TransferSyntax, limits: Limits) -> None:
    image = describe(item)
    refuse_too_large(image, limits.memory_bytes)
    found = coded.find(BytesIO(value), 0, syntax, image)
    plan = recoding(image, found.first, EXPLICIT_LE, TranscodeOptions(), is_native=False)
    pixels = b"".join(found.samples(index).tobytes() for index in range(image.frames))
    headers.describe(item, image, plan.result)
    headers.put_bytes(item, PIXEL_DATA, headers.native_vr(item), pixels + b"\0" * (len(pixels) % 2))
