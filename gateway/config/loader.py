"""Read the configuration: defaults, then the file, then the environment; every fault at once."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateway.config.environment import Override, overrides
from gateway.config.faults import fault_of
from gateway.config.models import Configuration
from gateway.config.rules import contradictions
from gateway.config.schema import Node, Place, place_text, root
from gateway.errors import ConfigurationInvalid, Fault

_LINE = re.compile(r"\s*\(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


def load(path: Path | None, environment: Mapping[str, str]) -> Configuration:
    """The configuration of the file, if there is one, with what the environment overrides.

    Relative paths in the file start at its folder; all others at the working folder.
    Raises ConfigurationInvalid with every fault: of the file, of each key, of each variable.
    """
    configuration, faults = inspect(path, environment)
    if faults:
        raise ConfigurationInvalid(faults)
    return configuration


def inspect(path: Path | None, environment: Mapping[str, str]) -> tuple[Configuration, list[Fault]]:
    """As load(), but answers the faults, and sections without fault although others have some.

    A section with a fault has its defaults.
    """
    tree, unreadable = _file_tree(path) if path else ({}, None)
    if unreadable:
        # What the variables lack may be in the file: more cannot be said.
        _, faults = overrides(environment, tree)
        return Configuration(), [unreadable, *faults]
    return inspect_tree(tree, environment)


def inspect_tree(
    tree: dict[str, Any],
    environment: Mapping[str, str],
    named: Callable[[Place], str] = place_text,
) -> tuple[Configuration, list[Fault]]:
    """As inspect(), for keys and values that are there already; relative paths stay so.

    tree: changed by what the environment overrides. named: what the administrator calls a place.
    """
    found, faults = overrides(environment, tree)
    for override in found:
        _put(tree, override)
    variables = {override.place: override.variable for override in found}

    def name_of(place: Place) -> str:
        return _name_in_environment(place, variables) or named(place)

    try:
        configuration = _validated(tree)
    except ValidationError as exc:
        faults += [fault_of(error, name_of) for error in exc.errors(include_url=False)]
        return _right_sections(tree), faults
    return configuration, faults + contradictions(configuration, name_of)


def _file_tree(path: Path) -> tuple[dict[str, Any], Fault | None]:
    """The file's keys and values, or why there are none."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as exc:
        return {}, Fault(str(path), f"cannot be read: {exc.strerror}")
    except UnicodeDecodeError:
        return {}, Fault(str(path), "is not text in UTF-8")
    except tomllib.TOMLDecodeError as exc:
        return {}, _syntax_fault(path, str(exc))
    return _anchored(tree, root(), path.absolute().parent), None


def _syntax_fault(path: Path, message: str) -> Fault:
    place = _LINE.search(message)
    line = f":{place['line']}" if place and place["line"] else ""
    problem = _LINE.sub(f" at column {place['column']}" if line and place else "", message)
    return Fault(f"{path}{line}", f"is not TOML: {problem}", "text needs quotes, lists need [ ]")


def _anchored(tree: dict[str, Any], node: Node, folder: Path) -> dict[str, Any]:
    """The tree with relative paths made absolute; what does not fit the schema stays."""
    return {name: _anchored_value(value, node.child(name), folder) for name, value in tree.items()}


def _anchored_value(value: Any, node: Node | None, folder: Path) -> Any:
    if node and isinstance(value, dict):
        return _anchored(value, node, folder)
    if node and node.is_path and isinstance(value, str):
        return str(folder / value)
    return value


def _put(tree: dict[str, Any], override: Override) -> None:
    """Set one value; where the file has a value instead of a table, validation will say so."""
    *tables, name = override.place
    inner: Any = tree
    for table in tables:
        inner = inner.setdefault(table, {})
        if not isinstance(inner, dict):
            return
    inner[name] = override.value


def _validated(tree: dict[str, Any]) -> Configuration:
    """Raises ValidationError."""
    # Strict, or "yes" and 1 would pass for true; as JSON, or lists would not pass for tuples.
    return Configuration.model_validate_json(json.dumps(tree, default=str), strict=True)


def _right_sections(tree: dict[str, Any]) -> Configuration:
    right = {}
    for section, content in tree.items():
        with suppress(ValidationError):
            _validated({section: content})
            right[section] = content
    return _validated(right)


def _name_in_environment(place: Place, variables: Mapping[Place, str]) -> str:
    """The variable that set a place, or a table around it, and what of it; "" when none did."""
    for length in range(len(place), 0, -1):
        if variable := variables.get(place[:length]):
            rest = place_text(place[length:])
            return f"{variable}: {rest}" if rest else variable
    return ""
