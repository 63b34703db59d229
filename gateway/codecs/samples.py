"""Bring decoded or native samples into the one form that encoders and writers take.

That form is color-by-pixel, of the data set's BitsAllocated and sign.
"""

import numpy as np

from gateway.codecs.image import Frame, Image
from gateway.errors import CodecFailed, TranscodeUnsupported


def conform(decoded: Frame, image: Image, precision: int) -> Frame:
    """Decoded samples in the data set's sample type.

    precision: of the codestream. Whether a codestream's samples are signed and what the data set
    says of them may differ, and Pixel Representation decides: then the bits are two's complement
    of that precision. Raises CodecFailed when the shape is another.
    """
    if decoded.shape != image.shape:
        raise CodecFailed(f"decoded to {decoded.shape} instead of {image.shape}")
    dtype = np.dtype(image.dtype)
    if image.signed and decoded.dtype.kind == "u":
        samples = np.ascontiguousarray(decoded.astype(dtype))
        if unused := dtype.itemsize * 8 - precision:
            samples <<= unused
            samples >>= unused
        return samples
    if not image.signed and decoded.dtype.kind == "i":
        mask = (1 << precision) - 1
        return np.ascontiguousarray((decoded.astype("i8") & mask).astype(dtype))
    return np.ascontiguousarray(decoded, dtype=dtype)


def within_bits_stored(frame: Frame, image: Image, *, clear: bool = False) -> Frame:
    """The samples, for encoders that know no bits above HighBit (PS3.5 8.1.1).

    There, signed samples may have copies of their sign, or zeros, which are the same to every
    reader, and are given their sign. Raises TranscodeUnsupported for anything else, which readers
    of the native form ignore or show, and readers of the coded form would not have; clear: ignore
    it, as the standard does.
    """
    if _fits(frame, image):
        return frame
    unused = np.dtype(image.dtype).itemsize * 8 - image.bits_stored
    kept = (frame << unused) >> unused
    differs = kept != frame
    if image.signed:
        differs &= frame >> image.bits_stored != 0
    if not clear and differs.any():
        raise TranscodeUnsupported(
            f"samples have bits set above the {image.bits_stored} of BitsStored"
        )
    return np.ascontiguousarray(kept)


def _fits(frame: Frame, image: Image) -> bool:
    """Whether no sample needs more than Bits Stored."""
    if image.bits_stored == image.bits_allocated:
        return True
    limit = 1 << image.bits_stored - image.signed
    return bool(frame.max() < limit and (not image.signed or frame.min() >= -limit))


def for_encoder(frame: Frame, image: Image) -> Frame:
    """The samples, which fit Bits Stored, in one byte each if that is enough.

    Codecs go by the type for the bits that they code, and by the strides for the order: these are
    those of C order here, also for sides of 1, where numpy takes any.
    """
    if image.bits_stored <= 8:
        frame = frame.astype(f"{frame.dtype.kind}1", copy=False)
    return frame.reshape(-1).reshape(frame.shape)


def refuse_next_to_sign(frame: Frame, image: Image, margin: int) -> None:
    """Raise TranscodeUnsupported when a signed sample that is off by `margin` may change its sign.

    That is so where signed samples are coded as two's complement without a sign: the largest is
    next to the smallest.
    """
    limit = 1 << image.bits_stored - 1
    if image.signed and (frame.max() >= limit - margin or frame.min() < margin - limit):
        raise TranscodeUnsupported(
            f"signed samples within {margin} of the ends of their range might change their sign"
        )


def from_native(data: bytes, image: Image) -> Frame:
    """The samples of one native frame in Little Endian order (PS3.3 C.7.6.3.1.2-3)."""
    samples = np.frombuffer(data, dtype=f"<{image.dtype}")
    if image.is_subsampled:
        return _full_chroma(samples, image)
    if image.samples > 1 and image.planar:
        planes = samples.reshape(image.samples, image.rows, image.columns)
        return np.ascontiguousarray(planes.transpose(1, 2, 0))
    return samples.reshape(image.shape)


def _full_chroma(samples: Frame, image: Image) -> Frame:
    """YBR_FULL_422, stored as Y1 Y2 Cb Cr, with the chroma of each pair given to both pixels."""
    pairs = samples.reshape(image.rows, image.columns // 2, 4)
    full = np.empty((image.rows, image.columns // 2, 2, 3), samples.dtype)
    full[..., 0] = pairs[..., :2]
    full[..., 1:] = pairs[..., np.newaxis, 2:]
    return full.reshape(image.shape)
