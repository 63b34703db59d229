"""What `gateway syntaxes` tells, held against what codec processes do."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from codec_support import EXPLICIT, JPEG_BASELINE, header_of, noise, write_file, write_native
from pydicom.filereader import read_file_meta_info

from gateway.codecs.catalogue import Support, catalogue
from gateway.codecs.processes import CodecPool
from gateway.errors import TranscodeUnsupported
from gateway.model import TranscodeOptions

ROWS = catalogue(lambda library: "1")
WRITTEN = [row for row in ROWS if row.written_by]
NOT_WRITTEN = [row for row in ROWS if not row.written_by]
OPTIONS = TranscodeOptions()


def short(row: Support) -> str:
    return row.short


@pytest.fixture(scope="module")
def pool() -> Iterator[CodecPool]:
    codecs = CodecPool(processes=1, memory_mb=1024, timeout_s=60)
    yield codecs
    codecs.close()


@pytest.fixture(scope="module")
def sources(pool, tmp_path_factory) -> list[Path]:
    """Colours, colours in JPEG, and grey: each syntax can be made of one of them, at least."""
    folder = tmp_path_factory.mktemp("sources")
    colours = write_native(folder / "colours.dcm", noise((1, 40, 48, 3), "u1"))
    pool.transcode(colours, folder / "jpeg.dcm", [JPEG_BASELINE], OPTIONS)
    grey = write_native(folder / "grey.dcm", noise((1, 40, 48), "u2", 12), BitsStored=12)
    return [colours, folder / "jpeg.dcm", grey]


def transcoded(pool: CodecPool, sources: list[Path], target: Path, uid: str) -> str:
    """Make it of the first source that it can be made of; what verified it. Raises when of none."""
    for source in sources:
        if read_file_meta_info(source).TransferSyntaxUID == uid:
            continue
        try:
            return pool.transcode(source, target, [uid], OPTIONS).verified_by
        except TranscodeUnsupported as error:
            refusal = error
    raise refusal


@pytest.mark.parametrize("row", WRITTEN, ids=short)
def test_what_is_told_to_be_written_is_and_is_read_again(row, pool, sources, tmp_path):
    target = tmp_path / "target.dcm"
    transcoded(pool, sources, target, row.uid)
    assert read_file_meta_info(target).TransferSyntaxUID == row.uid
    assert row.read_by
    if row.uid != EXPLICIT:
        pool.transcode(target, tmp_path / "again.dcm", [EXPLICIT], OPTIONS)


@pytest.mark.parametrize("row", [row for row in WRITTEN if row.verified_by], ids=short)
def test_what_is_told_to_verify_does(row, pool, sources, tmp_path):
    verified_by = transcoded(pool, sources, tmp_path / "target.dcm", row.uid)
    name, _, part = verified_by.partition(" ")
    assert row.verified_by == f"{name} 1 {part}".rstrip()


@pytest.mark.parametrize("row", NOT_WRITTEN, ids=short)
def test_what_is_not_written_is_refused(row, pool, sources, tmp_path):
    with pytest.raises(TranscodeUnsupported):
        transcoded(pool, sources, tmp_path / "target.dcm", row.uid)


@pytest.mark.parametrize("row", [row for row in ROWS if not row.read_by], ids=short)
def test_what_is_not_read_is_passed_on_only(row, pool, tmp_path):
    video = write_file(tmp_path / "video.dcm", row.uid, header_of(noise((1, 4, 4), "u1")), b"")
    assert not pool.transcode(video, tmp_path / "same.dcm", [row.uid], OPTIONS).changed
    assert (tmp_path / "same.dcm").read_bytes() == video.read_bytes()
