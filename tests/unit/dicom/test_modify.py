"""Changing data sets in memory."""

from typing import Any

import pytest
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from gateway.dicom.deidentification import Action, profile
from gateway.dicom.encoding import encode
from gateway.dicom.modify import BadValue, Modification, Uids, modify
from gateway.dicom.tag_paths import parse_path
from gateway.dicom.tags import tags
from gateway.dicom.texts import DoesNotFit
from gateway.dicom.walking import put_items, put_value
from gateway.errors import InstanceUnreadable

SAVED = "0011,1001"


def made(**values: str) -> Dataset:
    """A data set of texts; what begins with p is private, of the creator ACME."""
    dataset = Dataset()
    put_value(dataset, BaseTag(0x00080005), "CS", b"ISO_IR 100")
    for name, text in values.items():
        tag = parse_path(name).tag
        put_value(dataset, tag, "UI" if "UID" in name else "LO", text.encode("latin_1"))
    return dataset


def with_private(dataset: Dataset) -> Dataset:
    put_value(dataset, BaseTag(0x00110010), "LO", b"ACME")
    put_value(dataset, BaseTag(0x00111001), "LO", b"secr\xe9t")
    return dataset


def nested(dataset: Dataset, *items: Dataset) -> Dataset:
    put_items(dataset, BaseTag(0x00081140), list(items))
    return dataset


def as_read(dataset: Dataset) -> Dataset:
    return read_dataset(DicomBytesIO(encode(dataset, implicit_vr=False)), False, True)


def modified(dataset: Dataset, **wanted: Any) -> dict[str, Any]:
    """What scripts would see of it; paths are given as text."""
    for name in ("remove", "keep"):
        wanted[name] = frozenset(parse_path(text) for text in wanted.get(name, ()))
    wanted["replace"] = {parse_path(k): v for k, v in wanted.get("replace", {}).items()}
    source = as_read(dataset)
    modify(source, Modification(**wanted))
    return tags(as_read(source))


def test_nothing_changes_when_nothing_is_asked_for():
    source = as_read(nested(with_private(made(PatientName="Ré")), made(PatientName="x")))
    before = encode(source, implicit_vr=False)

    modify(source, Modification())

    assert encode(source, implicit_vr=False) == before


def test_a_sequence_in_which_nothing_changes_stays_as_it_was_encoded():
    # An item of undefined length, which would be written with its length.
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff\x10\x00\x10\x00PN\x02\x00x \xfe\xff\x0d\xe0\0\0\0\0"
    source = Dataset()
    put_value(source, BaseTag(0x00081140), "SQ", item)

    modify(source, Modification(uids=Uids({"1.2": "3.4"}), remove_private=True))

    assert item in encode(source, implicit_vr=False)


def test_uids_are_replaced_wherever_they_are_named():
    inner = made(ReferencedSOPInstanceUID="1.2")
    source = nested(made(SOPInstanceUID="1.2", StudyInstanceUID="1.9"), inner)

    table = modified(source, uids=Uids({"1.2": "7.7"}))

    assert table["SOPInstanceUID"] == "7.7"
    assert table["StudyInstanceUID"] == "1.9"
    assert table["ReferencedImageSequence"][0]["ReferencedSOPInstanceUID"] == "7.7"


def test_several_uids_in_one_element_are_each_replaced():
    table = modified(made(FailedSOPInstanceUIDList="1.2\\1.3\\1.2"), uids=Uids({"1.2": "7.7"}))

    assert table["FailedSOPInstanceUIDList"] == "7.7\\1.3\\7.7"


def test_private_elements_go_on_all_levels():
    table = modified(nested(with_private(made()), with_private(made())), remove_private=True)

    assert "0011,1001" not in str(table)


def test_a_private_element_that_is_kept_keeps_its_creator():
    table = modified(with_private(made()), remove_private=True, keep=[SAVED])

    assert (table["0011,0010"], table[SAVED]) == ("ACME", "secrét")


