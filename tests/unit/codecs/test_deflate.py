"""Deflated data sets, both ways."""

import zlib

import numpy as np
import pytest
from codec_support import (
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    J2K,
    convert,
    noise,
    samples_of,
    write_native,
)
from pydicom import dcmread

from gateway.codecs import deflate
from gateway.dicom import part10
from gateway.errors import VerificationFailed


@pytest.fixture
def target(tmp_path):
    return tmp_path / "target.dcm"


@pytest.mark.parametrize("first", [IMPLICIT, EXPLICIT])
@pytest.mark.parametrize("shape", [(1, 9, 11), (3, 5, 7, 3), (2, 1, 1)])
def test_a_deflated_file_is_read_by_others_and_comes_back(shape, first, tmp_path, target):
    frames = noise(shape, "u1")
    source = write_native(tmp_path / "source.dcm", frames, first)
    report = convert(source, target, DEFLATED)
    assert (report.target_syntax_uid, report.verified_by) == (DEFLATED, "zlib")
    np.testing.assert_array_equal(samples_of(target), frames)
    assert target.stat().st_size % 2 == 0
    convert(target, tmp_path / "back.dcm", first)
    assert (tmp_path / "back.dcm").read_bytes() == source.read_bytes()


def test_compressed_images_are_deflated_without_their_compression(tmp_path, target):
    frames = noise((2, 33, 35), "u2", 12)
    source = write_native(tmp_path / "source.dcm", frames, BitsStored=12)
    convert(source, tmp_path / "j2k.dcm", J2K)
    convert(tmp_path / "j2k.dcm", target, DEFLATED)
    np.testing.assert_array_equal(samples_of(target), frames)


def test_a_data_set_without_pixels_is_deflated_as_well(tmp_path, target):
    source = write_native(tmp_path / "source.dcm", noise((1, 2, 2), "u1"))
    report = dcmread(source)
    del report.PixelData
    report.save_as(source)
    convert(source, target, DEFLATED)
    assert dcmread(target).PatientName == report.PatientName


def test_a_stream_that_inflates_to_something_else_is_found(tmp_path, target, monkeypatch):
    class Careless:
        def compressobj(self, level, wbits):
            return zlib.compressobj(level, wbits=wbits, strategy=zlib.Z_HUFFMAN_ONLY)

    class Wrong(Careless):
        def compressobj(self, level, wbits):
            deflater = super().compressobj(level, wbits)
            deflater.compress(b"\1")
            return deflater

    source = write_native(tmp_path / "source.dcm", noise((1, 9, 11), "u1"))
    monkeypatch.setattr(deflate, "zlib_ng", Careless())
    convert(source, target, DEFLATED)
    monkeypatch.setattr(deflate, "zlib_ng", Wrong())
    with pytest.raises(VerificationFailed, match="zlib read another data set back"):
        convert(source, target, DEFLATED)


def test_the_stream_is_padded_to_an_even_length(tmp_path, target):
    for columns in range(1, 9):
        source = write_native(tmp_path / "source.dcm", noise((1, 3, columns), "u1"))
        convert(source, target, DEFLATED)
        start = part10.read_meta(target).data_set_offset
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        inflater.decompress(target.read_bytes()[start:])
        assert inflater.unused_data in (b"", b"\0")
        assert (target.stat().st_size - start) % 2 == 0
