"""Read a finished file back as a receiver would, and compare: other readers, other decoders.

The data set is parsed by pydicom, not by source.py and frames.py; codestreams are decoded by
another library than the one that encoded them; samples and header values must be those that went
in.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.encaps import generate_frames

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


def digest(frame: Frame | bytes) -> bytes:
    """Of all samples of a frame, so that it need not be kept until it is read back."""
    return blake2b(frame if isinstance(frame, bytes) else frame.data).digest()


def digest_of(parts: Iterable[bytes]) -> bytes:
    """Of bytes that come in parts of any size."""
    summary = blake2b()
    for part in parts:
        summary.update(part)
    return summary.digest()


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
        parts = _native_parts(path, _CHUNK_BYTES)
        if digest_of(parts) != expected.value:
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
        library = CODECS[syntax.uid].checked_by
        found = (digest(frame) for frame in _coded_frames(path, syntax, image))
    else:
        library = PYDICOM
        found = (digest(part) for part in _native_parts(path, image.frame_bytes))
    for number, expected in enumerate(samples, start=1):
        if next(found, b"") != expected:
            raise VerificationFailed(f"{library} read other samples back from frame {number}")
    return library


def _native_parts(path: Path, size_bytes: int) -> Iterator[bytes]:
    """The value of native Pixel Data, where pydicom finds it, in parts of that size."""
    dataset = dcmread(path, defer_size=_CHUNK_BYTES)
    element: Any = dataset.get_item("PixelData", keep_deferred=True)
    with path.open("rb") as file:
        file.seek(element.value_tell)
        for start in range(0, element.length, size_bytes):
            yield file.read(min(size_bytes, element.length - start))


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
