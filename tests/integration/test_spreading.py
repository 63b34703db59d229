"""One image of many frames, made by several codec processes."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from codec_support import (
    EXPLICIT,
    HTJ2K,
    J2K,
    JPEG_BASELINE,
    RLE,
    convert,
    encapsulated,
    header_of,
    noise,
    write_file,
    write_native,
)
from waiting import wait_until

from gateway.codecs.processes import CodecPool
from gateway.codecs.spreading import part_ranges
from gateway.errors import CodecFailed, CodecProcessDied
from gateway.model import TranscodeOptions

VERIFY = TranscodeOptions()


@pytest.fixture(scope="module")
def pool():
    codecs = CodecPool(processes=2, memory_mb=1024, timeout_s=60)
    yield codecs
    codecs.close()


@pytest.fixture(scope="module")
def frames():
    rows = np.add.outer(np.arange(256), np.arange(256)).astype("u2")
    return np.stack([(rows + number * 7) % 4096 for number in range(40)])


@pytest.fixture(scope="module")
def large(frames, tmp_path_factory) -> Path:
    """5 MB, which is worth more than one process."""
    return write_native(tmp_path_factory.mktemp("large") / "large.dcm", frames, BitsStored=12)


@pytest.mark.parametrize(
    ("frames", "native_bytes", "expected"),
    [
        (1, 1 << 30, [(0, 1)]),
        (100, 1 << 20, [(0, 100)]),
        (2, 8 << 20, [(0, 1), (1, 2)]),
        (7, 8 << 20, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 7)]),
    ],
)
def test_parts_are_worth_their_while_and_leave_no_frame_out(frames, native_bytes, expected):
    assert part_ranges(frames, native_bytes, processes=2) == expected


def test_parts_of_huge_images_stay_small():
    ranges = part_ranges(4000, 4 << 30, processes=2)
    assert [edge for edge, _ in ranges[1:]] == [edge for _, edge in ranges[:-1]]
    assert max(last - first for first, last in ranges) <= 8


@pytest.mark.parametrize("syntax", [J2K, HTJ2K, RLE])
def test_what_two_processes_make_is_what_one_makes(syntax, pool, large, tmp_path):
    report = pool.transcode(large, tmp_path / "two.dcm", [syntax], VERIFY)
    alone = convert(large, tmp_path / "one.dcm", syntax)
    assert (tmp_path / "two.dcm").read_bytes() == (tmp_path / "one.dcm").read_bytes()
    assert report.verified_by == alone.verified_by
    assert (report.frames, report.native_bytes) == (alone.frames, alone.native_bytes)
    assert list(tmp_path.glob("*.work")) == []


def test_compressed_images_are_spread_as_well(pool, large, frames, tmp_path):
    convert(large, tmp_path / "j2k.dcm", RLE)
    assert (tmp_path / "j2k.dcm").stat().st_size > 1 << 20
    pool.transcode(tmp_path / "j2k.dcm", tmp_path / "native.dcm", [EXPLICIT], VERIFY)
    assert (tmp_path / "native.dcm").read_bytes() == large.read_bytes()


def test_loss_is_measured_over_all_parts(pool, tmp_path):
    shades = np.add.outer(np.arange(512), np.arange(512)) // 4 % 256
    frames = np.stack([shades.astype("u1")] * 20)
    frames[-1, ::2, ::2] = 255 - frames[-1, ::2, ::2]  # one that loses most, in the last part
    source = write_native(tmp_path / "source.dcm", frames)
    asked = TranscodeOptions(measure=True, quality=60)
    report = pool.transcode(source, tmp_path / "two.dcm", [JPEG_BASELINE], asked)
    alone = convert(source, tmp_path / "one.dcm", JPEG_BASELINE, measure=True, quality=60)
    assert report.lossy
    assert report.max_error == alone.max_error
    assert report.psnr_db == pytest.approx(alone.psnr_db)
    assert report.sop_instance_uid == alone.sop_instance_uid


def test_the_next_rung_is_made_when_samples_do_not_fit_into_the_first(pool, frames, tmp_path):
    changed = frames.copy()
    changed[-1, 0, 0] |= 0x8000
    source = write_native(tmp_path / "source.dcm", changed, BitsStored=12)
    report = pool.transcode(source, tmp_path / "target.dcm", [J2K, RLE], VERIFY)
    assert report.target_syntax_uid == RLE
    assert "frame 40: samples have bits set above the 12 of BitsStored" in report.refusals[0]


def test_too_poor_a_result_is_made_anew_without_loss(pool, tmp_path):
    frames = np.repeat(noise((1, 512, 512), "u1"), 20, axis=0)
    source = write_native(tmp_path / "source.dcm", frames)
    asked = TranscodeOptions(quality=10, minimum_psnr_db=60)
    report = pool.transcode(source, tmp_path / "target.dcm", [JPEG_BASELINE], asked)
    assert (report.lossy, report.target_syntax_uid) == (False, "1.2.840.10008.1.2.4.70")


def test_a_broken_frame_fails_the_image_and_leaves_nothing(pool, tmp_path):
    coded = tmp_path / "coded.dcm"
    good = encapsulated([b"\xff\xd8 no frame"] * 3 + [bytes(1 << 20)])
    write_file(coded, J2K, header_of(np.zeros((4, 1024, 1024), "u2")), good)
    with pytest.raises(CodecFailed):
        pool.transcode(coded, tmp_path / "target.dcm", [EXPLICIT], VERIFY)
    assert [path.name for path in tmp_path.iterdir()] == ["coded.dcm"]


@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_is_killed_fails_the_image_and_nothing_after_it(victim, large, tmp_path):
    slow = write_native(tmp_path / "slow.dcm", np.repeat(noise((1, 512, 512), "u2"), 60, axis=0))
    codecs = CodecPool(processes=2, memory_mb=1024, timeout_s=60)
    scratch = tmp_path / "never.dcm.work"
    try:
        with ThreadPoolExecutor(1) as executor:
            running = executor.submit(codecs.transcode, slow, tmp_path / "never.dcm", [J2K], VERIFY)
            wait_until(lambda: len(list(scratch.glob("part-*"))) >= 2, 30)
            os.kill(codecs.process_ids()[victim], signal.SIGKILL)
            with pytest.raises(CodecProcessDied):
                running.result(timeout=30)
        assert not scratch.exists()
        assert not (tmp_path / "never.dcm").exists()
        codecs.transcode(large, tmp_path / "next.dcm", [HTJ2K], VERIFY)
    finally:
        codecs.close()
