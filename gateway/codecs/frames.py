"""Find the frames of Pixel Data in a file, and read one at a time.

Memory grows with the number of fragments, never with the pixels. Standard: PS3.5 8.2, A.4.
"""

import struct
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from gateway.codecs.image import Image
from gateway.codecs.source import PixelElement, Source
from gateway.errors import CodecFailed

_ITEM = 0xFFFEE000
_SEQUENCE_DELIMITER = 0xFFFEE0DD


@dataclass(frozen=True, slots=True)
class Fragment:
    """One item of encapsulated Pixel Data; offset is where its value begins in the file."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Items:
    """Encapsulated Pixel Data: its basic offset table, its fragments, where the next element is."""

    offset_table: tuple[int, ...]
    fragments: tuple[Fragment, ...]
    end: int


def read_items(file: BinaryIO, offset: int) -> Items:
    """Walk over the items of encapsulated Pixel Data whose value begins at `offset`.

    Raises CodecFailed: the items do not follow each other up to the sequence delimiter.
    """
    size_bytes = file.seek(0, 2)
    fragments: list[Fragment] = []
    tag, length = _item_header(file, offset)
    while tag == _ITEM:
        fragments.append(Fragment(offset + 8, length))
        offset += 8 + length
        if offset > size_bytes:
            raise CodecFailed("encapsulated Pixel Data is cut off")
        tag, length = _item_header(file, offset)
    if tag != _SEQUENCE_DELIMITER:
        raise CodecFailed("encapsulated Pixel Data does not end in a sequence delimiter")
    if not fragments:
        raise CodecFailed("encapsulated Pixel Data has no basic offset table")
    table, *coded = fragments
    return Items(
        _offset_table(file, table), tuple(item for item in coded if item.length), offset + 8
    )


def _item_header(file: BinaryIO, offset: int) -> tuple[int, int]:
    """Tag and length of the item, or whatever it is, at `offset`."""
    file.seek(offset)
    head = file.read(8)
    if len(head) < 8:
        raise CodecFailed("encapsulated Pixel Data is cut off")
    group, element, length = struct.unpack("<HHI", head)
    return group << 16 | element, length


def _offset_table(file: BinaryIO, item: Fragment) -> tuple[int, ...]:
    if item.length % 4:
        return ()  # nonsense is as good as none: the fragments themselves say enough, or not
    file.seek(item.offset)
    return struct.unpack(f"<{item.length // 4}I", file.read(item.length))


Span = Sequence[Fragment]
"""The fragments of one frame, in order."""


def spans(items: Items, frames: int, begins_frame: Callable[[Fragment], bool]) -> list[Span]:
    """Which fragments make up which frame.

    begins_frame: whether a fragment starts with a codestream's first marker; asked only when
    numbers and the basic offset table do not decide. Raises CodecFailed when nothing does.
    """
    fragments = items.fragments
    if len(fragments) == frames:
        return [(fragment,) for fragment in fragments]
    if len(fragments) > frames:
        for starts in (_starts_by_table(items), _starts_by_marker(fragments, begins_frame)):
            if len(starts) == frames and starts[0] == 0:
                ends = [*starts[1:], len(fragments)]
                return [fragments[a:b] for a, b in zip(starts, ends, strict=True)]
    raise CodecFailed(f"{len(fragments)} fragments cannot be told apart into {frames} frames")


def _starts_by_table(items: Items) -> list[int]:
    """Indices of the fragments that the basic offset table points to; [] when it does not fit."""
    first = items.fragments[0].offset - 8
    index_of = {item.offset - 8 - first: index for index, item in enumerate(items.fragments)}
    starts = [index_of.get(offset, -1) for offset in items.offset_table]
    ascending = all(a < b for a, b in pairwise(starts))
    return starts if ascending and -1 not in starts else []


def _starts_by_marker(
    fragments: Sequence[Fragment], begins_frame: Callable[[Fragment], bool]
) -> list[int]:
    return [index for index, fragment in enumerate(fragments) if begins_frame(fragment)]


def read_span(file: BinaryIO, span: Span) -> bytes:
    """The codestream of one frame, with whatever padding the last fragment has."""
    return b"".join(read_fragment(file, fragment) for fragment in span)


def read_fragment(file: BinaryIO, fragment: Fragment, limit: int | None = None) -> bytes:
    """The first `limit` bytes of a fragment, or all."""
    file.seek(fragment.offset)
    return file.read(fragment.length if limit is None else min(limit, fragment.length))


def refuse_other_length(pixels: PixelElement, image: Image) -> None:
    """Raise CodecFailed when native Pixel Data is too short for its frames, or too long.

    Too long is what would hold another frame. For samples of whole bytes.
    """
    length = pixels.length or 0
    needed = image.frame_bytes * image.frames
    padding = length - needed
    if padding < 0 or padding >= max(2, image.frame_bytes):
        raise CodecFailed(f"Pixel Data has {length} bytes, {image.frames} frames need {needed}")


def read_native_frame(source: Source, pixels: PixelElement, image: Image, index: int) -> bytes:
    """A frame of native Pixel Data, 0-based, as Little Endian has it."""
    size = image.frame_bytes
    swapped = not source.syntax.is_little_endian
    return read_value(source.file, pixels, index * size, size, swapped=swapped)


def read_value(
    file: BinaryIO, pixels: PixelElement, start: int, length: int, *, swapped: bool
) -> bytes:
    """A part of native Pixel Data, as Little Endian has it.

    swapped: Pixel Data is Big Endian: the bytes of each 16-bit word change places (PS3.5 7.3),
    unless it is OB. `start` may be in the middle of a word, as frames of 8-bit samples may be.
    """
    skip = start % 2 if swapped and pixels.vr != "OB" else 0
    file.seek(pixels.offset + start - skip)
    if not swapped or pixels.vr == "OB":
        return file.read(length)
    words = array("H", file.read((skip + length + 1) & ~1))
    words.byteswap()
    return words.tobytes()[skip : skip + length]
