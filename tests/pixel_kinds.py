"""Made images of every kind of pixels, as native files and as codestreams of every syntax."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import independent
import numpy as np
from codec_support import (
    EXPLICIT,
    RLE,
    encapsulated,
    header_of,
    native,
    noise,
    write_file,
)
from pydicom import Dataset

from gateway.dicom.encoding import element_header

_ROWS, _COLUMNS = 61, 67


@dataclass(frozen=True)
class Kind:
    """One kind of image.

    words: as native Pixel Data has them, but color-by-pixel and with all chroma. samples: what they
    mean, where that differs: bits above High Bit are no samples. header: as header_of takes it.
    value: native Pixel Data, when it is not the words. element: instead of Pixel Data, as encoded.
    extra: elements before Pixel Data. is_natural: it looks like an image, which lossy codecs keep.
    """

    words: np.ndarray
    header: dict[str, Any] = field(default_factory=dict)
    samples: np.ndarray | None = None
    value: bytes | None = None
    element: bytes | None = None
    extra: Dataset = field(default_factory=Dataset)
    is_natural: bool = False

    @property
    def bits(self) -> int:
        return self.header.get("BitsStored", self.words.itemsize * 8)

    def meant(self, syntax_uid: str) -> np.ndarray:
        """What a decoder of this syntax finds: native and RLE have whole words."""
        keeps_words = syntax_uid in (*independent.NATIVE, RLE)
        return self.words if keeps_words or self.samples is None else self.samples

    def dataset(self) -> Dataset:
        header = header_of(self.words, **self.header)
        header.update(self.extra)
        if self.element is not None:
            del header.BitsStored, header.HighBit, header.PixelRepresentation
        return header

    def native_value(self) -> bytes:
        return self.words.tobytes() if self.value is None else self.value

    def write_native(self, path: Path, syntax_uid: str = EXPLICIT) -> Path:
        """For Little Endian without deflation."""
        implicit = syntax_uid != EXPLICIT
        vr = "OB" if self.words.itemsize == 1 else "OW"
        pixels = native(self.native_value(), vr=vr, implicit_vr=implicit)
        return write_file(path, syntax_uid, self.dataset(), self.element or pixels)

    def write_coded(self, path: Path, syntax_uid: str, **changes: Any) -> Path:
        """Without loss, one fragment for each frame, no offset table; by independent encoders."""
        header = self.dataset()
        header.update(changes)
        if "PlanarConfiguration" in header:
            header.PlanarConfiguration = 0
        coded = encapsulated(self.codestreams(syntax_uid))
        return write_file(path, syntax_uid, header, coded)

    def codestreams(self, syntax_uid: str) -> list[bytes]:
        encoder = independent.LOSSLESS_ENCODERS[syntax_uid]
        return [bytes(encoder(frame, self.bits)) for frame in self.meant(syntax_uid)]


# --- images --------------------------------------------------------------------------------------


def scene(shape: tuple[int, ...], dtype: str, bits: int, seed: int = 1) -> np.ndarray:
    """What looks like an image: a slope, a bright disc, an edge, a little noise; in all its bits.

    shape: (frames, rows, columns[, 3]); each frame and each colour differs.
    """
    random = np.random.default_rng(seed)
    frames, rows, columns = shape[:3]
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    planes = []
    for index in range(frames * (shape[3] if len(shape) == 4 else 1)):
        disc = 0.5 * np.exp(-4 * ((x - 0.1 * index) ** 2 + (y + 0.1 * index) ** 2))
        edge = 0.2 * (x > 0.3)
        plane = 0.15 + 0.1 * y + disc + edge + 0.003 * random.standard_normal(x.shape)
        planes.append(np.clip(plane, 0, 1))
    levels = np.rint(np.stack(planes) * ((1 << bits) - 1)).astype("i8")
    if dtype.startswith("i"):
        levels -= 1 << bits - 1
    image = levels.reshape(frames, -1, rows, columns).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(image.reshape(shape).astype(dtype))


def _grey(dtype: str, bits: int, frames: int = 1, **header: Any) -> Kind:
    words = scene((frames, _ROWS, _COLUMNS), dtype, bits)
    return Kind(words, {"BitsStored": bits} | header, is_natural=True)


def _small(*sides: int, dtype: str = "u2", bits: int = 12) -> Kind:
    return Kind(noise((1, *sides), dtype, bits), {"BitsStored": bits})


def _colour(
    photometric: str, dtype: str = "u1", bits: int = 8, frames: int = 1, **header: Any
) -> Kind:
    words = scene((frames, _ROWS, _COLUMNS, 3), dtype, bits)
    described = {"BitsStored": bits, "PhotometricInterpretation": photometric}
    return Kind(words, described | header, is_natural=True)


def _by_plane(photometric: str) -> Kind:
    kind = _colour(photometric, frames=2, PlanarConfiguration=1)
    value = kind.words.transpose(0, 3, 1, 2).tobytes()
    return Kind(kind.words, kind.header, value=value, is_natural=True)


def _subsampled(columns: int = 66) -> Kind:
    words = scene((2, _ROWS, columns, 3), "u1", 8)
    words[:, :, 1::2, 1:] = words[:, :, 0 : columns // 2 * 2 : 2, 1:]
    pairs = words[:, :, : columns // 2 * 2].reshape(2, _ROWS, columns // 2, 2, 3)
    value = np.stack(
        [pairs[..., 0, 0], pairs[..., 1, 0], pairs[..., 0, 1], pairs[..., 0, 2]], axis=-1
    ).tobytes()
    header = {"PhotometricInterpretation": "YBR_FULL_422"}
    return Kind(words, header, value=value, is_natural=True)


def _palette(dtype: str, bits: int) -> Kind:
    entries = 1 << bits
    lookup = Dataset()
    for colour in range(3):
        lookup.add_new(0x00281101 + colour, "US", [entries % 65536, 0, 16])
    for colour in range(3):
        lookup.add_new(0x00281201 + colour, "OW", np.arange(entries, dtype="u2").tobytes())
    header = {"BitsStored": bits, "PhotometricInterpretation": "PALETTE COLOR"}
    return Kind(scene((1, _ROWS, _COLUMNS), dtype, bits), header, extra=lookup)


def _with_garbage() -> Kind:
    samples = scene((1, _ROWS, _COLUMNS), "u2", 12)
    return Kind(samples | 0x5000, {"BitsStored": 12}, samples=samples)


def _shifted() -> Kind:
    samples = scene((1, _ROWS, _COLUMNS), "u2", 12)
    return Kind(samples << 4, {"BitsStored": 12, "HighBit": 15}, samples=samples)


def _with_overlay() -> Kind:
    """An overlay in bit 13 of 12-bit samples, as PS3.5 8.1.2 had it before it was retired."""
    samples = scene((1, _ROWS, _COLUMNS), "u2", 12)
    drawn = overlay_planes(samples.shape)
    overlay = Dataset()
    overlay.add_new(0x60000010, "US", _ROWS)
    overlay.add_new(0x60000011, "US", _COLUMNS)
    overlay.add_new(0x60000040, "CS", "G")
    overlay.add_new(0x60000050, "SS", [1, 1])
    overlay.add_new(0x60000100, "US", 16)
    overlay.add_new(0x60000102, "US", 13)
    words = samples | drawn.astype("u2") << 13
    return Kind(words, {"BitsStored": 12}, samples=samples, extra=overlay, is_natural=True)


def overlay_planes(shape: tuple[int, ...]) -> np.ndarray:
    return noise(shape, "u1", 1)


def _one_bit() -> Kind:
    planes = noise((2, 8, 16), "u1", 1)
    value = np.packbits(planes, bitorder="little").tobytes()
    return Kind(planes, {"BitsAllocated": 1, "BitsStored": 1}, value=value)


def _floating(dtype: str, tag: int, vr: str) -> Kind:
    samples = scene((1, 9, 11), "u2", 16).astype(dtype) / 7
    value = samples.tobytes()
    element = element_header(tag, vr, len(value), implicit_vr=False) + value
    return Kind(samples, element=element)


# What changes in a data set whose overlay is in its pixels, when these lose it.
OVERLAY_ELEMENTS = (0x60000100, 0x60000102, 0x60003000)
ICON = scene((1, 16, 16), "u1", 8)


def _with_item(tag: int) -> Kind:
    """An icon, or another image, in an item: native here, encapsulated in a coded file."""
    item = header_of(ICON)
    item.add_new(0x7FE00010, "OB", ICON.tobytes())
    extra = Dataset()
    extra.add_new(tag, "SQ", [item])
    return Kind(
        scene((1, _ROWS, _COLUMNS), "u2", 12), {"BitsStored": 12}, extra=extra, is_natural=True
    )


KINDS: Mapping[str, Kind] = {
    "1 of 8 bit": Kind(noise((1, _ROWS, _COLUMNS), "u1", 1), {"BitsStored": 1}),
    "7 of 8 bit": _grey("u1", 7),
    "8 bit": _grey("u1", 8),
    "8 of 16 bit": _grey("u2", 8),
    "8 of 16 bit, signed": _grey("i2", 8),
    "10 bit": _grey("u2", 10),
    "12 bit": _grey("u2", 12),
    "14 bit": _grey("u2", 14),
    "16 bit": _grey("u2", 16),
    "8 bit, signed": _grey("i1", 8),
    "10 bit, signed": _grey("i2", 10),
    "12 bit, signed": _grey("i2", 12),
    "14 bit, signed": _grey("i2", 14),
    "16 bit, signed": _grey("i2", 16),
    "MONOCHROME1": _grey("u2", 12, PhotometricInterpretation="MONOCHROME1"),
    "noise of 8 bit": Kind(noise((1, _ROWS, _COLUMNS), "u1")),
    "noise of 16 bit": Kind(noise((1, _ROWS, _COLUMNS), "u2")),
    "noise of 16 bit, signed": Kind(noise((1, _ROWS, _COLUMNS), "i2")),
    "noise of RGB": Kind(noise((1, _ROWS, _COLUMNS, 3), "u1")),
    "all black": Kind(np.zeros((1, _ROWS, _COLUMNS), "u2"), {"BitsStored": 12}),
    "all white": Kind(np.full((1, _ROWS, _COLUMNS), 4095, "u2"), {"BitsStored": 12}),
    "multi-frame": _grey("u2", 12, frames=5),
    "odd multi-frame": Kind(noise((3, 3, 5), "u1")),
    "multi-frame of RGB": _colour("RGB", frames=3),
    "1x1": _small(1, 1),
    "1x1 of 8 bit": _small(1, 1, dtype="u1", bits=8),
    "1x1 of RGB": _small(1, 1, 3, dtype="u1", bits=8),
    "1x50": _small(1, 50),
    "50x1": _small(50, 1, dtype="i2", bits=16),
    "3x3": _small(3, 3),
    "3x3 of RGB": _small(3, 3, 3, dtype="u1", bits=8),
    "17x31": _small(17, 31, dtype="i2", bits=16),
    "31x33 of RGB": _small(31, 33, 3, dtype="u1", bits=8),
    "RGB": _colour("RGB"),
    "RGB of 12 bit": _colour("RGB", "u2", 12),
    "RGB of 16 bit": _colour("RGB", "u2", 16),
    "RGB by plane": _by_plane("RGB"),
    "RGB, signed": _colour("RGB", "i2", 16),
    "YBR_FULL": _colour("YBR_FULL"),
    "YBR_FULL by plane": _by_plane("YBR_FULL"),
    "YBR_FULL of 16 bit": _colour("YBR_FULL", "u2", 16),
    "YBR_FULL_422": _subsampled(),
    "YBR_FULL_422 of odd width": _subsampled(columns=67),
    "YBR_RCT, native": _colour("YBR_RCT"),
    "unknown colours": _colour("CMYK"),
    "PALETTE COLOR": _palette("u1", 8),
    "PALETTE COLOR of 16 bit": _palette("u2", 16),
    "garbage above HighBit": _with_garbage(),
    "overlay above HighBit": _with_overlay(),
    "HighBit above BitsStored": _shifted(),
    "icon": _with_item(0x00880200),
    "image in an item": _with_item(0x00081140),
    "1 bit": _one_bit(),
    "32 bit": Kind(noise((2, 9, 11), "u4")),
    "32 bit of RGB": Kind(noise((1, 9, 11, 3), "u4")),
    "float": _floating("f4", 0x7FE00008, "OF"),
    "double float": _floating("f8", 0x7FE00009, "OD"),
}