def test_keeping_is_stronger_than_replacing_and_that_than_removing():
    source = made(PatientName="old", PatientID="old", Modality="CT")

    table = modified(
        source,
        replace={"PatientName": "new", "PatientID": "new"},
        remove=["PatientID", "Modality"],
        keep=["PatientName", "Modality"],
    )

    assert (table["PatientName"], table["PatientID"], table["Modality"]) == ("old", "new", "CT")


def test_one_element_of_one_item_is_kept():
    source = nested(made(), made(PatientName="a"), made(PatientName="b"))

    table = modified(
        source, profile=profile("2021b"), keep=["ReferencedImageSequence[1].PatientName"]
    )

    assert [item["PatientName"] for item in table["ReferencedImageSequence"]] == ["", "b"]


def test_a_private_element_keeps_its_vr_and_its_character_set():
    table = modified(with_private(made()), replace={SAVED: "é"})

    assert table[SAVED] == "é"


def test_a_block_is_reserved_for_a_new_private_element():
    table = modified(made(), replace={"00E1,1001": "7"}, private_creator="ELSCINT1")

    assert table["00e1,0010"] == "ELSCINT1"


def test_a_value_that_the_vr_does_not_allow_is_refused():
    with pytest.raises(BadValue, match=r"\(0028,0010\) has out-of-range value: \"abc\""):
        modified(made(), replace={"Rows": "abc"})


def test_a_declared_character_set_is_changed_with_all_texts():
    source = nested(made(PatientName="Ré"), made(PatientName="Lé"))

    table = modified(source, replace={"SpecificCharacterSet": "ISO_IR 192"})

    assert table["SpecificCharacterSet"] == "ISO_IR 192"
    assert table["PatientName"] == "Ré"
    assert table["ReferencedImageSequence"][0]["PatientName"] == "Lé"


def test_a_character_set_that_lacks_what_is_there_is_refused():
    with pytest.raises(DoesNotFit):
        modified(made(PatientName="Ré"), replace={"SpecificCharacterSet": "ISO_IR 144"})


def test_whoever_declares_a_character_set_that_was_missing_is_believed():
    source = made()
    del source[0x00080005]
    put_value(source, BaseTag(0x00100010), "PN", "Ж".encode())

    table = modified(source, replace={"SpecificCharacterSet": "ISO_IR 192"})

    assert table["PatientName"] == "Ж"


def test_a_name_in_an_item_is_hidden_too():
    source = nested(made(PatientName="a"), made(PatientName="Hidden", InstitutionName="Hidden"))

    assert "Hidden" not in str(modified(source, profile=profile("2021b")))


def test_curves_and_overlays_are_removed_when_a_patient_is_hidden():
    source = made()
    for tag in (0x50023000, 0x60043000, 0x60044000):
        put_value(source, BaseTag(tag), "LO", b"x")

    modify(source, Modification(profile=profile("2021b")))

    assert list(source.keys()) == [0x00080005]


def test_uids_of_the_standard_stay_when_a_patient_is_hidden():
    uids = Uids(salt="s")

    assert uids.anonymous("1.2.840.10008.1.4.1.1") == "1.2.840.10008.1.4.1.1"
    assert uids.anonymous("1.2") == uids.anonymous("1.2") != Uids(salt="t").anonymous("1.2")
    assert uids.anonymous("") == ""


def test_sequences_without_end_are_refused():
    source = made(PatientName="a")
    for _ in range(40):
        source = nested(made(), source)

    with pytest.raises(InstanceUnreadable):
        modify(source, Modification(remove_private=True))


def test_editions_of_the_profile_are_known_by_name():
    newest = profile("2021b")
    assert newest is not None
    assert newest.action(BaseTag(0x00080020)) is Action.EMPTY
    assert newest.action(BaseTag(0x00080080)) is Action.REMOVE
    assert newest.action(BaseTag(0x00200052)) is Action.REPLACE_UID
    assert newest.action(BaseTag(0x00280010)) is None
    assert profile("1993") is None
