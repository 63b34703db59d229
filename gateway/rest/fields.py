"""Options in the JSON object of a body: each has its type, and a wrong one is a bad request."""

from collections.abc import Mapping
from typing import Any

from gateway.rest.errors import ApiError, Fault


def boolean(options: Mapping[str, Any], name: str, default: bool) -> bool:
    """true or false. Raises ApiError."""
    value = options.get(name, default)
    if not isinstance(value, bool):
        raise _wrong(name, "true or false")
    return value


def text(options: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """A string; it has to be there unless it has a default. Raises ApiError."""
    value = options.get(name, default)
    if not isinstance(value, str):
        raise _wrong(name, "a string")
    return value


def integer(options: Mapping[str, Any], name: str, default: int) -> int:
    """A whole number, written as one: not 1.0. Raises ApiError."""
    value = options.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(name, "a whole number")
    return value


def unsigned(options: Mapping[str, Any], name: str, default: int) -> int:
    """A whole number, 0 or more. Raises ApiError."""
    value = integer(options, name, default)
    if value < 0:
        raise _wrong(name, "0 or more")
    return value


def _wrong(name: str, wanted: str) -> ApiError:
    return ApiError(Fault.BAD_FILE_FORMAT, f"{name} has to be {wanted}")
