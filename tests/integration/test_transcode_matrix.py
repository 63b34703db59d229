"""Every kind of pixels, in every syntax that has it, becomes in all others what the table says.

What becomes of a source in another syntax follows by the rules of matrix.expected: it has the same
pixels. Every result is read by all other decoders there are (independent.py), and its header judged
by the standard's rules (header_rules.py).
"""

import imagecodecs
import independent
import numpy as np
import pytest
from codec_support import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    RLE,
    encapsulated,
    write_file,
)
from matrix import COLUMNS, Check, Target, expected, outcome, outcomes
from matrix_table import TABLE
from pixel_kinds import KINDS, OVERLAY_ELEMENTS
from pydicom import dcmread
from pydicom.filewriter import dcmwrite

from gateway.dicom import syntaxes


def check_of(name: str) -> Check:
    kind = KINDS[name]
    return Check(
        words=kind.words,
        samples=kind.words if kind.samples is None else kind.samples,
        bits=kind.bits,
        in_memory=kind.dataset().PhotometricInterpretation,
        may_differ=OVERLAY_ELEMENTS if "overlay" in name else (),
        is_natural=kind.is_natural,
    )


def test_every_kind_of_pixels_is_in_the_table():
    assert TABLE.keys() == KINDS.keys()


@pytest.mark.parametrize("name", KINDS)
def test_native_kind(name, tmp_path):
    source = KINDS[name].write_native(tmp_path / "source.dcm")
    found = outcomes(source, tmp_path / "result.dcm", check_of(name))
    assert found == expected(TABLE[name], EXPLICIT)


@pytest.mark.parametrize("uid", independent.LOSSLESS_ENCODERS, ids=syntaxes.label)
def test_garbage_above_high_bit_goes_when_that_is_asked_for(uid, tmp_path):
    kind = KINDS["garbage above HighBit"]
    source, result = kind.write_native(tmp_path / "source.dcm"), tmp_path / "result.dcm"
    target = Target(uid, {"unused_bits": "clear"})
    assert outcome(source, result, target, check_of("garbage above HighBit")) == "="


# --- sources in other syntaxes -------------------------------------------------------------------

# What differs between sources shows in these; the others are in the full matrix.
TELLING = (
    "12 bit, signed",
    "RGB",
    "YBR_FULL",
    "PALETTE COLOR",
    "multi-frame",
    "1x1 of RGB",
)
# Pixels that nobody compresses, or that are not encapsulated like this.
NATIVE_ONLY = ("1 bit", "32 bit", "32 bit of RGB", "float", "double float", "YBR_FULL_422")
# What pydicom writes in Big Endian as if it were Little Endian: words that are not Pixel Data.
NOT_IN_BIG_ENDIAN = (*NATIVE_ONLY, "PALETTE COLOR", "PALETTE COLOR of 16 bit")
CODED = tuple(independent.LOSSLESS_ENCODERS)


def _cases(source_uids, can_be):
    """Source and kind, for each that can be; those that are not telling, in the full matrix."""
    return [
        pytest.param(
            uid,
            name,
            marks=[] if name in TELLING else [pytest.mark.long],
            id=f"{syntaxes.label(uid)}: {name}",
        )
        for uid in source_uids
        for name in KINDS
        if can_be(uid, name)
    ]


def _can_be_native(uid, name):
    return name not in (NOT_IN_BIG_ENDIAN if uid == BIG_ENDIAN else ("float", "double float"))


def _can_be_coded(uid, name):
    """Only RLE has words with something above High Bit."""
    if name in NATIVE_ONLY or (KINDS[name].samples is not None and uid != RLE):
        return False
    [cell] = (TABLE[name][column] for column, uids in LOSSLESS_COLUMNS.items() if uid in uids)
    return cell == "="


LOSSLESS_COLUMNS = {
    column: [target.uid for target in targets]
    for column, targets in COLUMNS.items()
    if column in ("jll", "ls", "ls81", "j2k", "j91", "rle", "jxl")
}


@pytest.mark.parametrize(("uid", "name"), _cases([IMPLICIT, DEFLATED, BIG_ENDIAN], _can_be_native))
def test_kind_that_is_encoded_otherwise(uid, name, tmp_path):
    """In Implicit VR, deflated, or in Big Endian; by pydicom."""
    dataset = dcmread(KINDS[name].write_native(tmp_path / "explicit.dcm"))
    if uid == BIG_ENDIAN and dataset["PixelData"].VR == "OW":
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").byteswap().tobytes()
    dataset.file_meta.TransferSyntaxUID = uid
    source = tmp_path / "source.dcm"
    dcmwrite(source, dataset, implicit_vr=uid == IMPLICIT, little_endian=uid != BIG_ENDIAN,
             force_encoding=True)  # fmt: skip
    found = outcomes(source, tmp_path / "result.dcm", check_of(name))
    assert found == expected(TABLE[name], uid)


