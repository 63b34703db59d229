"""JPEG 2000 by OpenJPEG, HTJ2K written by OpenJPH and read by OpenJPEG.

OpenJPEG is there twice, in two builds and wrappers. Standard: PS3.5 8.2.4, 8.2.14, A.4.4, A.4.9.
"""

from collections.abc import Callable

import imagecodecs
import numpy as np
from openjpeg.utils import decode as openjpeg_decode
from openjpeg.utils import encode_array as openjpeg_encode

from gateway.codecs.image import Frame, Image
from gateway.codecs.planning import Recoding

_RPCL = "1.2.840.10008.1.2.4.202"
_RGB = 1  # pylibjpeg-openjpeg's number of the colour space that it transforms
# pylibjpeg-openjpeg decomposes five times, which takes 32 pixels.
_SMALLEST_SIDE = 32
_STEPS = 10
# A frame is not made smaller than that: its headers take 100 bytes, and a few pixels without loss
# hardly more than the rest.
_LEAST_BYTES = 512


def decode(data: bytes, image: Image) -> Frame:
    # Also for HTJ2K: OpenJPEG refuses the streams that make OpenJPH run for ever.
    return np.asarray(imagecodecs.jpeg2k_decode(data, numthreads=1))


def check(data: bytes, image: Image) -> Frame:
    return np.asarray(openjpeg_decode(data))


def encode(frame: Frame, plan: Recoding) -> bytes:
    """Reversibly, or to plan.rate native bytes for each coded one; see _LEAST_BYTES."""
    if plan.rate is None:
        return _encode(frame, plan, reversible=True, level=0)
    if min(frame.shape[:2]) < _SMALLEST_SIDE:
        return _smallest_within(
            lambda decibels: _encode(frame, plan, reversible=False, level=decibels),
            worst=10,
            best=100,
            size_bytes=_allowed_bytes(plan, plan.rate),
        )
    ratio = plan.native_frame_bytes / _allowed_bytes(plan, plan.rate)
    return bytes(
        openjpeg_encode(
            frame,
            bits_stored=plan.samples.bits_stored,
            photometric_interpretation=_RGB if _is_transformed(plan) else 0,
            use_mct=_is_transformed(plan),
            # Its ratios are of Bits Stored; ours are of what native samples take.
            compression_ratios=[max(1.0, ratio * _used_share(plan.samples))],
        )
    )


def encode_htj2k(frame: Frame, plan: Recoding) -> bytes:
    """The same, in high throughput. OpenJPH knows no rates: the quantization step is searched."""
    if plan.rate is None:
        return _encode_htj2k(frame, plan, level=None)
    return _smallest_within(
        lambda exponent: _encode_htj2k(frame, plan, level=2.0**-exponent),
        worst=1,
        best=20,
        size_bytes=_allowed_bytes(plan, plan.rate),
    )


def _allowed_bytes(plan: Recoding, ratio: float) -> float:
    return max(plan.native_frame_bytes / ratio, _LEAST_BYTES)


def _encode(frame: Frame, plan: Recoding, *, reversible: bool, level: float) -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(
            frame,
            level=round(level),
            codecformat="j2k",
            reversible=reversible,
            mct=_is_transformed(plan),
            bitspersample=plan.samples.bits_stored,
            numthreads=1,
        )
    )


def _encode_htj2k(frame: Frame, plan: Recoding, *, level: float | None) -> bytes:
    return bytes(
        imagecodecs.htj2k_encode(
            frame,
            level=level,
            reversible=level is None,
            rgb=_is_transformed(plan) if plan.samples.samples > 1 else None,
            tlm=True if plan.target.uid == _RPCL else None,  # PS3.5 A.4.9
        )
    )


def _is_transformed(plan: Recoding) -> bool:
    return plan.result.photometric in ("YBR_RCT", "YBR_ICT")


def _used_share(image: Image) -> float:
    return image.bits_stored / image.bits_allocated


def _smallest_within(
    encode_at: Callable[[float], bytes], *, worst: float, best: float, size_bytes: float
) -> bytes:
    """The best of `encode_at` between both that takes no more bytes; the worst if none does."""
    found = encode_at(worst)
    for _ in range(_STEPS):
        middle = (worst + best) / 2
        coded = encode_at(middle)
        if len(coded) > size_bytes:
            best = middle
        else:
            worst, found = middle, coded
    return found
