"""Tables that scripts give to primitives; they cross the border as the JSON of primitives.lua."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gateway.dicom import replacing
from gateway.errors import UnknownTag
from gateway.scripting.options import PrimitiveRefused, Value


def replacements(text: Value) -> dict[str, Any]:
    """New values by the names of tags, as dicom.replacing takes them. Raises PrimitiveRefused."""
    wanted = _read(text) or {}  # Lua has one kind of empty table
    if not isinstance(wanted, dict):
        raise PrimitiveRefused("what to replace is a table with the names of tags as its keys")
    with _told():
        replacing.check_force(replacing.replacements(wanted), "replaced")
    return wanted


def removals(text: Value) -> list[str]:
    """The names of tags. Raises PrimitiveRefused."""
    wanted = _read(text) or []
    if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
        raise PrimitiveRefused("what to remove is a list of the names of tags")
    with _told():
        replacing.check_force(replacing.paths(wanted), "removed")
    return wanted


def words(text: Value = None) -> list[str]:
    """The arguments of a command. Raises PrimitiveRefused."""
    wanted = _read(text) or []
    if not isinstance(wanted, list) or not all(isinstance(word, str) for word in wanted):
        raise PrimitiveRefused("the arguments are a list of strings")
    return wanted


def _read(text: Value) -> Any:
    if text is None:
        return None
    try:
        str(text).encode()
    except UnicodeEncodeError:
        raise PrimitiveRefused("text in a table has to be UTF-8") from None
    return json.loads(str(text))


@contextmanager
def _told() -> Iterator[None]:
    """What is wrong with names and values, at the line of the script."""
    try:
        yield
    except replacing.NeedsForce as exc:
        raise PrimitiveRefused(
            f"{exc}, which only the REST interface knows: see POST /instances/{{id}}/modify"
        ) from exc
    except (UnknownTag, ValueError) as exc:  # a ValueError: the others of replacing.py
        raise PrimitiveRefused(str(exc)) from exc
