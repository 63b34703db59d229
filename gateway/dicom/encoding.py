"""Encode a data set anew, in Little Endian, without touching what its values say.

pydicom's own writer converts values on the way, and stumbles over or corrects bad ones. A gateway
hands on what it was given: here a value's bytes are copied, and at most change their order.
Standard: PS3.5 section 7 and Annex A.
"""

import struct
from array import array
from collections.abc import Sequence as Items
from dataclasses import dataclass, replace
from typing import Any, cast

from pydicom import DataElement, Dataset
from pydicom.charset import default_encoding
from pydicom.dataelem import RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.sequence import Sequence

from gateway.dicom.tags import text_of
from gateway.dicom.vrs import KNOWN, LONG_LENGTH, SPACE_PADDED, WORD_BYTES, dictionary_vr
from gateway.errors import InstanceUnreadable

UNDEFINED_LENGTH = 0xFFFFFFFF
_PIXEL_REPRESENTATION = 0x00280103
_LONGEST_SHORT_VALUE = 0xFFFE
_ARRAY_CODES = {2: "H", 4: "I", 8: "Q"}


def encode(dataset: Dataset, *, implicit_vr: bool, signed_pixels: bool = False) -> bytes:
    """The elements of a data set as read by pydicom, in Little Endian, sorted by tag.

    Group lengths are dropped. Private elements whose VR was not said become UN (PS3.5 6.2.2).
    signed_pixels: what "US or SS" means where the data set has no Pixel Representation.
    Raises InstanceUnreadable (a value is cut off; a sequence cannot be parsed; Pixel Data in an
    item is encapsulated, which only its own transfer syntax allows).
    """
    return _Encoder(implicit_vr, signed_pixels).data_set(dataset)


def element_header(tag: int, vr: str, length: int, *, implicit_vr: bool) -> bytes:
    """Tag, VR and length of one element. Standard: PS3.5 7.1."""
    group, element = tag >> 16, tag & 0xFFFF
    if implicit_vr:
        return struct.pack("<HHI", group, element, length)
    if vr in LONG_LENGTH:
        return struct.pack("<HH2sHI", group, element, vr.encode("ascii"), 0, length)
    return struct.pack("<HH2sH", group, element, vr.encode("ascii"), length)


@dataclass(frozen=True, slots=True)
class _Encoder:
    """Encodes one data set; items inherit what theirs do not say."""

    implicit_vr: bool
    signed_pixels: bool
    character_set: Any = default_encoding

    def data_set(self, dataset: Dataset) -> bytes:
        inner = self._within(dataset)
        elements = sorted(dataset.items(), key=lambda pair: int(pair[0]))
        return b"".join(
            inner._element(dataset, element) for tag, element in elements if tag & 0xFFFF != 0
        )

    def _within(self, dataset: Dataset) -> "_Encoder":
        representation = text_of(dataset, _PIXEL_REPRESENTATION)
        signed = self.signed_pixels if representation is None else representation == "1"
        return replace(self, signed_pixels=signed)

    def _element(self, dataset: Dataset, element: DataElement | RawDataElement) -> bytes:
        if isinstance(element, RawDataElement):
            return self._raw(dataset, element)
        if isinstance(element.value, Sequence):
            return self._with_header(element.tag, "SQ", self._items(dataset, element.value))
        return self._converted(dataset, element)

    def _raw(self, dataset: Dataset, element: RawDataElement) -> bytes:
        if element.length == UNDEFINED_LENGTH:
            raise InstanceUnreadable(f"{element.tag} has an undefined length and is no sequence")
        value = element.value or b""
        if len(value) != element.length:
            raise InstanceUnreadable(f"{element.tag} is cut off")
        vr = self._vr(element)
        if vr == "SQ":
            return self._with_header(element.tag, vr, self._sequence(dataset, element, value))
        if not element.is_little_endian:
            value = swapped(element, vr, value)
        return self._with_header(element.tag, vr, value)

    def _vr(self, element: RawDataElement) -> str:
        if element.VR is not None:
            return element.VR if element.VR in KNOWN else "UN"
        if element.tag.is_private:
            return "LO" if element.tag.is_private_creator else "UN"
        return dictionary_vr(element.tag, signed_pixels=self.signed_pixels)

    def _sequence(self, dataset: Dataset, element: RawDataElement, value: bytes) -> bytes:
        without_vr = element.is_implicit_VR or element.VR is None
        if element.is_little_endian and without_vr == self.implicit_vr:
            return value  # encoded as it has to be already
        try:
            items = dataset[element.tag].value
        except Exception as exc:
            raise InstanceUnreadable(f"sequence {element.tag} cannot be parsed: {exc}") from exc
        return self._items(dataset, cast("Items[Dataset]", items))

    def _items(self, dataset: Dataset, items: Items[Dataset]) -> bytes:
        inside = replace(self, character_set=self._character_set(dataset))
        encoded = [inside.data_set(item) for item in items]
        return b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item for item in encoded)

    def _converted(self, dataset: Dataset, element: DataElement) -> bytes:
        """An element that pydicom has converted already, or that was set in memory."""
        buffer = DicomBytesIO()
        buffer.is_implicit_VR = self.implicit_vr
        buffer.is_little_endian = True
        write_data_element(buffer, element, self._character_set(dataset))
        return buffer.getvalue()

    def _character_set(self, dataset: Dataset) -> Any:
        return dataset.get("SpecificCharacterSet", self.character_set)

    def _with_header(self, tag: Any, vr: str, value: bytes) -> bytes:
        if len(value) % 2:
            value += b" " if vr in SPACE_PADDED else b"\0"
        if vr not in LONG_LENGTH and len(value) > _LONGEST_SHORT_VALUE:
            vr = "UN"  # PS3.5 6.2.2, note on values that only Implicit VR can hold
        return element_header(int(tag), vr, len(value), implicit_vr=self.implicit_vr) + value


def swapped(element: RawDataElement, vr: str, value: bytes) -> bytes:
    word_bytes = WORD_BYTES.get(vr)
    if word_bytes is None:
        return value
    if len(value) % word_bytes:
        raise InstanceUnreadable(f"{element.tag} does not hold whole numbers of its VR {vr}")
    words = array(_ARRAY_CODES[word_bytes], value)
    words.byteswap()
    return words.tobytes()
