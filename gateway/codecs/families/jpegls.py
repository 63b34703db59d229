"""JPEG-LS by CharLS, in two builds and wrappers: each reads back what the other wrote.

Standard: PS3.5 8.2.3, A.4.3.
"""

import imagecodecs
import jpeg_ls
import numpy as np

from gateway.codecs.families.jpeg import as_unsigned
from gateway.codecs.image import Frame, Image
from gateway.codecs.planning import Recoding

_EOI = b"\xff\xd9"
_PADDING = b"\0\xff"
_COLOUR_BY_PIXEL = 2  # interleave mode "sample" (T.87 C.2.3)
# pyjpegls writes Bits Stored into the codestream, as it should be, but gives too small a buffer to
# images of a few pixels. imagecodecs takes a buffer of any size, and writes 8 or 16 bits always.
_SMALL_SAMPLES = 1024


def decode(data: bytes, image: Image) -> Frame:
    return np.asarray(imagecodecs.jpegls_decode(_ended(data)))


def check(data: bytes, image: Image) -> Frame:
    if _is_small(image):
        return np.asarray(jpeg_ls.decode(np.frombuffer(_ended(data), "u1")))
    return decode(data, image)


def encode(frame: Frame, plan: Recoding) -> bytes:
    """Without loss, or with samples that differ by plan.rate at most."""
    image, near = plan.samples, int(plan.rate or 0)
    if _is_small(image):
        unsigned = as_unsigned(frame, frame.itemsize * 8)
        out = unsigned.nbytes * 2 + 4096
        return bytes(imagecodecs.jpegls_encode(unsigned, level=near, out=out))
    return bytes(
        jpeg_ls.encode_buffer(
            as_unsigned(frame, image.bits_stored).tobytes(),
            image.rows,
            image.columns,
            image.samples,
            image.bits_stored,
            lossy_error=near,
            interleave_mode=_COLOUR_BY_PIXEL if image.samples > 1 else 0,
        )
    )


def _is_small(image: Image) -> bool:
    return image.frame_samples <= _SMALL_SAMPLES


def _ended(data: bytes) -> bytes:
    """With an end: CharLS spends seconds of CPU behind the end of a stream that is cut off."""
    data = data.rstrip(_PADDING)
    return data if data.endswith(_EOI) else data + _EOI
