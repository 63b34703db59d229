"""The table of tags that scripts see. Expectations were compared with a real Orthanc 1.10.1."""

import struct

import pytest
from encoded import element, item, read, read_implicit
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.dataelem import DataElement
from pydicom.sequence import Sequence

from gateway.dicom.tags import tags, text_of

# pydicom warns about misspelt character sets while it reads; what it reads is the same.
pytestmark = pytest.mark.filterwarnings("ignore:Incorrect value for Specific Character Set")


@pytest.mark.parametrize(
    ("encoded", "keyword", "shown"),
    [
        (element(0x00100040, "CS", b""), "PatientSex", ""),
        (element(0x00280106, "SS", b""), "SmallestImagePixelValue", ""),
        (element(0x00100030, "DA", b"2020    "), "PatientBirthDate", "2020"),
        (element(0x00100020, "LO", b" ID 1   "), "PatientID", " ID 1"),
        (element(0x00080060, "CS", b"\0\0"), "Modality", ""),
        (element(0x00102160, "SH", b"a\0b "), "EthnicGroup", "a"),
        (element(0x00080008, "CS", b"ORIGINAL\\ AXIAL "), "ImageType", "ORIGINAL\\ AXIAL"),
        (element(0x00101030, "DS", b" 70.500 \\1e2 \\x "), "PatientWeight", " 70.500 \\1e2 \\x"),
        (element(0x00200013, "IS", b"007 "), "InstanceNumber", "007"),
        (element(0x00100010, "PN", b"Doe^John ^=A=B"), "PatientName", "Doe^John ^=A=B"),
        (element(0x00280011, "US", struct.pack("<HH", 1, 2)), "Columns", "1\\2"),
        (element(0x0072007C, "SL", struct.pack("<i", -70000)), "SelectorSLValue", "-70000"),
        (element(0x00720082, "SV", struct.pack("<q", -5)), "SelectorSVValue", "-5"),
        (
            element(0x00189073, "FD", struct.pack("<dd", 1.5, 0.1)),
            "AcquisitionDuration",
            "1.5\\0.10000000000000001",
        ),
        (
            element(0x00720076, "FL", struct.pack("<ff", 0.1, 1e10)),
            "SelectorFLValue",
            "0.10000000149011612\\10000000000",
        ),
        (
            element(0x00280009, "AT", struct.pack("<HHHH", 0x18, 0x1063, 0x54, 0xABCD)),
            "FrameIncrementPointer",
            "0018,1063\\0054,abcd",
        ),
        (element(0x00081030, "UN", b"public "), "StudyDescription", "public"),
        # A VR that nobody knows becomes UN when it is encoded anew: both have to read alike.
        (element(0x00081030, "QQ", b"public "), "StudyDescription", "public"),
    ],
)
def test_value_is_shown_as_text(encoded, keyword, shown):
    assert tags(read(encoded))[keyword] == shown


def test_absent_elements_and_binary_values_and_group_lengths_are_missing():
    dataset = read(
        element(0x00080000, "UL", b"\4\0\0\0"),
        element(0x00080302, "OB", b"\0\1"),
        element(0x00091005, "UN", b"\0\1\2\3"),
        element(0x00091006, "UN", b"x" * 300),
        element(0x00281201, "OW", b"\0" * 8),
        element(0x60003000, "OW", b"\0" * 8),
    )
    assert tags(dataset) == {}


def test_private_elements_have_the_names_that_orthanc_gives_them_as_well():
    dataset = read(
        element(0x00090010, "LO", b"GEMS_IDEN_01"), element(0x00091002, "SH", b"CT01")
    )  # fmt: skip
    assert tags(dataset) == {
        "0009,0010": "GEMS_IDEN_01", "PrivateCreator": "GEMS_IDEN_01",
        "0009,1002": "CT01", "SuiteId": "CT01",
    }  # fmt: skip


def test_a_retired_element_has_its_keyword_and_orthanc_s_name():
    assert tags(read(element(0x00324000, "LT", b"x"))) == {
        "StudyComments": "x", "RETIRED_StudyComments": "x",
    }  # fmt: skip


