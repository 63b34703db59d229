"""Which attributes describe a patient, a study, a series or an instance, as Orthanc groups them.

Standard: PS3.3 C.7.1.1, C.7.2.1, C.7.3.1, C.12.1.
"""

from collections.abc import Mapping, Set

from pydicom.datadict import tag_for_keyword

from gateway.model import Level

_KEYWORDS: Mapping[Level, tuple[str, ...]] = {
    Level.PATIENT: (
        "ReferencedPatientSequence", "PatientName", "PatientID", "IssuerOfPatientID",
        "IssuerOfPatientIDQualifiersSequence", "PatientBirthDate", "PatientBirthTime",
        "PatientSex", "OtherPatientIDs", "OtherPatientNames", "OtherPatientIDsSequence",
        "EthnicGroup", "PatientSpeciesDescription", "PatientSpeciesCodeSequence",
        "PatientBreedDescription", "PatientBreedCodeSequence", "BreedRegistrationSequence",
        "ResponsiblePerson", "ResponsiblePersonRole", "ResponsibleOrganization",
        "PatientComments", "PatientIdentityRemoved", "DeidentificationMethod",
        "DeidentificationMethodCodeSequence",
    ),
    Level.STUDY: (
        "StudyDate", "StudyTime", "AccessionNumber", "IssuerOfAccessionNumberSequence",
        "ReferringPhysicianName", "ReferringPhysicianIdentificationSequence",
        "StudyDescription", "ProcedureCodeSequence", "PhysiciansOfRecord",
        "PhysiciansOfRecordIdentificationSequence", "NameOfPhysiciansReadingStudy",
        "PhysiciansReadingStudyIdentificationSequence", "ReferencedStudySequence",
        "StudyInstanceUID", "StudyID", "RequestingServiceCodeSequence",
        "ReasonForPerformedProcedureCodeSequence",
    ),
    Level.SERIES: (
        "SeriesDate", "SeriesTime", "Modality", "SeriesDescription",
        "SeriesDescriptionCodeSequence", "PerformingPhysicianName",
        "PerformingPhysicianIdentificationSequence", "OperatorsName",
        "OperatorIdentificationSequence", "ReferencedPerformedProcedureStepSequence",
        "RelatedSeriesSequence", "AnatomicalOrientationType", "BodyPartExamined",
        "ProtocolName", "PatientPosition", "SeriesInstanceUID", "SeriesNumber", "Laterality",
        "SmallestPixelValueInSeries", "PerformedProcedureStepStartDate",
        "PerformedProcedureStepStartTime", "PerformedProcedureStepID",
        "PerformedProcedureStepDescription", "PerformedProtocolCodeSequence",
        "RequestAttributesSequence", "CommentsOnThePerformedProcedureStep",
    ),
    Level.INSTANCE: (
        "SpecificCharacterSet", "InstanceCreationDate", "InstanceCreationTime",
        "InstanceCreatorUID", "SOPClassUID", "SOPInstanceUID", "RelatedGeneralSOPClassUID",
        "OriginalSpecializedSOPClassUID", "CodingSchemeIdentificationSequence",
        "TimezoneOffsetFromUTC", "ContributingEquipmentSequence", "InstanceNumber",
        "LongitudinalTemporalInformationModified", "HL7StructuredDocumentReferenceSequence",
        "SOPInstanceStatus", "SOPAuthorizationDateTime", "SOPAuthorizationComment",
        "AuthorizationEquipmentCertificationNumber", "EncryptedAttributesSequence",
        "OriginalAttributesSequence", "MACParametersSequence",
    ),
}  # fmt: skip

MODULE_TAGS: Mapping[Level, Set[int]] = {
    level: {tag for keyword in keywords if (tag := tag_for_keyword(keyword)) is not None}
    for level, keywords in _KEYWORDS.items()
}
