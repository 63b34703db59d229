"""One element of a data set at a time, as encoded: what is there, what is in it, its bytes."""

from collections.abc import Sequence
from typing import Any

from pydicom import Dataset
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.sequence import Sequence as Items

from gateway.dicom.encoding import swapped
from gateway.dicom.tag_names import parse_tag
from gateway.dicom.tags import Context, context_of, items_of, vr_of
from gateway.errors import NotFound

_MOST_DIGITS = 10


def names_of(dataset: Dataset) -> list[str]:
    """The elements of a data set, as paths write them: `0010-0020`."""
    return [name_of(tag) for tag in dataset.keys()]  # noqa: SIM118 - iterating yields converted elements


def name_of(tag: int) -> str:
    """A tag as paths write it."""
    return f"{tag >> 16:04x}-{tag & 0xFFFF:04x}"


def position(number: str, count: int) -> int | None:
    """The place that a number in a path names, of so many; None when there is no such place."""
    index = int(number) if len(number) <= _MOST_DIGITS and number.isdecimal() else count
    return index if index < count else None


def look_up(dataset: Dataset, path: Sequence[str]) -> list[str] | bytes:
    """What is at a path of tags and numbers of items, such as `0040-0275`, `0`, `0040-0007`.

    The names of elements in a data set or an item, the numbers of the items of a sequence, or the
    bytes of a value in Little Endian, with their padding. Raises NotFound, UnknownTag.
    """
    if not path:
        return names_of(dataset)
    tag = parse_tag(path[0])
    if tag not in dataset:
        raise NotFound(f"there is no {name_of(tag)}")
    items = _items(dataset, tag)
    if items is None:
        if len(path) > 1:
            raise NotFound(f"{name_of(tag)} is no sequence")
        return _value(dataset, tag)
    if len(path) == 1:
        return [str(number) for number in range(len(items))]
    return look_up(_item(items, path[1]), path[2:])


def _items(dataset: Dataset, tag: int) -> Sequence[Dataset] | None:
    """The items of a sequence; None for what is none."""
    element: Any = dataset.get_item(tag)  # pydicom's annotation forgets RawDataElement
    if isinstance(element, RawDataElement):
        vr = vr_of(dataset, element, context_of(dataset, Context()))
        return items_of(dataset, element.tag) if vr == "SQ" else None
    if isinstance(element, DataElement) and isinstance(element.value, Items):
        return element.value
    return None


def _item(items: Sequence[Dataset], number: str) -> Dataset:
    index = position(number, len(items))
    if index is None:
        raise NotFound(f"there is no item {number}")
    return items[index]


def _value(dataset: Dataset, tag: int) -> bytes:
    element: Any = dataset.get_item(tag)
    if not isinstance(element, RawDataElement):
        raise NotFound(f"{name_of(tag)} has no bytes")
    value = element.value or b""
    if element.is_little_endian:
        return value
    return swapped(element, vr_of(dataset, element, context_of(dataset, Context())), value)
