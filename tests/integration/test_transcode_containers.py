"""Codestreams in every kind of container: fragments, offset tables, JPEG XL; and what has none.

The rules are those of the matrix, whose table says what becomes of the pixels.
"""

import struct
from pathlib import Path

import imagecodecs
import independent
import pydicom
import pytest
from codec_support import (
    BIG_ENDIAN,
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
    convert,
    encapsulated,
    write_file,
)
from matrix import COLUMNS, Check, Target, outcome, outcomes
from pixel_kinds import KINDS
from pydicom import Dataset, dcmread

from gateway.dicom import syntaxes
from gateway.errors import CodecFailed, TranscodeUnsupported

BUNDLED = Path(pydicom.__file__).parent / "data" / "test_files"
KIND = KINDS["multi-frame"]
JPEG_XL_LOSSLESS = "1.2.840.10008.1.2.4.110"
CHECK = Check(KIND.words, KIND.words, KIND.bits, is_natural=True)
# One of each group is enough: what follows from the pixels is in the matrix.
TARGETS = [targets[0] for targets in COLUMNS.values()]


def fragments_of(uid: str, parts: int) -> tuple[list[bytes], list[int]]:
    """Each frame in so many fragments of even length; and the offset of each frame's first."""
    fragments, offsets, at = [], [], 0
    for codestream in KIND.codestreams(uid):
        codestream += b"\0" * (len(codestream) % 2)
        offsets.append(at)
        size = max(2, len(codestream) // parts // 2 * 2)
        pieces = [codestream[start : start + size] for start in range(0, size * parts, size)]
        pieces[-1] += codestream[size * parts :]
        fragments += pieces
        at += sum(8 + len(piece) for piece in pieces)
    return fragments, offsets


def table(offsets: list[int]) -> bytes:
    return struct.pack(f"<{len(offsets)}I", *offsets)


TABLES = {
    "no table": lambda offsets: b"",
    "its table": table,
    "the table of something else": lambda offsets: table([offset + 6 for offset in offsets]),
    "a table that begins late": lambda offsets: table([8, *offsets[1:]]),
    "a table that is too short": lambda offsets: table(offsets[:2]),
    "a table that is too long": lambda offsets: table([*offsets, offsets[-1] + 8]),
    "a table of odd length": lambda offsets: table(offsets)[:-2],
}


def as_asked(uid: str) -> dict[str, str]:
    """What becomes of KIND in TARGETS."""
    cells = {"near": "~", "rate": "~", "jpg": "bits", "j12": "~", "xyb": "~"}
    return {
        target.name: "copy" if target.uid == uid else cells.get(column, "=")
        for column, target in zip(COLUMNS, TARGETS, strict=True)
    }


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("uid", [HTJ2K, J2K, JPEG_LOSSLESS, JPEG_LS])
@pytest.mark.parametrize("parts", [1, 3])
def test_frames_are_found_whatever_the_offset_table_says(parts, uid, name, tmp_path):
    fragments, offsets = fragments_of(uid, parts)
    source = tmp_path / "source.dcm"
    write_file(source, uid, KIND.dataset(), encapsulated(fragments, TABLES[name](offsets)))
    for target in (Target(EXPLICIT), Target(JPEG_XL_LOSSLESS), Target(RLE)):
        assert outcome(source, tmp_path / "result.dcm", target, CHECK) == "="


@pytest.mark.parametrize("uid", [HTJ2K, RLE])
def test_an_extended_offset_table_is_as_good(uid, tmp_path):
    fragments, offsets = fragments_of(uid, parts=1)
    header = KIND.dataset()
    header.ExtendedOffsetTable = struct.pack(f"<{len(offsets)}Q", *offsets)
    header.ExtendedOffsetTableLengths = struct.pack(f"<{len(offsets)}Q", *map(len, fragments))
    source = write_file(tmp_path / "source.dcm", uid, header, encapsulated(fragments))
    found = {
        target.name: outcome(source, tmp_path / "result.dcm", target, CHECK) for target in TARGETS
    }
    assert found == as_asked(uid)


def test_frames_of_rle_that_cannot_be_told_apart_are_refused(tmp_path):
    """It has no marker that begins a frame, and one fragment for each (PS3.5 A.4.2)."""
    fragments, _ = fragments_of(RLE, parts=2)
    source = write_file(tmp_path / "source.dcm", RLE, KIND.dataset(), encapsulated(fragments))
    with pytest.raises(CodecFailed, match="10 fragments cannot be told apart into 5 frames"):
        convert(source, tmp_path / "result.dcm", EXPLICIT)


@pytest.mark.parametrize("name", TABLES)
def test_fragments_and_tables_stay_when_only_the_label_changes(name, tmp_path):
    fragments, offsets = fragments_of(J2K, parts=3)
    pixels = encapsulated(fragments, TABLES[name](offsets))
    source = write_file(tmp_path / "source.dcm", J2K, KIND.dataset(), pixels)
    result = tmp_path / "result.dcm"
    convert(source, result, J2K_LOSSY)
    assert dcmread(result).PixelData == dcmread(source).PixelData


# --- JPEG in JPEG XL -----------------------------------------------------------------------------

JPEG_IN_JPEG_XL = "1.2.840.10008.1.2.4.111"


def jpeg_of(name, **how):
    return [bytes(imagecodecs.jpeg8_encode(frame, level=85, **how)) for frame in KINDS[name].words]


JPEGS = {
    "grey": ("8 bit", "MONOCHROME2", {}, "8 bit"),
    "YCbCr, 4:2:2": ("RGB", "YBR_FULL_422", {"subsampling": "422"}, "YBR_FULL"),
    "YCbCr, 4:2:0": ("RGB", "YBR_FULL_422", {"subsampling": "420"}, "YBR_FULL"),
    "RGB": ("RGB", "RGB", {"colorspace": "RGB", "outcolorspace": "RGB"}, "RGB"),
    "multi-frame": ("multi-frame of RGB", "YBR_FULL_422", {"subsampling": "422"}, "YBR_FULL"),
}


@pytest.fixture
def write_jpeg(tmp_path):
    def write(name):
        kind, photometric, how, _ = JPEGS[name]
        header = KINDS[kind].dataset()
        header.PhotometricInterpretation = photometric
        pixels = encapsulated(jpeg_of(kind, **how))
        return write_file(tmp_path / "source.dcm", JPEG_BASELINE, header, pixels)

    return write


@pytest.mark.parametrize("name", JPEGS)
def test_jpeg_comes_back_from_jpeg_xl_bit_by_bit(name, write_jpeg, tmp_path):
    source, recompressed, back = write_jpeg(name), tmp_path / "jpegxl.dcm", tmp_path / "back.dcm"
    report = convert(source, recompressed, JPEG_IN_JPEG_XL)
    assert report.lossy is False
    coded = independent.frames_of(dcmread(recompressed))
    original = [frame.rstrip(b"\0") for frame in independent.frames_of(dcmread(source))]
    assert [imagecodecs.jpegxl_decode_jpeg(frame) for frame in coded] == original
    convert(recompressed, back, JPEG_BASELINE)
    assert [frame.rstrip(b"\0") for frame in independent.frames_of(dcmread(back))] == original
    for path in (recompressed, back):
        found = dcmread(path)
        assert found.LossyImageCompression == "01"
        assert found.LossyImageCompressionMethod == "ISO_10918_1"
        assert found.SOPInstanceUID == SOP_INSTANCE_UID


def test_what_was_lossy_in_jpeg_xl_is_the_jpeg(tmp_path):
    """Said also where its writer forgot to say so."""
    coded = [bytes(imagecodecs.jpegxl_encode_jpeg(frame)) for frame in jpeg_of("8 bit")]
    header, pixels = KINDS["8 bit"].dataset(), encapsulated(coded)
    source = write_file(tmp_path / "source.dcm", JPEG_IN_JPEG_XL, header, pixels)
    convert(source, tmp_path / "result.dcm", EXPLICIT)
    found = dcmread(tmp_path / "result.dcm")
    assert found.LossyImageCompression == "01"
    assert found.LossyImageCompressionMethod == "ISO_10918_1"


@pytest.mark.parametrize("name", JPEGS)
def test_jpeg_in_jpeg_xl_is_read_as_the_jpeg(name, write_jpeg, tmp_path):
    source, recompressed = write_jpeg(name), tmp_path / "jpegxl.dcm"
    convert(source, recompressed, JPEG_IN_JPEG_XL)
    [samples] = independent.read(source).values()
    for target in (Target(EXPLICIT), Target(J2K), Target(RLE)):
        assert (
            outcome(
                recompressed,
                tmp_path / "result.dcm",
                target,
                Check(samples, samples, was_lossy=True),
            )
            == "="
        )


@pytest.mark.parametrize("name", ["8 bit", "RGB", "12 bit"])
def test_only_jpeg_is_recompressed_as_jpeg_xl(name, tmp_path):
    native = KINDS[name].write_native(tmp_path / "native.dcm")
    coded = KINDS[name].write_coded(tmp_path / "coded.dcm", JPEG_LOSSLESS)
    for source in (native, coded):
        with pytest.raises(TranscodeUnsupported, match="there is no encoder for JPEGXLJPEGRecomp"):
            convert(source, tmp_path / "result.dcm", JPEG_IN_JPEG_XL)


# --- what is passed on as it is ------------------------------------------------------------------

OTHERS = [
    syntax.uid
    for syntax in syntaxes.ALL
    if syntax.uid != JPEG_IN_JPEG_XL
    and all(syntax.uid != target.uid for targets in COLUMNS.values() for target in targets)
]


@pytest.mark.parametrize("uid", OTHERS, ids=syntaxes.label)
def test_nothing_is_made_that_nobody_here_can_write(uid, tmp_path):
    """Video, JPIP, multi-component JPEG 2000, Big Endian: it is retired (PS3.5 A.3)."""
    source = KIND.write_native(tmp_path / "source.dcm")
    with pytest.raises(TranscodeUnsupported, match="there is no encoder for"):
        convert(source, tmp_path / "result.dcm", uid)
    assert not (tmp_path / "result.dcm").exists()


@pytest.mark.parametrize("uid", [uid for uid in OTHERS if uid != BIG_ENDIAN], ids=syntaxes.label)
def test_what_nobody_here_can_read_is_passed_on_as_it_is(uid, tmp_path):
    pixels = encapsulated([b"\0\0\1\xb3" + bytes(60)])
    source = write_file(tmp_path / "source.dcm", uid, KIND.dataset(), pixels)
    result = tmp_path / "result.dcm"
    assert outcome(source, result, Target(uid), CHECK) == "copy"
    for target in (Target(EXPLICIT), Target(J2K)):
        with pytest.raises(TranscodeUnsupported, match="passed on as it is"):
            convert(source, result, target.uid)


def _document() -> Dataset:
    document = Dataset()
    document.SOPClassUID, document.SOPInstanceUID = SECONDARY_CAPTURE, SOP_INSTANCE_UID
    document.MIMETypeOfEncapsulatedDocument = "application/pdf"
    document.EncapsulatedDocument = b"%PDF-1.7 " + bytes(range(256)) + b" "
    return document


@pytest.fixture
def without_pixels(tmp_path):
    """A structured report, a waveform, an encapsulated document."""
    document = write_file(tmp_path / "document.dcm", EXPLICIT, _document(), b"")
    return {
        "document": document,
        "report": BUNDLED / "test-SR.dcm",
        "waveform": BUNDLED / "waveform_ecg.dcm",
        "plan": BUNDLED / "rtplan.dcm",
    }


@pytest.mark.parametrize("name", ["document", "report", "waveform", "plan"])
def test_without_pixels_every_value_stays_and_nothing_is_compressed(name, without_pixels, tmp_path):
    source = without_pixels[name]
    uid = dcmread(source).file_meta.TransferSyntaxUID
    found = outcomes(source, tmp_path / "result.dcm", Check(None, None))
    native = {target.name: "bytes" for target in COLUMNS["nat"] if target.uid != uid}
    assert found == dict.fromkeys(found, "copy") | native
    assert syntaxes.label(IMPLICIT) in found
