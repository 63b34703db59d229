"""Files that are made to hurt, each by the name of its trap: none gets beyond its codec process.

What the fuzzing finds by chance is here on purpose, at its worst.
"""

import os
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from codec_support import (
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    J2K,
    JPEG_LS,
    RLE,
    SECONDARY_CAPTURE,
    SOP_INSTANCE_UID,
    encapsulated,
    header_of,
    noise,
    samples_of,
    write_file,
    write_native,
)

from gateway.codecs.headers import put
from gateway.codecs.processes import CodecPool
from gateway.dicom import part10
from gateway.dicom.encoding import element_header
from gateway.errors import CodecFailed, TranscodeError, TranscodeUnsupported
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


def test_meta_information_that_claims_four_gigabytes_has_a_false_length(fails, tmp_path):
    source = write_native(tmp_path / "claim.dcm", GREY)
    data = source.read_bytes()
    claim = struct.pack("<HH2sHI", 2, 0x0102, b"OB", 0, 0xFFFFFFF0)
    source.write_bytes(data[:144] + claim + data[144:])
    assert "has a false length" in fails(source, CodecFailed, J2K)


def test_a_transfer_syntax_that_swallows_the_data_set_is_not_quoted(fails, tmp_path):
    source = write_native(tmp_path / "swallows.dcm", GREY)
    data = source.read_bytes()
    length = data.index(b"\x02\0\x10\0UI") + 6
    source.write_bytes(data[:length] + struct.pack("<H", 400) + data[length + 2 :])
    assert "names no transfer syntax" in fails(source, CodecFailed, J2K)


def test_a_number_of_thousands_of_digits_is_not_told_in_full(fails, tmp_path):
    header = header_of(GREY)
    put(header, 0x00280008, "IS", "9" * 4000)
    source = write_file(tmp_path / "many.dcm", J2K, header, encapsulated([_J2K]))
    assert "1 fragments cannot be told apart" in (reason := fails(source, CodecFailed))
    assert len(reason) <= 1000


@pytest.mark.parametrize("depth", [1000, 100_000])
def test_sequences_that_are_nested_without_end_fail(depth, fails, tmp_path):
    sequence = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF)
    nested = (sequence + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)) * depth
    source = write_file(tmp_path / "nested.dcm", EXPLICIT, header_of(GREY), nested)
    assert fails(source, CodecFailed, IMPLICIT)


def test_a_deflate_bomb_is_defused_before_it_fills_the_disk(tmp_path):
    codecs = CodecPool(processes=1, memory_mb=128, timeout_s=60)
    deflater = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    zeros = element_header(0x00091001, "OB", 0xFFFFFFF0, implicit_vr=False) + bytes(64 << 20)
    data = part10.header(SECONDARY_CAPTURE, SOP_INSTANCE_UID, DEFLATED)
    (tmp_path / "bomb.dcm").write_bytes(data + deflater.compress(zeros) + deflater.flush())
    try:
        with pytest.raises(CodecFailed, match="more than 33554432 bytes"):
            codecs.transcode(
                tmp_path / "bomb.dcm", tmp_path / "never.dcm", [EXPLICIT], TranscodeOptions()
            )
        assert [path.name for path in tmp_path.iterdir()] == ["bomb.dcm"]
    finally:
        codecs.close()


# --- RLE -----------------------------------------------------------------------------------------


def _with_long_runs(folder: Path) -> Path:
    run = b"\x82a" * 6  # of 127 bytes each; a plane has 768, less than seven runs and one more
    segments = struct.pack("<16I", 2, 64, 64 + 14, *bytes(13)) + (run + b"\x81a") * 2
    header = header_of(noise((1, 24, 32), "u2"))
    return write_file(folder / "runs.dcm", RLE, header, encapsulated([segments]))


def test_rle_runs_that_are_longer_than_the_image_do_not_end_the_process(fails, tmp_path):
    source = _with_long_runs(tmp_path)
    assert "longer than the image" in fails(source, CodecFailed)


