"""How people write a tag: as a keyword, or as its group and element in hexadecimal digits."""

import re
from functools import lru_cache

from pydicom.datadict import keyword_for_tag, tag_for_keyword
from pydicom.tag import BaseTag

from gateway.errors import UnknownTag

_SEPARATED = re.compile(r"([0-9A-Fa-f]{1,4})[,-]([0-9A-Fa-f]{1,4})")
_JOINED = re.compile(r"[0-9A-Fa-f]{8}")
# DCMTK, and with it Orthanc, puts this before the names of attributes that PS3.6 has retired.
_RETIRED = "RETIRED_"


@lru_cache(maxsize=8192)
def parse_tag(text: str) -> BaseTag:
    """The tag that `PatientID`, `0010,0020`, `0010-0020` or `00100020` names; private ones too.

    Keywords are those of PS3.6, in their own spelling. Raises UnknownTag.
    """
    if separated := _SEPARATED.fullmatch(text):
        return BaseTag(int(separated[1], 16) << 16 | int(separated[2], 16))
    if _JOINED.fullmatch(text):
        return BaseTag(int(text, 16))
    tag = tag_for_keyword(text.removeprefix(_RETIRED))
    if not text or tag is None:
        raise UnknownTag(text)
    return BaseTag(tag)


@lru_cache(maxsize=8192)
def tag_name(tag: BaseTag) -> str:
    """The keyword of a tag, `gggg,eeee` in lower-case digits for one that PS3.6 does not know."""
    return keyword_for_tag(tag) or f"{tag.group:04x},{tag.element:04x}"
