"""A DICOM file with another header: what is changed is encoded anew, pixels are copied as they are.

Standard: PS3.10 7; PS3.5 A.4.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset
from pydicom.tag import BaseTag

from gateway.codecs.frames import read_items
from gateway.codecs.source import PIXEL_DATA, PixelElement, Source, opened
from gateway.dicom import part10
from gateway.dicom.encoding import UNDEFINED_LENGTH, element_header, encode
from gateway.dicom.modify import BadValue, Modification, modify
from gateway.dicom.tag_paths import TagPath
from gateway.dicom.tags import text_of
from gateway.errors import InstanceUnreadable

_PIXELS = TagPath((), BaseTag(PIXEL_DATA))
_SOP_CLASS_UID = 0x00080016
_SOP_INSTANCE_UID = 0x00080018
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A data set as it will be; chunks: its bytes, to be read once while the source is open."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    chunks: Iterator[bytes]

    def write_file(self, path: Path) -> None:
        """As a Part 10 file. Raises OSError."""
        with path.open("wb") as file:
            file.write(
                part10.header(self.sop_class_uid, self.sop_instance_uid, self.transfer_syntax_uid)
            )
            file.writelines(self.chunks)


@contextmanager
def rewritten(path: Path, wanted: Modification) -> Iterator[Rewritten]:
    """Modify the data set of a file in Little Endian that is not deflated.

    Raises BadValue, DoesNotFit, InstanceUnreadable, TranscodeError (what cannot be parsed).
    """
    with opened(path) as source:
        pixels = source.pixels
        pixels_end = _end_of(source, pixels) if pixels else source.size_bytes
        dataset = source.header
        if pixels_end < source.size_bytes:
            dataset.update(source.elements_from(pixels_end))
        modify(dataset, wanted)
        if not _keeps_pixels(wanted, pixels):
            pixels = None
        yield Rewritten(
            text_of(dataset, _SOP_CLASS_UID) or source.meta.sop_class_uid,
            _instance_uid(dataset),
            source.syntax.uid,
            _chunks(source, dataset, pixels, pixels_end),
        )


def _end_of(source: Source, pixels: PixelElement) -> int:
    """Where the element after Pixel Data begins."""
    return read_items(source.file, pixels.offset).end if pixels.length is None else pixels.end


def _keeps_pixels(wanted: Modification, pixels: PixelElement | None) -> bool:
    if _PIXELS in wanted.keep:
        return True
    if _PIXELS in wanted.replace and (pixels is None or pixels.length is None):
        raise BadValue(BaseTag(PIXEL_DATA), "only native Pixel Data can be replaced")
    return _PIXELS not in wanted.replace and _PIXELS not in wanted.remove


def _instance_uid(dataset: Dataset) -> str:
    uid = text_of(dataset, _SOP_INSTANCE_UID)
    if not uid or not uid.isascii():
        raise InstanceUnreadable("SOPInstanceUID is missing or empty")
    return uid


def _chunks(
    source: Source, dataset: Dataset, pixels: PixelElement | None, pixels_end: int
) -> Iterator[bytes]:
    implicit_vr = source.syntax.is_implicit_vr
    before, behind = Dataset(), Dataset()
    for tag in list(dataset.keys()):
        part = behind if tag > PIXEL_DATA else before
        part._dict[tag] = dataset._dict[tag]  # as it is: see walking.py
    yield encode(before, implicit_vr=implicit_vr)
    if pixels is not None:
        length = UNDEFINED_LENGTH if pixels.length is None else pixels.length
        yield element_header(PIXEL_DATA, pixels.vr, length, implicit_vr=implicit_vr)
        yield from _copied(source, pixels.offset, pixels_end)
    yield encode(behind, implicit_vr=implicit_vr)


def _copied(source: Source, start: int, end: int) -> Iterator[bytes]:
    source.file.seek(start)
    while start < end:
        chunk = source.file.read(min(_CHUNK_BYTES, end - start))
        if not chunk:
            raise InstanceUnreadable("Pixel Data is cut off")
        start += len(chunk)
        yield chunk
