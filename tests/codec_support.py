"""Made images, files around codestreams, and the transcoder without its process."""

import shutil
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.pixels import pixel_array

from gateway.codecs.limits import Limits
from gateway.codecs.processes import SCRATCH_SUFFIX
from gateway.codecs.transcode import Job, known, transcode
from gateway.dicom import part10
from gateway.dicom.encoding import element_header, encode
from gateway.model import TranscodeOptions, TranscodeReport

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG_LS_NEAR = "1.2.840.10008.1.2.4.81"
J2K = "1.2.840.10008.1.2.4.90"
J2K_LOSSY = "1.2.840.10008.1.2.4.91"
HTJ2K = "1.2.840.10008.1.2.4.201"
HTJ2K_LOSSY = "1.2.840.10008.1.2.4.203"
JPEG_XL = "1.2.840.10008.1.2.4.112"
RLE = "1.2.840.10008.1.2.5"
TARGETS = (IMPLICIT, EXPLICIT, J2K)

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
SOP_INSTANCE_UID = "1.2.826.0.1.3680043.9.1"
MEMORY_BYTES = 4 << 30


def header_of(frames: np.ndarray, **changes: Any) -> Dataset:
    """A header that describes (frames, rows, columns[, samples]) as pixels; None removes."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = SECONDARY_CAPTURE
    dataset.SOPInstanceUID = SOP_INSTANCE_UID
    dataset.PatientName = "Müller^Jörg"
    dataset.StudyInstanceUID = dataset.SeriesInstanceUID = "1.2.3"
    dataset.Rows, dataset.Columns = frames.shape[1:3]
    dataset.SamplesPerPixel = 3 if frames.ndim == 4 else 1
    dataset.PhotometricInterpretation = "RGB" if frames.ndim == 4 else "MONOCHROME2"
    if frames.ndim == 4:
        dataset.PlanarConfiguration = 0
    if len(frames) > 1:
        dataset.NumberOfFrames = len(frames)
    dataset.BitsAllocated = dataset.BitsStored = frames.dtype.itemsize * 8
    dataset.PixelRepresentation = int(frames.dtype.kind == "i")
    for keyword, value in changes.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    if "HighBit" not in changes:
        dataset.HighBit = dataset.BitsStored - 1
    return dataset


def write_file(
    path: Path, syntax_uid: str, header: Dataset, pixels: bytes, after: bytes = b""
) -> Path:
    """A Part 10 file; pixels: the Pixel Data element as encoded. Not for Big Endian."""
    data_set = encode(header, implicit_vr=syntax_uid == IMPLICIT) + pixels + after
    path.write_bytes(part10.header(SECONDARY_CAPTURE, SOP_INSTANCE_UID, syntax_uid) + data_set)
    return path


def native(value: bytes, *, vr: str = "OW", implicit_vr: bool = False) -> bytes:
    value += b"\0" * (len(value) % 2)
    return element_header(0x7FE00010, vr, len(value), implicit_vr=implicit_vr) + value


def encapsulated(fragments: Sequence[bytes], table: bytes = b"") -> bytes:
    items = b"".join(
        struct.pack("<HHI", 0xFFFE, 0xE000, len(item) + len(item) % 2)
        + item
        + b"\0" * (len(item) % 2)
        for item in (table, *fragments)
    )
    begin = element_header(0x7FE00010, "OB", 0xFFFFFFFF, implicit_vr=False)
    return begin + items + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def in_an_item(tag: int, image: Dataset, pixels: bytes, *, delimited: bool = False) -> bytes:
    """A sequence of one item. delimited: by delimiters (PS3.5 7.5), else by lengths."""
    content = encode(image, implicit_vr=False) + pixels
    if not delimited:
        item = struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content
        return element_header(tag, "SQ", len(item), implicit_vr=False) + item
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + content
    ends = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    return element_header(tag, "SQ", 0xFFFFFFFF, implicit_vr=False) + item + ends


def write_native(
    path: Path, frames: np.ndarray, syntax_uid: str = EXPLICIT, **changes: Any
) -> Path:
    """A native file of (frames, rows, columns[, samples]), whose samples are color-by-pixel."""
    header = header_of(frames, **changes)
    vr = "OB" if header.BitsAllocated == 8 else "OW"
    pixels = native(frames.tobytes(), vr=vr, implicit_vr=syntax_uid == IMPLICIT)
    return write_file(path, syntax_uid, header, pixels)


def convert(
    source: Path, target: Path, syntax_uid: str, *, verify: bool = True, **options: Any
) -> TranscodeReport:
    """Transcode in this process."""
    target.unlink(missing_ok=True)
    limits = Limits(MEMORY_BYTES, grant=lambda native_bytes: None)
    scratch = target.with_name(target.name + SCRATCH_SUFFIX)
    job = Job(
        source, target, known(syntax_uid), TranscodeOptions(verify=verify, **options), scratch
    )
    try:
        return transcode(job, [syntax_uid], limits)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def samples_of(path: Path) -> np.ndarray:
    """All samples as pydicom reads them: (frames, rows, columns[, samples]), no colour change."""
    dataset = dcmread(path)
    array = pixel_array(dataset, raw=True)
    multiple = int(dataset.get("NumberOfFrames", 1) or 1) > 1
    return array if multiple else array[np.newaxis]


def noise(shape: tuple[int, ...], dtype: str, bits: int | None = None) -> np.ndarray:
    """Samples of that many bits, all values alike, the same each time."""
    random = np.random.default_rng(5)
    size = np.dtype(dtype)
    bits = bits or size.itemsize * 8
    low, high = (0, 1 << bits) if size.kind == "u" else (-(1 << bits - 1), 1 << bits - 1)
    return random.integers(low, high, shape, dtype=np.int64).astype(size)
