"""Read a finished file back as a receiver would, and compare.

The data set is parsed by pydicom, not by source.py and frames.py. What codecs made was proven frame
by frame (pieces.py) before it was written; here the same bytes must be found where they belong, and
what did not go through a codec is compared with the source.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from os import SEEK_CUR
from pathlib import Path
from typing import Any, BinaryIO

from pydicom import dcmread
from pydicom.encaps import generate_frames
from pydicom.filereader import data_element_generator

from gateway.codecs.source import PIXEL_DATA
from gateway.dicom.syntaxes import TransferSyntax
from gateway.dicom.tags import tags
from gateway.errors import VerificationFailed

PYDICOM = "pydicom"
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
        raise VerificationFailed(f"the result cannot be read back ({type(exc).__name__})") from exc


def _compare(path: Path, expected: Expected) -> None:
    with path.open("rb") as file:
        header = dcmread(file, stop_before_pixels=True)
        if header.file_meta.TransferSyntaxUID != expected.syntax.uid:
            raise VerificationFailed("the result is in another transfer syntax")
        found = tags(header, also_named=False)
        if expected.syntax.is_implicit_vr:
            _compare_tags(_standard(found), _standard(expected.tags))
        else:
            _compare_tags(found, expected.tags)
        if expected.value is not None:
            _find_value(file, expected)
            if expected.frames:
                _compare_codestreams(file, expected.value, expected.frames)
            else:
                _compare_value(file, expected.value)


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


def _find_value(file: BinaryIO, expected: Expected) -> None:
    """Go from where pydicom finds Pixel Data to its value; a native one must have its length."""
    if expected.syntax.is_encapsulated:
        file.seek(_EXPLICIT_HEADER_BYTES, SEEK_CUR)
        return
    element: Any = next(
        data_element_generator(
            file, expected.syntax.is_implicit_vr, is_little_endian=True, defer_size=0
        )
    )
    length = expected.value_bytes + expected.value_bytes % 2
    if (element.tag, element.length) != (PIXEL_DATA, length):
        raise VerificationFailed("Pixel Data was read back with another length")
    file.seek(element.value_tell)


def _compare_codestreams(file: BinaryIO, value: Iterator[bytes], frames: int) -> None:
    found = generate_frames(file, number_of_frames=frames)
    for number, (coded, piece) in enumerate(zip(found, value, strict=True), start=1):
        if coded != piece + b"\0" * (len(piece) % 2):
            raise VerificationFailed(f"frame {number} was read back with other bytes")


def _compare_value(file: BinaryIO, value: Iterator[bytes]) -> None:
    if any(file.read(len(part)) != part for part in value):
        raise VerificationFailed("Pixel Data was read back with other bytes")
