"""Made images of each kind go from syntax to syntax and keep every sample and every element."""

import struct
import zlib
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
import rle
from codec_support import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    HTJ2K,
    IMPLICIT,
    J2K,
    J2K_LOSSY,
    JPEG_BASELINE,
    JPEG_LOSSLESS,
    JPEG_LS,
    RLE,
    SECONDARY_CAPTURE,
    SOP_INSTANCE_UID,
    TARGETS,
    convert,
    encapsulated,
    header_of,
    in_an_item,
    native,
    noise,
    samples_of,
    write_file,
    write_native,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_frames
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from gateway.codecs import table
from gateway.codecs.limits import Limits
from gateway.codecs.transcode import Job, known, transcode
from gateway.dicom import part10
from gateway.dicom.encoding import element_header, encode
from gateway.errors import CodecFailed, TranscodeUnsupported, VerificationFailed
from gateway.model import TranscodeOptions


@pytest.fixture
def source(tmp_path):
    return tmp_path / "source.dcm"


@pytest.fixture
def target(tmp_path):
    return tmp_path / "target.dcm"


def assert_same_samples(path, frames):
    found = samples_of(path)
    assert found.dtype == frames.dtype
    np.testing.assert_array_equal(found, frames)


# --- kinds of native pixels ----------------------------------------------------------------------

KINDS = {
    "unsigned 16 of 16": (noise((1, 9, 11), "u2"), {}),
    "unsigned 12 of 16": (noise((1, 9, 11), "u2", 12), {"BitsStored": 12}),
    "signed 16 of 16": (noise((1, 9, 11), "i2"), {}),
    "signed 12 of 16": (noise((1, 9, 11), "i2", 12), {"BitsStored": 12}),
    "signed 8 of 8": (noise((1, 9, 11), "i1"), {}),
    "unsigned 7 of 8": (noise((1, 9, 11), "u1", 7), {"BitsStored": 7}),
    "unsigned 1 of 8": (noise((1, 9, 11), "u1", 1), {"BitsStored": 1}),
    "unsigned 8 of 16": (noise((1, 9, 11), "u2", 8), {"BitsStored": 8}),
    "all zero": (np.zeros((1, 9, 11), "u2"), {"BitsStored": 12}),
    "one pixel": (noise((1, 1, 1), "u2"), {}),
    "one pixel of 8 bit": (noise((1, 1, 1), "u1"), {}),
    "one row": (noise((1, 1, 50), "i2"), {}),
    "one column": (noise((1, 50, 1), "u1"), {}),
    "multi-frame": (noise((5, 9, 11), "u2"), {}),
    "odd multi-frame of 8 bit": (noise((3, 3, 3), "u1"), {}),
    "RGB": (noise((1, 9, 11, 3), "u1"), {}),
    "RGB of 16 bit": (noise((1, 9, 11, 3), "u2"), {}),
    "RGB of one pixel": (noise((1, 1, 1, 3), "u1"), {}),
    "RGB multi-frame": (noise((2, 5, 3, 3), "u1"), {}),
    "YBR_FULL": (noise((1, 9, 11, 3), "u1"), {"PhotometricInterpretation": "YBR_FULL"}),
    "MONOCHROME1": (noise((1, 9, 11), "u2"), {"PhotometricInterpretation": "MONOCHROME1"}),
    "palette": (
        noise((1, 9, 11), "u1"),
        {
            "PhotometricInterpretation": "PALETTE COLOR",
            "RedPaletteColorLookupTableData": bytes(range(256)) * 2,
        },
    ),
}


