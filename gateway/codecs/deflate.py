"""Deflated Explicit VR Little Endian: a whole data set in one deflate stream, in constant memory.

zlib-ng writes, zlib reads. Standard: PS3.5 A.5.
"""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from zlib_ng import zlib_ng

from gateway.dicom import part10
from gateway.dicom.part10 import FileMeta
from gateway.dicom.syntaxes import EXPLICIT_LE
from gateway.errors import CodecFailed, VerificationFailed

_RAW = -zlib.MAX_WBITS
_CHUNK_BYTES = 1 << 20
_LEVEL = 6


def inflate(path: Path, meta: FileMeta, target: Path, *, maximum_bytes: int) -> None:
    """Write a deflated file as one in Explicit VR Little Endian.

    Raises CodecFailed (damaged, cut off, more than maximum_bytes).
    """
    with path.open("rb") as file, target.open("xb") as out:
        out.write(_header(meta, EXPLICIT_LE.uid))
        start = out.tell()
        file.seek(meta.data_set_offset)
        for part in _inflated(file):
            out.write(part)
            if out.tell() - start > maximum_bytes:
                raise CodecFailed(f"the deflated data set has more than {maximum_bytes} bytes")


def deflate(path: Path, target: Path, transfer_syntax_uid: str, *, verify: bool) -> None:
    """Write a file in Explicit VR Little Endian as a deflated one, synced to the device.

    Raises VerificationFailed.
    """
    meta = part10.read_meta(path)
    with path.open("rb") as file, target.open("xb") as out:
        out.write(_header(meta, transfer_syntax_uid))
        file.seek(meta.data_set_offset)
        length = 0
        deflater = zlib_ng.compressobj(_LEVEL, wbits=_RAW)
        while data := file.read(_CHUNK_BYTES):
            length += out.write(deflater.compress(data))
        length += out.write(deflater.flush())
        out.write(b"\0" * (length % 2))
        out.flush()
        os.fsync(out.fileno())
    if verify:
        _compare(path, target)


def _compare(path: Path, deflated: Path) -> None:
    with path.open("rb") as file, deflated.open("rb") as coded:
        file.seek(part10.read_meta(path).data_set_offset)
        coded.seek(part10.read_meta(deflated).data_set_offset)
        is_same = all(file.read(len(part)) == part for part in _inflated(coded))
        if not is_same or file.read(1):
            raise VerificationFailed("zlib read another data set back")


def _header(meta: FileMeta, transfer_syntax_uid: str) -> bytes:
    return part10.header(meta.sop_class_uid, meta.sop_instance_uid, transfer_syntax_uid)


def _inflated(file: BinaryIO) -> Iterator[bytes]:
    inflater = zlib.decompressobj(_RAW)
    try:
        while not inflater.eof and (data := inflater.unconsumed_tail or file.read(_CHUNK_BYTES)):
            yield inflater.decompress(data, _CHUNK_BYTES)
    except zlib.error as exc:
        raise CodecFailed(f"the deflated data set is damaged: {exc}") from exc
    if not inflater.eof:
        raise CodecFailed("the deflated data set is cut off")
