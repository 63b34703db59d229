"""What the body of /tools/find asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydicom.tag import BaseTag
from werkzeug import Request

from gateway.dicom.matching import Condition, condition
from gateway.dicom.views import View
from gateway.errors import WildcardsRefused
from gateway.model import Level
from gateway.rest.answers import json_body
from gateway.rest.errors import ApiError, Fault
from gateway.rest.labels import checked
from gateway.rest.tags import tag_in_request
from gateway.store.search import LabelsConstraint, Query

_GREATEST = (1 << 32) - 1
_LEVELS = {
    "patient": Level.PATIENT,
    "patients": Level.PATIENT,
    "study": Level.STUDY,
    "studies": Level.STUDY,
    "series": Level.SERIES,
    "instance": Level.INSTANCE,
    "instances": Level.INSTANCE,
    "image": Level.INSTANCE,
    "images": Level.INSTANCE,
}


@dataclass(frozen=True, slots=True)
class FindRequest:
    """The query, which part of the results is wanted, and how each is shown.

    limit: 0 for all. is_expanded: as objects, not as ids; form, requested_tags: of those.
    """

    query: Query
    since: int
    limit: int
    is_expanded: bool
    form: View
    requested_tags: tuple[BaseTag, ...]


def find_request(request: Request) -> FindRequest:
    """Read the body. Raises ApiError."""
    options = object_in(request)
    return FindRequest(
        query=_query(options),
        since=_unsigned(options, "Since"),
        limit=_unsigned(options, "Limit"),
        is_expanded=_boolean(options, "Expand"),
        form=_form(options),
        requested_tags=tuple(map(tag_in_request, texts_in(options, "RequestedTags"))),
    )


def object_in(request: Request) -> dict[str, Any]:
    """The body, which has to be a JSON object. Raises ApiError."""
    try:
        body = json_body(request)
    except ApiError:
        body = None
    if not isinstance(body, dict):
        raise _bad("The body must contain a JSON object")
    return body


def texts_in(options: Mapping[str, Any], name: str) -> list[str]:
    """A list of strings, empty when it is not there. Raises ApiError."""
    value = options.get(name, [])
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return value
    raise ApiError(Fault.BAD_FILE_FORMAT, f"List of strings expected in field: {name}")


def _query(options: Mapping[str, Any]) -> Query:
    return Query(
        level=_level(options),
        conditions=_conditions(options),
        labels=tuple(map(checked, texts_in(options, "Labels"))),
        labels_constraint=_labels_constraint(options),
    )


def _level(options: Mapping[str, Any]) -> Level:
    name = options.get("Level")
    if not isinstance(name, str):
        raise _bad('Field "Level" is missing, or should be a string')
    if name.lower() not in _LEVELS:
        raise ApiError(Fault.OUT_OF_RANGE, f"there is no level {name!r}")
    return _LEVELS[name.lower()]


def _conditions(options: Mapping[str, Any]) -> list[Condition]:
    asked = options.get("Query")
    if not isinstance(asked, dict):
        raise _bad('Field "Query" is missing, or should be a JSON object')
    case_sensitive = _boolean(options, "CaseSensitive")
    return [_condition(name, text, case_sensitive) for name, text in asked.items()]


def _condition(name: str, text: object, case_sensitive: bool) -> Condition:
    tag = tag_in_request(name)
    if not isinstance(text, str):
        raise _bad(f'Tag "{name}" should be associated with a string')
    try:
        return condition(tag, text, case_sensitive=case_sensitive)
    except WildcardsRefused as exc:
        raise ApiError(Fault.OUT_OF_RANGE, str(exc)) from None


def _labels_constraint(options: Mapping[str, Any]) -> LabelsConstraint:
    try:
        return LabelsConstraint(options.get("LabelsConstraint", "All"))
    except ValueError:
        raise ApiError(Fault.OUT_OF_RANGE, "LabelsConstraint is All, Any or None") from None


def _form(options: Mapping[str, Any]) -> View:
    full, short = _boolean(options, "Full"), _boolean(options, "Short")
    if short:
        return View.SHORT
    return View.FULL if full else View.SIMPLIFIED


def _boolean(options: Mapping[str, Any], name: str) -> bool:
    value = options.get(name, False)
    if isinstance(value, bool):
        return value
    raise _bad(f'Field "{name}" should be a Boolean')


def _unsigned(options: Mapping[str, Any], name: str) -> int:
    value = options.get(name, 0)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _bad(f'Field "{name}" should be an integer')
    if not 0 <= value <= _GREATEST:
        raise ApiError(Fault.OUT_OF_RANGE, f'Field "{name}" should be a positive integer')
    return value


def _bad(details: str) -> ApiError:
    return ApiError(Fault.BAD_REQUEST, details)
