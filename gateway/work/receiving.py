"""A DICOM file that comes piece by piece, written into the store as it comes."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from gateway.dicom import syntaxes
from gateway.dicom.incoming import HEAD_BYTES, Follower, look_at
from gateway.errors import InstanceUnreadable
from gateway.model import Origin
from gateway.ports import Arrival, Ingest


class IncomingFile:
    """A file of which the beginning has been looked at. head: HEAD_BYTES or more, or all of it."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        head = bytearray()
        for piece in self._pieces:
            head += piece
            if len(head) >= HEAD_BYTES:
                break
        self.head = bytes(head)
        self._size_bytes = len(head)

    def pieces(self, offset: int = 0) -> Iterator[bytes]:
        """All of it from `offset`, which is in the head."""
        yield self.head[offset:]
        for piece in self._pieces:
            self._size_bytes += len(piece)
            yield piece

    def count(self) -> int:
        """Read to the end; how many bytes there were."""
        for _ in self.pieces():
            pass
        return self._size_bytes


@contextmanager
def written(
    ingest: Ingest,
    file: IncomingFile,
    origin: Origin,
    metadata: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Arrival]:
    """The file as an arrival that has all of it, for the caller to keep().

    Raises InstanceUnreadable when it is no DICOM file, or not all of one; StorageFull, StoreError.
    """
    meta = look_at(file.head)
    follower = Follower(syntaxes.by_uid(meta.transfer_syntax_uid))
    with ingest.begin(
        sop_class_uid=meta.sop_class_uid,
        sop_instance_uid=meta.sop_instance_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        origin=origin,
        metadata=metadata,
    ) as arrival:
        for piece in file.pieces(meta.data_set_offset):
            arrival.write(piece)
            follower.feed(piece)
        if not follower.is_whole:
            raise InstanceUnreadable("the data set is cut off")
        yield arrival
