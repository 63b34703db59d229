"""Overlays in unused bits of Pixel Data: taken out, before samples go where such bits cannot.

They become Overlay Data, which means the same. Standard: PS3.5 8.1.2 (retired); PS3.3 C.9.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from pydicom import Dataset

from gateway.codecs.image import Frame, Image
from gateway.dicom.tags import text_of
from gateway.errors import TranscodeUnsupported

_GROUPS = range(0x6000, 0x6020, 2)
_ROWS, _COLUMNS, _FRAMES, _FRAME_ORIGIN = 0x0010, 0x0011, 0x0015, 0x0051
_BITS_ALLOCATED, _BIT_POSITION, _DATA = 0x0100, 0x0102, 0x3000


@dataclass(frozen=True, slots=True)
class EmbeddedOverlay:
    """One overlay. group: 60xx of its elements. planes: of each frame so far, packed."""

    group: int
    bit: int
    planes: list[bytes] = field(default_factory=list)


def find(header: Dataset, image: Image) -> tuple[EmbeddedOverlay, ...]:
    """The overlays whose Overlay Bit Position points into the samples. TranscodeUnsupported."""
    found = []
    for group in _GROUPS:
        position = text_of(header, group << 16 | _BIT_POSITION)
        if position in (None, "", "0") or group << 16 | _DATA in header:
            continue
        size = tuple(text_of(header, group << 16 | element) for element in (_ROWS, _COLUMNS))
        is_unused = position.isdecimal() and image.high_bit < int(position) < image.bits_allocated
        if not is_unused or size != (str(image.rows), str(image.columns)):
            raise TranscodeUnsupported(
                f"the overlay of group {group:04X} does not lie in unused bits of the whole image"
            )
        found.append(EmbeddedOverlay(group, int(position)))
    return tuple(found)


def take_out(frame: Frame, overlays: Sequence[EmbeddedOverlay]) -> Frame:
    """Add a frame's overlay planes to those before; answer its samples without them."""
    words = frame.view(f"u{frame.itemsize}").copy()
    for overlay in overlays:
        mask = words.dtype.type(1 << overlay.bit)
        overlay.planes.append(np.packbits((words & mask) != 0, bitorder="little").tobytes())
        words &= ~mask
    return words.view(frame.dtype)


def put(header: Dataset, overlays: Sequence[EmbeddedOverlay], image: Image) -> None:
    """Write the planes into the data set, as Overlay Data of one bit each."""
    for overlay in overlays:
        base = overlay.group << 16
        header.add_new(base | _BITS_ALLOCATED, "US", 1)
        header.add_new(base | _BIT_POSITION, "US", 0)
        header.add_new(base | _DATA, "OW", _contiguous(overlay.planes, image))
        if image.frames > 1:
            header.add_new(base | _FRAMES, "IS", str(image.frames))
            header.add_new(base | _FRAME_ORIGIN, "US", 1)


def _contiguous(planes: Sequence[bytes], image: Image) -> bytes:
    """Bits of one frame follow those of the frame before at once, also within a byte."""
    pixels = image.rows * image.columns
    if pixels % 8 == 0:
        value = b"".join(planes)
    else:
        bits = [
            np.unpackbits(np.frombuffer(plane, "u1"), count=pixels, bitorder="little")
            for plane in planes
        ]
        value = np.packbits(np.concatenate(bits), bitorder="little").tobytes()
    return value + b"\0" * (len(value) % 2)