def test_a_private_element_never_takes_the_name_of_a_public_one(monkeypatch):
    monkeypatch.setattr("gateway.dicom.tags.element_name", lambda tag, creator: "PatientID")
    dataset = read(element(0x00091002, "SH", b"wrong"), element(0x00100020, "LO", b"right"))
    assert tags(dataset)["PatientID"] == "right"


def test_private_and_unknown_elements_are_named_by_number():
    dataset = read(
        element(0x00090010, "LO", b"ACME"),
        element(0x000910AB, "SH", b"x "),
        element(0x000910AC, "UN", b"hello "),
        element(0x00104001, "LO", b"?"),
    )
    expected = {"0009,0010": "ACME", "0009,10ab": "x", "0009,10ac": "hello", "0010,4001": "?"}
    assert tags(dataset) == expected | {"PrivateCreator": "ACME"}


def test_implicit_vr_uses_the_dictionaries():
    dataset = read_implicit(
        (0x00090010, b"GEMS_IDEN_01"),
        (0x00091002, b"SUITE "),
        (0x00091030, b"\1\0"),
        (0x00280010, b"\0\2"),
        (0x00280103, b"\1\0"),
        (0x00280106, b"\xff\xff"),
    )
    shown = tags(dataset)
    assert shown["0009,0010"] == "GEMS_IDEN_01"
    assert shown["0009,1002"] == "SUITE"
    assert shown["Rows"] == "512"
    assert shown["SmallestImagePixelValue"] == "-1"


def test_a_sequence_is_a_list_of_tables():
    inner = element(0x00400008, "SQ", item(element(0x00080100, "SH", b"C1")))
    dataset = read(
        element(0x00081140, "SQ", b""),
        element(0x00082112, "SQ", item(element(0x00081150, "UI", b"1.2\0")) + item(b"")),
        element(0x00400275, "SQ", item(inner)),
    )
    assert tags(dataset) == {
        "ReferencedImageSequence": [],
        "SourceImageSequence": [{"ReferencedSOPClassUID": "1.2"}, {}],
        "RequestAttributesSequence": [{"ScheduledProtocolCodeSequence": [{"CodeValue": "C1"}]}],
    }


def test_the_last_overlay_is_shown():
    dataset = read(element(0x60000010, "US", b"\1\0"), element(0x60020010, "US", b"\2\0"))
    assert tags(dataset)["OverlayRows"] == "2"


