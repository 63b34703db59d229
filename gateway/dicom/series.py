"""What the tags of instances tell of their series: places, and whether all of them are there."""

import re
from collections.abc import Iterable, Mapping

# How many instances a series has, by what its first one says: the product of one of these.
_EXPECTATIONS = (
    ("ImagesInAcquisition", "NumberOfTemporalPositions"),
    ("NumberOfSlices", "NumberOfTimeSlices"),
    ("CardiacNumberOfImages",),
)
_INTEGER = re.compile(r"[+-]?\d{1,18}")


def index_in_series(tags: Mapping[str, object]) -> int | None:
    """The place of an instance in its series, by its main tags; None when they do not tell."""
    return _integer(tags.get("InstanceNumber", tags.get("ImageIndex")))


def expected_instances(tags: Mapping[str, object]) -> int | None:
    """How many instances a series should have, by its main tags; None when they do not tell."""
    for keywords in _EXPECTATIONS:
        product = 1
        for keyword in keywords:
            product *= max(_integer(tags.get(keyword)) or 0, 0)
        if product:
            return product
    return None


def series_status(expected: int | None, indices: Iterable[int | None]) -> str:
    """Whether a series is complete, by the places of its instances. Places begin with 1."""
    if expected is None:
        return "Unknown"
    known = [index for index in indices if index is not None]
    if len(set(known)) < len(known) or any(not 0 < index <= expected for index in known):
        return "Inconsistent"
    return "Complete" if len(known) == expected else "Missing"


def _integer(value: object) -> int | None:
    stripped = str(value).strip()
    return int(stripped) if _INTEGER.fullmatch(stripped) else None
