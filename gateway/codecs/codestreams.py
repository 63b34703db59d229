"""Read the header of a codestream, before any decoder sees it.

Decoders trust these headers: one of 100 bytes can claim 30000x30000 pixels, and some decoders then
crash or run for minutes. Standard: ITU-T T.81 B.2, T.87 C.2, T.800 A.5-A.6.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.codecs import jpegxl_header
from gateway.codecs.image import Image
from gateway.errors import CodecFailed

_SOC_SIZ = b"\xff\x4f\xff\x51"
_SOI = b"\xff\xd8"
_JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  "
# Frame headers of T.81 table B.1, and T.87's; C4, C8 and CC are other segments.
_SOF_SEQUENTIAL = frozenset({0xC0, 0xC1})  # by Huffman codes, as the next one
_SOF_LOSSLESS_HUFFMAN = 0xC3
_SOF_LOSSLESS = frozenset({_SOF_LOSSLESS_HUFFMAN, 0xC7, 0xCB, 0xCF})
_SOF_JPEG_LS = 0xF7
_SOF = frozenset({*range(0xC0, 0xD0), _SOF_JPEG_LS}) - {0xC4, 0xC8, 0xCC}
_SOS, _APP0 = 0xDA, 0xE0
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


@dataclass(frozen=True, slots=True)
class Codestream:
    """What a codestream says of itself.

    signed: two's complement samples (JPEG 2000 can say so). lossy: it cannot be reversible; a
    reversible one may still be truncated. colour: "RGB" or "YBR_FULL" when it says so, else "".
    """

    rows: int
    columns: int
    samples: int
    precision: int
    signed: bool
    lossy: bool
    colour: str = ""


def begins_codestream(head: bytes) -> bool:
    """True when the first bytes of a fragment are those of a JPEG family codestream."""
    return head.startswith((_SOC_SIZ, _SOI, _JP2_SIGNATURE, *jpegxl_header.SIGNATURES))


def inspect(data: bytes) -> Codestream:
    """Read the header of a JPEG, JPEG-LS, JPEG 2000 or JPEG XL codestream. Raises CodecFailed."""
    try:
        if data.startswith(_SOC_SIZ):
            return _jpeg2000(data)
        if data.startswith(_SOI):
            return _jpeg(data)
        if data.startswith(jpegxl_header.SIGNATURES):
            return _jpegxl(data)
    except (struct.error, IndexError) as exc:
        raise CodecFailed("the codestream's header is cut off") from exc
    raise CodecFailed("the codestream does not begin with a known marker")


def without_jp2_boxes(data: bytes) -> bytes:
    """The bare codestream of JPEG 2000 data, which DICOM demands (PS3.5 A.4.4), if it is JP2."""
    if not data.startswith(_JP2_SIGNATURE):
        return data
    start = data.find(_SOC_SIZ)
    return data[start:] if start > 0 else data


def mismatch(codestream: Codestream, image: Image) -> str:
    """Why this codestream cannot be a frame of this image; "" when it can."""
    coded = (codestream.rows, codestream.columns, codestream.samples)
    described = (image.rows, image.columns, image.samples)
    if coded != described:
        return "the codestream has {}x{} pixels of {} samples,".format(
            *coded
        ) + " the data set describes {}x{} of {}".format(*described)
    if codestream.precision > image.bits_allocated:
        return (
            f"the codestream has {codestream.precision} bits per sample,"
            f" the data set allocates {image.bits_allocated}"
        )
    if image.signed and not codestream.signed and codestream.precision < image.bits_stored:
        return (
            f"the codestream has {codestream.precision} bits per sample, too few to find the sign"
            f" of the {image.bits_stored} that the data set describes"
        )
    return ""


# --- JPEG and JPEG-LS ----------------------------------------------------------------------------


def _jpeg(data: bytes) -> Codestream:
    frame: tuple[int, bytes] | None = None
    is_jfif = False
    for marker, body in _segments(data):
        if marker in _SOF:
            frame = marker, body
        elif marker == _APP0 and body.startswith(b"JFIF"):
            is_jfif = True
        elif marker == _SOS:
            if frame is None:
                break
            found = _jpeg_frame(*frame, scan=body, is_jfif=is_jfif)
            _refuse_too_short(data, frame[0], found)
            return found
    raise CodecFailed("the codestream has no frame header before its first scan")


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and parameters of each segment up to the first scan."""
    at = 2
    while at < len(data):
        if data[at] != 0xFF:
            raise CodecFailed("the codestream's segments do not follow each other")
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        at += 2
        if marker in _WITHOUT_LENGTH:
            continue
        (length,) = struct.unpack_from(">H", data, at)
        yield marker, data[at + 2 : at + length]
        at += length


