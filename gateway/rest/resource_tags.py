"""What the files of a patient, a study, a series or an instance say together."""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from werkzeug import Request, Response

from gateway.dicom.modules import MODULE_TAGS
from gateway.dicom.views import file_view, only, reshaped
from gateway.model import Level, Resource, Version
from gateway.rest.answers import json_answer, text_answer
from gateway.rest.expanded import PLURAL
from gateway.rest.forms import form_of_tags, whole_tags
from gateway.rest.lookup import resource_of
from gateway.rest.routes import Route
from gateway.rest.services import Services
from gateway.store.reconstruct import reconstruct
from gateway.store.usage import Usage, usage_of

_COUNTS = {
    Level.STUDY: "CountStudies",
    Level.SERIES: "CountSeries",
    Level.INSTANCE: "CountInstances",
}


def resource_tag_routes(services: Services) -> tuple[Route, ...]:
    """Tags of all instances, modules, statistics, and reading all of that anew."""
    patient_of_study = partial(_module, services, Level.STUDY, Level.PATIENT)
    return (
        *(route for level in Level for route in _routes_of(services, level)),
        Route("GET", "/studies/<resource_id>/module-patient", patient_of_study),
        Route("POST", "/tools/reconstruct", partial(_reconstruct_all, services)),
        Route("POST", "/tools/invalidate-tags", _invalidate_tags),
    )


def _routes_of(services: Services, level: Level) -> Iterator[Route]:
    one = f"/{PLURAL[level]}/<resource_id>"
    yield Route("GET", f"{one}/module", partial(_module, services, level, level))
    yield Route("GET", f"{one}/statistics", partial(_statistics, services, level))
    yield Route("POST", f"{one}/reconstruct", partial(_reconstruct, services, level))
    if level is not Level.INSTANCE:
        yield Route("GET", f"{one}/instances-tags", partial(_all_tags, services, level))
        yield Route("GET", f"{one}/shared-tags", partial(_shared_tags, services, level))


def _module(
    services: Services, level: Level, of: Level, request: Request, resource_id: str
) -> Response:
    form, whole = form_of_tags(request), whole_tags(request)
    resource = resource_of(services, level, resource_id)
    first = file_view(_path(services, _versions(services, resource)[0]), whole=whole)
    return json_answer(reshaped(only(first, MODULE_TAGS[of]), form))


def _statistics(services: Services, level: Level, request: Request, resource_id: str) -> Response:
    resource = resource_of(services, level, resource_id)
    return json_answer(statistics(usage_of(services.store.engine, resource)))


def statistics(usage: Usage) -> dict[str, Any]:
    """As Orthanc tells it. Files are kept as they are: uncompressed, in Orthanc's words."""
    content: dict[str, Any] = {_COUNTS[level]: count for level, count in usage.counts.items()}
    all_bytes = usage.dicom_bytes + usage.attached_bytes
    for what, size_bytes in (("Dicom", usage.dicom_bytes), ("", all_bytes)):
        for how in ("DiskSize", "UncompressedSize"):
            content[what + how] = str(size_bytes)
            content[what + how + "MB"] = size_bytes >> 20
    return content


def _reconstruct(services: Services, level: Level, request: Request, resource_id: str) -> Response:
    resource = resource_of(services, level, resource_id)
    store = services.store
    reconstruct(services.catalogue.versions(resource), store.committer, store.files)
    return text_answer("")


def _reconstruct_all(services: Services, request: Request) -> Response:
    """One patient after the other; those that go meanwhile are not missed."""
    store, catalogue = services.store, services.catalogue
    for patient in map(catalogue.get, catalogue.ids(Level.PATIENT)):
        if patient is not None:
            reconstruct(catalogue.versions(patient), store.committer, store.files)
    return text_answer("")


def _invalidate_tags(request: Request) -> Response:
    """Orthanc forgets summaries of its files. We have none: tags are read from the file itself."""
    return text_answer("")


def _all_tags(services: Services, level: Level, request: Request, resource_id: str) -> Response:
    form, whole = form_of_tags(request), whole_tags(request)
    versions = _versions(services, resource_of(services, level, resource_id))
    paths = {version.instance_id: _path(services, version) for version in versions}

    def tags() -> Iterator[bytes]:
        separator = "{"
        for instance_id, path in paths.items():
            content = json.dumps(file_view(path, form, whole=whole), ensure_ascii=False)
            yield f'{separator}\n"{instance_id}" : {content}'.encode()
            separator = ","
        yield b"\n}\n"

    return Response(tags(), content_type="application/json; charset=utf-8")


def _shared_tags(services: Services, level: Level, request: Request, resource_id: str) -> Response:
    versions = _versions(services, resource_of(services, level, resource_id))
    views = (file_view(_path(services, version)) for version in versions)
    return json_answer(reshaped(_shared(views), form_of_tags(request)))


def _shared(views: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """The elements that are shown as text, and as the same in all data sets."""
    shared = {key: each for key, each in next(views).items() if each["Type"] == "String"}
    for content in views:
        shared = {key: each for key, each in shared.items() if content.get(key) == each}
    return shared


def _versions(services: Services, resource: Resource) -> Sequence[Version]:
    return services.catalogue.versions(resource)


def _path(services: Services, version: Version) -> Path:
    return services.store.files.path(version.storage_key)
