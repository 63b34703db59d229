"""DCMTK and GDCM read what we compress as the same image, and we read what they compress.

They are programs of other people, with codecs of their own (DCMTK's JPEG and JPEG-LS), and read the
whole file, not just codestreams.
"""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from codec_support import EXPLICIT, convert, samples_of
from matrix_table import TABLE
from pixel_kinds import KINDS
from pydicom import dcmread

pytestmark = pytest.mark.peer

_J = "1.2.840.10008.1.2.4."
RLE = "1.2.840.10008.1.2.5"
# Of each kind that the syntaxes tell apart, one. The last ones are where small buffers, the lost
# sign and the lack of a marker once made a difference.
TELLING = (
    "8 bit",
    "12 bit, signed",
    "16 bit",
    "noise of 16 bit",
    "odd multi-frame",
    "RGB",
    "RGB by plane",
    "PALETTE COLOR",
    "1x1",
    "3x3 of RGB",
)
OTHERS = (
    "8 of 16 bit",
    "12 bit",
    "16 bit, signed",
    "MONOCHROME1",
    "multi-frame",
    "multi-frame of RGB",
    "YBR_FULL",
    "overlay above HighBit",
    "1x50",
    "50x1",
)
NAMES = (*TELLING, *(pytest.param(name, marks=pytest.mark.long) for name in OTHERS))
# Syntax, its column in the table, who decodes it: the program and its options.
READERS = {
    "DCMTK, JPEG any": (_J + "57", "jll", ["dcmdjpeg", "+cn"]),
    "DCMTK, JPEG": (_J + "70", "jll", ["dcmdjpeg", "+cn"]),
    "DCMTK, JPEG-LS": (_J + "80", "ls", ["dcmdjpls"]),
    "DCMTK, RLE": (RLE, "rle", ["dcmdrle"]),
    "GDCM, JPEG any": (_J + "57", "jll", ["gdcmconv", "--raw"]),
    "GDCM, JPEG": (_J + "70", "jll", ["gdcmconv", "--raw"]),
    "GDCM, JPEG-LS": (_J + "80", "ls", ["gdcmconv", "--raw"]),
    "GDCM, JPEG 2000": (_J + "90", "j2k", ["gdcmconv", "--raw"]),
    "GDCM, JPEG 2000 may lose": (_J + "91", "j91", ["gdcmconv", "--raw"]),
    "GDCM, RLE": (RLE, "rle", ["gdcmconv", "--raw"]),
}
# Who compresses, and how.
WRITERS = {
    "DCMTK, JPEG any": ["dcmcjpeg", "+el", "+sv", "6"],
    "DCMTK, JPEG": ["dcmcjpeg", "+e1"],
    "DCMTK, JPEG-LS": ["dcmcjpls"],
    "DCMTK, JPEG-LS by line": ["dcmcjpls", "+il"],
    "DCMTK, RLE": ["dcmcrle"],
    "GDCM, JPEG": ["gdcmconv", "--jpeg"],
    "GDCM, JPEG-LS": ["gdcmconv", "--jpegls"],
    "GDCM, JPEG 2000": ["gdcmconv", "--j2k"],
    "GDCM, RLE": ["gdcmconv", "--rle"],
}


# DCMTK 3.6.7 makes other pixels of several frames by plane, as all decoders agree.
WRONG = {("DCMTK, JPEG any", "RGB by plane"), ("DCMTK, JPEG", "RGB by plane")}


def run(command: list[str], source: Path, target: Path) -> str:
    """What the program complains of; "" when it succeeds."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(
        [*command, str(source), str(target)],
        env={**os.environ, "TCP_NODELAY": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return "" if done.returncode == 0 and target.exists() else done.stderr or "it failed"


def by_pixel(path: Path) -> np.ndarray:
    """Samples as pydicom reads native Pixel Data."""
    dataset = dcmread(path)
    assert not dataset.file_meta.TransferSyntaxUID.is_compressed
    return samples_of(path)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("reader", READERS)
def test_others_read_what_we_compress(reader, name, tmp_path):
    uid, column, command = READERS[reader]
    kind = KINDS[name]
    if TABLE[name][column] != "=":
        pytest.skip("it is refused")
    native, coded, theirs = (tmp_path / f"{step}.dcm" for step in ("native", "coded", "theirs"))
    convert(kind.write_native(native), coded, uid)
    assert run(command, coded, theirs) == ""
    meant = kind.words if kind.samples is None else kind.samples
    np.testing.assert_array_equal(by_pixel(theirs), meant)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("writer", WRITERS)
def test_we_read_what_others_compress(writer, name, tmp_path):
    if (writer, name) in WRONG:
        pytest.skip("its result is another image")
    kind = KINDS[name]
    native, coded, ours = (tmp_path / f"{step}.dcm" for step in ("native", "coded", "ours"))
    if complaint := run(WRITERS[writer], kind.write_native(native), coded):
        pytest.skip(f"{writer.split(',')[0]} cannot: {complaint[:60]}")
    convert(coded, ours, EXPLICIT)
    meant = kind.words if kind.samples is None else kind.samples
    np.testing.assert_array_equal(by_pixel(ours), meant)


# Decoders of DCT may differ by a few levels of 255, and in how they give chroma to its neighbours.
LOSSY = {
    "8 bit": (_J + "50", 3),
    "MONOCHROME1": (_J + "51", 3),
    "10 bit": (_J + "51", 3),
    "12 bit": (_J + "51", 3),
    "RGB": (_J + "50", 8),
    "YBR_FULL": (_J + "50", 8),
}


@pytest.mark.parametrize("name", LOSSY)
@pytest.mark.parametrize("command", ["dcmdjpeg +cn", "gdcmconv --raw"])
def test_others_decode_lossy_jpeg_nearly_as_we_do(command, name, tmp_path):
    uid, bound = LOSSY[name]
    native, coded, ours, theirs = (tmp_path / f"{n}.dcm" for n in ("native", "coded", "a", "b"))
    convert(KINDS[name].write_native(native), coded, uid)
    convert(coded, ours, EXPLICIT)
    assert run(command.split(), coded, theirs) == ""
    difference = by_pixel(theirs).astype("i4") - by_pixel(ours)
    assert np.abs(difference).max() <= bound
