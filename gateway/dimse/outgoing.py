"""A data set on its way out: from its file to ready P-DATA-TFs, a batch at a time.

Standard: PS3.8 9.3.5 and Annex E.
"""

import os
import struct
from collections.abc import Iterator

from gateway.errors import InstanceUnreadable

_HEADER = struct.Struct(">BxIIBB")  # of a P-DATA-TF and of the one PDV in it
_P_DATA_TF = 0x04
_LAST = 0x02
_BATCH_BYTES = 1 << 18


def data_pdus(
    descriptor: int, offset: int, *, context_id: int, maximum_pdu_bytes: int
) -> Iterator[memoryview]:
    """The bytes of a file from `offset` on, as P-DATA-TFs that each fill what the peer takes.

    Each view holds several PDUs to be sent in one call, and is overwritten by the next.
    maximum_pdu_bytes: counts a PDU without its header (PS3.8 D.1.1).
    Raises InstanceUnreadable: nothing there, or less than there was at the beginning.
    """
    left = os.fstat(descriptor).st_size - offset
    if left <= 0:
        raise InstanceUnreadable("the file has no data set")
    room = maximum_pdu_bytes - 6
    stride = _HEADER.size + room
    count = max(1, _BATCH_BYTES // stride)
    buffer = memoryview(bytearray(count * stride))
    slots = [buffer[start : start + stride] for start in range(0, count * stride, stride)]
    for slot in slots:
        _HEADER.pack_into(slot, 0, _P_DATA_TF, room + 6, room + 2, context_id, 0)
    while left:
        wanted = min(left, count * room)
        used, rest = divmod(wanted, room)
        fragments = [slot[_HEADER.size :] for slot in slots[:used]]
        if rest:
            fragments.append(slots[used][_HEADER.size : _HEADER.size + rest])
        _read(descriptor, fragments, offset, wanted)
        left -= wanted
        offset += wanted
        if not left:
            last = len(fragments[-1])
            slot = slots[len(fragments) - 1]
            _HEADER.pack_into(slot, 0, _P_DATA_TF, last + 6, last + 2, context_id, _LAST)
        yield buffer[: wanted + len(fragments) * _HEADER.size]


def _read(descriptor: int, fragments: list[memoryview], offset: int, wanted: int) -> None:
    try:
        got = os.preadv(descriptor, fragments, offset)
    except OSError as exc:
        raise InstanceUnreadable(f"the file cannot be read: {exc}") from exc
    if got != wanted:
        raise InstanceUnreadable("the file became shorter while it was sent")
