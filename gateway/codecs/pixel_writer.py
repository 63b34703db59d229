"""Write Pixel Data to a file, one piece after the other, in constant memory.

Standard: PS3.5 8.2, A.2, A.4.
"""

import struct
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import BinaryIO

from gateway.codecs.source import PIXEL_DATA
from gateway.dicom.encoding import UNDEFINED_LENGTH, element_header

_ITEM = struct.Struct("<HHI")
_LARGEST_OFFSET = 0xFFFFFFFF


def write_native(
    out: BinaryIO, vr: str, length: int, parts: Iterable[bytes], *, implicit_vr: bool
) -> None:
    """Native Pixel Data of `length` bytes, which `parts` add up to; padded to an even length."""
    padding = length % 2
    out.write(element_header(PIXEL_DATA, vr, length + padding, implicit_vr=implicit_vr))
    for part in parts:
        out.write(part)
    out.write(b"\0" * padding)


def write_encapsulated(out: BinaryIO, lengths: Sequence[int], codestreams: Iterable[bytes]) -> None:
    """Encapsulated Pixel Data of codestreams of these lengths: one fragment per frame.

    As Explicit VR Little Endian. There is a basic offset table when there are several frames, and
    the offsets fit into it.
    """
    table = b""
    if has_basic_offset_table(lengths):
        table = struct.pack(f"<{len(lengths)}I", *frame_offsets(lengths))
    out.write(element_header(PIXEL_DATA, "OB", UNDEFINED_LENGTH, implicit_vr=False))
    out.write(_ITEM.pack(0xFFFE, 0xE000, len(table)))
    out.write(table)
    for codestream in codestreams:
        padding = len(codestream) % 2
        out.write(_ITEM.pack(0xFFFE, 0xE000, len(codestream) + padding))
        out.write(codestream)
        out.write(b"\0" * padding)
    out.write(_ITEM.pack(0xFFFE, 0xE0DD, 0))


def has_basic_offset_table(lengths: Sequence[int]) -> bool:
    """Whether there are several frames, near enough to the first one for offsets of 32 bits."""
    return len(lengths) > 1 and frame_offsets(lengths)[-1] <= _LARGEST_OFFSET


def frame_offsets(lengths: Sequence[int]) -> list[int]:
    """Where each frame's item begins, counted from the first item's first byte (PS3.5 A.4)."""
    sizes = (_ITEM.size + length + length % 2 for length in lengths[:-1])
    return list(accumulate(sizes, initial=0))


def write_relabelled(out: BinaryIO, parts: Iterable[bytes]) -> None:
    """Encapsulated Pixel Data whose items and delimiter are in `parts`, as they are."""
    out.write(element_header(PIXEL_DATA, "OB", UNDEFINED_LENGTH, implicit_vr=False))
    for part in parts:
        out.write(part)
