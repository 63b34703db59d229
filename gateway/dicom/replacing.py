"""What is to be replaced and removed, as JSON or a script says it: tags by name, values as text.

From here it goes to modify.py.
"""

from collections.abc import Container, Iterable, Mapping
from typing import Any

from pydicom.tag import BaseTag

from gateway.dicom.modify import Value
from gateway.dicom.tag_names import tag_name
from gateway.dicom.tag_paths import TagPath, parse_path
from gateway.dicom.tags import MAXIMUM_DEPTH
from gateway.dicom.vrs import dictionary_vr
from gateway.model import Level

IDENTIFIERS: Mapping[Level, TagPath] = {
    Level.PATIENT: parse_path("PatientID"),
    Level.STUDY: parse_path("StudyInstanceUID"),
    Level.SERIES: parse_path("SeriesInstanceUID"),
    Level.INSTANCE: parse_path("SOPInstanceUID"),
}


class WrongType(ValueError):
    """A value of a kind that its element cannot have."""


class WrongShape(ValueError):
    """Not the objects and lists that are expected."""


class NeedsForce(ValueError):
    """What identifies a resource is to be changed, and it was not said that this is meant."""


def paths(names: Iterable[str]) -> frozenset[TagPath]:
    """Places of elements: `PatientName`, `0010,0010` or longer. Raises UnknownTag, BadIndex."""
    return frozenset(parse_path(name) for name in names)


def replacements(wanted: Mapping[str, Any]) -> dict[TagPath, Value]:
    """New values by name. Raises UnknownTag, BadIndex, WrongType, WrongShape."""
    replace = {}
    for name, value in wanted.items():
        path = parse_path(name)
        replace[path] = _value(path.tag, value)
    return replace


def check_force(chosen: Container[TagPath], what: str) -> None:
    """Raises NeedsForce when an identifier is among them. what: "removed", "replaced", "kept"."""
    for path in IDENTIFIERS.values():
        if path in chosen:
            raise NeedsForce(
                f'Marking tag "{tag_name(path.tag)}" as to be {what} requires the "Force" option '
                "to be set to true"
            )


def _value(tag: BaseTag, value: Any, depth: int = 0) -> Value:
    if isinstance(value, str) or value is None:
        return value or ""
    if not isinstance(value, list) or not _may_be_sequence(tag):
        raise WrongType(f"Bad Parameter type for tag {tag.group:04x},{tag.element:04x}")
    if depth == MAXIMUM_DEPTH:
        raise WrongShape("sequences are nested too deeply")
    return [_item(item, depth + 1) for item in value]


def _item(item: Any, depth: int) -> Mapping[BaseTag, Value]:
    if not isinstance(item, dict):
        raise WrongType("the items of a sequence have to be objects")
    content = {}
    for name, value in item.items():
        path = parse_path(name)
        if path.parents:
            raise WrongShape(f"an item has no paths: {name}")
        content[path.tag] = _value(path.tag, value, depth)
    return content


def _may_be_sequence(tag: BaseTag) -> bool:
    return tag.is_private or dictionary_vr(int(tag), signed_pixels=False) in ("SQ", "UN")
