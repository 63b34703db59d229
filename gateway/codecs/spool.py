"""Pieces of Pixel Data on their way into a file: kept until their number and sizes are known.

What stands before Pixel Data, such as offsets and the ratio of a lossy compression, needs them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import BinaryIO

_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Spooled:
    """Pieces, one after the other, in a file. digests: of each piece."""

    file: BinaryIO
    lengths: Sequence[int]
    digests: Sequence[bytes]

    def pieces(self) -> Iterator[bytes]:
        """Read them, in order."""
        self.file.seek(0)
        for length in self.lengths:
            yield self.file.read(length)


def spool(pieces: Iterable[bytes], file: BinaryIO) -> Spooled:
    """Write pieces to an empty file, one in memory at a time."""
    lengths: list[int] = []
    digests: list[bytes] = []
    for piece in pieces:
        file.write(piece)
        lengths.append(len(piece))
        digests.append(digest(piece))
    return Spooled(file, lengths, digests)


def digest(piece: bytes) -> bytes:
    """What tells this piece from every other one."""
    return blake2b(piece, digest_size=_DIGEST_BYTES).digest()


def digest_of(parts: Iterable[bytes]) -> bytes:
    """Of bytes that come in parts of any size."""
    summary = blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        summary.update(part)
    return summary.digest()