def test_an_rle_bomb_decodes_to_no_more_than_its_image(fails, pool, tmp_path):
    runs = b"\x81a" * 500_000  # 64 MB
    segment = struct.pack("<16I", 1, 64, *bytes(14)) + runs
    source = write_file(tmp_path / "bomb.dcm", RLE, header_of(GREY), encapsulated([segment]))
    used = _cpu_seconds(pool)
    with suppress(CodecFailed):
        pool.transcode(source, tmp_path / "result.dcm", [EXPLICIT], TranscodeOptions())
    assert _cpu_seconds(pool) - used < 2


def test_a_panic_in_rust_costs_no_memory_and_is_not_in_the_log_of_the_gateway(
    tmp_path, capfd, monkeypatch
):
    monkeypatch.setenv("RUST_BACKTRACE", "1")
    codecs = CodecPool(processes=1, memory_mb=64, timeout_s=60)
    try:
        with pytest.raises(CodecFailed, match="longer than the image"):
            codecs.transcode(
                _with_long_runs(tmp_path), tmp_path / "never.dcm", [EXPLICIT], TranscodeOptions()
            )
    finally:
        codecs.close()
    assert capfd.readouterr().err == ""


# --- codestreams that claim more than they hold --------------------------------------------------


def _jpeg_claims(data: bytes, rows: int, columns: int) -> bytes:
    at = next(
        at
        for at in range(len(data))
        if data[at] == 0xFF and data[at + 1] in (0xC0, 0xC1, 0xC3, 0xF7)
    )
    return data[: at + 5] + struct.pack(">HH", rows, columns) + data[at + 9 :]


def _jpeg2000_claims(data: bytes, rows: int, columns: int) -> bytes:
    """Its size, and that of its one tile."""
    size = struct.pack(">4I", columns, rows, 0, 0)
    return data[:8] + size + size[:8] + data[32:]


