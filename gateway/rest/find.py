"""Finding resources, and deleting what was found."""

from contextlib import suppress
from functools import partial

from werkzeug import Request, Response

from gateway.errors import NotFound
from gateway.model import Level, Resource
from gateway.rest.answers import json_answer, text_answer
from gateway.rest.errors import ApiError, Fault
from gateway.rest.expanded import path_of
from gateway.rest.find_request import find_request, object_in, texts_in
from gateway.rest.routes import Route
from gateway.rest.services import Services
from gateway.rest.shown import shown
from gateway.store.removal import delete_resource
from gateway.store.search import Search

_LOOKED_UP = {
    Level.PATIENT: "PatientID",
    Level.STUDY: "StudyInstanceUID",
    Level.SERIES: "SeriesInstanceUID",
    Level.INSTANCE: "SOPInstanceUID",
}


def find_routes(services: Services) -> tuple[Route, ...]:
    """Those below /tools that look for resources, and the deletion of many."""
    search = Search(services.store.engine, services.store.files)

    def find(request: Request) -> Response:
        asked = find_request(request)
        found = search.find(asked.query, since=asked.since, limit=asked.limit)
        if not asked.is_expanded:
            return json_answer([resource.resource_id for resource in found])
        return json_answer(shown(services, found, asked.form, asked.requested_tags))

    def count(request: Request) -> Response:
        return json_answer({"Count": search.count(find_request(request).query)})

    return (
        Route("POST", "/tools/find", find),
        Route("POST", "/tools/count-resources", count),
        Route("POST", "/tools/lookup", partial(_lookup, services)),
        Route("POST", "/tools/bulk-delete", partial(_bulk_delete, services)),
    )


def _lookup(services: Services, request: Request) -> Response:
    """What one of the four identifiers names; on several levels, if several have it."""
    value = request.get_data().decode(errors="replace")
    if "*" in value or "?" in value:
        raise ApiError(Fault.OUT_OF_RANGE, "wildcards are not allowed on identifiers")
    return json_answer(
        [
            _location(resource)
            for keyword in _LOOKED_UP.values()
            for resource in services.catalogue.lookup(keyword, value)
        ]
    )


def _location(resource: Resource) -> dict[str, str]:
    return {
        "ID": resource.resource_id,
        "Path": path_of(resource.level, resource.resource_id),
        "Type": str(resource.level),
    }


def _bulk_delete(services: Services, request: Request) -> Response:
    """Delete resources of any level; those that are not there are not missed."""
    options = object_in(request)
    if "Resources" not in options:
        raise ApiError(Fault.BAD_FILE_FORMAT, "List of strings expected in field: Resources")
    for resource_id in texts_in(options, "Resources"):
        with suppress(NotFound):  # it went with one before it
            services.store.committer.commit(partial(delete_resource, resource_id=resource_id))
    return text_answer("")
