"""The size that a JPEG XL codestream claims, as libjxl would take it."""

import struct

import imagecodecs
import numpy as np
import pytest
from codec_support import noise

from gateway.codecs import jpegxl_header
from gateway.errors import CodecFailed

SIGNATURE = struct.pack(">I4s4s", 12, b"JXL ", b"\r\n\x87\n")


def coded(frame: np.ndarray, **options: object) -> bytes:
    return bytes(imagecodecs.jpegxl_encode(frame, lossless=True, usecontainer=False, **options))


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def in_parts(codestream: bytes, *lengths: int) -> bytes:
    """In the boxes of the file format, the first parts of these lengths."""
    file = SIGNATURE + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    for number, length in enumerate(lengths):
        file += box(b"jxlp", struct.pack(">I", number) + codestream[:length])
        codestream = codestream[length:]
    return file + box(b"jxlp", struct.pack(">I", len(lengths) | 0x80000000) + codestream)


@pytest.mark.parametrize("shape", [(8, 8), (16, 24), (33, 17), (257, 300), (8200, 8), (1, 600)])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_size_and_depth_of_grey(shape, dtype):
    found = jpegxl_header.read(coded(np.zeros(shape, dtype)))
    assert (found.rows, found.columns, found.samples) == (*shape, 1)
    assert (found.bits, found.is_xyb) == (np.dtype(dtype).itemsize * 8, False)


def test_lossy_colours_are_coded_in_xyb():
    data = bytes(imagecodecs.jpegxl_encode(noise((32, 16, 3), "u1"), level=80))
    found = jpegxl_header.read(data)
    assert (found.rows, found.columns, found.samples, found.is_xyb) == (32, 16, 3, True)


@pytest.mark.parametrize("lengths", [(), (2,), (3,), (3, 1, 1), (100,)])
def test_a_header_that_is_parted_between_boxes_is_put_together(lengths):
    frame = noise((70, 90), "u1")
    data = in_parts(coded(frame), *lengths)
    np.testing.assert_array_equal(imagecodecs.jpegxl_decode(data), frame)  # as libjxl reads it
    assert jpegxl_header.read_size(data) == frame.shape
    assert jpegxl_header.read(data).bits == 8


def test_the_box_of_the_length_zero_reaches_to_the_end():
    frame = noise((70, 90), "u1")
    data = SIGNATURE + box(b"ftyp", b"jxl \0\0\0\0jxl ") + struct.pack(">I4s", 0, b"jxlc")
    assert jpegxl_header.read_size(data + coded(frame)) == frame.shape


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\x0a",
        SIGNATURE,
        SIGNATURE + struct.pack(">I4s", 7, b"jxlc"),
        SIGNATURE + struct.pack(">I4s", 1, b"jxlc") + struct.pack(">Q", 3),
        SIGNATURE + box(b"jxlc", b"no codestream"),
        SIGNATURE + box(b"jxlp", b"\0\0"),
        in_parts(b"\xff\x0a", 1),
    ],
)
def test_what_has_no_header_is_refused(data):
    with pytest.raises(CodecFailed):
        jpegxl_header.read_size(data)
