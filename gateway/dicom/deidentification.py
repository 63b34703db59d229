"""Which elements tell who a patient is, and what becomes of them: the Basic Profile of PS3.15 E.

The table is in deidentification.tsv, for the editions of the standard that Orthanc's clients name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

from pydicom.tag import BaseTag

NEWEST = "2021b"
_REPEATING_GROUPS = 0xFF00


class Action(StrEnum):
    """What becomes of an element; the values are the letters of PS3.15 Table E.1-1a."""

    REMOVE = "X"
    EMPTY = "Z"
    REPLACE_UID = "U"


@dataclass(frozen=True, slots=True)
class Profile:
    """One edition of the table. method: what Deidentification Method says of it."""

    method: str
    actions: Mapping[int, Action]

    def action(self, tag: BaseTag) -> Action | None:
        """What becomes of a standard element; None: it stays."""
        if _is_drawn_over_the_image(tag):
            return Action.REMOVE
        return self.actions.get(tag)


@cache
def profile(version: str) -> Profile | None:
    """The profile of an edition of the standard, None when there is no table of that one."""
    header, *rows = _rows()
    if version not in header[2:]:
        return None
    column = header.index(version)
    method = f"PS 3.15-{version} Table E.1-1" + ("" if version == "2008" else " Basic Profile")
    return Profile(
        method,
        {
            int(row[0].replace(",", ""), 16): Action(row[column])
            for row in rows
            if row[column] != "-"
        },
    )


def _is_drawn_over_the_image(tag: BaseTag) -> bool:
    """Curves (50xx,eeee); data and comments of overlays (60xx,3000 and 60xx,4000)."""
    repeating = tag.group & _REPEATING_GROUPS
    return repeating == 0x5000 or (repeating == 0x6000 and tag.element in (0x3000, 0x4000))


@cache
def _rows() -> list[list[str]]:
    """The heading, then one row for each element."""
    text = files("gateway.dicom").joinpath("deidentification.tsv").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("# ")]
    return [line.removeprefix("#").split("\t") for line in lines]
