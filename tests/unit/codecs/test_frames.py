"""Frames are found in encapsulated and native Pixel Data, or the reason is said."""

import struct
from io import BytesIO

import numpy as np
import pytest
from codec_support import encapsulated, header_of

from gateway.codecs import frames
from gateway.codecs.codestreams import begins_codestream
from gateway.codecs.image import describe
from gateway.codecs.source import PixelElement
from gateway.errors import CodecFailed

FIRST, SECOND = b"\xff\xd8first!", b"\xff\xd8second"
REST = b"and the rest"


def found(fragments, count, table=b""):
    file = BytesIO(encapsulated(fragments, table)[12:])
    items = frames.read_items(file, 0)
    assert file.seek(0, 2) == items.end

    def begins_frame(fragment):
        return begins_codestream(frames.read_fragment(file, fragment, 12))

    return [frames.read_span(file, span) for span in frames.spans(items, count, begins_frame)]


def offsets(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


@pytest.mark.parametrize("table", [b"", offsets(0, 16), offsets(0, 999), offsets(7), b"\1\2\3"])
def test_as_many_fragments_as_frames_need_no_offset_table(table):
    assert found([FIRST, SECOND], 2, table) == [FIRST, SECOND]


def test_all_fragments_are_one_frame_when_there_is_one():
    assert found([FIRST, REST, REST], 1) == [FIRST + REST + REST]


def test_offset_table_tells_frames_of_several_fragments_apart():
    # Fragments without a marker, so that nothing but the table can tell.
    assert found([b"aa", b"bb", b"cc"], 2, offsets(0, 20)) == [b"aabb", b"cc"]


@pytest.mark.parametrize("table", [b"", offsets(0, 17), offsets(0), offsets(0, 0), b"\1\2\3"])
def test_start_markers_tell_frames_apart_when_the_offset_table_does_not(table):
    assert found([FIRST, REST, SECOND], 2, table) == [FIRST + REST, SECOND]


@pytest.mark.parametrize(
    ("fragments", "count"),
    [([FIRST], 2), ([], 1), ([FIRST, SECOND, FIRST], 2), ([b"aa", b"bb", b"cc"], 2)],
)
def test_fragments_that_do_not_make_the_frames_are_refused(fragments, count):
    with pytest.raises(CodecFailed, match="cannot be told apart"):
        found(fragments, count)


def test_several_codestreams_are_not_one_frame():
    with pytest.raises(CodecFailed, match="2 fragments cannot be told apart into 1 frames"):
        found([FIRST, SECOND], 1)


def test_empty_fragments_are_skipped():
    assert found([FIRST, b"", SECOND], 2) == [FIRST, SECOND]


@pytest.mark.parametrize("missing", [1, 7, 8, 9, 15, 20])
def test_items_that_are_cut_off_are_refused(missing):
    data = encapsulated([FIRST, SECOND])[12:]
    with pytest.raises(CodecFailed, match="cut off"):
        frames.read_items(BytesIO(data[:-missing]), 0)


def test_anything_but_items_is_refused():
    with pytest.raises(CodecFailed, match="sequence delimiter"):
        frames.read_items(BytesIO(b"\xfe\xff\x00\xe0\0\0\0\0" + b"garbage!"), 0)


# --- native --------------------------------------------------------------------------------------


def native_frames(data, shape, *, swapped=False, vr="OW", dtype="u1"):
    image = describe(header_of(np.zeros(shape, dtype)))
    pixels = PixelElement(vr, 0, len(data))
    frames.refuse_other_length(pixels, image)
    size = image.frame_bytes
    return [
        frames.read_value(BytesIO(data), pixels, index * size, size, swapped=swapped)
        for index in range(image.frames)
    ]


def test_native_frames_follow_each_other():
    assert native_frames(b"abcdef", (2, 1, 3)) == [b"abc", b"def"]


def test_big_endian_words_are_swapped_across_odd_frames():
    assert native_frames(b"badcfe", (2, 1, 3), swapped=True) == [b"abc", b"def"]


def test_big_endian_ob_is_not_swapped():
    assert native_frames(b"abcdef", (2, 1, 3), swapped=True, vr="OB") == [b"abc", b"def"]


def test_padding_after_the_last_native_frame_is_ignored():
    assert native_frames(b"abc\0", (1, 1, 3)) == [b"abc"]


@pytest.mark.parametrize("data", [b"ab", b"abcdef", b"abcdefgh"])
def test_native_pixel_data_of_another_number_of_frames_is_refused(data):
    with pytest.raises(CodecFailed, match="1 frames need 3"):
        native_frames(data, (1, 1, 3))
