"""Keys of the tables that callbacks are given: misspelt ones read nil, here as in Orthanc."""

from collections.abc import Iterator, Mapping
from functools import cache

from pydicom.datadict import keyword_dict

from gateway.scripting.callbacks import CALLBACKS
from gateway.scripting.legacy.findings import Finding, LegacySet, differs
from gateway.scripting.legacy.known import METADATA_KEYS, ORIGIN_KEYS
from gateway.scripting.legacy.reading import FieldRead

_ARGUMENTS = {callback.name: callback.arguments for callback in CALLBACKS}
_STABLE_ABOVE_PATIENT = ("OnStableStudy", "OnStableSeries")


def keys(legacy: LegacySet) -> Iterator[Finding]:
    """Keys that differ from one that is there in upper and lower case, or not at all."""
    told: set[tuple[str, str]] = set()
    for reading in legacy.readings.values():
        for read in reading.fields:
            table = _argument(read)
            for finding in (_misspelt(read, table), _of_the_patient(read, table)):
                if finding and (finding.where, read.name) not in told:
                    told.add((finding.where, read.name))
                    yield finding


def _argument(read: FieldRead) -> str:
    """What the callback calls the parameter, whatever the script calls it."""
    arguments = _ARGUMENTS.get(read.place.function, ())
    return arguments[read.parameter] if read.parameter < len(arguments) else ""


def _misspelt(read: FieldRead, table: str) -> Finding | None:
    known = _known(table)
    right = known.get(read.name.lower())
    if right is None or right == read.name:
        if table == "origin" and right is None:
            choices = ", ".join(ORIGIN_KEYS)
            return differs(read.place, f"origin.{read.name} is always nil", f"there are {choices}")
        return None
    problem = f"{table}.{read.name} is always nil, also in Orthanc"
    return differs(read.place, problem, f"{table}.{right} is meant")


def _of_the_patient(read: FieldRead, table: str) -> Finding | None:
    is_patients = read.name in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex")
    if table != "tags" or not is_patients or read.place.function not in _STABLE_ABOVE_PATIENT:
        return None
    return differs(
        read.place,
        f"tags.{read.name} is nil in Orthanc's {read.place.function}; here it is the patient's",
    )


@cache
def _known(table: str) -> Mapping[str, str]:
    """The right spelling of each key, by its letters in lower case."""
    keys = {
        "origin": ORIGIN_KEYS,
        "metadata": METADATA_KEYS,
        "tags": tuple(keyword_dict),
        "dicom": tuple(keyword_dict),
    }.get(table, ())
    return {key.lower(): key for key in keys if key}
