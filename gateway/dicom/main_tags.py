"""The tags that the index keeps of each resource, to answer for it without opening files.

They are those of Orthanc 1.10, which its REST API shows as MainDicomTags.
"""

from collections.abc import Mapping

from pydicom.datadict import tag_for_keyword
from pydicom.tag import BaseTag

from gateway.model import Level

MAIN_TAGS: Mapping[Level, tuple[str, ...]] = {
    Level.PATIENT: (
        "PatientName", "PatientBirthDate", "PatientSex", "OtherPatientIDs", "PatientID",
    ),
    Level.STUDY: (
        "StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber",
        "StudyInstanceUID", "RequestedProcedureDescription", "InstitutionName",
        "RequestingPhysician", "ReferringPhysicianName",
    ),
    Level.SERIES: (
        "SeriesDate", "SeriesTime", "Modality", "Manufacturer", "StationName", "SeriesDescription",
        "BodyPartExamined", "SequenceName", "ProtocolName", "SeriesNumber",
        "CardiacNumberOfImages", "ImagesInAcquisition", "NumberOfTemporalPositions",
        "NumberOfSlices", "NumberOfTimeSlices", "SeriesInstanceUID", "ImageOrientationPatient",
        "SeriesType", "OperatorsName", "PerformedProcedureStepDescription",
        "AcquisitionDeviceProcessingDescription", "ContrastBolusAgent",
    ),
    Level.INSTANCE: (
        "InstanceCreationDate", "InstanceCreationTime", "AcquisitionNumber", "ImageIndex",
        "InstanceNumber", "NumberOfFrames", "TemporalPositionIdentifier", "SOPInstanceUID",
        "ImagePositionPatient", "ImageComments", "ImageOrientationPatient",
    ),
}  # fmt: skip

# What resources are looked up by, fast: whoever searches for anything else has files opened.
IDENTIFIER_TAGS: Mapping[Level, tuple[str, ...]] = {
    Level.PATIENT: ("PatientID", "PatientName", "PatientBirthDate"),
    Level.STUDY: ("StudyInstanceUID", "AccessionNumber", "StudyDescription", "StudyDate"),
    Level.SERIES: ("SeriesInstanceUID",),
    Level.INSTANCE: ("SOPInstanceUID",),
}

ALL_MAIN_TAGS: frozenset[BaseTag] = frozenset(
    BaseTag(tag)
    for keywords in MAIN_TAGS.values()
    for keyword in keywords
    if (tag := tag_for_keyword(keyword)) is not None
)


def of_level(level: Level, tags: Mapping[str, object]) -> dict[str, str]:
    """The main tags of a level, of tags by keyword; without those that are no text."""
    return {
        keyword: value
        for keyword in MAIN_TAGS[level]
        if isinstance(value := tags.get(keyword), str)
    }


def normalized(value: str) -> str:
    """A value as it is looked up: DICOM ignores case and outer spaces there (PS3.4 C.2.2.2)."""
    return value.strip().upper()
