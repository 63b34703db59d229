"""Going through a data set and its sequences, and changing no more of it than has to be.

What pydicom has parsed is encoded anew when it is written. A sequence in which nothing was changed
is therefore put back as it was encoded.
"""

from collections.abc import Callable, Iterator
from typing import Any

from pydicom import DataElement, Dataset
from pydicom.dataelem import RawDataElement
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from gateway.dicom.tags import Context, items_of, vr_of

Edit = Callable[[int, Dataset], bool]
"""Changes an item, given with its number from 0; True when it did."""


def elements_of(dataset: Dataset, context: Context) -> Iterator[tuple[BaseTag, str, bytes]]:
    """Tag, VR and encoded value of each element, for now; the value of a sequence is empty.

    Elements may be changed and removed meanwhile.
    """
    for tag in list(dataset.keys()):
        element: Any = dataset.get_item(tag)  # pydicom's annotation forgets RawDataElement
        if isinstance(element, RawDataElement):
            vr = vr_of(dataset, element, context)
            yield tag, vr, b"" if vr == "SQ" else element.value or b""
        elif element.VR == "SQ":  # it was parsed, or made
            yield tag, "SQ", b""


def edit_items(dataset: Dataset, tag: BaseTag, edit: Edit) -> bool:
    """Have all items of a sequence edited. True when one was changed."""
    before = dataset.get_item(tag)
    changed = [edit(number, item) for number, item in enumerate(items_of(dataset, tag))]
    if any(changed):
        return True
    if before is not None:
        _put(dataset, before)
    return False


def put_value(dataset: Dataset, tag: BaseTag, vr: str, value: bytes) -> None:
    """Set an element to a value in Little Endian; its padding is added when it is written."""
    _put(dataset, RawDataElement(tag, vr, len(value), value, 0, False, True))


def put_items(dataset: Dataset, tag: BaseTag, items: list[Dataset]) -> None:
    """Set an element to a sequence of these items."""
    _put(dataset, DataElement(tag, "SQ", Sequence(items)))


def _put(dataset: Dataset, element: DataElement | RawDataElement) -> None:
    # By the usual way pydicom would convert the values of private elements, in the character set
    # that the data set had when it was read.
    dataset._dict[BaseTag(element.tag)] = element
