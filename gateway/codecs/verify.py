"""Read a finished file back as a receiver would, and compare.

The data set is parsed by pydicom, not by source.py and frames.py. What codecs made was proven frame
by frame (pieces.py) before it was written; here the same bytes must be found where they belong, and
what did not go through a codec is compared with the source.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.encaps import generate_frames

from gateway.dicom.syntaxes import TransferSyntax
from gateway.dicom.tags import tags
from gateway.errors import VerificationFailed

PYDICOM = "pydicom"
_CHUNK_BYTES = 1 << 20
_EXPLICIT_HEADER_BYTES = 12  # tag, VR, reserved, length of Pixel Data


@dataclass(frozen=True, slots=True)
class Expected:
    """What must be found.

    value: Pixel Data, in parts, which are read as they are compared; None when there is none.
    value_bytes: of native Pixel Data, without padding. frames: how many frames the parts are when
    they are codestreams; 0 when they are the value as it stands in the file.
    """

    syntax: TransferSyntax
    tags: dict[str, Any]
    value: Iterator[bytes] | None = None
    value_bytes: int = 0
    frames: int = 0


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
        compare = _compare_codestreams if expected.frames else _compare_value
        compare(path, expected, expected.value)


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


def _compare_codestreams(path: Path, expected: Expected, value: Iterator[bytes]) -> None:
    with path.open("rb") as file:
        file.seek(_encapsulated_start(path))
        found = generate_frames(file, number_of_frames=expected.frames)
        for number, (coded, piece) in enumerate(zip(found, value, strict=True), start=1):
            if coded != piece + b"\0" * (len(piece) % 2):
                raise VerificationFailed(f"frame {number} was read back with other bytes")


def _compare_value(path: Path, expected: Expected, value: Iterator[bytes]) -> None:
    is_encapsulated = expected.syntax.is_encapsulated
    with path.open("rb") as file:
        file.seek(
            _encapsulated_start(path)
            if is_encapsulated
            else _native_start(path, expected.value_bytes)
        )
        if any(file.read(len(part)) != part for part in value):
            raise VerificationFailed("Pixel Data was read back with other bytes")


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
