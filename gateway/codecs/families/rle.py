"""RLE Lossless: written by pylibjpeg-rle, read back by pydicom. Standard: PS3.5 8.2.2, Annex G."""

import numpy as np
import rle.rle
from pydicom.pixels.decoders.rle import _rle_decode_frame

from gateway.codecs.image import Frame, Image
from gateway.codecs.planning import Recoding
from gateway.errors import CodecFailed


def decode(data: bytes, image: Image) -> Frame:
    segments = int.from_bytes(data[:4], "little")
    expected = image.samples * image.bits_allocated // 8
    if segments != expected:
        raise CodecFailed(f"{segments} RLE segments where the data set needs {expected}")
    return _by_pixel(_decoded(data, image), image)


def _decoded(data: bytes, image: Image) -> bytes | bytearray:
    pixels = image.rows * image.columns
    try:
        planes: bytearray = rle.rle.decode_frame(data, pixels, image.bits_allocated, "<")
    except BaseException as exc:
        if type(exc).__name__ != "PanicException":  # Rust's, which is no Exception
            raise
        raise CodecFailed("its runs are longer than the image") from None
    return planes


def check(data: bytes, image: Image) -> Frame:
    planes = _rle_decode_frame(
        data, image.rows, image.columns, image.samples, image.bits_allocated, ">"
    )
    return _by_pixel(planes, image)


def encode(frame: Frame, plan: Recoding) -> bytes:
    image = plan.samples
    return bytes(
        rle.rle.encode_frame(
            frame.tobytes(), image.rows, image.columns, image.samples, image.bits_allocated, "<"
        )
    )


def _by_pixel(planes: bytes | bytearray, image: Image) -> Frame:
    samples = np.frombuffer(planes, dtype=f"<{image.dtype}").reshape(
        image.samples, image.rows, image.columns
    )
    return samples[0] if image.samples == 1 else np.ascontiguousarray(samples.transpose(1, 2, 0))
