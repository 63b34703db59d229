"""pydantic's errors in the words of the person who wrote the configuration."""

import json
from collections.abc import Callable
from typing import Any

from pydantic_core import ErrorDetails

from gateway.config.schema import Place, at, suggestion
from gateway.config.values import FAULT_TYPE
from gateway.errors import Fault

_LONGEST_VALUE = 60

# pydantic's error type -> what is wrong with the value in front of it.
_PROBLEMS = {
    "int_type": "is not a whole number",
    "float_type": "is not a number",
    "finite_number": "is not a number that can be measured",
    "bool_type": "is neither true nor false",
    "string_type": "is not text",
    "path_type": "is not text",
    "tuple_type": "is not a list",
    "frozen_set_type": "is not a list",
    "model_type": "is not a table",
    "dict_type": "is not a table",
    "greater_than": "is too small",
    "greater_than_equal": "is too small",
    "less_than": "is too large",
    "less_than_equal": "is too large",
    "literal_error": "is not one of the choices",
}


def fault_of(error: ErrorDetails, name_of: Callable[[Place], str]) -> Fault:
    """One error as a Fault; `name_of` says what the administrator calls a place."""
    place = _place_of(error["loc"])
    where, kind = name_of(place), error["type"]
    if kind == "extra_forbidden":
        return Fault(where, "there is no such key", suggestion(place))
    node = at(place)
    expectation = node.expectation if node else ""
    value = "what is given" if node and node.is_secret else shown(error["input"])
    if kind == "missing":
        return Fault(where, "is missing", expectation)
    context = error.get("ctx", {})
    if kind == FAULT_TYPE:
        return Fault(where, f"{value} {context['problem']}", context["remedy"])
    problem = _PROBLEMS.get(kind, f"is not right: {error['msg']}")
    return Fault(where, f"{value} {problem}", expectation)


def _place_of(loc: tuple[str | int, ...]) -> Place:
    """pydantic marks an error of a key, not of its value, by a last part '[key]'."""
    return loc[:-1] if loc and loc[-1] == "[key]" else loc


def shown(value: Any) -> str:
    """A value as the file would have it, shortened."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."
