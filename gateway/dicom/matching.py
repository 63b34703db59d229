"""Attribute matching: whether a value is what a query asks for.

A query's text is one of five things: empty (anything matches, also what is absent), a range of
dates or times (`20200101-20201231`, open without one of its ends), a list (`CT\\MR`), a pattern
with the wildcards * and ?, or a single value. Standard: PS3.4 C.2.2.2.
"""

from dataclasses import dataclass
from enum import Enum

from pydicom.tag import BaseTag

from gateway.dicom.main_tags import normalized
from gateway.dicom.tag_names import tag_name
from gateway.dicom.vrs import dictionary_vr
from gateway.errors import WildcardsRefused

_WITH_RANGES = frozenset({"DA", "DT", "TM"})
_WITH_WILDCARDS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_WILDCARDS = frozenset("*?")


class Matching(Enum):
    """What a query's text is."""

    UNIVERSAL = "universal"
    RANGE = "range"
    LIST = "list"
    WILDCARD = "wildcard"
    SINGLE = "single"


@dataclass(frozen=True, slots=True)
class Condition:
    """What a query asks of one attribute.

    values: the single value or pattern, those of the list, or both ends of the range, "" for an
    open one; as they are compared: in upper case unless case_sensitive.
    """

    tag: BaseTag
    matching: Matching
    values: tuple[str, ...]
    case_sensitive: bool

    @property
    def is_universal(self) -> bool:
        """It asks for nothing."""
        return self.matching is Matching.UNIVERSAL

    def matches(self, value: object) -> bool:
        """value: text, multiple values joined by a backslash; None and others are no match."""
        if self.is_universal:
            return True
        if not isinstance(value, str):
            return False
        whole = _comparable(value, case_sensitive=self.case_sensitive)
        # PS3.4 C.2.2.2.1: of multiple values, one has to match.
        return self._accepts(whole) or (
            "\\" in whole and any(self._accepts(part.strip()) for part in whole.split("\\"))
        )

    def _accepts(self, value: str) -> bool:
        if self.matching is Matching.RANGE:
            first, last = self.values
            return _is_within(first, last, value)
        if self.matching is Matching.WILDCARD:
            return looks_like(self.values[0], value)
        return value in self.values


def condition(tag: BaseTag, text: str, *, case_sensitive: bool = False) -> Condition:
    """What a query's text asks of an attribute. Raises WildcardsRefused: its VR has none."""
    vr = _vr(tag)
    matching, values = _read(vr, text)
    if matching is Matching.WILDCARD and vr not in _WITH_WILDCARDS:
        raise WildcardsRefused(tag_name(tag))
    comparable = tuple(_comparable(value, case_sensitive=case_sensitive) for value in values)
    return Condition(tag, matching, comparable, case_sensitive)


def _read(vr: str, text: str) -> tuple[Matching, list[str]]:
    if not text or (vr in _WITH_RANGES and text == "-"):
        return Matching.UNIVERSAL, []
    if vr in _WITH_RANGES and "-" in text:
        return Matching.RANGE, text.split("-", 1)
    if "\\" in text:
        return Matching.LIST, text.split("\\")
    if _WILDCARDS & set(text):
        return Matching.WILDCARD, [text]
    return Matching.SINGLE, [text]


def _vr(tag: BaseTag) -> str:
    if tag.is_private:
        return "LO" if tag.is_private_creator else "UN"
    return dictionary_vr(tag, signed_pixels=False)


def _comparable(value: str, *, case_sensitive: bool) -> str:
    return value.strip() if case_sensitive else normalized(value)


def _is_within(first: str, last: str, value: str) -> bool:
    # What is told less exactly ends with its last moment: 10 is until the end of that hour.
    return first <= value and (not last or value <= last or value.startswith(last))


def looks_like(pattern: str, text: str) -> bool:
    """* stands for any characters, ? for one.

    The time that it takes grows with the product of both lengths, whatever they are.
    """
    here = position = after_star = retry = 0
    while position < len(text):
        if pattern[here : here + 1] == "*":
            here += 1
            after_star, retry = here, position
        elif pattern[here : here + 1] in ("?", text[position]):
            here, position = here + 1, position + 1
        elif after_star:  # let the last star stand for one character more
            retry += 1
            here, position = after_star, retry
        else:
            return False
    return not pattern[here:].strip("*")
