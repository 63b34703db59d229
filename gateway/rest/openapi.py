"""The OpenAPI description of all routes, made from the table of routes and its documentation."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from werkzeug import Request, Response

from gateway import __version__
from gateway.rest.answers import json_answer
from gateway.rest.documentation import DOCS, JSON, Body, Doc
from gateway.rest.later import LATER
from gateway.rest.routes import Route

PATH = "/openapi.json"
_VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")
_WORDS = "patients|studies|series|instances"
_ONE, _ALL = re.compile(rf"^/({_WORDS})/<\w+>"), re.compile(rf"^/({_WORDS})$")
_ERROR = {
    "type": "object",
    "properties": {
        "HttpStatus": {"type": "integer"},
        "OrthancStatus": {"type": "integer"},
        "OrthancError": {"type": "string"},
        "Details": {"type": "string"},
        "Method": {"type": "string"},
        "Uri": {"type": "string"},
    },
}


def with_description(routes: Iterable[Route]) -> tuple[Route, ...]:
    """The routes, and one more that describes them all."""
    described: list[Route] = []
    # Made once, as it never changes.
    answers: list[Response] = []

    def answer(request: Request) -> Response:
        if not answers:
            answers.append(json_answer(description(described)))
        return Response(answers[0].get_data(), content_type=answers[0].content_type)

    described += [*routes, Route("GET", PATH, answer)]
    return tuple(described)


def description(routes: Iterable[Route]) -> Mapping[str, Any]:
    """The OpenAPI document. Raises KeyError for a route that nobody has documented."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = _VARIABLE.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, path)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "DICOM gateway",
            "version": __version__,
            "description": "Speaks as the REST interface of Orthanc does.",
        },
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR},
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
        },
        "security": [{}, {"basic": []}],
    }


def key_of(route: Route) -> str:
    """The name under which documentation.DOCS has a route."""
    path = _ALL.sub("/{all}", _ONE.sub("/{one}", route.path))
    return f"{route.method} {path}"


def _operation(route: Route, path: str) -> dict[str, Any]:
    missing = LATER.get((route.method, route.path))
    doc = Doc(f"Not there yet: {missing}") if missing else DOCS[key_of(route)]
    variables = [_parameter("path", name, "") for name in _VARIABLE.findall(route.path)]
    operation: dict[str, Any] = {
        "operationId": _identifier(route.method, path),
        "summary": doc.summary,
        "tags": [path.split("/")[1] or "system"],
        "parameters": [
            *variables,
            *(_parameter("query", name, meaning) for name, meaning in doc.query.items()),
        ],
        "responses": _not_there() if missing else _responses(doc),
    }
    if doc.body is not None:
        operation["requestBody"] = _request_body(doc.body)
    return operation


def _identifier(method: str, path: str) -> str:
    """Clients in many languages call a function of theirs so."""
    return "_".join([method.lower(), *re.findall(r"\w+", path)])


def _parameter(where: str, name: str, meaning: str) -> dict[str, Any]:
    parameter: dict[str, Any] = {"name": name, "in": where, "schema": {"type": "string"}}
    if where == "path":
        parameter["required"] = True
    if meaning:
        parameter["description"] = meaning
    return parameter


def _request_body(body: Body) -> dict[str, Any]:
    return {"content": {body.media_type: {"schema": dict(body.schema)}}}


def _responses(doc: Doc) -> dict[str, Any]:
    return {
        "200": {"description": "done", "content": {doc.answer: {}}},
        "default": _problem("not done, and why"),
    }


def _not_there() -> dict[str, Any]:
    return {"501": _problem("not there yet")}


def _problem(what: str) -> dict[str, Any]:
    return {
        "description": what,
        "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
