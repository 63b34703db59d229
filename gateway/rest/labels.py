"""Labels: words that clients put on resources, to find them by (as Orthanc since 1.12)."""

import re
from functools import partial

from werkzeug import Request, Response

from gateway.errors import NotFound
from gateway.model import Level
from gateway.rest.answers import json_answer, text_answer
from gateway.rest.errors import ApiError, Fault
from gateway.rest.expanded import PLURAL
from gateway.rest.lookup import resource_of
from gateway.rest.routes import Route
from gateway.rest.services import Services
from gateway.store.labels import Labels

_LABEL = re.compile(r"[A-Za-z0-9_-]{1,64}")


def label_routes(services: Services) -> tuple[Route, ...]:
    """Labels of each level, and all that are in use."""
    labels = Labels(services.store.engine, services.store.committer)

    def all_labels(request: Request) -> Response:
        return json_answer(labels.in_use())

    def of_resource(request: Request, resource_id: str, level: Level) -> Response:
        resource_of(services, level, resource_id)
        return json_answer(labels.of(resource_id))

    def get(request: Request, resource_id: str, label: str, level: Level) -> Response:
        resource_of(services, level, resource_id)
        if checked(label) not in labels.of(resource_id):
            raise ApiError(Fault.UNKNOWN_RESOURCE)
        return text_answer("")

    def put(request: Request, resource_id: str, label: str, level: Level) -> Response:
        resource_of(services, level, resource_id)
        try:
            labels.add(resource_id, checked(label))
        except NotFound:
            raise ApiError(Fault.UNKNOWN_RESOURCE) from None
        return text_answer("")

    def delete(request: Request, resource_id: str, label: str, level: Level) -> Response:
        resource_of(services, level, resource_id)
        labels.remove(resource_id, checked(label))
        return text_answer("")

    of_levels = (
        Route(method, f"/{word}/<resource_id>/{path}", partial(handler, level=level))
        for level, word in PLURAL.items()
        for method, path, handler in (
            ("GET", "labels", of_resource),
            ("GET", "labels/<label>", get),
            ("PUT", "labels/<label>", put),
            ("DELETE", "labels/<label>", delete),
        )
    )
    return (Route("GET", "/tools/labels", all_labels), *of_levels)


def checked(label: str) -> str:
    """A label, if it may be one: letters, digits, - and _, up to 64. Raises ApiError."""
    if _LABEL.fullmatch(label):
        return label
    raise ApiError(
        Fault.OUT_OF_RANGE, f"a label has 1 to 64 letters, digits, - and _; this one is {label!r}"
    )
