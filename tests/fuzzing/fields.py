"""Lies in the header fields of a codestream: what its decoder allocates and loops by.

Standard: ITU-T T.81 B.2, T.87 C.2, T.800 annex A, ISO/IEC 18181-2, PS3.5 annex G.
"""

import struct
from collections.abc import Callable
from random import Random

_NUMBERS_8 = (0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 127, 128, 254, 255)
_NUMBERS_16 = (0, 1, 2, 3, 8, 15, 16, 31, 33, 255, 256, 257, 4095, 4096, 32767, 32768, 65535)
_NUMBERS_32 = (0, 1, 2, 31, 32, 33, 255, 65535, 65536, 30000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_SMALL_SIZES = (1, 2, 7, 8, 9, 16, 17, 31, 33, 64, 100, 255, 1000, 2047)

# Marker -> (offset behind its two bytes, bytes) of each field.
_JPEG_FIELDS: dict[int, tuple[tuple[int, int], ...]] = {
    # SOF: length, precision, rows, columns, components; then id, sampling and table of three.
    **dict.fromkeys(
        (0xC0, 0xC1, 0xC2, 0xC3, 0xF7),
        ((0, 2), (2, 1), (3, 2), (3, 2), (5, 2), (5, 2), (7, 1), *((8 + at, 1) for at in range(9))),
    ),
    # SOS: length, components, and what the scan is of.
    0xDA: ((0, 2), (2, 1), *((3 + at, 1) for at in range(10))),
    0xC4: ((0, 2), *((2 + at, 1) for at in range(20))),
    0xDB: ((0, 2), *((2 + at, 1) for at in range(8))),
    0xDD: ((0, 2), (2, 2)),
    0xF8: ((0, 2), (2, 1), *((3 + 2 * at, 2) for at in range(5))),
}
_JPEG2000_FIELDS: dict[int, tuple[tuple[int, int], ...]] = {
    # SIZ: length, capabilities, size, offset, tile size, tile offset, components.
    0x51: ((0, 2), (2, 2), *((4 + 4 * at, 4) for at in range(8)), (36, 2),
           *((38 + at, 1) for at in range(9))),
    # COD: length, style, progression, layers, transformation, levels, code-blocks, wavelet.
    0x52: ((0, 2), (2, 1), (3, 1), (4, 2), *((6 + at, 1) for at in range(12))),
    0x5C: ((0, 2), *((2 + at, 1) for at in range(16))),
    0x50: ((0, 2), (2, 4), (6, 2)),
    # SOT: length, tile, length of the tile-part, its number, their number.
    0x90: ((0, 2), (2, 2), (4, 4), (4, 4), (8, 1), (9, 1)),
    0x55: ((0, 2), (2, 1), (3, 1), (4, 4), (8, 4)),
}  # fmt: skip
_SEGMENTS_TO_INSERT = {
    b"\xff\xd8": (0xC0, 0xC3, 0xC4, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD, 0xE0, 0xEE, 0xF7, 0xF8, 0xFE),
    b"\xff\x4f": (0x51, 0x52, 0x53, 0x55, 0x57, 0x58, 0x5C, 0x5D, 0x5E, 0x5F, 0x60, 0x61, 0x63,
                  0x64, 0x90, 0x91, 0x93),
}  # fmt: skip
# Oversize dimensions of T.87 C.2.4.1.4, and coding parameters out of all proportion.
_JPEG_LS_SEGMENTS = (
    b"\xff\xf8\x00\x08\x04\x02\x75\x30\x75\x30",
    b"\xff\xf8\x00\x0c\x04\x04\x00\x00\x75\x30\x00\x00\x75\x30",
    b"\xff\xf8\x00\x0d\x01\xff\xff\x00\x01\x00\x02\x00\x03\x00\x01",
    b"\xff\xf8\x00\x0d\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01",
    b"\xff\xf8\x00\x06\x02\x01\x02\x00",
)


def lie(data: bytes, random: Random) -> bytes:
    """Change one field of a codestream's header, or add, double or drop one of its segments."""
    if data.startswith(b"\xff\xd8"):
        return _lie_in_segments(data, random, _JPEG_FIELDS, start=2)
    if data.startswith(b"\xff\x4f"):
        return _lie_in_segments(data, random, _JPEG2000_FIELDS, start=2)
    if data.startswith(b"\0\0\0\x0c"):
        return _lie_in_boxes(data, random)
    if data.startswith(b"\xff\x0a"):
        return _flip(data, random, 2, 18)
    return _lie_in_runs(data, random)


def _lie_in_segments(
    data: bytes, random: Random, table: dict[int, tuple[tuple[int, int], ...]], start: int
) -> bytes:
    segments = _segments(data, start)
    if not segments or random.random() < 0.15:
        return _insert_segment(data, random, [at for at, _, _ in segments] or [start])
    at, marker, length = random.choice(segments)
    if random.random() < 0.15:
        segment = data[at : at + 2 + length]
        return data[:at] + segment * random.choice((0, 2, 2, 40)) + data[at + 2 + length :]
    fields = table.get(marker, ((0, 2),))
    offset, size = random.choice(fields)
    return _put(data, at + 2 + offset, size, random)


def _segments(data: bytes, start: int) -> list[tuple[int, int, int]]:
    """Offset, marker and length of each segment, up to the first coded data."""
    found = []
    at = start
    while at + 4 <= len(data) and data[at] == 0xFF:
        (length,) = struct.unpack_from(">H", data, at + 2)
        found.append((at, data[at + 1], length))
        if data[at + 1] in (0xDA, 0x93):
            break
        at += 2 + length
    return found


def _insert_segment(data: bytes, random: Random, places: list[int]) -> bytes:
    at = random.choice(places)
    if b"\xff\xf7" in data[:64] and random.random() < 0.5:
        segment = random.choice(_JPEG_LS_SEGMENTS)
    else:
        body = random.randbytes(random.choice((0, 1, 4, 17, 36, 60)))
        marker = random.choice(_SEGMENTS_TO_INSERT[data[:2]])
        segment = bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body
    return data[:at] + segment + data[at:]


def _lie_in_boxes(data: bytes, random: Random) -> bytes:
    """Of JPEG XL and JP2: lengths, kinds, and the first bytes of what is in them."""
    boxes = []
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        boxes.append(at)
        if size < 8:
            break
        at += size
    if not boxes:
        return data
    at = random.choice(boxes)
    how = random.random()
    if how < 0.3:
        return _put(data, at, 4, random)
    if how < 0.4:
        kind = random.choice((b"jxlc", b"jxlp", b"jbrd", b"brob", b"jp2c", b"jp2h", b"Exif"))
        return data[: at + 4] + kind + data[at + 8 :]
    if how < 0.5:
        end = at + max(8, int.from_bytes(data[at : at + 4], "big"))
        return data[:at] + data[at:end] * random.choice((0, 2, 3)) + data[end:]
    return _flip(data, random, at + 8, at + 40)


def _lie_in_runs(data: bytes, random: Random) -> bytes:
    """In the number of RLE segments, where one begins, or how long a run is."""
    if random.random() < 0.6 or len(data) <= 64:
        at = 4 * random.choice((0, 0, 1, 1, 2, 3, 4, 15))
        numbers = (*range(18), 63, 65, len(data), max(1, len(data)) - 1, *_NUMBERS_32)
        return data[:at] + struct.pack("<I", random.choice(numbers)) + data[at + 4 :]
    at = random.randrange(64, len(data))
    return data[:at] + random.choice((b"\x80", b"\x81", b"\x7f", b"\xff")) + data[at + 1 :]


def _put(data: bytes, at: int, size: int, random: Random) -> bytes:
    choices: Callable[[], int] = {
        1: lambda: random.choice(_NUMBERS_8),
        2: lambda: random.choice(random.choice((_NUMBERS_16, _SMALL_SIZES))),
        4: lambda: random.choice(random.choice((_NUMBERS_32, _SMALL_SIZES))),
    }[size]
    how = random.random()
    number = choices()
    if how < 0.3:
        old = int.from_bytes(data[at : at + size], "big")
        number = (old + random.choice((-2, -1, 1, 2))) % (1 << 8 * size)
    elif how < 0.4:
        number = random.getrandbits(8 * size)
    return data[:at] + number.to_bytes(size, "big") + data[at + size :]


def _flip(data: bytes, random: Random, start: int, end: int) -> bytes:
    """Change one to four bits of data[start:end]."""
    flipped = bytearray(data)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(start, max(start + 1, min(end, len(data))))
        if at < len(flipped):
            flipped[at] ^= 1 << random.randrange(8)
    return bytes(flipped)
