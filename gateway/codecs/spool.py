"""Pieces of Pixel Data on their way into a file: kept until their number and sizes are known.

What stands before Pixel Data, such as offsets and the ratio of a lossy compression, needs them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from zlib_ng.zlib_ng import crc32

from gateway.errors import VerificationFailed


@dataclass(frozen=True, slots=True)
class Spooled:
    """Pieces, one after the other, in a file. checksums: CRC-32 of each, made before it got there.

    Who reads them back has pieces that are as they were proven, or VerificationFailed.
    """

    file: BinaryIO
    lengths: Sequence[int]
    checksums: Sequence[int]

    def pieces(self) -> Iterator[bytes]:
        """Read them, in order. Raises VerificationFailed."""
        self.file.seek(0)
        for length, checksum in zip(self.lengths, self.checksums, strict=True):
            piece = self.file.read(length)
            if len(piece) != length or crc32(piece) != checksum:
                raise VerificationFailed("a frame was changed between its proof and its file")
            yield piece


def spool(pieces: Iterable[bytes], file: BinaryIO) -> Spooled:
    """Write pieces to an empty file, one in memory at a time."""
    lengths: list[int] = []
    checksums: list[int] = []
    for piece in pieces:
        file.write(piece)
        lengths.append(len(piece))
        checksums.append(crc32(piece))
    return Spooled(file, lengths, checksums)
