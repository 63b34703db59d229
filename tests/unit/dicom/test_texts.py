"""Text into the character sets of DICOM, without losing a character."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from gateway.dicom.charsets import decode, encoding_of
from gateway.dicom.encoding import encode
from gateway.dicom.tags import tags
from gateway.dicom.texts import DoesNotFit, encoded, has_foreign_text, recode
from gateway.dicom.walking import put_items, put_value

CHARACTER_SETS = [
    "", "ISO_IR 100", "ISO_IR 101", "ISO_IR 144", "ISO_IR 126", "ISO_IR 127", "ISO_IR 138",
    "ISO_IR 148", "ISO_IR 166", "ISO_IR 13", "ISO_IR 192", "GB18030", "GBK",
    "\\ISO 2022 IR 87", "ISO 2022 IR 13\\ISO 2022 IR 87", "ISO 2022 IR 6\\ISO 2022 IR 149",
    "\\ISO 2022 IR 58", "ISO 2022 IR 100\\ISO 2022 IR 144",
]  # fmt: skip


def data_set(character_set: str, name: bytes) -> Dataset:
    made = Dataset()
    if character_set:
        put_value(made, BaseTag(0x00080005), "CS", character_set.encode())
    put_value(made, BaseTag(0x00100010), "PN", name)
    return made


def read(made: Dataset) -> Dataset:
    return read_dataset(DicomBytesIO(encode(made, implicit_vr=False)), False, True)


@pytest.mark.parametrize(
    ("text", "character_set", "value"),
    [
        ("Müller^Jörg", "ISO_IR 100", b"M\xfcller^J\xf6rg"),
        ("Жюль", "ISO_IR 144", "Жюль".encode("iso8859_5")),
        ("Müller", "ISO_IR 192", "Müller".encode()),
        ("Yamada^Tarou=山田^太郎", "\\ISO 2022 IR 87",
         b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"),
        ("王^小东", "GB18030", "王^小东".encode("gb18030")),
        ("Yamada=山田", "ISO 2022 IR 13\\ISO 2022 IR 87", b"Yamada=\x1b$B;3ED\x1b(J"),
        ("Hong=김희중", "\\ISO 2022 IR 149", b"Hong=\x1b$)C" + "김희중".encode("euc_kr")),
        ("é=Ж", "ISO 2022 IR 100\\ISO 2022 IR 144", b"\xe9=\x1b-L" + "Ж".encode("iso8859_5")),
        ("Dupont", "", b"Dupont"),
    ],
)  # fmt: skip
def test_text_is_encoded_in_the_character_set_of_its_data_set(text, character_set, value):
    assert encoded(text, character_set, person_name=True) == value


@pytest.mark.parametrize(
    ("text", "character_set"),
    [
        ("Жук", "ISO_IR 100"),
        ("é", ""),
        ("é", "ISO_IR 6"),
        ("山", "ISO_IR 13"),
        ("é山", "\\ISO 2022 IR 87"),
    ],
)
def test_text_with_a_character_that_the_set_has_not_does_not_fit(text, character_set):
    with pytest.raises(DoesNotFit):
        encoded(text, character_set)


@given(text=st.text(st.characters(exclude_categories=["Cc", "Cs"])), which=st.integers(0, 99))
def test_what_is_encoded_reads_back_as_it_was(text: str, which: int):
    character_set = CHARACTER_SETS[which % len(CHARACTER_SETS)]
    try:
        value = encoded(text, character_set, person_name=True)
    except DoesNotFit:
        return
    assert decode(value, encoding_of(character_set), person_name=True) == text


@pytest.mark.parametrize(
    ("character_set", "text"),
    [
        ("ISO_IR 100", "Müller^Jörg"),
        ("ISO_IR 144", "Жюль"),
        ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎"),
        ("GB18030", "王^小东"),
    ],
)
def test_a_data_set_changes_to_utf_8_as_a_whole(character_set, text):
    value = encoded(text, character_set, person_name=True)
    made, item = data_set(character_set, value), data_set("", value)
    put_items(made, BaseTag(0x00081110), [item])

    recode(made, "ISO_IR 192")

    table = tags(read(made))
    assert table["SpecificCharacterSet"] == "ISO_IR 192"
    assert table["PatientName"] == text
    assert table["ReferencedStudySequence"] == [{"PatientName": text}]


def test_an_item_with_a_character_set_of_its_own_is_read_in_it():
    made = data_set("ISO_IR 100", "é".encode("latin_1"))
    put_items(made, BaseTag(0x00081110), [data_set("ISO_IR 144", "Ж".encode("iso8859_5"))])

    recode(made, "ISO_IR 192")

    table = tags(read(made))
    assert table["PatientName"] == "é"
    assert table["ReferencedStudySequence"] == [{"PatientName": "Ж"}]


def test_bytes_that_are_no_text_are_not_given_up():
    made = data_set("ISO_IR 192", b"caf\xe9")

    recode(made, "ISO_IR 192")

    assert tags(read(made))["PatientName"] == "café"


def test_foreign_text_is_found_in_items_too():
    made = data_set("", b"Dupont")
    assert not has_foreign_text(made)
    put_items(made, BaseTag(0x00081110), [data_set("", b"\xe9")])
    assert has_foreign_text(made)
