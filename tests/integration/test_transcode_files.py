"""Real files in every syntax become what the matrix says of such pixels.

They are those that pydicom's wheel brings along, and those of the folder that the environment
variable GATEWAY_TEST_DATA names, where there is one.
"""

import os
from pathlib import Path

import independent
import numpy as np
import pydicom
import pytest
from codec_support import BIG_ENDIAN, IMPLICIT, convert, samples_of
from matrix import COLUMNS, Check, expected, outcomes
from matrix_table import TABLE
from pydicom import dcmread

from gateway.errors import TranscodeUnsupported

# pydicom warns about oddities of its own files, while it reads them as we do.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Expected explicit VR"),
    pytest.mark.filterwarnings("ignore:Invalid value for VR"),
    pytest.mark.filterwarnings("ignore:The .* Photometric Interpretation"),
    pytest.mark.filterwarnings("ignore:The pixel data is"),
]

BUNDLED = Path(pydicom.__file__).parent / "data" / "test_files"
# Each file, and the kind of pixels that it has. Of JPEG that is what it decodes to: what its own
# markers call YCbCr is YBR_FULL.
LOSSLESS = {
    "CT_small.dcm": "16 bit, signed",
    "ExplVR_BigEnd.dcm": "RGB",
    "GDCMJ2K_TextGBR.dcm": "RGB",
    "J2K_pixelrep_mismatch.dcm": "14 bit, signed",
    "MR_small.dcm": "16 bit, signed",
    "MR_small_RLE.dcm": "16 bit, signed",
    "MR_small_bigendian.dcm": "16 bit, signed",
    "MR_small_expb.dcm": "16 bit, signed",
    "MR_small_implicit.dcm": "16 bit, signed",
    "MR_small_jp2klossless.dcm": "16 bit, signed",
    "MR_small_jpeg_ls_lossless.dcm": "16 bit, signed",
    "MR_small_padded.dcm": "16 bit, signed",
    "SC_rgb_jpeg_dcmd.dcm": "RGB",
    "SC_rgb_jpeg_gdcm.dcm": "RGB",
    "SC_rgb_rle.dcm": "RGB",
    "SC_rgb_rle_16bit.dcm": "RGB of 16 bit",
    "SC_rgb_rle_16bit_2frame.dcm": "RGB of 16 bit",
    "SC_rgb_rle_2frame.dcm": "RGB",
    "SC_rgb_rle_32bit.dcm": "32 bit of RGB",
    "SC_rgb_rle_32bit_2frame.dcm": "32 bit of RGB",
    "SC_rgb_small_odd.dcm": "RGB",
    "SC_rgb_small_odd_big_endian.dcm": "RGB",
    "examples_jpeg2k.dcm": "RGB",
    "examples_overlay.dcm": "12 bit",
    "examples_palette.dcm": "PALETTE COLOR",
    "examples_rgb_color.dcm": "RGB",
    "image_dfl.dcm": "8 bit",
    "liver_1frame.dcm": "1 bit",
    "liver_expb_1frame.dcm": "1 bit",
    "rtdose.dcm": "32 bit",
    "rtdose_1frame.dcm": "32 bit",
    "rtdose_expb.dcm": "32 bit",
    "rtdose_expb_1frame.dcm": "32 bit",
    "rtdose_rle.dcm": "32 bit",
    "rtdose_rle_1frame.dcm": "32 bit",
}
LOSSY = {
    "693_J2KI.dcm": "14 bit, signed",
    "JPEG-lossy.dcm": "12 bit",
    "JPEG2000.dcm": "16 bit, signed",
    "JPEGLSNearLossless_08.dcm": "8 bit",
    "JPEGLSNearLossless_16.dcm": "16 bit",
    "JPGExtended.dcm": "12 bit",
    "SC_jpeg_no_color_transform.dcm": "RGB",
    "SC_jpeg_no_color_transform_2.dcm": "RGB",
    "SC_rgb_dcmtk_+eb+cr.dcm": "RGB",
    "SC_rgb_dcmtk_+eb+cy+n1.dcm": "YBR_FULL",
    "SC_rgb_dcmtk_+eb+cy+n2.dcm": "YBR_FULL",
    "SC_rgb_dcmtk_+eb+cy+np.dcm": "YBR_FULL",
    "SC_rgb_dcmtk_+eb+cy+s2.dcm": "YBR_FULL",
    "SC_rgb_dcmtk_+eb+cy+s4.dcm": "YBR_FULL",
    "SC_rgb_gdcm_KY.dcm": "RGB",
    "SC_rgb_jls_lossy_line.dcm": "RGB",
    "SC_rgb_jls_lossy_sample.dcm": "RGB",
    "SC_rgb_jpeg.dcm": "RGB",
    "SC_rgb_jpeg_app14_dcmd.dcm": "RGB",
    "SC_rgb_jpeg_dcmtk.dcm": "YBR_FULL",
    "SC_rgb_jpeg_lossy_gdcm.dcm": "YBR_FULL",
    "SC_rgb_small_odd_jpeg.dcm": "YBR_FULL",
    "SC_ybr_full_422_uncompressed.dcm": "YBR_FULL_422",
    "examples_ybr_color.dcm": "YBR_FULL",
}
# They cannot be read at all; what has the target's syntax already is a copy, whatever it is.
DAMAGED = {
    "JPEG2000-embedded-sequence-delimiter.dcm": (
        "the codestream has 1024x3722445056 pixels of 1 samples,"
        " the data set describes 1024x256 of 1"
    ),
    "MR_truncated.dcm": "CodecFailed: Pixel Data is cut off: 8130 of 8192 bytes are there",
    "no_meta.dcm": "CodecFailed: not a DICOM file: InvalidDicomError",
}
# Their bytes hold Pixel Data's tag by chance.
WITHOUT_PIXELS = {"meta_missing_tsyntax.dcm", "nested_priv_SQ.dcm"}


