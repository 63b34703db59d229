"""Overlays in unused bits of Pixel Data become Overlay Data."""

import numpy as np
import pytest
from codec_support import EXPLICIT, J2K, RLE, convert, header_of, native, noise, write_file
from pydicom import dcmread
from pydicom.overlays import numpy_handler

from gateway.codecs.headers import put
from gateway.errors import TranscodeUnsupported


def write_with_overlays(path, frames, planes, *, bits=12, columns=None):
    """planes: {group: (bit, (frames, rows, columns) of bool)}."""
    header = header_of(frames, BitsStored=bits)
    words = frames.copy()
    for group, (bit, plane) in planes.items():
        words |= plane.astype(words.dtype) << bit
        base = group << 16
        header.add_new(base | 0x0010, "US", frames.shape[1])
        header.add_new(base | 0x0011, "US", columns or frames.shape[2])
        header.add_new(base | 0x0040, "CS", "G")
        header.add_new(base | 0x0050, "SS", [1, 1])
        header.add_new(base | 0x0100, "US", 16)
        header.add_new(base | 0x0102, "US", bit)
    return write_file(path, EXPLICIT, header, native(words.tobytes()))


def plane_of(shape, seed):
    return np.random.default_rng(seed).random(shape) < 0.3


@pytest.mark.parametrize("shape", [(1, 8, 16), (1, 5, 7), (3, 5, 7), (2, 8, 16)])
def test_overlays_are_taken_out_and_samples_stay(shape, tmp_path):
    source, target, back = (tmp_path / f"{name}.dcm" for name in ("source", "target", "back"))
    frames = noise(shape, "u2", 12)
    planes = {0x6000: (12, plane_of(shape, 1)), 0x6004: (15, plane_of(shape, 2))}
    write_with_overlays(source, frames, planes)
    convert(source, target, J2K)
    convert(target, back, EXPLICIT)
    found = dcmread(back)
    assert found.PixelData == frames.tobytes()
    for group, (_, plane) in planes.items():
        assert found[group, 0x0102].value == 0
        assert found[group, 0x0100].value == 1
        np.testing.assert_array_equal(
            numpy_handler.get_overlay_array(found, group), plane.squeeze()
        )
        if shape[0] > 1:
            assert (found[group, 0x0015].value, found[group, 0x0051].value) == (shape[0], 1)


def test_a_target_that_keeps_whole_words_keeps_overlays_where_they_are(tmp_path):
    source, target, back = (tmp_path / f"{name}.dcm" for name in ("source", "target", "back"))
    frames = noise((1, 5, 7), "u2", 12)
    write_with_overlays(source, frames, {0x6000: (12, plane_of(frames.shape, 1))})
    convert(source, target, RLE)
    convert(target, back, EXPLICIT)
    assert dcmread(back).PixelData == dcmread(source).PixelData
    assert dcmread(back)[0x6000, 0x0102].value == 12


def test_an_overlay_with_data_of_its_own_is_left_alone(tmp_path):
    source, target = tmp_path / "source.dcm", tmp_path / "target.dcm"
    frames = noise((1, 5, 7), "u2", 12)
    header = header_of(frames, BitsStored=12)
    header.add_new(0x60000102, "US", 0)
    header.add_new(0x60003000, "OW", b"\1\2\3\4\5\0")
    write_file(source, EXPLICIT, header, native(frames.tobytes()))
    convert(source, target, J2K)
    assert dcmread(target)[0x60003000].value == b"\1\2\3\4\5\0"


@pytest.mark.parametrize(("bit", "columns"), [(11, None), (16, None), (12, 6)])
def test_overlays_that_are_somewhere_else_are_refused(bit, columns, tmp_path):
    source = tmp_path / "source.dcm"
    frames = noise((1, 5, 7), "u2", 12)
    write_with_overlays(source, frames, {0x6000: (bit, np.zeros_like(frames))}, columns=columns)
    with pytest.raises(TranscodeUnsupported, match="overlay of group 6000"):
        convert(source, tmp_path / "target.dcm", J2K)


def test_an_overlay_whose_place_is_no_number_is_refused(tmp_path):
    header = header_of(noise((1, 5, 7), "u2", 12), BitsStored=12)
    put(header, 0x60000102, "LO", "x")
    source = write_file(tmp_path / "source.dcm", EXPLICIT, header, native(bytes(70)))
    with pytest.raises(TranscodeUnsupported, match="overlay of group 6000"):
        convert(source, tmp_path / "target.dcm", J2K)
