"""What a data set says about its pixels. Standard: PS3.3 C.7.6.3, C.7.6.6; PS3.5 8.1."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword

from gateway.dicom.tags import text_of
from gateway.errors import TranscodeUnsupported

YBR_FULL_422 = "YBR_FULL_422"
_LONGEST_CODE = 16  # VR CS (PS3.5 6.2); what is longer names no colours

Frame = npt.NDArray[np.integer]
"""Samples in memory: (rows, columns) or (rows, columns, samples), C order."""


@dataclass(frozen=True, slots=True)
class Image:
    """The pixel description of one data set, all of it needed to know what a sample means."""

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    photometric: str
    planar: bool
    frames: int

    @property
    def dtype(self) -> str:
        """How one sample lies in memory, as numpy writes it: u1, i2..."""
        return f"{'i' if self.signed else 'u'}{self.bits_allocated // 8}"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one frame in memory: (rows, columns), or (rows, columns, samples)."""
        pixels = (self.rows, self.columns)
        return pixels if self.samples == 1 else (*pixels, self.samples)

    @property
    def frame_samples(self) -> int:
        """Number of samples in one frame in memory."""
        return self.rows * self.columns * self.samples

    @property
    def frame_bytes(self) -> int:
        """Size of one native frame of whole bytes; 4:2:2 shares two of four chroma samples."""
        samples = self.rows * self.columns * (2 if self.is_subsampled else self.samples)
        return samples * self.bits_allocated // 8

    @property
    def is_subsampled(self) -> bool:
        """True when a native frame would hold one pair of chroma samples for two pixels."""
        return self.photometric == YBR_FULL_422


def describe(dataset: Dataset) -> Image:
    """Read the pixel description. Raises TranscodeUnsupported when it is no description."""
    image = Image(
        rows=_number(dataset, "Rows"),
        columns=_number(dataset, "Columns"),
        samples=_number(dataset, "SamplesPerPixel"),
        bits_allocated=_number(dataset, "BitsAllocated"),
        bits_stored=_number(dataset, "BitsStored"),
        high_bit=_number(dataset, "HighBit"),
        signed=_number(dataset, "PixelRepresentation") == 1,
        photometric=_text(dataset, "PhotometricInterpretation")[:_LONGEST_CODE],
        planar=_number(dataset, "PlanarConfiguration", absent=0) == 1,
        frames=_number(dataset, "NumberOfFrames", absent=1) or 1,  # 0 is written for 1
    )
    if min(image.rows, image.columns, image.samples, image.frames, image.bits_allocated) < 1:
        raise TranscodeUnsupported("the data set describes an image without pixels")
    if not 1 <= image.bits_stored <= image.bits_allocated or image.high_bit >= image.bits_allocated:
        raise TranscodeUnsupported(
            f"BitsStored {image.bits_stored} and HighBit {image.high_bit} do not fit into"
            f" BitsAllocated {image.bits_allocated}"
        )
    return image


def _number(dataset: Dataset, keyword: str, absent: int | None = None) -> int:
    text = _text(dataset, keyword)
    if not text and absent is not None:
        return absent
    if not text:
        raise TranscodeUnsupported(f"the data set has pixels but no {keyword}")
    try:
        return int(text)
    except ValueError:
        raise TranscodeUnsupported(f"{keyword} is not a number") from None


def _text(dataset: Dataset, keyword: str) -> str:
    tag = tag_for_keyword(keyword)
    return (text_of(dataset, tag) or "").strip() if tag is not None else ""
