"""The table of tags that a Lua callback gets, in the shape that Orthanc's scripts know.

It is made for every image and every script, so it decodes the encoded bytes directly, without
pydicom's conversion into Python values: that takes several times as long and stumbles over bad
values. What an element's value reads as text is shared with the views of views.py.
Standard: PS3.5 6.2.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from pydicom import Dataset
from pydicom.datadict import keyword_dict, private_dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.valuerep import PersonName

from gateway.dicom.charsets import decode, encoding_of
from gateway.dicom.names import UNKNOWN
from gateway.dicom.site_dictionary import element_name
from gateway.dicom.tag_names import tag_name
from gateway.dicom.vrs import KNOWN, dictionary_vr

_CHARSET = 0x00080005
_PIXEL_REPRESENTATION = 0x00280103
_TEXT_OF_CHARSET = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_TEXT_OF_ASCII = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"})
TEXTS = _TEXT_OF_CHARSET | _TEXT_OF_ASCII
NUMBER_FORMATS = {
    "US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d",
    "AT": "HH",
}  # fmt: skip
# A private value that happens to be text is worth showing; more than this is somebody's bulk data.
_MAXIMUM_UNKNOWN_BYTES = 256
# Nobody nests deeper; hostile data sets do.
MAXIMUM_DEPTH = 32
# Elements up to here name the creators of the blocks (PS3.5 7.8.1).
_RESERVING = 0xFF


@dataclass(frozen=True, slots=True)
class Context:
    """What the meaning of an element depends on, and items inherit from the data set around."""

    encoding: str = "latin_1"
    signed_pixels: bool = False
    depth: int = 0
    also_named: bool = True


def tags(dataset: Dataset, *, also_named: bool = True) -> dict[str, Any]:
    """Keyword -> text; a sequence -> a list of such tables. Reads `dataset` up to Pixel Data.

    - Multiple values are joined by a backslash; an empty value is "", an absent one is missing.
    - Trailing spaces, and whatever follows a NUL, are padding and removed.
    - Binary values (OB, OD, OF, OL, OV, OW, and UN unless it is short plain text) are missing.
    - Private and unknown elements are named `gggg,eeee` in lower-case hex, and, if also_named, what
      Orthanc or the site calls them, but never by a keyword of PS3.6; group lengths are missing.
    - Floating-point values have 17 significant digits, attribute tags look like `0018,1063`.
    - Of overlays and curves (60xx, 50xx), which share their keywords, the last one is given.

    Never raises: a value that is not what its VR demands is given as the text it is; a sequence
    that cannot be parsed is empty.
    """
    return _table(dataset, Context(also_named=also_named))


def text_of(dataset: Dataset, tag: int) -> str | None:
    """One standard element as tags() shows it, None when it is absent; never raises.

    For elements of ASCII text and numbers: the character set is not looked at.
    """
    if tag not in dataset:
        return None
    # As it is encoded: else pydicom converts an empty one, and stumbles over a VR that it does not
    # know. (Its annotation forgets RawDataElement.)
    element: Any = dataset.get_item(tag, keep_deferred=True)
    if isinstance(element, RawDataElement):
        return _shown(element, dictionary_vr(tag, signed_pixels=False), Context())
    text = _converted(element.value, element.VR, Context())
    return text if isinstance(text, str) else None


def _table(dataset: Dataset, outer: Context) -> dict[str, Any]:
    context = context_of(dataset, outer)
    table: dict[str, Any] = {}
    for tag, element in dataset.items():
        if tag & 0xFFFF == 0:
            continue
        if isinstance(element, RawDataElement):
            value = _encoded(dataset, element, context)
        else:
            value = _converted(element.value, element.VR, context)
        if value is not None:
            table[tag_name(tag)] = value
            if context.also_named and (also := _other_name(dataset, tag)):
                table[also] = value
    return table


def _other_name(dataset: Dataset, tag: BaseTag) -> str:
    """What Orthanc or the site calls an element, "" when that is nothing of its own."""
    name = element_name(tag, creator_of(dataset, tag))
    return "" if name == UNKNOWN or name in keyword_dict else name


def context_of(dataset: Dataset, outer: Context) -> Context:
    """What holds inside of a data set, or an item, that is found in `outer`."""
    inner = replace(outer, depth=outer.depth + 1)
    charset = text_of(dataset, _CHARSET)
    if charset is not None:
        inner = replace(inner, encoding=encoding_of(charset))
    representation = text_of(dataset, _PIXEL_REPRESENTATION)
    if representation is not None:
        inner = replace(inner, signed_pixels=representation == "1")
    return inner


def creator_of(dataset: Dataset, tag: BaseTag) -> str:
    """Who has reserved the private block that an element is in, "" when it is in none."""
    return private_creator(dataset, tag) if tag.is_private and tag.element > _RESERVING else ""


# --- values as encoded ---------------------------------------------------------------------------


def _encoded(dataset: Dataset, element: RawDataElement, context: Context) -> Any:
    """Text, a list of tables, or None for what scripts do not see."""
    vr = vr_of(dataset, element, context)
    if vr == "SQ":
        return _tables(items_of(dataset, element.tag), context)
    return _shown(element, vr, context)


def _shown(element: RawDataElement, vr: str, context: Context) -> str | None:
    text = plain_text(element, vr, context)
    if text is None and element.value is not None and (vr == "UN" or vr in NUMBER_FORMATS):
        return _text_in_disguise(element.value)
    return text


def vr_of(dataset: Dataset, element: RawDataElement, context: Context) -> str:
    """The VR as it was said; that of the dictionaries when it was not, or was UN; else UN."""
    if element.VR in KNOWN and element.VR != "UN":
        return str(element.VR)
    if element.tag.is_private:
        return _private_vr(dataset, element.tag)
    return dictionary_vr(element.tag, signed_pixels=context.signed_pixels)


def plain_text(element: RawDataElement, vr: str, context: Context) -> str | None:
    """The value as text; None when its VR is binary, or it is not what its VR demands."""
    raw = element.value
    if raw is None:  # empty, or left in the file because it is long
        return "" if element.length == 0 else None
    if vr in _TEXT_OF_CHARSET:
        return _unpadded(decode(raw, context.encoding, person_name=vr == "PN"))
    if vr in _TEXT_OF_ASCII:
        return _unpadded(raw.decode("latin_1"))
    if vr in NUMBER_FORMATS:
        return _numbers(raw, vr, little_endian=element.is_little_endian)
    return None


def _numbers(raw: bytes, vr: str, *, little_endian: bool) -> str | None:
    form = ("<" if little_endian else ">") + NUMBER_FORMATS[vr]
    try:
        rows = list(struct.iter_unpack(form, raw))
    except struct.error:
        return None
    if vr == "AT":
        return "\\".join(f"{group:04x},{element:04x}" for group, element in rows)
    if vr in ("FL", "FD"):
        return "\\".join(f"{number:.17g}" for (number,) in rows)
    return "\\".join(str(number) for (number,) in rows)


def _text_in_disguise(raw: bytes) -> str | None:
    if len(raw) > _MAXIMUM_UNKNOWN_BYTES:
        return None
    text = raw.rstrip(b"\0 ").decode("latin_1")
    if raw and not text:
        return None  # zeros are a number, not padding
    return text if text.isascii() and text.isprintable() else None


def _unpadded(text: str) -> str:
    return text.partition("\0")[0].rstrip(" ")


def _private_vr(dataset: Dataset, tag: BaseTag) -> str:
    if tag.is_private_creator:
        return "LO"
    try:
        return private_dictionary_VR(tag, private_creator(dataset, tag))
    except KeyError:
        return "UN"


def private_creator(dataset: Dataset, tag: BaseTag) -> str:
    """Who reserved the block that a private element is in (PS3.5 7.8.1), "" when nobody did."""
    return text_of(dataset, tag.group << 16 | tag.element >> 8) or ""


def items_of(dataset: Dataset, tag: BaseTag) -> Sequence | list[Dataset]:
    """The items of a sequence as read from a file; none when it cannot be parsed."""
    try:
        sequence = dataset[tag].value
    # The bytes come from anywhere, and pydicom's parser answers them with any exception there is.
    except Exception:  # noqa: BLE001
        return []
    return sequence if isinstance(sequence, Sequence) else []


def _tables(sequence: Iterable[Dataset], context: Context) -> list[dict[str, Any]]:
    if context.depth >= MAXIMUM_DEPTH:
        return []
    return [_table(item, context) for item in sequence]


# --- values that pydicom has converted, or that were set in memory -------------------------------


def _converted(value: Any, vr: str, context: Context) -> Any:
    """As _encoded(), for Python values."""
    if isinstance(value, Sequence):
        return _tables(value, context)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _text_in_disguise(bytes(value)) if vr == "UN" else None
    return converted_text(value, vr, context)


def converted_text(value: Any, vr: str, context: Context) -> str:
    """The text of a Python value that is neither a sequence nor bytes."""
    if value is None:
        return ""
    if isinstance(value, PersonName) and isinstance(value.original_string, bytes):
        return _unpadded(decode(value.original_string, context.encoding, person_name=True))
    parts = value if isinstance(value, (MultiValue, list, tuple)) else [value]
    return "\\".join(_unpadded(_scalar(part, vr)) for part in parts)


def _scalar(value: Any, vr: str) -> str:
    if vr == "AT":
        return f"{int(value) >> 16:04x},{int(value) & 0xFFFF:04x}"
    if vr in ("FL", "FD"):
        return f"{float(value):.17g}"
    return str(value)
