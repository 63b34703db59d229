"""Text in the character sets of DICOM, encoded: no character is ever lost.

Standard: PS3.5 6.1; PS3.3 C.12.1.1.2.
"""

import re
from contextlib import suppress

from pydicom import Dataset
from pydicom.charset import CODES_TO_ENCODINGS
from pydicom.tag import BaseTag

from gateway.dicom.charsets import decode, encoding_of
from gateway.dicom.tags import Context, text_of
from gateway.dicom.walking import edit_items, elements_of, put_value

UTF_8 = "ISO_IR 192"
SPECIFIC_CHARACTER_SET = BaseTag(0x00080005)
TEXT_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_LOST = "\N{REPLACEMENT CHARACTER}"
# Code extensions end at these (PS3.5 6.1.2.5.3): what is between them is encoded by itself.
_BETWEEN = re.compile(r"([\\\r\n\f\t]+)")
_BETWEEN_OF_NAME = re.compile(r"([\\\r\n\f\t^=]+)")
# What pydicom takes for ISO_IR 6, which is ASCII, to read more than was meant.
_DEFAULT_REPERTOIRE = "iso8859"
_JIS_X_0201 = "shift_jis"
# These codecs of Python write their escape sequences themselves, and return to ASCII.
_SELF_SWITCHING = ("iso2022_jp", "iso2022_jp_2")
_ESCAPE = re.compile(rb"\x1b(?:\$[()]?.|[(),\-./].)")
_ESCAPES = {codec: code for code, codec in CODES_TO_ENCODINGS.items()}
_TO_ASCII, _TO_JIS_X_0201 = b"\x1b(B", b"\x1b(J"


class DoesNotFit(ValueError):
    """A text has characters that the character set has not."""


def encoded(text: str, character_set: str, *, person_name: bool = False) -> bytes:
    """The text in a Specific Character Set, its values joined by "\\"; "" is ASCII.

    Raises DoesNotFit.
    """
    if text.isascii():
        return text.encode("ascii")
    codecs = _codecs(character_set)
    parts = (_BETWEEN_OF_NAME if person_name else _BETWEEN).split(text)
    result = b"".join(_encoded_part(part, codecs) for part in parts)
    # Not every codec of Python is that of DICOM to the last character: believe what reads back.
    if decode(result, encoding_of(character_set), person_name=person_name) != text:
        raise DoesNotFit
    return result


def _codecs(character_set: str) -> list[str]:
    """The Python codecs of all values. None, and an empty first one, stand for ASCII."""
    terms = [term.strip() for term in character_set.split("\\")]
    codecs = [encoding_of(term) if term else "ascii" for term in terms]
    return ["ascii" if codec == _DEFAULT_REPERTOIRE else codec for codec in codecs]


def _encoded_part(part: str, codecs: list[str]) -> bytes:
    """In the first of the character sets that has all of its characters (PS3.5 6.1.2.5)."""
    first, *others = codecs
    for codec in codecs:
        with suppress(UnicodeEncodeError):
            value = part.encode(codec)
            if codec == _JIS_X_0201 and len(value) != len(part):
                continue  # Python's codec has two-byte characters besides, DICOM's has not
            if codec == first:
                return value
            if codec in _SELF_SWITCHING:
                return _switched(value, first, others)
            if codec in _ESCAPES:
                return _ESCAPES[codec] + value
    raise DoesNotFit


def _switched(value: bytes, first: str, others: list[str]) -> bytes:
    """What a codec of Python has encoded with escape sequences, if DICOM has been told of them."""
    used = {CODES_TO_ENCODINGS.get(code) for code in _ESCAPE.findall(value)} - {_DEFAULT_REPERTOIRE}
    if not used <= set(others):
        raise DoesNotFit
    if first == _JIS_X_0201 and value.endswith(_TO_ASCII):
        return value.removesuffix(_TO_ASCII) + _TO_JIS_X_0201
    return value


def character_set_of(dataset: Dataset, outer: str = "") -> str:
    """What the data set says, or the one around it; "" when neither does."""
    said = text_of(dataset, SPECIFIC_CHARACTER_SET)
    return outer if said is None else said


def recode(dataset: Dataset, character_set: str) -> None:
    """Put all texts, those in items too, into another character set, and say so.

    Bytes that are no text in the old one are taken for Latin-1, so that they can be told apart.
    Raises DoesNotFit: then some texts are changed, and the data set is of no use any more.
    """
    _recode(dataset, character_set_of(dataset), character_set)
    declare(dataset, character_set)


def declare(dataset: Dataset, character_set: str) -> None:
    """Say that the texts are in this character set, without touching them."""
    put_value(dataset, SPECIFIC_CHARACTER_SET, "CS", character_set.encode("ascii"))


def _recode(dataset: Dataset, old: str, new: str) -> bool:
    def recode_item(_: int, item: Dataset) -> bool:
        changed = _recode(item, character_set_of(item, old), new)
        return item.pop(SPECIFIC_CHARACTER_SET, None) is not None or changed

    changed = False
    for tag, vr, value in elements_of(dataset, Context()):
        if vr == "SQ":
            changed |= edit_items(dataset, tag, recode_item)
        elif _is_foreign(vr, value):
            is_name = vr == "PN"
            text = _readable(value, old, person_name=is_name)
            put_value(dataset, tag, vr, encoded(text, new, person_name=is_name))
            changed = True
    return changed


def _readable(value: bytes, character_set: str, *, person_name: bool) -> str:
    text = decode(value, encoding_of(character_set), person_name=person_name)
    return value.decode("latin_1") if _LOST in text else text


def has_foreign_text(dataset: Dataset) -> bool:
    """True when a text, also in an item, is more than ASCII."""
    found: list[BaseTag] = []

    def look(_: int, within: Dataset) -> bool:
        for tag, vr, value in elements_of(within, Context()):
            if vr == "SQ":
                edit_items(within, tag, look)
            elif _is_foreign(vr, value):
                found.append(tag)
        return False

    look(0, dataset)
    return bool(found)


def _is_foreign(vr: str, value: bytes) -> bool:
    return vr in TEXT_VRS and (not value.isascii() or b"\x1b" in value)
