"""Which transcodings are refused before anything is touched, and what the others become."""

from dataclasses import replace

import numpy as np
import pytest
from codec_support import header_of

from gateway.codecs.codestreams import Codestream
from gateway.codecs.image import describe
from gateway.codecs.planning import (
    Abilities,
    Work,
    conversion,
    recoding,
    refuse_too_large,
    work_for,
)
from gateway.codecs.source import PixelElement
from gateway.dicom.syntaxes import EXPLICIT_LE, IMPLICIT_LE, JPEG2000_LOSSLESS, lookup
from gateway.errors import TranscodeUnsupported
from gateway.model import TranscodeOptions

GREY = header_of(np.zeros((1, 4, 6), "u2"))
NATIVE, CODED = PixelElement("OW", 0, 48), PixelElement("OB", 0, None)
BIG_ENDIAN, JPEG, JPEG_LOSSLESS = lookup("big-endian"), lookup("jpeg"), lookup("jpeg-lossless")
JPEG_EXTENDED, J2K_LOSSY, JPEG_LS = lookup("jpeg12"), lookup("j2k-lossy"), lookup("jpegls")
RLE, JPEG_XL = lookup("rle"), lookup("jpegxl-jpeg")
VERIFIED = TranscodeOptions()


def work(source, target, header=GREY, pixels=NATIVE, options=VERIFIED, **able):
    abilities = Abilities(**{"encodes": True, "converts": False} | able)
    return work_for(source, target, header, pixels, options, abilities)


