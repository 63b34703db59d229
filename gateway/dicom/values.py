"""From text, as people write a value, to the bytes of an element.

Standard: PS3.5 6.2.
"""

import base64
import binascii
import re
import struct

from gateway.dicom.tags import NUMBER_FORMATS
from gateway.dicom.texts import TEXT_VRS, encoded
from gateway.dicom.vrs import SPACE_PADDED

_DATA_URI = re.compile(r"data:[^,;]*;base64,(?P<content>[A-Za-z0-9+/=\s]*)")
_ATTRIBUTE_TAG = re.compile(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?")
_FLOATS = ("FL", "FD")


class ValueRefused(ValueError):
    """The text is no value of this VR."""


def value_bytes(text: str, vr: str, character_set: str) -> bytes:
    """The value in Little Endian, without padding; several are separated by backslashes.

    A data URI in Base64 stands for the bytes themselves, whatever the VR. Raises ValueRefused,
    DoesNotFit (the character set lacks a character).
    """
    if binary := _DATA_URI.fullmatch(text):
        try:
            return base64.b64decode(binary["content"], validate=False)
        except binascii.Error:
            raise ValueRefused from None
    if vr in TEXT_VRS:
        return encoded(text, character_set, person_name=vr == "PN")
    if vr in NUMBER_FORMATS:
        return b"".join(_number(part, vr) for part in text.split("\\")) if text else b""
    if text and (vr == "SQ" or (vr in SPACE_PADDED | {"UI"} and not text.isascii())):
        raise ValueRefused
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueRefused from None


def _number(text: str, vr: str) -> bytes:
    try:
        if vr == "AT":
            return _attribute_tag(text)
        number = float(text) if vr in _FLOATS else int(text)
        return struct.pack("<" + NUMBER_FORMATS[vr], number)
    except (ValueError, struct.error, OverflowError):
        raise ValueRefused from None


def _attribute_tag(text: str) -> bytes:
    written = _ATTRIBUTE_TAG.fullmatch(text.strip())
    if written is None:
        raise ValueRefused
    return struct.pack("<HH", int(written[1], 16), int(written[2], 16))
