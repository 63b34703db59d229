"""The frames of a file as they are stored: found, read, never decoded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset

from gateway.codecs.codestreams import begins_codestream
from gateway.codecs.frames import (
    Fragment,
    read_fragment,
    read_items,
    read_native_frame,
    read_span,
    spans,
)
from gateway.codecs.image import describe
from gateway.codecs.source import Source, opened
from gateway.errors import TranscodeUnsupported

_MARKER_BYTES = 16
_ITEM_HEADER_BYTES = 8


@dataclass(frozen=True, slots=True)
class StoredFrames:
    """The frames of one open file. read: a frame by its number, 0-based; raises CodecFailed.

    A frame of native pixels is in Little Endian; any other is its codestream, with its padding.
    """

    count: int
    syntax_uid: str
    read: Callable[[int], bytes]


@contextmanager
def stored_frames(path: Path) -> Iterator[StoredFrames | None]:
    """Open a file that is not deflated; None when it has no frames.

    Raises CodecFailed, TranscodeUnsupported.
    """
    with opened(path) as source:
        if source.pixels is None:
            yield None
        else:
            image = describe(source.header)
            yield StoredFrames(image.frames, source.syntax.uid, _reader(source))


def stored_pieces(path: Path) -> list[Fragment]:
    """Where Pixel Data is in a file that is not deflated; [] when there is none.

    Native Pixel Data is one piece; encapsulated is its offset table and its fragments. Raises
    CodecFailed, TranscodeUnsupported.
    """
    with opened(path) as source:
        pixels = source.pixels
        if pixels is None:
            return []
        if pixels.length is not None:
            return [Fragment(pixels.offset, pixels.length)]
        items = read_items(source.file, pixels.offset)
        table = Fragment(pixels.offset + _ITEM_HEADER_BYTES, 4 * len(items.offset_table))
        return [table, *items.fragments]


def elements_behind_pixels(path: Path) -> Dataset:
    """What follows Pixel Data in a file that is not deflated, as encoded; nothing without pixels.

    Raises CodecFailed, TranscodeUnsupported.
    """
    with opened(path) as source:
        pixels = source.pixels
        if pixels is None:
            return Dataset()
        is_native = pixels.length is not None
        end = pixels.end if is_native else read_items(source.file, pixels.offset).end
        return source.elements_from(end)


def _reader(source: Source) -> Callable[[int], bytes]:
    assert source.pixels is not None
    pixels, image = source.pixels, describe(source.header)
    if pixels.length is None:
        items = read_items(source.file, pixels.offset)
        found = spans(items, image.frames, lambda fragment: _begins_frame(source, fragment))
        return lambda index: read_span(source.file, found[index])
    if image.frames > 1 and image.frame_samples * image.bits_allocated % 8:
        raise TranscodeUnsupported("frames do not begin with whole bytes")
    return lambda index: read_native_frame(source, pixels, image, index)


def _begins_frame(source: Source, fragment: Fragment) -> bool:
    return begins_codestream(read_fragment(source.file, fragment, _MARKER_BYTES))
