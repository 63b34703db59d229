"""What the codecs write today is what they wrote when the golden files were made.

A change of a codec's defaults would be seen nowhere else: its results would be right, and larger,
or slower, or of another quality. make_golden.py makes the files anew when a change is wanted.
"""

import json
from importlib.metadata import version
from pathlib import Path

import independent
import numpy as np
import pytest
from codec_support import samples_of
from make_golden import CASES, PSNR_DB, make, path_of, psnr_db
from pydicom import dcmread

from gateway.dicom.part10 import read_meta

CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
CODECS = ("imagecodecs", "pyjpegls", "pylibjpeg-openjpeg", "pylibjpeg-rle", "zlib-ng")
KNOWN_PSNR_DB = json.loads(PSNR_DB.read_text())
LOSSLESS = [name for name in CASES if KNOWN_PSNR_DB[name] is None]
LOSSY = [name for name in CASES if KNOWN_PSNR_DB[name] is not None]
# What these write goes by floating point, or by what the processor can: elsewhere it may differ.
NOT_BY_BYTES = ("deflated", "jpegxl-lossless", "jpegxl-lossless-colour", *LOSSY)
WHAT_TO_DO = (
    "{} is not what it was when tests/golden was made. Which library changed, or its defaults, or"
    " how the gateway calls it? If the new result is wanted: python tests/make_golden.py"
)


def _other_versions() -> list[str]:
    """The codecs that are not of the pinned version."""
    lines = (line.partition("==") for line in CONSTRAINTS.read_text().splitlines())
    pinned = {name.lower(): pin for name, _, pin in lines}
    return [f"{name} {version(name)}" for name in CODECS if version(name) != pinned[name]]


as_pinned = pytest.mark.skipif(
    bool(_other_versions()), reason=f"not what is pinned: {', '.join(_other_versions())}"
)


def _data_set(path: Path) -> bytes:
    """Without the file meta information, which names the version of the gateway."""
    return path.read_bytes()[read_meta(path).data_set_offset :]


@as_pinned
@pytest.mark.parametrize("name", CASES)
def test_a_codec_writes_what_it_wrote(name, tmp_path):
    known, found = _data_set(path_of(name)), _data_set(make(name, tmp_path))
    if name in NOT_BY_BYTES:
        is_same = len(found) == pytest.approx(len(known), rel=0.03)
    else:
        is_same = found == known
    assert is_same, WHAT_TO_DO.format(name)


@as_pinned
@pytest.mark.parametrize("name", LOSSY)
def test_a_lossy_codec_keeps_its_quality(name, tmp_path):
    found = psnr_db(make(name, tmp_path), name)
    assert found == pytest.approx(KNOWN_PSNR_DB[name], abs=0.2), WHAT_TO_DO.format(name)


@pytest.mark.parametrize("name", CASES)
def test_a_golden_file_is_still_read_as_the_same_image(name):
    """By the gateway."""
    found, known = psnr_db(path_of(name), name), KNOWN_PSNR_DB[name]
    assert found == (known if known is None else pytest.approx(known, abs=0.2))


@pytest.mark.parametrize("name", LOSSLESS)
def test_other_decoders_find_the_same_samples_in_a_golden_file(name):
    meant = samples_of(path_of(CASES[name].source))
    for decoder, samples in independent.read(path_of(name)).items():
        np.testing.assert_array_equal(samples, meant, err_msg=decoder)


def test_every_golden_file_is_known():
    files = {path.stem for path in PSNR_DB.parent.glob("*.dcm")}
    assert files == CASES.keys() | {case.source for case in CASES.values()}
    assert all(dcmread(path_of(name)).Rows == 40 for name in files)
