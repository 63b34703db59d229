"""Which library decodes, encodes and double-checks which transfer syntax.

To add a syntax is to add its row, and to profiles.py what it may hold.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from gateway.codecs.families import jpeg, jpeg2000, jpegls, jpegxl, rle
from gateway.codecs.image import Frame, Image
from gateway.codecs.planning import Recoding
from gateway.dicom.syntaxes import Family, TransferSyntax

Decoder = Callable[[bytes, Image], Frame]
Encoder = Callable[[Frame, Recoding], bytes]

_IMAGECODECS = "imagecodecs"
_OPENJPEG = "pylibjpeg-openjpeg"


@dataclass(frozen=True, slots=True)
class Codec:
    """One row; what its functions do is said in families. The names are those of distributions.

    check: decodes what encode wrote, by another library; None when there is none.
    """

    decode: Decoder
    decoded_by: str
    encode: Encoder | None = None
    encoded_by: str = ""
    check: Decoder | None = None
    checked_by: str = ""


_JPEG = Codec(jpeg.decode, _IMAGECODECS, jpeg.encode_lossy, _IMAGECODECS)
_JPEG_LOSSLESS = Codec(
    jpeg.decode,
    _IMAGECODECS,
    jpeg.encode_first_order,
    _IMAGECODECS,
    jpeg.check_lossless,
    f"{_IMAGECODECS} (jpegsof3)",
)
_JPEG_LS = Codec(jpegls.decode, _IMAGECODECS, jpegls.encode, "pyjpegls", jpegls.check, _IMAGECODECS)
_JPEG2000 = Codec(
    jpeg2000.decode, _IMAGECODECS, jpeg2000.encode, _IMAGECODECS, jpeg2000.check, _OPENJPEG
)
_HTJ2K = replace(_JPEG2000, encode=jpeg2000.encode_htj2k)
_JPEG_XL = Codec(jpegxl.decode, _IMAGECODECS, jpegxl.encode_lossy, _IMAGECODECS)
_J = "1.2.840.10008.1.2.4."
_JPEG_RECOMPRESSED = _J + "111"

CODECS: Mapping[str, Codec] = {
    _J + "50": _JPEG,
    _J + "51": _JPEG,
    _J + "57": replace(_JPEG_LOSSLESS, encode=jpeg.encode_any_order),
    _J + "70": _JPEG_LOSSLESS,
    _J + "80": _JPEG_LS,
    _J + "81": _JPEG_LS,
    _J + "90": _JPEG2000,
    _J + "91": _JPEG2000,
    _J + "110": replace(
        _JPEG_XL,
        encode=jpegxl.encode_lossless,
        check=jpegxl.check if jpegxl.CAN_CHECK else None,
        checked_by="jxlpy",
    ),
    # Its codestreams are read as the JPEG that they were made of, and only made of such.
    _JPEG_RECOMPRESSED: replace(_JPEG, encode=None),
    _J + "112": _JPEG_XL,
    _J + "201": _HTJ2K,
    _J + "202": _HTJ2K,
    _J + "203": _HTJ2K,
    "1.2.840.10008.1.2.5": Codec(
        rle.decode, "pylibjpeg-rle", rle.encode, "pylibjpeg-rle", rle.check, "pydicom"
    ),
}

# From codestream to codestream, without samples in between and without loss.
CODESTREAM_CONVERTERS: Mapping[tuple[str, str], Callable[[bytes], bytes]] = {
    (_J + "50", _JPEG_RECOMPRESSED): jpegxl.recompress_jpeg,
    (_JPEG_RECOMPRESSED, _J + "50"): bytes,  # it is restored already when it is read
}
# What has to be undone before a codestream can be looked at.
UNWRAP: Mapping[str, Callable[[bytes], bytes]] = {_JPEG_RECOMPRESSED: jpegxl.restore_jpeg}

_VIDEO = ("MPEG", "HEVC", "SMPTE")


def why_absent(syntax: TransferSyntax) -> str:
    """Why no row decodes this syntax."""
    if syntax.family is Family.JPIP:
        return "the pixels are elsewhere"
    if syntax.keyword.startswith(_VIDEO):
        return "video and audio are not still images"
    return "no library here decodes it"
