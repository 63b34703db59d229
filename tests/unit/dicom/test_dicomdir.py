"""The directory of a file set: what it lists, and how its records are linked."""

from io import BytesIO

import pytest
from images import made_ct, save
from pydicom import Dataset, dcmread

from gateway.dicom.dicomdir import DirectoryBuilder, record_type
from gateway.dicom.part10 import read_header, read_meta

STORAGE = "1.2.840.10008.5.1.4.1.1."


@pytest.fixture
def directory_of(tmp_path):
    """The data set of the directory of these images: file IMAGES\\IM0 and so on."""

    def build(*images: Dataset, extended: bool = False) -> Dataset:
        builder = DirectoryBuilder(extended=extended)
        for number, image in enumerate(images):
            path = save(image, tmp_path / f"{number}.dcm")
            builder.add(("IMAGES", f"IM{number}"), read_meta(path), read_header(path))
        return dcmread(BytesIO(builder.to_bytes()))

    return build


def followed(directory: Dataset) -> list[tuple[str, list]]:
    """The tree that the offsets of the records make: types, and what is below."""
    by_offset = {item.seq_item_tell: item for item in directory.DirectoryRecordSequence}

    def chain(offset: int) -> list[tuple[str, list]]:
        found = []
        while offset:
            record = by_offset[offset]
            lower = chain(record.OffsetOfReferencedLowerLevelDirectoryEntity)
            found.append((record.DirectoryRecordType, lower))
            offset = record.OffsetOfTheNextDirectoryRecord
        return found

    return chain(directory.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity)


def records(directory: Dataset, kind: str) -> list[Dataset]:
    return [item for item in directory.DirectoryRecordSequence if item.DirectoryRecordType == kind]


def test_records_are_linked_as_patients_studies_series_and_images(directory_of):
    directory = directory_of(
        made_ct(1),
        made_ct(2, PatientID="other", StudyInstanceUID="1.2.1", SeriesInstanceUID="1.3.1"),
        made_ct(3),
        made_ct(4, SeriesInstanceUID="1.3.2"),
        made_ct(5, StudyInstanceUID="1.2.2", SeriesInstanceUID="1.3.3"),
    )
    image = ("IMAGE", [])
    assert followed(directory) == [
        (
            "PATIENT",
            [
                ("STUDY", [("SERIES", [image, image]), ("SERIES", [image])]),
                ("STUDY", [("SERIES", [image])]),
            ],
        ),
        ("PATIENT", [("STUDY", [("SERIES", [image])])]),
    ]
    last = directory.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity
    assert [item.seq_item_tell for item in records(directory, "PATIENT")][-1] == last


def test_a_record_refers_to_its_file(directory_of):
    (record,) = records(directory_of(made_ct(7)), "IMAGE")
    assert list(record.ReferencedFileID) == ["IMAGES", "IM0"]
    assert record.ReferencedSOPInstanceUIDInFile == made_ct(7).SOPInstanceUID
    assert record.ReferencedSOPClassUIDInFile == made_ct(7).SOPClassUID
    assert record.ReferencedTransferSyntaxUIDInFile == "1.2.840.10008.1.2.1"
    assert record.InstanceNumber == 7


def test_an_empty_directory_is_one(directory_of):
    directory = directory_of()
    assert (len(directory.DirectoryRecordSequence), followed(directory)) == (0, [])


def test_names_keep_their_character_set(directory_of):
    directory = directory_of(
        made_ct(1, SpecificCharacterSet="ISO_IR 100", PatientName="M\u00fcller")
    )
    (patient,) = records(directory, "PATIENT")
    assert (patient.SpecificCharacterSet, str(patient.PatientName)) == ("ISO_IR 100", "M\u00fcller")


def test_nothing_is_made_up_for_what_an_image_does_not_tell(directory_of):
    (study,) = records(directory_of(made_ct(1)), "STUDY")
    assert (study.StudyDate, study.StudyTime, study.StudyID) == ("", "", "")


def test_series_are_described_in_an_extended_directory_only(directory_of):
    image = made_ct(1, SeriesDescription="Chest")
    for extended, told in ((False, None), (True, "Chest")):
        (series,) = records(directory_of(image, extended=extended), "SERIES")
        assert series.get("SeriesDescription") == told


@pytest.mark.parametrize(
    ("sop_class", "kind"),
    [
        (STORAGE + "2", "IMAGE"),
        (STORAGE + "66.4", "IMAGE"),  # a segmentation
        (STORAGE + "88.11", "SR DOCUMENT"),
        (STORAGE + "88.59", "KEY OBJECT DOC"),
        (STORAGE + "11.1", "PRESENTATION"),
        (STORAGE + "481.3", "RT STRUCTURE SET"),
        (STORAGE + "9.1.1", "WAVEFORM"),
        (STORAGE + "104.1", "ENCAP DOC"),
        ("1.2.3.4", "IMAGE"),
    ],
)
def test_what_is_no_image_has_a_record_of_its_own_type(sop_class, kind):
    assert record_type(sop_class) == kind


def test_a_report_is_listed_with_its_state(directory_of):
    report = made_ct(1, SOPClassUID=STORAGE + "88.11", Modality="SR", CompletionFlag="COMPLETE")
    title = Dataset()
    title.CodeMeaning = "Report"
    report.ConceptNameCodeSequence = [title]
    (record,) = records(directory_of(report), "SR DOCUMENT")
    assert (record.CompletionFlag, record.VerificationFlag) == ("COMPLETE", "")
    assert record.ConceptNameCodeSequence[0].CodeMeaning == "Report"
