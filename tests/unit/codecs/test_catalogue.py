"""What is told of each transfer syntax."""

import pytest

from gateway.codecs.catalogue import Support, catalogue
from gateway.codecs.table import CODECS
from gateway.dicom.syntaxes import ALL, lookup

ROWS = {row.uid: row for row in catalogue(lambda library: f"<{library}>")}


def row(name: str) -> Support:
    return ROWS[lookup(name).uid]


def test_every_transfer_syntax_is_told_once_and_in_order():
    assert list(ROWS) == [syntax.uid for syntax in ALL]


def test_libraries_are_named_with_their_versions():
    assert row("j2k").read_by == "imagecodecs <imagecodecs>"
    assert row("j2k").verified_by == "pylibjpeg-openjpeg <pylibjpeg-openjpeg>"


def test_a_part_of_a_library_comes_behind_its_version():
    assert row("jpeg-lossless").verified_by == "imagecodecs <imagecodecs> (jpegsof3)"


def test_native_syntaxes_need_no_codec():
    for name in ("implicit", "explicit"):
        support = row(name)
        libraries = {support.read_by, support.written_by, support.verified_by}
        assert libraries == {"pydicom <pydicom>"}


def test_what_is_retired_is_read_only():
    support = row("big-endian")
    assert support.read_by
    assert not support.written_by
    assert "retired" in support.remark


def test_video_is_told_why_it_is_not_decoded():
    support = row("mpeg2")
    assert (support.read_by, support.written_by, support.verified_by) == ("", "", "")
    assert support.remark == "video and audio are not still images"


def test_what_is_made_of_another_syntax_only_says_so():
    assert row("jpegxl-jpeg").written_by
    assert "JPEGBaseline8Bit only" in row("jpegxl-jpeg").remark


@pytest.mark.parametrize("support", ROWS.values(), ids=lambda support: support.short)
def test_what_is_missing_has_its_reason(support):
    assert support.remark or (support.read_by and support.written_by and support.verified_by)


@pytest.mark.parametrize("uid", CODECS, ids=lambda uid: lookup(uid).short)
def test_the_table_of_codecs_is_what_is_told(uid):
    assert ROWS[uid].read_by.startswith(CODECS[uid].decoded_by.split()[0])
    assert bool(ROWS[uid].verified_by) == (CODECS[uid].check is not None)


@pytest.mark.parametrize("support", ROWS.values(), ids=lambda support: support.short)
def test_what_is_lossless_and_written_is_verified(support):
    if support.written_by and not support.lossy:
        assert support.verified_by
