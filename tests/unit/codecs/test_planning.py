"""Which transcodings are refused before anything is touched, and what the others become."""

from dataclasses import replace

import numpy as np
import pytest
from codec_support import header_of

from gateway.codecs.codestreams import Codestream
from gateway.codecs.image import describe
from gateway.codecs.planning import Work, recoding, work_for
from gateway.codecs.source import PixelElement
from gateway.dicom.syntaxes import EXPLICIT_LE, IMPLICIT_LE, JPEG2000_LOSSLESS, lookup
from gateway.errors import TranscodeUnsupported

GREY = header_of(np.zeros((1, 4, 6), "u2"))
NATIVE, CODED = PixelElement("OW", 0, 48), PixelElement("OB", 0, None)
BIG_ENDIAN, JPEG = lookup("big-endian"), lookup("jpeg")


def work(source, target, header=GREY, pixels=NATIVE, *, encodable=True):
    return work_for(source, target, header, pixels, encodable=encodable)


def plan(header, target=JPEG2000_LOSSLESS, codestream=None, memory_bytes=1 << 30):
    return recoding(
        describe(header),
        codestream,
        header,
        target,
        is_native=codestream is None,
        memory_bytes=memory_bytes,
    )


def refusal(*arguments, **options):
    with pytest.raises(TranscodeUnsupported) as caught:
        plan(*arguments, **options)
    return str(caught.value)


def test_native_to_native_needs_no_codec():
    assert work(EXPLICIT_LE, IMPLICIT_LE) is Work.REPACK
    assert work(BIG_ENDIAN, EXPLICIT_LE) is Work.REPACK


def test_compressed_on_either_side_needs_one():
    assert work(EXPLICIT_LE, JPEG2000_LOSSLESS) is Work.RECODE
    assert work(JPEG, EXPLICIT_LE, pixels=CODED) is Work.RECODE


def test_without_pixels_only_the_header_is_encoded():
    assert work(IMPLICIT_LE, JPEG2000_LOSSLESS, pixels=None) is Work.NOTHING


@pytest.mark.parametrize(
    ("source", "target", "options", "reason"),
    [
        (EXPLICIT_LE, JPEG, {"encodable": False}, "no encoder for JPEGBaseline8Bit"),
        (EXPLICIT_LE, IMPLICIT_LE, {"pixels": CODED}, "is encapsulated"),
        (JPEG, EXPLICIT_LE, {"pixels": NATIVE}, "is native"),
        (
            BIG_ENDIAN,
            EXPLICIT_LE,
            {"header": header_of(np.zeros((1, 4, 6), "u4"))},
            "no sure order",
        ),
    ],
)
def test_work_that_nobody_can_do_is_refused(source, target, options, reason):
    with pytest.raises(TranscodeUnsupported, match=reason):
        work(source, target, **options)


def test_floating_point_pixels_stay_native():
    header = header_of(np.zeros((1, 4, 6), "u2"))
    header.FloatPixelData = b"\0" * 96
    assert work(IMPLICIT_LE, EXPLICIT_LE, header, None) is Work.NOTHING
    with pytest.raises(TranscodeUnsupported, match="floating-point"):
        work(IMPLICIT_LE, JPEG2000_LOSSLESS, header, None)


def test_more_than_16_bits_stay_native():
    assert "more than 16 bits" in refusal(header_of(np.zeros((1, 4, 6), "u4")))


def test_one_bit_is_never_compressed():
    assert "1 bit" in refusal(
        header_of(np.zeros((1, 4, 6), "u1"), BitsAllocated=1, BitsStored=1, HighBit=0)
    )


def test_samples_that_do_not_begin_at_bit_0_are_not_compressed():
    assert "HighBit" in refusal(header_of(np.zeros((1, 4, 6), "u2"), BitsStored=12, HighBit=15))


