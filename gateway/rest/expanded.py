"""Resources as Orthanc's clients know them, with `expand` and one by one."""

import uuid
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydicom.datadict import tag_for_keyword

from gateway.dicom.series import expected_instances, index_in_series, series_status
from gateway.dicom.views import View, element_view, is_long
from gateway.model import Level, Resource
from gateway.store.details import Details
from gateway.store.times import basic_format

PLURAL = {
    Level.PATIENT: "patients",
    Level.STUDY: "studies",
    Level.SERIES: "series",
    Level.INSTANCE: "instances",
}
"""The words for levels in paths."""
_CHILDREN = {Level.PATIENT: "Studies", Level.STUDY: "Series", Level.SERIES: "Instances"}
_PARENT = {
    Level.STUDY: "ParentPatient",
    Level.SERIES: "ParentStudy",
    Level.INSTANCE: "ParentSeries",
}


def expanded(details: Details, form: View = View.SIMPLIFIED) -> dict[str, Any]:
    """One resource. form: of its tags."""
    resource = details.resource
    content: dict[str, Any] = {
        "ID": resource.resource_id,
        "Type": str(resource.level),
        "MainDicomTags": tags_in(form, resource.main_tags),
        **details.derived_from,
    }
    if details.labels:  # Orthanc 1.10 does not know them, and says nothing of them
        content["Labels"] = sorted(details.labels)
    if resource.level is not Level.PATIENT:
        content[_PARENT[resource.level]] = resource.parent_id
    if resource.level is Level.INSTANCE:
        return content | _file(details) | {"IndexInSeries": index_in_series(resource.main_tags)}
    content["IsStable"] = resource.is_stable
    content["LastUpdate"] = basic_format(resource.last_update)
    content[_CHILDREN[resource.level]] = list(details.children)
    if resource.level is Level.STUDY:
        content["PatientMainDicomTags"] = tags_in(form, details.patient_tags)
    if resource.level is Level.SERIES:
        content |= _completeness(details)
    return content


def remaining_ancestor(resource: Resource | None) -> dict[str, Any]:
    """The answer to a deletion: the nearest resource above that is still there."""
    if resource is None:
        return {"RemainingAncestor": None}
    path = path_of(resource.level, resource.resource_id)
    ancestor = {"ID": resource.resource_id, "Path": path, "Type": str(resource.level)}
    return {"RemainingAncestor": ancestor}


def path_of(level: Level, resource_id: str) -> str:
    """Where a resource is found."""
    return f"/{PLURAL[level]}/{resource_id}"


@lru_cache(maxsize=4096)
def file_uuid(storage_key: str) -> str:
    """The UUID of a file: always the same one."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, storage_key))


def tags_in(form: View, tags: Mapping[str, Any]) -> dict[str, Any]:
    """Tags by keyword, in this form, but for values that are too long."""
    short = {keyword: value for keyword, value in tags.items() if not is_long(value)}
    if form is View.SIMPLIFIED:
        return short
    return dict(
        element_view(form, tag, value)
        for keyword, value in short.items()
        if (tag := tag_for_keyword(keyword)) is not None
    )


def _file(details: Details) -> dict[str, Any]:
    return {"FileSize": details.size_bytes, "FileUuid": file_uuid(details.storage_key)}


def _completeness(details: Details) -> dict[str, Any]:
    expected = expected_instances(details.resource.main_tags)
    indices = map(index_in_series, details.child_tags)
    return {
        "ExpectedNumberOfInstances": expected,
        "Status": series_status(expected, indices),
    }
