"""What a client sends as a DICOM file: how it begins, and whether all of it has come."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from images import made_ct
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import JPEG2000Lossless
from rest_support import bundled, file_bytes

from gateway.dicom import syntaxes
from gateway.dicom.incoming import Follower, look_at
from gateway.errors import IdentifierMissing, InstanceUnreadable

BIG_ENDIAN = "1.2.840.10008.1.2.2"
NATIVE = (syntaxes.IMPLICIT_LE.uid, syntaxes.EXPLICIT_LE.uid, BIG_ENDIAN)
UID = "1.2.826.0.1.3680043.10.1.1"


def follows(data: bytes, syntax_uid: str, step: int = 1 << 20) -> bool:
    """Whether all has come, when it comes in pieces of so many bytes."""
    follower = Follower(syntaxes.by_uid(syntax_uid))
    for start in range(0, len(data), step):
        follower.feed(data[start : start + step])
    return follower.is_whole


def image_with_items() -> Dataset:
    inner, outer = Dataset(), Dataset()
    inner.CodeValue = "inner"
    inner.is_undefined_length_sequence_item = True
    outer.ConceptNameCodeSequence = Sequence([inner, Dataset()])
    image = made_ct(1, ContentSequence=Sequence([outer]))
    image["ContentSequence"].is_undefined_length = True
    return image


def test_a_file_tells_its_syntax_and_where_its_data_set_begins():
    file = file_bytes(made_ct(1))
    meta = look_at(file)
    assert (meta.transfer_syntax_uid, meta.sop_instance_uid) == (syntaxes.EXPLICIT_LE.uid, UID)
    assert file[meta.data_set_offset :].startswith(b"\x08\x00\x16\x00UI")


@pytest.mark.parametrize("syntax_uid", NATIVE)
def test_the_syntax_of_a_bare_data_set_is_guessed(data_set_bytes, syntax_uid):
    meta = look_at(data_set_bytes(made_ct(1), syntax_uid))
    assert (meta.transfer_syntax_uid, meta.data_set_offset) == (syntax_uid, 0)
    assert meta.sop_instance_uid == UID


def test_file_meta_information_without_a_preamble_is_understood():
    assert look_at(file_bytes(made_ct(1))[132:]).sop_instance_uid == UID


def test_the_data_set_says_what_it_is_whatever_its_header_says():
    file = file_bytes(made_ct(1)).replace(UID.encode(), UID.replace("826", "999").encode(), 1)
    assert look_at(file).sop_instance_uid == UID


def test_a_deflated_data_set_is_looked_into():
    assert (
        look_at(bundled("image_dfl.dcm").read_bytes()).sop_class_uid == "1.2.840.10008.5.1.4.1.1.7"
    )


def test_a_data_set_without_an_instance_uid_lacks_an_identifier(data_set_bytes):
    with pytest.raises(IdentifierMissing):
        look_at(data_set_bytes(made_ct(1, SOPInstanceUID=None)))


@pytest.mark.parametrize("junk", [b"", b"junk", b"\0" * 200, b'{"a": 1}', b"\0" * 128 + b"DICM"])
def test_what_is_no_data_set_is_unreadable(junk):
    with pytest.raises(InstanceUnreadable):
        look_at(junk)


@given(st.binary(max_size=400), st.booleans())
def test_nothing_else_is_raised_for_any_bytes(data, with_prefix):
    with suppress(InstanceUnreadable):
        look_at(b"\0" * 128 + b"DICM" + data if with_prefix else data)


@pytest.mark.parametrize("syntax_uid", NATIVE)
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_a_whole_data_set_is_whole_in_pieces_of_any_size(data_set_bytes, syntax_uid, step):
    assert follows(data_set_bytes(image_with_items(), syntax_uid), syntax_uid, step)


@pytest.mark.parametrize("syntax_uid", NATIVE)
def test_a_data_set_that_ends_within_an_element_is_not_whole(data_set_bytes, syntax_uid):
    data = data_set_bytes(made_ct(1), syntax_uid)
    for missing in (1, 16, 31, 33, 37):
        assert not follows(data[:-missing], syntax_uid)


def test_a_data_set_that_ends_within_a_sequence_is_not_whole(data_set_bytes):
    data = data_set_bytes(image_with_items())
    delimiter = data.rindex(b"\xfe\xff\xdd\xe0\0\0\0\0")
    assert not follows(data[:delimiter], syntaxes.EXPLICIT_LE.uid)


def test_encapsulated_pixels_need_their_last_delimiter(data_set_bytes):
    image = made_ct(1)
    image["PixelData"].VR = "OB"
    image.PixelData = encapsulate([bytes(100), bytes(50)])
    image["PixelData"].is_undefined_length = True
    file = file_bytes(image, JPEG2000Lossless)
    data = file[look_at(file).data_set_offset :]
    assert follows(data, JPEG2000Lossless)
    assert not follows(data[:-8], JPEG2000Lossless)
    assert not follows(data[:-20], JPEG2000Lossless)


@pytest.mark.parametrize(
    "name",
    ["CT_small.dcm", "rtplan.dcm", "image_dfl.dcm", "examples_ybr_color.dcm", "reportsi.dcm",
     "ExplVR_BigEnd.dcm", "JPEG2000.dcm"],
)  # fmt: skip
def test_real_files_are_whole(name):
    file = bundled(name).read_bytes()
    meta = look_at(file)
    assert follows(file[meta.data_set_offset :], meta.transfer_syntax_uid)


def test_the_rest_of_an_odd_data_set_is_taken_for_good(data_set_bytes):
    data = data_set_bytes(made_ct(1))
    assert follows(data + b"\0" * 9, syntaxes.EXPLICIT_LE.uid)
    assert follows(data + b"\x09\x00\x01\x00\x01\x02\x03", syntaxes.EXPLICIT_LE.uid) is False
    assert follows(data + b"\x09\x00\x01\x00\x01\x02\x03\x04 and so on", syntaxes.EXPLICIT_LE.uid)
