"""JPEG-LS by CharLS, in two builds and wrappers: one reads back what the other wrote.

Standard: PS3.5 8.2.3, A.4.3.
"""

import imagecodecs
import numpy as np
from _CharLS import _encode  # of pyjpegls, which writes Bits Stored into the codestream

from gateway.codecs.families.jpeg import as_unsigned
from gateway.codecs.image import Frame, Image
from gateway.codecs.planning import Recoding

_EOI = b"\xff\xd9"
_PADDING = b"\0\xff"
_COLOUR_BY_PIXEL = 2  # interleave mode "sample" (T.87 C.2.3)
# pyjpegls gives the result twice the room of the samples, and its public calls no way to give more.
# A small image can take more: behind a header of up to 60 bytes, the first sample of each of 367
# contexts may take four times its size (T.87 A.5.3), which noise of 150 samples shows. Each byte
# behind the samples is two more for the result.
_MORE_ROOM = bytes(1024)


def decode(data: bytes, image: Image) -> Frame:
    return np.asarray(imagecodecs.jpegls_decode(_ended(data)))


def check(data: bytes, image: Image) -> Frame:
    return decode(data, image)


def encode(frame: Frame, plan: Recoding) -> bytes:
    """Without loss, or with samples that differ by plan.rate at most."""
    image = plan.samples
    bits = _coded_bits(image)
    words = as_unsigned(frame.astype(image.dtype, copy=False), bits)
    return bytes(
        _encode(
            words.tobytes() + _MORE_ROOM,
            int(plan.rate or 0),
            _COLOUR_BY_PIXEL if image.samples > 1 else 0,
            image.rows,
            image.columns,
            image.samples,
            bits,
        )
    )


def _coded_bits(image: Image) -> int:
    """Bits Stored; at least 9 of 16, as DCMTK and GDCM take 8 for bytes and then miss the half."""
    return image.bits_stored if image.bits_allocated == 8 else max(9, image.bits_stored)


def _ended(data: bytes) -> bytes:
    """With an end: CharLS spends seconds of CPU behind the end of a stream that is cut off."""
    data = data.rstrip(_PADDING)
    return data if data.endswith(_EOI) else data + _EOI
