"""Environment variables that override keys: GATEWAY_DICOM__PORT=11113 sets dicom.port.

`__` stands for the dot. Text is taken as it is; numbers, true and false, lists and tables are
written as in TOML, or as JSON.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.config.schema import Node, Place, names_at, place_text, root, suggestion
from gateway.errors import Fault

PREFIX = "GATEWAY_"
CONFIGURATION_FILE = "GATEWAY_CONFIG"  # read by the command line: where the file is

# Names that are not meant for us although they begin like ours: a Kubernetes Service that is called
# `gateway` puts its addresses into every container, and the test suite has switches of its own.
_NOT_OURS = re.compile(
    r"GATEWAY_(TEST_\w+|(\w+_)?SERVICE_(HOST|PORT(_\w+)?)|(\w+_)?PORT_\d+_(TCP|UDP)(_\w+)?)"
)
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


@dataclass(frozen=True, slots=True)
class Override:
    """One variable, and what it sets."""

    variable: str
    place: Place
    value: Any


class _NoSuchKey(LookupError):
    """The variable names nothing that exists; the argument is the place as far as it is known."""


def overrides(
    environment: Mapping[str, str], tree: Mapping[str, Any]
) -> tuple[list[Override], list[Fault]]:
    """What the environment sets, whole tables before the keys in them, and what it gets wrong.

    tree: what the file sets; destinations that it names are found in any case and with `-` as `_`.
    """
    found, faults = [], []
    for variable in sorted(name for name in environment if _is_ours(name, environment[name])):
        try:
            place, node = _place_of(variable, tree)
        except _NoSuchKey as exc:
            faults.append(Fault(variable, "sets no key that exists", _hint(exc.args[0])))
            continue
        found.append(Override(variable, place, _value(environment[variable], node)))
    return sorted(found, key=lambda override: len(override.place)), faults


def _is_ours(name: str, value: str) -> bool:
    if not name.startswith(PREFIX) or name == CONFIGURATION_FILE:
        return False
    return not (_NOT_OURS.fullmatch(name) or _SERVICE_ADDRESS.match(value))


def _place_of(variable: str, tree: Mapping[str, Any]) -> tuple[Place, Node]:
    """The place that a variable names, and what may stand there. Raises _NoSuchKey."""
    place: list[str] = []
    node, given = root(), tree
    for part in variable.removeprefix(PREFIX).lower().split("__"):
        name = _given_name(part, given) if node.is_named_tables else part
        below = node.child(name) if name else None
        place.append(name)
        if below is None:
            raise _NoSuchKey(tuple(place))
        inner = given.get(name)
        node, given = below, inner if isinstance(inner, Mapping) else {}
    return tuple(place), node


def _given_name(part: str, given: Mapping[str, Any]) -> str:
    """The destination that the file has under such a name, or the name of a new one."""
    matching = [name for name in given if name.lower().replace("-", "_") == part]
    return matching[0] if len(matching) == 1 else part


def _hint(place: Place) -> str:
    """A single `_` where `__` belongs is the likely slip; else what the schema suggests."""
    flat = place_text(place).replace(".", "_")
    for section in root().names:
        key = flat.removeprefix(f"{section}_")
        if key != flat and key in names_at((section,)):
            return f"did you mean {variable_of((section, key))}?"
    return suggestion(place, variable_of)


def variable_of(place: Sequence[str | int]) -> str:
    """The name of the variable that overrides a key."""
    return PREFIX + "__".join(str(part).upper().replace("-", "_") for part in place)


def _value(text: str, node: Node) -> Any:
    """Text where text is wanted; else TOML or JSON; else the text, for validation to refuse."""
    if node.is_text:
        return text
    try:
        parsed = tomllib.loads(f"value = {text}")
        if parsed.keys() == {"value"}:
            return parsed["value"]
    except tomllib.TOMLDecodeError:
        pass
    try:
        return json.loads(text)
    except ValueError:
        return text
