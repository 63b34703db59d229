"""Which keys exist and what each may hold, read off the models' JSON schema.

A *place* is a path from the root of the configuration: keys, names of destinations, and positions
in lists. `place_text` is how people see it: `dicom.callers[2].aet`, counted from 1.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

from gateway.config.models import Configuration

Place = tuple[str | int, ...]

_KINDS = {"boolean": "true or false", "integer": "a whole number", "number": "a number"}


@cache
def _document() -> dict[str, Any]:
    return Configuration.model_json_schema()


@dataclass(frozen=True, slots=True)
class Node:
    """What may stand at one place."""

    schema: Mapping[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """The keys of a table; none for a value, and for a table whose keys the site chooses."""
        return tuple(self.schema.get("properties", ()))

    @property
    def is_named_tables(self) -> bool:
        """True for a table whose keys the site chooses: destinations."""
        return bool(self.schema.get("additionalProperties"))

    @property
    def is_table(self) -> bool:
        """True when something may stand below this place, by name."""
        return self.schema.get("type") == "object"

    @property
    def is_text(self) -> bool:
        """True when the value is written as it is: no brackets, no quotes needed."""
        return self.schema.get("type") == "string"

    @property
    def is_path(self) -> bool:
        """True for a file or a folder."""
        return self.schema.get("format") == "path"

    @property
    def is_secret(self) -> bool:
        """True for a password, and for a table of them: nobody is to see its value."""
        inner = self.schema.get("additionalProperties")
        return self.schema.get("format") == "password" or (
            isinstance(inner, dict) and _resolved(inner).is_secret
        )

    def child(self, part: str | int) -> "Node | None":
        """The place below, or None when there is no such key."""
        if isinstance(part, int):
            below = self.schema.get("items")
        elif self.is_named_tables:
            below = self.schema["additionalProperties"]
        else:
            below = self.schema.get("properties", {}).get(part)
        if below is True:  # a table of anything
            return Node({})
        return _resolved(below) if below else None

    @property
    def expectation(self) -> str:
        """What would be right here, in a few words: 'a whole number from 1 to 65535'."""
        if choices := self.schema.get("enum"):
            return " or ".join(json.dumps(choice) for choice in choices)
        kind = self.schema.get("type", "")
        if entry := self.child(0):
            return "a list of tables" if entry.is_table else 'a list of texts: ["...", "..."]'
        if kind == "object":
            return "a table of keys and values"
        return _KINDS.get(kind, 'text, in quotes: "..."') + self._range

    @property
    def _range(self) -> str:
        schema = self.schema
        words = [
            f"{word} {schema[limit]}"
            for limit, word in (
                ("minimum", "from"),
                ("exclusiveMinimum", "above"),
                ("maximum", "up to"),
            )
            if limit in schema
        ]
        return f" {' '.join(words)}" if words else ""


def _resolved(schema: Mapping[str, Any]) -> Node:
    """Follow a reference; of 'this or null' take this: TOML has no null."""
    if "$ref" in schema:
        return Node(_document()["$defs"][schema["$ref"].rsplit("/", 1)[1]])
    if "anyOf" in schema:
        return _resolved(schema["anyOf"][0])
    return Node(schema)


def root() -> Node:
    """The whole configuration."""
    return Node(_document())


def at(place: Sequence[str | int]) -> Node | None:
    """What may stand at this place, or None when there is no such place."""
    node: Node | None = root()
    for part in place:
        node = node.child(part) if node else None
    return node


def keys() -> Iterator[str]:
    """Every key that holds a value, as documents name it: `dicom.port`, `destinations.NAME.aet`."""
    yield from _keys_below(root(), "")


def _keys_below(node: Node, name: str) -> Iterator[str]:
    names = ("NAME",) if node.is_named_tables else node.names
    if not names:
        yield name
    for below in names:
        child = node.child(below)
        assert child is not None
        # A list counts by its entries: dicom.callers.aet.
        yield from _keys_below(child.child(0) or child, f"{name}.{below}".lstrip("."))


def place_text(place: Sequence[str | int]) -> str:
    """How people write a place: names with dots, positions in brackets and counted from 1."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            bare = re.fullmatch(r"[A-Za-z0-9_-]+", part)
            text += ("." if text else "") + (part if bare else json.dumps(part))
    return text


def suggestion(place: Place, written: Callable[[Sequence[str | int]], str] = place_text) -> str:
    """'did you mean ...?' for a key that does not exist, or what exists there instead.

    written: how the administrator wrote the key, as a key of the file or as a variable.
    """
    *parent, name = place
    wanted = str(name).lower().replace("-", "_")
    siblings = names_at(parent)
    if close := get_close_matches(wanted, siblings, n=1):
        return f"did you mean {written((*parent, close[0]))}?"
    elsewhere = [key.split(".") for key in keys()]
    if found := [written(parts) for parts in elsewhere if parts[-1] == wanted]:
        return f"did you mean {' or '.join(found[:3])}?"
    return f"known here: {', '.join(siblings)}" if siblings else ""


def names_at(place: Sequence[str | int]) -> tuple[str, ...]:
    """The keys that exist in the table at this place."""
    node = at(place)
    return node.names if node else ()