@pytest.mark.parametrize("first", [IMPLICIT, EXPLICIT])
@pytest.mark.parametrize("kind", KINDS)
def test_native_to_jpeg_2000_and_back_keeps_every_bit(kind, first, source, target, tmp_path):
    frames, changes = KINDS[kind]
    write_native(source, frames, first, **changes)
    report = convert(source, target, J2K)
    assert report.verified_by == "pylibjpeg-openjpeg"
    assert_same_samples(target, frames)
    back = tmp_path / "back.dcm"
    assert convert(target, back, EXPLICIT).verified_by == "pydicom"
    assert_same_samples(back, frames)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_image_survives_jpeg_2000(data, source, target, tmp_path):
    dtype = data.draw(st.sampled_from(["u1", "i1", "u2", "i2"]))
    shape = data.draw(arrays.array_shapes(min_dims=3, max_dims=3, max_side=20))
    if dtype[0] == "u" and data.draw(st.booleans()):
        shape = (*shape, 3)
    bits = data.draw(st.integers(1, np.dtype(dtype).itemsize * 8))
    low, high = (0, 2**bits - 1) if dtype[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    frames = data.draw(arrays.arrays(dtype, shape, elements=st.integers(low, high)))
    write_native(source, frames, BitsStored=bits)
    convert(source, target, J2K)
    back = tmp_path / "back.dcm"
    convert(target, back, EXPLICIT)
    assert dcmread(back).PixelData == dcmread(source).PixelData


def test_signed_samples_without_their_sign_get_it(source, target):
    frames = noise((1, 9, 11), "i2", 12)
    write_native(source, frames & 0x0FFF, BitsStored=12)
    convert(source, target, J2K)
    assert_same_samples(target, frames)


@pytest.mark.parametrize("dtype", ["u2", "i2"])
def test_bits_above_high_bit_are_never_lost(dtype, source, target, tmp_path):
    frames = noise((1, 9, 11), dtype, 12)
    frames[0, 3, 3] ^= 0x1000
    write_native(source, frames, BitsStored=12)
    with pytest.raises(TranscodeUnsupported, match="above the 12 of BitsStored"):
        convert(source, target, J2K)
    convert(source, target, J2K, unused_bits="clear")
    assert_same_samples(target, noise((1, 9, 11), dtype, 12))
    convert(source, target, RLE)
    convert(target, tmp_path / "back.dcm", IMPLICIT)
    assert dcmread(tmp_path / "back.dcm").PixelData == frames.tobytes()
    convert(source, target, IMPLICIT)
    assert dcmread(target).PixelData == frames.tobytes()


def test_rgb_by_plane_becomes_color_by_pixel(source, target):
    frames = noise((2, 5, 7, 3), "u1")
    header = header_of(frames, PlanarConfiguration=1)
    write_file(source, EXPLICIT, header, native(frames.transpose(0, 3, 1, 2).tobytes(), vr="OB"))
    convert(source, target, J2K)
    assert_same_samples(target, frames)
    found = dcmread(target)
    assert (found.PhotometricInterpretation, found.PlanarConfiguration) == ("YBR_RCT", 0)


def test_subsampled_chroma_is_given_to_both_pixels(source, target):
    header = header_of(np.zeros((1, 1, 4, 3), "u1"), PhotometricInterpretation="YBR_FULL_422")
    write_file(source, EXPLICIT, header, native(bytes([1, 2, 80, 90, 3, 4, 81, 91]), vr="OB"))
    convert(source, target, J2K)
    expected = [[[1, 80, 90], [2, 80, 90], [3, 81, 91], [4, 81, 91]]]
    assert samples_of(target).tolist() == [expected]
    assert dcmread(target).PhotometricInterpretation == "YBR_FULL"


def test_subsampled_chroma_stays_as_it_is_from_native_to_native(source, target):
    header = header_of(np.zeros((1, 1, 2, 3), "u1"), PhotometricInterpretation="YBR_FULL_422")
    write_file(source, EXPLICIT, header, native(b"\1\2\3\4", vr="OB"))
    convert(source, target, IMPLICIT)
    assert dcmread(target).PixelData == b"\1\2\3\4"
    assert dcmread(target).PhotometricInterpretation == "YBR_FULL_422"


@pytest.mark.parametrize("target_syntax", [IMPLICIT, EXPLICIT])
def test_one_bit_and_32_bit_pixels_stay_native(source, target, target_syntax):
    one_bit = header_of(np.zeros((1, 8, 8), "u1"), BitsAllocated=1, BitsStored=1, HighBit=0)
    first = IMPLICIT if target_syntax == EXPLICIT else EXPLICIT
    write_file(source, first, one_bit, native(b"\x5a" * 8, implicit_vr=first == IMPLICIT))
    convert(source, target, target_syntax)
    assert dcmread(target).PixelData == b"\x5a" * 8
    write_native(source, noise((2, 3, 3), "u4"), first)
    convert(source, target, target_syntax)
    assert_same_samples(target, noise((2, 3, 3), "u4"))


@pytest.mark.parametrize(
    "frames", [noise((3, 3, 3), "u1"), noise((2, 5, 3), "i2")], ids=["8", "16"]
)
@pytest.mark.parametrize("target_syntax", TARGETS)
def test_big_endian_is_read_in_its_byte_order(source, target, frames, target_syntax):
    header = header_of(frames)
    header.add_new(0x7FE00010, "OW", _swapped(frames.tobytes()))
    data_set = DicomBytesIO()
    data_set.is_little_endian, data_set.is_implicit_VR = False, False
    write_dataset(data_set, header)
    meta = part10.header(SECONDARY_CAPTURE, SOP_INSTANCE_UID, BIG_ENDIAN)
    source.write_bytes(meta + data_set.getvalue())
    convert(source, target, target_syntax)
    assert_same_samples(target, frames)
    assert dcmread(target).Rows == frames.shape[1]


def _swapped(value: bytes) -> bytes:
    """Bytes as words of the other order; pydicom swaps no pixel data when it writes."""
    return np.frombuffer(value + b"\0" * (len(value) % 2), "<u2").byteswap().tobytes()


@pytest.mark.parametrize("target_syntax", TARGETS)
def test_deflated_is_inflated(source, target, target_syntax):
    frames = noise((1, 5, 7), "u2")
    data_set = encode(header_of(frames), implicit_vr=False) + native(frames.tobytes())
    _write_deflated(source, data_set)
    convert(source, target, target_syntax)
    assert_same_samples(target, frames)


def _write_deflated(path, data_set: bytes, keep: int | None = None) -> None:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = deflater.compress(data_set) + deflater.flush()
    meta = part10.header(SECONDARY_CAPTURE, SOP_INSTANCE_UID, DEFLATED)
    path.write_bytes(meta + deflated[:keep])


def test_a_deflated_bomb_is_refused(source, target, monkeypatch):
    monkeypatch.setattr("codec_support.MEMORY_BYTES", 4 << 20)
    bomb = element_header(0x00091001, "UN", 64 << 20, implicit_vr=False) + bytes(64 << 20)
    _write_deflated(source, bomb)
    with pytest.raises(CodecFailed, match="has more than 1048576 bytes"):
        convert(source, target, EXPLICIT)


def test_a_deflated_data_set_that_is_cut_off_is_refused(source, target):
    _write_deflated(source, encode(header_of(noise((1, 5, 7), "u2")), implicit_vr=False), keep=30)
    with pytest.raises(CodecFailed, match="cut off"):
        convert(source, target, EXPLICIT)


# --- compressed sources --------------------------------------------------------------------------

GREY, COLOUR = noise((1, 33, 35), "u2", 12), noise((1, 33, 35, 3), "u1")


def encode_jpeg_ls(frame):
    return bytes(imagecodecs.jpegls_encode(frame, out=frame.nbytes * 2 + 4096))


def encode_jpeg_lossless(frame):
    colour = {"colorspace": "RGB", "outcolorspace": "RGB"} if frame.ndim == 3 else {}
    bits = 8 if frame.dtype.itemsize == 1 else 12
    coded = imagecodecs.jpeg8_encode(
        frame, lossless=True, predictor=1, bitspersample=bits, **colour
    )
    return bytes(coded)


def encode_htj2k(frame):
    return bytes(imagecodecs.htj2k_encode(frame, reversible=True))


def encode_jpeg2000(frame):
    return bytes(imagecodecs.jpeg2k_encode(frame, codecformat="j2k", reversible=True))


def encode_rle(frame):
    return b"".join(
        rle.utils.encode_array(
            frame,
            rows=frame.shape[0],
            columns=frame.shape[1],
            samples_per_pixel=frame.shape[2] if frame.ndim == 3 else 1,
            bits_allocated=frame.dtype.itemsize * 8,
            number_of_frames=1,
        )
    )


LOSSLESS = {
    JPEG_LS: encode_jpeg_ls,
    JPEG_LOSSLESS: encode_jpeg_lossless,
    HTJ2K: encode_htj2k,
    J2K_LOSSY: encode_jpeg2000,
    RLE: encode_rle,
}


@pytest.mark.parametrize("target_syntax", TARGETS)
@pytest.mark.parametrize("frames", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("syntax", LOSSLESS)
def test_lossless_sources_keep_every_sample(syntax, frames, target_syntax, source, target):
    changes = {"BitsStored": 12} if frames is GREY else {}
    pixels = encapsulated([LOSSLESS[syntax](frame) for frame in frames])
    write_file(source, syntax, header_of(frames, **changes), pixels)
    convert(source, target, target_syntax)
    assert_same_samples(target, frames)
    assert "LossyImageCompression" not in dcmread(target)


@pytest.mark.parametrize("target_syntax", TARGETS)
def test_signed_samples_in_unsigned_codestreams_get_their_sign_back(target_syntax, source, target):
    frames = noise((1, 33, 35), "i2", 12)
    masked = encode_jpeg_lossless(frames[0].view("u2") & 0x0FFF)
    write_file(source, JPEG_LOSSLESS, header_of(frames, BitsStored=12), encapsulated([masked]))
    convert(source, target, target_syntax)
    assert_same_samples(target, frames)


@pytest.mark.parametrize("target_syntax", [EXPLICIT, J2K])
def test_lossy_sources_say_so_afterwards(target_syntax, source, target):
    coded = bytes(imagecodecs.jpeg8_encode(COLOUR[0], level=90))
    header = header_of(COLOUR, PhotometricInterpretation="YBR_FULL_422")
    write_file(source, JPEG_BASELINE, header, encapsulated([coded]))
    convert(source, target, target_syntax)
    found = dcmread(target)
    assert found.LossyImageCompression == "01"
    assert found.PhotometricInterpretation == "YBR_FULL"
    assert found.SOPInstanceUID == SOP_INSTANCE_UID


def test_irreversible_jpeg_2000_says_so_afterwards(source, target):
    coded = bytes(
        imagecodecs.jpeg2k_encode(COLOUR[0], level=40, codecformat="j2k", reversible=False)
    )
    header = header_of(COLOUR, PhotometricInterpretation="YBR_ICT", LossyImageCompression="00")
    write_file(source, J2K_LOSSY, header, encapsulated([coded]))
    convert(source, target, EXPLICIT)
    found = dcmread(target)
    assert (found.LossyImageCompression, found.PhotometricInterpretation) == ("01", "RGB")


def test_frames_of_several_fragments_are_put_together(source, target):
    frames = noise((2, 33, 35), "u2", 12)
    halves = [part for frame in frames for part in _halves(encode_htj2k(frame))]
    write_file(source, HTJ2K, header_of(frames, BitsStored=12), encapsulated(halves))
    convert(source, target, J2K)
    assert_same_samples(target, frames)


def _halves(data: bytes) -> tuple[bytes, bytes]:
    middle = len(data) // 4 * 2
    return data[:middle], data[middle:]


def test_an_extended_offset_table_goes_with_its_fragments(source, target):
    frames = noise((2, 33, 35), "u2", 12)
    header = header_of(frames, BitsStored=12)
    header.ExtendedOffsetTable = struct.pack("<2Q", 0, 5000)
    header.ExtendedOffsetTableLengths = struct.pack("<2Q", 1, 2)
    write_file(source, HTJ2K, header, encapsulated([encode_htj2k(frame) for frame in frames]))
    convert(source, target, J2K)
    assert_same_samples(target, frames)
    assert "ExtendedOffsetTable" not in dcmread(target)
    assert "ExtendedOffsetTableLengths" not in dcmread(target)


def test_multi_frame_results_have_an_offset_table(source, target):
    frames = noise((3, 33, 35), "u2")
    write_native(source, frames)
    convert(source, target, J2K)
    value = dcmread(target).PixelData
    offsets = struct.unpack_from("<3I", value, 8)
    found = [value[20 + offset + 8 :][:4] for offset in offsets]
    assert found == [b"\xff\x4f\xff\x51"] * 3
    assert len(list(generate_frames(value, number_of_frames=3))) == 3


# --- what is around the pixels -------------------------------------------------------------------


def test_the_same_syntax_is_copied_byte_for_byte(source, target):
    write_native(source, noise((1, 3, 3), "u1"))
    source.write_bytes(source.read_bytes() + b"garbage after the data set")
    report = convert(source, target, EXPLICIT)
    assert target.read_bytes() == source.read_bytes()
    assert (report.changed, report.verified_by) == (False, "")


def test_elements_after_pixel_data_are_kept_without_padding(source, target):
    frames = noise((1, 3, 3), "u1")
    after = element_header(0x7FE10010, "LO", 4, implicit_vr=False) + b"ACME"
    padding = element_header(0xFFFCFFFC, "OB", 4, implicit_vr=False) + b"\0\0\0\0"
    pixels = native(frames.tobytes(), vr="OB")
    write_file(source, EXPLICIT, header_of(frames), pixels, after + padding)
    for syntax in (IMPLICIT, J2K):
        convert(source, target, syntax)
        found = dcmread(target)
        assert found[0x7FE10010].value == "ACME"
        assert 0xFFFCFFFC not in found
        assert_same_samples(target, frames)


def without_pixels(path):
    header = Dataset()
    header.SOPClassUID, header.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.11", SOP_INSTANCE_UID
    header.PatientName = "No^Pixels"
    return write_file(path, IMPLICIT, header, b"")


def test_without_pixel_data_only_the_header_is_encoded_anew(source, target):
    report = convert(without_pixels(source), target, EXPLICIT)
    assert report.verified_by == "pydicom"
    found = dcmread(target)
    assert found.file_meta.TransferSyntaxUID == EXPLICIT
    assert found.PatientName == "No^Pixels"


def test_without_pixel_data_there_is_nothing_to_compress(source, target):
    report = convert(without_pixels(source), target, J2K)
    assert (report.changed, report.target_syntax_uid) == (False, IMPLICIT)
    assert target.read_bytes() == source.read_bytes()


ICON = 0x00880200
REFERENCED_IMAGE = 0x00081140
SMALL = noise((1, 3, 5), "u1")


@pytest.mark.parametrize("target_syntax", [EXPLICIT, J2K, RLE])
@pytest.mark.parametrize("tag", [ICON, REFERENCED_IMAGE], ids=["icon", "other"])
@pytest.mark.parametrize("delimited", [False, True], ids=["by length", "by delimiters"])
def test_pixels_in_items_are_native_afterwards(tag, delimited, target_syntax, source, target):
    coded = encapsulated([encode_jpeg_ls(COLOUR[0])])
    for pixels in (native(SMALL.tobytes(), vr="OB"), encapsulated([encode_jpeg_ls(SMALL[0])])):
        sequence = in_an_item(tag, header_of(SMALL), pixels, delimited=delimited)
        write_file(source, JPEG_LS, header_of(COLOUR), sequence + coded)
        convert(source, target, target_syntax)
        found = dcmread(target)
        assert found[tag].value[0].PixelData[: SMALL.nbytes] == SMALL.tobytes()
        assert_same_samples(target, COLOUR)


@pytest.mark.parametrize("delimited", [False, True], ids=["by length", "by delimiters"])
def test_pixels_in_items_of_items_are_native_afterwards(delimited, source, target):
    coded = encapsulated([encode_jpeg_ls(COLOUR[0])])
    small = encapsulated([encode_jpeg_ls(SMALL[0])])
    inner = in_an_item(ICON, header_of(SMALL), small, delimited=delimited)
    outer = in_an_item(REFERENCED_IMAGE, Dataset(), inner, delimited=delimited)
    write_file(source, JPEG_LS, header_of(COLOUR), outer + coded)
    convert(source, target, EXPLICIT)
    icon = dcmread(target)[REFERENCED_IMAGE].value[0][ICON].value[0]
    assert icon.PixelData[: SMALL.nbytes] == SMALL.tobytes()


def test_a_whole_file_inside_an_element_is_left_alone(source, target):
    """Such as a DICOM file, compressed too, in a private element: it is no item."""
    file = write_file(source, JPEG_LS, header_of(SMALL), encapsulated([encode_jpeg_ls(SMALL[0])]))
    inside = file.read_bytes() + b"\0" * (file.stat().st_size % 2)
    element = element_header(0x00091001, "OB", len(inside), implicit_vr=False) + inside
    pixels = encapsulated([encode_jpeg_ls(COLOUR[0])])
    write_file(source, JPEG_LS, header_of(COLOUR), element + pixels)
    convert(source, target, EXPLICIT)
    assert dcmread(target)[0x00091001].value == inside


def test_an_icon_that_cannot_be_decoded_goes(source, target):
    coded = encapsulated([encode_jpeg_ls(COLOUR[0])])
    sequence = in_an_item(ICON, header_of(SMALL), encapsulated([b"nonsense"]))
    write_file(source, JPEG_LS, header_of(COLOUR), sequence + coded)
    convert(source, target, EXPLICIT)
    assert "IconImageSequence" not in dcmread(target)


def test_other_pixels_in_items_that_cannot_be_decoded_are_a_refusal(source, target):
    coded = encapsulated([encode_jpeg_ls(COLOUR[0])])
    sequence = in_an_item(REFERENCED_IMAGE, header_of(SMALL), encapsulated([b"nonsense"]))
    write_file(source, JPEG_LS, header_of(COLOUR), sequence + coded)
    with pytest.raises(TranscodeUnsupported, match="encapsulated Pixel Data of its own"):
        convert(source, target, EXPLICIT)


def test_the_report_says_what_was_done(source, target):
    write_native(source, noise((1, 9, 11), "u2"))
    report = convert(source, target, J2K, verify=False)
    assert (report.source_syntax_uid, report.target_syntax_uid) == (EXPLICIT, J2K)
    assert report.sop_instance_uid == SOP_INSTANCE_UID
    assert report.source_bytes == source.stat().st_size
    assert report.target_bytes == target.stat().st_size
    assert report.codec_seconds > 0
    assert (report.verified_by, report.changed) == ("", True)


# --- refusals ------------------------------------------------------------------------------------


def with_j2k_encoder(monkeypatch, encode_frame):
    codec = table.CODECS[J2K]
    monkeypatch.setitem(table.CODECS, J2K, replace(codec, encode=encode_frame))
    return codec.encode


def test_one_sample_that_differs_is_found_by_the_other_library(source, target, monkeypatch):
    def encode_badly(frame, image):
        wrong = frame.copy()
        wrong[0, 0] ^= 1
        return good(wrong, image)

    good = with_j2k_encoder(monkeypatch, encode_badly)
    write_native(source, noise((2, 9, 11), "u2"))
    with pytest.raises(VerificationFailed, match=r"frame 1: pylibjpeg-openjpeg read other"):
        convert(source, target, J2K)


def test_an_encoder_that_writes_nonsense_is_found(source, target, monkeypatch):
    with_j2k_encoder(monkeypatch, lambda frame, image: b"\xff\x4f\xff\x51nonsense")
    write_native(source, noise((1, 9, 11), "u2"))
    with pytest.raises(VerificationFailed, match="cannot be read back"):
        convert(source, target, J2K)


def test_an_encoder_that_fails_is_named_with_the_frame(source, target, monkeypatch):
    def fail(frame, image):
        raise RuntimeError("no")

    with_j2k_encoder(monkeypatch, fail)
    write_native(source, noise((1, 9, 11), "u2"))
    with pytest.raises(CodecFailed, match="frame 1: it cannot be encoded: no"):
        convert(source, target, J2K)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.94"])
def test_video_and_referenced_pixels_are_passed_on_only(syntax, source, target):
    write_file(source, syntax, header_of(COLOUR), encapsulated([b"\0\0\0\1video"]))
    with pytest.raises(TranscodeUnsupported, match="passed on as it is"):
        convert(source, target, EXPLICIT)


@pytest.mark.parametrize("uid", ["1.2.3", "", "nonsense"])
def test_unknown_target_syntaxes_are_refused(uid, source, target):
    write_native(source, COLOUR)
    with pytest.raises(TranscodeUnsupported, match="no transfer syntax"):
        convert(source, target, uid)


@pytest.mark.parametrize("keep", [0, 100, 140, 600])
@pytest.mark.parametrize("target_syntax", [IMPLICIT, J2K])
def test_files_that_are_cut_off_are_refused(keep, target_syntax, source, target):
    write_native(source, noise((1, 33, 35), "u2"))
    source.write_bytes(source.read_bytes()[:keep])
    with pytest.raises((CodecFailed, TranscodeUnsupported)):
        convert(source, target, target_syntax)


@pytest.mark.parametrize("where", ["before pixels", "after pixels"])
def test_elements_behind_a_stray_delimiter_are_not_lost_silently(where, source, target):
    frames = noise((1, 3, 3), "u1")
    delimiter = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    after = element_header(0x7FE10010, "LO", 4, implicit_vr=False) + b"ACME"
    pixels = native(frames.tobytes(), vr="OB")
    parts = delimiter + pixels if where == "before pixels" else pixels + delimiter
    write_file(source, EXPLICIT, header_of(frames), parts, after)
    with pytest.raises(CodecFailed, match="ends in a delimiter"):
        convert(source, target, IMPLICIT)


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_codestreams_that_are_cut_off_are_refused(syntax, source, target):
    coded = LOSSLESS[syntax](GREY[0])
    pixels = encapsulated([coded[: len(coded) // 4 * 2]])
    write_file(source, syntax, header_of(GREY, BitsStored=12), pixels)
    with pytest.raises(CodecFailed, match=r"frame 1: it cannot be decoded|cut off"):
        convert(source, target, EXPLICIT)


def test_a_later_frame_of_another_size_is_refused(source, target):
    frames = noise((2, 33, 35), "u2", 12)
    other = encode_htj2k(noise((33, 36), "u2", 12))
    pixels = encapsulated([encode_htj2k(frames[0]), other])
    write_file(source, HTJ2K, header_of(frames, BitsStored=12), pixels)
    with pytest.raises(CodecFailed, match="33x36"):
        convert(source, target, EXPLICIT)


def test_rle_of_another_number_of_segments_is_refused(source, target):
    header = header_of(noise((1, 33, 35), "u1"))
    write_file(source, RLE, header, encapsulated([encode_rle(GREY[0])]))
    with pytest.raises(CodecFailed, match="2 RLE segments"):
        convert(source, target, EXPLICIT)


def test_an_existing_target_is_never_overwritten(source, target):
    write_native(source, COLOUR)
    before = source.read_bytes()
    job = Job(source, source, known(J2K), TranscodeOptions(), source.parent)
    with pytest.raises(FileExistsError):
        transcode(job, [J2K], Limits(1 << 30, lambda size: None))
    assert source.read_bytes() == before
