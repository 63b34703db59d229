"""The room plan of docs/architecture.md, as a test: who may import whom."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "gateway"
# Lower floors know nothing of higher ones; rooms on one floor do not know each other.
FLOORS = [
    {"__init__"},
    {"errors", "model"},
    {"logs", "metrics", "ports", "trust", "dicom"},
    {"config"},
    {"store", "codecs", "dimse", "scripting"},
    {"work"},
    {"routing", "rest"},
    {"follow"},
    {"app", "administration"},
    {"trial"},
    {"cli"},
    {"__main__"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        parts = [name.split(".") for name in names]
        rooms |= {part[1] for part in parts if part[0] == PACKAGE.name and len(part) > 1}
    return rooms & FLOOR_OF.keys()


def test_every_room_has_a_floor():
    assert {room_of(path) for path in MODULES} <= FLOOR_OF.keys()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_imports_only_its_own_room_and_lower_floors(path):
    here = room_of(path)
    for other in imported_rooms(path) - {here}:
        assert FLOOR_OF[other] < FLOOR_OF[here], f"{here} must not import {other}"
