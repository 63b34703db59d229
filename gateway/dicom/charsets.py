"""Text in the character sets of DICOM, decoded for people and scripts to read: it never fails.

Standard: PS3.5 6.1; PS3.3 C.12.1.1.2.
"""

import re
from collections.abc import Mapping
from functools import cache, lru_cache

ESCAPE = b"\x1b"
# What a data set that names no character set may be assumed to be in: Orthanc's words, and the
# codecs of Python.
ENCODINGS = {
    "Ascii": "ascii", "Utf8": "utf_8", "Latin1": "latin_1", "Latin2": "iso8859_2",
    "Latin3": "iso8859_3", "Latin4": "iso8859_4", "Latin5": "iso8859_9", "Cyrillic": "iso8859_5",
    "Windows1251": "cp1251", "Arabic": "iso8859_6", "Greek": "iso8859_7", "Hebrew": "iso8859_8",
    "Thai": "iso8859_11", "Japanese": "shift_jis", "Chinese": "gb18030",
    "JapaneseKanji": "iso2022_jp", "Korean": "euc_kr", "SimplifiedChinese": "gb2312",
}  # fmt: skip
# A property of the site, like its time zone: one for the process.
_default = "Latin1"
# These codecs of Python read the escape sequences themselves, and may hold a delimiter's byte
# inside a two-byte character.
_SELF_SWITCHING = ("iso2022_jp", "iso2022_jp_2")
_FRAGMENTS = re.compile(rb"\x1b[^\x1b]*|[^\x1b]+")
_DELIMITERS = re.compile(rb"[\\\r\n\f\t]")
_NAME_DELIMITERS = re.compile(rb"[\\\r\n\f\t^=]")
_DEFINED_TERM = re.compile(r"ISO.(2022)?.?IR.(\d+)")


def default_encoding() -> str:
    """The encoding of data sets that name none, one of ENCODINGS."""
    return _default


def set_default_encoding(name: str) -> None:
    """Assume another one from now on. Raises LookupError when it is none of ENCODINGS."""
    global _default
    known = {each.lower(): each for each in ENCODINGS}
    _default = known[name.lower()]
    encoding_of.cache_clear()


def default_codec() -> str:
    """The Python codec of default_encoding()."""
    return ENCODINGS[_default]


@lru_cache(maxsize=256)
def encoding_of(specific_character_set: str) -> str:
    """The Python codec of the first value of Specific Character Set (values joined by "\\").

    The default when it is empty; Latin-1, which can decode any bytes, when it is no defined term.
    """
    term = specific_character_set.partition("\\")[0].strip().upper()
    if not term:
        return default_codec()
    # "ISO-IR 100" and "ISO_2022_IR_87" are seen in the wild.
    if written := _DEFINED_TERM.match(term):
        term = f"ISO 2022 IR {written[2]}" if written[1] else f"ISO_IR {written[2]}"
    return _codecs_of_terms().get(term, "latin_1")


# pydicom's tables are not loaded above: whoever reads a configuration needs none of it, and it
# takes 0.3 s.
@cache
def _codecs_of_terms() -> Mapping[str, str]:
    from pydicom.charset import python_encoding

    # Latin-9 came with a supplement that pydicom does not know yet.
    return python_encoding | {"ISO_IR 203": "iso8859_15", "ISO 2022 IR 203": "iso8859_15"}


@cache
def _codecs_of_escapes() -> Mapping[bytes, str]:
    from pydicom.charset import CODES_TO_ENCODINGS

    return CODES_TO_ENCODINGS


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
    encoding = _codecs_of_escapes().get(fragment[:length])
    if encoding is None:
        return fragment.decode(first, "replace")
    if encoding in _SELF_SWITCHING:
        return fragment.decode(encoding, "replace")
    text = fragment[length:]
    reset = delimiters.search(text)
    end = reset.start() if reset else len(text)
    return text[:end].decode(encoding, "replace") + text[end:].decode(first, "replace")
