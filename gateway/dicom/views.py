"""A data set as JSON, in the three forms of Orthanc's REST interface.

Full:       {"0010,0010": {"Name": "PatientName", "Type": "String", "Value": "DOE^JOHN"}}
Short:      {"0010,0010": "DOE^JOHN"}
Simplified: {"PatientName": "DOE^JOHN"}

- A value is text, its parts joined by a backslash; a sequence is a list of items in the same form.
- Binary values (OB, OW, UN...) are null, and so are numbers that are absent: their type is "Null".
- So is a text of more than 256 bytes of UTF-8, unless it was asked for: its type is "TooLong".
- Trailing spaces, and whatever follows a NUL, are padding and removed.
- Elements of a private block, but not sequences, carry its creator's name in the full form.

These are the rules of Orthanc 1.10.1. Nothing raises: a value that is not what its VR demands is
null, a sequence that cannot be parsed is empty.
"""

from collections.abc import Iterable, Set
from enum import Enum
from pathlib import Path
from typing import Any

from pydicom import Dataset
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.sequence import Sequence

from gateway.dicom.part10 import read_to_pixels
from gateway.dicom.site_dictionary import element_name
from gateway.dicom.tags import (
    MAXIMUM_DEPTH,
    NUMBER_FORMATS,
    TEXTS,
    Context,
    context_of,
    converted_text,
    creator_of,
    items_of,
    plain_text,
    vr_of,
)

_LONGEST_VALUE_BYTES = 256


class View(Enum):
    """Which of the three forms."""

    FULL = "full"
    SHORT = "short"
    SIMPLIFIED = "simplified"


def view(
    dataset: Dataset, form: View = View.FULL, *, whole: Set[int] = frozenset()
) -> dict[str, Any]:
    """The data set in this form. whole: tags whose values are shown however long they are.

    Elements that have the same name in the simplified form replace each other: the last one stays.
    """
    return _View(form, whole).table(dataset, Context())


def file_view(
    path: Path, form: View = View.FULL, *, whole: Set[int] = frozenset()
) -> dict[str, Any]:
    """The data set of a DICOM file up to its pixels, which are null. Raises InstanceUnreadable."""
    dataset, pixels = read_to_pixels(path)
    content = view(dataset, form, whole=whole)
    if pixels is not None:
        content |= [element_view(form, pixels, None)]
    return content


def only(content: dict[str, Any], tags: Set[int]) -> dict[str, Any]:
    """Of a data set in the full form, the elements with these tags."""
    return {key: element for key, element in content.items() if _tag(key) in tags}


def reshaped(content: dict[str, Any], form: View) -> dict[str, Any]:
    """A data set in the full form, in another one."""
    if form is View.FULL:
        return content
    return {
        key if form is View.SHORT else element["Name"]: _reshaped(element["Value"], form)
        for key, element in content.items()
    }


def element_view(form: View, tag: int, value: Any) -> tuple[str, Any]:
    """Key and content of one public element, for what is known without a data set."""
    return _View(form, frozenset()).entry(tag, value, "")


class _View:
    """One walk over a data set and the items in it."""

    def __init__(self, form: View, whole: Set[int]) -> None:
        self._form = form
        self._whole = whole

    def table(self, dataset: Dataset, outer: Context) -> dict[str, Any]:
        context = context_of(dataset, outer)
        return dict(
            self.entry(tag, self._value(dataset, element, context), creator_of(dataset, tag))
            for tag, element in dataset.items()
        )

    def entry(self, tag: int, value: Any, creator: str) -> tuple[str, Any]:
        is_too_long = isinstance(value, str) and tag not in self._whole and is_long(value)
        shown = None if is_too_long else value
        if self._form is View.SIMPLIFIED:
            return element_name(tag, creator), shown
        key = f"{tag >> 16:04x},{tag & 0xFFFF:04x}"
        if self._form is View.SHORT:
            return key, shown
        kind = "TooLong" if is_too_long else _type(shown)
        full = {"Name": element_name(tag, creator), "Type": kind, "Value": shown}
        if creator and kind != "Sequence":
            full["PrivateCreator"] = creator
        return key, full

    def _value(
        self, dataset: Dataset, element: DataElement | RawDataElement, context: Context
    ) -> Any:
        if not isinstance(element, RawDataElement):
            return self._converted(element, context)
        vr = vr_of(dataset, element, context)
        if vr == "SQ":
            return self._tables(items_of(dataset, element.tag), context)
        if vr in NUMBER_FORMATS and not element.value:
            return None
        text = plain_text(element, vr, context)
        # A binary value that is empty is not an empty text.
        return text if text or vr in TEXTS else None

    def _converted(self, element: DataElement, context: Context) -> Any:
        value = element.value
        if isinstance(value, Sequence):
            return self._tables(value, context)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return None
        if value is None and element.VR not in TEXTS:
            return None
        return converted_text(value, element.VR, context)

    def _tables(self, items: Iterable[Dataset], context: Context) -> list[dict[str, Any]]:
        if context.depth >= MAXIMUM_DEPTH:
            return []
        return [self.table(item, context) for item in items]


def _tag(key: str) -> int:
    group, _, element = key.partition(",")
    return int(group, 16) << 16 | int(element, 16)


def _reshaped(value: Any, form: View) -> Any:
    return [reshaped(item, form) for item in value] if isinstance(value, list) else value


def _type(shown: Any) -> str:
    if shown is None:
        return "Null"
    return "Sequence" if isinstance(shown, list) else "String"


def is_long(text: str) -> bool:
    """It is left out unless it is asked for."""
    if text.isascii() or len(text) > _LONGEST_VALUE_BYTES:
        return len(text) > _LONGEST_VALUE_BYTES
    return len(text.encode("utf-8", "surrogatepass")) > _LONGEST_VALUE_BYTES
