"""Decide what a transcoding takes, or why it cannot be: pure, before anything is touched."""

from dataclasses import dataclass, replace
from enum import StrEnum

from pydicom import Dataset

from gateway.codecs.codestreams import Codestream, mismatch
from gateway.codecs.image import YBR_FULL_422, Image
from gateway.codecs.source import PixelElement
from gateway.dicom.syntaxes import EXPLICIT_LE, IMPLICIT_LE, TransferSyntax
from gateway.dicom.tags import text_of
from gateway.errors import TranscodeUnsupported

NATIVE_TARGETS = (IMPLICIT_LE, EXPLICIT_LE)
# Decoding and encoding hold a sample in 32 bits each, with the source and the result beside them.
_WORKING_BYTES_PER_SAMPLE = 24
_LONGEST_VALUE = 0xFFFFFFFE  # PS3.5 7.1.1
_SAMPLES_OF = {
    "MONOCHROME1": 1, "MONOCHROME2": 1, "PALETTE COLOR": 1,
    "RGB": 3, "YBR_FULL": 3, "YBR_FULL_422": 3, "YBR_RCT": 3, "YBR_ICT": 3,
}  # fmt: skip
_BITS_ALLOCATED = 0x00280100


class Work(StrEnum):
    """What has to be done to the pixels."""

    NOTHING = "nothing"  # there are none: only the data set is encoded anew
    REPACK = "repack"  # native to native: the bytes stay, or change their order
    RECODE = "recode"  # frame by frame through a codec


@dataclass(frozen=True, slots=True)
class Recoding:
    """How frames go from one form to the other.

    source: as described and coded. samples: in memory, between decoder and encoder. result: as the
    target describes them. lossy: the source cannot be reversible, which its data set must say.
    """

    source: Image
    samples: Image
    result: Image
    lossy: bool


def work_for(
    source: TransferSyntax,
    target: TransferSyntax,
    header: Dataset,
    pixels: PixelElement | None,
    *,
    encodable: bool,
) -> Work:
    """What it takes. encodable: the table has an encoder for the target.

    Raises TranscodeUnsupported: no encoder; or what is in Pixel Data is not what the syntax says.
    """
    if target not in NATIVE_TARGETS and not encodable:
        raise TranscodeUnsupported(f"there is no encoder for {target.keyword}")
    if pixels is None:
        if target.is_encapsulated and _has_float_pixels(header):
            raise TranscodeUnsupported(f"{target.keyword} cannot hold floating-point pixels")
        return Work.NOTHING
    if source.is_encapsulated != (pixels.length is None):
        form = "native" if source.is_encapsulated else "encapsulated"
        raise TranscodeUnsupported(f"Pixel Data is {form}, which {source.keyword} does not allow")
    if source.is_encapsulated or target.is_encapsulated:
        return Work.RECODE
    if not source.is_little_endian and _bits_allocated(header) > 16:
        # Some writers swap 16-bit words (PS3.5 8.1.1), some 32-bit samples: nobody can tell which.
        raise TranscodeUnsupported("Big Endian samples of more than 16 bits have no sure order")
    return Work.REPACK


def recoding(
    image: Image,
    codestream: Codestream | None,
    header: Dataset,
    target: TransferSyntax,
    *,
    is_native: bool,
    memory_bytes: int,
) -> Recoding:
    """How to recode an image.

    codestream: of the first frame, None for native pixels and RLE. is_native: the frames are not
    encapsulated. memory_bytes: what a codec process may use. Raises TranscodeUnsupported.
    """
    _refuse_what_no_codec_takes(image, memory_bytes)
    if is_native:
        _refuse_what_is_not_native(image)
    if codestream is not None and (reason := mismatch(codestream, image)):
        raise TranscodeUnsupported(reason)
    samples = replace(image, photometric=_in_memory(image, codestream), planar=False)
    if target.is_encapsulated:
        _refuse_what_cannot_be_encapsulated(image, header)
        result = replace(samples, photometric=_as_jpeg2000_lossless(samples))
    else:
        result = samples
        if result.frame_bytes * result.frames > _LONGEST_VALUE:
            raise TranscodeUnsupported("native Pixel Data of this image would pass 4 GB")
    return Recoding(image, samples, result, lossy=codestream is not None and codestream.lossy)


def _has_float_pixels(header: Dataset) -> bool:
    return "FloatPixelData" in header or "DoubleFloatPixelData" in header


def _bits_allocated(header: Dataset) -> int:
    text = text_of(header, _BITS_ALLOCATED) or ""
    return int(text) if text.isdecimal() else 0


def _refuse_what_no_codec_takes(image: Image, memory_bytes: int) -> None:
    if image.bits_allocated == 1 or image.bits_allocated % 8:
        raise TranscodeUnsupported(f"samples of {image.bits_allocated} bit are never compressed")
    if _SAMPLES_OF.get(image.photometric) != image.samples:
        raise TranscodeUnsupported(
            f"{image.photometric or 'no'} photometric interpretation of {image.samples} samples"
        )
    needed = image.frame_samples * _WORKING_BYTES_PER_SAMPLE
    if needed > memory_bytes:
        raise TranscodeUnsupported(
            f"a frame of {image.columns}x{image.rows} needs {needed >> 20} MB,"
            f" a codec process may use {memory_bytes >> 20} MB"
        )


def _refuse_what_is_not_native(image: Image) -> None:
    if image.photometric in ("YBR_RCT", "YBR_ICT"):
        raise TranscodeUnsupported(f"{image.photometric} exists in JPEG 2000 only")
    if image.is_subsampled and (image.columns % 2 or image.bits_allocated != 8):
        raise TranscodeUnsupported("YBR_FULL_422 needs an even number of columns of 8 bit")


def _refuse_what_cannot_be_encapsulated(image: Image, header: Dataset) -> None:
    if image.bits_allocated > 16:
        raise TranscodeUnsupported("samples of more than 16 bits stay native")
    if image.high_bit != image.bits_stored - 1:
        raise TranscodeUnsupported("HighBit is not BitsStored - 1")
    if _has_embedded_overlay(header):
        raise TranscodeUnsupported("an overlay is in unused bits of Pixel Data (PS3.5 8.1.2)")


def _has_embedded_overlay(header: Dataset) -> bool:
    """Overlay Bit Position (60xx,0102) points into the samples when there is no Overlay Data."""
    return any(
        text_of(header, group << 16 | 0x0102) not in (None, "", "0")
        and group << 16 | 0x3000 not in header
        for group in range(0x6000, 0x6020, 2)
    )


def _in_memory(image: Image, codestream: Codestream | None) -> str:
    """Photometric interpretation of decoded samples: no subsampling, no component transformation.

    JPEG 2000 decoders undo RCT and ICT. A JPEG codestream that names its colour is believed more
    than the data set, as other readers do.
    """
    if image.samples == 1:
        return image.photometric
    if codestream is not None and codestream.colour:
        return codestream.colour
    return {YBR_FULL_422: "YBR_FULL", "YBR_RCT": "RGB", "YBR_ICT": "RGB"}.get(
        image.photometric, image.photometric
    )


def _as_jpeg2000_lossless(samples: Image) -> str:
    """RGB goes through the reversible component transformation (PS3.5 8.2.4)."""
    return "YBR_RCT" if samples.photometric == "RGB" else samples.photometric
