"""What lanes did with single events."""

from enum import StrEnum


class Mark(StrEnum):
    """The state of a `lane_event` row."""

    SETTLED = "settled"
    PARKED = "parked"
    AGAIN = "again"