def plan(header, target=JPEG2000_LOSSLESS, codestream=None, **options):
    return recoding(
        describe(header),
        codestream,
        target,
        TranscodeOptions(**options),
        is_native=codestream is None,
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
    assert work(IMPLICIT_LE, EXPLICIT_LE, pixels=None) is Work.HEADER


def test_without_pixels_there_is_nothing_to_compress():
    assert work(IMPLICIT_LE, JPEG2000_LOSSLESS, pixels=None) is Work.NONE


def test_codestreams_that_fit_as_they_are_only_get_another_label():
    assert work(JPEG2000_LOSSLESS, J2K_LOSSY, pixels=CODED) is Work.RELABEL
    assert work(JPEG_LOSSLESS, lookup("jpeg-lossless-any"), pixels=CODED) is Work.RELABEL
    assert work(J2K_LOSSY, JPEG2000_LOSSLESS, pixels=CODED) is Work.RECODE


def test_codestreams_are_made_anew_when_that_is_asked_for():
    smaller = TranscodeOptions(ratio=10)
    assert work(JPEG2000_LOSSLESS, J2K_LOSSY, pixels=CODED, options=smaller) is Work.RECODE
    plain_rgb = TranscodeOptions(photometric="RGB")
    colours = header_of(np.zeros((1, 4, 6, 3), "u1"), PhotometricInterpretation="YBR_RCT")
    again = work(JPEG2000_LOSSLESS, J2K_LOSSY, colours, CODED, plain_rgb)
    assert again is Work.RECODE


def test_a_label_that_does_not_allow_the_image_is_not_given_to_it():
    palette = header_of(np.zeros((1, 4, 6), "u1"), PhotometricInterpretation="PALETTE COLOR")
    assert work(JPEG2000_LOSSLESS, J2K_LOSSY, palette, CODED) is Work.RECODE


def test_jpeg_becomes_jpeg_xl_without_its_samples():
    assert work(JPEG, JPEG_XL, pixels=CODED, converts=True) is Work.CONVERT


def test_jpeg_comes_back_from_jpeg_xl_whatever_quality_new_images_would_have():
    asked = TranscodeOptions(quality=80)
    assert work(JPEG_XL, JPEG, pixels=CODED, options=asked, converts=True) is Work.CONVERT


@pytest.mark.parametrize(
    ("source", "target", "options", "reason"),
    [
        (EXPLICIT_LE, JPEG_XL, {"encodes": False}, "no encoder for JPEGXLJPEGRecompression"),
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
    assert work(IMPLICIT_LE, EXPLICIT_LE, header, None) is Work.HEADER
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


def test_what_keeps_whole_words_keeps_samples_that_do_not_begin_at_bit_0():
    assert plan(header_of(np.zeros((1, 4, 6), "u2"), BitsStored=12, HighBit=15), RLE)


def test_frames_that_exceed_the_memory_limit_are_refused():
    header = header_of(np.zeros((1, 4, 6), "u2"), Rows=60000, Columns=60000)
    with pytest.raises(TranscodeUnsupported, match="needs 82397 MB"):
        refuse_too_large(describe(header), 1 << 30)


def test_codestreams_of_colours_that_are_none_are_not_converted():
    header = header_of(np.zeros((1, 4, 6), "u1"), PhotometricInterpretation="GREYISH")
    with pytest.raises(TranscodeUnsupported, match="GREYISH photometric interpretation"):
        conversion(describe(header), JPEG_XL)


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
    ("photometric", "codestream", "target", "options", "becomes"),
    [
        ("RGB", None, JPEG2000_LOSSLESS, {}, "YBR_RCT"),
        ("RGB", None, JPEG2000_LOSSLESS, {"photometric": "RGB"}, "RGB"),
        ("RGB", None, J2K_LOSSY, {}, "YBR_RCT"),
        ("RGB", None, J2K_LOSSY, {"ratio": 10}, "YBR_ICT"),
        ("RGB", None, JPEG, {}, "YBR_FULL_422"),
        ("RGB", None, JPEG, {"photometric": "RGB"}, "RGB"),
        ("RGB", None, JPEG_LS, {}, "RGB"),
        ("RGB", None, lookup("jpegxl-lossy"), {}, "XYB"),
        ("YBR_FULL", None, JPEG2000_LOSSLESS, {}, "YBR_FULL"),
        ("YBR_FULL", None, JPEG2000_LOSSLESS, {"photometric": "RGB"}, "RGB"),
        ("YBR_FULL", None, JPEG, {}, "YBR_FULL_422"),
        ("YBR_FULL_422", None, JPEG2000_LOSSLESS, {}, "YBR_FULL"),
        ("YBR_FULL_422", CODED_COLOUR, EXPLICIT_LE, {}, "YBR_FULL"),
        ("YBR_FULL_422", CODED_COLOUR, EXPLICIT_LE, {"photometric": "RGB"}, "RGB"),
        ("YBR_RCT", CODED_COLOUR, EXPLICIT_LE, {}, "RGB"),
        ("YBR_ICT", CODED_COLOUR, JPEG2000_LOSSLESS, {}, "YBR_RCT"),
        ("RGB", replace(CODED_COLOUR, colour="YBR_FULL"), EXPLICIT_LE, {}, "YBR_FULL"),
        ("YBR_FULL", replace(CODED_COLOUR, colour="RGB"), JPEG2000_LOSSLESS, {}, "YBR_RCT"),
    ],
)
def test_photometric_interpretation_follows_the_codec(
    photometric, codestream, target, options, becomes
):
    header = header_of(np.zeros((1, 4, 6, 3), "u1"), PhotometricInterpretation=photometric)
    result = plan(header, target, codestream, **options).result
    assert result.photometric == becomes
    assert not result.planar


@pytest.mark.parametrize(
    ("target", "options"),
    [
        (JPEG_EXTENDED, {}),
        (EXPLICIT_LE, {"photometric": "YBR_FULL"}),
        (RLE, {"photometric": "XYB"}),
    ],
)
def test_colours_that_the_target_cannot_have_are_refused(target, options):
    assert "cannot hold colours" in refusal(COLOUR, target, **options)


GREYS = {
    "9 bits in 8-bit JPEG": (JPEG, "u2", {"BitsStored": 9}, "1 to 8 bits"),
    "13 bits in 12-bit JPEG": (JPEG_EXTENDED, "u2", {"BitsStored": 13}, "1 to 12 bits"),
    "1 bit in JPEG-LS": (JPEG_LS, "u1", {"BitsStored": 1}, "2 to 16 bits"),
    "signed in JPEG": (JPEG, "i1", {}, "no signed samples"),
    "palette in what may be lossy": (
        J2K_LOSSY, "u1", {"PhotometricInterpretation": "PALETTE COLOR"}, "palette colour"),
    "32 bits in RLE": (RLE, "u4", {}, "more than 16 bits"),
}  # fmt: skip


@pytest.mark.parametrize("kind", GREYS)
def test_what_the_standard_does_not_allow_is_refused(kind):
    target, dtype, changes, reason = GREYS[kind]
    assert reason in refusal(header_of(np.zeros((1, 4, 6), dtype), **changes), target)


@pytest.mark.parametrize(
    ("bits", "target", "depth"),
    [(7, JPEG, (8, 8, 7)), (8, JPEG_EXTENDED, (8, 8, 7)), (10, JPEG_EXTENDED, (16, 12, 11))],
)
def test_jpeg_has_8_or_12_bits_whatever_the_image_had(bits, target, depth):
    result = plan(header_of(np.zeros((1, 4, 6), "u2"), BitsStored=bits), target).result
    assert (result.bits_allocated, result.bits_stored, result.high_bit) == depth


def test_native_colour_of_jpeg_2000_is_refused():
    header = header_of(np.zeros((1, 4, 6, 3), "u1"), PhotometricInterpretation="YBR_RCT")
    assert "compressed images only" in refusal(header)


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
