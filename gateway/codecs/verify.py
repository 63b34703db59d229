"""Read a finished file back as a receiver would, and compare: other readers, other decoders.

The data set is parsed by pydicom, not by source.py and frames.py; codestreams are decoded by
another library than the one that encoded them; samples and header values must be those that went
in.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import iter_pixels

from gateway.codecs import codestreams
from gateway.codecs.image import Image
from gateway.codecs.samples import conform
from gateway.codecs.table import CODECS, Frame
from gateway.dicom.syntaxes import TransferSyntax
from gateway.dicom.tags import tags
from gateway.errors import VerificationFailed

PYDICOM = "pydicom"
_EXPLICIT_HEADER_BYTES = 12
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Expected:
    """What must be found. samples: a digest per frame, with the image they are of; or None.

    value: a digest of the bytes of native Pixel Data that was not decoded; or None.
    """

    syntax: TransferSyntax
    tags: dict[str, Any]
    image: Image | None = None
    samples: Sequence[bytes] | None = None
    value: bytes | None = None


def digest(frame: Frame) -> bytes:
    """Of all samples of a frame, so that it need not be kept until it is read back."""
    return blake2b(np.ascontiguousarray(frame).data).digest()


def verify(path: Path, expected: Expected) -> str:
    """Compare; answer the name of the library that decoded. Raises VerificationFailed."""
    try:
        return _compare(path, expected)
    except VerificationFailed:
        raise
    except Exception as exc:
        raise VerificationFailed(f"the result cannot be read back: {exc}") from exc


def _compare(path: Path, expected: Expected) -> str:
    header = dcmread(path, stop_before_pixels=True)
    if header.file_meta.TransferSyntaxUID != expected.syntax.uid:
        raise VerificationFailed("the result is in another transfer syntax")
    if expected.syntax.is_implicit_vr:
        _compare_tags(_standard(tags(header)), _standard(expected.tags))
    else:
        _compare_tags(tags(header), expected.tags)
    if expected.value is not None:
        if _native_value(path) != expected.value:
            raise VerificationFailed("Pixel Data was read back with other bytes")
    elif expected.image is not None and expected.samples is not None:
        return _compare_samples(path, expected.syntax, expected.image, expected.samples)
    return PYDICOM


def _compare_tags(found: dict[str, Any], expected: dict[str, Any]) -> None:
    if found != expected:
        names = {
            name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)
        }
        raise VerificationFailed(f"elements were read back with other values: {sorted(names)}")


def _standard(table: dict[str, Any]) -> dict[str, Any]:
    """Without private elements: Implicit VR keeps their bytes, and lets everyone guess their VR."""
    return {
        name: [_standard(item) for item in value] if isinstance(value, list) else value
        for name, value in table.items()
        if "," not in name
    }


def _compare_samples(
    path: Path, syntax: TransferSyntax, image: Image, samples: Sequence[bytes]
) -> str:
    if syntax.is_encapsulated:
        frames, library = _coded_frames(path, syntax, image), CODECS[syntax.uid].checked_by
    else:
        frames, library = iter_pixels(path, raw=True), PYDICOM
    for number, (frame, expected) in enumerate(zip(frames, samples, strict=True), start=1):
        if digest(frame.reshape(image.shape)) != expected:
            raise VerificationFailed(f"{library} read other samples back from frame {number}")
    return library


def _native_value(path: Path) -> bytes:
    """A digest of the value of Pixel Data, as long as pydicom finds it to be."""
    element: Any = dcmread(path, defer_size=_CHUNK_BYTES).get_item("PixelData", keep_deferred=True)
    summary = blake2b()
    left = element.length
    with path.open("rb") as file:
        file.seek(element.value_tell)
        while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
            summary.update(chunk)
            left -= len(chunk)
    return summary.digest()


def _coded_frames(path: Path, syntax: TransferSyntax, image: Image) -> Iterator[Frame]:
    check = CODECS[syntax.uid].check
    if check is None:
        raise VerificationFailed(f"no other library here decodes {syntax.keyword}")
    with path.open("rb") as file:
        dcmread(file, stop_before_pixels=True)
        file.seek(_EXPLICIT_HEADER_BYTES, 1)
        for data in generate_frames(file, number_of_frames=image.frames):
            precision = codestreams.inspect(data).precision
            yield conform(check(data, image), image, precision)
