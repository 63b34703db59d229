"""Which library decodes, encodes and double-checks which transfer syntax.

To add an encoder is to add it to its row, with a decoder of another library beside it, and what it
does to photometric interpretation to planning.py. All of this runs in a codec process only:
imagecodecs and the other libraries are C code over received bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import imagecodecs
import numpy as np
import numpy.typing as npt
import rle
from openjpeg.utils import decode as openjpeg_decode

from gateway.codecs.image import Image
from gateway.dicom import syntaxes
from gateway.dicom.syntaxes import Family
from gateway.errors import CodecFailed

Frame = npt.NDArray[np.integer]
"""(rows, columns) or (rows, columns, samples), C order."""

Decoder = Callable[[bytes, Image], Frame]
"""Decode one frame to samples as coded: dtype and sign are the codestream's. Raises anything."""

Encoder = Callable[[Frame, Image], bytes]
"""Encode one frame, whose samples fit BitsStored, to a bare codestream. Raises anything."""


@dataclass(frozen=True, slots=True)
class Codec:
    """One row. check: a decoder of another library than encode's, by the name checked_by."""

    decode: Decoder
    encode: Encoder | None = None
    check: Decoder | None = None
    checked_by: str = ""


_EOI = b"\xff\xd9"
_PADDING = b"\0\xff"  # what encoders put behind EOI, although zeros only are allowed there


def _decode_jpeg(data: bytes, image: Image) -> Frame:
    data = data.rstrip(_PADDING)
    if not data.endswith(_EOI):
        raise CodecFailed("the codestream is cut off")  # libjpeg would fill in the rest
    if image.samples == 1:
        return _frame(imagecodecs.jpeg8_decode(data))
    # Equal colour spaces on both sides: the components come out as they are coded.
    return _frame(imagecodecs.jpeg8_decode(data, colorspace="RGB", outcolorspace="RGB"))


def _decode_jpeg_ls(data: bytes, image: Image) -> Frame:
    data = data.rstrip(_PADDING)
    if not data.endswith(_EOI):
        data += _EOI  # CharLS spends seconds of CPU behind the end of a stream that is cut off
    return _frame(imagecodecs.jpegls_decode(data))


def _decode_jpeg2000(data: bytes, image: Image) -> Frame:
    # Also for HTJ2K: OpenJPEG refuses the streams that make OpenJPH run for ever.
    return _frame(imagecodecs.jpeg2k_decode(data, numthreads=1))


def _check_jpeg2000(data: bytes, image: Image) -> Frame:
    return _frame(openjpeg_decode(data))


def _encode_jpeg2000_lossless(frame: Frame, image: Image) -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(
            frame,
            level=0,
            codecformat="j2k",
            reversible=True,
            mct=image.photometric == "RGB",
            bitspersample=image.bits_stored,
            numthreads=1,
        )
    )


def _decode_rle(data: bytes, image: Image) -> Frame:
    segments = int.from_bytes(data[:4], "little")
    expected = image.samples * image.bits_allocated // 8
    if segments != expected:
        raise CodecFailed(f"{segments} RLE segments where the data set needs {expected}")
    pixels = image.rows * image.columns
    planes = np.frombuffer(
        rle.rle.decode_frame(data, pixels, image.bits_allocated, "<"),
        dtype=f"<{image.dtype}",
    ).reshape(image.samples, image.rows, image.columns)
    return planes[0] if image.samples == 1 else np.ascontiguousarray(planes.transpose(1, 2, 0))


def _frame(decoded: object) -> Frame:
    return np.asarray(decoded)


_JPEG = Codec(_decode_jpeg)
_JPEG_LS = Codec(_decode_jpeg_ls)
_JPEG2000 = Codec(_decode_jpeg2000)
_J = "1.2.840.10008.1.2.4."

CODECS: dict[str, Codec] = {
    _J + "50": _JPEG,
    _J + "51": _JPEG,
    _J + "57": _JPEG,
    _J + "70": _JPEG,
    _J + "80": _JPEG_LS,
    _J + "81": _JPEG_LS,
    _J + "90": replace(
        _JPEG2000,
        encode=_encode_jpeg2000_lossless,
        check=_check_jpeg2000,
        checked_by="pylibjpeg-openjpeg",
    ),
    _J + "91": _JPEG2000,
    _J + "201": _JPEG2000,
    _J + "202": _JPEG2000,
    _J + "203": _JPEG2000,
    "1.2.840.10008.1.2.5": Codec(_decode_rle),
}

_ABSENT = {
    Family.MPEG2: "video frames depend on each other",
    Family.JPIP: "the pixels are elsewhere",
}


def why_absent(syntax: syntaxes.TransferSyntax) -> str:
    """Why no row decodes this syntax."""
    reason = _ABSENT.get(syntax.family, "no library here decodes it")
    return f"{syntax.keyword} is passed on as it is: {reason}"
