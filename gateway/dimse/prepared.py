"""C-STORE commands of a series: encoded by pynetdicom once, and filled in for each instance.

Making a command set takes pynetdicom as long as all the rest of answering for an image, and within
a series only the message id and the SOP Instance UID change. Standard: PS3.7 6.3.1, 9.3.1.
"""

import struct
from functools import lru_cache
from typing import Any, NamedTuple

from pydicom.uid import UID
from pynetdicom.dimse_messages import C_STORE_RQ, C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode

_US = struct.Struct("<H")
_ELEMENT = struct.Struct("<HHI")  # group, element, length
_MESSAGE_ID, _RESPONDED_TO, _SOP_INSTANCE_UID = 0x0110, 0x0120, 0x1000
_DATA_SET_FOLLOWS = 0x0001


class MoveOriginator(NamedTuple):
    """Whose C-MOVE has an instance sent: PS3.7 9.1.1.1.6, 9.1.1.1.7."""

    aet: str
    message_id: int


def store_request(
    message_id: int,
    sop_class_uid: str,
    sop_instance_uid: str,
    originator: MoveOriginator | None = None,
) -> bytes:
    """The command set of a C-STORE request of medium priority, with a data set to follow."""
    pattern = _request_pattern(sop_class_uid, _even(len(sop_instance_uid)), originator)
    return _filled(pattern, _MESSAGE_ID, message_id, sop_instance_uid)


def store_success(message_id: int, sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """The command set of a C-STORE response with status 0x0000 to the request with this id."""
    pattern = _success_pattern(sop_class_uid, _even(len(sop_instance_uid)))
    return _filled(pattern, _RESPONDED_TO, message_id, sop_instance_uid)


@lru_cache(maxsize=256)
def _request_pattern(
    sop_class_uid: str, uid_length: int, originator: MoveOriginator | None
) -> bytes:
    request = C_STORE()
    request.MessageID = 0
    request.Priority = 0  # medium: PS3.7 9.3.1.1
    if originator is not None:
        request.MoveOriginatorApplicationEntityTitle = originator.aet
        request.MoveOriginatorMessageID = originator.message_id
    return _encoded(C_STORE_RQ(), request, sop_class_uid, uid_length, data_set=_DATA_SET_FOLLOWS)


@lru_cache(maxsize=256)
def _success_pattern(sop_class_uid: str, uid_length: int) -> bytes:
    response = C_STORE()
    response.MessageIDBeingRespondedTo = 0
    response.Status = 0x0000
    return _encoded(C_STORE_RSP(), response, sop_class_uid, uid_length)


def _encoded(
    message: Any,
    primitive: C_STORE,
    sop_class_uid: str,
    uid_length: int,
    data_set: int | None = None,
) -> bytes:
    primitive.AffectedSOPClassUID = UID(sop_class_uid)
    primitive.AffectedSOPInstanceUID = UID("9" * uid_length)  # stands in for the real one
    message.primitive_to_message(primitive)
    if data_set is not None:
        message.command_set.CommandDataSetType = data_set
    return bytes(encode(message.command_set, True, True) or b"")


def _filled(pattern: bytes, id_element: int, message_id: int, sop_instance_uid: str) -> bytes:
    command = bytearray(pattern)
    uid = sop_instance_uid.encode("ascii")
    uid += b"\0" * (len(uid) % 2)
    for element, value in ((id_element, _US.pack(message_id)), (_SOP_INSTANCE_UID, uid)):
        header = _ELEMENT.pack(0, element, len(value))
        start = command.index(header) + len(header)
        command[start : start + len(value)] = value
    return bytes(command)


def _even(length: int) -> int:
    return length + length % 2
