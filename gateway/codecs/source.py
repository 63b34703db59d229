"""The file that is transcoded: its header, and where its pixels are. Pixels stay in the file.

Standard: PS3.10 7; PS3.5 7.1, A.1-A.5.
"""

import io
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from gateway.dicom import syntaxes
from gateway.dicom.encoding import UNDEFINED_LENGTH
from gateway.dicom.part10 import FileMeta, read_meta
from gateway.dicom.syntaxes import TransferSyntax, UnknownTransferSyntax
from gateway.dicom.vrs import LONG_LENGTH
from gateway.errors import CodecFailed, InstanceUnreadable, TranscodeUnsupported

Head = tuple[FileMeta, TransferSyntax]
"""What a file says before its data set begins."""

PIXEL_DATA = 0x7FE00010
# pydicom takes an item's delimiter for the end of the data set, and says nothing.
_ENDS_EARLY = "the data set ends in a delimiter before the file does"
_LONGEST_UID = 64  # PS3.5 9.1
_TWO_CAPITALS = re.compile(rb"[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class PixelElement:
    """Where Pixel Data is. offset and length are bytes; length None: encapsulated (PS3.5 A.4)."""

    vr: str
    offset: int
    length: int | None

    @property
    def end(self) -> int:
        """Where native Pixel Data ends."""
        return self.offset + (self.length or 0)


@dataclass(frozen=True, slots=True)
class Source:
    """An open file, read up to Pixel Data.

    header: the elements before Pixel Data, as encoded. implicit_vr: how the data set is encoded,
    whatever its syntax promises.
    """

    file: BinaryIO
    size_bytes: int
    meta: FileMeta
    syntax: TransferSyntax
    implicit_vr: bool
    header: Dataset
    pixels: PixelElement | None

    def elements_from(self, offset: int) -> Dataset:
        """The elements from this place in the file to its end."""
        self.file.seek(offset)
        try:
            elements = read_dataset(self.file, self.implicit_vr, self.syntax.is_little_endian)
        except Exception as exc:
            raise CodecFailed(
                f"what follows Pixel Data cannot be parsed ({type(exc).__name__})"
            ) from exc
        if self.file.tell() < self.size_bytes:
            raise CodecFailed(_ENDS_EARLY)
        return elements


class _Reader(io.BufferedReader):
    """A file of which no more is read than there is.

    Python makes room for what is asked: an element that claims 4 GB would pass the memory limit.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self.size_bytes = path.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > io.DEFAULT_BUFFER_SIZE:
            size = max(0, min(size, self.size_bytes - self.tell()))
        return super().read(size)


@contextmanager
def strict_reading() -> Iterator[None]:
    """Make pydicom raise where it would go on with what is left of a data set that is cut off.

    Its other warnings are about values, which are copied as they are. Not for use with threads.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", message=r"(?s).* in file ", category=UserWarning)
        yield


def syntax_of(path: Path) -> Head:
    """What the file meta information says. Raises CodecFailed, TranscodeUnsupported."""
    try:
        meta = read_meta(path)
    except InstanceUnreadable as exc:
        if isinstance(exc.__cause__, MemoryError):  # which is a fault of the file, not of the limit
            raise CodecFailed(
                "an element of the file meta information has a false length"
            ) from None
        raise CodecFailed(str(exc)) from exc
    if not _could_be_uid(meta.transfer_syntax_uid):
        raise CodecFailed("the file meta information names no transfer syntax")
    if not (_could_be_uid(meta.sop_class_uid) and _could_be_uid(meta.sop_instance_uid)):
        raise CodecFailed("the file meta information does not name the instance")
    try:
        return meta, syntaxes.lookup(meta.transfer_syntax_uid)
    except UnknownTransferSyntax as exc:
        raise TranscodeUnsupported(str(exc)) from exc


def _could_be_uid(text: str) -> bool:
    """Generously; but no value that has swallowed half of the data set goes on into messages."""
    return 0 < len(text) <= _LONGEST_UID and text.isascii() and text.isprintable()


@contextmanager
def opened(path: Path, head: Head | None = None) -> Iterator[Source]:
    """Open and read up to Pixel Data; not for deflated files.

    head: what syntax_of() answered, if it was asked. Raises CodecFailed (not DICOM, cut off),
    TranscodeUnsupported (a transfer syntax that nobody knows).
    """
    meta, syntax = head or syntax_of(path)
    with _Reader(path) as file:
        yield _read(file, meta.data_set_offset, meta, syntax)


def _read(file: BinaryIO, offset: int, meta: FileMeta, syntax: TransferSyntax) -> Source:
    size_bytes = file.seek(0, 2)
    file.seek(offset)
    implicit_vr = not _TWO_CAPITALS.fullmatch(file.read(6)[4:])
    file.seek(offset)
    tags_seen: list[BaseTag] = []

    def is_pixel_data(tag: BaseTag, vr: str | None, length: int) -> bool:
        tags_seen.append(tag)
        return bool(tag == PIXEL_DATA)

    try:
        header = read_dataset(file, implicit_vr, syntax.is_little_endian, stop_when=is_pixel_data)
    except Exception as exc:
        raise CodecFailed(f"the data set cannot be parsed ({type(exc).__name__})") from exc
    pixels = None
    if tags_seen and tags_seen[-1] == PIXEL_DATA:
        pixels = _pixel_element(file, size_bytes, syntax, implicit_vr)
    elif file.tell() < size_bytes:
        raise CodecFailed(_ENDS_EARLY)
    return Source(file, size_bytes, meta, syntax, implicit_vr, header, pixels)


def _pixel_element(
    file: BinaryIO, size_bytes: int, syntax: TransferSyntax, implicit_vr: bool
) -> PixelElement:
    """Parse Pixel Data's header at the file's position."""
    order = "<" if syntax.is_little_endian else ">"
    at = file.tell()
    head = file.read(12)
    vr = "OW" if implicit_vr else head[4:6].decode("latin_1")
    if implicit_vr:
        length, offset = struct.unpack(order + "I", head[4:8])[0], at + 8
    elif vr in LONG_LENGTH and len(head) == 12:
        length, offset = struct.unpack(order + "I", head[8:12])[0], at + 12
    else:
        raise CodecFailed(f"Pixel Data has the VR {vr}")
    if length == UNDEFINED_LENGTH:
        return PixelElement(vr, offset, None)
    if offset + length > size_bytes:
        raise CodecFailed(
            f"Pixel Data is cut off: {size_bytes - offset} of {length} bytes are there"
        )
    return PixelElement(vr, offset, length)
