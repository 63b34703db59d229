"""Decide what a transcoding takes, or why it cannot be: pure, before anything is touched."""

from dataclasses import dataclass, replace
from enum import StrEnum

from pydicom import Dataset

from gateway.codecs import profiles
from gateway.codecs.codestreams import Codestream, mismatch
from gateway.codecs.image import YBR_FULL_422, Image, describe
from gateway.codecs.source import PixelElement
from gateway.dicom.rates import RATE_OF, loses
from gateway.dicom.syntaxes import EXPLICIT_LE, IMPLICIT_LE, TransferSyntax
from gateway.dicom.tags import text_of
from gateway.errors import TranscodeUnsupported
from gateway.model import TranscodeOptions

NATIVE_TARGETS = (IMPLICIT_LE, EXPLICIT_LE)
# Decoding and encoding hold a sample in 32 bits each, with the source and the result beside them.
_WORKING_BYTES_PER_SAMPLE = 24
_LONGEST_VALUE = 0xFFFFFFFE  # PS3.5 7.1.1
_SAMPLES_OF = {
    "MONOCHROME1": 1, "MONOCHROME2": 1, "PALETTE COLOR": 1,
    "RGB": 3, "YBR_FULL": 3, "YBR_FULL_422": 3, "YBR_RCT": 3, "YBR_ICT": 3, "XYB": 3,
}  # fmt: skip
# What these decode to; the component transformations of JPEG 2000 and JPEG XL are undone.
_DECODES_TO = {YBR_FULL_422: "YBR_FULL", "YBR_RCT": "RGB", "YBR_ICT": "RGB", "XYB": "RGB"}
_BITS_ALLOCATED = 0x00280100


