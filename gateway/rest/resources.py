"""Patients, studies, series and instances: list them, look at one, go up and down, delete."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, update
from werkzeug import Request, Response

from gateway.errors import NotFound
from gateway.model import Level, Resource
from gateway.rest.answers import flag, json_answer, number, text_answer
from gateway.rest.errors import ApiError, Fault, UnknownId
from gateway.rest.expanded import PLURAL, remaining_ancestor
from gateway.rest.forms import form_of_resource, requested_tags
from gateway.rest.lookup import resource_of
from gateway.rest.routes import Handler, Route
from gateway.rest.services import Services
from gateway.rest.shown import shown, shown_one
from gateway.store import schema
from gateway.store.catalogue import levels_below
from gateway.store.removal import delete_resource

_LEVELS = tuple(Level)
_BOOLEANS = {"1": True, "true": True, "0": False, "false": False}


def resource_routes(services: Services) -> tuple[Route, ...]:
    """Those that all four levels have, and the protection of patients."""
    routes = [route for level in Level for route in _routes_of(services, level)]
    protected = "/patients/<resource_id>/protected"
    return (
        *routes,
        Route("GET", protected, partial(_tell_protected, services)),
        Route("PUT", protected, partial(_protect, services)),
    )


def _routes_of(services: Services, level: Level) -> list[Route]:
    one = f"/{PLURAL[level]}/<resource_id>"
    above = _LEVELS[: _LEVELS.index(level)]
    return [
        Route("GET", f"/{PLURAL[level]}", partial(_list, services, level)),
        Route("GET", one, partial(_get, services, level)),
        Route("DELETE", one, partial(_delete, services, level)),
        *(Route("GET", f"{one}/{each.lower()}", _up(services, level, each)) for each in above),
        *(
            Route("GET", f"{one}/{PLURAL[each]}", _down(services, level, each))
            for each in levels_below(level)
        ),
    ]


def _list(services: Services, level: Level, request: Request) -> Response:
    found = _page(services, level, request)
    if not flag(request, "expand"):
        return json_answer(found)
    resources = [each for each in map(services.catalogue.get, found) if each is not None]
    return json_answer(_shown(services, resources, request))


def _page(services: Services, level: Level, request: Request) -> list[str]:
    """The ids that are asked for. Both ends of a page have to be told, or none."""
    for given, missing in (("since", "limit"), ("limit", "since")):
        if given in request.args and missing not in request.args:
            raise ApiError(Fault.BAD_REQUEST, f'Missing "{missing}" argument for GET request')
    if "limit" not in request.args:
        return services.catalogue.ids(level)
    since, limit = number(request, "since", 0), number(request, "limit", 0)
    return services.catalogue.ids(level, since=since, limit=limit) if limit else []


def _get(services: Services, level: Level, request: Request, resource_id: str) -> Response:
    if level is Level.INSTANCE:
        details = services.catalogue.instance(resource_id)
        if details is None:
            raise UnknownId
        form, requested = form_of_resource(request), requested_tags(request)
        return json_answer(shown_one(services, details, form, requested))
    resource = services.catalogue.get(resource_id)
    if resource is None or resource.level is not level:
        raise UnknownId
    return json_answer(_shown(services, [resource], request)[0])


def _up(services: Services, level: Level, above: Level) -> Handler:
    def answer(request: Request, resource_id: str) -> Response:
        resource = resource_of(services, level, resource_id)
        found = services.catalogue.related_resources(resource, above)
        return json_answer(_shown(services, found, request)[0])

    return answer


def _down(services: Services, level: Level, below: Level) -> Handler:
    def answer(request: Request, resource_id: str) -> Response:
        resource = resource_of(services, level, resource_id)
        found = services.catalogue.related_resources(resource, below)
        return json_answer(_shown(services, found, request))

    return answer


def _shown(
    services: Services, resources: Sequence[Resource], request: Request
) -> list[dict[str, Any]]:
    """Resources of one level, expanded as the request wants them."""
    return shown(services, resources, form_of_resource(request), requested_tags(request))


def _delete(services: Services, level: Level, request: Request, resource_id: str) -> Response:
    resource = services.catalogue.get(resource_id)
    if resource is None or resource.level is not level:
        raise UnknownId
    try:
        remaining = services.store.committer.commit(lambda c: delete_resource(c, resource_id))
    except NotFound:  # somebody else was faster
        raise UnknownId from None
    return json_answer(remaining_ancestor(remaining))


def _tell_protected(services: Services, request: Request, resource_id: str) -> Response:
    return text_answer(str(int(_patient(services, resource_id).is_protected)))


def _protect(services: Services, request: Request, resource_id: str) -> Response:
    is_protected = _BOOLEANS.get(request.get_data(as_text=True).strip())
    if is_protected is None:
        raise ApiError(Fault.BAD_FILE_FORMAT, "Boolean value expected")
    _patient(services, resource_id)

    def apply(connection: Connection) -> None:
        table = schema.resource
        connection.execute(
            update(table)
            .where(table.c.resource_id == resource_id)
            .values(is_protected=is_protected)
        )

    services.store.committer.commit(apply)
    return text_answer("")


def _patient(services: Services, resource_id: str) -> Resource:
    """Here Orthanc does not say that an id is unknown. Raises ApiError."""
    resource = services.catalogue.get(resource_id)
    if resource is None or resource.level is not Level.PATIENT:
        raise ApiError(Fault.OUT_OF_RANGE)
    return resource
