"""Write Pixel Data to a file, one frame after the other, in constant memory.

Standard: PS3.5 8.2, A.2, A.4.
"""

import struct
from collections.abc import Iterable
from typing import BinaryIO

from gateway.codecs.source import PIXEL_DATA
from gateway.dicom.encoding import UNDEFINED_LENGTH, element_header

_ITEM = struct.Struct("<HHI")
# Offsets have 32 bits. Compressed frames are smaller than native ones, or larger by very little.
_LARGEST_WITH_OFFSETS = 1 << 31


def write_native(
    out: BinaryIO, vr: str, length: int, parts: Iterable[bytes], *, implicit_vr: bool
) -> None:
    """Native Pixel Data of `length` bytes, which `parts` add up to; padded to an even length."""
    padding = length % 2
    out.write(element_header(PIXEL_DATA, vr, length + padding, implicit_vr=implicit_vr))
    for part in parts:
        out.write(part)
    out.write(b"\0" * padding)


def write_encapsulated(
    out: BinaryIO, frames: int, native_bytes: int, codestreams: Iterable[bytes]
) -> None:
    """Encapsulated Pixel Data: one fragment per frame, as Explicit VR Little Endian.

    The basic offset table is filled in at the end: `out` must be seekable. It stays empty for a
    single frame, and when native_bytes, the size of all frames before, is near what offsets hold.
    """
    out.write(element_header(PIXEL_DATA, "OB", UNDEFINED_LENGTH, implicit_vr=False))
    has_offsets = frames > 1 and native_bytes < _LARGEST_WITH_OFFSETS
    table_bytes = 4 * frames if has_offsets else 0
    out.write(_ITEM.pack(0xFFFE, 0xE000, table_bytes))
    table_at = out.tell()
    out.write(b"\0" * table_bytes)
    first_item = out.tell()
    offsets = []
    for codestream in codestreams:
        offsets.append(out.tell() - first_item)
        padding = len(codestream) % 2
        out.write(_ITEM.pack(0xFFFE, 0xE000, len(codestream) + padding))
        out.write(codestream)
        out.write(b"\0" * padding)
    out.write(_ITEM.pack(0xFFFE, 0xE0DD, 0))
    if has_offsets:
        end = out.tell()
        out.seek(table_at)
        out.write(struct.pack(f"<{frames}I", *offsets))
        out.seek(end)