def test_an_overlay_in_pixel_data_is_not_lost():
    header = header_of(np.zeros((1, 4, 6), "u2"), BitsStored=12)
    header.add_new(0x60000100, "US", 16)
    header.add_new(0x60000102, "US", 12)
    assert "overlay" in refusal(header)
    assert plan(header, EXPLICIT_LE)
    header.add_new(0x60003000, "OW", b"\0\0\0\0")
    assert plan(header)


def test_an_overlay_of_its_own_does_no_harm():
    header = header_of(np.zeros((1, 4, 6), "u2"), BitsStored=12)
    header.add_new(0x60000100, "US", 1)
    header.add_new(0x60000102, "US", 0)
    assert plan(header)


def test_frames_that_exceed_the_memory_limit_are_refused():
    header = header_of(np.zeros((1, 4, 6), "u2"), Rows=60000, Columns=60000)
    assert "needs 82397 MB" in refusal(header)


def test_native_pixel_data_of_4_gb_is_refused():
    header = header_of(np.zeros((1, 4, 6), "u2"), Rows=5000, Columns=5000, NumberOfFrames="100")
    coded = Codestream(5000, 5000, 1, 16, signed=False, lossy=False)
    assert "4 GB" in refusal(header, EXPLICIT_LE, coded)


def test_a_codestream_of_another_size_is_refused():
    coded = Codestream(4, 7, 1, 16, signed=False, lossy=False)
    assert "describes 4x6" in refusal(GREY, EXPLICIT_LE, coded)


@pytest.mark.parametrize("photometric", ["CMYK", "YBR_PARTIAL_422", "MONOCHROME2", ""])
def test_colour_that_nobody_knows_is_refused(photometric):
    header = header_of(np.zeros((1, 4, 6, 3), "u1"), PhotometricInterpretation=photometric)
    assert "photometric" in refusal(header).lower()


COLOUR = header_of(np.zeros((1, 4, 6, 3), "u1"), PlanarConfiguration=1)
CODED_COLOUR = Codestream(4, 6, 3, 8, signed=False, lossy=False)


@pytest.mark.parametrize(
    ("photometric", "codestream", "target", "becomes"),
    [
        ("RGB", None, JPEG2000_LOSSLESS, "YBR_RCT"),
        ("YBR_FULL", None, JPEG2000_LOSSLESS, "YBR_FULL"),
        ("YBR_FULL_422", None, JPEG2000_LOSSLESS, "YBR_FULL"),
        ("YBR_FULL_422", CODED_COLOUR, EXPLICIT_LE, "YBR_FULL"),
        ("YBR_RCT", CODED_COLOUR, EXPLICIT_LE, "RGB"),
        ("YBR_ICT", CODED_COLOUR, JPEG2000_LOSSLESS, "YBR_RCT"),
        ("RGB", replace(CODED_COLOUR, colour="YBR_FULL"), EXPLICIT_LE, "YBR_FULL"),
        ("YBR_FULL", replace(CODED_COLOUR, colour="RGB"), JPEG2000_LOSSLESS, "YBR_RCT"),
    ],
)
def test_photometric_interpretation_follows_the_codec(photometric, codestream, target, becomes):
    header = header_of(np.zeros((1, 4, 6, 3), "u1"), PhotometricInterpretation=photometric)
    result = plan(header, target, codestream).result
    assert result.photometric == becomes
    assert not result.planar


def test_native_colour_of_jpeg_2000_is_refused():
    header = header_of(np.zeros((1, 4, 6, 3), "u1"), PhotometricInterpretation="YBR_RCT")
    assert "JPEG 2000 only" in refusal(header)


def test_subsampled_colour_of_odd_width_is_refused():
    header = header_of(np.zeros((1, 4, 5, 3), "u1"), PhotometricInterpretation="YBR_FULL_422")
    assert "even number of columns" in refusal(header)


@pytest.mark.parametrize(
    "keyword",
    ["Rows", "BitsAllocated", "BitsStored", "PixelRepresentation", "SamplesPerPixel"],
)
def test_an_incomplete_description_is_refused(keyword):
    header = header_of(np.zeros((1, 4, 6), "u2"))
    del header[keyword]
    assert keyword in refusal(header)
