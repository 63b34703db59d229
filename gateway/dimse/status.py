"""The DIMSE statuses that we answer with or understand. Standard: PS3.7 Annex C, PS3.4 B.2.3."""

from enum import IntEnum

from gateway.errors import (
    DuplicateRefused,
    FilterFailed,
    GatewayError,
    InstanceMismatch,
    InstanceUnreadable,
    StorageFull,
)


class Status(IntEnum):
    """What our C-STORE and C-ECHO responses say."""

    SUCCESS = 0x0000
    PROCESSING_FAILURE = 0x0110
    DUPLICATE_SOP_INSTANCE = 0x0111
    INVALID_SOP_INSTANCE = 0x0117
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    NOT_AUTHORIZED = 0x0124
    OUT_OF_RESOURCES = 0xA700
    DATA_SET_DOES_NOT_MATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000


_STATUS_OF = {
    StorageFull: Status.OUT_OF_RESOURCES,
    # As Orthanc answers: of all refusals the one that senders try again after.
    FilterFailed: Status.OUT_OF_RESOURCES,
    InstanceUnreadable: Status.CANNOT_UNDERSTAND,
    InstanceMismatch: Status.DATA_SET_DOES_NOT_MATCH,
    DuplicateRefused: Status.DUPLICATE_SOP_INSTANCE,
}


def status_of(error: GatewayError) -> Status:
    """How a sender is told that its instance was not kept."""
    return next(
        (status for kind, status in _STATUS_OF.items() if isinstance(error, kind)),
        Status.PROCESSING_FAILURE,
    )


def is_warning(status: int) -> bool:
    """True when the peer has the instance, with a reservation (PS3.4 B.2.3, PS3.7 C.3)."""
    return status in (0x0001, 0x0107, 0x0116) or status & 0xF000 == 0xB000