def test_every_bundled_file_with_pixels_has_an_expected_outcome():
    tags_of_pixels = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")
    found = {
        path.name
        for path in BUNDLED.rglob("*.dcm")
        if any(tag in path.read_bytes() for tag in tags_of_pixels)
    }
    found.add("image_dfl.dcm")  # deflated
    tested = {*LOSSLESS, *LOSSY, *DAMAGED, "badVR.dcm"}
    assert found - WITHOUT_PIXELS == tested


# Others are of their syntax and kind. All files become three syntaxes in test_codec_processes.py.
LARGE = (
    "JPGExtended.dcm",
    "examples_jpeg2k.dcm",
    "examples_rgb_color.dcm",
    "examples_ybr_color.dcm",
)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.long] if name in LARGE else [])
        for name in (*LOSSLESS, *LOSSY)
    ],
)
def test_bundled_file(name, tmp_path):
    kind = LOSSLESS.get(name) or LOSSY[name]
    found = _outcomes(BUNDLED / name, kind, tmp_path, was_lossy=name in LOSSY)
    assert found == _expected(BUNDLED / name, kind)


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_bundled_file(name, tmp_path):
    found = outcomes(BUNDLED / name, tmp_path / "result.dcm", Check(None, None))
    assert {outcome for outcome in found.values() if outcome != "copy"} == {DAMAGED[name]}


def test_number_of_frames_that_is_no_number_matters_to_codecs_only(tmp_path):
    source, result = BUNDLED / "badVR.dcm", tmp_path / "result.dcm"
    convert(source, result, IMPLICIT)
    assert dcmread(result).PixelData == dcmread(source).PixelData
    for target in (target for targets in COLUMNS.values() for target in targets):
        if target.uid not in independent.NATIVE:
            with pytest.raises(TranscodeUnsupported, match="NumberOfFrames is not a number"):
                convert(source, result, target.uid, **target.options)


STUDIES = BUNDLED / "dicomdirtests"
FILES_OF_STUDIES = [
    path for folder in ("7*", "9*") for path in sorted(STUDIES.glob(f"{folder}/*/*"))
]


@pytest.mark.long
@pytest.mark.parametrize("path", FILES_OF_STUDIES, ids=lambda path: path.name)
def test_bundled_file_of_a_study(path, tmp_path):
    kind = "MONOCHROME1" if dcmread(path).BitsStored == 12 else "16 bit, signed"
    assert _outcomes(path, kind, tmp_path, was_lossy=False) == _expected(path, kind)


# --- files of the folder -------------------------------------------------------------------------

# By folder and name: the first pattern that fits.
FOLDER = {
    "ct/signed.dcm": ("16 bit, signed", False),
    "ct/empty_comments.dcm": ("12 bit", True),
    "ct/*": ("12 bit", False),
    "jpeg2000/beaufix.dcm": ("12 bit", False),
    "jpeg2000/*": ("12 bit", True),
    "knix/*": ("16 bit, signed", False),
    "mr/*": ("12 bit", False),
    "odd/Jpeg.dcm": ("12 bit", False),
    "odd/JpegLossless.dcm": ("12 bit", False),
    "odd/Rle.dcm": ("12 bit", False),
    "odd/ColorTestMalaterre.dcm": ("RGB", False),
    "odd/PrivateTags.dcm": ("RGB", False),
    "odd/jp2k91YBR-ICT.dcm": ("RGB", True),
    "odd/Lena*": ("YBR_FULL", True),
}


def _files_of_the_folder() -> list[Path]:
    folder = os.environ.get("GATEWAY_TEST_DATA")
    return sorted(Path(folder).rglob("*.dcm")) if folder else []


@pytest.mark.long
@pytest.mark.skipif(not _files_of_the_folder(), reason="GATEWAY_TEST_DATA names no such folder")
@pytest.mark.parametrize("path", _files_of_the_folder(), ids=str)
def test_file_of_the_folder(path, tmp_path):
    matching = [value for pattern, value in FOLDER.items() if path.match(pattern)]
    if not matching:
        pytest.skip("it has no pixels, or is not known")
    kind, was_lossy = matching[0]
    assert _outcomes(path, kind, tmp_path, was_lossy=was_lossy) == _expected(path, kind)


# --- what is found, and what has to be -----------------------------------------------------------


def _outcomes(source: Path, kind: str, folder: Path, *, was_lossy: bool) -> dict[str, str]:
    samples = _reference(source)
    bits = int(dcmread(source).BitsStored)
    colours = "YBR_FULL" if kind.startswith("YBR_FULL") else "RGB"
    check = Check(samples, samples, bits, colours, was_lossy=was_lossy)
    return outcomes(source, folder / "result.dcm", check)


def _expected(source: Path, kind: str) -> dict[str, str]:
    uid = dcmread(source).file_meta.TransferSyntaxUID
    found = expected(TABLE[kind], uid)
    if uid == BIG_ENDIAN and kind == "32 bit":  # readers disagree on the order of its bytes
        found |= {target.name: "order" for target in COLUMNS["nat"]}
    return found


def _reference(path: Path) -> np.ndarray:
    """The samples that all other decoders find; where they must be native, pydicom alone."""
    dataset = dcmread(path)
    if dataset.file_meta.TransferSyntaxUID in independent.NATIVE:
        samples = samples_of(path)
        return samples.astype(samples.dtype.newbyteorder("<"))
    first, *others = independent.read(path).values()
    for other in others:
        np.testing.assert_array_equal(other, first)
    return first
