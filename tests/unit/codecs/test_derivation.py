"""What a data set says after a lossy compression, and of those before it."""

import struct

import numpy as np
import pytest
from codec_support import (
    EXPLICIT,
    J2K,
    J2K_LOSSY,
    JPEG_BASELINE,
    JPEG_LOSSLESS,
    SECONDARY_CAPTURE,
    SOP_INSTANCE_UID,
    convert,
    header_of,
    native,
    write_file,
    write_native,
)
from pydicom import Dataset, dcmread

from gateway.dicom.encoding import element_header
from gateway.errors import TranscodeUnsupported

JPEG_LS_NEAR = "1.2.840.10008.1.2.4.81"
HTJ2K_LOSSY = "1.2.840.10008.1.2.4.203"
JPEG_XL = "1.2.840.10008.1.2.4.112"
SMOOTH = (np.add.outer(np.arange(64), np.arange(80)) // 2).astype("u1")[np.newaxis]

LOSSY = {
    "JPEG": (JPEG_BASELINE, {}, "ISO_10918_1"),
    "JPEG-LS": (JPEG_LS_NEAR, {"max_error": 2}, "ISO_14495_1"),
    "JPEG 2000": (J2K_LOSSY, {"ratio": 8}, "ISO_15444_1"),
    "HTJ2K": (HTJ2K_LOSSY, {"ratio": 8}, "ISO_15444_15"),
    "JPEG XL": (JPEG_XL, {}, "ISO_18181_1"),
}


@pytest.fixture
def source(tmp_path):
    header = header_of(SMOOTH, ImageType=["ORIGINAL", "PRIMARY", "AXIAL"])
    header.add_new("SmallestImagePixelValue", "US", 0)
    header.add_new("LargestImagePixelValue", "US", 71)
    pixels = native(SMOOTH.tobytes(), vr="OB")
    return write_file(tmp_path / "source.dcm", EXPLICIT, header, pixels)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "target.dcm"


@pytest.mark.parametrize("kind", LOSSY)
def test_a_lossy_image_says_that_it_is_derived_from_which_one_and_how(kind, source, target):
    syntax, options, method = LOSSY[kind]
    report = convert(source, target, syntax, **options)
    found = dcmread(target)
    assert report.lossy
    assert found.LossyImageCompression == "01"
    assert found.LossyImageCompressionMethod == method
    coded_bytes = target.stat().st_size
    assert float(found.LossyImageCompressionRatio) >= SMOOTH.nbytes / coded_bytes
    assert list(found.ImageType) == ["DERIVED", "PRIMARY", "AXIAL"]
    assert found.DerivationCodeSequence[0].CodeValue == "113040"
    assert "lossy" in found.DerivationDescription
    [original] = found.SourceImageSequence
    assert original.ReferencedSOPInstanceUID == SOP_INSTANCE_UID
    assert original.ReferencedSOPClassUID == SECONDARY_CAPTURE
    assert original.PurposeOfReferenceCodeSequence[0].CodeValue == "121320"
    assert "SmallestImagePixelValue" not in found
    assert "LargestImagePixelValue" not in found


def test_it_is_another_instance_and_the_same_one_each_time(source, target):
    first = convert(source, target, JPEG_BASELINE).sop_instance_uid
    found = dcmread(target)
    assert first == found.SOPInstanceUID == found.file_meta.MediaStorageSOPInstanceUID
    assert first != SOP_INSTANCE_UID
    assert first.startswith("2.25.")
    assert convert(source, target, JPEG_BASELINE).sop_instance_uid == first
    assert convert(source, target, JPEG_BASELINE, quality=40).sop_instance_uid != first


def test_it_keeps_its_uid_when_that_is_asked_for(source, target):
    assert convert(source, target, JPEG_BASELINE, keep_uid=True).sop_instance_uid == (
        SOP_INSTANCE_UID
    )
    found = dcmread(target)
    assert found.SOPInstanceUID == SOP_INSTANCE_UID
    assert found.LossyImageCompression == "01"
    assert "SourceImageSequence" not in found  # it would be its own source


def test_a_second_step_is_added_to_the_first(source, target, tmp_path):
    convert(source, target, J2K_LOSSY, ratio=8)
    again = tmp_path / "again.dcm"
    convert(target, again, JPEG_BASELINE)
    found = dcmread(again)
    assert list(found.LossyImageCompressionMethod) == ["ISO_15444_1", "ISO_10918_1"]
    assert len(found.LossyImageCompressionRatio) == 2
    assert len(found.SourceImageSequence) == 2
    # The second predecessor was compressed already.
    purpose = found.SourceImageSequence[1].PurposeOfReferenceCodeSequence[0]
    assert purpose.CodeValue == "121322"


def test_once_lossy_always_lossy(source, target, tmp_path):
    uid = convert(source, target, JPEG_BASELINE).sop_instance_uid
    back = tmp_path / "back.dcm"
    report = convert(target, back, J2K)
    found = dcmread(back)
    assert not report.lossy
    assert found.LossyImageCompression == "01"
    assert found.LossyImageCompressionMethod == "ISO_10918_1"
    assert found.SOPInstanceUID == uid


def test_what_another_compressor_forgot_to_say_is_said(source, target, tmp_path):
    convert(source, target, JPEG_BASELINE, keep_uid=True)
    forgetful = dcmread(target)
    for keyword in ("", "Ratio", "Method"):
        del forgetful[f"LossyImageCompression{keyword}"]
    forgetful.save_as(target)
    convert(target, tmp_path / "native.dcm", EXPLICIT)
    found = dcmread(tmp_path / "native.dcm")
    assert found.LossyImageCompression == "01"
    assert found.LossyImageCompressionMethod == "ISO_10918_1"
    assert float(found.LossyImageCompressionRatio) > 1


@pytest.mark.parametrize("forgotten", ["Ratio", "Method"])
def test_a_history_with_gaps_stays_in_step(forgotten, source, target, tmp_path):
    """The ratio and the method of one step have the same place (PS3.3 C.7.6.1.1.5)."""
    convert(source, target, JPEG_BASELINE, keep_uid=True)
    forgetful = dcmread(target)
    del forgetful[f"LossyImageCompression{forgotten}"]
    forgetful.save_as(target)
    convert(target, tmp_path / "again.dcm", J2K_LOSSY, ratio=8)
    found = dcmread(tmp_path / "again.dcm")
    assert list(found.LossyImageCompressionMethod) == ["ISO_10918_1", "ISO_15444_1"]
    assert len(found.LossyImageCompressionRatio) == 2


@pytest.mark.parametrize(("known", "unknown"), [("Ratio", "Method"), ("Method", "Ratio")])
def test_what_is_not_known_of_an_earlier_step_stays_empty(known, unknown, source, target):
    """Of a native image: nothing tells any more how it was compressed."""
    decompressed = dcmread(source)
    decompressed.LossyImageCompression = "01"
    value = {"Ratio": "7.5", "Method": "ISO_10918_1"}[known]
    setattr(decompressed, f"LossyImageCompression{known}", value)
    decompressed.save_as(source)
    convert(source, target, J2K_LOSSY, ratio=8)
    found = dcmread(target)
    assert str(found[f"LossyImageCompression{known}"].value[0]) == value
    assert found[f"LossyImageCompression{unknown}"].value[0] in ("", None)


@pytest.mark.parametrize("syntax", [JPEG_LS_NEAR, J2K_LOSSY, HTJ2K_LOSSY])
def test_a_syntax_that_may_be_lossy_is_not_unless_asked(syntax, source, target, tmp_path):
    report = convert(source, target, syntax)
    assert not report.lossy
    assert report.verified_by
    found = dcmread(target)
    assert "LossyImageCompression" not in found
    assert found.SOPInstanceUID == SOP_INSTANCE_UID
    convert(target, tmp_path / "back.dcm", EXPLICIT)
    assert dcmread(tmp_path / "back.dcm").PixelData == SMOOTH.tobytes()


def test_signatures_of_a_lossy_image_are_gone_and_those_of_a_lossless_one_stay(tmp_path):
    signature = Dataset()
    signature.MACIDNumber = 1
    header = header_of(SMOOTH)
    header.MACParametersSequence = [signature]
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    signatures = element_header(0xFFFAFFFA, "SQ", len(item), implicit_vr=False) + item
    source, target = tmp_path / "source.dcm", tmp_path / "target.dcm"
    write_file(source, EXPLICIT, header, native(SMOOTH.tobytes(), vr="OB"), signatures)
    convert(source, target, JPEG_BASELINE)
    assert "DigitalSignaturesSequence" not in dcmread(target)
    assert "MACParametersSequence" not in dcmread(target)
    convert(source, target, JPEG_LOSSLESS)
    assert "DigitalSignaturesSequence" in dcmread(target)
    assert "MACParametersSequence" in dcmread(target)


# --- how much was lost ---------------------------------------------------------------------------


def test_loss_is_measured_when_that_is_asked_for(source, target):
    assert convert(source, target, JPEG_BASELINE).psnr_db is None
    report = convert(source, target, JPEG_BASELINE, measure=True, quality=50)
    assert 30 < report.psnr_db < 80
    assert 0 < report.max_error < 20


def test_a_near_lossless_image_keeps_its_bound(source, target):
    report = convert(source, target, JPEG_LS_NEAR, max_error=3)
    assert 0 < report.max_error <= 3
    assert report.verified_by == "imagecodecs"


def test_colours_are_measured_as_colours(tmp_path):
    source = tmp_path / "source.dcm"
    write_native(source, np.repeat(SMOOTH[..., np.newaxis], 3, axis=3))
    report = convert(source, tmp_path / "target.dcm", JPEG_BASELINE, measure=True)
    assert report.psnr_db > 35


@pytest.mark.parametrize(
    ("kind", "instead"), [("JPEG", JPEG_LOSSLESS), ("JPEG 2000", J2K_LOSSY)], ids=["57", "91"]
)
def test_an_image_that_would_lose_too_much_is_compressed_without_loss(
    kind, instead, source, target, tmp_path
):
    syntax, options, _ = LOSSY[kind]
    report = convert(source, target, syntax, **options, minimum_psnr_db=120)
    assert (report.target_syntax_uid, report.lossy) == (instead, False)
    assert report.sop_instance_uid == SOP_INSTANCE_UID
    assert "120 dB" in report.refusals[0]
    convert(target, tmp_path / "back.dcm", EXPLICIT)
    assert dcmread(tmp_path / "back.dcm").PixelData == SMOOTH.tobytes()


def test_a_palette_is_never_lossy(tmp_path):
    source = tmp_path / "source.dcm"
    write_native(source, SMOOTH, PhotometricInterpretation="PALETTE COLOR")
    with pytest.raises(TranscodeUnsupported, match="palette"):
        convert(source, tmp_path / "target.dcm", JPEG_BASELINE)
