"""Codestream headers are read before a decoder sees them."""

import struct
from contextlib import suppress
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
from codec_support import header_of, noise
from hypothesis import given
from hypothesis import strategies as st

from gateway.codecs.codestreams import inspect, mismatch, without_jp2_boxes
from gateway.codecs.image import describe
from gateway.errors import CodecFailed

GREY = noise((5, 7), "u2", 12)
RGB = noise((5, 7, 3), "u1")


def j2k(frame, **options):
    return bytes(imagecodecs.jpeg2k_encode(frame, codecformat="j2k", **options))


def test_jpeg2000_says_its_size_precision_and_sign():
    found = inspect(j2k(GREY.astype("i2"), reversible=True, bitspersample=13))
    assert (found.rows, found.columns, found.samples) == (5, 7, 1)
    assert (found.precision, found.signed, found.lossy) == (13, True, False)


def test_jpeg2000_of_the_irreversible_wavelet_is_lossy():
    assert inspect(j2k(RGB, level=30, reversible=False)).lossy


def test_jpeg_baseline_is_lossy_and_jfif_is_ycbcr():
    found = inspect(bytes(imagecodecs.jpeg8_encode(RGB, level=90)))
    assert (found.rows, found.columns, found.samples, found.precision) == (5, 7, 3, 8)
    assert (found.lossy, found.colour) == (True, "YBR_FULL")


def test_jpeg_of_rgb_components_is_rgb():
    data = imagecodecs.jpeg8_encode(RGB, level=90, colorspace="RGB", outcolorspace="RGB")
    assert inspect(bytes(data)).colour == "RGB"


def test_lossless_jpeg_is_not_lossy():
    data = imagecodecs.jpeg8_encode(GREY, lossless=True, predictor=1, bitspersample=12)
    assert (inspect(bytes(data)).lossy, inspect(bytes(data)).precision) == (False, 12)


@pytest.mark.parametrize(("near", "lossy"), [(0, False), (2, True)])
def test_jpeg_ls_is_lossy_when_it_is_near_lossless(near, lossy):
    data = bytes(imagecodecs.jpegls_encode(RGB, level=near, out=RGB.nbytes * 2 + 4096))
    found = inspect(data)
    assert (found.rows, found.columns, found.samples, found.lossy) == (5, 7, 3, lossy)


def test_jp2_boxes_are_taken_off():
    jp2 = bytes(imagecodecs.jpeg2k_encode(GREY, codecformat="jp2", reversible=True))
    assert inspect(without_jp2_boxes(jp2)).rows == 5


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"\xff\xd8",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xc0\x00\x00",
        b"\xff\xd8garbage",
        b"\xff\x4f\xff\x51",
        b"\xff\x4f\xff\x51" + b"\xff" * 60,
        j2k(GREY)[:42],
        j2k(GREY)[:44],
        j2k(GREY)[:50],
        b"GIF89a",
    ],
)
def test_what_is_no_codestream_is_refused(data):
    with pytest.raises(CodecFailed):
        inspect(data)


@pytest.mark.parametrize("lossless", [False, True])
def test_jpeg_of_more_pixels_than_its_bytes_can_hold_is_refused(lossless):
    frame = np.zeros((640, 640), "u1")
    how = {"lossless": True, "predictor": 1} if lossless else {"level": 90, "optimize": True}
    flat = bytes(imagecodecs.jpeg8_encode(frame, bitspersample=8, **how))
    assert inspect(flat).rows == 640  # there are none that are smaller
    with pytest.raises(CodecFailed, match="cannot hold the 640x640 pixels"):
        inspect(flat[: len(flat) // 2] + b"\xff\xd9")


@given(st.sampled_from([j2k(RGB), bytes(imagecodecs.jpeg8_encode(RGB))]), st.data())
def test_damaged_headers_are_read_or_refused(good, data):
    damaged = bytearray(good)
    at = data.draw(st.integers(0, min(200, len(good)) - 1))
    damaged[at] = data.draw(st.integers(0, 255))
    with suppress(CodecFailed):
        inspect(bytes(damaged[: data.draw(st.integers(0, len(good)))]))


IMAGE = describe(header_of(np.zeros((1, 5, 7), "u2"), BitsStored=12))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"rows": 6}, "describes 5x7"),
        ({"columns": 30000}, "describes 5x7"),
        ({"samples": 3}, "of 1"),
        ({"precision": 17}, "allocates 16"),
        ({"precision": 16}, ""),
        ({"precision": 8}, ""),
    ],
)
def test_a_codestream_must_fit_the_data_set(changes, reason):
    codestream = replace(inspect(j2k(GREY, bitspersample=12)), **changes)
    found = mismatch(codestream, IMAGE)
    assert reason in found
    assert bool(found) == bool(reason)


def test_the_sign_must_be_in_the_codestream():
    signed = replace(IMAGE, signed=True)
    short = replace(inspect(j2k(GREY, bitspersample=12)), precision=10)
    assert "sign" in mismatch(short, signed)
    assert mismatch(replace(short, signed=True), signed) == ""


def test_subsampled_components_are_refused():
    data = bytearray(j2k(GREY))
    struct.pack_into("BBB", data, 42, 11, 2, 1)
    with pytest.raises(CodecFailed, match="subsampled"):
        inspect(bytes(data))