@pytest.mark.parametrize(
    ("character_set", "encoded", "name"),
    [
        ("", "Müller", "Müller".encode("latin_1")),
        ("ISO_IR 100", "Müller", "Müller".encode("latin_1")),
        ("ISO-IR 100", "Müller", "Müller".encode("latin_1")),
        ("ISO_IR 101", "Imię", "Imię".encode("iso8859_2")),
        ("ISO_IR 144", "Дћ", "Дћ".encode("iso8859_5")),
        ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ", "ﾔﾏﾀﾞ^ﾀﾛｳ".encode("shift_jis")),
        ("ISO_IR 13", "Test-ДΘﾈ", "Test-ДΘﾈ".encode("shift_jis")),
        ("ISO_IR 192", "王^小東", "王^小東".encode()),
        ("GB18030", "王^小东", "王^小东".encode("gb18030")),
        (
            "\\ISO 2022 IR 87",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        ),
        (
            "\\ISO 2022 IR 149",
            "Hong^Gildong=洪^吉洞=홍^길동",
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7="
            b"\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        ),
        (
            "\\ISO 2022 IR 58",
            "Zhang^XiaoDong=张^小东=",
            b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
        ),
        ("ISO 2022 IR 100\\ISO 2022 IR 144", "Ü^Люк", b"\xdc^\x1b-L\xbb\xee\xda"),
    ],
)
def test_names_are_decoded_from_their_character_set(character_set, encoded, name):
    dataset = read(
        element(0x00080005, "CS", character_set.encode()), element(0x00100010, "PN", name)
    )
    assert tags(dataset)["PatientName"] == encoded


def test_bytes_that_the_character_set_does_not_know_become_replacement_characters():
    dataset = read(element(0x00080005, "CS", b"ISO_IR 192"), element(0x00100010, "PN", b"M\xfcl"))
    assert tags(dataset)["PatientName"] == "M\N{REPLACEMENT CHARACTER}l"


def test_an_item_may_have_a_character_set_of_its_own():
    code = element(0x00080005, "CS", b"ISO_IR 192") + element(0x00080104, "LO", "Ł".encode())
    dataset = read(element(0x00080005, "CS", b"ISO_IR 100"), element(0x00081032, "SQ", item(code)))
    assert tags(dataset)["ProcedureCodeSequence"][0]["CodeMeaning"] == "Ł"


@pytest.mark.parametrize(
    "encoded",
    [
        element(0x00280010, "US", b"\1\2\3"),
        element(0x00280009, "AT", b"\1\2"),
        element(0x00189073, "FD", b"\1"),
        element(0x00081140, "SQ", b"no sequence"),
        element(0x00081140, "SQ", item(b"\1\2\3\4\5\6\7\10\11")),
        element(0x00200013, "IS", b"1A"),
        element(0x00100030, "DA", b"31/02/99"),
        element(0x00100010, "PN", b"\x1b\x1b$\x1b$(\x1b=^"),
    ],
)
def test_strange_values_do_not_raise(encoded):
    tags(read(encoded))


def test_values_that_break_their_vr_are_shown_as_they_are():
    dataset = read(element(0x00200013, "IS", b"1A"), element(0x00280010, "US", b"512"))
    assert tags(dataset) == {"InstanceNumber": "1A", "Rows": "512"}


def test_deep_nesting_ends():
    nested = b""
    for _ in range(2000):
        nested = element(0x0040A730, "SQ", item(nested))
    tags(read(nested))


@given(st.sampled_from(["CS", "DS", "PN", "LO", "US", "FD", "AT", "SQ", "UN"]), st.binary())
def test_no_bytes_at_all_raise(vr, value):
    tags(read(element(0x00104001, vr, value)))


def test_values_set_in_memory_are_shown_like_values_read_from_a_file():
    dataset = Dataset()
    dataset.PatientName = "Doe^John"
    dataset.PatientWeight = "70.50"
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.Rows = 512
    dataset.PatientSex = None
    dataset.AcquisitionDuration = [1.5, 0.1]
    dataset.FrameIncrementPointer = 0x0054ABCD
    dataset.ReferencedImageSequence = Sequence([Dataset()])
    dataset.add(DataElement(0x00091001, "UN", b"text"))
    dataset.add(DataElement(0x7FE00010, "OW", b"\0\0"))
    assert tags(dataset) == {
        "PatientName": "Doe^John",
        "PatientWeight": "70.50",
        "ImageType": "DERIVED\\PRIMARY",
        "Rows": "512",
        "PatientSex": "",
        "AcquisitionDuration": "1.5\\0.10000000000000001",
        "FrameIncrementPointer": "0054,abcd",
        "ReferencedImageSequence": [{}],
        "0009,1001": "text",
    }


def test_reading_values_first_changes_nothing():
    dataset = read(
        element(0x00080005, "CS", b"ISO_IR 192"),
        element(0x00081032, "SQ", item(element(0x00080104, "LO", "Ł".encode()))),
        element(0x00100010, "PN", "Müller".encode()),
        element(0x00101030, "DS", b"70.500\\1e2"),
    )
    before = tags(dataset)
    for read_element in dataset.iterall():
        assert read_element is not None
    assert tags(dataset) == before


def test_an_empty_element_of_a_vr_that_nobody_knows_is_empty():
    dataset = read(element(0x00280103, "QQ", b""))
    assert text_of(dataset, 0x00280103) == ""
    assert tags(dataset) == {"PixelRepresentation": ""}


def test_names_besides_are_for_scripts_and_left_out_where_files_are_compared():
    dataset = Dataset()
    dataset.private_block(0x0009, "GEMS_IDEN_01", create=True).add_new(0x02, "SH", "CT01")
    assert tags(dataset)["SuiteId"] == tags(dataset)["0009,1002"] == "CT01"
    assert tags(dataset, also_named=False).keys() == {"0009,0010", "0009,1002"}
