"""RequestedTags: what a client wants to know of a resource beside its main tags."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydicom.datadict import keyword_for_tag

from gateway.dicom.views import View, element_view, file_view
from gateway.model import Level, Resource
from gateway.rest.services import Services
from gateway.store.catalogue import Catalogue

_LEVELS = tuple(Level)


def tags_requested(
    services: Services, resource: Resource, tags: Sequence[int], form: View
) -> dict[str, Any]:
    """The tags in this form. They are searched where it costs least: in the main tags of the
    resource and of those above, in what can be counted, and at last in its first file.

    A tag that is nowhere is left out. Raises InstanceUnreadable.
    """
    known = _main_tags(services.catalogue, resource)
    found: dict[str, Any] = {}
    in_file = []
    for tag in tags:
        keyword = keyword_for_tag(tag)
        if keyword not in known and (compute := _COMPUTED.get((resource.level, keyword))):
            known[keyword] = compute(services.catalogue, resource)
        if keyword in known:
            found |= [element_view(form, tag, known[keyword])]
        else:
            in_file.append(tag)
    return found | _in_first_file(services, resource, in_file, form)


def _main_tags(catalogue: Catalogue, resource: Resource) -> dict[str, str]:
    tags: dict[str, str] = dict(resource.main_tags)
    for level in _LEVELS[: _LEVELS.index(resource.level)]:
        for above in catalogue.related_resources(resource, level):
            tags |= above.main_tags
    return tags


def _in_first_file(
    services: Services, resource: Resource, tags: Sequence[int], form: View
) -> dict[str, Any]:
    versions = services.catalogue.versions(resource) if tags else []
    if not versions:
        return {}
    content = file_view(services.store.files.path(versions[0].storage_key), form)
    keys = (element_view(form, tag, None)[0] for tag in tags)
    return {key: content[key] for key in keys if key in content}


def _number_of(level: Level) -> Callable[[Catalogue, Resource], str]:
    return lambda catalogue, resource: str(len(catalogue.related(resource, level)))


def _modalities(catalogue: Catalogue, resource: Resource) -> str:
    series = catalogue.related_resources(resource, Level.SERIES)
    return "\\".join(sorted({each.main_tags.get("Modality", "") for each in series} - {""}))


def _sop_classes(catalogue: Catalogue, resource: Resource) -> str:
    return "\\".join(sorted({version.sop_class_uid for version in catalogue.versions(resource)}))


# Attributes of queries (PS3.4 C.3.4) that no file has.
_COMPUTED: Mapping[tuple[Level, str], Callable[[Catalogue, Resource], str]] = {
    (Level.PATIENT, "NumberOfPatientRelatedStudies"): _number_of(Level.STUDY),
    (Level.PATIENT, "NumberOfPatientRelatedSeries"): _number_of(Level.SERIES),
    (Level.PATIENT, "NumberOfPatientRelatedInstances"): _number_of(Level.INSTANCE),
    (Level.STUDY, "NumberOfStudyRelatedSeries"): _number_of(Level.SERIES),
    (Level.STUDY, "NumberOfStudyRelatedInstances"): _number_of(Level.INSTANCE),
    (Level.STUDY, "ModalitiesInStudy"): _modalities,
    (Level.STUDY, "SOPClassesInStudy"): _sop_classes,
    (Level.SERIES, "NumberOfSeriesRelatedInstances"): _number_of(Level.INSTANCE),
}
