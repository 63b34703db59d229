"""What a client sends as a DICOM file: how it begins, and whether all of it has come.

Clients leave out what files must have: the preamble, the file meta information, the transfer
syntax. What is stored gets a header of its own, so it is enough to know what is meant.
Standard: PS3.10 7.1; PS3.5 7.
"""

import re
import struct
from io import BytesIO

from pydicom import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from gateway.dicom import syntaxes
from gateway.dicom.encoding import UNDEFINED_LENGTH
from gateway.dicom.part10 import FileMeta, inflated
from gateway.dicom.syntaxes import TransferSyntax
from gateway.dicom.tags import text_of
from gateway.dicom.vrs import LONG_LENGTH
from gateway.errors import IdentifierMissing, InstanceUnreadable

HEAD_BYTES = 1 << 18
"""Enough of a file to see how it begins."""
_PREFIX_OFFSET = 128
_PREFIX = b"DICM"
_SOP_CLASS_UID = 0x00080016
_SOP_INSTANCE_UID = 0x00080018
_MEDIA_STORAGE_SOP_CLASS_UID = 0x00020002
_TRANSFER_SYNTAX_UID = 0x00020010
# Data sets begin with one of the first groups of PS3.6; text and other files do not.
_LAST_FIRST_GROUP = 0x0010
_TWO_CAPITALS = re.compile(rb"[A-Z]{2}")
_BIG_ENDIAN_UID = "1.2.840.10008.1.2.2"
_ITEM_GROUP = 0xFFFE
_DELIMITERS = (0xFFFEE00D, 0xFFFEE0DD)


def look_at(head: bytes) -> FileMeta:
    """What the first HEAD_BYTES of a file, or all of it, say.

    The UIDs are those of the data set. Raises InstanceUnreadable; IdentifierMissing when there is
    no SOP Instance UID.
    """
    try:
        meta, offset = _file_meta(head)
        syntax_uid = text_of(meta, _TRANSFER_SYNTAX_UID) or _guessed_syntax(
            head[offset : offset + 6]
        )
        dataset = _beginning(head[offset:], syntaxes.by_uid(syntax_uid))
    except InstanceUnreadable:
        raise
    except Exception as exc:
        raise InstanceUnreadable("no DICOM data set begins there") from exc
    sop_instance_uid = text_of(dataset, _SOP_INSTANCE_UID)
    if not sop_instance_uid:
        raise IdentifierMissing("SOPInstanceUID")
    sop_class_uid = text_of(dataset, _SOP_CLASS_UID) or text_of(meta, _MEDIA_STORAGE_SOP_CLASS_UID)
    return FileMeta(sop_class_uid or "", sop_instance_uid, syntax_uid, offset, "", "")


def _file_meta(head: bytes) -> tuple[Dataset, int]:
    """The file meta information, empty when there is none, and where the data set begins."""
    prefix_end = _PREFIX_OFFSET + len(_PREFIX)
    start = prefix_end if head[_PREFIX_OFFSET:prefix_end] == _PREFIX else 0
    if head[start : start + 2] != b"\x02\x00":
        return Dataset(), start
    file = BytesIO(head)
    file.seek(start)
    meta = read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 0x0002)
    return meta, file.tell()


def _guessed_syntax(first: bytes) -> str:
    """The native syntax that a data set with this first tag and VR is in."""
    little, big = int.from_bytes(first[:2], "little"), int.from_bytes(first[:2], "big")
    if len(first) < 6 or not 0 < min(little, big) <= _LAST_FIRST_GROUP:
        raise InstanceUnreadable("no DICOM data set begins there")
    if not _TWO_CAPITALS.fullmatch(first[4:]):
        return syntaxes.IMPLICIT_LE.uid
    return syntaxes.EXPLICIT_LE.uid if little < big else _BIG_ENDIAN_UID


def _beginning(encoded: bytes, syntax: TransferSyntax) -> Dataset:
    def is_behind(tag: BaseTag, vr: str | None, length: int) -> bool:
        return bool(tag > _SOP_INSTANCE_UID)

    return read_dataset(
        inflated(BytesIO(encoded)) if syntax.is_deflated else BytesIO(encoded),
        is_implicit_VR=syntax.is_implicit_vr,
        is_little_endian=syntax.is_little_endian,
        stop_when=is_behind,
        specific_tags=[_SOP_CLASS_UID, _SOP_INSTANCE_UID],
    )


class Follower:
    """Follows the elements of a data set while its bytes pass, to know whether all have come.

    It looks at tags and lengths only. Where it cannot make sense of them it gives up, and takes
    the rest for good: to judge what is odd is not its task.
    """

    def __init__(self, syntax: TransferSyntax) -> None:
        self._is_implicit = syntax.is_implicit_vr
        self._order = "<" if syntax.is_little_endian else ">"
        self._header = bytearray()
        self._value_bytes_left = 0
        self._open = 0  # sequences and items of undefined length that we are in
        self._gave_up = syntax.is_deflated

    @property
    def is_whole(self) -> bool:
        """The bytes so far end where an element does, outside of all sequences."""
        is_between = not (self._header or self._value_bytes_left or self._open)
        return self._gave_up or is_between

    def feed(self, fragment: bytes | memoryview) -> None:
        """The next bytes."""
        at = 0
        while at < len(fragment) and not self._gave_up:
            if self._value_bytes_left:
                step = min(self._value_bytes_left, len(fragment) - at)
                self._value_bytes_left -= step
            else:
                step = self._header_bytes() - len(self._header)
                self._header += fragment[at : at + step]
                self._read_header()
            at += step

    def _header_bytes(self) -> int:
        """How long the header is, as far as can be told from what there is of it."""
        if len(self._header) < 8 or self._is_short():
            return 8
        return 12

    def _is_short(self) -> bool:
        is_item = struct.unpack_from(self._order + "H", self._header)[0] == _ITEM_GROUP
        return self._is_implicit or is_item or self._vr() not in LONG_LENGTH

    def _vr(self) -> str:
        return self._header[4:6].decode("latin_1")

    def _read_header(self) -> None:
        if len(self._header) < 8 or len(self._header) < self._header_bytes():
            return
        group, element = struct.unpack_from(self._order + "HH", self._header)
        is_item = group == _ITEM_GROUP
        if self._is_nonsense(group, is_item=is_item):
            self._gave_up = True
            return
        self._enter(group << 16 | element, self._length(is_item=is_item))
        self._header.clear()

    def _is_nonsense(self, group: int, *, is_item: bool) -> bool:
        if group == 0:
            return True
        return not (self._is_implicit or is_item or _TWO_CAPITALS.fullmatch(self._header[4:6]))

    def _length(self, *, is_item: bool) -> int:
        if len(self._header) == 12:
            return int(struct.unpack_from(self._order + "I", self._header, 8)[0])
        if self._is_implicit or is_item:
            return int(struct.unpack_from(self._order + "I", self._header, 4)[0])
        return int(struct.unpack_from(self._order + "H", self._header, 6)[0])

    def _enter(self, tag: int, length: int) -> None:
        if tag in _DELIMITERS:
            self._open = max(0, self._open - 1)
        elif length == UNDEFINED_LENGTH:
            self._open += 1
        else:
            self._value_bytes_left = length
