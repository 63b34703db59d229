"""Where an element is, as people write it."""

import pytest

from gateway.dicom.tag_paths import EVERY, BadIndex, parse_path
from gateway.errors import UnknownTag


@pytest.mark.parametrize("text", ["PatientName", "0010,0010", "0010-0010", "00100010"])
def test_an_element_at_the_top_has_no_parents(text):
    path = parse_path(text)
    assert (path.parents, path.tag) == ((), 0x00100010)


def test_a_path_leads_through_items_of_sequences():
    path = parse_path("ReferencedSeriesSequence[2].0008,1140[*].0008-1155")

    assert path.parents == ((0x00081115, 2), (0x00081140, EVERY))
    assert path.tag == 0x00081155
    assert path.inside.parents == ((0x00081140, EVERY),)


@pytest.mark.parametrize("index", ["x", "", "-1", "1.5"])
def test_what_is_no_number_is_no_index(index):
    with pytest.raises(BadIndex, match="Not a valid index in parent path"):
        parse_path(f"ReferencedStudySequence[{index}].PatientName")


@pytest.mark.parametrize(
    "text", ["", "Nope", "ReferencedStudySequence[0]", "[0].PatientName", "PatientName.", "a[0]."]
)
def test_what_names_no_element_is_unknown(text):
    with pytest.raises(UnknownTag):
        parse_path(text)