def _jpegxl_claims(data: bytes, rows: int, columns: int) -> bytes:
    """Two sizes of 30 bits, no ratio, everything else by default (ISO/IEC 18181-1 D.2, D.3)."""
    fields = ((0, 1), (3, 2), (rows - 1, 30), (0, 3), (3, 2), (columns - 1, 30), (1, 1))
    value = shift = 0
    for number, bits in fields:
        value |= number << shift
        shift += bits
    return b"\xff\x0a" + value.to_bytes(-(-shift // 8), "little") + data[12:]


_JPEG = bytes(imagecodecs.jpeg8_encode(GREY[0], level=90))
_SV1 = bytes(imagecodecs.jpeg8_encode(GREY[0], lossless=True, predictor=1, bitspersample=8))
_LS = bytes(imagecodecs.jpegls_encode(GREY[0], out=8192))
_J2K = bytes(imagecodecs.jpeg2k_encode(GREY[0], codecformat="j2k", reversible=True))
_HTJ2K = bytes(imagecodecs.htj2k_encode(GREY[0], reversible=True))
_XL = bytes(imagecodecs.jpegxl_encode(GREY[0], lossless=True, usecontainer=False))
_J = "1.2.840.10008.1.2.4."
CLAIMS: dict[str, tuple[str, bytes, Callable[[bytes, int, int], bytes]]] = {
    "JPEG": (_J + "50", _JPEG, _jpeg_claims),
    "JPEG Lossless": (_J + "70", _SV1, _jpeg_claims),
    "JPEG-LS": (_J + "80", _LS, _jpeg_claims),
    "JPEG 2000": (_J + "90", _J2K, _jpeg2000_claims),
    "HTJ2K": (_J + "201", _HTJ2K, _jpeg2000_claims),
    "JPEG XL": (_J + "110", _XL, _jpegxl_claims),
    "recompressed JPEG": (_J + "111", _XL, _jpegxl_claims),
}


def _claiming(folder: Path, codec: str, rows: int, columns: int, **described: object) -> Path:
    syntax_uid, codestream, claims = CLAIMS[codec]
    header = header_of(GREY)
    for keyword, value in described.items():
        setattr(header, keyword, value)
    pixels = encapsulated([claims(codestream, rows, columns)])
    return write_file(folder / "bomb.dcm", syntax_uid, header, pixels)


@pytest.mark.parametrize("codec", CLAIMS)
def test_a_codestream_of_another_size_than_the_data_set_reaches_no_decoder(codec, fails, tmp_path):
    reason = fails(_claiming(tmp_path, codec, 30000, 30000), TranscodeError)
    assert re.search("(has|cannot hold the) 30000x30000 pixels", reason)


@pytest.mark.parametrize("codec", CLAIMS)
def test_an_image_that_claims_more_than_the_memory_limit_reaches_no_decoder(codec, fails, tmp_path):
    source = _claiming(tmp_path, codec, 30000, 30000, Rows=30000, Columns=30000)
    assert "30000x30000 needs 20599 MB" in fails(source, TranscodeUnsupported)


@pytest.mark.parametrize("codec", CLAIMS)
def test_a_codestream_that_claims_what_is_allowed_costs_no_more_than_such_an_image(
    codec, pool, tmp_path
):
    colours = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    described = colours if codec == "JPEG XL" else {}
    source = _claiming(tmp_path, codec, 3000, 3000, Rows=3000, Columns=3000, **described)
    [before], used = pool.process_ids(), _cpu_seconds(pool)
    with suppress(CodecFailed):  # JPEG 2000 fills up what is missing
        pool.transcode(source, tmp_path / "result.dcm", [EXPLICIT], TranscodeOptions())
    assert pool.process_ids() == [before]
    assert _cpu_seconds(pool) - used < 3


def _cpu_seconds(pool: CodecPool) -> float:
    [process_id] = pool.process_ids()
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_jpeg_ls_that_is_cut_off_anywhere_costs_no_time(pool, tmp_path):
    # CharLS would look for more behind the end, for seconds.
    frames = noise((1, 64, 64), "u2", 12)
    whole = bytes(imagecodecs.jpegls_encode(frames[0], out=4 * frames.nbytes))
    used = _cpu_seconds(pool)
    for end in range(100, len(whole) - 2, 97):
        cut = encapsulated([whole[:end]])
        source = write_file(tmp_path / "cut.dcm", JPEG_LS, header_of(frames, BitsStored=12), cut)
        with pytest.raises(CodecFailed):
            pool.transcode(source, tmp_path / "never.dcm", [EXPLICIT], TranscodeOptions())
    assert _cpu_seconds(pool) - used < 5


@pytest.mark.parametrize(
    "oversize",
    [b"\x04\x02\x75\x30\x75\x30", b"\x04\x04\0\0\x75\x30\0\0\x75\x30"],
    ids=["16 bit", "32 bit"],
)
def test_jpeg_ls_that_names_another_size_later_is_refused(oversize, fails, tmp_path):
    """Oversize image dimensions in a preset segment (ITU-T T.87 C.2.4.1.4)."""
    segment = b"\xff\xf8" + struct.pack(">H", len(oversize) + 2) + oversize
    later = _LS.index(b"\xff\xda")
    pixels = encapsulated([_LS[:later] + segment + _LS[later:]])
    source = write_file(tmp_path / "larger.dcm", JPEG_LS, header_of(GREY), pixels)
    assert fails(source, CodecFailed)


@pytest.mark.parametrize("inside", CLAIMS)
@pytest.mark.parametrize("outside", CLAIMS)
def test_a_codestream_of_another_family_than_its_transfer_syntax_is_refused_or_right(
    outside, inside, pool, tmp_path
):
    source = write_file(
        tmp_path / "other.dcm",
        CLAIMS[outside][0],
        header_of(GREY),
        encapsulated([CLAIMS[inside][1]]),
    )
    before = pool.process_ids()
    try:
        pool.transcode(source, tmp_path / "result.dcm", [EXPLICIT], TranscodeOptions())
    except (CodecFailed, TranscodeUnsupported):
        assert not (tmp_path / "result.dcm").exists()
    else:
        found = samples_of(tmp_path / "result.dcm")
        assert inside == "JPEG" or np.array_equal(found, GREY)
    assert pool.process_ids() == before


def test_jpeg_2000_of_more_pixels_than_32_bits_can_count_is_refused(fails, tmp_path):
    source = _claiming(tmp_path, "HTJ2K", 0xFFFFFFFF, 0xFFFFFFFF)
    assert "has 4294967295x4294967295 pixels" in fails(source, TranscodeError)
