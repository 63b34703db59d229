"""JPEG: baseline, extended (12 bit) and lossless, by libjpeg-turbo. Standard: PS3.5 8.2.1, A.4.1.

Equal colour spaces on both sides of a call mean that components are coded, or come out, as they
are. Lossless results are read back by jpegsof3, code of its own in imagecodecs.
"""

from typing import Any

import imagecodecs
import numpy as np

from gateway.codecs.image import YBR_FULL_422, Frame, Image
from gateway.codecs.planning import Recoding
from gateway.errors import CodecFailed

_EOI = b"\xff\xd9"
_PADDING = b"\0\xff"  # what encoders put behind EOI, although zeros only are allowed there
_AS_CODED: dict[str, Any] = {"colorspace": "RGB", "outcolorspace": "RGB"}
_UNNAMED: dict[str, Any] = {"colorspace": "UNKNOWN", "outcolorspace": "UNKNOWN"}
_DEFAULT_QUALITY = 90


def without_padding(data: bytes) -> bytes:
    """The codestream up to its end marker. Raises CodecFailed when it has none.

    libjpeg would fill in what is missing.
    """
    data = data.rstrip(_PADDING)
    if not data.endswith(_EOI):
        raise CodecFailed("the codestream is cut off")
    return data


def decode(data: bytes, image: Image) -> Frame:
    colour = _AS_CODED if image.samples > 1 else {}
    return np.asarray(imagecodecs.jpeg8_decode(without_padding(data), **colour))


def check_lossless(data: bytes, image: Image) -> Frame:
    return np.asarray(imagecodecs.jpegsof3_decode(without_padding(data)))


def encode_lossy(frame: Frame, plan: Recoding) -> bytes:
    """Baseline or extended, by Bits Stored of the result; colours in 4:2:2 unless they stay RGB."""
    return bytes(
        imagecodecs.jpeg8_encode(
            frame.astype(plan.result.dtype),
            level=int(plan.rate or _DEFAULT_QUALITY),
            bitspersample=plan.result.bits_stored,
            **_lossy_colour(plan),
        )
    )


def _lossy_colour(plan: Recoding) -> dict[str, Any]:
    if plan.result.samples == 1:
        return {}
    if plan.result.photometric != YBR_FULL_422:
        return _AS_CODED | {"subsampling": "444"}
    in_memory = "RGB" if plan.samples.photometric == "RGB" else "YCBCR"
    return {"colorspace": in_memory, "outcolorspace": "YCBCR", "subsampling": "422"}


def encode_first_order(frame: Frame, plan: Recoding) -> bytes:
    """JPEG Lossless with selection value 1: each sample is predicted from the one before it."""
    return _encode_lossless(frame, plan, predictor=1)


def encode_any_order(frame: Frame, plan: Recoding) -> bytes:
    """JPEG Lossless with selection value 6, which also looks at the row above."""
    return _encode_lossless(frame, plan, predictor=6)


def _encode_lossless(frame: Frame, plan: Recoding, predictor: int) -> bytes:
    # Without bitspersample, 16-bit samples are coded as 12, and only this library reads them right.
    bits = max(8, plan.samples.bits_stored)
    return bytes(
        imagecodecs.jpeg8_encode(
            as_unsigned(frame, bits),
            lossless=True,
            predictor=predictor,
            bitspersample=bits,
            **_lossless_colour(plan),
        )
    )


def _lossless_colour(plan: Recoding) -> dict[str, Any]:
    """RGB is called so in the codestream; what is not RGB must not be, as readers believe it."""
    if plan.samples.samples == 1:
        return {}
    return _AS_CODED if plan.samples.photometric == "RGB" else _UNNAMED


def as_unsigned(frame: Frame, bits: int) -> Frame:
    """Signed samples as two's complement of that many bits; others as they are."""
    if frame.dtype.kind == "u":
        return frame
    unsigned = frame.view(f"u{frame.itemsize}")
    masked: Frame = unsigned & ((1 << bits) - 1)
    return masked
