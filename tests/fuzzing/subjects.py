"""What is mutated: for each kind of source a few small good files, made by the codecs themselves.

They differ in what a decoder has to look at: depth, sign, colours, tables, tiles, interleaving,
frames and fragments.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import imagecodecs
import jpeg_ls
import numpy as np
import rle.rle
from codec_support import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    encapsulated,
    header_of,
    in_an_item,
    noise,
)
from pydicom import Dataset

from gateway.codecs import headers

_ICON = 0x00880200
_J = "1.2.840.10008.1.2.4."
Encode = Callable[[np.ndarray], bytes]


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A good file in pieces. header: what stands before Pixel Data; extra: more of it, encoded
    already. codestreams: one for each frame, or the one value of native Pixel Data.
    """

    syntax_uid: str
    header: Dataset
    codestreams: Sequence[bytes]
    extra: bytes = b""
    has_offsets: bool = False
    fragments_per_frame: int = 1

    @property
    def is_encapsulated(self) -> bool:
        return self.syntax_uid not in (EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED)


def _image(rows: int, columns: int, dtype: str, bits: int, samples: int = 1) -> np.ndarray:
    """A gradient with noise in its lowest bits: codecs find runs, edges and incompressible rest."""
    shape = (rows, columns) if samples == 1 else (rows, columns, samples)
    size = np.dtype(dtype)
    slope = np.add.outer(np.arange(rows), np.arange(columns)) << max(0, bits - 7)
    slope = slope if samples == 1 else np.stack([slope, slope.T if rows == columns else slope * 2,
                                                 slope[::-1]], axis=-1)  # fmt: skip
    values = slope + noise(shape, "u2", max(1, bits // 3))
    wrapped = values % (1 << bits) - ((1 << bits - 1) if size.kind == "i" else 0)
    return np.ascontiguousarray(wrapped.astype(size))


def _subject(
    ending: str, frames: Sequence[np.ndarray], encode: Encode, bits: int, **changes: Any
) -> Subject:
    """A file in 1.2.840.10008.1.2.4.`ending`, or in the syntax with that UID."""
    syntax_uid = ending if ending.startswith("1.") else _J + ending
    described = np.stack(frames)
    header = header_of(described, BitsStored=bits, **changes)
    several = len(frames) > 1
    return Subject(
        syntax_uid,
        header,
        [encode(frame) for frame in frames],
        has_offsets=several,
        fragments_per_frame=3 if several else 1,
    )


# --- the encoders, each with options that the gateway itself does not use ------------------------

GREY8 = _image(32, 24, "u1", 8)
GREY12 = _image(24, 32, "u2", 12)
GREY16 = _image(17, 33, "u2", 16)
SIGNED = _image(32, 32, "i2", 13)
COLOUR = _image(32, 32, "u1", 8, 3)
ODD_COLOUR = _image(17, 15, "u1", 8, 3)
_AS_CODED: dict[str, Any] = {"colorspace": "RGB", "outcolorspace": "RGB"}


def _jpeg(**options: Any) -> Encode:
    return lambda frame: bytes(imagecodecs.jpeg8_encode(frame, **{"level": 85} | options))


def _jpeg_lossless(predictor: int, bits: int) -> Encode:
    def encode(frame: np.ndarray) -> bytes:
        how = _AS_CODED if frame.ndim == 3 else {}
        unsigned = frame.view(f"u{frame.itemsize}") & ((1 << bits) - 1)
        return bytes(
            imagecodecs.jpeg8_encode(
                unsigned, lossless=True, predictor=predictor, bitspersample=bits, **how
            )
        )

    return encode


def _jpeg_ls(bits: int, interleave: int = 0, near: int = 0) -> Encode:
    def encode(frame: np.ndarray) -> bytes:
        samples = 1 if frame.ndim == 2 else frame.shape[2]
        unsigned = frame.view(f"u{frame.itemsize}") & ((1 << bits) - 1)
        if interleave == 0 and samples > 1:
            unsigned = np.ascontiguousarray(unsigned.transpose(2, 0, 1))
        return bytes(
            jpeg_ls.encode_buffer(
                unsigned.tobytes(), *frame.shape[:2], samples, bits,
                lossy_error=near, interleave_mode=interleave,
            )
        )  # fmt: skip

    return encode


def _j2k(bits: int, **options: Any) -> Encode:
    usual = {"codecformat": "j2k", "reversible": True, "bitspersample": bits, "numthreads": 1}
    return lambda frame: bytes(imagecodecs.jpeg2k_encode(frame, **usual | options))


def _htj2k(**options: Any) -> Encode:
    return lambda frame: bytes(imagecodecs.htj2k_encode(frame, **options))


def _jxl(**options: Any) -> Encode:
    usual = {"lossless": True, "effort": 3, "usecontainer": False, "numthreads": 1}
    return lambda frame: bytes(imagecodecs.jpegxl_encode(frame, **usual | options))


def _jxl_of_jpeg(**options: Any) -> Encode:
    jpeg = _jpeg(**options)
    return lambda frame: bytes(imagecodecs.jpegxl_encode_jpeg(jpeg(frame), numthreads=1))


def _rle(frame: np.ndarray) -> bytes:
    samples = 1 if frame.ndim == 2 else 3
    return bytes(
        rle.rle.encode_frame(frame.tobytes(), *frame.shape[:2], samples, frame.itemsize * 8, "<")
    )


# --- kinds ---------------------------------------------------------------------------------------

YBR_422 = {"PhotometricInterpretation": "YBR_FULL_422"}


def _jpeg_grey() -> list[Subject]:
    return [
        _subject("50", [GREY8], _jpeg(), 8),
        _subject("50", [GREY8], _jpeg(optimize=True, level=30), 8),
        _subject("50", [GREY8, GREY8.copy(), 255 - GREY8], _jpeg(), 8),
    ]


def _jpeg_colour() -> list[Subject]:
    return [
        _subject("50", [COLOUR], _jpeg(subsampling="422"), 8, **YBR_422),
        _subject("50", [ODD_COLOUR], _jpeg(subsampling="420"), 8, **YBR_422),
        _subject("50", [COLOUR], _jpeg(**_AS_CODED), 8),
        _subject("50", [COLOUR, COLOUR[::-1].copy()], _jpeg(subsampling="444"), 8, **YBR_422),
    ]


def _jpeg_extended() -> list[Subject]:
    twelve = _jpeg(bitspersample=12)
    return [
        _subject("51", [GREY12], twelve, 12),
        _subject("51", [GREY12, GREY12[::-1].copy()], twelve, 12),
    ]


def _lossless(ending: str, predictors: Sequence[int]) -> list[Subject]:
    depths = ((GREY8, 8), (GREY12, 12), (GREY16, 16), (SIGNED, 13), (COLOUR, 8))
    return [
        *(
            _subject(ending, [frame], _jpeg_lossless(predictors[at % len(predictors)], bits), bits)
            for at, (frame, bits) in enumerate(depths)
        ),
        _subject(ending, [GREY12] * 3, _jpeg_lossless(predictors[-1], 12), 12),
    ]


def _jpegls(ending: str, near: int) -> list[Subject]:
    return [
        _subject(ending, [GREY8], _jpeg_ls(8, near=near), 8),
        _subject(ending, [GREY12], _jpeg_ls(12, near=near), 12),
        _subject(ending, [SIGNED], _jpeg_ls(13, near=near), 13),
        *(
            _subject(ending, [COLOUR], _jpeg_ls(8, interleave=mode, near=near), 8)
            for mode in (0, 1, 2)
        ),
        _subject(ending, [GREY12] * 3, _jpeg_ls(12, near=near), 12),
    ]


def _jpeg2000(ending: str, **options: Any) -> list[Subject]:
    rct = {"PhotometricInterpretation": "YBR_RCT"}
    return [
        _subject(ending, [GREY8], _j2k(8, **options), 8),
        _subject(ending, [GREY12], _j2k(12, resolutions=2, **options), 12),
        _subject(ending, [SIGNED], _j2k(13, **options), 13),
        _subject(ending, [COLOUR], _j2k(8, mct=True, **options), 8, **rct),
        _subject(ending, [GREY16], _j2k(16, **options | {"codecformat": "jp2"}), 16),
        _subject(ending, [GREY12] * 3, _j2k(12, **options), 12),
    ]


def _high_throughput(ending: str, **options: Any) -> list[Subject]:
    rct = {"PhotometricInterpretation": "YBR_RCT"}
    return [
        _subject(ending, [GREY8], _htj2k(**options), 8),
        _subject(ending, [GREY12], _htj2k(**options), 12),
        _subject(ending, [SIGNED], _htj2k(**options), 13),
        _subject(ending, [COLOUR], _htj2k(rgb=True, **options), 8, **rct),
        _subject(ending, [GREY12] * 3, _htj2k(**options), 12),
    ]


def _jpegxl(ending: str, **options: Any) -> list[Subject]:
    # Its size fields are as long as the size needs: a tall image can be made to claim a huge one.
    tall = np.full((8200, 8), 7, "u1")
    return [
        _subject(ending, [GREY8], _jxl(**options), 8),
        _subject(ending, [GREY12], _jxl(bitspersample=12, **options), 12),
        _subject(ending, [COLOUR], _jxl(photometric="RGB", **options), 8),
        _subject(ending, [GREY16], _jxl(usecontainer=True, **options), 16),
        _subject(ending, [tall], _jxl(**options), 8),
        _subject(ending, [GREY12] * 3, _jxl(bitspersample=12, **options), 12),
    ]


def _recompressed() -> list[Subject]:
    tall = np.full((8200, 8), 7, "u1")
    return [
        _subject("111", [GREY8], _jxl_of_jpeg(), 8),
        _subject("111", [COLOUR], _jxl_of_jpeg(subsampling="422"), 8, **YBR_422),
        _subject("111", [COLOUR], _jxl_of_jpeg(**_AS_CODED), 8),
        _subject("111", [tall], _jxl_of_jpeg(), 8),
        _subject("111", [GREY8] * 3, _jxl_of_jpeg(), 8),
    ]


def _runs() -> list[Subject]:
    uid = "1.2.840.10008.1.2.5"
    return [
        _subject(uid, [GREY8], _rle, 8),
        _subject(uid, [GREY12], _rle, 12),
        _subject(uid, [SIGNED], _rle, 13),
        _subject(uid, [COLOUR], _rle, 8),
        _subject(uid, [np.zeros((64, 64), "u2")], _rle, 16),
        _subject(uid, [GREY12] * 3, _rle, 12),
    ]


def _native(syntax_uid: str) -> list[Subject]:
    def of(frames: Sequence[np.ndarray], bits: int, **changes: Any) -> Subject:
        header = header_of(np.stack(frames), **{"BitsStored": bits} | changes)
        return Subject(syntax_uid, header, [b"".join(frame.tobytes() for frame in frames)])

    with_overlay = of([GREY12 | 0x4000], 12)
    for element, number in ((0x10, 24), (0x11, 32), (0x100, 16), (0x102, 14)):
        headers.put_number(with_overlay.header, 0x60000000 | element, number)
    one_bit = of([GREY8], 1, BitsAllocated=1)
    return [
        of([GREY8], 8),
        of([GREY12], 12),
        of([SIGNED], 13),
        of([COLOUR], 8),
        of([COLOUR], 8, PlanarConfiguration=1),
        of([COLOUR[..., :2]], 8, SamplesPerPixel=3, **YBR_422),
        of([GREY12] * 3, 12),
        replace(one_bit, codestreams=[np.packbits(GREY8 & 1, bitorder="little").tobytes()]),
        with_overlay,
    ]


def _nested() -> list[Subject]:
    """An icon whose codestream is decoded when the syntax changes."""
    return [
        replace(outer, extra=in_an_item(_ICON, header_of(GREY8[np.newaxis]), icon, delimited=ends))
        for outer in (_jpeg_grey()[0], _jpegls("80", 0)[0], _jpeg2000("90")[0], _runs()[0])
        for icon in [encapsulated(outer.codestreams)]
        for ends in (False, True)
    ]


def _large() -> list[Subject]:
    """Files above a megabyte of many frames: processes make them in parts."""
    frame = noise((256, 256), "u1")
    coded: Encode = _jpeg_ls(8)
    return [
        _subject("1.2.840.10008.1.2.5", [frame] * 72, _rle, 8),
        _subject("80", [frame] * 72, coded, 8),
        _subject("50", [frame] * 72, _jpeg(level=100), 8),
        _subject("90", [noise((128, 128), "u2", 12)] * 150, _j2k(12), 12),
    ]


KINDS: dict[str, Callable[[], list[Subject]]] = {
    "jpeg-grey": _jpeg_grey,
    "jpeg-colour": _jpeg_colour,
    "jpeg12": _jpeg_extended,
    "jpeg-lossless-any": lambda: _lossless("57", (2, 4, 5, 6, 7)),
    "jpeg-lossless": lambda: _lossless("70", (1,)),
    "jpegls": lambda: _jpegls("80", near=0),
    "jpegls-near": lambda: _jpegls("81", near=2),
    "j2k": lambda: _jpeg2000("90"),
    "j2k-lossy": lambda: _jpeg2000("91", reversible=False, level=40),
    "jpegxl-lossless": lambda: _jpegxl("110"),
    "jpegxl-jpeg": _recompressed,
    "jpegxl-lossy": lambda: _jpegxl("112", lossless=False, level=80),
    "htj2k": lambda: _high_throughput("201"),
    "htj2k-rpcl": lambda: _high_throughput("202", tlm=True),
    "htj2k-lossy": lambda: _high_throughput("203", reversible=False, level=0.01),
    "rle": _runs,
    "deflated": lambda: _native(DEFLATED),
    "native": lambda: _native(EXPLICIT),
    "implicit": lambda: _native(IMPLICIT),
    "big-endian": lambda: _native(BIG_ENDIAN),
    "nested": _nested,
    "large": _large,
}


@cache
def subjects(kind: str) -> list[Subject]:
    """The good files of a kind; not to be changed."""
    return KINDS[kind]()
