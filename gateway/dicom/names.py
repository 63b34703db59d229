"""What elements are called in the answers of Orthanc, whose names are those of DCMTK's dictionary.

They are the keywords of PS3.6, with a prefix for those that are retired.
"""

from functools import cache, lru_cache
from importlib.resources import files

from pydicom.datadict import dictionary_is_retired, keyword_for_tag

PRIVATE_CREATOR = "PrivateCreator"
UNKNOWN = "Unknown Tag & Data"
_RETIRED_PREFIX = "RETIRED_"
# One that Orthanc shows of patients, and those retired since the edition that Orthanc 1.10 knows.
_PLAIN_ALL_THE_SAME = frozenset(
    {
        "OtherPatientIDs",
        "DoseValue", "ROIObservationDescription", "ROIObservationLabel", "RTDoseROISequence",
        "ReferencedPatientAliasSequence", "RoboticBaseLocationIndicator",
        "TreatmentTerminationCode", "WeightingLookupTableData", "WeightingLookupTableDescriptor",
    }
)  # fmt: skip


@lru_cache(maxsize=8192)
def public_name(tag: int) -> str:
    """The name of an element that is in no private block."""
    if tag & 0xFFFF == 0 and tag >> 16 != 0x0002:
        return "PrivateGroupLength" if tag >> 16 & 1 else "GenericGroupLength"
    if tag >> 16 & 1:
        return PRIVATE_CREATOR if 0x10 <= tag & 0xFFFF <= 0xFF else UNKNOWN
    keyword = keyword_for_tag(tag)
    if not keyword:
        return UNKNOWN
    if dictionary_is_retired(tag) and keyword not in _PLAIN_ALL_THE_SAME:
        return _RETIRED_PREFIX + keyword
    return keyword


@lru_cache(maxsize=8192)
def private_name(creator: str, tag: int) -> str:
    """The name of an element in the block of a private creator."""
    group, element = f"{tag >> 16:04x}", f"{tag & 0xFF:02x}"
    known = _private_names()
    return (
        known.get((creator, group, element))
        or known.get((creator, group[:2] + "xx", element))
        or UNKNOWN
    )


@cache
def _private_names() -> dict[tuple[str, str, str], str]:
    text = files("gateway.dicom").joinpath("private_names.tsv").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines() if not line.startswith("#"))
    return {(creator, group, element): name for creator, group, element, name in rows}
