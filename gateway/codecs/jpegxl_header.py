"""The first bits of a JPEG XL codestream: its size, depth and colours.

Standard: ISO/IEC 18181-1 A.3 (fields), D.2 (SizeHeader), D.3 (ImageMetadata), E.2; 18181-2 for the
boxes of the file format.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.errors import CodecFailed

_CODESTREAM = b"\xff\x0a"
_BOXES = b"\0\0\0\x0cJXL \r\n\x87\n"
SIGNATURES = (_CODESTREAM, _BOXES)

# U32 distributions: for each selector an offset and a number of bits.
_Distribution = tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]
_SIZE: _Distribution = ((1, 9), (1, 13), (1, 18), (1, 30))
_BITS: _Distribution = ((8, 0), (10, 0), (12, 0), (1, 6))
_EXTRA_CHANNELS: _Distribution = ((0, 0), (1, 0), (2, 4), (1, 12))
_ENUM: _Distribution = ((0, 0), (1, 0), (2, 4), (18, 6))
# Width over height, for the values 1 to 7 of the ratio.
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_GREY = 1
# What is read here takes less, as long as it describes what DICOM has.
_LONGEST_HEADER_BYTES = 64


@dataclass(frozen=True, slots=True)
class JpegXlHeader:
    """is_xyb: coded in XYB, which is never lossless. bits: of one sample."""

    rows: int
    columns: int
    bits: int
    samples: int
    is_xyb: bool


def read_size(data: bytes) -> tuple[int, int]:
    """Rows and columns of a codestream, whatever else it is. Raises CodecFailed (cut off)."""
    return _size(_Bits(_bare(data)))


def read(data: bytes) -> JpegXlHeader:
    """Read the header of a codestream, in boxes or bare.

    Raises CodecFailed: cut off, or what no DICOM image has (animation, alpha, floating point).
    """
    bits = _Bits(_bare(data))
    rows, columns = _size(bits)
    depth, samples, is_xyb = _metadata(bits)
    return JpegXlHeader(rows, columns, depth, samples, is_xyb)


class _Bits:
    """Reads fields, lowest bit first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data[2:_LONGEST_HEADER_BYTES], "little")
        self._left = 8 * len(data[2:_LONGEST_HEADER_BYTES])

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise CodecFailed("the codestream's header is cut off")
        taken = self._value & ((1 << count) - 1)
        self._value >>= count
        return taken

    def flag(self) -> bool:
        return self.take(1) == 1

    def u32(self, distribution: _Distribution) -> int:
        offset, count = distribution[self.take(2)]
        return offset + self.take(count)


def _bare(data: bytes) -> bytes:
    """The first bytes of the codestream, without boxes."""
    if data.startswith(_CODESTREAM):
        return data
    found = b""
    for kind, body in _boxes(data):
        # Decoders put parts together, so a header may end in another part than it began in.
        found += body[4:] if kind == b"jxlp" else body if kind == b"jxlc" else b""
        if len(found) > _LONGEST_HEADER_BYTES:
            break
    if not found.startswith(_CODESTREAM):
        raise CodecFailed("the boxes hold no JPEG XL codestream")
    return found


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of each box; the last may be cut off. Standard: ISO/IEC 14496-12 4.2."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = at + 8
        if size == 1:  # a size of 64 bits follows
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        end = at + size if size else len(data)
        if end < body:
            raise CodecFailed("a box is shorter than its header")
        yield kind, data[body:end]
        at = end


def _size(bits: _Bits) -> tuple[int, int]:
    is_small = bits.flag()

    def side() -> int:
        return (bits.take(5) + 1) * 8 if is_small else bits.u32(_SIZE)

    rows = side()
    ratio = bits.take(3)
    if ratio == 0:
        return rows, side()
    width, height = _RATIOS[ratio - 1]
    return rows, rows * width // height


def _metadata(bits: _Bits) -> tuple[int, int, bool]:
    """Bits per sample, samples per pixel, whether it is coded in XYB."""
    if bits.flag():  # all as by default
        return 8, 3, True
    if bits.flag():
        _extra_fields(bits)
    if bits.flag():
        raise CodecFailed("the codestream has floating-point samples")
    depth = bits.u32(_BITS)
    bits.flag()  # whether 16 bits are enough to decode it
    if bits.u32(_EXTRA_CHANNELS):
        raise CodecFailed("the codestream has more channels than colours")
    is_xyb = bits.flag()
    return depth, _colour_channels(bits), is_xyb


def _extra_fields(bits: _Bits) -> None:
    if bits.take(3):
        raise CodecFailed("the codestream asks to be turned or mirrored")
    if bits.flag():
        _size(bits)  # what it is meant to be shown at
    if bits.flag() or bits.flag():
        raise CodecFailed("the codestream has a preview or an animation")


def _colour_channels(bits: _Bits) -> int:
    if bits.flag():  # all as by default: sRGB
        return 3
    bits.flag()  # whether a profile follows
    return 1 if bits.u32(_ENUM) == _GREY else 3
