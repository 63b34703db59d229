"""The files of instances on their way out: as stored, or transcoded where that is possible."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gateway.errors import TranscodeError
from gateway.logs import logger
from gateway.model import TranscodeOptions
from gateway.ports import Codecs
from gateway.store.catalogue import Catalogue
from gateway.store.files import DERIVED, FileStorage, StagedFile

log = logger("rest")

# Enough that the codec processes always have something to do, and the disk not too much.
_AHEAD = 4


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file that is open for reading. close() it: what was made for it goes with it."""

    file: BinaryIO
    path: Path
    made: StagedFile | None

    def close(self) -> None:
        """Close it, and remove what was made."""
        self.file.close()
        if self.made is not None:
            self.made.discard()


@dataclass(frozen=True, slots=True)
class Wanted:
    """syntax_uid: what files are to be transcoded to; None, or where that cannot be: as stored."""

    syntax_uid: str | None
    options: TranscodeOptions


class InstanceFiles:
    """Opens the files of instances. Thread-safe."""

    def __init__(self, catalogue: Catalogue, storage: FileStorage, codecs: Codecs) -> None:
        self._catalogue = catalogue
        self._storage = storage
        self._codecs = codecs

    @contextmanager
    def opened(self, instance_id: str, wanted: Wanted) -> Iterator[OpenFile | None]:
        """The instance's file; None when it is not there any more."""
        found = self._open(instance_id, wanted)
        try:
            yield found
        finally:
            if found is not None:
                found.close()

    def each(
        self, instance_ids: Iterable[str], wanted: Wanted
    ) -> Generator[OpenFile | None, None, None]:
        """The same for many, in their order; each is open until the next is asked for.

        What has to be transcoded is so while those before it are still in use.
        """
        if wanted.syntax_uid is None:
            for instance_id in instance_ids:
                with self.opened(instance_id, wanted) as found:
                    yield found
            return
        waiting: deque[Future[OpenFile | None]] = deque()
        with ThreadPoolExecutor(_AHEAD, "transcode-ahead") as pool:
            try:
                for instance_id in instance_ids:
                    waiting.append(pool.submit(self._open, instance_id, wanted))
                    if len(waiting) > _AHEAD:
                        yield from _used(waiting.popleft())
                while waiting:
                    yield from _used(waiting.popleft())
            finally:
                _forget(waiting)

    def _open(self, instance_id: str, wanted: Wanted) -> OpenFile | None:
        version = self._catalogue.version(instance_id)
        if version is None:
            return None
        stored = self._storage.path(version.storage_key)
        if wanted.syntax_uid in (None, version.transfer_syntax_uid):
            return _open_file(stored)
        staged = self._storage.stage(DERIVED, made_from=instance_id)
        try:
            self._codecs.transcode(stored, staged.path, [str(wanted.syntax_uid)], wanted.options)
        except TranscodeError as error:
            staged.discard()
            log.warning("instance goes as stored", instance=instance_id, reason=str(error))
            return _open_file(stored)
        return _open_file(staged.path, staged)


def _open_file(path: Path, made: StagedFile | None = None) -> OpenFile | None:
    try:
        return OpenFile(path.open("rb"), path, made)
    except FileNotFoundError:
        return None


def _used(opening: "Future[OpenFile | None]") -> Iterator[OpenFile | None]:
    found = opening.result()
    try:
        yield found
    finally:
        if found is not None:
            found.close()


def _forget(waiting: Iterable["Future[OpenFile | None]"]) -> None:
    """Remove what nobody will use any more."""
    for opening in waiting:
        if not opening.cancel() and opening.exception() is None and (found := opening.result()):
            found.close()