class Work(StrEnum):
    """What has to be done to the pixels."""

    NONE = "none"  # the target has nothing to compress: the file stays as it is
    HEADER = "header"  # there are no pixels: only the data set is encoded anew
    REPACK = "repack"  # native to native: the bytes stay, or change their order
    RELABEL = "relabel"  # the codestreams are codestreams of the target as well
    CONVERT = "convert"  # from codestream to codestream, without samples in between
    RECODE = "recode"  # frame by frame through a codec


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the table has for a source and a target."""

    encodes: bool
    converts: bool


@dataclass(frozen=True, slots=True)
class Recoding:
    """How frames go from one form to the other.

    source: as described and coded. samples: in memory, as the encoder gets them. result: as the
    target describes them. to_rgb: samples are converted from YBR_FULL first. loses: the target's
    frames are not the samples any more. rate: what the encoder is told about that, None for the
    usual. was_lossy: the source cannot be reversible, which its data set must say.
    """

    target: TransferSyntax
    source: Image
    samples: Image
    result: Image
    loses: bool = False
    rate: float | None = None
    to_rgb: bool = False
    was_lossy: bool = False

    @property
    def source_bytes(self) -> int:
        """Size of all frames of the source without compression."""
        image = self.source
        return image.frame_samples * image.frames * image.bits_allocated // 8

    @property
    def native_frame_bytes(self) -> int:
        """Size of one frame of the result without compression."""
        return self.result.frame_samples * self.result.bits_allocated // 8

    @property
    def native_bytes(self) -> int:
        """Size of all frames of the result without compression."""
        return self.native_frame_bytes * self.result.frames


def work_for(
    source: TransferSyntax,
    target: TransferSyntax,
    header: Dataset,
    pixels: PixelElement | None,
    options: TranscodeOptions,
    able: Abilities,
) -> Work:
    """What it takes. Raises TranscodeUnsupported: what is in Pixel Data is not what the syntax
    says, or nobody can write the target.
    """
    if pixels is None:
        return _without_pixels(target, header)
    if source.is_encapsulated != (pixels.length is None):
        form = "native" if source.is_encapsulated else "encapsulated"
        raise TranscodeUnsupported(f"Pixel Data is {form}, which {source.keyword} does not allow")
    if target in NATIVE_TARGETS and not source.is_encapsulated:
        _refuse_unsure_order(source, header)
        return Work.REPACK
    if _is_as_asked(source, target, header, options):
        return Work.RELABEL
    if able.converts:  # whatever the quality that is asked for: nothing is lost
        return Work.CONVERT
    if target not in NATIVE_TARGETS and not able.encodes:
        raise TranscodeUnsupported(f"there is no encoder for {target.keyword} of such a source")
    return Work.RECODE


def recoding(
    image: Image,
    codestream: Codestream | None,
    target: TransferSyntax,
    options: TranscodeOptions,
    *,
    is_native: bool,
) -> Recoding:
    """How to recode an image.

    codestream: of the first frame, None for native pixels and RLE. is_native: the frames are not
    encapsulated. Raises TranscodeUnsupported.
    """
    _refuse_what_no_codec_takes(image)
    if is_native:
        _refuse_what_is_not_native(image)
    if codestream is not None and (reason := mismatch(codestream, image)):
        raise TranscodeUnsupported(reason)
    losing = loses(target, options)
    decoded = _in_memory(image, codestream)
    samples = replace(image, photometric=decoded, planar=False)
    result_photometric, to_rgb = _colours(samples, target, options, losing=losing)
    if to_rgb:
        samples = replace(samples, photometric="RGB")
    if target.is_encapsulated and (reason := profiles.refusal(samples, target)):
        raise TranscodeUnsupported(reason)
    if image.high_bit != image.bits_stored - 1 and not profiles.keeps_unused_bits(target):
        raise TranscodeUnsupported("HighBit is not BitsStored - 1")
    described = replace(samples, photometric=result_photometric)
    result = profiles.result_depth(described, target, loses=losing)
    _refuse_what_is_too_long(result, target)
    return Recoding(
        target, image, samples, result, losing, _rate(target, options), to_rgb,
        was_lossy=codestream is not None and codestream.lossy,
    )  # fmt: skip


def conversion(image: Image, target: TransferSyntax) -> Recoding:
    """How frames go from codestream to codestream: JPEG, on either side. TranscodeUnsupported."""
    _refuse_what_no_codec_takes(image)
    return Recoding(target, image, image, image, was_lossy=True)


def refuse_too_large(image: Image, memory_bytes: int) -> None:
    """Raise TranscodeUnsupported when a frame takes more than a codec process may use."""
    needed = image.frame_samples * _WORKING_BYTES_PER_SAMPLE
    if needed > memory_bytes:
        raise TranscodeUnsupported(
            f"a frame of {image.columns}x{image.rows} needs {needed >> 20} MB,"
            f" a codec process may use {memory_bytes >> 20} MB"
        )


def _without_pixels(target: TransferSyntax, header: Dataset) -> Work:
    if not target.is_encapsulated:
        return Work.HEADER
    if "FloatPixelData" in header or "DoubleFloatPixelData" in header:
        raise TranscodeUnsupported(f"{target.keyword} cannot hold floating-point pixels")
    return Work.NONE


def _refuse_unsure_order(source: TransferSyntax, header: Dataset) -> None:
    text = text_of(header, _BITS_ALLOCATED) or ""
    if not source.is_little_endian and text.isdecimal() and int(text) > 16:
        # Some writers swap 16-bit words (PS3.5 8.1.1), some 32-bit samples: nobody can tell which.
        raise TranscodeUnsupported("Big Endian samples of more than 16 bits have no sure order")


def _is_as_asked(
    source: TransferSyntax, target: TransferSyntax, header: Dataset, options: TranscodeOptions
) -> bool:
    """Whether frames can stay as they are, although the syntax has another name."""
    if not profiles.is_contained(source, target) or _rate(target, options) is not None:
        return False
    image = describe(header)
    if options.photometric and image.samples > 1 and image.photometric != options.photometric:
        return False
    if image.samples > 1 and image.photometric not in profiles.all_photometrics(target):
        return False
    return not profiles.refusal(image, target)


def _rate(target: TransferSyntax, options: TranscodeOptions) -> float | None:
    option = RATE_OF.get(target.uid)
    rate: float | None = getattr(options, option) if option else None
    return rate


def _colours(
    samples: Image, target: TransferSyntax, options: TranscodeOptions, *, losing: bool
) -> tuple[str, bool]:
    """Photometric interpretation of the result, and whether samples become RGB before."""
    if samples.samples == 1:
        return samples.photometric, False
    possible = profiles.photometrics(samples.photometric, target, loses=losing)
    if possible and options.photometric in ("", *possible):
        return options.photometric or possible[0], False
    by_way_of_rgb = profiles.photometrics("RGB", target, loses=losing)
    if options.photometric in by_way_of_rgb and samples.bits_stored == samples.bits_allocated == 8:
        return options.photometric, True
    held = ", ".join(dict.fromkeys((*possible, *by_way_of_rgb)))
    wanted = f" as {options.photometric}" if options.photometric else ""
    raise TranscodeUnsupported(
        f"{target.keyword} cannot hold colours in {samples.photometric}{wanted}"
        + (f", but as {held}" if held else "")
    )


def _refuse_what_no_codec_takes(image: Image) -> None:
    if image.bits_allocated == 1 or image.bits_allocated % 8:
        raise TranscodeUnsupported(f"samples of {image.bits_allocated} bit are never compressed")
    if _SAMPLES_OF.get(image.photometric) != image.samples:
        raise TranscodeUnsupported(
            f"{image.photometric or 'no'} photometric interpretation of {image.samples} samples"
        )


def _refuse_what_is_not_native(image: Image) -> None:
    if image.photometric in ("YBR_RCT", "YBR_ICT", "XYB"):
        raise TranscodeUnsupported(f"{image.photometric} exists in compressed images only")
    if image.is_subsampled and (image.columns % 2 or image.bits_allocated != 8):
        raise TranscodeUnsupported("YBR_FULL_422 needs an even number of columns of 8 bit")


def _refuse_what_is_too_long(result: Image, target: TransferSyntax) -> None:
    if not target.is_encapsulated and result.frame_bytes * result.frames > _LONGEST_VALUE:
        raise TranscodeUnsupported("native Pixel Data of this image would pass 4 GB")


def _in_memory(image: Image, codestream: Codestream | None) -> str:
    """Photometric interpretation of decoded samples: no subsampling, no component transformation.

    A JPEG codestream that names its colour is believed more than the data set, as other readers do.
    """
    if image.samples == 1:
        return image.photometric
    if codestream is not None and codestream.colour:
        return codestream.colour
    return _DECODES_TO.get(image.photometric, image.photometric)
