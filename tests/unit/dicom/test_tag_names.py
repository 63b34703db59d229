"""How requests write tags."""

import pytest

from gateway.dicom.tag_names import parse_tag, tag_name
from gateway.errors import UnknownTag


@pytest.mark.parametrize(
    "text", ["PatientID", "0010,0020", "0010-0020", "00100020", "10,20", "10-20"]
)
def test_a_tag_is_a_keyword_or_its_group_and_element(text):
    assert parse_tag(text) == 0x00100020


def test_hexadecimal_digits_are_read_in_either_case():
    assert parse_tag("300A,00b0") == parse_tag("300a00B0") == 0x300A00B0


def test_private_and_unregistered_tags_are_tags():
    assert parse_tag("0009,1001") == 0x00091001
    assert parse_tag("00120999") == 0x00120999


def test_a_retired_keyword_may_be_written_as_dcmtk_does():
    assert parse_tag("RETIRED_StudyIDIssuer") == parse_tag("StudyIDIssuer") == 0x00320012


@pytest.mark.parametrize(
    "text",
    [
        "",
        "patientid",
        " PatientID",
        "0010|0020",
        "(0010,0020)",
        "0010,002g",
        "00101",
        "\u0660\u0660\u0661\u0660,0020",
    ],
)
def test_anything_else_is_refused_with_what_was_written(text):
    with pytest.raises(UnknownTag) as caught:
        parse_tag(text)
    assert repr(text) in str(caught.value)


def test_a_tag_is_shown_by_its_keyword_or_its_digits():
    assert tag_name(parse_tag("00100020")) == "PatientID"
    assert tag_name(parse_tag("0009,10AB")) == "0009,10ab"
