"""What a lossy codec makes of an image can still be shown as that image."""

import numpy as np
import pytest
from codec_support import (
    EXPLICIT,
    HTJ2K_LOSSY,
    J2K_LOSSY,
    JPEG_LS_NEAR,
    JPEG_XL,
    convert,
    samples_of,
    write_native,
)
from pixel_kinds import scene
from pydicom import dcmread

from gateway.errors import TranscodeUnsupported

# Black and white at random, at both ends of 12 bits: where codecs overshoot.
EXTREMES = np.random.default_rng(3).integers(0, 2, (1, 70, 70)) * 4095
UNSIGNED, SIGNED = EXTREMES.astype("u2"), (EXTREMES - 2048).astype("i2")
CASES = {
    "JPEG-LS": (JPEG_LS_NEAR, {"max_error": 3}, UNSIGNED),
    "signed JPEG-LS": (JPEG_LS_NEAR, {"max_error": 3}, np.clip(SIGNED, -2045, 2044)),
    "JPEG-LS, 8 of 16 bit": (JPEG_LS_NEAR, {"max_error": 3}, UNSIGNED >> 4),
    "signed JPEG-LS, 8 of 16 bit": (
        JPEG_LS_NEAR,
        {"max_error": 3},
        np.clip(SIGNED >> 4, -125, 124),
    ),
    "JPEG 2000": (J2K_LOSSY, {"ratio": 3.0}, UNSIGNED),
    "signed JPEG 2000": (J2K_LOSSY, {"ratio": 3.0}, SIGNED),
    "HTJ2K": (HTJ2K_LOSSY, {"ratio": 3.0}, UNSIGNED),
    "signed HTJ2K": (HTJ2K_LOSSY, {"ratio": 3.0}, SIGNED),
    "JPEG XL": (JPEG_XL, {"quality": 50}, UNSIGNED),
}


@pytest.mark.parametrize("size", [70, 9], ids=["image", "tiny image"])
@pytest.mark.parametrize("case", CASES)
def test_lossy_samples_stay_within_bits_stored(case, size, tmp_path):
    """Readers ignore what is above Bits Stored: white that overshoots would be shown as black."""
    syntax, rate, image = CASES[case]
    frames = image[:, :size, :size]
    source, coded, back = (tmp_path / f"{name}.dcm" for name in ("source", "coded", "back"))
    write_native(source, frames, BitsStored=8 if "8 of 16" in case else 12)
    convert(source, coded, syntax, **rate)
    convert(coded, back, EXPLICIT)
    found = dcmread(back)
    samples = np.frombuffer(found.PixelData, frames.dtype)[: frames.size]
    unused = 16 - found.BitsStored
    np.testing.assert_array_equal(samples << unused >> unused, samples)


@pytest.mark.parametrize("value", [-2046, 2045])
def test_near_lossless_refuses_samples_that_could_change_their_sign(value, tmp_path):
    source, target = tmp_path / "source.dcm", tmp_path / "target.dcm"
    write_native(source, np.full((1, 9, 9), value, "i2"), BitsStored=12)
    with pytest.raises(TranscodeUnsupported, match="frame 1: signed samples within 3 of the ends"):
        convert(source, target, JPEG_LS_NEAR, max_error=3)
    convert(source, target, JPEG_LS_NEAR, max_error=2)
    assert np.abs(samples_of(target) - value).max() <= 2
    convert(source, target, JPEG_LS_NEAR)
    assert (samples_of(target) == value).all()


def test_lossy_htj2k_says_that_it_uses_all_bits(tmp_path):
    source, target = tmp_path / "source.dcm", tmp_path / "target.dcm"
    write_native(source, UNSIGNED, BitsStored=12)
    convert(source, target, HTJ2K_LOSSY, ratio=3.0)
    found = dcmread(target)
    assert (found.BitsAllocated, found.BitsStored, found.HighBit) == (16, 16, 15)
    convert(source, target, HTJ2K_LOSSY)
    assert dcmread(target).BitsStored == 12


@pytest.mark.parametrize("side", [1, 5, 20, 32])
@pytest.mark.parametrize("syntax", [J2K_LOSSY, HTJ2K_LOSSY])
def test_a_small_image_is_not_sacrificed_to_its_ratio(syntax, side, tmp_path):
    """At 10:1 it would have fewer bytes than the headers take, and be one grey spot."""
    source, target = tmp_path / "source.dcm", tmp_path / "target.dcm"
    frames = scene((1, side, side), "u2", 12)
    write_native(source, frames, BitsStored=12)
    report = convert(source, target, syntax, ratio=10.0, measure=True)
    assert report.psnr_db is None or report.psnr_db > 40
