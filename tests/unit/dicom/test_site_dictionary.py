"""Elements that the site has named are called so, by scripts and by the REST interface."""

import io
from collections.abc import Iterator

import pydicom
import pytest
from pydicom import Dataset
from pydicom.datadict import DicomDictionary, keyword_dict, private_dictionaries

from gateway.dicom.site_dictionary import SiteElement, set_site_dictionary
from gateway.dicom.tag_names import parse_tag
from gateway.dicom.tags import tags

PUBLIC = SiteElement(0x0014, 0x1099, "LO", "PubName")
PRIVATE = SiteElement(0x00E1, 0xC2, "LO", "PET-CT Multi Modality Name", "ELSCINT1")
NOBODYS = SiteElement(0x0015, 0x1011, "LO", "Of Anybody")


@pytest.fixture(autouse=True)
def dictionary() -> Iterator[None]:
    """The site's, and none afterwards."""
    set_site_dictionary([PUBLIC, PRIVATE, NOBODYS])
    yield
    del DicomDictionary[0x00141099], keyword_dict["PubName"]
    for key in [key for key in private_dictionaries["ELSCINT1"] if key.lower() == "00e1xxc2"]:
        del private_dictionaries["ELSCINT1"][key]
    set_site_dictionary([])


def written(*, implicit: bool) -> Dataset:
    dataset = Dataset()
    dataset.add_new(0x00141099, "LO", "pub")
    dataset.private_block(0x00E1, "ELSCINT1", create=True).add_new(0xC2, "LO", "private")
    dataset.private_block(0x0015, "MINE", create=True).add_new(0x11, "LO", "anybody's")
    dataset.private_block(0x0015, "MINE").add_new(0x12, "LO", "unnamed")
    encoded = io.BytesIO()
    pydicom.dcmwrite(encoded, dataset, implicit_vr=implicit, little_endian=True)
    encoded.seek(0)
    return pydicom.dcmread(encoded, force=True)


@pytest.mark.parametrize("implicit", [True, False])
def test_scripts_see_the_names_of_the_site(implicit):
    assert tags(written(implicit=implicit)) == {
        "PubName": "pub",
        "PET-CT Multi Modality Name": "private",
        "Of Anybody": "anybody's",
        "0015,0010": "MINE",
        "00e1,0010": "ELSCINT1",
        "0015,1012": "unnamed",
        "0015,1011": "anybody's",
        "00e1,10c2": "private",
        "PrivateCreator": "ELSCINT1",
    }


def test_an_element_that_is_not_private_can_be_named_in_a_request():
    assert parse_tag("PubName") == 0x00141099


def test_what_was_named_before_is_forgotten():
    set_site_dictionary([])
    assert tags(written(implicit=False))["00e1,10c2"] == "private"
