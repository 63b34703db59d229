"""A data set as JSON. Expectations were compared with a real Orthanc 1.10.1."""

import struct

import pytest
from encoded import element, item, read, read_implicit
from pydicom import Dataset
from pydicom.sequence import Sequence
from rest_support import bundled, real_file

from gateway.dicom.names import private_name, public_name
from gateway.dicom.views import View, file_view, view


def shown(*elements: bytes, **options) -> dict:
    return view(read(*elements), **options)


def test_the_three_forms_of_one_element():
    name = element(0x00100010, "PN", b"DOE^JOHN ")
    assert shown(name) == {
        "0010,0010": {"Name": "PatientName", "Type": "String", "Value": "DOE^JOHN"}
    }
    assert shown(name, form=View.SHORT) == {"0010,0010": "DOE^JOHN"}
    assert shown(name, form=View.SIMPLIFIED) == {"PatientName": "DOE^JOHN"}


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        (element(0x00081030, "LO", b" lead and trail  "), " lead and trail"),
        (element(0x0008103E, "LO", b"multi \\ ple\\ x "), "multi \\ ple\\ x"),
        (element(0x00104000, "LT", b"with\0nul "), "with"),
        (element(0x00204000, "LT", b"line\r\nline2\ttab "), "line\r\nline2\ttab"),
        (element(0x00102000, "LO", b""), ""),
        (element(0x0072007A, "US", struct.pack("<3H", 0, 1, 65535)), "0\\1\\65535"),
        (element(0x00720074, "FD", struct.pack("<2d", 0.1, 1e22)), "0.10000000000000001\\1e+22"),
    ],
)
def test_text_and_numbers_are_strings_without_padding(encoded, value):
    assert list(shown(encoded, form=View.SHORT).values()) == [value]


@pytest.mark.parametrize(
    "encoded",
    [
        element(0x00720065, "OB", b"abcd"),
        element(0x00720065, "OB", b""),
        element(0x00720069, "OW", b"abcd"),
        element(0x00720067, "OF", b"abcd"),
        element(0x00091001, "UN", b"text"),
        element(0x00280010, "US", b""),
        element(0x00280030, "FD", b"abcd"),
    ],
)
def test_binary_values_and_absent_or_broken_numbers_are_null(encoded):
    (content,) = shown(encoded).values()
    assert (content["Type"], content["Value"]) == ("Null", None)


def test_a_long_value_is_left_out_unless_it_is_asked_for():
    comments = element(0x00204000, "LT", b"x" * 258)
    assert shown(comments)["0020,4000"] == {
        "Name": "ImageComments", "Type": "TooLong", "Value": None,
    }  # fmt: skip
    assert shown(comments, form=View.SIMPLIFIED) == {"ImageComments": None}
    whole = shown(comments, form=View.SIMPLIFIED, whole={0x00204000})
    assert whole == {"ImageComments": "x" * 258}


def test_padding_does_not_make_a_value_long_but_its_encoding_may():
    charset = element(0x00080005, "CS", b"ISO_IR 100")
    assert shown(element(0x00204000, "LT", b"x" * 256 + b"  "))["0020,4000"]["Type"] == "String"
    accents = element(0x00204000, "LT", b"\xe9" * 200)
    assert shown(charset, accents)["0020,4000"]["Type"] == "TooLong"


def test_a_private_element_tells_its_creator_and_the_name_that_is_known_of_it():
    tags = shown(
        element(0x00090010, "LO", b"GEMS_IDEN_01"),
        element(0x00091001, "LO", b"text"),
        element(0x00091055, "LO", b"other "),
        element(0x00111010, "LO", b"no creator"),
    )
    assert tags == {
        "0009,0010": {"Name": "PrivateCreator", "Type": "String", "Value": "GEMS_IDEN_01"},
        "0009,1001": {
            "Name": "FullFidelity",
            "PrivateCreator": "GEMS_IDEN_01",
            "Type": "String",
            "Value": "text",
        },
        "0009,1055": {
            "Name": "Unknown Tag & Data",
            "PrivateCreator": "GEMS_IDEN_01",
            "Type": "String",
            "Value": "other",
        },
        "0011,1010": {"Name": "Unknown Tag & Data", "Type": "String", "Value": "no creator"},
    }


def test_a_sequence_is_a_list_in_the_same_form():
    inside = item(element(0x00081150, "UI", b"1.2\0")) + item(b"")
    sequence = element(0x00081140, "SQ", inside)
    assert shown(sequence, form=View.SHORT) == {"0008,1140": [{"0008,1150": "1.2"}, {}]}
    assert shown(sequence)["0008,1140"]["Type"] == "Sequence"


