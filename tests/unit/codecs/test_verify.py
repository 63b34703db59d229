"""A finished file in which anything is other than it was meant is not let through."""

from collections.abc import Callable
from pathlib import Path

import pytest
from codec_support import EXPLICIT, HTJ2K, IMPLICIT, JPEG_BASELINE, convert, noise, write_native

from gateway.codecs import transcode
from gateway.codecs.verify import Expected, verify
from gateway.errors import VerificationFailed

FRAMES = noise((3, 33, 35), "u1")
# JPEG Baseline's codestreams are JPEG Extended's as well: they are relabelled.
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
ROUTES = [
    pytest.param(EXPLICIT, HTJ2K, id="coded"),
    pytest.param(HTJ2K, EXPLICIT, id="decoded"),
    pytest.param(EXPLICIT, IMPLICIT, id="repacked"),
    pytest.param(JPEG_BASELINE, JPEG_EXTENDED, id="relabelled"),
]


def _flip(data: bytearray, at: int) -> None:
    data[at] ^= 1


def _damages() -> list[object]:
    return [
        pytest.param(lambda data: _flip(data, data.index(b"MONOCHROME2")), id="an element"),
        pytest.param(lambda data: _flip(data, data.index(b"\xe0\x7f\x10\x00") + 90), id="a pixel"),
        pytest.param(lambda data: _flip(data, len(data) - 300), id="a pixel of the last frame"),
        pytest.param(lambda data: data.__delitem__(slice(-500, None)), id="the end"),
    ]


@pytest.mark.parametrize("damage", _damages())
@pytest.mark.parametrize(("begin", "end"), ROUTES)
def test_a_result_that_is_not_what_was_meant_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    begin: str,
    end: str,
    damage: Callable[[bytearray], None],
):
    native = write_native(tmp_path / "native.dcm", FRAMES)
    source = native
    if begin != EXPLICIT:
        source = tmp_path / "source.dcm"
        convert(native, source, begin)

    def verify_damaged(path: Path, expected: Expected) -> None:
        data = bytearray(path.read_bytes())
        damage(data)
        path.write_bytes(data)
        verify(path, expected)

    monkeypatch.setattr(transcode, "verify", verify_damaged)
    with pytest.raises(VerificationFailed):
        convert(source, tmp_path / "target.dcm", end)
