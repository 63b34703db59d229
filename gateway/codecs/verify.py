"""Read a finished file back as a receiver would, and compare.

The data set is parsed by pydicom, not by source.py and frames.py. What codecs made was proven frame
by frame (pieces.py) before it was written; here the same bytes must be found where they belong.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.encaps import generate_frames

from gateway.codecs.spool import digest, digest_of
from gateway.dicom.syntaxes import TransferSyntax
from gateway.dicom.tags import tags
from gateway.errors import VerificationFailed

PYDICOM = "pydicom"
_CHUNK_BYTES = 1 << 20
_EXPLICIT_HEADER_BYTES = 12  # tag, VR, reserved, length of Pixel Data


@dataclass(frozen=True, slots=True)
class Expected:
    """What must be found.

    digests, lengths: of the piece of each frame. value, value_bytes: of Pixel Data as a whole.
    """

    syntax: TransferSyntax
    tags: dict[str, Any]
    digests: Sequence[bytes] | None = None
    lengths: Sequence[int] = ()
    value: bytes | None = None
    value_bytes: int = 0


def verify(path: Path, expected: Expected) -> None:
    """Compare. Raises VerificationFailed."""
    try:
        _compare(path, expected)
    except VerificationFailed:
        raise
    except Exception as exc:
        raise VerificationFailed(f"the result cannot be read back: {exc}") from exc


def _compare(path: Path, expected: Expected) -> None:
    header = dcmread(path, stop_before_pixels=True)
    if header.file_meta.TransferSyntaxUID != expected.syntax.uid:
        raise VerificationFailed("the result is in another transfer syntax")
    if expected.syntax.is_implicit_vr:
        _compare_tags(_standard(tags(header)), _standard(expected.tags))
    else:
        _compare_tags(tags(header), expected.tags)
    if expected.value is not None:
        parts = _value(path, expected)
        if digest_of(parts) != expected.value:
            raise VerificationFailed("Pixel Data was read back with other bytes")
    elif expected.digests is not None:
        _compare_pieces(path, expected, expected.digests)


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


def _compare_pieces(path: Path, expected: Expected, digests: Sequence[bytes]) -> None:
    if expected.syntax.is_encapsulated:
        found = _coded_pieces(path, expected.lengths)
    else:
        found = _native_pieces(path, expected.lengths)
    for number, piece in enumerate(digests, start=1):
        if digest(next(found, b"")) != piece:
            raise VerificationFailed(f"frame {number} was read back with other bytes")


def _native_pieces(path: Path, lengths: Sequence[int]) -> Iterator[bytes]:
    """The frames of native Pixel Data."""
    with path.open("rb") as file:
        file.seek(_native_start(path, sum(lengths)))
        for length in lengths:
            yield file.read(length)


def _coded_pieces(path: Path, lengths: Sequence[int]) -> Iterator[bytes]:
    """The codestreams, without the byte that pads some of them."""
    with path.open("rb") as file:
        file.seek(_encapsulated_start(path))
        coded = generate_frames(file, number_of_frames=len(lengths))
        for piece, length in zip(coded, lengths, strict=True):
            yield piece[:length] if len(piece) == length + length % 2 else piece


def _value(path: Path, expected: Expected) -> Iterator[bytes]:
    """The value of Pixel Data as a whole, in parts."""
    length = expected.value_bytes
    is_encapsulated = expected.syntax.is_encapsulated
    start = _encapsulated_start(path) if is_encapsulated else _native_start(path, length)
    with path.open("rb") as file:
        file.seek(start)
        for offset in range(0, length, _CHUNK_BYTES):
            yield file.read(min(_CHUNK_BYTES, length - offset))


def _native_start(path: Path, length: int) -> int:
    """Where pydicom finds the value of native Pixel Data, which must be of that length."""
    dataset = dcmread(path, defer_size=_CHUNK_BYTES)
    element: Any = dataset.get_item("PixelData", keep_deferred=True)
    if element.length != length + length % 2:
        raise VerificationFailed("Pixel Data was read back with another length")
    return int(element.value_tell)


def _encapsulated_start(path: Path) -> int:
    """Where pydicom finds the value of encapsulated Pixel Data."""
    with path.open("rb") as file:
        dcmread(file, stop_before_pixels=True)
        return file.tell() + _EXPLICIT_HEADER_BYTES