@pytest.mark.parametrize(("uid", "name"), _cases(CODED, _can_be_coded))
def test_kind_that_is_coded_without_loss(uid, name, tmp_path):
    source = KINDS[name].write_coded(tmp_path / "source.dcm", uid)
    found = outcomes(source, tmp_path / "result.dcm", check_of(name))
    assert found == expected(TABLE[name], uid)


# --- sources that are lossy ----------------------------------------------------------------------

GREY, DEEP, SIGNED = KINDS["8 bit"], KINDS["12 bit"], KINDS["12 bit, signed"]
COLOUR = KINDS["RGB"]
IN_MEMORY = {"colorspace": "RGB", "outcolorspace": "RGB"}
JPEG, JPEG_12, NEAR_LOSSLESS, J2K_LOSSY, HTJ2K_LOSSY, JPEG_XL = (
    f"1.2.840.10008.1.2.4.{ending}" for ending in ("50", "51", "81", "91", "203", "112")
)


def _jpeg(frame, **how):
    return imagecodecs.jpeg8_encode(frame, level=85, **how)


def _irreversible(frame, **how):
    return imagecodecs.jpeg2k_encode(frame, level=45, codecformat="j2k", reversible=False, **how)


# Syntax, kind, the photometric interpretation in the file, the encoder; and the row that it
# follows: that of the colours which it decodes to.
LOSSY = {
    "JPEG": (JPEG, GREY, None, _jpeg, "8 bit"),
    "JPEG of 12 bit": (
        JPEG_12, DEEP, None, lambda frame: _jpeg(frame, bitspersample=12), "12 bit"
    ),
    "JPEG of YCbCr, 4:2:2": (
        JPEG, COLOUR, "YBR_FULL_422", lambda frame: _jpeg(frame, subsampling="422"), "YBR_FULL"
    ),
    "JPEG of YCbCr, 4:2:0": (
        JPEG, COLOUR, "YBR_FULL_422", lambda frame: _jpeg(frame, subsampling="420"), "YBR_FULL"
    ),
    "JPEG of YCbCr, 4:4:4": (
        JPEG, COLOUR, "YBR_FULL", lambda frame: _jpeg(frame, subsampling="444"), "YBR_FULL"
    ),
    "JPEG of RGB": (JPEG, COLOUR, "RGB", lambda frame: _jpeg(frame, **IN_MEMORY), "RGB"),
    "near-lossless JPEG-LS": (
        NEAR_LOSSLESS, DEEP, None,
        lambda frame: imagecodecs.jpegls_encode(frame, level=5, out=1 << 20), "12 bit",
    ),
    "irreversible JPEG 2000": (
        J2K_LOSSY, SIGNED, None,
        lambda frame: _irreversible(frame, bitspersample=12), "12 bit, signed",
    ),
    "irreversible JPEG 2000 of YBR_ICT": (
        J2K_LOSSY, COLOUR, "YBR_ICT", lambda frame: _irreversible(frame, mct=True), "RGB"
    ),
    "irreversible HTJ2K": (
        HTJ2K_LOSSY, GREY, None,
        lambda frame: imagecodecs.htj2k_encode(frame, level=0.004, reversible=False), "8 bit",
    ),
    "JPEG XL": (
        JPEG_XL, DEEP, None,
        lambda frame: imagecodecs.jpegxl_encode(frame, level=80, bitspersample=12), "12 bit",
    ),
    "JPEG XL of XYB": (
        JPEG_XL, COLOUR, "XYB", lambda frame: imagecodecs.jpegxl_encode(frame, level=80), "RGB"
    ),
}  # fmt: skip


def write_lossy(path, name):
    uid, kind, photometric, encode, _ = LOSSY[name]
    header = kind.dataset()
    header.PhotometricInterpretation = photometric or header.PhotometricInterpretation
    codestreams = [bytes(encode(frame)) for frame in kind.words]
    return write_file(path, uid, header, encapsulated(codestreams))


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_source_becomes_what_it_decodes_to(name, tmp_path):
    """Its samples are those that another decoder finds, and it is lossy for ever."""
    uid, kind, _, _, row = LOSSY[name]
    source = write_lossy(tmp_path / "source.dcm", name)
    samples = next(iter(independent.read(source).values()))
    check = Check(samples, samples, kind.bits, "YBR_FULL" if row == "YBR_FULL" else "RGB",
                  is_natural=True, was_lossy=True)  # fmt: skip
    found = outcomes(source, tmp_path / "result.dcm", check)
    assert found == expected(TABLE[row], uid)
