"""Which instances go into an archive, in which order, and under which names: Orthanc's."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gateway.model import Level, Resource
from gateway.rest.errors import ApiError, Fault
from gateway.store.catalogue import Catalogue

MEDIA_FOLDER = "IMAGES"
# What a folder is called after: two main tags of its level.
_NAMED_AFTER = {
    Level.PATIENT: ("PatientID", "PatientName"),
    Level.STUDY: ("AccessionNumber", "StudyDescription"),
    Level.SERIES: ("Modality", "SeriesDescription"),
}
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9 ._]")
_DIGITS = 8  # of a file's name, less the letters before them


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive. path: its parts."""

    path: tuple[str, ...]
    instance_id: str


def instances_of(catalogue: Catalogue, resource_ids: Iterable[str]) -> list[Resource]:
    """All instances below these resources, each once.

    What is asked for as part of something comes in the order of its arrival, the instances that
    are asked for by themselves after it, in the order of the ids. Raises ApiError for an id that
    names nothing.
    """
    resources = [_known(catalogue, resource_id) for resource_id in resource_ids]
    found: dict[str, Resource] = {}
    for resource in sorted(resources, key=lambda each: each.level is Level.INSTANCE):
        for instance in catalogue.related_resources(resource, Level.INSTANCE):
            found.setdefault(instance.resource_id, instance)
    return list(found.values())


def _known(catalogue: Catalogue, resource_id: str) -> Resource:
    resource = catalogue.get(resource_id)
    if resource is None:
        raise ApiError(Fault.UNKNOWN_RESOURCE)
    return resource


def archive_members(catalogue: Catalogue, instances: Iterable[Resource]) -> list[Member]:
    """Files in folders for patient, study and series; folders in the order of their ids."""
    return [
        Member(path, instance.resource_id)
        for path, instance in _placed(_Hierarchy(catalogue, instances))
    ]


def media_members(catalogue: Catalogue, instances: Iterable[Resource]) -> list[Member]:
    """The same files in the same order, under the short names that a DICOMDIR may refer to."""
    ordered = (instance for _, instance in _placed(_Hierarchy(catalogue, instances)))
    return [
        Member((MEDIA_FOLDER, f"IM{number}"), instance.resource_id)
        for number, instance in enumerate(ordered)
    ]


class _Hierarchy:
    """Instances below their series, studies and patients."""

    def __init__(self, catalogue: Catalogue, instances: Iterable[Resource]) -> None:
        self._known: dict[str, Resource] = {}
        self._below: dict[str, dict[str, None]] = {"": {}}
        for instance in instances:
            self._place(catalogue, instance)

    def below(self, resource_id: str) -> Sequence[Resource]:
        """What is directly below a resource, or the patients for ""; instances as they came."""
        found = [self._known[each] for each in self._below[resource_id]]
        if found and found[0].level is Level.INSTANCE:
            return found
        return sorted(found, key=lambda resource: resource.resource_id)

    def _place(self, catalogue: Catalogue, instance: Resource) -> None:
        current: Resource | None = instance
        while current is not None and current.resource_id not in self._known:
            self._known[current.resource_id] = current
            self._below.setdefault(current.parent_id, {})[current.resource_id] = None
            current = self._parent(catalogue, current)

    def _parent(self, catalogue: Catalogue, resource: Resource) -> Resource | None:
        if not resource.parent_id:
            return None
        return self._known.get(resource.parent_id) or catalogue.get(resource.parent_id)


def _placed(hierarchy: _Hierarchy) -> Iterator[tuple[tuple[str, ...], Resource]]:
    for patient_folder, patient in _folders(hierarchy.below("")):
        for study_folder, study in _folders(hierarchy.below(patient.resource_id)):
            for series_folder, series in _folders(hierarchy.below(study.resource_id)):
                for number, instance in enumerate(hierarchy.below(series.resource_id)):
                    name = file_name(series.main_tags.get("Modality", ""), number)
                    yield (patient_folder, study_folder, series_folder, name), instance


def _folders(resources: Iterable[Resource]) -> Iterator[tuple[str, Resource]]:
    """Each with a name of its own: the second "Brain" is "Brain-2"."""
    uses: dict[str, int] = {}
    for resource in resources:
        name = folder_name(resource)
        uses[name] = uses.get(name, 0) + 1
        yield name if uses[name] == 1 else f"{name}-{uses[name]}", resource


def folder_name(resource: Resource) -> str:
    """What people know it by, in characters that every file system takes.

    A name of dots alone would lead out of the folder that an archive is unpacked to.
    """
    known = " ".join(resource.main_tags.get(tag, "") for tag in _NAMED_AFTER[resource.level])
    name = " ".join(_NOT_IN_NAMES.sub("", known.replace("^", " ")).split())
    return name if name.strip(".") else f"Unknown {resource.level}"


def file_name(modality: str, number: int) -> str:
    """CT000000.dcm: two letters for the modality, and the place in the series."""
    letters = modality[:2].upper()
    return f"{_NOT_IN_NAMES.sub('', letters)}{number:0{_DIGITS - len(letters)}}.dcm"