def _jpeg_frame(marker: int, body: bytes, *, scan: bytes, is_jfif: bool) -> Codestream:
    precision, rows, columns, samples = struct.unpack_from(">BHHB", body)
    component_ids = bytes(body[6 + 3 * index] for index in range(samples))
    colour = ""
    if component_ids in (b"RGB", b"rgb"):
        colour = "RGB"
    elif is_jfif and samples == 3:
        colour = "YBR_FULL"
    near = scan[1 + 2 * scan[0]]  # of JPEG-LS; the predictor of lossless JPEG
    lossy = near > 0 if marker == _SOF_JPEG_LS else marker not in _SOF_LOSSLESS
    return Codestream(rows, columns, samples, precision, signed=False, lossy=lossy, colour=colour)


def _refuse_too_short(data: bytes, marker: int, found: Codestream) -> None:
    """Decoders fill up what is missing. A sample, or a block's DC and its end, take a bit each."""
    bits = 0
    if marker == _SOF_LOSSLESS_HUFFMAN:
        bits = found.rows * found.columns
    elif marker in _SOF_SEQUENTIAL:
        bits = 2 * -(-found.rows // 8) * -(-found.columns // 8)
    if bits > 8 * len(data):
        raise CodecFailed(
            f"the codestream has {len(data)} bytes, which cannot hold the"
            f" {found.rows}x{found.columns} pixels that it claims"
        )


# --- JPEG 2000 -----------------------------------------------------------------------------------


def _jpeg2000(data: bytes) -> Codestream:
    right, bottom, left, top = struct.unpack_from(">4I", data, 8)
    tile_columns, tile_rows = struct.unpack_from(">2I", data, 24)
    (samples,) = struct.unpack_from(">H", data, 40)
    components = {data[42 + 3 * index : 45 + 3 * index] for index in range(samples)}
    if len(components) != 1:
        raise CodecFailed("the codestream's components differ in precision or size")
    depth, *subsampling = struct.unpack("3B", components.pop())
    if subsampling != [1, 1]:
        raise CodecFailed("the codestream's components are subsampled")
    if left >= right or top >= bottom or not tile_columns or not tile_rows:
        raise CodecFailed("the codestream describes an empty image")
    return Codestream(
        rows=bottom - top,
        columns=right - left,
        samples=samples,
        precision=(depth & 0x7F) + 1,
        signed=bool(depth & 0x80),
        lossy=_is_irreversible(data),
    )


def _is_irreversible(data: bytes) -> bool:
    """Whether the main header's COD names the 9-7 wavelet transformation (T.800 table A.20)."""
    at = 2
    while True:
        marker, length = struct.unpack_from(">HH", data, at)
        if marker == 0xFF52:
            return data[at + 13] == 0
        if marker == 0xFF90:
            raise CodecFailed("the codestream has no coding style before its first tile")
        at += 2 + length


# --- JPEG XL -------------------------------------------------------------------------------------


def _jpegxl(data: bytes) -> Codestream:
    header = jpegxl_header.read(data)
    return Codestream(
        rows=header.rows,
        columns=header.columns,
        samples=header.samples,
        precision=header.bits,
        signed=False,
        lossy=header.is_xyb,
    )
