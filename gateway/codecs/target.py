"""The file that is made: its header, its last elements, its way to the device."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gateway.codecs import headers
from gateway.codecs.source import Source
from gateway.dicom import part10
from gateway.dicom.encoding import encode
from gateway.dicom.syntaxes import TransferSyntax


@contextmanager
def created(
    path: Path, source: Source, syntax: TransferSyntax, sop_instance_uid: str = ""
) -> Iterator[BinaryIO]:
    """A new file that has everything before Pixel Data; synced when the block ends well.

    sop_instance_uid: of the result, "" for the source's.
    """
    with path.open("xb") as out:
        meta = source.meta
        uid = sop_instance_uid or meta.sop_instance_uid
        out.write(part10.header(meta.sop_class_uid, uid, syntax.uid))
        out.write(encode(source.header, implicit_vr=syntax.is_implicit_vr))
        yield out
        out.flush()
        os.fsync(out.fileno())


def write_trailer(
    out: BinaryIO, source: Source, offset: int, syntax: TransferSyntax, *, is_derived: bool = False
) -> None:
    """What follows Pixel Data, which ends at `offset` of the source.

    is_derived: the result is another instance than the one that was signed.
    """
    trailer = source.elements_from(offset)
    headers.revise_trailer(trailer, is_derived=is_derived)
    out.write(encode(trailer, implicit_vr=syntax.is_implicit_vr))