def test_a_private_sequence_does_not_tell_its_creator():
    tags = shown(
        element(0x00090010, "LO", b"ACME"),
        element(0x00091001, "SQ", item(element(0x00090010, "LO", b"ACME"))),
    )
    assert "PrivateCreator" not in tags["0009,1001"]


def test_of_elements_with_one_name_the_simplified_form_shows_the_last():
    tags = shown(
        element(0x60000010, "US", b"\1\0"), element(0x60020010, "US", b"\2\0"), form=View.SIMPLIFIED
    )
    assert tags == {"OverlayRows": "2"}


def test_a_private_element_without_a_vr_is_decoded_when_its_creator_is_known():
    dataset = read_implicit(
        (0x00090010, b"GEMS_IDEN_01"), (0x00091027, b"\7\0\0\0"), (0x00091077, b"what")
    )
    assert view(dataset, View.SHORT)["0009,1027"] == "7"
    assert view(dataset, View.SHORT)["0009,1077"] is None


def test_elements_set_in_memory_are_shown_alike():
    dataset = Dataset()
    dataset.PatientName = "DOE^JOHN"
    dataset.Rows = 512
    dataset.Columns = None
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.ReferencedImageSequence = Sequence([])
    assert view(dataset, View.SIMPLIFIED) == {
        "Columns": None,
        "ImageType": "ORIGINAL\\PRIMARY",
        "PatientName": "DOE^JOHN",
        "ReferencedImageSequence": [],
        "Rows": "512",
    }


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        (0x00100010, "PatientName"),
        (0x00101000, "OtherPatientIDs"),
        (0x00324000, "RETIRED_StudyComments"),
        (0x00080000, "GenericGroupLength"),
        (0x00110000, "PrivateGroupLength"),
        (0x00020000, "FileMetaInformationGroupLength"),
        (0x00110010, "PrivateCreator"),
        (0x00110001, "Unknown Tag & Data"),
        (0x00080999, "Unknown Tag & Data"),
        (0x60020010, "OverlayRows"),
        (0x50000005, "RETIRED_CurveDimensions"),
        (0x300A0010, "DoseReferenceSequence"),
    ],
)
def test_elements_have_the_names_that_orthanc_gives_them(tag, name):
    assert public_name(tag) == name


def test_a_creator_may_have_reserved_any_block_of_any_of_its_groups():
    assert private_name("SIEMENS CSA HEADER", 0x00292310) == "CSAImageHeaderInfo"
    assert private_name("DLX_LKUP_01", 0x60031001) == private_name("DLX_LKUP_01", 0x60FF1001)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("chrArab.dcm", "قباني^لنزار"),
        ("chrGerm.dcm", "Äneas^Rüdiger"),
        ("chrGreek.dcm", "Διονυσιος"),
        ("chrH31.dcm", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("chrI2.dcm", "Hong^Gildong=洪^吉洞=홍^길동"),
        ("chrX1.dcm", "Wang^XiaoDong=王^小東="),
        ("chrX2.dcm", "Wang^XiaoDong=王^小东="),
    ],
)
def test_text_is_decoded_from_the_files_own_character_set(file, name):
    assert file_view(bundled(file), View.SIMPLIFIED)["PatientName"] == name


@pytest.mark.filterwarnings("ignore:Unknown encoding 'ISO_IR 203'")
def test_the_euro_sign_of_latin_9_is_read():
    charset = element(0x00080005, "CS", b"ISO_IR 203")
    tags = shown(charset, element(0x00081030, "LO", b"\xa4 "), form=View.SIMPLIFIED)
    assert tags["StudyDescription"] == "€"


def test_a_file_ends_with_its_pixels_which_are_null():
    tags = file_view(bundled("CT_small.dcm"))
    assert tags["7fe0,0010"] == {"Name": "PixelData", "Type": "Null", "Value": None}
    assert "fffc,fffc" not in tags  # it has one, behind the pixels


def test_a_deflated_file_is_shown_as_any_other():
    assert file_view(bundled("image_dfl.dcm"), View.SIMPLIFIED)["PixelData"] is None


def test_the_items_of_a_real_private_sequence():
    tags = file_view(real_file("odd/PrivateTags.dcm"), View.SIMPLIFIED)
    small, large = tags["Unknown Tag & Data"]
    assert (small["Rows"], large["Rows"]) == ("64", "480")
