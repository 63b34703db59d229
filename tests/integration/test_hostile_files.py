"""Files that are made to hurt, each by the name of its trap: none gets beyond its codec process.

What the fuzzing finds by chance is here on purpose, at its worst.
"""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from codec_support import (
    EXPLICIT,
    IMPLICIT,
    J2K,
    RLE,
    encapsulated,
    header_of,
    noise,
    write_file,
    write_native,
)

from gateway.codecs.processes import CodecPool
from gateway.dicom.encoding import element_header
from gateway.errors import CodecFailed, TranscodeError
from gateway.model import TranscodeOptions

GREY = noise((1, 32, 32), "u1")
Fails = Callable[..., str]


@pytest.fixture(scope="module")
def pool() -> Iterator[CodecPool]:
    codecs = CodecPool(processes=1, memory_mb=1024, timeout_s=60)
    yield codecs
    codecs.close()


@pytest.fixture
def fails(pool: CodecPool, tmp_path: Path) -> Fails:
    """Transcode a file that must fail; answers the reason. The same process does the next one."""

    def transcode(source: Path, error: type[TranscodeError], target_uid: str = EXPLICIT) -> str:
        before, never = pool.process_ids(), tmp_path / "never.dcm"
        with pytest.raises(error) as caught:
            pool.transcode(source, never, [target_uid], TranscodeOptions())
        assert not never.exists()
        good = write_native(tmp_path / "good.dcm", GREY)
        pool.transcode(good, tmp_path / "next.dcm", [J2K], TranscodeOptions())
        assert pool.process_ids() == before
        return str(caught.value)

    return transcode


# --- the data set --------------------------------------------------------------------------------


def test_an_element_that_claims_four_gigabytes_is_cut_off(fails, tmp_path):
    claim = element_header(0x00091001, "OB", 0xFFFFFFF0, implicit_vr=False) + bytes(100)
    source = write_file(tmp_path / "claim.dcm", EXPLICIT, header_of(GREY), claim)
    assert "cut off" in fails(source, CodecFailed, IMPLICIT)


def test_meta_information_that_claims_four_gigabytes_is_no_dicom_file(fails, tmp_path):
    source = write_native(tmp_path / "claim.dcm", GREY)
    data = source.read_bytes()
    claim = struct.pack("<HH2sHI", 2, 0x0102, b"OB", 0, 0xFFFFFFF0)
    source.write_bytes(data[:144] + claim + data[144:])
    assert "not a DICOM file" in fails(source, CodecFailed, J2K)


def test_a_transfer_syntax_that_swallows_the_data_set_is_not_quoted(fails, tmp_path):
    source = write_native(tmp_path / "swallows.dcm", GREY)
    data = source.read_bytes()
    length = data.index(b"\x02\0\x10\0UI") + 6
    source.write_bytes(data[:length] + struct.pack("<H", 400) + data[length + 2 :])
    assert "names no transfer syntax" in fails(source, CodecFailed, J2K)


# --- RLE -----------------------------------------------------------------------------------------


def _with_long_runs(folder: Path) -> Path:
    run = b"\x82a" * 6  # of 127 bytes each; a plane has 768, less than seven runs and one more
    segments = struct.pack("<16I", 2, 64, 64 + 14, *bytes(13)) + (run + b"\x81a") * 2
    header = header_of(noise((1, 24, 32), "u2"))
    return write_file(folder / "runs.dcm", RLE, header, encapsulated([segments]))


def test_rle_runs_that_are_longer_than_the_image_do_not_end_the_process(fails, tmp_path):
    source = _with_long_runs(tmp_path)
    assert "longer than the image" in fails(source, CodecFailed)


def test_what_codecs_write_to_stderr_is_not_in_the_log_of_the_gateway(tmp_path, capfd):
    codecs = CodecPool(processes=1, memory_mb=1024, timeout_s=60)
    with pytest.raises(CodecFailed):
        codecs.transcode(
            _with_long_runs(tmp_path), tmp_path / "never.dcm", [EXPLICIT], TranscodeOptions()
        )
    codecs.close()
    assert capfd.readouterr().err == ""
