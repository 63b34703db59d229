"""JPEG XL by libjxl, with the recompression of JPEG. Standard: PS3.5 8.2.15-8.2.17, A.4.13.

jxlpy, another build, reads back what is called lossless; where it is not installed, nothing does.
"""

from typing import Any

import imagecodecs
import numpy as np

from gateway.codecs.families import jpeg
from gateway.codecs.image import Frame, Image
from gateway.codecs.planning import Recoding
from gateway.errors import CodecFailed

try:
    import _jxlpy
except ImportError:  # there are no wheels for every Python
    _jxlpy = None

CAN_CHECK = _jxlpy is not None

_FAST = 3  # of efforts 1 to 9: above it, encoding is several times as slow for 2 % of the size
_DEFAULT_QUALITY = 90


def decode(data: bytes, image: Image) -> Frame:
    return np.asarray(imagecodecs.jpegxl_decode(data, numthreads=1))


def check(data: bytes, image: Image) -> Frame:
    decoder = _jxlpy.JXLPyDecoder(data, True)
    decoded = decoder.get_frame()
    dtype = "u1" if image.bits_stored <= 8 else "u2"
    samples = np.frombuffer(decoded[0] if isinstance(decoded, tuple) else decoded, dtype)
    # It stretches samples to the whole range of their type.
    stretched, meant = np.iinfo(dtype).max, (1 << image.bits_stored) - 1
    if meant != stretched:
        samples = np.rint(samples * (meant / stretched)).astype(dtype)
    return samples.reshape(image.shape)


def encode_lossless(frame: Frame, plan: Recoding) -> bytes:
    return _encode(frame, plan, lossless=True, effort=_FAST)


def encode_lossy(frame: Frame, plan: Recoding) -> bytes:
    return _encode(frame, plan, level=plan.rate or _DEFAULT_QUALITY)


def _encode(frame: Frame, plan: Recoding, **how: Any) -> bytes:
    return bytes(
        imagecodecs.jpegxl_encode(
            frame,
            bitspersample=plan.samples.bits_stored,
            photometric="RGB" if plan.samples.samples > 1 else "GRAY",
            usecontainer=False,
            numthreads=1,
            **how,
        )
    )


def recompress_jpeg(data: bytes) -> bytes:
    """A JPEG codestream as JPEG XL, from which it comes back bit by bit."""
    data = jpeg.without_padding(data)
    coded = bytes(imagecodecs.jpegxl_encode_jpeg(data, numthreads=1))
    if restore_jpeg(coded) != data:
        raise CodecFailed("the JPEG codestream does not come back from JPEG XL as it was")
    return coded


def restore_jpeg(data: bytes) -> bytes:
    return bytes(imagecodecs.jpegxl_decode_jpeg(data, numthreads=1))
