"""Data sets from the bytes that they are encoded in."""

import struct
from io import BytesIO

from pydicom import Dataset, dcmread

LONG_LENGTH = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}


def element(tag: int, vr: str, value: bytes) -> bytes:
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    if vr in LONG_LENGTH:
        return head + struct.pack("<HI", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def item(content: bytes) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content


def read(*elements: bytes) -> Dataset:
    """A data set as it comes from a file, Explicit VR Little Endian."""
    meta = element(0x00020010, "UI", b"1.2.840.10008.1.2.1\0")
    group = element(0x00020000, "UL", struct.pack("<I", len(meta)))
    part10 = b"\0" * 128 + b"DICM" + group + meta + b"".join(elements)
    return dcmread(BytesIO(part10), stop_before_pixels=True)


def read_implicit(*elements: tuple[int, bytes]) -> Dataset:
    encoded = [struct.pack("<HHI", t >> 16, t & 0xFFFF, len(v)) + v for t, v in elements]
    return dcmread(BytesIO(b"".join(encoded)), force=True)
