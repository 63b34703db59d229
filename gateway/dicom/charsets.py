"""Text in the character sets of DICOM, decoded for people and scripts to read: it never fails.

Standard: PS3.5 6.1; PS3.3 C.12.1.1.2.
"""

import re
from functools import lru_cache

from pydicom.charset import CODES_TO_ENCODINGS, python_encoding

ESCAPE = b"\x1b"
# What Orthanc assumes too when a data set names no character set, as its DefaultEncoding.
_DEFAULT = "latin_1"
# These codecs of Python read the escape sequences themselves, and may hold a delimiter's byte
# inside a two-byte character.
_SELF_SWITCHING = ("iso2022_jp", "iso2022_jp_2")
_FRAGMENTS = re.compile(rb"\x1b[^\x1b]*|[^\x1b]+")
_DELIMITERS = re.compile(rb"[\\\r\n\f\t]")
_NAME_DELIMITERS = re.compile(rb"[\\\r\n\f\t^=]")
_DEFINED_TERM = re.compile(r"ISO.(2022)?.?IR.(\d+)")


@lru_cache(maxsize=256)
def encoding_of(specific_character_set: str) -> str:
    """The Python codec of the first value of Specific Character Set (values joined by "\\").

    Latin-1, which can decode any bytes, when it is empty or not a defined term.
    """
    term = specific_character_set.partition("\\")[0].strip().upper()
    if not term:
        return _DEFAULT
    # "ISO-IR 100" and "ISO_2022_IR_87" are seen in the wild.
    if written := _DEFINED_TERM.match(term):
        term = f"ISO 2022 IR {written[2]}" if written[1] else f"ISO_IR {written[2]}"
    return python_encoding.get(term, _DEFAULT)


def decode(value: bytes, encoding: str, *, person_name: bool = False) -> str:
    """Decode text; what cannot be decoded becomes U+FFFD.

    encoding: of encoding_of(); escape sequences switch away from it up to the next delimiter
    (PS3.5 6.1.2.5.3), of which person names have more.
    """
    if ESCAPE not in value:
        return value.decode(encoding, "replace")
    delimiters = _NAME_DELIMITERS if person_name else _DELIMITERS
    return "".join(
        _decode_fragment(fragment, encoding, delimiters) for fragment in _FRAGMENTS.findall(value)
    )


def _decode_fragment(fragment: bytes, first: str, delimiters: re.Pattern[bytes]) -> str:
    if not fragment.startswith(ESCAPE):
        return fragment.decode(first, "replace")
    length = 4 if fragment[1:3] in (b"$(", b"$)") else 3
    encoding = CODES_TO_ENCODINGS.get(fragment[:length])
    if encoding is None:
        return fragment.decode(first, "replace")
    if encoding in _SELF_SWITCHING:
        return fragment.decode(encoding, "replace")
    text = fragment[length:]
    reset = delimiters.search(text)
    end = reset.start() if reset else len(text)
    return text[:end].decode(encoding, "replace") + text[end:].decode(first, "replace")
